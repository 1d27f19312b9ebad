"""Data sets to train on, read back into memory."""

import numpy as np

from floecast.atmosphere.forcing import FIELDS, Forcing
from floecast.core.calendar import HOUR, to_seconds
from floecast.core.errors import InputError
from floecast.core.grid import PRESETS, Grid
from floecast.core.state import IceState
from floecast.core.variables import STATE, VARIABLES
from floecast.emulator.archive import Archive

from .store import read_dataset, values_of

OCEAN_CLIMATOLOGY = ("current_u", "current_v", "ocean_temperature")
"""Fields of ``ocean.nc``."""

_WIND = ("wind_u", "wind_v")
_NEAR = 1.0  # [m]


def read_training_archive(path, grid=None):
    """A split of a data set.

    Parameters
    ----------
    path : path-like
        Such as ``training.zarr`` of `floecast dataset`.
    grid : Grid, optional
        On which it must be; the preset that its axes are of if left out.

    Returns
    -------
    Archive
        In memory, float32, 0 on land. Where years do not touch there are gaps in its times.

    Raises
    ------
    InputError
        If variables are missing, it is on another grid, times do not ascend in its steps, or a
        value over the ocean is missing.
    """
    with read_dataset(path) as dataset:
        absent = [name for name in (*STATE, *_WIND) if name not in dataset]
        if absent:
            raise InputError(f"{path} lacks {', '.join(absent)}; expected a split of a data set")
        grid = _checked_grid(path, dataset, grid)
        time = _checked_times(path, dataset)
        names = [name for name in (*STATE, *FIELDS) if name in dataset]
        fields = {name: _in_memory(path, dataset, name, grid, time) for name in names}
    state = {name: fields.pop(name) for name in STATE}
    return Archive(IceState(**state), Forcing(time, **fields))


def read_ocean_climatology(path):
    """Monthly means of the ocean.

    Parameters
    ----------
    path : path-like
        ``ocean.nc`` of a data set.

    Returns
    -------
    dict of (12, y, x) arrays
        ``current_u``, ``current_v`` [m/s] and ``ocean_temperature`` [K], T points, float32, 0 on
        land.

    Raises
    ------
    InputError
        If one is missing or is not of twelve months.
    """
    with read_dataset(path) as dataset:
        absent = [name for name in OCEAN_CLIMATOLOGY if name not in dataset]
        if absent:
            raise InputError(f"{path} lacks {', '.join(absent)}; expected monthly means of these")
        fields = {}
        for name in OCEAN_CLIMATOLOGY:
            variable = dataset[name]
            if variable.dims != ("month", "y", "x") or variable.sizes["month"] != 12:
                raise InputError(
                    f"{path}: {name} has dimensions {dict(variable.sizes)}, expected "
                    "month (12), y and x"
                )
            fields[name] = np.nan_to_num(values_of(variable, path).astype(np.float32))
    return fields


def _checked_grid(path, dataset, grid):
    """The grid that the axes of a dataset are of."""
    for axis in ("x", "y"):
        if axis not in dataset.variables or dataset[axis].dims != (axis,):
            raise InputError(f"{path} has no axis {axis}; expected a split of a data set")
    there = tuple(dataset.sizes[axis] for axis in ("y", "x"))
    if grid is None:
        name = next((name for name, (size, _) in PRESETS.items() if there == (size, size)), None)
        if name is None:
            raise InputError(f"{path} has {there} cells, as none of {', '.join(PRESETS)}")
        grid = Grid.preset(name)
    if there != grid.shape:
        raise InputError(f"{path} has {there} cells, the grid {grid.name} has {grid.shape}")
    for axis in ("x", "y"):
        found, expected = values_of(dataset[axis], path), getattr(grid, axis)
        if not np.allclose(found, expected, rtol=0, atol=_NEAR):
            raise InputError(
                f"{path}: {axis} runs from {found[0]:.0f} to {found[-1]:.0f} m, on the grid "
                f"{grid.name} from {expected[0]:.0f} to {expected[-1]:.0f} m"
            )
    return grid


def _checked_times(path, dataset):
    """Times [s since 2000-01-01]: ascending, many a step apart and none nearer."""
    if "time" not in dataset.variables or dataset["time"].dims != ("time",):
        raise InputError(f"{path} has no axis time; expected a split of a data set")
    try:
        time = np.asarray(to_seconds(values_of(dataset["time"], path)))
    except InputError as fault:
        raise InputError(f"{path}: {fault}") from None
    if time.size < 2:
        raise InputError(f"{path} holds {time.size} times, expected two at least")
    spacing = np.diff(time)
    if spacing.min() <= 0:
        raise InputError(f"{path}: the times do not ascend")
    step = dataset.attrs.get("step_hours")
    step = spacing.min() if step is None else round(float(step) * HOUR)
    if spacing.min() != step:
        raise InputError(
            f"{path}: times lie {spacing.min() / HOUR:g} h apart, expected {step / HOUR:g} h"
        )
    broken = np.flatnonzero(spacing % step)
    if broken.size:
        raise InputError(
            f"{path}: times {spacing[broken[0]] / HOUR:g} h apart at number {broken[0]}, expected "
            f"every {step / HOUR:g} h, with gaps of whole steps"
        )
    return time


def _in_memory(path, dataset, name, grid, time):
    variable = dataset[name]
    if variable.dims != ("time", "y", "x"):
        raise InputError(f"{path}: {name} has dimensions {variable.dims}, expected time, y, x")
    field = np.require(values_of(variable, path), np.float32, "W")  # no copy of what may be large
    ocean = {"T": grid.mask_t, "U": grid.mask_u, "V": grid.mask_v}[VARIABLES[name].point]
    missing = ~np.isfinite(field) & ocean
    if missing.any():
        when, row, column = (int(i) for i in np.argwhere(missing)[0])
        raise InputError(
            f"{path}: {name} is missing at {missing.sum()} places of the ocean, first at time "
            f"number {when}, cell ({row}, {column})"
        )
    field[:, ~ocean] = 0.0
    return field
