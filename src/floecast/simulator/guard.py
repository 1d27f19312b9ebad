"""Refusing what cannot be simulated, and telling where a simulation failed."""

import jax
import jax.numpy as jnp
import numpy as np

from floecast.atmosphere.forcing import check_forcing
from floecast.core.calendar import iso
from floecast.core.errors import FloecastError, InputError
from floecast.core.state import IceState, check_state
from floecast.core.variables import STATE

from .state import SimulatorState

OPTIONAL = ("snowfall", "current_u", "current_v", "sea_surface_height", "ocean_temperature")
"""Forcing fields that are read where they are there."""


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
        Naming variable, place and number of bad values, or the hours that are missing; if fields
        are not all of one precision, or the state is one of another simulator.
    """
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((state, forcing, start))):
        return  # inside a compiled function there are no values to look at
    if not isinstance(state, IceState | SimulatorState):
        raise InputError(f"a simulator steps an IceState, not {type(state).__name__}")
    check_state(state, simulator.grid)
    _check_precision(state)
    if isinstance(state, SimulatorState):
        _check_memory(simulator, state)
    if forcing is None:
        raise InputError("a simulator needs a forcing, not None")
    if not callable(getattr(forcing, "between", None)):
        raise InputError(f"a forcing has between(start, end), {type(forcing).__name__} has not")
    if hasattr(forcing, "time"):
        given = [name for name in OPTIONAL if getattr(forcing, name) is not None]
        needed = dict.fromkeys((*simulator.needs, *given))
        check_forcing(forcing, simulator.grid, int(start), int(end), tuple(needed))
    else:
        _check_closed_form(simulator, forcing, start)


def check_single(state):
    """Refuse what is no state, or several at once.

    Parameters
    ----------
    state : IceState or SimulatorState

    Raises
    ------
    InputError
        Telling how to map over members.
    """
    if not isinstance(state, IceState | SimulatorState):
        raise InputError(f"a simulator steps an IceState, not {type(state).__name__}")
    shape = np.shape(state.concentration)
    if len(shape) != 2:
        raise InputError(
            f"concentration has shape {shape}; a simulator steps one state (y, x): use "
            "fc.forecast for members, or jax.vmap"
        )


def check_ocean(ocean, grid):
    """Refuse an ocean that has no ``between``, or one of another grid.

    Parameters
    ----------
    ocean : pytree or None
    grid : Grid

    Raises
    ------
    InputError
    """
    if ocean is None:
        return
    if isinstance(ocean, type) or not callable(getattr(ocean, "between", None)):
        raise InputError(
            f"ocean of a Simulator is {ocean!r}; expected one like fc.ArcticOcean.of(grid)"
        )
    _check_shapes("ocean", jax.eval_shape(lambda: ocean.between(0, 1)), grid)


def _check_shapes(of, fields, grid):
    """Refuse fields at the two ends of a step that are not of a grid."""
    for name, field in fields.items():
        if field.shape != (2, *grid.shape):
            raise InputError(
                f"{name} of the {of} has shape {field.shape[1:]}, the grid {grid.name} has "
                f"{grid.shape}"
            )


def _check_precision(state):
    """Refuse fields that are not all float32 or all float64."""
    kinds = {name: np.asarray(field).dtype.name for name, field in state.fields().items()}
    if len(set(kinds.values())) > 1 or kinds["concentration"] not in ("float32", "float64"):
        raise InputError(
            f"the fields of the state must be all float32 or all float64, not {kinds}; "
            "core.precision.cast makes them so"
        )


def _check_memory(simulator, state):
    """Refuse a state with the memory of another simulator, or with values that are not finite."""
    grid, ice = simulator.grid, state.concentration
    alone = IceState(**{name: jax.ShapeDtypeStruct(grid.shape, ice.dtype) for name in STATE})
    expected = {
        "rheology": jax.eval_shape(lambda: simulator.rheology.memory(_zeros(alone), grid)),
        "thermodynamics": jax.eval_shape(
            lambda: simulator.thermodynamics.memory(_zeros(alone), {}, grid)
        ),
    }
    for name, memory in expected.items():
        found = getattr(state, name)
        alike = jax.tree.structure(found) == jax.tree.structure(memory) and all(
            np.shape(leaf)[-leaf_there.ndim :] == leaf_there.shape
            for leaf, leaf_there in zip(
                jax.tree.leaves(found), jax.tree.leaves(memory), strict=True
            )
        )
        if not alike:
            raise InputError(
                f"the state holds {type(found).__name__} as the memory of its {name}, on another "
                f"grid or not what {type(getattr(simulator, name)).__name__} remembers; "
                "begin with its ice alone, state.ice()"
            )
    if (state.boundary_layer is None) != (simulator.boundary_layer is None):
        raise InputError(
            "the state or the simulator has a boundary layer and the other has none; begin with "
            "the ice alone, state.ice()"
        )
    for name in ("age", "rheology", "thermodynamics", "boundary_layer", "drifters"):
        for path, leaf in jax.tree_util.tree_leaves_with_path(getattr(state, name)):
            leaf = np.asarray(leaf)
            bad = ~np.isfinite(leaf) | (leaf < 0 if name == "age" else False)
            if leaf.shape[-2:] == grid.shape:  # what stands on land is not read
                bad = bad & grid.mask_t
            if np.any(bad):
                where = tuple(map(int, np.argwhere(bad)[0]))
                raise InputError(
                    f"{name}{jax.tree_util.keystr(path)} is {leaf[where]:g} at {where}, and bad at "
                    f"{int(bad.sum())} places; expected finite values"
                    + (" not below 0" if name == "age" else "")
                )


def _zeros(shapes):
    return jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), shapes)


def _check_closed_form(simulator, forcing, start):
    """Refuse weather in closed form of another grid, or without what the simulator reads."""
    first = jax.eval_shape(lambda: forcing.between(start, start + simulator.dt))
    found = list(first.fields()) + ["aloft"] * (first.aloft is not None)
    absent = [name for name in simulator.needs if name not in found]
    if absent:
        raise InputError(f"the forcing lacks {', '.join(absent)}; it holds {', '.join(found)}")
    _check_shapes("forcing", first.fields(), simulator.grid)


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
