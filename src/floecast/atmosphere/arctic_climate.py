"""Mean Arctic weather and the simple laws that tie its fields together, for synthetic weather."""

import jax
import jax.numpy as jnp
import numpy as np

from floecast.core.calendar import year_fraction
from floecast.core.constants import MELTING_POINT, STEFAN_BOLTZMANN
from floecast.core.projection import EPSG_3413

MEAN_PRESSURE = 101300.0
"""[Pa]"""
SOLAR_CONSTANT = 1361.0
"""[W/m2]"""
CLOUD_WARMTH = 3.0
"""Warming of the winter surface by the clouds of air that rises one standard deviation [K]."""
LARGEST_ANOMALY = 15.0
"""Of temperature [K]."""
AUTUMN_CLOUD, WINTER_CLOUD, RISING_CLOUD = 1.3, 1.6, 2.5
"""What season and rising air do to the logit of cloud cover [1]."""
BRIGHT_SNOW = 0.4
"""Gain of shortwave radiation between overcast skies and snow [1]."""

_PRESSURE = (
    # latitude, longitude, winter anomaly [hPa], radius [km]
    (78.0, -150.0, 9.0, 900.0),  # Beaufort high
    (62.0, 110.0, 12.0, 1200.0),  # Siberian high
    (74.0, -40.0, 6.0, 700.0),  # Greenland
    (62.0, -32.0, -16.0, 900.0),  # Icelandic low
    (72.0, 35.0, -9.0, 900.0),  # Barents Sea low
    (52.0, 180.0, -16.0, 1200.0),  # Aleutian low
)
_WARMTH = (
    # latitude, longitude, winter anomaly [K], radius [km]
    (67.0, 3.0, 22.0, 1000.0),  # Norwegian Sea
    (73.0, 38.0, 13.0, 700.0),  # Barents Sea
    (57.0, -40.0, 14.0, 1100.0),  # Irminger and Labrador Seas
    (55.0, -178.0, 12.0, 1000.0),  # Bering Sea
    (65.0, 125.0, -10.0, 1000.0),  # Siberia
)
_SUMMER_PRESSURE = 0.3
"""Part of the winter's pressure anomalies that summer has [1]."""
# Monthly means of drifting stations (Lindsay 1998, doi:10.1175/1520-0442(1998)011<0313:TVOTEB>
# 2.0.CO;2), degrees Celsius, give the shape of the seasonal cycle.
_STATION = np.array(
    [-31.4, -32.8, -31.6, -24.1, -11.0, -1.8, -0.1, -1.4, -8.0, -19.5, -27.6, -31.1]
)
_WINTER = (_STATION.max() - _STATION) / np.ptp(_STATION)


def winter(time):
    """How far into winter a time is: 0 in July, 1 in February, as the temperature goes [1].

    Parameters
    ----------
    time : int
        Seconds since 2000-01-01.
    """
    return jnp.interp(year_fraction(time), (np.arange(12) + 0.5) / 12, _WINTER, period=1.0)


def autumn(time):
    """How far into autumn a time is: 1 at the start of September, -1 at that of March [1]."""
    return jnp.cos(2 * jnp.pi * (year_fraction(time) - 0.67))


def surface_temperature(mean, brought, rising, time):
    """2 m air temperature.

    Parameters
    ----------
    mean : (y, x) array
        Of the season [K].
    brought : (y, x) array
        Departure of air that comes from elsewhere [K].
    rising : (y, x) array
        Vertical motion over its standard deviation, upward [1].
    time : int
        Seconds since 2000-01-01.
    """
    anomaly = brought + winter(time) * CLOUD_WARMTH * rising
    return mean + LARGEST_ANOMALY * jnp.tanh(anomaly / LARGEST_ANOMALY)


def cloud(rising, time):
    """Cloud cover of rising air and of the season, least in March and most in September.

    Parameters
    ----------
    rising : (y, x) array
        Vertical motion over its standard deviation, upward [1].
    time : int
        Seconds since 2000-01-01.

    Returns
    -------
    (y, x) array
        [1]

    References
    ----------
    Intrieri et al. (2002), J. Geophys. Res. 107(C10), 8039, doi:10.1029/2000JC000423, saw clouds
    63 % of the time in February and 97 % in September.
    """
    season = 2.3 + AUTUMN_CLOUD * autumn(time) - WINTER_CLOUD * winter(time)
    return jax.nn.sigmoid(season + RISING_CLOUD * rising)


def seasonal_temperatures(grid):
    """Mean 2 m air temperature of February and of July.

    Parameters
    ----------
    grid : Grid
        A flat box has the temperature of its latitude.

    Returns
    -------
    winter, summer : (y, x) array
        [K]; near the pole about -28 and 0 degrees Celsius.
    """
    from_pole = 90.0 - np.asarray(grid.latitude)
    cold = MELTING_POINT - 29.0 + 0.01 * from_pole**2
    mild = MELTING_POINT + 0.3 + 0.006 * from_pole**2
    if grid.epsg is not None:
        for latitude, longitude, anomaly, radius in _WARMTH:
            x, y = EPSG_3413.forward(latitude, longitude)
            squared = (grid.x[None] - x) ** 2 + (grid.y[:, None] - y) ** 2
            cold = cold + anomaly * np.exp(-squared / (2 * (radius * 1e3) ** 2))
    return cold, mild


