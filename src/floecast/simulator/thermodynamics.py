"""Freezing and melting by simple energy budgets: a zero-layer column and open water."""

from dataclasses import replace
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from floecast.core.calendar import year_fraction
from floecast.core.constants import (
    ICE_DENSITY,
    LATENT_HEAT,
    MELTING_POINT,
    SNOW_DENSITY,
    THICK,
    THIN,
)
from floecast.core.errors import InputError
from floecast.core.parameter import bounded
from floecast.core.variables import ICE_EDGE

from .interfaces import AbstractThermodynamics

SNOWFALL = np.array([2.75, 2.75, 2.75, 2.75, 16.5, 0.0, 0.0, 15.0, 42.0, 42.0, 2.75, 2.75])
"""Central Arctic snowfall, January to December [kg/m2 a month], after Maykut and Untersteiner
(1971), doi:10.1029/JC076i006p01550; used where the forcing has none."""

_ICE_HEAT = ICE_DENSITY * LATENT_HEAT
_SNOW_HEAT = SNOW_DENSITY * LATENT_HEAT
_MONTH = 365.2425 * 86400 / 12


class SimpleFreezing(AbstractThermodynamics):
    """Growth by conduction through ice and snow, freezing of leads, melt from above and below.

    Parameters
    ----------
    ocean_heat_flux : float or (y, x) array
        From the ocean to ice and surface water [W/m2]; see `ocean_heat_flux_beyond_edge`.
    freezing_point : float
        Of sea water [K].
    ice_conductivity, snow_conductivity : float
        [W/m/K]
    exchange : float
        Heat that the surface passes to the air for each kelvin between them, by turbulence and
        net radiation [W/m2/K]. With air at -25 C open water loses 350 W/m2.
    melt_factor : float
        Heat for melt at the surface for each kelvin of air above melting [W/m2/K].
    melt_width : float
        Spread of hourly and local temperatures around the given one, over which melt sets in
        [K].
    closing_thickness : float
        Hibler's h0: thickness in which open water freezes over [m].

    Notes
    -----
    With ice thickness h and snow depth s, all three of these per area of ice:

    - Growth under ice, the exact solution of Stefan's problem over the step,
      ``rho L dh/dt = (T_f - T_air) / (h / k_i + s / k_s + 1 / exchange)`` while the air is colder
      than the freezing point.
    - Surface melt ``melt_factor w softplus((T_air - 0 C) / w)``, first of snow, then of ice.
    - Basal melt by the ocean heat flux.

    Open water loses ``exchange (T_f - T_air) - ocean_heat_flux``. A loss freezes water, g metres
    in the step, and closes the part ``1 - exp(-g / h0)`` of it; a gain melts ice. All heat is used
    at once, as long as there is ice to melt: ``rho L`` times the change of ice volume equals the
    budget above. If the volume over the ice shrinks to the fraction r, its area shrinks to
    ``2 r / (1 + r)``: Hibler's half for a small loss, and none where nothing is left. Snow on the
    area that goes falls into the sea.

    References
    ----------
    Stefan (1891), Semtner (1976), doi:10.1175/1520-0485(1976)006<0379:AMFTTG>2.0.CO;2, and Hibler
    (1979), doi:10.1175/1520-0485(1979)009<0815:ADTSIM>2.0.CO;2. Conductivities as in Maykut and
    Untersteiner (1971); open-water losses after Maykut (1978), doi:10.1029/JC083iC07p03646; the
    melt factor is 8 mm of ice a day and kelvin, as for bare glacier ice (Hock 2003,
    doi:10.1016/S0022-1694(03)00257-9).
    """

    ocean_heat_flux: Float[Array, "..."] = bounded(2.0)
    freezing_point: Float[Array, ""] = bounded(271.35, 0)
    ice_conductivity: Float[Array, ""] = bounded(2.03, 0)
    snow_conductivity: Float[Array, ""] = bounded(0.31, 0)
    exchange: Float[Array, ""] = bounded(15.0, 0)
    melt_factor: Float[Array, ""] = bounded(28.0, 0, ends=True)
    melt_width: Float[Array, ""] = bounded(1.0, 0)
    closing_thickness: Float[Array, ""] = bounded(0.5, 0)

    needs: ClassVar[tuple[str, ...]] = ("air_temperature",)

    def memory(self, state, fields, grid):
        """See `AbstractThermodynamics.memory`; nothing."""
        return None

    def contents(self, state):
        """See `AbstractThermodynamics.contents`; none."""
        return ()

    def with_contents(self, state, contents):
        """See `AbstractThermodynamics.with_contents`."""
        return state

    def advance(self, state, forcing, grid, dt):
        """See `AbstractThermodynamics.advance`; snowfall is read where the forcing has it."""
        weather = forcing.middle()
        air = weather["air_temperature"]
        snowfall = weather.get("snowfall")
        if snowfall is None:
            snowfall = climatological_snowfall(forcing.time[0]).astype(air.dtype)
        concentration, volume, snow = self._column(state, air, snowfall, dt)
        return replace(
            state,
            concentration=jnp.where(grid.mask_t, concentration, 0.0),
            ice_volume=jnp.where(grid.mask_t, volume, 0.0),
            snow_volume=jnp.where(grid.mask_t, snow, 0.0),
        )

    def _column(self, state, air, snowfall, dt):
        """Concentration, ice volume and snow volume after the step."""
        concentration, snow = state.concentration, state.snow_volume
        open_water = 1.0 - concentration

        # Gains and losses of heat over the step, per area of the cell [J/m2].
        warmth = self.melt_width * jax.nn.softplus((air - MELTING_POINT) / self.melt_width)
        from_air = concentration * self.melt_factor * warmth * dt
        water_loss = self.exchange * (self.freezing_point - air) - self.ocean_heat_flux
        from_ocean = concentration * self.ocean_heat_flux * dt
        from_ocean = from_ocean + open_water * jnp.maximum(-water_loss, 0.0) * dt

        snow_melt = jnp.minimum(snow, from_air / _SNOW_HEAT)
        heat = from_air - snow_melt * _SNOW_HEAT + from_ocean
        grown = self._growth(state, air, dt)
        volume = jnp.maximum(state.ice_volume + grown - heat / _ICE_HEAT, 0.0)
        left = _fraction(volume, state.ice_volume)
        area_left = 2.0 * left / (1.0 + left)

        frozen = jnp.maximum(water_loss, 0.0) * dt / _ICE_HEAT
        covered = concentration * area_left
        covered = covered - (1.0 - covered) * jnp.expm1(-frozen / self.closing_thickness)
        volume = volume + open_water * frozen
        gathered = jnp.clip(covered, volume / THICK, jnp.minimum(volume / THIN, 1.0))
        area_kept = _fraction(gathered, covered)
        snow = (snow - snow_melt) * area_left + concentration * snowfall * dt / SNOW_DENSITY
        return gathered, volume, jnp.where(volume > 0, snow * area_kept, 0.0)

    def _growth(self, state, air, dt):
        """Ice volume that freezes to the bottom of the ice, per area of the cell [m]."""
        ice = state.concentration > 1e-8
        area = jnp.where(ice, state.concentration, 1.0)
        thickness = jnp.where(ice, state.ice_volume / area, 0.0)
        snow_depth = jnp.where(ice, state.snow_volume / area, 0.0)
        # Thickness of ice that insulates as much as the snow and the surface layer do.
        cover = self.ice_conductivity * (snow_depth / self.snow_conductivity + 1.0 / self.exchange)
        cold = jnp.maximum(self.freezing_point - air, 0.0)
        square = 2.0 * self.ice_conductivity * cold * dt / _ICE_HEAT
        whole = thickness + cover
        return state.concentration * square / (whole + jnp.sqrt(whole**2 + square))


