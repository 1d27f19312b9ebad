"""Thermodynamics with the three-layer column of Winton (2000) over a slab mixed layer."""

from dataclasses import replace

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from floecast.atmosphere.surface_balance import SurfaceBalance
from floecast.core.constants import THIN
from floecast.core.parameter import bounded

from .column_thermodynamics import AbstractColumnThermodynamics
from .ice_cover import starting_temperatures
from .mixed_layer import MixedLayer
from .winton_column import (
    lower_enthalpy,
    lower_temperature,
    step_column,
    upper_enthalpy,
    upper_temperature,
)


class ColumnState(eqx.Module):
    """Temperatures that `Winton` carries; arrays ``(y, x)`` at T points [C].

    Parameters
    ----------
    surface_temperature : array
        Of the snow, or of bare ice.
    upper_temperature, lower_temperature : array
        Of the two layers of ice.
    mixed_layer_temperature : array
        Of the water.
    """

    surface_temperature: Float[Array, "*member y x"]
    upper_temperature: Float[Array, "*member y x"]
    lower_temperature: Float[Array, "*member y x"]
    mixed_layer_temperature: Float[Array, "*member y x"]


class Winton(AbstractColumnThermodynamics):
    """Winton's column under a bulk surface balance, over a slab mixed layer.

    Parameters
    ----------
    surface : SurfaceBalance
    mixed_layer : MixedLayer
    ice_conductivity, snow_conductivity : float
        [W/m/K]
    closing_thickness : float
        Hibler's h0: thickness in which open water freezes over [m]; not below `THIN`.

    Notes
    -----
    `step_column` has the column, `advance_cover` what surrounds it. Heat and ice volume close to
    round-off; salt is not modelled, 5 g/kg of it in the ice sets the brine.

    References
    ----------
    Winton (2000), doi:10.1175/1520-0426(2000)017<0525:ARTLSI>2.0.CO;2.
    """

    surface: SurfaceBalance = eqx.field(default_factory=SurfaceBalance)
    mixed_layer: MixedLayer = eqx.field(default_factory=MixedLayer)
    ice_conductivity: Float[Array, ""] = bounded(2.0334, 0)
    snow_conductivity: Float[Array, ""] = bounded(0.31, 0)
    closing_thickness: Float[Array, ""] = bounded(0.5, THIN, ends=True)

    def memory(self, state, fields, grid):
        """Temperatures in a plausible balance to start from.

        Parameters
        ----------
        state : IceState, or a state with the same fields and more
        fields : dict of (y, x) array or None
            air_temperature and ocean_temperature [K], where there are.
        grid : Grid

        Returns
        -------
        ColumnState
            Linear between the freezing point at the base and the air, or 0 C, at the surface, the
            snow in series; the mixed layer at freezing under the ice.
        """
        cover = self.ice_conductivity / self.snow_conductivity
        surface, top, water = starting_temperatures(state, fields, grid, self.mixed_layer, cover)
        freezing = self.mixed_layer.freezing_point
        return ColumnState(
            surface_temperature=surface,
            upper_temperature=0.75 * top + 0.25 * freezing,
            lower_temperature=0.25 * top + 0.75 * freezing,
            mixed_layer_temperature=water,
        )

    def contents(self, state):
        """Enthalpy of the upper and the lower layer per volume of ice.

        Parameters
        ----------
        state : state with `ColumnState` as its `thermodynamics`

        Returns
        -------
        tuple of (y, x) array
            [J/m3]
        """
        return self.enthalpies(state.thermodynamics)

    def enthalpies(self, memory):
        """See `AbstractColumnThermodynamics.enthalpies`."""
        return upper_enthalpy(memory.upper_temperature), lower_enthalpy(memory.lower_temperature)

    def with_contents(self, state, ratios):
        """State with the temperatures of given enthalpies; the inverse of `contents`.

        Parameters
        ----------
        state : state with `ColumnState` as its `thermodynamics`
        ratios : tuple of (y, x) array
            [J/m3]; they do not matter where there is no ice.

        Returns
        -------
        state
        """
        freezing = self.mixed_layer.freezing_point
        ice = state.ice_volume > 0
        upper, lower = self.new_ice(freezing)
        upper, lower = jnp.where(ice, ratios[0], upper), jnp.where(ice, ratios[1], lower)
        memory = replace(
            state.thermodynamics,
            upper_temperature=upper_temperature(upper),
            lower_temperature=lower_temperature(lower),
        )
        return replace(state, thermodynamics=memory)

    def new_ice(self, freezing_point):
        """See `AbstractColumnThermodynamics.new_ice`; two layers."""
        return upper_enthalpy(freezing_point), lower_enthalpy(freezing_point)

    def step_column(self, column, flux, ocean_flux, bottom_temperature, snowfall, dt):
        """`winton_column.step_column` with the conductivities of this object."""
        return step_column(
            column,
            flux,
            ocean_flux=ocean_flux,
            bottom_temperature=bottom_temperature,
            snowfall=snowfall,
            dt=dt,
            ice_conductivity=self.ice_conductivity,
            snow_conductivity=self.snow_conductivity,
        )

    def remembered(self, cover):
        """See `AbstractColumnThermodynamics.remembered`."""
        return ColumnState(
            surface_temperature=cover.surface_temperature,
            upper_temperature=upper_temperature(cover.enthalpy[0]),
            lower_temperature=lower_temperature(cover.enthalpy[1]),
            mixed_layer_temperature=cover.water_temperature,
        )
