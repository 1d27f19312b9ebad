"""Air above the surface: what an air mass is like up to two or three kilometres."""

import jax.numpy as jnp
import numpy as np

from floecast.core.constants import GRAVITY, MELTING_POINT

from .air import GAS_CONSTANT
from .arctic_climate import LARGEST_ANOMALY, saturation_humidity

HEAT_CAPACITY = 1004.7
"""Of dry air at constant pressure, 3.5 times its gas constant; that of the fluxes is
`air.HEAT_CAPACITY` [J/kg/K]."""
COLDNESS = 0.75
"""How far the lower troposphere departs from freezing where the seasonal 2 m air departs by 1; the
rest of the cold of winter is in the inversion at the surface [1]."""
CONTRAST = 1.5
"""Temperature that air brings from elsewhere, over that by the mean gradient at 2 m [1]; fronts
make real gradients the steeper."""
LAPSE_RATE = 4.0e-3
"""Decrease of temperature with height in air at the freezing point [K/m]."""
DEPTH = 8000.0
"""Over which the differences between air masses fade with height [m]."""
RELATIVE_HUMIDITY = 0.85
"""[1]"""
EKMAN_DEPTH = 150.0
"""Over which the wind turns from that at 10 m to the geostrophic wind [m]."""


def surface_temperature(mean, brought):
    """Temperature that an air mass would have at the surface without an inversion there.

    Parameters
    ----------
    mean : (y, x) array
        2 m air temperature of the season [K].
    brought : (y, x) array
        Departure of air that comes from elsewhere [K].

    Returns
    -------
    (y, x) array
        [K]
    """
    anomaly = LARGEST_ANOMALY * jnp.tanh(CONTRAST * brought / LARGEST_ANOMALY)
    return MELTING_POINT + COLDNESS * (mean - MELTING_POINT) + anomaly


def profiles(heights, pressure, air, geostrophic, thermal, near):
    """Fields of `Aloft` at one time.

    Parameters
    ----------
    heights : (level,) array
        [m]
    pressure : (y, x) array
        At the surface [Pa].
    air : (y, x) array
        See `surface_temperature` [K].
    geostrophic : pair of (y, x) array
        Geostrophic wind at the surface [m/s].
    thermal : pair of (y, x) array
        Its change with height there [1/s].
    near : pair of (y, x) array
        10 m wind [m/s].

    Returns
    -------
    dict of (level, y, x) array
        By the names of `Aloft`.

    Notes
    -----
    ``T = T_f + (T_a - T_f) exp(-z / DEPTH) - LAPSE_RATE z`` with freezing point T_f, so that air
    masses differ less the higher they are, and cold ones are the more stable. The thermal wind, g /
    (f T) times the horizontal gradient of T, fades in the same way (Holton 2004, An Introduction to
    Dynamic Meteorology, section 3.4, without the change of T itself with height, 1 % a kilometre).
    Pressure is hydrostatic with the mean of the temperatures at the two ends. The wind is
    geostrophic but for the lowest few hundred metres, where it nears the 10 m wind in an Ekman
    spiral's manner, exponentially. Nothing here depends on the ice.
    """
    z = heights[:, None, None]
    fading = jnp.exp(-z / DEPTH)
    temperature = MELTING_POINT + (air - MELTING_POINT)[None] * fading - LAPSE_RATE * z
    geopotential = GRAVITY * z / (0.5 * (air[None] + temperature))
    sheared = DEPTH * (1.0 - fading)
    close = jnp.exp(-jnp.maximum(z - 10.0, 0.0) / EKMAN_DEPTH)
    found = {
        "potential_temperature": temperature * jnp.exp(geopotential / HEAT_CAPACITY),
        "humidity": RELATIVE_HUMIDITY
        * saturation_humidity(temperature, pressure[None] * jnp.exp(-geopotential / GAS_CONSTANT)),
    }
    for name, at_surface, shear, low in zip("uv", geostrophic, thermal, near, strict=True):
        wind = at_surface[None] + shear[None] * sheared
        found |= {
            f"geostrophic_{name}": wind,
            f"wind_{name}": wind + (low - at_surface)[None] * close,
        }
    return found


def temperature_at(height, potential_temperature):
    """Temperature of air at a height of which the potential temperature is known [K].

    Parameters
    ----------
    height : array
        [m]
    potential_temperature : array
        Relative to the surface pressure [K].
    """
    return potential_temperature - GRAVITY * np.asarray(height) / HEAT_CAPACITY
