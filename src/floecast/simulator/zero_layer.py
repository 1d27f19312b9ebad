"""Thermodynamics with the zero-layer column of Semtner (1976) over a slab mixed layer."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from floecast.atmosphere.surface_balance import SurfaceBalance
from floecast.core.constants import ICE_MELTING, LATENT_HEAT, THIN
from floecast.core.parameter import bounded

from .column_thermodynamics import AbstractColumnThermodynamics
from .ice_cover import starting_temperatures
from .mixed_layer import MixedLayer
from .phase_change import ICE_HEAT, SNOW_HEAT, Column, ColumnChange, flood, melt, sublimate

_LEAST_THICKNESS = 1e-3
"""Thinner ice conducts as if it were that thick [m]."""


class SurfaceState(eqx.Module):
    """Temperatures that `ZeroLayer` carries; arrays ``(y, x)`` at T points [C].

    Parameters
    ----------
    surface_temperature : array
        Of the snow, or of bare ice.
    mixed_layer_temperature : array
        Of the water.
    """

    surface_temperature: Float[Array, "*member y x"]
    mixed_layer_temperature: Float[Array, "*member y x"]


class ZeroLayer(AbstractColumnThermodynamics):
    """Ice and snow without heat capacity under a bulk surface balance, over a slab mixed layer.

    Parameters
    ----------
    surface : SurfaceBalance
    mixed_layer : MixedLayer
    ice_conductivity, snow_conductivity : float
        [W/m/K]
    absorbed_fraction : float
        Part of the penetrating shortwave that counts at the surface; the rest is reflected [1].
    conduction_factor : float
        By which both conductivities are raised [1].
    closing_thickness : float
        Hibler's h0: thickness in which open water freezes over [m]; not below `THIN`.

    Notes
    -----
    Semtner's appendix: without heat stored in brine the ice would melt too early, hence 60 % of
    the penetrating shortwave only, and conductivities raised by 6.5 %. Snow melts at 0 C, bare ice
    at T_m as in Winton's column.

    References
    ----------
    Semtner (1976), doi:10.1175/1520-0485(1976)006<0379:AMFTTG>2.0.CO;2.
    """

    surface: SurfaceBalance = eqx.field(default_factory=SurfaceBalance)
    mixed_layer: MixedLayer = eqx.field(default_factory=MixedLayer)
    ice_conductivity: Float[Array, ""] = bounded(2.0334, 0)
    snow_conductivity: Float[Array, ""] = bounded(0.31, 0)
    absorbed_fraction: Float[Array, ""] = bounded(0.6, 0, 1, ends=True)
    conduction_factor: Float[Array, ""] = bounded(1.065, 0)
    closing_thickness: Float[Array, ""] = bounded(0.5, THIN, ends=True)

    def memory(self, state, fields, grid):
        """Temperatures to start from; see `Winton.memory`.

        Returns
        -------
        SurfaceState
        """
        surface, _, water = starting_temperatures(state, fields, grid, self.mixed_layer, 1.0)
        return SurfaceState(surface_temperature=surface, mixed_layer_temperature=water)

    def contents(self, state):
        """Nothing: the ice holds no heat but the latent one."""
        return ()

    def with_contents(self, state, ratios):
        """`state`, there being no `ratios`."""
        return state

    def enthalpies(self, memory):
        """See `AbstractColumnThermodynamics.enthalpies`; one layer, whatever its temperature."""
        return self.new_ice(memory.surface_temperature)

    def new_ice(self, freezing_point):
        """See `AbstractColumnThermodynamics.new_ice`; that of all ice."""
        return (jnp.full_like(freezing_point, -ICE_HEAT),)

    def step_column(self, column, flux, ocean_flux, bottom_temperature, snowfall, dt):
        """See `AbstractColumnThermodynamics.step_column`; the column has one layer.

        Notes
        -----
        ``k_e (T_b - T_s) = Q + dQ/dT (T_s - T_s_old)`` with
        ``k_e = gamma / (h_s / k_s + h / k_i)``; a surface that would be warmer than melting stays
        there and melts.
        """
        snow_depth, thickness = column.snow_depth, column.thickness
        depth = jnp.maximum(thickness, _LEAST_THICKNESS)
        resistance = snow_depth / self.snow_conductivity + depth / self.ice_conductivity
        conductance = self.conduction_factor / resistance
        absorbed = self.absorbed_fraction * flux.penetrating
        old = column.surface_temperature
        balance = conductance * (bottom_temperature - old) - flux.net + absorbed
        melting = jnp.where(snow_depth > 0, 0.0, ICE_MELTING)
        surface = jnp.minimum(old + balance / (conductance + flux.slope), melting)
        loss = flux.net - absorbed + flux.slope * (surface - old)
        conducted = conductance * (bottom_temperature - surface)
        top_heat = jnp.maximum(conducted - loss, 0.0) * dt
        base_heat = (ocean_flux - conducted) * dt

        snow = snow_depth + snowfall * dt * LATENT_HEAT / SNOW_HEAT
        mass = flux.sublimation * dt
        snow, (ice,), surplus = sublimate(mass, snow, (thickness,), (-ICE_HEAT,))
        sublimated = thickness - ice
        frozen = jnp.maximum(-base_heat, 0.0) / ICE_HEAT
        ice = ice + frozen
        before, snow_before = ice, snow
        heats = (-ICE_HEAT, -SNOW_HEAT)
        (ice, snow), unused = melt(jnp.maximum(base_heat, 0.0), (ice, snow), heats)
        (snow, ice), unused_above = melt(top_heat, (snow, ice), heats[::-1])
        melted, snow_melted = before - ice, snow_before - snow
        snow, flooded = flood(ice, snow)
        change = ColumnChange(
            surface_heat=(LATENT_HEAT * (flux.sublimation - snowfall) - loss) * dt,
            ocean_heat=ocean_flux * dt - (unused + unused_above + surplus),
            frozen=frozen,
            melted=melted,
            sublimated=sublimated,
            flooded=flooded,
            snow_melted=snow_melted,
        )
        return Column(ice + flooded, snow, surface, column.enthalpy), change

    def remembered(self, cover):
        """See `AbstractColumnThermodynamics.remembered`."""
        return SurfaceState(
            surface_temperature=cover.surface_temperature,
            mixed_layer_temperature=cover.water_temperature,
        )
