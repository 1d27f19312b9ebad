"""The simulator: rheology, transport and thermodynamics put together as a `Model`."""

from dataclasses import replace

import equinox as eqx
import jax.numpy as jnp

from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.operators import east, north

from .advection import Mesh, count_substeps, limit_speed
from .free_drift import FreeDrift
from .interfaces import AbstractRheology, AbstractThermodynamics, cast
from .thermodynamics import SimpleFreezing
from .transport import transport


class Simulator(eqx.Module):
    """Sea-ice model that obeys `core.model.Model`.

    Parameters
    ----------
    grid : Grid
    rheology : AbstractRheology, optional
        `FreeDrift()` if left out.
    thermodynamics : AbstractThermodynamics, optional
        `SimpleFreezing()` if left out.
    dt : int
        Length of a step [s].

    Raises
    ------
    InputError
        If `dt` is not a positive whole number.

    Notes
    -----
    A step moves the ice (rheology), carries it (transport, sub-cycled) and lets it grow and melt
    (thermodynamics). It computes in the precision of the state's concentration. Fields keep their
    bounds because of how each part is built; nothing is clipped afterwards.
    """

    grid: Grid
    rheology: AbstractRheology
    thermodynamics: AbstractThermodynamics
    dt: int = eqx.field(static=True)
    substeps: int = eqx.field(static=True)

    def __init__(self, grid, *, rheology=None, thermodynamics=None, dt=21600):
        if dt != int(dt) or dt < 1:
            raise InputError(f"dt must be a positive whole number of seconds, not {dt}")
        self.grid = grid
        self.rheology = FreeDrift() if rheology is None else rheology
        self.thermodynamics = SimpleFreezing() if thermodynamics is None else thermodynamics
        self.dt = int(dt)
        self.substeps = count_substeps(Mesh.of(grid), self.dt)

    @property
    def needs(self):
        """Names of the forcing fields that a step reads."""
        return tuple(dict.fromkeys(self.rheology.needs + self.thermodynamics.needs))

    def step(self, state, forcing, key):
        """State one `dt` later.

        Parameters
        ----------
        state : IceState
            Leaves ``(y, x)``.
        forcing : Forcing
            At the two ends of the step.
        key : key
            Not used: the simulator draws nothing.

        Returns
        -------
        IceState
        """
        rheology, thermodynamics, grid, forcing = cast(
            (self.rheology, self.thermodynamics, self.grid, forcing), state.concentration.dtype
        )
        state = rheology.advance(state, forcing, grid, self.dt)
        state = replace(state, u=limit_speed(state.u), v=limit_speed(state.v))
        state, _ = transport(state, Mesh.of(grid), self.dt, self.substeps)
        state = thermodynamics.advance(state, forcing, grid, self.dt)
        return _still_without_ice(state)


def _still_without_ice(state):
    """The state with damage and velocity zero where the ice that had them is gone."""
    ice = state.ice_volume > 0
    return replace(
        state,
        u=jnp.where(ice | east(ice), state.u, 0.0),
        v=jnp.where(ice | north(ice), state.v, 0.0),
        damage=jnp.where(ice, state.damage, 0.0),
    )
