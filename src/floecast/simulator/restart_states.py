"""Simulated states of the months of some years, which twin experiments start from.

Those shipped with the package were made by ``floecast simulate`` (see the README beside them);
ocean cells only, in half precision: 5e-4 of concentration, 2 mm of volume where there are 4 m.
"""

from importlib.resources import files

import jax.numpy as jnp
import numpy as np

from floecast.core.atomic import replacing
from floecast.core.calendar import to_datetime64
from floecast.core.errors import InputError
from floecast.core.npz import read_arrays
from floecast.core.state import IceState
from floecast.core.variables import STATE


def save_states(path, times, fields, grid):
    """Write states, in one step.

    Parameters
    ----------
    path : path-like
    times : (time,) int array
        Seconds since 2000-01-01.
    fields : dict of (time, y, x) arrays
        Those of `IceState`.
    grid : Grid
    """
    ocean = np.asarray(grid.mask_t)
    kept = {name: np.nan_to_num(fields[name])[:, ocean].astype(np.float16) for name in STATE}
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, time=np.asarray(times, np.int64), ocean=ocean, **kept)


def restart_states(grid, path=None):
    """States of the first days of months.

    Parameters
    ----------
    grid : Grid
        Preset.
    path : path-like, optional
        File of `save_states`; those shipped with the package if left out.

    Returns
    -------
    times : (time,) int array
        Seconds since 2000-01-01.
    states : IceState
        Leaves ``(time, y, x)``; `Simulator.start` adds what it remembers.

    Raises
    ------
    InputError
        If there are none for this grid.
    """
    if path is None:
        path = files("floecast.simulator") / "assets" / f"{grid.name}.npz"
        if not path.is_file():
            raise InputError(
                f"no states of {grid.name} ship with floecast; make some with "
                f"`floecast simulate --preset {grid.name}`, whose folder holds monthly_states.npz"
            )
    try:
        stored = read_arrays(path)
        ocean, times = stored["ocean"], stored["time"]
        if ocean.shape != grid.shape:
            raise InputError(f"{path} has states of shape {ocean.shape}, the grid {grid.shape}")
        fields = {}
        for name in STATE:
            field = np.zeros((len(times), *ocean.shape), np.float32)
            field[:, ocean] = stored[name]
            fields[name] = jnp.asarray(field)
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise InputError(f"{path} holds no states of floecast ({error})") from error
    return times, IceState(**fields)


def restart_state(grid, month, number=0):
    """One of the shipped states.

    Parameters
    ----------
    grid : Grid
        Preset.
    month : int
        1 to 12; the state is of its first day.
    number : int
        Which of the years, from 0.

    Returns
    -------
    IceState

    Raises
    ------
    InputError
        If there are none for this grid, or fewer years.
    """
    times, states = restart_states(grid)
    months = to_datetime64(times).astype("datetime64[M]").astype(int) % 12 + 1
    found = np.flatnonzero(months == month)
    if not 0 <= number < len(found):
        raise InputError(f"{len(found)} states of month {month}, counted from 0; no {number}")
    return IceState(**{name: field[found[number]] for name, field in states.fields().items()})
