"""Thermodynamics of moist air near the surface."""

import math

import jax.numpy as jnp

from floecast.core.constants import MELTING_POINT

GRAVITY = 9.8
"""As in AeroBulk, whose tables the coefficients are checked against [m/s2]."""
KARMAN = 0.4
"""Von Karman's constant [1]."""
GAS_CONSTANT = 287.05
"""Of dry air [J/kg/K]."""
VAPOUR_GAS_CONSTANT = 461.495
"""[J/kg/K]"""
VIRTUAL_FACTOR = VAPOUR_GAS_CONSTANT / GAS_CONSTANT - 1.0
"""Of the specific humidity in the virtual temperature [1]."""
HEAT_CAPACITY = 1005.0
"""Of dry air at constant pressure [J/kg/K]."""
SUBLIMATION_HEAT = 2.834e6
"""[J/kg]"""
SALT = 0.98
"""Saturation humidity over sea water relative to that over fresh water [1]."""
LAPSE = GRAVITY / HEAT_CAPACITY
"""Dry-adiabatic fall of temperature with height [K/m]."""
_TRIPLE_POINT = 273.16
_RATIO = GAS_CONSTANT / VAPOUR_GAS_CONSTANT
_LN10 = math.log(10.0)
_LEAST_DENSITY = 0.8


def saturation_pressure_over_ice(temperature):
    """Vapour pressure of air saturated over ice.

    Parameters
    ----------
    temperature : array
        [K]

    Returns
    -------
    array
        [Pa]

    References
    ----------
    Goff and Gratch (1946), as in AeroBulk (Brodeau et al. 2017, doi:10.1175/JPO-D-16-0169.1).
    """
    ratio = _TRIPLE_POINT / temperature
    exponent = (
        -9.09718 * (ratio - 1.0)
        - 3.56654 / _LN10 * jnp.log(ratio)
        + 0.876793 * (1.0 - 1.0 / ratio)
        + math.log10(6.1071)
    )
    return 100.0 * jnp.exp(_LN10 * exponent)


def saturation_pressure_over_water(temperature):
    """Vapour pressure of air saturated over fresh water, supercooled too.

    Parameters
    ----------
    temperature : array
        [K]

    Returns
    -------
    array
        [Pa]

    References
    ----------
    Goff (1957), the formula of the World Meteorological Organization; as in AeroBulk its reference
    is 273.15 K, by which it gives 611.1 Pa at the freezing point.
    """
    ratio = MELTING_POINT / temperature
    exponent = (
        10.79574 * (1.0 - ratio)
        + 5.028 / _LN10 * jnp.log(ratio)
        + 1.50475e-4 * (1.0 - jnp.exp(-8.2969 * _LN10 * (1.0 / ratio - 1.0)))
        + 0.42873e-3 * (jnp.exp(4.76955 * _LN10 * (1.0 - ratio)) - 1.0)
        + 0.78614
    )
    return 100.0 * jnp.exp(_LN10 * exponent)


def specific_humidity(vapour_pressure, pressure):
    """Specific humidity of air that holds vapour of this pressure.

    Parameters
    ----------
    vapour_pressure, pressure : array
        [Pa]

    Returns
    -------
    array
        ``eps e / (p - (1 - eps) e)`` [1].
    """
    return _RATIO * vapour_pressure / (pressure - (1.0 - _RATIO) * vapour_pressure)


def saturation_over_ice(temperature, pressure):
    """Specific humidity of air saturated over ice [1], at [K] and [Pa]."""
    return specific_humidity(saturation_pressure_over_ice(temperature), pressure)


def saturation_over_sea(temperature, pressure):
    """Specific humidity of air saturated over sea water [1], at [K] and [Pa]."""
    return SALT * specific_humidity(saturation_pressure_over_water(temperature), pressure)


def viscosity(temperature):
    """Kinematic viscosity of air.

    Parameters
    ----------
    temperature : array
        [K]

    Returns
    -------
    array
        [m2/s]

    References
    ----------
    Andreas (1989), CRREL report 89-11.
    """
    t = temperature - MELTING_POINT
    return 1.326e-5 * (1.0 + t * (6.542e-3 + t * (8.301e-6 - 4.84e-9 * t)))


def virtual(temperature, humidity):
    """Virtual temperature, ordinary or potential [K], of air with a specific humidity [1]."""
    return temperature * (1.0 + VIRTUAL_FACTOR * humidity)


def density(temperature, humidity, pressure):
    """Density of moist air [kg/m3], at [K], [1] and [Pa]; at least 0.8."""
    found = pressure / (GAS_CONSTANT * virtual(temperature, humidity))
    return jnp.maximum(found, _LEAST_DENSITY)


def heat_capacity(humidity):
    """Heat capacity of moist air at constant pressure [J/kg/K], at a specific humidity [1]."""
    return HEAT_CAPACITY + 1860.0 * humidity


def vaporisation_heat(temperature):
    """Latent heat of water that evaporates [J/kg], at [K]."""
    return 2.501e6 - 2370.0 * (temperature - MELTING_POINT)


def bulk_richardson(
    height, wind, potential_temperature, humidity, surface_temperature, surface_humidity
):
    """Stability of the air between the surface and a height.

    Parameters
    ----------
    height : float or array
        [m]
    wind : array
        Speed relative to the surface, above 0 [m/s].
    potential_temperature, humidity : array
        Of the air at the height; potential relative to the surface pressure [K], [1].
    surface_temperature, surface_humidity : array
        [K], [1]

    Returns
    -------
    array
        ``g z (theta_v - theta_vs) / (T_v U^2)`` [1], with the mean of the virtual temperatures at
        both ends as ``T_v``.
    """
    below = virtual(surface_temperature, surface_humidity)
    above = virtual(potential_temperature, humidity)
    mean = 0.5 * (below + virtual(potential_temperature - LAPSE * height, humidity))
    return GRAVITY * height * (above - below) / (mean * wind**2)
