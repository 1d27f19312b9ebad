"""The ice state that every model shares."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from . import display
from .errors import InputError, shown
from .variables import STATE, VARIABLES


class IceState(eqx.Module):
    """Sea ice on a grid; leaves ``(y, x)``, or ``(member, y, x)`` for an ensemble.

    Parameters
    ----------
    concentration : (..., y, x) array
        Area fraction covered by ice, T points [1].
    ice_volume, snow_volume : (..., y, x) array
        Volume per area of the grid cell, T points [m].
    u, v : (..., y, x) array
        Velocity along the grid's axes, U and V points [m/s].
    damage : (..., y, x) array
        0 intact, 1 broken, T points [1].
    """

    concentration: Float[Array, "*member y x"]
    ice_volume: Float[Array, "*member y x"]
    snow_volume: Float[Array, "*member y x"]
    u: Float[Array, "*member y x"]
    v: Float[Array, "*member y x"]
    damage: Float[Array, "*member y x"]

    @classmethod
    def at_rest(cls, grid, concentration, thickness, snow_depth=None):
        """Undamaged ice at rest.

        Parameters
        ----------
        grid : Grid
        concentration : (..., y, x) array
            [1]; what stands on land does not matter, here and below.
        thickness : (..., y, x) array
            Mean over the ice [m].
        snow_depth : (..., y, x) array, optional
            Mean over the ice [m]; none if left out.

        Returns
        -------
        IceState
        """
        concentration = jnp.asarray(concentration)
        ocean = jnp.broadcast_to(grid.mask_t, concentration.shape)
        concentration = jnp.where(ocean, concentration, 0.0)
        thickness = jnp.where(ocean, thickness, 0.0)
        still = jnp.zeros_like(concentration)
        snow = still if snow_depth is None else concentration * jnp.where(ocean, snow_depth, 0.0)
        return cls(concentration, concentration * thickness, snow, still, still, still)

    @property
    def thickness(self):
        """Mean thickness over the ice, T points [m]; 0 where there is less than 1e-6 of ice."""
        ice = self.concentration > 1e-6
        return jnp.where(ice, self.ice_volume / jnp.where(ice, self.concentration, 1.0), 0.0)

    def fields(self):
        """Fields by name, in the order of `variables.STATE`."""
        return {name: getattr(self, name) for name in STATE}

    def __repr__(self):
        return display.text(self)

    def _repr_html_(self):
        return display.page(self)

    def _card(self):
        return display.Card("IceState", field_facts(self))

    def _pictures(self):
        return field_pictures(self)


def field_facts(state, names=("states",)):
    """Shape of a state and the range of each of its fields, for its card.

    `names` are what stands before y and x; a state alone cannot tell members from times.
    """
    facts = [("", display.shape_text(np.shape(state.concentration), names))]
    for name, field in state.fields().items():
        facts.append((name, display.span(field, VARIABLES[name].unit)))
    return facts


def field_pictures(state, ocean=None):
    """Small maps of concentration and ice volume, means over the members or times."""
    dimensions = np.ndim(state.concentration)
    if dimensions < 2 or not np.size(state.concentration):
        return []
    of = "" if dimensions == 2 else ", mean of all"
    volume = f"ice_volume [m]{of}"
    return [
        display.Picture(f"concentration{of}", display.layer(state.concentration), "ice", ocean),
        display.Picture(volume, display.layer(state.ice_volume), "amount", ocean),
    ]


def check_state(state, grid):
    """Refuse a state that cannot be stepped.

    Parameters
    ----------
    state : IceState
    grid : Grid

    Raises
    ------
    InputError
        Naming the variable, the number of bad cells and the first of them, if a field has the
        wrong shape, is not finite or leaves its bounds on an ocean cell; if there are no members.
    """
    masks = {"T": grid.mask_t, "U": grid.mask_u, "V": grid.mask_v}
    shape = np.shape(state.concentration)
    for name, field in state.fields().items():
        variable, field = VARIABLES[name], np.asarray(field)
        if field.shape[-2:] != grid.shape:
            raise InputError(
                f"{name} has shape {field.shape}, the grid {grid.name} has {grid.shape}"
            )
        if field.shape != shape:
            raise InputError(f"{name} has shape {field.shape}, concentration has {shape}")
        if not field.size:
            raise InputError(f"{name} has shape {field.shape}: there is no member")
        inside = (field >= variable.lower) & (field <= variable.upper) & np.isfinite(field)
        bad = np.argwhere(~inside & masks[variable.point])
        if len(bad):
            where = tuple(int(i) for i in bad[0])
            raise InputError(
                f"{name} is {shown(field[where])} at cell {where}, and bad in {len(bad)} cells; "
                f"expected a finite value in [{variable.lower:g}, {variable.upper:g}] "
                f"{variable.unit}"
            )
