"""Refusing what cannot be simulated, and telling where a simulation failed."""

import jax
import numpy as np

from floecast.atmosphere.forcing import check_forcing
from floecast.core.calendar import iso
from floecast.core.errors import FloecastError
from floecast.core.state import check_state


class SimulationFailed(FloecastError):
    """A simulated field is not finite."""


def check_input(simulator, state, forcing, start, end):
    """Refuse a state or forcing that cannot be stepped, before the first step.

    Parameters
    ----------
    simulator : Simulator
    state : IceState or SimulatorState
    forcing : forcing
        Its values are looked at if it is a `Forcing`; weather in closed form has none yet.
    start, end : int
        Of the run [s since 2000-01-01].

    Raises
    ------
    InputError
        Naming variable, place and number of bad values, or the hours that are missing.
    """
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((state, forcing, start))):
        return  # inside a compiled function there are no values to look at
    check_state(state, simulator.grid)
    if hasattr(forcing, "time"):
        check_forcing(forcing, simulator.grid, int(start), int(end), simulator.needs)


def check_finite(times, states, grid, dt):
    """Refuse a trajectory with a value that is not finite.

    Parameters
    ----------
    times : (time,) array
        [s since 2000-01-01]
    states : dict of (time, y, x) arrays
        By name.
    grid : Grid
    dt : float
        Length of an inner step of the simulator [s].

    Raises
    ------
    SimulationFailed
        Naming the first bad time, a variable and cell bad then, and the greatest Courant number of
        the last good time.
    """
    bad = {name: ~np.isfinite(field) for name, field in states.items()}
    first = {name: np.argmax(mask.any(axis=(1, 2))) for name, mask in bad.items() if mask.any()}
    if not first:
        return
    name = min(first, key=first.get)
    when = first[name]
    row, column = np.argwhere(bad[name][when])[0]
    if when:
        speed = np.hypot(states["u"][when - 1], states["v"][when - 1])
        courant = f"{np.max(speed * dt / np.asarray(grid.dx_t)):.2g} at {iso(times[when - 1])}"
    else:
        courant = "not known, as no time before is at hand"
    raise SimulationFailed(
        f"{name} is {states[name][when][row, column]} at {iso(times[when])} in cell "
        f"({row}, {column}), and bad in {int(bad[name][when].sum())} cells; greatest Courant "
        f"number {courant}"
    )
