"""What the network of an emulator is shown."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from floecast.atmosphere.forcing import WEATHER

from .ocean import YEAR

OCEAN = ("current_u", "current_v", "ocean_temperature")
"""Of the ocean, at the middle of the step."""
_PACK = 20.0
"""Strength of the pack goes as exp(-20 (1 - concentration)) (Hibler 1979) [1]."""


def feature_names():
    """Names of the channels, in order."""
    state = ["concentration", "compactness", "ice_volume", "thickness", "snow_volume"]
    state += ["u", "v", "damage", "log_integrity"]
    weather = [f"{name}@{end}" for name in WEATHER for end in ("start", "end")]
    return [*state, *weather, *OCEAN, "sea", "x", "y", "season_cos", "season_sin"]


def features(state, forcing, grid):
    """Channels in physical units.

    Parameters
    ----------
    state : IceState
        Leaves ``(y, x)``.
    forcing : Forcing
        At the two ends of the step, with the ocean.
    grid : Grid

    Returns
    -------
    (y, x, channel) array
        Velocities as they stand at the faces of the same index; 0 on land.
    """
    sea = jnp.asarray(grid.mask_t)
    dtype = state.concentration.dtype
    open_water = 1.0 - state.concentration
    channels = [
        state.concentration,
        jnp.exp(-_PACK * open_water),
        state.ice_volume,
        state.ice_volume / (state.concentration + 0.05),
        state.snow_volume,
        state.u,
        state.v,
        state.damage,
        jnp.log(1.0 - state.damage + 1e-3),
    ]
    for name in WEATHER:
        channels += list(getattr(forcing, name))
    channels += [jnp.mean(getattr(forcing, name), axis=0) for name in OCEAN]
    season = 2.0 * jnp.pi * ((forcing.time[0] / YEAR) % 1.0)
    place = jnp.meshgrid(*(jnp.asarray(axis) / 3.2e6 for axis in (grid.x, grid.y)))
    channels += [jnp.ones(grid.shape), *place]
    channels += [jnp.broadcast_to(wave(season), grid.shape) for wave in (jnp.cos, jnp.sin)]
    stacked = jnp.stack([channel.astype(dtype) for channel in channels], axis=-1)
    return jnp.where(sea[..., None], stacked, 0.0)


class Scaling(eqx.Module):
    """Statistics of what an emulator learned from.

    Parameters
    ----------
    mean, deviation : (channel,) array
        Of `features`, over sea.
    change : dict of arrays
        Standard deviation of the change of each field of the state over a step, over sea; of
        velocities over ice; 1 for a field that never changes.
    """

    mean: Float[Array, " channel"]
    deviation: Float[Array, " channel"]
    change: dict[str, Float[Array, ""]]

    def apply(self, channels, sea):
        """Channels of mean 0 and deviation 1 over sea, 0 on land."""
        return (channels - self.mean[None, None]) / self.deviation[None, None] * sea


def fit_scaling(archive, ocean, grid, dt, *, key, samples=200):
    """Statistics of an archive.

    Parameters
    ----------
    archive : Archive
    ocean : OceanClimatology or None
        What its forcing lacks.
    grid : Grid
    dt : int
        Length of a step [s].
    key : key
        Chooses the steps.
    samples : int
        Number of steps looked at.

    Returns
    -------
    Scaling
    """
    begins = archive.beginnings(1, dt)
    chosen = jax.random.choice(key, len(begins), (min(samples, len(begins)),), replace=False)
    sea, area = np.asarray(grid.mask_t), np.asarray(grid.area)
    shown = eqx.filter_jit(lambda state, forcing: features(state, forcing, grid))
    total, squares, changes = 0.0, 0.0, {}
    for number in np.sort(np.asarray(chosen)):
        piece = archive.pieces(begins[number : number + 1], 1, dt)
        before, after = (jax.tree.map(lambda leaf, n=n: leaf[0, n], piece.state) for n in (0, 1))
        forcing = jax.tree.map(lambda leaf: leaf[0], piece.forcing)
        if ocean is not None:
            forcing = forcing.with_absent(ocean.between(*forcing.time))
        channels = np.asarray(shown(before, forcing), float)[sea]
        total, squares = total + channels.mean(0), squares + (channels**2).mean(0)
        ice = (before.concentration > 0.15) & (after.concentration > 0.15) & sea
        for name, field in before.fields().items():
            where = ice if name in ("u", "v") else sea
            change = (np.asarray(after.fields()[name]) - field)[where]
            weight = area[where] / max(area[where].sum(), 1.0)
            changes[name] = changes.get(name, 0.0) + np.sum(weight * change.astype(float) ** 2)
    count = len(chosen)
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    # A constant channel, such as the mask, stays as it is: 1 on sea and 0 on land tells the coast.
    varies = deviation > 1e-6 * np.abs(mean)
    mean, deviation = np.where(varies, mean, 0.0), np.where(varies, deviation, 1.0)
    change = {name: float(np.sqrt(square / count)) or 1.0 for name, square in changes.items()}
    return Scaling(
        jnp.asarray(mean),
        jnp.asarray(deviation),
        {name: jnp.asarray(size) for name, size in change.items()},
    )
