"""From the outputs of a network to the next state: bounds and budgets hold by construction."""

from dataclasses import fields

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from floecast.core.constants import SNOW_DENSITY
from floecast.core.operators import east, north
from floecast.core.state import IceState

from .transport import outflow

RIDGING_WIDTH = 0.003
"""Over which converging ice bends to full cover [1]."""
THINNEST = 0.01
"""Mean thickness over the ice below which its cover shrinks with its volume [m]."""
LEAST_COVER = 1e-12
"""Cover below this is none [1]: squares of less would leave the range of single precision."""
TRACE = 0.003
"""Ice volume per area below which it loses its snow, its damage and its motion [m]."""


class Outputs(eqx.Module):
    """What a network says of a step; leaves ``(y, x)``, all 0 for ice that is left alone.

    Parameters
    ----------
    way_u, way_v : array
        Beyond the mean of the velocities at both ends, U and V points, in units of their change.
    drift_u, drift_v : array
        Change of the velocity, in the same units.
    cover_u, cover_v, volume_u, volume_v : array
        Logarithm of factors on the fluxes of ice cover and ice volume, U and V points.
    growth, melt : array
        Of ice volume, T points.
    freezing, opening : array
        Of ice cover, T points.
    snowing, snow_melt : array
        Of snow, T points.
    breaking, healing : array
        Of damage, T points.
    """

    way_u: Float[Array, "y x"]
    way_v: Float[Array, "y x"]
    drift_u: Float[Array, "y x"]
    drift_v: Float[Array, "y x"]
    cover_u: Float[Array, "y x"]
    cover_v: Float[Array, "y x"]
    volume_u: Float[Array, "y x"]
    volume_v: Float[Array, "y x"]
    growth: Float[Array, "y x"]
    melt: Float[Array, "y x"]
    freezing: Float[Array, "y x"]
    opening: Float[Array, "y x"]
    snowing: Float[Array, "y x"]
    snow_melt: Float[Array, "y x"]
    breaking: Float[Array, "y x"]
    healing: Float[Array, "y x"]

    @classmethod
    def of(cls, channels):
        """From ``(y, x, channel)``."""
        return cls(*(channels[..., number] for number in range(COUNT)))


COUNT = len(fields(Outputs))
"""Channels of a network."""


class Budget(eqx.Module):
    """What a step did, per area of the cell; leaves ``(y, x)``, T points.

    Parameters
    ----------
    ice_transport, ice_growth, ice_melt : array
        Change of ice volume [m]; the transport adds up to nothing over the grid.
    snow_transport, snowfall, snow_loss : array
        Change of snow volume [m].
    cover_transport, ridging, freezing, opening : array
        Change of concentration [1].
    """

    ice_transport: Float[Array, "y x"]
    ice_growth: Float[Array, "y x"]
    ice_melt: Float[Array, "y x"]
    snow_transport: Float[Array, "y x"]
    snowfall: Float[Array, "y x"]
    snow_loss: Float[Array, "y x"]
    cover_transport: Float[Array, "y x"]
    ridging: Float[Array, "y x"]
    freezing: Float[Array, "y x"]
    opening: Float[Array, "y x"]


