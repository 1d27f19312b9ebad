"""Output of ice models, in one file or thousands: joined along time, in our units, checked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from floecast.core.calendar import HOUR, iso, to_seconds
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.projection import EPSG_3413
from floecast.core.variables import ICE_EDGE
from floecast.observation.footprint import containing_cell

from .grids import GridDefinition
from .ice_file import IceFile
from .nemo_files import faces_to_centres, read_mesh
from .source import open_source
from .weather_files import few, find_files

_OCEAN = ("currents", "warmth")
_SOUTHERNMOST = 30.0  # [degrees]
_SEEN_AT = 12  # times that tell ocean from land
_WITHOUT_DRIFT = 0.01  # share of cells with ice that may lack it


@dataclass(frozen=True)
class _File:
    path: Path
    time: np.ndarray


@dataclass(frozen=True)
class IceCells:
    """The cells of a model.

    Parameters
    ----------
    definition : GridDefinition
    ocean : (y, x) bool array
    along_x, along_y : (y, x) array
        Angle from true east to what the components of vectors are along [rad].
    """

    definition: GridDefinition
    ocean: np.ndarray
    along_x: np.ndarray
    along_y: np.ndarray

    def east_north(self, u, v):
        """Components to the east and to the north."""
        east = u * np.cos(self.along_x) + v * np.cos(self.along_y)
        north = u * np.sin(self.along_x) + v * np.sin(self.along_y)
        return east, north


class IceOutput:
    """Output of an ice model along time; its files are opened when they are needed.

    Parameters
    ----------
    paths : path-like or sequence of path-like
        As in `weather_files.find_files`.
    mesh : path-like, optional
        Mesh mask of NEMO.

    Raises
    ------
    InputError
        If a file is damaged, no output of a known ice model, lacks something, or is on other cells
        or of the same times as another.
    """

    def __init__(self, paths, mesh=None):
        self.files: list[_File] = []
        self.layout: Any = None
        self._places: Any = None
        """All files with their times, ascending; what they are."""
        self._mesh = None if mesh is None else read_mesh(mesh)
        for path in find_files(paths):
            with open_source(path) as source:
                self._take(IceFile(source))
        self.files.sort(key=lambda file: file.time[0])
        for one, other in zip(self.files, self.files[1:], strict=False):
            twice = np.intersect1d(one.time, other.time)
            if twice.size:
                raise InputError(
                    f"{other.path}: {few(twice)} is in {one.path.name}, too; expected each time "
                    "once"
                )
            if other.time[0] < one.time[-1]:
                raise InputError(f"{other.path} begins before {one.path.name} ends")
        self.time = np.concatenate([file.time for file in self.files])
        """All times [s since 2000-01-01]."""
        self.notes = []
        """What was assumed, for the manifest."""
        with open_source(self.files[0].path) as source:
            signs = self._note(IceFile(source))
        self.cells = self._cells(signs)
        """Where the cells are."""

    def times_of(self, years, step):
        """Times of some years, in steps.

        Parameters
        ----------
        years : sequence of int
        step : int
            [s]

        Returns
        -------
        (time,) int array
            Seconds since 2000-01-01. Output of 03, 09, ... UTC is taken at 03 and 15 in steps of
            12 hours; of several ways to take it, the first after midnight.

        Raises
        ------
        InputError
            If the output is too coarse in time or does not cover a year; only the first time of a
            year may be missing, as output is often written at the end of an interval.
        """
        first = self.files[0].path
        spacing = int(np.diff(self.time).min()) if self.time.size > 1 else 0
        if not spacing or step % spacing:
            raise InputError(
                f"{first}: the output is every {spacing / HOUR:g} h, expected a whole part of "
                f"the step of {step / HOUR:g} h"
            )
        phase = (self.time % step).min()
        taken = []
        for year in sorted(years):
            begin, end = to_seconds(f"{year}-01-01"), to_seconds(f"{year + 1}-01-01")
            expected = np.arange(begin + (phase - begin) % step, end, step)
            missing = np.setdiff1d(expected, self.time)
            if missing.size and np.any(missing != expected[0]):
                raise InputError(
                    f"{first.parent}: of {year} the ice output lacks {few(missing)}; it covers "
                    f"{iso(self.time[0])} to {iso(self.time[-1])}, expected every {step / HOUR:g} h"
                )
            taken.append(np.setdiff1d(expected, missing))
        return np.concatenate(taken)

    def files_of(self, times):
        """Paths of the files that hold some times."""
        return [file.path for file in self.files if np.isin(times, file.time).any()]

    def read(self, times, *, ocean=False):
        """Fields at some times.

        Parameters
        ----------
        times : (time,) int array
            Of `time`, ascending.
        ocean : bool
            Whether to read what all files have of the ocean.

        Returns
        -------
        dict of (time, y, x) arrays
            On the cells of the model, centres: `concentration`, `ice_volume`, `snow_volume`,
            `damage`, and `east` and `north` of the drift; with `ocean` also `current_east`,
            `current_north` and `ocean_temperature`. NaN on land; the drift also where there is
            none.

        Raises
        ------
        InputError
            If a value is missing or out of range where there is ice.
        """
        parts = []
        for file in self.files:
            index = np.flatnonzero(np.isin(file.time, times))
            if index.size:
                with open_source(file.path) as source:
                    parts.append(self._fields(IceFile(source), index, ocean))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _take(self, file):
        """Note a file, if it goes with those before it."""
        source = file.source
        self.layout = file.layout if self.layout is None else self.layout
        if file.layout is not self.layout:
            source.refuse(f"holds {file.layout.title}, expected {self.layout.title} as before it")
        if self._mesh is not None and self._mesh[2].shape != file.shape:
            source.refuse(f"has {file.shape} cells, its mesh mask {self._mesh[2].shape}")
        if self._places is None:
            self._places = file.places() if self._mesh is None else self._mesh[:2]
            self._has_damage, self._ocean_names = "damage" in file.names, set(_OCEAN)
        elif self._mesh is None and not file.same_places(self._places):
            source.refuse("is on other cells than the files before it, expected the same")
        if self._has_damage != ("damage" in file.names):
            source.refuse(
                f"{'lacks' if self._has_damage else 'has'} damage, unlike those before it"
            )
        self._ocean_names &= set(file.names)
        self.files.append(_File(source.path, file.time))

    def _note(self, file):
        """Note what is assumed of a file, and of all with it."""
        self.notes.append(f"ice from {file.layout.title}")
        if "damage" not in file.names:
            self.notes.append("the ice files have no damage: 0 everywhere")
        for name in ("ice_volume", "snow_volume"):
            if file.over_ice(name):
                self.notes.append(
                    f"{file.names[name]} is a mean over the ice: {name} is its product with the "
                    "concentration"
                )
        if file.averaging:
            self.notes.append(f"means over time ({file.averaging}) stand for their centre")
        signs, note = file.axes()
        self.notes += [] if note is None else [note]
        return signs

    def _cells(self, signs):
        latitude, longitude = self._places
        north = latitude > _SOUTHERNMOST
        if not north.any():
            raise InputError(f"{self.files[0].path}: no cell lies north of {_SOUTHERNMOST:g} N")
        x, y = EPSG_3413.forward(
            np.where(north, latitude, np.nan), np.where(north, longitude, np.nan)
        )
        angles = axis_angles(x, y, longitude, signs)
        known = np.isfinite(x) & np.isfinite(angles[0]) & np.isfinite(angles[1])
        try:
            definition = GridDefinition.curvilinear(latitude, longitude)
        except InputError as fault:
            raise InputError(f"{self.files[0].path}: {fault}") from None
        return IceCells(
            definition,
            self._ocean(x, y, known),
            *(np.where(known, angle, 0.0) for angle in angles),
        )

    def _ocean(self, x, y, known):
        """Cells of the ocean: of the mesh mask, or where there ever is a concentration."""
        if self._mesh is not None:
            return self._mesh[2] & known
        ocean = np.zeros(x.shape, bool)
        chosen = np.linspace(0, self.time.size - 1, min(_SEEN_AT, self.time.size)).astype(int)
        for one in self.files:
            index = np.flatnonzero(np.isin(one.time, self.time[chosen]))
            if index.size:
                with open_source(one.path) as source:
                    for seen in IceFile(source).values("concentration", index)[0]:
                        ocean |= np.isfinite(seen)
        if ocean[known].all():
            self.notes.append("the ice files mark no land: the coast of arctic12 stands for theirs")
            places = (np.where(known, one, 1e8) for one in (x, y))
            ocean = containing_cell(Grid.preset("arctic12"), *places)[1]
        return ocean & known

    def _fields(self, file, index, ocean):
        cells, source = self.cells, file.source
        fields = {
            name: file.values(name, index)[0]
            for name in ("concentration", "ice_volume", "snow_volume", "damage")
            if name in file.names
        }
        # Open water is a missing value in some files.
        cover = np.clip(np.nan_to_num(fields["concentration"]), 0, 1)
        icy = cells.ocean & (cover > ICE_EDGE)
        for name in ("ice_volume", "snow_volume"):
            missing = np.sum(np.isnan(fields[name]) & icy)
            if missing:
                source.refuse(f"{file.names[name]} misses {missing} values where there is ice")
            fields[name] = np.maximum(np.nan_to_num(fields[name]), 0)
            if file.over_ice(name):
                fields[name] *= cover
        damage = np.nan_to_num(fields.get("damage", np.zeros_like(cover)))
        fields |= {"concentration": cover, "damage": np.clip(damage, 0, 1)}
        u, v = file.values("drift", index)
        without = np.sum(icy & (np.isnan(u) | np.isnan(v))) / max(icy.sum(), 1)
        if without > _WITHOUT_DRIFT and not self.layout.faces:
            source.refuse(f"{file.names['drift'][0]} misses {without:.0%} of the cells with ice")
        fields["east"], fields["north"] = self._vector(u, v)
        if ocean and "currents" in self._ocean_names:
            there = self._vector(*file.values("currents", index))
            fields["current_east"], fields["current_north"] = there
        if ocean and "warmth" in self._ocean_names:
            fields["ocean_temperature"] = file.values("warmth", index)[0]
        return {name: np.where(cells.ocean, field, np.nan) for name, field in fields.items()}

    def _vector(self, u, v):
        return self.cells.east_north(*(faces_to_centres(u, v) if self.layout.faces else (u, v)))


def axis_angles(x, y, longitude, signs):
    """Angles from true east to what the components of vectors are along.

    Parameters
    ----------
    x, y : (y, x) array
        Places of the cells on EPSG:3413, whose map keeps angles [m].
    longitude : (y, x) array
        [degrees]
    signs : tuple of float or None
        See `IceFile.axes`.

    Returns
    -------
    along_x, along_y : (y, x) array
        Counter-clockwise [rad].
    """
    if signs is None:
        return np.zeros_like(x), np.full_like(x, np.pi / 2)
    turn = EPSG_3413.rotation(longitude)
    return tuple(
        turn + np.arctan2(sign * np.gradient(y, axis=axis), sign * np.gradient(x, axis=axis))
        for axis, sign in ((1, signs[0]), (0, signs[1]))
    )
