"""Weather that lies in several files: which hold what and when, and no hour may be missing."""

from collections.abc import Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from floecast.core.calendar import HOUR, iso
from floecast.core.errors import InputError

from .source import Source, open_source

_NAMED = 6  # times that a message names


@dataclass(frozen=True)
class Piece:
    """What one file holds of one field.

    Parameters
    ----------
    source : Source
    variable : str
        Name in the file.
    time : (time,) int array
        Seconds since 2000-01-01, ascending.
    time_dim : str or None
        None where the file holds one time without a dimension for it.
    start : int or None
        Of the forecast, if the file tells it [s since 2000-01-01].
    """

    source: Source
    variable: str
    time: np.ndarray
    time_dim: str | None
    start: int | None


def find_files(names, folder=None):
    """Files that names and patterns stand for.

    Parameters
    ----------
    names : path-like or sequence of path-like
        A file, or a pattern with ``*``, ``?`` or ``[...]``, or several of both.
    folder : path-like, optional
        Where they lie, if they are not absolute.

    Returns
    -------
    list of Path
        In the order given, those of a pattern sorted by name, each once.

    Raises
    ------
    InputError
        If no file matches a pattern, or nothing is given.
    """
    several = isinstance(names, Sequence) and not isinstance(names, str)
    found = []
    for name in names if several else [names]:
        path = Path(name) if folder is None else Path(folder) / name
        if path.is_file() or not set("*?[") & set(str(name)):
            found.append(path)
            continue
        root = Path(path.anchor) if path.is_absolute() else Path()
        matching = sorted(root.glob(str(path.relative_to(path.anchor))))
        if not matching:
            raise InputError(f"{path}: no file matches, expected one at least")
        found += matching
    if not found:
        raise InputError("an empty list of files, expected one at least")
    return list(dict.fromkeys(found))


@contextmanager
def open_sources(paths):
    """Open several files.

    Parameters
    ----------
    paths : path-like or sequence of path-like
        As in `find_files`.

    Yields
    ------
    list of Source

    Raises
    ------
    InputError
        As `open_source` and `find_files` do.
    """
    with ExitStack() as stack:
        yield [stack.enter_context(open_source(path)) for path in find_files(paths)]


def times(source):
    """Times of a file.

    Returns
    -------
    time : (time,) int array
        Seconds since 2000-01-01, ascending.
    dim : str or None
        Their dimension; None for one time without.
    start : int or None
        Of the forecast: the one `forecast_reference_time`, or the one `time` beside `valid_time`.

    Raises
    ------
    InputError
        If there are none, they do not ascend, one stands twice, or they are those of several
        forecasts.
    """
    name = next((name for name in ("valid_time", "time") if _is_time(source, name)), None)
    if name is None:
        if source.has("valid_time"):
            dims = source.variable("valid_time").dims
            source.refuse(f"valid_time has dimensions {dims}: select one forecast, or one step")
        source.refuse(
            f"no times, expected time or valid_time along one dimension; {source.listing()}"
        )
    seconds = np.atleast_1d(source.seconds(name, ascending=False))
    dims = source.variable(name).dims
    once, count = np.unique(seconds, return_counts=True)
    if (count > 1).any():
        source.refuse(f"{name} holds {few(once[count > 1])} more than once, expected each once")
    if np.any(np.diff(seconds) <= 0):
        source.refuse(f"{name} does not ascend, expected each time later than the one before")
    return seconds, dims[0] if dims else None, _forecast_start(source, name)


def _is_time(source, name):
    return source.has(name) and len(source.variable(name).dims) <= 1


def _forecast_start(source, time_name):
    names = ("forecast_reference_time", "reference_time", "time")
    for name in [name for name in names if name != time_name and source.has(name)]:
        variable = source.variable(name)
        if variable.size == 1 and variable.dtype.kind == "M":
            return int(source.seconds(name).ravel()[0])
    return None


