"""Stress on the ice at the station: by similarity, by the logarithmic law, under a column."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import station

from floecast.atmosphere import air
from floecast.atmosphere.boundary_layer import BoundaryLayer
from floecast.atmosphere.forcing import Aloft
from floecast.atmosphere.levels import Levels
from floecast.atmosphere.surface import Surface
from floecast.atmosphere.surface_layer import SurfaceLayer

ROUGHNESS = 6.9e-4
FREEZING, EMISSIVITY, STEFAN_BOLTZMANN = 271.35, 0.98, 5.67e-8
RESISTANCE = station.ICE / 2.03 + station.SNOW / 0.31
SKIES = {"clear sky": 0.75, "overcast": 1.0}
"""Longwave radiation of the sky over that of a black body as warm as the air at 2 m, an assumption:
the station file has none."""
HEIGHTS = np.array([0.0, 50.0, 500.0, 1000.0, 2000.0])
INVERSION = np.array([0.0, 0.0, 10.0, 13.0, 19.0])
"""Potential temperature aloft over that of the day's mean at 2 m [K]; an assumption."""


def surface_of(skin):
    """Ice of 100 % at rest with a skin temperature [K]."""
    rest = jnp.zeros_like(skin)
    return Surface(rest + 1.0, skin, skin, rest, rest, rest, rest, ROUGHNESS + rest)


@partial(jax.jit, static_argnames="rounds")
def by_similarity(wind, temperature, humidity, pressure, sky, rounds=80):
    """Stress under the measured wind at 4 m and temperature at 2 m.

    Parameters
    ----------
    wind : (time, 2) array
        [m/s]
    temperature, humidity, pressure : (time,) array
        [K], relative [1], [Pa]
    sky : float
        Of `SKIES`.

    Returns
    -------
    stress : (time, 2) array
        [N/m2]
    skin : (time,) array
        In balance with sky, air and the ice below [K].
    heat : (time,) array
        Sensible, upward [W/m2].
    """
    layer, u, v = SurfaceLayer(), wind[:, 0], wind[:, 1]
    vapour = humidity * air.saturation_over_sea(temperature, pressure) / 0.98

    longwave = sky * STEFAN_BOLTZMANN * temperature**4

    def one(guess, _):
        skin, warmth = guess
        given = station.WIND_HEIGHT, u, v, warmth, vapour, surface_of(skin), pressure
        heat = _capacity(warmth, vapour, pressure) * layer.exchange(*given).ice.heat
        radiation = EMISSIVITY * (longwave - STEFAN_BOLTZMANN * skin**4)
        gain = radiation + heat * (warmth - skin) + (FREEZING - skin) / RESISTANCE
        slope = 4 * EMISSIVITY * STEFAN_BOLTZMANN * skin**3 + heat + 1 / RESISTANCE
        below = layer.profile(station.AIR_HEIGHT, *given)[2]
        return (skin + 0.5 * gain / slope, warmth + 0.5 * (temperature - below)), None

    (skin, warmth), _ = jax.lax.scan(one, (temperature, temperature), length=rounds)
    given = station.WIND_HEIGHT, u, v, warmth, vapour, surface_of(skin), pressure
    exchange = layer.exchange(*given).ice
    stress = (air.density(warmth, vapour, pressure) * exchange.momentum)[:, None] * wind
    heat = _capacity(warmth, vapour, pressure) * exchange.heat * (skin - warmth)
    return stress, skin, heat


def _capacity(warmth, vapour, pressure):
    return air.density(warmth, vapour, pressure) * air.heat_capacity(vapour)


def by_logarithm(wind, temperature, pressure):
    """Stress of the neutral logarithmic law, ``(time,)`` complex [N/m2]."""
    drag = (0.4 / np.log(station.WIND_HEIGHT / ROUGHNESS)) ** 2
    return pressure / (287.05 * temperature) * drag * np.abs(wind) * wind


