"""Ice cover of a cell over its mixed layer: columns, open water, new ice, changes of area."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from floecast.core.constants import LATENT_HEAT, LEAST_VOLUME, MELTING_POINT, THICK, THIN
from floecast.core.operators import u_to_t, v_to_t

from .phase_change import SNOW_HEAT, Column
from .thermodynamics import climatological_snowfall

NEEDS = ("wind_u", "wind_v", "air_temperature", "humidity", "shortwave", "longwave")
"""Forcing fields that the surface balance reads."""
_ON_LAND = {"air_temperature": 260.0, "ocean_temperature": MELTING_POINT}


class Cover(eqx.Module):
    """Ice cover and mixed layer; arrays ``(y, x)`` at T points.

    Parameters
    ----------
    concentration : array
        [1]
    ice_volume, snow_volume : array
        Per area of the cell [m].
    damage : array
        [1]
    age : array
        Mean over the ice volume [s].
    surface_temperature : array
        Of the ice [C].
    enthalpy : tuple of array
        Of the layers of ice per volume of ice [J/m3].
    water_temperature : array
        Of the mixed layer [C].
    """

    concentration: Float[Array, "y x"]
    ice_volume: Float[Array, "y x"]
    snow_volume: Float[Array, "y x"]
    damage: Float[Array, "y x"]
    age: Float[Array, "y x"]
    surface_temperature: Float[Array, "y x"]
    enthalpy: tuple[Float[Array, "y x"], ...]
    water_temperature: Float[Array, "y x"]

    def heat(self, mixed_layer):
        """Heat of ice, snow and water against molten ice and water at freezing [J/m2]."""
        ice = self.ice_volume * _mean(self.enthalpy) - SNOW_HEAT * self.snow_volume
        return ice + mixed_layer.heat(self.water_temperature)


class Budget(eqx.Module):
    """What changed the ice cover over a step, per area of the cell; arrays ``(y, x)``.

    Parameters
    ----------
    surface_heat : array
        Gained from the air by ice, snow and water, snowfall and vapour with it [J/m2].
    relaxation_heat : array
        Gained by relaxing the mixed layer [J/m2].
    frozen, melted, sublimated, flooded : array
        Ice volume [m], which changes by ``frozen - melted - sublimated + flooded``; `frozen` is
        what froze to the base and in open water, `flooded` what was snow before.
    """

    surface_heat: Float[Array, "y x"]
    relaxation_heat: Float[Array, "y x"]
    frozen: Float[Array, "y x"]
    melted: Float[Array, "y x"]
    sublimated: Float[Array, "y x"]
    flooded: Float[Array, "y x"]


def read_weather(forcing, grid):
    """Mean of the forcing over the step, with snowfall, and harmless values on land.

    Parameters
    ----------
    forcing : Forcing
        At the two ends of the step.
    grid : Grid

    Returns
    -------
    dict of (y, x) array
        `climatological_snowfall` stands in for snowfall that the forcing does not have. Under a
        boundary layer its `Contact` is there too.
    """
    weather = forcing.middle()
    if "snowfall" not in weather:
        air = weather["air_temperature"]
        rate = climatological_snowfall(forcing.time[0]).astype(air.dtype)
        weather["snowfall"] = jnp.full_like(air, rate)
    weather = {
        name: jnp.where(grid.mask_t, field, _ON_LAND.get(name, 0.0))
        for name, field in weather.items()
    }
    if forcing.contact is not None:
        weather["contact"] = jax.tree.map(
            lambda leaf: jnp.where(grid.mask_t, leaf, 0.0), forcing.contact
        )
    return weather


def squared_drift(state, weather, grid):
    """Square of the speed of the ice relative to the water, T points [m2/s2].

    The water is still where `weather` has no `current_u` and `current_v`.
    """
    along = u_to_t(state.u, grid) - weather.get("current_u", 0.0)
    across = v_to_t(state.v, grid) - weather.get("current_v", 0.0)
    return along**2 + across**2


def starting_temperatures(state, fields, grid, mixed_layer, snow_factor):
    """Plausible temperatures of ice and water where a run has none to start from.

    Parameters
    ----------
    state : IceState, or a state with the same fields and more
    fields : dict of (y, x) array or None
        air_temperature and ocean_temperature [K], where there are.
    grid : Grid
    mixed_layer : MixedLayer
    snow_factor : float
        Conductivity of ice over that of snow [1].

    Returns
    -------
    surface : (y, x) array
        As cold as the air, at most 0 C; freezing where there is neither ice nor air [C].
    top : (y, x) array
        Of the ice below the snow, in series with it [C].
    water : (y, x) array
        As `ocean_temperature` in open water, freezing under full ice [C].
    """
    fields = {} if fields is None else fields
    freezing = mixed_layer.freezing_point + jnp.zeros_like(jnp.asarray(state.concentration))
    ice = (state.ice_volume > 0) & grid.mask_t
    air = fields.get("air_temperature", freezing + MELTING_POINT) - MELTING_POINT
    surface = jnp.where(ice, jnp.minimum(air, 0.0), freezing)
    snow = snow_factor * state.snow_volume
    resistance = jnp.where(ice, state.ice_volume + snow, 1.0)
    top = surface + (freezing - surface) * jnp.where(ice, snow, 0.0) / resistance
    sea = fields.get("ocean_temperature", freezing + MELTING_POINT) - MELTING_POINT
    warmth = jnp.where(grid.mask_t, jnp.maximum(sea - freezing, 0.0), 0.0)
    return surface, top, freezing + (1.0 - state.concentration) * warmth


def with_cover(state, cover, memory, grid):
    """State with a new cover and memory on the ocean, without ice on land.

    Parameters
    ----------
    state : state with `thermodynamics` and `age`
    cover : Cover
    memory : pytree of (y, x) array
        For `thermodynamics`.
    grid : Grid

    Returns
    -------
    state
    """
    names = ("concentration", "ice_volume", "snow_volume", "damage", "age")
    fields = {name: jnp.where(grid.mask_t, getattr(cover, name), 0.0) for name in names}
    memory = jax.tree.map(
        lambda new, old: jnp.where(grid.mask_t, new, old), memory, state.thermodynamics
    )
    return replace(state, thermodynamics=memory, **fields)


def dilute_damage(damage, area_left, area):
    """Damage after new, intact ice has frozen between the old.

    Parameters
    ----------
    damage : array
        Of the old ice [1].
    area_left : array
        Concentration of the old ice [1].
    area : array
        Concentration of old and new ice [1].

    Returns
    -------
    array
        ``damage * area_left / area``: a mean by area; unchanged where there is no ice.
    """
    return damage * fraction_left(area_left, area)


def fraction_left(after, before):
    """``after / before``, at most 1; 1 where `before` is next to nothing."""
    some = before > LEAST_VOLUME
    return jnp.where(some, jnp.minimum(after / jnp.where(some, before, 1.0), 1.0), 1.0)


def advance_cover(cover, weather, squared_speed, dt, physics):
    """Grow and melt ice, and warm and cool the water, over one step.

    Parameters
    ----------
    cover : Cover
    weather : dict of (y, x) array
        From `read_weather`.
    squared_speed : (y, x) array
        Of the ice relative to the water [m2/s2].
    dt : float
        [s]
    physics : Winton or ZeroLayer
        Gives `step_column`, `new_ice`, `surface`, `mixed_layer` and `closing_thickness`.

    Returns
    -------
    Cover
    Budget

    Notes
    -----
    1. Area is made consistent with volume: thickness in [`THIN`, `THICK`]. Ice of less than
       `LEAST_VOLUME` goes to the water, and so does snow on area that goes, here and below.
    2. The column grows and melts; its area shrinks to ``2 r / (1 + r)`` when its thickness shrinks
       to the fraction r: Hibler's half for a small loss, and none where nothing is left. What
       remains is made consistent again.
    3. The mixed layer gets the heat through open water, what the ice did not use, and what it
       relaxes by; it pays for melting the snow that falls into it.
    4. Water below freezing freezes, g metres over the open part, and closes the fraction
       ``1 - exp(-g / h0)`` of that. New ice is as warm as the water; its heat content mixes with
       that of the old by volume, the surface temperature and the damage by area, the age by
       volume.

    Heat is conserved to round-off: `Cover.heat` changes by
    ``surface_heat + relaxation_heat`` of the `Budget`.

    References
    ----------
    Hibler (1979), doi:10.1175/1520-0485(1979)009<0815:ADTSIM>2.0.CO;2.
    """
    ocean = physics.mixed_layer
    freezing = ocean.freezing_point + jnp.zeros_like(cover.water_temperature)
    new_ice = physics.new_ice(freezing)
    snowfall = weather["snowfall"]

    start, sunk, dropped = _gather(cover, cover.concentration)
    area = start.concentration
    column, change = _step_column(start, weather, squared_speed, freezing, new_ice, dt, physics)
    thinned, left = _shrink(start, column)
    rest, sunk_later, dropped_later = _gather(thinned, left)

    water = physics.surface.over_water(weather, start.water_temperature)
    relaxed = ocean.relaxation(start.water_temperature, weather.get("ocean_temperature"), dt)
    from_air = (1.0 - area) * -(water.net + LATENT_HEAT * snowfall) * dt
    heat = from_air + relaxed + sunk + sunk_later - area * change.ocean_heat
    temperature, to_freeze = ocean.advance(start.water_temperature, heat)
    new_volume = to_freeze / -_mean(new_ice)

    young = area * (change.frozen + change.flooded) + new_volume
    found = _freeze(rest, new_volume, new_ice, freezing, physics.closing_thickness)
    found = replace(
        found,
        age=(cover.age + dt) * (1.0 - _share(young, found.ice_volume)),
        water_temperature=temperature,
    )
    budget = Budget(
        surface_heat=area * change.surface_heat + from_air,
        relaxation_heat=relaxed,
        frozen=area * change.frozen + new_volume,
        melted=area * change.melted + dropped + dropped_later,
        sublimated=area * change.sublimated,
        flooded=area * change.flooded,
    )
    return found, budget


def _mean(enthalpy):
    return sum(enthalpy) / len(enthalpy)


def _share(part, whole):
    """Part of the whole, in [0, 1]; 1 of nothing."""
    some = whole > 0
    return jnp.where(some, jnp.minimum(part / jnp.where(some, whole, 1.0), 1.0), 1.0)


def _gather(cover, area):
    """Cover with `area` made consistent with its volume, heat and ice volume lost to the water."""
    ice = cover.ice_volume > LEAST_VOLUME
    volume = jnp.where(ice, cover.ice_volume, 0.0)
    consistent = jnp.clip(area, volume / THICK, jnp.minimum(volume / THIN, 1.0))
    kept = fraction_left(consistent, cover.concentration)
    snow = jnp.where(ice, cover.snow_volume * kept, 0.0)
    dropped = cover.ice_volume - volume
    heat = dropped * _mean(cover.enthalpy) - SNOW_HEAT * (cover.snow_volume - snow)
    found = replace(cover, concentration=consistent, ice_volume=volume, snow_volume=snow)
    return found, heat, dropped


def _step_column(cover, weather, squared_speed, freezing, new_ice, dt, physics):
    """Column after the step and what it exchanged; a stand-in of 1 m where there is no ice."""
    ice = cover.ice_volume > 0
    area = jnp.where(ice, cover.concentration, 1.0)
    column = Column(
        jnp.where(ice, cover.ice_volume, 1.0) / area,
        jnp.where(ice, cover.snow_volume, 0.0) / area,
        jnp.where(ice, cover.surface_temperature, freezing),
        tuple(jnp.where(ice, old, new) for old, new in zip(cover.enthalpy, new_ice, strict=True)),
    )
    flux = physics.surface.over_ice(
        weather, column.surface_temperature, column.thickness, column.snow_depth
    )
    basal = physics.mixed_layer.basal_flux(
        cover.water_temperature, cover.concentration, squared_speed, dt
    )
    return physics.step_column(column, flux, basal, freezing, weather["snowfall"], dt)


def _shrink(cover, column):
    """Cover with the new column, and the area that is left of it."""
    area = cover.concentration
    before = jnp.where(cover.ice_volume > 0, cover.ice_volume, 1.0)
    left = jnp.where(cover.ice_volume > 0, jnp.minimum(area * column.thickness / before, 1.0), 1.0)
    found = replace(
        cover,
        ice_volume=area * column.thickness,
        snow_volume=area * column.snow_depth,
        surface_temperature=column.surface_temperature,
        enthalpy=column.enthalpy,
    )
    return found, area * 2.0 * left / (1.0 + left)


def _freeze(cover, new_volume, new_ice, freezing, closing_thickness):
    """Cover joined by new ice; warm and without age where there is none."""
    area, volume = cover.concentration, cover.ice_volume + new_volume
    open_water = 1.0 - area
    depth = new_volume / jnp.maximum(open_water, 1e-6)
    closed = area - open_water * jnp.expm1(-depth / closing_thickness)
    closed = jnp.clip(closed, jnp.minimum(volume / THICK, 1.0), 1.0)
    share, part = _share(new_volume, volume), _share(closed - area, closed)
    surface = cover.surface_temperature
    return replace(
        cover,
        concentration=closed,
        ice_volume=volume,
        damage=dilute_damage(cover.damage, area, closed),
        surface_temperature=surface + part * (freezing - surface),
        enthalpy=tuple(
            old + share * (new - old) for old, new in zip(cover.enthalpy, new_ice, strict=True)
        ),
    )