def pieces_of(sources, names):
    """What the files hold of each field.

    Parameters
    ----------
    sources : list of Source
    names : dict of str to tuple of str
        Names in files by ours; the first found is taken.

    Returns
    -------
    dict of str to list of Piece
        Fields that are in none of the files are left out.
    """
    pieces = {}
    for source in sources:
        when = None
        for name, candidates in names.items():
            variable = next((candidate for candidate in candidates if source.has(candidate)), None)
            if variable is not None:
                when = times(source) if when is None else when
                pieces.setdefault(name, []).append(Piece(source, variable, *when))
    return pieces


def common_times(pieces, late=()):
    """Times at which all fields are given.

    Parameters
    ----------
    pieces : dict of str to list of Piece
    late : collection of str
        Fields that may lack the first time, as sums do at the start of a forecast.

    Returns
    -------
    (time,) int array
        Seconds since 2000-01-01, ascending.

    Raises
    ------
    InputError
        If a time stands in two files, a field lacks times that another has, or times are missing
        from the series.
    """
    everything = np.unique(np.concatenate([p.time for parts in pieces.values() for p in parts]))
    for name, parts in pieces.items():
        time = np.concatenate([part.time for part in parts])
        once, count = np.unique(time, return_counts=True)
        if (count > 1).any():
            twice = once[count > 1]
            both = [part for part in parts if np.isin(part.time, twice[0]).any()]
            both[1].source.refuse(
                f"{both[1].variable} at {few(twice)} is in {both[0].source.path.name}, too; "
                "expected each time once"
            )
        missing = np.setdiff1d(everything, once)
        if name in late and missing.size and missing[0] == everything[0]:
            missing = missing[1:]
        if missing.size:
            parts[0].source.refuse(
                f"{parts[0].variable} is missing at {few(missing)}, where other fields are given"
            )
    check_series(everything, next(iter(pieces.values()))[0].source)
    return everything


def check_series(time, source):
    """Refuse a series of times [s] that lacks some.

    Notes
    -----
    A step that is longer than a later one leaves times out; one that stays longer does not, as in
    forecasts that go over from hourly to three-hourly times.
    """
    steps = np.diff(time)
    if steps.size < 2:
        return
    later = np.minimum.accumulate(steps[::-1])[::-1]
    expected = np.append(later[1:], min(steps[-1], steps[-2]))
    gaps = np.flatnonzero(steps > expected)
    missing = [t for i in gaps for t in range(time[i] + expected[i], time[i + 1], expected[i])]
    if missing:
        source.refuse(
            f"the series of every {expected[gaps[0]] / HOUR:g} h from {iso(time[0])} to "
            f"{iso(time[-1])} lacks {few(missing)}; expected every time"
        )


def read_part(parts, wanted, read):
    """Values of one field at some times.

    Parameters
    ----------
    parts : list of Piece
    wanted : (n,) int array
        Times in a row [s].
    read : function of Piece and dict
        Values ``(time, ...)`` of a piece at an index by dimension.

    Returns
    -------
    time : (m,) int array
        Those of `wanted` that the field has.
    values : (m, ...) array or None
    """
    found, values = [], []
    for part in parts:
        inside = np.flatnonzero((part.time >= wanted[0]) & (part.time <= wanted[-1]))
        if inside.size:
            index = {part.time_dim: slice(inside[0], inside[-1] + 1)} if part.time_dim else {}
            found.append(part.time[inside])
            values.append(read(part, index))
    if not found:
        return np.empty(0, int), None
    times = np.concatenate(found)
    order = np.argsort(times)
    return times[order], np.concatenate(values)[order]


def few(seconds):
    """Times as text: the first few, and how many there are."""
    text = ", ".join(iso(time) for time in seconds[:_NAMED])
    return text if len(seconds) <= _NAMED else f"{text}, ... ({len(seconds)} in all)"