def mean_pressure(x, y, strength, time):
    """Seasonal mean of sea-level pressure, and its gradient on the map.

    Parameters
    ----------
    x : (nx,) array
    y : (ny,) array
        Positions in EPSG:3413 [m].
    strength : float
        Factor on the highs and lows; 0 leaves none.
    time : int
        Seconds since 2000-01-01.

    Returns
    -------
    pressure : (y, x) array
        [Pa]
    gradient_x, gradient_y : (y, x) array
        [Pa/m]
    """
    latitude, longitude, anomaly, radius = np.array(_PRESSURE).T
    centre_x, centre_y = EPSG_3413.forward(latitude, longitude)
    radius = radius[:, None] * 1e3
    away_x, away_y = x[None] - centre_x[:, None], y[None] - centre_y[:, None]
    bell_x, bell_y = jnp.exp(-0.5 * (away_x / radius) ** 2), jnp.exp(-0.5 * (away_y / radius) ** 2)
    season = _SUMMER_PRESSURE + (1.0 - _SUMMER_PRESSURE) * winter(time)
    weighted = strength * season * 100.0 * anomaly[:, None] * bell_y
    return (
        MEAN_PRESSURE + weighted.T @ bell_x,
        weighted.T @ (-away_x / radius**2 * bell_x),
        (-away_y / radius**2 * weighted).T @ bell_x,
    )


def saturation_humidity(temperature, pressure):
    """Specific humidity of saturated air, over ice below freezing and over water above.

    Parameters
    ----------
    temperature : array
        [K]
    pressure : array
        [Pa]

    Returns
    -------
    array
        [1]

    References
    ----------
    World Meteorological Organization (2008), Guide to Meteorological Instruments, annex 4.B.
    """
    celsius = temperature - MELTING_POINT
    over_water = 611.2 * jnp.exp(17.62 * celsius / (243.12 + celsius))
    over_ice = 611.2 * jnp.exp(22.46 * celsius / (272.62 + celsius))
    vapour = jnp.minimum(over_water, over_ice)
    return 0.622 * vapour / (pressure - 0.378 * vapour)


def daily_insolation(latitude, time):
    """Sunshine on a horizontal plane above the atmosphere, mean over the day.

    Parameters
    ----------
    latitude : (y, x) array
        [degrees]
    time : int
        Seconds since 2000-01-01.

    Returns
    -------
    (y, x) array
        [W/m2]

    References
    ----------
    Hartmann (1994), Global Physical Climatology, section 2.7; the declination is that of a
    circular orbit, good to a degree.
    """
    declination = jnp.radians(-23.44) * jnp.cos(2 * jnp.pi * (year_fraction(time) + 10 / 365.2425))
    phi = jnp.radians(jnp.clip(latitude, -89.9, 89.9))
    half_day = jnp.arccos(jnp.clip(-jnp.tan(phi) * jnp.tan(declination), -1.0, 1.0))
    steady = half_day * jnp.sin(phi) * jnp.sin(declination)
    turning = jnp.sin(half_day) * jnp.cos(phi) * jnp.cos(declination)
    return SOLAR_CONSTANT / jnp.pi * (steady + turning)


def downward_radiation(temperature, cloud, latitude, time):
    """Daily mean shortwave and longwave radiation at the surface.

    Parameters
    ----------
    temperature : (y, x) array
        Of the air at 2 m [K].
    cloud : (y, x) array
        Fraction of the sky [1].
    latitude : (y, x) array
        [degrees]
    time : int
        Seconds since 2000-01-01.

    Returns
    -------
    shortwave, longwave : (y, x) array
        [W/m2]

    References
    ----------
    Laevastu (1960) for the shadow of clouds, 1 - 0.6 c^3; Gardiner (1987), J. Geophys. Res. 92,
    4010-4018, on the light that snow and clouds send back and forth, here 40 % more under overcast
    skies where it freezes, fitted to the spring of drifting stations; Koenig-Langlo and Augstein
    (1994), Meteorologische Zeitschrift 3, 343-347, for the emissivity 0.765 + 0.22 c^3.
    """
    opaque = cloud**3
    to_and_fro = 1.0 + BRIGHT_SNOW * opaque * _freezing(temperature)
    clear = 0.75 * daily_insolation(latitude, time)
    longwave = (0.765 + 0.22 * opaque) * STEFAN_BOLTZMANN * temperature**4
    return clear * (1.0 - 0.6 * opaque) * to_and_fro, longwave


def _freezing(temperature):
    """Whether air is too cold for rain and melt, smooth in temperature [1]."""
    return 1.0 / (1.0 + jnp.exp((temperature - (MELTING_POINT - 1.0)) / 0.7))


def snowfall(temperature, humidity, cloud):
    """Snowfall from moist air under clouds.

    Parameters
    ----------
    temperature : (y, x) array
        2 m [K]; near and above freezing it rains instead.
    humidity : (y, x) array
        Specific [1].
    cloud : (y, x) array
        Fraction of the sky [1].

    Returns
    -------
    (y, x) array
        [kg/m2/s]; about 200 kg/m2 a year in the central Arctic, the most in September.

    Notes
    -----
    Fitted to 190 kg/m2 a year north of 70 N with a maximum in autumn (Serreze et al. 1995, Annals
    of Glaciology 21, 77-82) and to the gains of the snow cover from September to April (Warren et
    al. 1999, J. Climate 12, 1814-1829).
    """
    return 1.7e-5 * cloud**2 * (humidity / 2e-3) ** 0.3 * _freezing(temperature)
