"""Heat through the surface of ice and of open water: radiation and turbulence."""

import math

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from floecast.core.constants import (
    ICE_MELTING,
    LATENT_HEAT,
    MELTING_POINT,
    STEFAN_BOLTZMANN,
    VAPORISATION_HEAT,
)
from floecast.core.parameter import bounded

from .air import GAS_CONSTANT, HEAT_CAPACITY

PRESSURE = 101325.0
"""Of the air at the surface [Pa]."""
SUBLIMATION_HEAT = VAPORISATION_HEAT + LATENT_HEAT
"""[J/kg]"""
_OVER_ICE = (11637800.0, 5897.8)
_OVER_SEA = (0.98 * 640380.0, 5107.4)
_FULL_COLOUR = 0.5
"""Thickness from which the albedo of bare ice no longer grows [m]."""
_PATCHES = 0.02
"""Snow depth at which snow covers half of the ice [m]."""
_MELT_RANGE = 1.0
"""Below the melting point, over which wet surfaces darken [K]."""


class SurfaceFlux(eqx.Module):
    """Exchange at a surface, linear in its temperature about the one it was computed for.

    Parameters
    ----------
    net : array
        Loss of heat to the air, without penetrating shortwave [W/m2], upward.
    slope : array
        Its derivative to the surface temperature [W/m2/K].
    penetrating : array
        Shortwave that enters the ice below its surface [W/m2].
    sublimation : array
        Vapour given off [kg/m2/s].
    """

    net: Float[Array, "..."]
    slope: Float[Array, "..."]
    penetrating: Float[Array, "..."]
    sublimation: Float[Array, "..."]


