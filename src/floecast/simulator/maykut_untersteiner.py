"""The annual cycle of Maykut and Untersteiner (1971), the standard test of ice columns."""

import jax
import jax.numpy as jnp
import numpy as np

from floecast.atmosphere.surface_balance import SurfaceFlux
from floecast.core.constants import ICE_MELTING, MELTING_POINT, SNOW_DENSITY, STEFAN_BOLTZMANN

from .phase_change import Column
from .winton_column import (
    lower_enthalpy,
    lower_temperature,
    step_column,
    upper_enthalpy,
    upper_temperature,
)

DAY = 86400.0
OCEAN_FLUX = 2.0
"""From the ocean to the ice [W/m2]."""
BOTTOM_TEMPERATURE = -0.055 * 35.0
"""[C]"""
EMISSIVITY = 0.996
BARE_ALBEDO, PENETRATION = 0.64, 0.3

_UNIT = 4.184e7 / (365.2425 / 12 * DAY)
"""One kcal/cm2 a month [W/m2]."""
# fmt: off
_MONTHLY = {
    "shortwave": (0, 0, 1.9, 9.99, 17.7, 19.2, 13.6, 9.0, 3.7, 0.4, 0, 0),
    "longwave": (10.4, 10.3, 10.3, 11.6, 15.1, 18.0, 19.1, 18.7, 16.5, 13.9, 11.2, 10.9),
    "sensible": (1.18, 0.76, 0.72, 0.29, -0.45, -0.39, -0.30, -0.40, -0.17, 0.10, 0.56, 0.79),
    "latent": (0, -0.02, -0.03, -0.09, -0.46, -0.70, -0.64, -0.66, -0.39, -0.19, -0.01, -0.01),
}
_SNOW_ALBEDO = (0.85, 0.85, 0.83, 0.81, 0.82, 0.78, 0.64, 0.69, 0.84, 0.85, 0.85, 0.85)
# fmt: on


def forcing(first_year, last_year):
    """Daily fluxes over whole calendar years.

    Parameters
    ----------
    first_year, last_year : int

    Returns
    -------
    dict of (days,) array
        ``shortwave``, ``longwave``, ``sensible``, ``latent`` [W/m2], downward; ``snow_albedo`` [1];
        ``snowfall`` [kg/m2/s].

    Notes
    -----
    Monthly values joined by a periodic cubic spline through mid-months. Snow: 0.30 m from 20 August
    to the end of October, 0.05 m to the end of April, 0.05 m in May. The year is stretched to its
    length as in the run that the published figures come from, which takes 1900 for a leap year and
    2000 for none; with the true calendar the mean thickness of 2010 is 2 mm less.
    """
    years = range(first_year, last_year + 1)
    days = [366 if _is_leap(year) else 365 for year in years]
    day = np.concatenate([np.arange(count) for count in days])
    long = np.repeat([_is_leap(year - 1900) for year in years], days)
    part = day / np.where(long, 366, 365)
    fields = {name: _UNIT * _spline(values, part) for name, values in _MONTHLY.items()}
    fields["snow_albedo"] = _spline(_SNOW_ALBEDO, part)
    fields["snowfall"] = SNOW_DENSITY / DAY * _snowfall(day, long.astype(int))
    return fields


def _is_leap(year):
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _spline(values, fraction):
    """Periodic cubic spline through mid-months, at a fraction of the year."""
    values = np.asarray(values, float)
    count = len(values)
    ring = np.eye(count)
    before, after = np.roll(ring, -1, axis=1), np.roll(ring, 1, axis=1)
    curvature = np.linalg.solve(4 * ring + before + after, 6 * (before - 2 * ring + after) @ values)
    place = fraction * count - 0.5
    left = np.floor(place).astype(int)
    b = place - left
    a = 1 - b
    here, there = left % count, (left + 1) % count
    bend = (a**3 - a) * curvature[here] + (b**3 - b) * curvature[there]
    return a * values[here] + b * values[there] + bend / 6


def _snowfall(day, leap):
    """Depth of new snow on a day of the year, counted from 0 [m]."""
    winter, may = 0.05 / (181 + leap), 0.05 / 31
    found = np.where(day <= 304 + leap, 0.30 / 73, winter)
    found = np.where(day < 232 + leap, 0.0, found)
    found = np.where(day <= 151 + leap, may, found)
    return np.where(day <= 120 + leap, winter, found)


def surface_flux(day, surface_temperature, snow_depth):
    """Fluxes of one day over a column.

    Parameters
    ----------
    day : dict of array
        One entry of each field of `forcing`.
    surface_temperature : array
        [C]
    snow_depth : array
        That decides on albedo, penetrating shortwave and snowfall [m].

    Returns
    -------
    flux : SurfaceFlux
    snowfall : array
        [kg/m2/s]; none on a melting surface.
    """
    snow = snow_depth > 0
    albedo = jnp.where(snow, day["snow_albedo"], BARE_ALBEDO)
    absorbed = day["shortwave"] * (1.0 - albedo)
    penetrating = jnp.where(snow, 0.0, PENETRATION) * absorbed
    kelvin = surface_temperature + MELTING_POINT
    emitted = EMISSIVITY * STEFAN_BOLTZMANN * kelvin**4
    given = day["sensible"] + day["latent"] + day["longwave"] + absorbed - penetrating
    flux = SurfaceFlux(
        emitted - given, 4.0 * emitted / kelvin, penetrating, jnp.zeros_like(emitted)
    )
    melting = surface_temperature >= jnp.where(snow, 0.0, ICE_MELTING)
    return flux, jnp.where(melting, 0.0, day["snowfall"])


def winton_run(first_year=1900, last_year=2010, *, lag=True, dtype=float):
    """Winton's column under this forcing.

    Parameters
    ----------
    first_year, last_year : int
        The published figures are those of 2010 after a start in 1900; shorter runs are not in
        balance.
    lag : bool
        Whether albedo, penetrating shortwave and snowfall see the snow of a day earlier, as they do
        in the reference.
    dtype : dtype

    Returns
    -------
    dict of (days,) array
        Of the last year: thickness, snow_depth [m], surface_temperature, upper_temperature,
        lower_temperature [C], after each day.
    """

    def step(carry, day):
        column, earlier_snow = carry
        snow = earlier_snow if lag else column.snow_depth
        flux, snowfall = surface_flux(day, column.surface_temperature, snow)
        new, _ = step_column(
            column,
            flux,
            ocean_flux=OCEAN_FLUX,
            bottom_temperature=BOTTOM_TEMPERATURE,
            snowfall=snowfall,
            dt=DAY,
        )
        upper, lower = upper_temperature(new.enthalpy[0]), lower_temperature(new.enthalpy[1])
        found = (new.thickness, new.snow_depth, new.surface_temperature, upper, lower)
        return (new, column.snow_depth), found

    thickness, snow, start = (jnp.asarray(value, dtype) for value in (3.0, 0.3, ICE_MELTING))
    column = Column(thickness, snow, start, (upper_enthalpy(start), lower_enthalpy(start)))
    days = {name: jnp.asarray(v, dtype) for name, v in forcing(first_year, last_year).items()}
    _, history = jax.lax.scan(step, (column, snow), days)
    names = ("thickness", "snow_depth", "surface_temperature")
    names = (*names, "upper_temperature", "lower_temperature")
    year = 366 if _is_leap(last_year) else 365
    return {name: field[-year:] for name, field in zip(names, history, strict=True)}
