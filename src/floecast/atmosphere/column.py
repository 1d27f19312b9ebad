"""A column of air: its state, what it gives the surface, and the operators that act on it."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .forcing import Aloft
from .levels import along_levels
from .surface import Exchange
from .tridiagonal import solve_tridiagonal

IMPLICIT = 0.55
"""Weight of the new time in the turning of the wind [1]."""
LEAST_HELD_DEPTH = 160.0
"""Depth of the layer with which the relaxation reckons where the layer is shallower [m]. The scheme
of Lemarie et al. (2021) counts levels and takes twice the height of the fourth interface, which is
this on its grid; counted on finer levels it would let the relaxation into shallow stable layers."""


class ColumnState(eqx.Module):
    """State of columns of air.

    Parameters
    ----------
    wind_u, wind_v : (level, ...) array
        [m/s]
    potential_temperature : (level, ...) array
        Relative to the surface pressure [K].
    humidity : (level, ...) array
        Specific [1].
    turbulent_energy : (level + 1, ...) array
        At the interfaces, the surface and the top among them [m2/s2].
    depth : (...) array
        Of the turbulent layer [m].
    """

    wind_u: Float[Array, "level ..."]
    wind_v: Float[Array, "level ..."]
    potential_temperature: Float[Array, "level ..."]
    humidity: Float[Array, "level ..."]
    turbulent_energy: Float[Array, "interface ..."]
    depth: Float[Array, "..."]


class Contact(eqx.Module):
    """What the air does to the surface, all leaves ``(...)``.

    Parameters
    ----------
    stress_ice_u, stress_ice_v, stress_water_u, stress_water_v : array
        On the surface, per area of that surface [N/m2].
    sensible_ice, sensible_water, latent_ice, latent_water : array
        Heat upward, per area of that surface [W/m2].
    vapour_ice, vapour_water : array
        Upward [kg/m2/s].
    density : array
        Of the lowest air, by which stress and heat follow from the fluxes of the column [kg/m3].
    lowest_u, lowest_v, lowest_potential_temperature, lowest_humidity : array
        Air at the lowest level [m/s], [K], [1].
    exchange : Exchange
        Conductances of the last step.
    heat_response, moisture_response : array
        ``1 - dt A K_ice / (b + dt K)``, how much of a change of the ice's surface temperature or
        saturation humidity the air above does not follow within the last step: the sensible heat
        over ice changes by ``rho c_p K_ice heat_response`` per kelvin, exactly [1].
    wind_u, wind_v : array
        At 10 m [m/s].
    air_temperature, humidity : array
        At 2 m [K], [1].
    """

    stress_ice_u: Float[Array, "..."]
    stress_ice_v: Float[Array, "..."]
    stress_water_u: Float[Array, "..."]
    stress_water_v: Float[Array, "..."]
    sensible_ice: Float[Array, "..."]
    sensible_water: Float[Array, "..."]
    latent_ice: Float[Array, "..."]
    latent_water: Float[Array, "..."]
    vapour_ice: Float[Array, "..."]
    vapour_water: Float[Array, "..."]
    density: Float[Array, "..."]
    lowest_u: Float[Array, "..."]
    lowest_v: Float[Array, "..."]
    lowest_potential_temperature: Float[Array, "..."]
    lowest_humidity: Float[Array, "..."]
    exchange: Exchange
    heat_response: Float[Array, "..."]
    moisture_response: Float[Array, "..."]
    wind_u: Float[Array, "..."]
    wind_v: Float[Array, "..."]
    air_temperature: Float[Array, "..."]
    humidity: Float[Array, "..."]


def on_levels(aloft, levels):
    """The large scale at the heights of a column.

    Parameters
    ----------
    aloft : Aloft
        Leaves ``(level, ...)``, without time.
    levels : Levels

    Returns
    -------
    Aloft
        Linear in height, constant below and above what is given.
    """
    known = jnp.asarray(aloft.height)
    fields = aloft.profiles()
    like = fields["wind_u"]
    if known.shape[0] == 1:
        shape = (len(levels), *like.shape[1:])
        return Aloft(
            jnp.asarray(levels.centres, like.dtype),
            **{name: jnp.broadcast_to(field, shape) for name, field in fields.items()},
        )
    height = jnp.asarray(levels.centres, known.dtype)
    low = jnp.clip(jnp.searchsorted(known, height) - 1, 0, known.shape[0] - 2)
    part = jnp.clip((height - known[low]) / (known[low + 1] - known[low]), 0.0, 1.0)
    part = part.astype(like.dtype).reshape((-1,) + (1,) * (like.ndim - 1))

    def at_heights(field):
        below = field[low]
        return below + part * (field[low + 1] - below)

    return Aloft(height, **{name: at_heights(field) for name, field in fields.items()})


def turn_to_geostrophic(wind_u, wind_v, geostrophic_u, geostrophic_v, coriolis, dt):
    """Wind after the Coriolis force and the pressure gradient have acted for a step.

    Parameters
    ----------
    wind_u, wind_v, geostrophic_u, geostrophic_v : (level, ...) array
        [m/s]
    coriolis : (...) array
        [1/s]
    dt : float
        [s]

    Returns
    -------
    wind_u, wind_v : (level, ...) array

    Notes
    -----
    With ``w = u + i v``, ``c = f dt`` and g = 0.55 the ageostrophic wind becomes
    ``(1 - i (1 - g) c) / (1 + i g c) (w - w_g)``. A wind in balance stays to the last bit whatever
    the step, and the ageostrophic wind never grows.
    """
    angle = (coriolis * dt)[None]
    scale = 1.0 / (1.0 + (IMPLICIT * angle) ** 2)
    real, imaginary = -IMPLICIT * angle**2 * scale, -angle * scale
    away_u, away_v = wind_u - geostrophic_u, wind_v - geostrophic_v
    turned_u = wind_u + (real * away_u - imaginary * away_v)
    turned_v = wind_v + (real * away_v + imaginary * away_u)
    return turned_u, turned_v


def diffuse(levels, diffusivity, fields, dt):
    """Mix fields up and down, Euler backward, without fluxes at surface and top.

    Parameters
    ----------
    levels : Levels
    diffusivity : (level - 1, ...) array
        Between the cells [m2/s].
    fields : tuple of (level, ...) array
    dt : float
        [s]

    Returns
    -------
    fields : tuple of (level, ...) array
    response : (level, ...) array
        What one unit of the field times metres, brought into the lowest cell over the step, has
        added to each cell at its end [1/m].

    Notes
    -----
    The increments are solved for, so that a uniform field stays to the last bit and float32 loses
    little.
    """
    conductance = dt * diffusivity / along_levels(levels.spacing, diffusivity)
    thickness = along_levels(levels.thickness, diffusivity)
    inner = thickness[1:-1] + conductance[1:] + conductance[:-1]
    ends = thickness[:1] + conductance[:1], thickness[-1:] + conductance[-1:]
    diagonal = jnp.concatenate([ends[0], inner, ends[1]])

    def gained(field):
        flow = conductance * jnp.diff(field, axis=0)
        return jnp.concatenate([flow[:1], jnp.diff(flow, axis=0), -flow[-1:]])

    unit = jnp.zeros_like(diagonal).at[0].set(1.0)
    right = (*map(gained, fields), unit)
    *changes, response = solve_tridiagonal(-conductance, diagonal, -conductance, right)
    changed = tuple(field + change for field, change in zip(fields, changes, strict=True))
    return changed, response


def relaxation_rate(levels, depth, inside, above):
    """Rate at which a column is drawn to the large scale.

    Parameters
    ----------
    levels : Levels
    depth : (...) array
        Of the turbulent layer [m].
    inside, above : float
        Times within half the depth, and above one and a half of it [s].

    Returns
    -------
    (level, ...) array
        [1/s]; between them a cubic without corners. The depth counts as `LEAST_HELD_DEPTH` at
        least, so that air below half of that is free, whatever the levels.
    """
    depth = jnp.clip(depth, LEAST_HELD_DEPTH, levels.edges[-4] / 1.5)[None]
    height = along_levels(levels.centres, depth)
    part = jnp.clip(height / depth, 0.5, 1.5) - 0.5
    weight = part * part * (3.0 - 2.0 * part)
    return 1.0 / inside + (1.0 / above - 1.0 / inside) * weight


def exchange_with(free, gain, conductances, values, concentration):
    """Lowest air after a step in which it exchanges with the mosaic below.

    Parameters
    ----------
    free : array
        Of the lowest cell without exchange.
    gain : array
        Change of the lowest cell for a unit of flux [s/m].
    conductances, values : pair of array
        Of ice and of water [m/s].
    concentration : array
        [1]

    Returns
    -------
    lowest : array
    flux_ice, flux_water : array
        Upward, per area of ice and of water [field times m/s].
    """
    ice, water = concentration * conductances[0], (1.0 - concentration) * conductances[1]
    pull = ice * (values[0] - free) + water * (values[1] - free)
    lowest = free + gain * pull / (1.0 + gain * (ice + water))
    return (
        lowest,
        conductances[0] * (values[0] - lowest),
        conductances[1] * (values[1] - lowest),
    )
