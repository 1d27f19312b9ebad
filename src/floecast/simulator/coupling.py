"""Ice under a boundary layer: what the column of air feels of the ice, and gives back to it."""

from dataclasses import replace

import jax
import jax.numpy as jnp

from floecast.atmosphere.coupling import (
    SUPPLIED,
    first_aloft,
    middle_aloft,
    packed,
    unpacked,
)
from floecast.atmosphere.forcing import Aloft
from floecast.atmosphere.surface import Surface
from floecast.core.operators import u_to_t, v_to_t


def surface_below(simulator, state, weather, grid):
    """Ice and water as the air feels them.

    Parameters
    ----------
    simulator : Simulator
    state : SimulatorState
    weather : dict of (y, x) array
        Forcing fields by name; `current_u` and `current_v` where there are.
    grid : Grid

    Returns
    -------
    Surface
        Leaves ``(y, x)``; open water at freezing on land, which no one reads.
    """
    ocean, still = jnp.asarray(grid.mask_t), jnp.zeros_like(state.concentration)
    ice, water = simulator.thermodynamics.surface_temperatures(state, weather)
    current = [
        jnp.where(ocean, weather.get(name, still), 0.0) for name in ("current_u", "current_v")
    ]
    return Surface(
        concentration=jnp.where(ocean, state.concentration, 0.0),
        ice_temperature=ice,
        water_temperature=water,
        ice_u=u_to_t(state.u, grid),
        ice_v=v_to_t(state.v, grid),
        water_u=current[0],
        water_v=current[1],
        ice_roughness=still + simulator.ice_roughness,
    )


def start_column(simulator, state, forcing):
    """Column of air over a state at the start of a run.

    Parameters
    ----------
    simulator : Simulator
    state : SimulatorState
        With the memory of the thermodynamics.
    forcing : Forcing or None
        Whose first time counts.

    Returns
    -------
    ColumnState

    Raises
    ------
    InputError
        If the forcing says nothing of the air aloft.
    """
    grid = simulator.grid
    aloft = first_aloft(forcing, grid)
    weather = {name: field[0] for name, field in forcing.fields().items()}
    surface = surface_below(simulator, state, weather, grid)
    dtype = state.concentration.dtype
    return simulator.boundary_layer.start(aloft, surface, jnp.asarray(grid.coriolis, dtype))


def advance_column(simulator, state, forcing):
    """Move the air over the ice, and let the forcing be what it does to the surface.

    Parameters
    ----------
    simulator : Simulator
    state : SimulatorState
    forcing : Forcing
        At the two ends of the step, with `aloft`.

    Returns
    -------
    state : SimulatorState
        With the new column.
    forcing : Forcing
        Its 10 m wind, 2 m temperature and humidity are those of the column, and `contact` holds
        stress and heat.
    """
    grid = simulator.grid
    surface = surface_below(simulator, state, forcing.middle(), grid)
    aloft = middle_aloft(forcing, grid)
    # Columns do not know of each other: those over land are left as they are.
    coriolis, still = jnp.asarray(grid.coriolis), jnp.zeros_like(state.concentration)
    at_sea = packed((state.boundary_layer, aloft.profiles(), surface, coriolis), simulator.sea)
    column, contact = simulator.boundary_layer.advance(
        at_sea[0], Aloft(aloft.height, **at_sea[1]), *at_sea[2:], simulator.inner_dt
    )
    # Land is given the values of some cell of the sea: no one reads them, they are harmless.
    on_land = jax.tree.map(lambda field: still + jax.lax.stop_gradient(field[..., 0]), contact)
    onto = state.boundary_layer, on_land
    column, contact = unpacked((column, contact), onto, simulator.sea)
    fields = {name: jnp.stack([getattr(contact, name)] * 2) for name in SUPPLIED}
    forcing = replace(forcing, **fields, aloft=None, contact=contact)
    return replace(state, boundary_layer=column), forcing
