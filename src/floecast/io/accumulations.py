"""Sums and running means of forecasts, turned into rates.

Weather files hold radiation and precipitation as sums or means over some time before the one they
are given for. Each function here gives means over intervals that do not overlap, and
`at_times` what they stand for at any time.
"""

from typing import NamedTuple

import numpy as np

from floecast.core.calendar import HOUR

# A rate that falls below this share of the largest one, below zero, is no packing error.
_TOLERANCE = 0.05


class Means(NamedTuple):
    """Means over intervals.

    Parameters
    ----------
    rate : (interval, y, x) array
    begin, end : (interval,) int array
        [s since 2000-01-01]
    """

    rate: np.ndarray
    begin: np.ndarray
    end: np.ndarray


def moments(values, time):
    """Values ``(time, y, x)`` of the times themselves."""
    return Means(np.asarray(values), time, time)


def hourly_means(means, time):
    """Means of the hour before each time ``(time, y, x)``, as the mean rates of ERA5."""
    return Means(np.asarray(means), time - HOUR, time)


def hourly_sums(sums, time):
    """Means from the sums of the hour before each time ``(time, y, x)``, as in ERA5."""
    return Means(np.asarray(sums) / HOUR, time - HOUR, time)


def sums_since_start(sums, time, start=None):
    """Means from sums since the start of a forecast, as in AROME-Arctic and CARRA.

    Parameters
    ----------
    sums : (time, y, x) array
        Of one forecast.
    time : (time,) int array
        [s since 2000-01-01]
    start : int, optional
        Of the forecast, where the sum is 0. Without it the first sum tells nothing by itself.

    Returns
    -------
    Means
        Of the intervals between the times; none for a single time without `start`.

    Raises
    ------
    ValueError
        If a sum falls with time.
    """
    sums, time = np.asarray(sums, float), np.asarray(time)
    if start is not None and start < time[0]:
        sums = np.concatenate([np.zeros_like(sums[:1]), sums])
        time = np.append(start, time)
    length = np.diff(time)
    rate = np.diff(sums, axis=0) / length[:, None, None]
    _check(rate, time[1:], "falls with time, expected sums since the start of one forecast")
    return Means(rate, time[:-1], time[1:])


def running_means(means, time, length=6 * HOUR):
    """Means from those since the last full `length` of UTC time, as in GFS.

    Parameters
    ----------
    means : (time, y, x) array
        At 01 UTC over one hour, at 05 UTC over five, at 06 UTC over six, at 07 UTC over one.
    time : (time,) int array
        [s since 2000-01-01]
    length : int
        [s]

    Returns
    -------
    Means
        Since the time before, where that lies in the same `length`.

    Raises
    ------
    ValueError
        If the means cannot be running ones, because an hour between would be far below zero.
    """
    means, time = np.asarray(means, float), np.asarray(time)
    since = (time - 1) // length * length
    begin = since.copy()
    sums = means * (time - since)[:, None, None]
    together = np.flatnonzero(since[1:] == since[:-1]) + 1
    begin[together] = time[together - 1]
    parts = sums.copy()
    parts[together] -= sums[together - 1]
    rate = parts / (time - begin)[:, None, None]
    _check(rate, time, f"is no mean since the last {length // HOUR} h mark of UTC")
    return Means(rate, begin, time)


def at_times(parts, time):
    """What means over intervals stand for at some times.

    Parameters
    ----------
    parts : list of Means
        Intervals that do not overlap, in any order.
    time : (time,) int array
        [s since 2000-01-01]

    Returns
    -------
    (time, y, x) array
        Linear between the centres of the intervals, and that of the first or last one beyond.
    """
    centre = np.concatenate([(part.begin + part.end) / 2 for part in parts])
    order = np.argsort(centre)
    rate, centre = np.concatenate([part.rate for part in parts])[order], centre[order]
    if centre.size == 1:
        return np.repeat(rate, len(time), axis=0)
    after = np.clip(np.searchsorted(centre, time), 1, centre.size - 1)
    fraction = (time - centre[after - 1]) / (centre[after] - centre[after - 1])
    fraction = np.clip(fraction, 0.0, 1.0)[:, None, None]
    return (1 - fraction) * rate[after - 1] + fraction * rate[after]


def _check(rate, time, fault):
    if rate.size == 0 or np.isnan(rate).all():
        return
    least = np.nanmin(rate.reshape(len(rate), -1), axis=1, initial=0.0)
    if (least < -_TOLERANCE * max(np.nanmax(rate), 0.0) - 1e-3).any():
        raise ValueError(f"{fault}; see the value at", time[np.argmin(least)])
