"""Files of other models as the source of a data set: ice of one model, weather of another."""

from pathlib import Path

import numpy as np

from floecast.core.calendar import HOUR, to_datetime64
from floecast.core.variables import ICE_EDGE
from floecast.io.ice_model_files import IceOutput
from floecast.io.ice_on_grid import IceOnGrid
from floecast.io.training_archive import OCEAN_CLIMATOLOGY
from floecast.io.weather_files import find_files
from floecast.io.weather_series import WeatherSeries

from .dataset_archives import years_of

_CELLS_AT_ONCE = 3_000_000
"""Of the ice files, over all times in memory."""
_TURN = (-90.0, 45.0)
"""Drift to the right and to the left of the wind that raises no doubt [degrees]."""
_LEAST_CORRELATION = 0.3


class FileSplits:
    """All splits of a configuration out of files; opened, and checked before work begins.

    Parameters
    ----------
    config : DatasetConfig
    grid : Grid
    data : path-like, optional
        Where files lie whose path is not absolute.

    Raises
    ------
    InputError
        If a file is missing or wrong, or years are not covered.
    """

    def __init__(self, config, grid, data=None):
        source, self.grid = config.source, grid
        mesh = None if source.mesh is None else Path(data or "") / source.mesh
        self.ice = IceOutput(find_files(source.ice, data), mesh)
        self.weather = WeatherSeries(find_files(source.forcing, data))
        self.mesh = [] if mesh is None else [mesh]
        self.times = {
            name: self.ice.times_of(years, config.step_hours * HOUR)
            for name, years in source.years.items()
        }
        for times in self.times.values():
            self.weather.check(times)
        self.to_grid = IceOnGrid(self.ice.cells, grid)

    def split(self, name):
        """A split, see `FileSplit`."""
        return FileSplit(self, name)


class FileSplit:
    """A split out of files.

    Parameters
    ----------
    splits : FileSplits
    name : str
    """

    def __init__(self, splits, name):
        self._splits, self.name = splits, name
        self.times = splits.times[name]
        """All times, ascending [s since 2000-01-01]."""
        self.lived = {("files", year) for year in np.unique(years_of(self.times)).tolist()}
        """Weather and calendar year of everything."""
        self.source = splits.ice.layout.title
        """For the attribute of that name."""
        weather = splits.weather.files_of(self.times)
        self.files = [*splits.ice.files_of(self.times), *splits.mesh, *weather]
        """What it stands on."""
        self._ocean = _MonthlyMeans(OCEAN_CLIMATOLOGY)
        self._wind = _Turn()

    @property
    def notes(self):
        """For the manifest."""
        return [*self._splits.ice.notes, *self._splits.to_grid.notes]

    @property
    def warnings(self):
        """For the manifest, after all has been read."""
        return self._wind.warnings()

    @property
    def ocean(self):
        """Monthly means ``(12, y, x)`` of the ocean after all has been read; None without."""
        return self._ocean.means()

    def read(self, times):
        """Fields ``(time, y, x)`` at times in a row, by name."""
        splits, parts = self._splits, []
        at_once = max(1, _CELLS_AT_ONCE // splits.ice.cells.ocean.size)
        for first in range(0, times.size, at_once):
            part = times[first : first + at_once]
            there = splits.ice.read(part, ocean=self.name == "training")
            parts.append(splits.to_grid.state(there))
            self._ocean.add(part, splits.to_grid.ocean(there))
        state = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        weather = splits.weather.read(times, splits.grid)
        self._wind.add(state, weather, splits.grid)
        return state | weather


class _MonthlyMeans:
    """Means of the months, over all years."""

    def __init__(self, names):
        self._names = names
        self._sums, self._counts = {}, np.zeros(12)

    def add(self, times, fields):
        """Add fields ``(time, y, x)`` at some times; all names or none count."""
        if set(self._names) - set(fields):
            return
        months = _months_of(times)
        for name in self._names:
            sums = self._sums.setdefault(name, np.zeros((12, *fields[name].shape[1:])))
            np.add.at(sums, months, fields[name])
        np.add.at(self._counts, months, 1)

    def means(self):
        """Means by name; None if there are none, or of some months only."""
        if not self._counts.all():
            return None
        return {name: sums / self._counts[:, None, None] for name, sums in self._sums.items()}


class _Turn:
    """How the drift lies to the wind, in four sectors: wrong axes show there."""

    def __init__(self):
        self._products = np.zeros(4, complex)
        self._drift, self._wind = np.zeros(4), np.zeros(4)

    def add(self, state, weather, grid):
        """Add fields ``(time, y, x)`` by name."""
        u, v = state["u"].astype(float), state["v"].astype(float)
        u, v = 0.5 * (u + np.roll(u, 1, -1)), 0.5 * (v + np.roll(v, 1, -2))
        drift, wind = u + 1j * v, weather["wind_u"] + 1j * weather["wind_v"].astype(float)
        sector = np.floor(grid.longitude % 360 / 90).astype(int) % 4
        for number in range(4):
            ice = (state["concentration"] > ICE_EDGE) & grid.mask_t & (sector == number)
            self._products[number] += np.sum(drift[ice] * np.conj(wind[ice]))
            self._drift[number] += np.sum(np.abs(drift[ice]) ** 2)
            self._wind[number] += np.sum(np.abs(wind[ice]) ** 2)

    def warnings(self):
        """What casts doubt on the axes of drift or wind."""
        told = []
        for number, product in enumerate(self._products):
            scale = np.sqrt(self._drift[number] * self._wind[number])
            turn = np.degrees(np.angle(product))
            if scale and abs(product) > _LEAST_CORRELATION * scale:
                if not _TURN[0] <= turn <= _TURN[1]:
                    told.append(
                        f"between {90 * number} and {90 * number + 90} E the drift lies "
                        f"{abs(turn):.0f} degrees to the {'left' if turn > 0 else 'right'} of the "
                        "wind: drift or wind may be along other axes than the files say"
                    )
        return told


def _months_of(times):
    """Months of times, from 0."""
    return to_datetime64(times).astype("datetime64[M]").astype(int) % 12
