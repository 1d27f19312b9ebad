"""States with everything that thermodynamics carries, weather and a yearly cycle for them."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from floecast.atmosphere.forcing import Forcing
from floecast.core.grid import Grid

from .conftest import random_state

GRID = Grid.box((5, 6), 20e3)
HOUR, DAY = 3600, 86400
YEAR = 365 * DAY


class State(eqx.Module):
    """Ice with age and the memory of its thermodynamics."""

    concentration: Float[Array, "y x"]
    ice_volume: Float[Array, "y x"]
    snow_volume: Float[Array, "y x"]
    u: Float[Array, "y x"]
    v: Float[Array, "y x"]
    damage: Float[Array, "y x"]
    age: Float[Array, "y x"]
    thermodynamics: PyTree


class Weather(eqx.Module):
    """Two times of steady fields, with what the ocean gives too."""

    time: Array
    given: dict[str, Array]
    contact = None

    def middle(self):
        """The fields, as `Forcing.middle` gives them."""
        return dict(self.given)


def weather_of(grid=GRID, **fields):
    """Steady weather; numbers fill the grid."""
    usual = {
        "wind_u": 4.0,
        "wind_v": 3.0,
        "air_temperature": 255.0,
        "humidity": 8e-4,
        "shortwave": 20.0,
        "longwave": 180.0,
        "snowfall": 2e-6,
    }
    given = {
        name: jnp.asarray(np.broadcast_to(value, grid.shape), float)
        for name, value in (usual | fields).items()
        if value is not None
    }
    return Weather(jnp.array([0, DAY]), given)


def state_of(physics, grid=GRID, fields=None, **given):
    """State with given fields, at rest and zero otherwise, and the memory of `physics`."""
    names = ("concentration", "ice_volume", "snow_volume", "u", "v", "damage", "age")
    full = {
        name: jnp.asarray(np.broadcast_to(given.get(name, 0.0), grid.shape), float)
        for name in names
    }
    bare = State(**full, thermodynamics=None)
    memory = physics.memory(bare, fields, grid)
    return eqx.tree_at(lambda s: s.thermodynamics, bare, memory, is_leaf=lambda leaf: leaf is None)


def random_cover(physics, seed, grid=GRID):
    """Ice of every kind over water of every temperature, in no balance at all."""
    rng = np.random.default_rng(seed)
    ice = random_state(grid, seed)
    fields = {name: np.asarray(field) for name, field in ice.fields().items()}
    air = {"air_temperature": rng.uniform(230.0, 276.0, grid.shape)}
    state = state_of(physics, grid, air, **fields, age=rng.uniform(0, YEAR, grid.shape))
    warmth = rng.choice([0.0, 0.01, 0.3, 4.0], grid.shape)
    return eqx.tree_at(
        lambda s: s.thermodynamics.mixed_layer_temperature,
        state,
        state.thermodynamics.mixed_layer_temperature + warmth,
    )


def random_weather(seed, grid=GRID):
    """Weather from deep winter to a hot summer, snow and ocean currents with it."""
    rng = np.random.default_rng(seed)
    between = lambda low, high: rng.uniform(low, high, grid.shape)  # noqa: E731
    return weather_of(
        grid,
        wind_u=between(-15, 15),
        wind_v=between(-15, 15),
        air_temperature=between(235, 285),
        humidity=between(1e-4, 6e-3),
        shortwave=between(0, 400),
        longwave=between(130, 350),
        snowfall=between(0, 5e-5),
        current_u=between(-0.3, 0.3),
        current_v=between(-0.3, 0.3),
        ocean_temperature=between(270, 276),
    )


# Lindsay (1998), table 1, January to December.
# fmt: off
LINDSAY = {
    "shortwave": (0, 1.2, 31.5, 146, 263.3, 307.9, 230.6, 134.7, 44.2, 2.6, 0, 0),
    "longwave": (164, 160.5, 164.1, 188.1, 245.2, 291.2, 303.9, 297, 263.8, 210.9, 177, 166),
    "air_temperature": (-31.4, -32.8, -31.6, -24.1, -11, -1.8, -.1, -1.4, -8, -19.5, -27.6, -31.1),
    "relative_humidity": (
        78.7, 78.4, 79.6, 82.1, 86.5, 91.7, 95.1, 94.3, 90.7, 83.8, 80.1, 78.7),
    "wind": (4.4, 4, 4, 3.9, 3.9, 4.2, 4.1, 4.2, 4.5, 4.2, 3.9, 4),
    "snowfall": (3.17, 3.17, 3.17, 3.17, 19.0, 0, 0, 16.3, 48.9, 48.9, 3.17, 3.17),
}
# fmt: on


def lindsay_forcing(grid, years):
    """Monthly climate of the central Arctic pack, at mid-months."""
    month = np.tile(np.arange(12), years + 2)
    time = ((np.arange(month.size) + 0.5) / 12 * YEAR).astype(int) - YEAR
    climate = {name: np.asarray(values, float)[month] for name, values in LINDSAY.items()}
    kelvin = climate["air_temperature"] + 273.15
    vapour = 611.2 * np.exp(22.46 * (kelvin - 273.15) / (kelvin - 0.53))  # over ice, Magnus
    fields = {
        "wind_u": climate["wind"],
        "wind_v": 0.0 * climate["wind"],
        "air_temperature": kelvin,
        "humidity": 0.622 * vapour / 101325.0 * climate["relative_humidity"] / 100,
        "shortwave": climate["shortwave"],
        "longwave": climate["longwave"],
        "snowfall": 1e-9 * climate["snowfall"] * 330.0,  # metres of snow
    }
    return Forcing(
        time,
        **{
            name: np.broadcast_to(field[:, None, None], (month.size, *grid.shape))
            for name, field in fields.items()
        },
    )


def run(physics, state, forcing, grid, dt, steps):
    """Step one cell through `forcing`.

    Returns the state and the histories of volume, snow volume, area, surface and water
    temperature.
    """

    def one(state, index):
        weather = forcing.between(index * dt, (index + 1) * dt)
        state = physics.advance(state, weather, grid, dt)
        memory = state.thermodynamics
        kept = (state.ice_volume, state.snow_volume, state.concentration)
        kept = (*kept, memory.surface_temperature, memory.mixed_layer_temperature)
        return state, tuple(field[0, 0] for field in kept)

    return jax.lax.scan(one, state, jnp.arange(steps))