class SurfaceBalance(eqx.Module):
    """Bulk formulae for turbulence, grey-body longwave and the albedo of CCSM3.

    Parameters
    ----------
    ice_transfer, water_transfer : float
        Coefficient of the exchange of heat and vapour over ice and over water at 10 m [1].
    least_wind : float
        Gustiness added to the wind in squares [m/s].
    ice_emissivity, water_emissivity : float
        [1]
    cold_snow, melting_snow, cold_ice, melting_ice, water_albedo : float
        Albedo of all shortwave together [1].
    penetration : float
        Fraction of the absorbed shortwave that enters bare ice [1].

    Notes
    -----
    The albedo is CCSM3's (Briegleb et al. 2004) with its bands put together, 52 % visible and
    48 % near infrared: bare ice darkens towards that of water as ``atan(4 h)`` below half a metre,
    snow covers the fraction ``h_s / (h_s + 0.02 m)``, and both darken over the last kelvin below
    melting, here by a cubic without corners. The transfer coefficients do not depend on stability:
    1.4e-3 over ice as in SI3, 1.2e-3 over water, which is that of neutral air at 10 m/s in Large
    and Yeager (2004), whose saturation humidities are used too. Maykut and Untersteiner (1971) let
    30 % of the shortwave enter bare ice.

    References
    ----------
    Briegleb et al. (2004), NCAR/TN-463+STR; Large and Yeager (2004), NCAR/TN-460+STR; Maykut and
    Untersteiner (1971), doi:10.1029/JC076i006p01550.
    """

    ice_transfer: Float[Array, ""] = bounded(1.4e-3, 0, ends=True)
    water_transfer: Float[Array, ""] = bounded(1.2e-3, 0, ends=True)
    least_wind: Float[Array, ""] = bounded(0.5, 0)
    ice_emissivity: Float[Array, ""] = bounded(0.98, 0, 1, ends=True)
    water_emissivity: Float[Array, ""] = bounded(0.97, 0, 1, ends=True)
    cold_snow: Float[Array, ""] = bounded(0.846, 0, 1, ends=True)
    melting_snow: Float[Array, ""] = bounded(0.722, 0, 1, ends=True)
    cold_ice: Float[Array, ""] = bounded(0.578, 0, 1, ends=True)
    melting_ice: Float[Array, ""] = bounded(0.503, 0, 1, ends=True)
    water_albedo: Float[Array, ""] = bounded(0.06, 0, 1, ends=True)
    penetration: Float[Array, ""] = bounded(0.3, 0, 1, ends=True)

    def over_ice(self, weather, temperature, thickness, snow_depth):
        """Exchange of ice or snow with the air.

        Parameters
        ----------
        weather : dict of array
            wind_u, wind_v [m/s], air_temperature [K], humidity [1], shortwave, longwave [W/m2];
            `contact`, if a boundary layer has found the turbulent fluxes at this temperature.
        temperature : array
            Of the surface [C].
        thickness, snow_depth : array
            Of the ice and its snow, per area of ice [m].

        Returns
        -------
        SurfaceFlux
        """
        albedo, bare = self.ice_albedo(temperature, thickness, snow_depth)
        absorbed = (1.0 - albedo) * weather["shortwave"]
        penetrating = self.penetration * bare * absorbed
        return self._exchange(
            weather,
            temperature,
            absorbed - penetrating,
            penetrating,
            (self.ice_transfer, self.ice_emissivity, SUBLIMATION_HEAT, _OVER_ICE, _felt_by_ice),
        )

    def over_water(self, weather, temperature):
        """Exchange of open water with the air; what penetrates stays in the mixed layer.

        Parameters
        ----------
        weather : dict of array
            See `over_ice`.
        temperature : array
            Of the water [C].

        Returns
        -------
        SurfaceFlux
            With no penetrating part.
        """
        return self._exchange(
            weather,
            temperature,
            (1.0 - self.water_albedo) * weather["shortwave"],
            jnp.zeros_like(temperature),
            (
                self.water_transfer,
                self.water_emissivity,
                VAPORISATION_HEAT,
                _OVER_SEA,
                _felt_by_water,
            ),
        )

    def ice_albedo(self, temperature, thickness, snow_depth):
        """Albedo of ice with its snow.

        Parameters
        ----------
        temperature : array
            Of the surface [C].
        thickness, snow_depth : array
            [m]

        Returns
        -------
        albedo : array
            [1]
        bare : array
            Fraction of the ice without snow [1].
        """
        bare = _PATCHES / (snow_depth + _PATCHES)
        colour = jnp.arctan(4.0 * thickness) / math.atan(4.0 * _FULL_COLOUR)
        colour = jnp.minimum(colour, 1.0)
        wet_ice = _melt_onset(temperature - ICE_MELTING)
        ice = self.cold_ice + (self.melting_ice - self.cold_ice) * wet_ice
        ice = self.water_albedo + (ice - self.water_albedo) * colour
        snow = self.cold_snow + (self.melting_snow - self.cold_snow) * _melt_onset(temperature)
        return bare * ice + (1.0 - bare) * snow, bare

    def _exchange(self, weather, temperature, absorbed, penetrating, surface):
        transfer, emissivity, vapour_heat, saturation, felt = surface
        kelvin = temperature + MELTING_POINT
        air, humidity = weather["air_temperature"], weather["humidity"]
        wind = weather["wind_u"] ** 2 + weather["wind_v"] ** 2 + self.least_wind**2
        density = PRESSURE / (GAS_CONSTANT * air * (1.0 + 0.608 * humidity))
        saturated, slope = _saturation(kelvin, density, saturation)
        if "contact" in weather:
            sensible, vapour, for_heat, for_vapour = felt(weather["contact"])
        else:
            for_heat = for_vapour = density * transfer * jnp.sqrt(wind)  # [kg/m2/s]
            sensible = for_heat * HEAT_CAPACITY * (kelvin - air)
            vapour = for_vapour * (saturated - humidity)
        emitted = emissivity * STEFAN_BOLTZMANN * kelvin**4
        net = sensible + vapour_heat * vapour
        net = net + emitted - emissivity * weather["longwave"] - absorbed
        slope = for_heat * HEAT_CAPACITY + for_vapour * vapour_heat * slope
        return SurfaceFlux(net, slope + 4.0 * emitted / kelvin, penetrating, vapour)


def _felt_by_ice(contact):
    """Heat and vapour upward, and how either grows with the temperature and humidity of the ice."""
    held = contact.exchange.ice
    return (
        contact.sensible_ice,
        contact.vapour_ice,
        contact.density * held.heat * contact.heat_response,
        contact.density * held.moisture * contact.moisture_response,
    )


def _felt_by_water(contact):
    """The same over open water, whose temperature is held over the step."""
    held = contact.exchange.water
    return (
        contact.sensible_water,
        contact.vapour_water,
        contact.density * held.heat,
        contact.density * held.moisture,
    )


def _melt_onset(above):
    """0 to 1 over the last kelvin below melting, `above` being negative below it."""
    part = jnp.clip(1.0 + above / _MELT_RANGE, 0.0, 1.0)
    return part * part * (3.0 - 2.0 * part)


def _saturation(kelvin, density, coefficients):
    """Saturation specific humidity and its derivative to temperature; Large and Yeager (2004)."""
    factor, temperature = coefficients
    humidity = factor / density * jnp.exp(-temperature / kelvin)
    return humidity, humidity * temperature / kelvin**2
