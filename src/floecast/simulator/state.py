"""The simulator's own state: the ice state that every model shares, and what its parts remember."""

from dataclasses import fields

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from floecast.core import display
from floecast.core.state import IceState, field_facts, field_pictures
from floecast.core.variables import STATE


class SimulatorState(eqx.Module):
    """Sea ice with the memory of the rheology and of the thermodynamics; leaves ``(..., y, x)``.

    Parameters
    ----------
    concentration, ice_volume, snow_volume, u, v, damage : (..., y, x) array
        As in `IceState`; `u` and `v` are means over the last step.
    age : (..., y, x) array
        Mean age of the ice volume, T points [s].
    rheology : pytree
        What the rheology remembers, such as stress; None if nothing.
    thermodynamics : pytree
        What the thermodynamics remembers, such as temperatures; None if nothing.
    boundary_layer : pytree
        Column of air over each cell; None without a boundary layer.
    drifters : (..., drifter, 2) array or None
        Positions x, y of points that move with the ice, on the projected plane [m].
    """

    concentration: Float[Array, "*member y x"]
    ice_volume: Float[Array, "*member y x"]
    snow_volume: Float[Array, "*member y x"]
    u: Float[Array, "*member y x"]
    v: Float[Array, "*member y x"]
    damage: Float[Array, "*member y x"]
    age: Float[Array, "*member y x"]
    rheology: PyTree = None
    thermodynamics: PyTree = None
    boundary_layer: PyTree = None
    drifters: Float[Array, "*member drifter 2"] | None = None

    @property
    def thickness(self):
        """Mean thickness over the ice, T points [m]; 0 where there is less than 1e-6 of ice."""
        return self.ice().thickness

    def ice(self):
        """The part that every model shares, as an `IceState`."""
        return IceState(**{name: getattr(self, name) for name in STATE})

    def fields(self):
        """The fields of `IceState` by name, in the order of `variables.STATE`."""
        return self.ice().fields()

    def __repr__(self):
        return display.text(self)

    def _repr_html_(self):
        return display.page(self)

    def _card(self):
        parts = ("rheology", "thermodynamics", "boundary_layer", "drifters")
        kept = [name for name in parts if getattr(self, name) is not None]
        remembered = [("memory of", ", ".join(kept))] if kept else []
        return display.Card("SimulatorState", field_facts(self) + remembered)

    def _pictures(self):
        return field_pictures(self)


def complete(state, drifters=None):
    """State of the simulator, without memory, from an ice state.

    Parameters
    ----------
    state : IceState
    drifters : (drifter, 2) array, optional
        Positions on the projected plane [m].

    Returns
    -------
    SimulatorState
        Ice of age 0. What already is a `SimulatorState` passes unchanged.
    """
    if isinstance(state, SimulatorState):
        return state
    known = {field.name: getattr(state, field.name) for field in fields(state)}
    return SimulatorState(**known, age=jnp.zeros_like(known["concentration"]), drifters=drifters)
