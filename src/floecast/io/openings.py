"""How the readers of gridded products find the records of a period in a file."""

import numpy as np

from floecast.core.calendar import DAY

from .source import seconds_of


def daily_records(source):
    """Begin and end of each day in the file, ``(day,)`` each [s since 2000-01-01]."""
    day = source.seconds("time").reshape(-1) // DAY * DAY
    if np.any(np.diff(day) <= 0):
        source.refuse("a day comes twice, expected one record a day")
    return day, day + DAY


def one_day(day):
    """Begin and end of the day of a time [s since 2000-01-01]."""
    begin = seconds_of(day) // DAY * DAY
    return begin, begin + DAY


def records_in(source, begin, stop, start, end, dims):
    """Records in a period.

    Parameters
    ----------
    source : Source
    begin, stop : (record,) int array
        Of each record in the file [s since 2000-01-01].
    start, end : time or None
        As in `read_observations`.
    dims : tuple of str
        Of the variable that is read.

    Returns
    -------
    chosen : (n,) int array
        Their numbers.
    part : dict
        As `part_of` gives it.

    Raises
    ------
    InputError
        If the file does not cover the period.
    """
    chosen = np.flatnonzero(source.period(begin, stop, start, end))
    return chosen, part_of(dims, chosen)


def part_of(dims, chosen):
    """Keywords by which `Source.read` takes these records; none where there is no time."""
    return {dims[0]: slice(chosen[0], chosen[-1] + 1)} if len(dims) == 3 else {}


def first_of(source, *names):
    """The first of some variables that a file has, None if it has none."""
    return next((name for name in names if source.has(name)), None)


def attributes_of(source):
    """All global attributes as one text."""
    return " ".join(str(value) for value in source.dataset.attrs.values())