def close(state, snowfall, outputs, change, grid, dt):
    """The next state.

    Parameters
    ----------
    state : IceState
        Leaves ``(y, x)``.
    snowfall : (y, x) array
        Mean over the step [kg/m2/s].
    outputs : Outputs
    change : dict of scalars
        Standard deviation of the change of each field over a step.
    grid : Grid
    dt : int
        [s]

    Returns
    -------
    state : IceState
    budget : Budget

    Notes
    -----
    Volume changes by fluxes through faces, by growth ``s softplus(g - 4)`` with s the usual change,
    and by melting a share ``1 - exp(-softplus(m - 4) / 5)`` of what is there. Converging ice fills
    the cell up to full cover and ridges, freezing closes a share of the open water, opening takes a
    share of the cover. So 0 <= concentration <= 1 and volumes are not negative whatever the network
    says, with derivatives that vanish nowhere: ice can grow where there is none. Cover, snow,
    damage and velocity go to 0 with the ice volume, and are 0 where there is none.
    """
    drift, way = {}, {}
    volume = state.ice_volume
    for axis, mask in (("u", grid.mask_u), ("v", grid.mask_v)):
        before = getattr(state, axis)
        push = change[axis] * getattr(outputs, f"drift_{axis}")
        drift[axis] = jnp.where(mask, before + push, 0.0)
        way[axis] = before + 0.5 * push + change[axis] * getattr(outputs, f"way_{axis}")
    courant_u, courant_v = (
        jnp.where(mask, way[axis] * dt / side, 0.0)
        for axis, mask, side in (("u", grid.mask_u, grid.dx_u), ("v", grid.mask_v, grid.dx_v))
    )
    excess = (outputs.volume_u, outputs.volume_v)
    by_volume = outflow(volume, courant_u, courant_v, *map(jnp.tanh, excess), grid)
    excess = (outputs.cover_u, outputs.cover_v)
    by_cover = outflow(state.concentration, courant_u, courant_v, *map(jnp.tanh, excess), grid)

    carried = by_volume.carry(volume, grid.area)
    growth = change["ice_volume"] * _rate(outputs.growth)
    left = jnp.exp(-0.2 * _rate(outputs.melt))
    grown = (carried + growth) * left
    trace = -jnp.expm1(-grown / TRACE)

    cover = by_cover.carry(state.concentration, grid.area)
    ridged = _at_most_one(cover)
    frozen = 1.0 - (1.0 - ridged) * jnp.exp(-_rate(outputs.freezing))
    opened = _no_thinner(frozen * jnp.exp(-0.2 * _rate(outputs.opening)), grown)

    snow = by_volume.carry(state.snow_volume, grid.area)
    mean_cover = 0.5 * (state.concentration + opened)
    fallen = snowfall * dt / SNOW_DENSITY * mean_cover * 2.0 * jax.nn.sigmoid(outputs.snowing)
    snow_left = jnp.exp(-0.2 * _rate(outputs.snow_melt)) * trace

    broken = _carried_damage(state, by_volume, grid) * jnp.exp(-0.2 * _rate(outputs.healing))
    damage = 1.0 - (1.0 - broken) * jnp.exp(-_rate(outputs.breaking))

    sea = jnp.asarray(grid.mask_t)
    after = IceState(
        concentration=jnp.where(sea, opened, 0.0),
        ice_volume=jnp.where(sea, grown, 0.0),
        snow_volume=jnp.where(sea, (snow + fallen) * snow_left, 0.0),
        u=drift["u"] * _either(trace, east),
        v=drift["v"] * _either(trace, north),
        damage=jnp.where(sea, damage * trace, 0.0),
    )
    budget = Budget(
        ice_transport=carried - volume,
        ice_growth=growth,
        ice_melt=grown - carried - growth,
        snow_transport=snow - state.snow_volume,
        snowfall=fallen,
        snow_loss=(snow + fallen) * (snow_left - 1.0),
        cover_transport=cover - state.concentration,
        ridging=ridged - cover,
        freezing=frozen - ridged,
        opening=opened - frozen,
    )
    return after, jax.tree.map(lambda term: jnp.where(sea, term, 0.0), budget)


def _rate(output):
    """Positive, small at 0, with a derivative everywhere."""
    return jax.nn.softplus(output - 4.0)


def _at_most_one(cover):
    """Converged cover bent to 1 over `RIDGING_WIDTH`; itself, to round-off, below 0.8."""
    high = cover > 0.8
    bent = 1.0 - RIDGING_WIDTH * jax.nn.softplus(
        (1.0 - jnp.where(high, cover, 1.0)) / RIDGING_WIDTH
    )
    return jnp.where(high, bent, cover)


def _no_thinner(cover, volume):
    """Cover, less where its ice would be thinner than `THINNEST`; 0 with the volume."""
    there = cover > LEAST_COVER
    safe = jnp.where(there, cover, 1.0)
    return jnp.where(there, -safe * jnp.expm1(-volume / (THINNEST * safe)), 0.0)


def _carried_damage(state, faces, grid):
    """Damage carried with the ice volume."""
    ice = faces.carry(state.ice_volume, grid.area)
    broken = faces.carry(state.ice_volume * state.damage, grid.area)
    # What is added keeps the derivative finite where the ice ends, and is lost in any real ice.
    return broken / (ice + 0.1 * TRACE)


def _either(share, ahead):
    """At faces: 1 where one of the two cells has ice, 0 where neither has."""
    return 1.0 - (1.0 - share) * (1.0 - ahead(share))
