"""Columns of air and surfaces to test with."""

import equinox as eqx
import jax
import jax.numpy as jnp

from floecast.atmosphere.forcing import Aloft
from floecast.atmosphere.surface import AbstractSurfaceLayer, Conductance, Exchange, Surface

CORIOLIS = 1.4e-4
SHARES = (0.0, 0.05, 0.5, 0.95, 1.0)


class FixedExchange(AbstractSurfaceLayer):
    """Conductances that depend on nothing, for momentum and for heat, over ice and over water."""

    ice: tuple[float, float] = eqx.field(static=True, default=(0.01, 0.006))
    water: tuple[float, float] = eqx.field(static=True, default=(0.005, 0.004))

    def exchange(self, height, wind_u, wind_v, potential_temperature, humidity, surface, pressure):
        one = jnp.ones_like(wind_u)
        return Exchange(
            *(
                Conductance(one * drag, one * heat, one * heat)
                for drag, heat in (self.ice, self.water)
            )
        )

    def profile(self, height, level, *air):
        return air[0], air[1], air[2], air[3]


FRICTIONLESS = FixedExchange((0.0, 0.0), (0.0, 0.0))


def surface(shape, share=0.7, **fields):
    """Ice and water, not of the same temperature and motion."""
    known = {
        "concentration": share,
        "ice_temperature": 255.0,
        "water_temperature": 271.35,
        "ice_u": 0.2,
        "ice_v": -0.1,
        "water_u": 0.05,
        "water_v": 0.02,
        "ice_roughness": 1e-3,
    }
    return Surface(
        **{
            name: jnp.broadcast_to(jnp.asarray(value, float), shape)
            for name, value in (known | fields).items()
        }
    )


def aloft(shape, wind=(8.0, 3.0), warmth=262.0, lapse=6e-3, humidity=1e-3):
    """Large scale with one wind, on few heights."""
    height = jnp.array([20.0, 100.0, 300.0, 900.0, 2500.0])
    column = height.reshape((-1,) + (1,) * len(shape))
    full = jnp.broadcast_to(column, (5, *shape))
    u, v = (jnp.broadcast_to(jnp.asarray(part, float), full.shape) for part in wind)
    warmth = jnp.broadcast_to(jnp.asarray(warmth, float), full.shape) + lapse * full
    return Aloft(height, u, v, u, v, warmth, humidity * jnp.exp(-full / 1500.0))


def random_case(key, count, dtype=float):
    """Surfaces of every concentration and large scales from calm to storm, cold to mild."""
    keys = iter(jax.random.split(key, 12))

    def between(low, high):
        return jax.random.uniform(next(keys), (count,), minval=low, maxval=high)

    share = jnp.asarray(SHARES)[jnp.arange(count) % 5]
    below = surface(
        (count,),
        share,
        ice_temperature=between(225, 272),
        water_temperature=between(271.2, 280),
        ice_u=between(-0.5, 0.5),
        ice_v=between(-0.5, 0.5),
        ice_roughness=10 ** between(-5, -2),
    )
    strength = jnp.where(jnp.arange(count) % 7 == 0, 0.0, between(0.0, 35.0))
    turn = between(0.0, 6.3)
    wind = strength * jnp.cos(turn), strength * jnp.sin(turn)
    above = aloft((count,), wind, between(235, 285))
    coriolis = between(1.2e-4, 1.46e-4)
    return jax.tree.map(lambda leaf: leaf.astype(dtype), (above, below, coriolis))
