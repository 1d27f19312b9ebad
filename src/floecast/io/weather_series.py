"""Surface weather of many files at chosen times, a few days in memory at once."""

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from floecast.core.calendar import DAY, iso
from floecast.core.errors import InputError

from .atmosphere import check_surface_forcing, read_surface_forcing, surface_pieces
from .products import door_to, product_of
from .source import Source, open_source
from .weather_files import find_files, times

# Kinds in the order in which they are read, and how much around the times wanted of each: sums and
# means over time need it, and the second kind stands within the first.
_MARGINS = {"latlon_forcing": DAY, "projected_forcing": DAY // 2}
_APART = 2 * DAY  # times that are read by themselves
_CHECKED = 30 * DAY  # times that are checked at once


@dataclass(frozen=True)
class _File:
    path: Path
    kind: str
    time: np.ndarray
    dim: str | None


class WeatherSeries:
    """Weather files along time, opened when they are needed.

    Parameters
    ----------
    paths : path-like or sequence of path-like
        Files or patterns as in `readers.read_forcing`, without model levels.

    Raises
    ------
    InputError
        If a file is damaged or no surface weather.
    """

    def __init__(self, paths):
        self.files = []
        """All files with their times."""
        self._fields = None
        for path in find_files(paths):
            with open_source(path) as source:
                kind = product_of(source).name
                if kind not in _MARGINS:
                    door_to(source, "read_forcing")
                    source.refuse("holds levels, expected weather near the surface")
                time, dim, _ = times(source)
                self.files.append(_File(path, kind, time, dim))

    def check(self, wanted):
        """Refuse files that lack wind, or hours around the times ``(time,)`` wanted [s].

        All times asked for, in one call or several, must have the same fields.
        """
        for run in _runs(np.asarray(wanted)):
            for part in np.array_split(run, (run[-1] - run[0]) // _CHECKED + 1):
                with self._opened(part[0], part[-1]) as groups:
                    for group in groups:
                        check_surface_forcing(group, part[0], part[-1])
                    fields = {name for group in groups for name in surface_pieces(group)}
                    known = self._fields = self._fields or fields
                    if fields != known:
                        groups[0][0].refuse(
                            f"from {iso(part[0])} on the weather has {', '.join(sorted(fields))}, "
                            f"expected {', '.join(sorted(known))} as at other times"
                        )

    def files_of(self, wanted):
        """Paths of the files that hold weather around some times."""
        runs = [(run[0], run[-1]) for run in _runs(np.asarray(wanted))]
        return [file.path for file in self.files if any(_inside(file, *run).any() for run in runs)]

    def read(self, wanted, grid):
        """Weather at some times.

        Parameters
        ----------
        wanted : (time,) int array
            Ascending [s since 2000-01-01].
        grid : Grid
            A preset.

        Returns
        -------
        dict of (time, y, x) float32 arrays
            Fields of `Forcing`, linear in time between those of the files.

        Raises
        ------
        InputError
            As `atmosphere.read_surface_forcing` does, or if a time is not covered.
        """
        parts = []
        for run in _runs(np.asarray(wanted)):
            forcing: Any = None
            with self._opened(run[0], run[-1]) as groups:
                for group in groups:
                    forcing = read_surface_forcing(group, grid, forcing)
            if run[0] < forcing.time[0] or run[-1] > forcing.time[-1]:
                self._refuse(run[0], run[-1])
            parts.append(_at(forcing, run))
        names = [name for name in parts[0] if all(name in part for part in parts)]
        return {name: np.concatenate([part[name] for part in parts]) for name in names}

    @contextmanager
    def _opened(self, start, end):
        """Sources of some days, by kind."""
        groups = {kind: [] for kind in _MARGINS}
        with ExitStack() as stack:
            for file in self.files:
                inside = np.flatnonzero(_inside(file, start, end))
                if inside.size:
                    source = stack.enter_context(open_source(file.path))
                    dataset = source.dataset
                    if file.dim is not None:
                        part = slice(inside[0], inside[-1] + 1)
                        dataset = dataset.isel({file.dim: part})
                    groups[file.kind].append(Source(file.path, dataset))
            if not any(groups.values()):
                self._refuse(start, end)
            yield [group for group in groups.values() if group]

    def _refuse(self, start, end):
        first = min(file.time[0] for file in self.files)
        last = max(file.time[-1] for file in self.files)
        raise InputError(
            f"{self.files[0].path}: the weather files reach from {iso(first)} to {iso(last)}, "
            f"expected {iso(start)} to {iso(end)}, too"
        )


def _inside(file, start, end):
    """Which times of a file lie between two times or a little beside."""
    margin = _MARGINS[file.kind]
    return (file.time >= start - margin) & (file.time <= end + margin)


def _runs(wanted):
    """Times in parts that lie apart."""
    return np.split(wanted, np.flatnonzero(np.diff(wanted) > _APART) + 1)


def _at(forcing, wanted):
    """Fields at times, linear between those of the forcing."""
    time = np.asarray(forcing.time)
    after = np.clip(np.searchsorted(time, wanted), 1, max(time.size - 1, 1))
    before = after - 1
    after = np.minimum(after, time.size - 1)
    share = (wanted - time[before]) / np.maximum(time[after] - time[before], 1)
    share = share.astype(np.float32)[:, None, None]
    return {
        name: (1 - share) * field[before] + share * field[after]
        for name, field in forcing.fields().items()
    }