class Column(eqx.Module):
    """A boundary layer whose geostrophic wind is the measured wind, longer and turned back.

    Parameters
    ----------
    time : (time,) array
        Of the measurements [s].
    wind : (time, 2) array
        [m/s]
    temperature, skin : (time,) array
        At 2 m and of the surface [K].
    coriolis : float
    """

    time: jax.Array
    wind: jax.Array
    temperature: jax.Array
    skin: jax.Array
    coriolis: jax.Array

    def run(self, factor, turning, step=600.0):
        """Wind at 4 m and stress in the blocks of the measurements.

        Parameters
        ----------
        factor : float
            Geostrophic wind over measured wind [1].
        turning : float
            From the measured wind to the geostrophic one, to the right [radians].

        Returns
        -------
        wind, stress : (time, 2) array
            [m/s], [N/m2]
        """
        layer = BoundaryLayer(levels=Levels.stretched(30), longest_step=step)
        cosine, sine = jnp.cos(turning), jnp.sin(turning)
        u, v = self.wind.T
        geostrophic = factor * (cosine * u + sine * v), factor * (cosine * v - sine * u)
        width = self.time[1] - self.time[0]
        weights = jnp.exp(-0.5 * ((self.time[:, None] - self.time[None]) / 43200.0) ** 2)
        slow = weights @ self.temperature / weights.sum(axis=1)

        def now(time):
            fields = *geostrophic, slow, self.skin
            u, v, warm, skin = (jnp.interp(time, self.time, field)[None] for field in fields)
            flat = jnp.zeros((len(HEIGHTS), 1))
            warm = warm[None] + jnp.asarray(INVERSION)[:, None]
            aloft = Aloft(jnp.asarray(HEIGHTS), u + flat, v + flat, u + flat, v + flat, warm, flat)
            return aloft, surface_of(skin)

        def advance(column, time):
            aloft, surface = now(time)
            column, contact = layer.advance(column, aloft, surface, self.coriolis[None], step)
            at = layer.surface_layer.profile(
                station.WIND_HEIGHT,
                float(layer.levels.centres[1]),
                *(x[1] for x in (column.wind_u, column.wind_v)),
                column.potential_temperature[1],
                column.humidity[1],
                surface,
                layer.pressure,
            )
            stress = contact.stress_ice_u, contact.stress_ice_v
            told = jnp.stack([at[0], at[1], *stress])
            return column, told[:, 0]

        aloft, surface = now(self.time[0])
        column = layer.start(aloft, surface, self.coriolis[None])
        per_block = 18  # 3 h in steps of 600 s; the first day is run twice, once to settle
        count = per_block * len(self.time)
        times = self.time[0] - 0.5 * width + step * (jnp.arange(count) + 0.5)
        settled, _ = jax.lax.scan(jax.checkpoint(advance), column, times[: 8 * per_block])
        _, told = jax.lax.scan(jax.checkpoint(advance), settled, times)
        told = told.reshape(len(self.time), per_block, 4).mean(axis=1)
        return told[:, :2], told[:, 2:]


def calibrate(column, half, rounds=6):
    """Factor and turning for which the wind at 4 m is nearest to the measured one in a half.

    Returns
    -------
    factor, turning : float
        [1], [radians]
    """

    @eqx.filter_jit
    def misfit(column, at):
        wind, _ = column.run(jnp.exp(at[0]), at[1])
        return jnp.where(half[:, None], wind - column.wind, 0.0).ravel()

    @eqx.filter_jit
    def slopes(column, at):
        def along(tangent):
            return jax.jvp(lambda x: misfit(column, x), (at,), (tangent,))[1]

        return jax.lax.map(along, jnp.eye(2)).T

    at = jnp.array([np.log(1.6), 0.4])
    for _ in range(rounds):
        matrix, found = slopes(column, at), misfit(column, at)
        at = at - jnp.linalg.solve(matrix.T @ matrix, matrix.T @ found)
    return float(jnp.exp(at[0])), float(at[1])