def _fraction(after, before):
    """Fraction of something that is left, at most 1; 1 where there was next to nothing."""
    some = before > 1e-10
    return jnp.where(some, jnp.minimum(after / jnp.where(some, before, 1.0), 1.0), 1.0)


def climatological_snowfall(time):
    """Snowfall of the central Arctic at a time of the year.

    Parameters
    ----------
    time : int
        Seconds since 2000-01-01.

    Returns
    -------
    scalar array
        [kg/m2/s], `SNOWFALL` between mid-months, linearly.
    """
    middles = (np.arange(12) + 0.5) / 12
    return jnp.interp(year_fraction(time), middles, SNOWFALL / _MONTH, period=1.0)


def ocean_heat_flux_beyond_edge(
    concentration, grid, *, under_pack=2.0, far_away=300.0, distance=50e3
):
    """Plausible heat flux from the ocean that keeps the ice edge where a given field has it.

    Parameters
    ----------
    concentration : (y, x) array
        Ice whose edge is to be kept, such as the analysis at the start of a run [1].
    grid : Grid
    under_pack : float
        Flux where that ice is [W/m2]; 2 W/m2 is common for the central Arctic.
    far_away : float
        Flux far from that ice [W/m2].
    distance : float
        Over which the flux rises by 63 % of the difference [m].

    Returns
    -------
    (y, x) array
        T points [W/m2]; 0 on land.

    Raises
    ------
    InputError
        If `concentration` is not on the grid.

    Notes
    -----
    ``under_pack + (far_away - under_pack) (1 - exp(-d / distance))`` with d the distance to the
    nearest cell with at least 15 % of ice. With no ice at all the flux is `far_away` everywhere.
    """
    concentration = np.asarray(concentration)
    if concentration.shape != grid.shape:
        raise InputError(
            f"the concentration has shape {concentration.shape}, the grid {grid.shape}"
        )
    ice = (concentration >= ICE_EDGE) & np.asarray(grid.mask_t)
    away = _distance(ice, grid)
    flux = under_pack + (far_away - under_pack) * -np.expm1(-away / distance)
    return np.where(grid.mask_t, flux, 0.0)


def _distance(ice, grid):
    """Distance of each cell to the nearest of `ice` [m]; infinite if there is none."""
    padded = np.pad(ice, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    squared = np.full(ice.shape, np.inf)
    for row, column in np.argwhere(ice & ~inner):
        step_x, step_y = grid.x - grid.x[column], grid.y - grid.y[row]
        np.minimum(squared, step_x[None] ** 2 + step_y[:, None] ** 2, out=squared)
    # From map to true distance by the scale at the cell, which is right near the edge.
    distance = np.sqrt(squared) * np.asarray(grid.dx_t) / grid.spacing
    return np.where(ice, 0.0, distance)
