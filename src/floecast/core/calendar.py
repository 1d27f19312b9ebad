"""Time: integer seconds inside, ``datetime64[ns]`` at the edge; UTC, proleptic Gregorian."""

from datetime import datetime

import numpy as np

from .errors import InputError

MINUTE = 60
HOUR = 3600
DAY = 86400
EPOCH = np.datetime64("2000-01-01T00:00:00", "s")
"""Second zero. Seconds since then fit 32-bit integers from 1932 to 2068."""
_FIRST, _LAST = np.datetime64("1678-01-01", "s"), np.datetime64("2262-01-01", "s")


def to_seconds(time):
    """Seconds since 2000-01-01 00:00 UTC.

    Parameters
    ----------
    time : str, datetime, datetime64 or (...) datetime64 array
        An ISO string (``"2015-01-01"``, ``"2015-01-01T12:00"``), or a time, in UTC.

    Returns
    -------
    int, or int64 array of the shape of `time`

    Raises
    ------
    InputError
        If a string is not a date, or a time is missing (NaT) or outside of 1678 to 2261, beyond
        which ``datetime64[ns]`` would silently be another time.
    """
    if isinstance(time, datetime) and time.tzinfo is not None:
        raise InputError(f"time {time} carries a time zone; give UTC times without one")
    try:
        stamps = np.asarray(time, dtype="datetime64[s]")
    except ValueError:
        raise InputError(
            f"{time!r} is not a date; write it as 2015-01-01 or 2015-01-01T12:00"
        ) from None
    if np.isnat(stamps).any():
        raise InputError("a time is missing (NaT); every record needs its time")
    beyond = (stamps < _FIRST) | (stamps >= _LAST)
    if beyond.any():
        raise InputError(f"the time {stamps[beyond].flat[0]} is outside of the years 1678 to 2261")
    seconds = (stamps - EPOCH).astype(np.int64)
    return int(seconds) if seconds.ndim == 0 else seconds


def to_datetime64(seconds):
    """Times of seconds since 2000-01-01 00:00 UTC.

    Parameters
    ----------
    seconds : int or (...) int array
        Since 2000-01-01 [s].

    Returns
    -------
    datetime64[ns], or array of the shape of `seconds`
        In UTC.
    """
    return (EPOCH + np.asarray(seconds, np.int64).astype("timedelta64[s]")).astype("datetime64[ns]")


def iso(seconds):
    """`seconds` since 2000-01-01 as text, such as ``2015-01-01T12:00:00Z``."""
    return str(to_datetime64(int(seconds)).astype("datetime64[s]")) + "Z"


def year_fraction(seconds):
    """Position in the year, 0 at its start and 1 at its end, for seasonal cycles.

    The year is the mean Gregorian one of 365.2425 days counted from 2000-01-01, so that the
    function is smooth and works on traced values; it is within one and a half days of the calendar.
    """
    return seconds / (365.2425 * DAY) % 1.0
