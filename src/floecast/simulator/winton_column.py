"""The three-layer column of Winton (2000): snow without and two layers of ice with heat capacity.

Temperatures are in C, heat fluxes in W/m2; arrays of any one shape.
"""

import jax.numpy as jnp

from floecast.core.constants import ICE_DENSITY, ICE_HEAT_CAPACITY, ICE_MELTING, LATENT_HEAT

from .phase_change import ICE_HEAT, SNOW_HEAT, Column, ColumnChange, flood, melt, sublimate

_SENSIBLE = ICE_DENSITY * ICE_HEAT_CAPACITY
_BRINE = LATENT_HEAT * ICE_MELTING / ICE_HEAT_CAPACITY
"""r of T + r / T, to which the enthalpy of ice with brine is linear [K2], negative."""
_WARMEST = ICE_MELTING / 0.9
"""Upper layer with 90 % brine; more heat melts the surface [C]."""
_LEAST_THICKNESS = 1e-3
"""Thinner ice conducts as if it were that thick [m]."""
_LEAST_DEPTH = 1e-18
"""Less ice mixes with none [m]: the square, by which a derivative divides, is 0 in float32."""


def upper_enthalpy(temperature):
    """Enthalpy of the upper layer, with brine, against melt.

    Parameters
    ----------
    temperature : array
        Below zero [C].

    Returns
    -------
    array
        [J/m3], ``rho (c (T - T_m) - L (1 - T_m / T))``.
    """
    return _SENSIBLE * (temperature - ICE_MELTING) - ICE_HEAT * (1.0 - ICE_MELTING / temperature)


def lower_enthalpy(temperature):
    """Enthalpy of the lower layer, without brine, ``rho (c (T - T_m) - L)`` [J/m3] of T [C]."""
    return _SENSIBLE * (temperature - ICE_MELTING) - ICE_HEAT


def upper_temperature(enthalpy):
    """Temperature of the upper layer [C], the inverse of `upper_enthalpy` [J/m3]."""
    total = (enthalpy + ICE_HEAT) / _SENSIBLE + ICE_MELTING
    root = jnp.sqrt(total**2 - 4.0 * _BRINE)
    # The negative root of T^2 - total T + r, each sign of total without cancellation.
    return jnp.where(
        total < 0, 0.5 * (total - root), 2.0 * _BRINE / (jnp.maximum(total, 0.0) + root)
    )


def lower_temperature(enthalpy):
    """Temperature of the lower layer [C], the inverse of `lower_enthalpy` [J/m3]."""
    return (enthalpy + ICE_HEAT) / _SENSIBLE + ICE_MELTING


def step_column(
    column,
    flux,
    *,
    ocean_flux,
    bottom_temperature,
    snowfall,
    dt,
    ice_conductivity=2.0334,
    snow_conductivity=0.31,
):
    """Advance the column by one step.

    Parameters
    ----------
    column : Column
        With the enthalpies of the upper and the lower layer.
    flux : SurfaceFlux
        At the surface temperature of `column`.
    ocean_flux : array
        From the ocean to the ice.
    bottom_temperature : array
        Of the base, the freezing point of the water.
    snowfall : array
        [kg/m2/s]
    dt : float
        [s]
    ice_conductivity, snow_conductivity : array or float
        [W/m/K]

    Returns
    -------
    Column
    ColumnChange

    Notes
    -----
    The temperatures are implicit in time. Then snow falls, vapour leaves,
    the base grows or melts, the surface melts, snow below the water line becomes ice, and the two
    layers are made equal. All of that is done with heat contents, so that the heat of the column
    changes by ``surface_heat + ocean_heat`` to round-off. If equal layers leave the lower one above
    T_m, both lose the same thickness, at the top and at the base, that takes this heat:
    ``(h / 2) rho c (T2 - T_m) / (rho L - e1)`` each. Heat that finds nothing to melt goes back to
    the ocean.

    References
    ----------
    Winton (2000), doi:10.1175/1520-0426(2000)017<0525:ARTLSI>2.0.CO;2.
    """
    surface, upper, lower, fluxes = _temperatures(
        column, flux, bottom_temperature, dt, ice_conductivity, snow_conductivity
    )
    net, conducted_to_surface, conducted_from_base = fluxes

    half = 0.5 * column.thickness
    heats = upper_enthalpy(upper), lower_enthalpy(lower)
    upper_heat = jnp.minimum(heats[0], upper_enthalpy(_WARMEST))
    lower_heat = heats[1]
    top_heat = jnp.maximum(conducted_to_surface - net, 0.0) * dt + (heats[0] - upper_heat) * half
    base_heat = (ocean_flux - conducted_from_base) * dt

    snow = column.snow_depth + snowfall * dt * LATENT_HEAT / SNOW_HEAT
    mass = flux.sublimation * dt
    snow, (first, second), surplus = sublimate(mass, snow, (half, half), (upper_heat, lower_heat))
    sublimated = column.thickness - first - second

    bottom_heat = lower_enthalpy(bottom_temperature)
    frozen = jnp.maximum(-base_heat, 0.0) / -bottom_heat
    lower_heat = _mixed(second, lower_heat, frozen, bottom_heat)
    second = second + frozen
    before_melt, snow_before = first + second, snow
    (second, first, snow), unused = melt(
        jnp.maximum(base_heat, 0.0), (second, first, snow), (lower_heat, upper_heat, -SNOW_HEAT)
    )
    (snow, first, second), unused_above = melt(
        top_heat, (snow, first, second), (-SNOW_HEAT, upper_heat, lower_heat)
    )
    melted, snow_melted = before_melt - first - second, snow_before - snow

    snow, flooded = flood(first + second, snow)
    upper_heat = _mixed(first, upper_heat, flooded, -ICE_HEAT)
    thickness, layers, softened = _equal_layers((first + flooded, upper_heat), (second, lower_heat))
    unused = unused + unused_above + surplus
    change = ColumnChange(
        surface_heat=(flux.penetrating - net + LATENT_HEAT * (flux.sublimation - snowfall)) * dt,
        ocean_heat=ocean_flux * dt - unused,
        frozen=frozen,
        melted=melted + softened,
        sublimated=sublimated,
        flooded=flooded,
        snow_melted=snow_melted,
    )
    return Column(thickness, snow, surface, layers), change


def _temperatures(column, flux, bottom, dt, ice_conductivity, snow_conductivity):
    """New temperatures of surface and layers, and the three fluxes that go with them.

    The fluxes are the loss of heat to the air at the new surface temperature, conduction from the
    upper layer to the surface, and conduction from the base to the lower layer.
    """
    thickness = column.thickness
    upper, lower = upper_temperature(column.enthalpy[0]), lower_temperature(column.enthalpy[1])
    conducting = jnp.maximum(thickness, _LEAST_THICKNESS)
    above = (
        4.0
        * ice_conductivity
        * snow_conductivity
        / (snow_conductivity * conducting + 4.0 * ice_conductivity * column.snow_depth)
    )
    within = 2.0 * ice_conductivity / conducting
    storage = thickness * _SENSIBLE
    slope = flux.slope
    offset = flux.net - slope * column.surface_temperature

    # A T1 + B + C / T1 = 0 for the upper layer, the lower one and the surface eliminated.
    lag = 6.0 * dt * within + storage
    a = 0.5 * storage / dt + within * (4.0 * dt * within + storage) / lag
    b = (
        -0.5 * thickness / dt * (_SENSIBLE * upper + ICE_HEAT * ICE_MELTING / upper)
        - flux.penetrating
        - within * (4.0 * dt * within * bottom + storage * lower) / lag
    )
    c = 0.5 * thickness * ICE_HEAT * ICE_MELTING / dt
    joint = above / (above + slope)
    free = _negative_root(a + slope * joint, b + offset * joint, c)
    surface = (above * free - offset) / (above + slope)

    melting = jnp.where(column.snow_depth > 0, 0.0, ICE_MELTING)
    melts = surface > melting
    upper = jnp.where(melts, _negative_root(a + above, b - above * melting, c), free)
    surface = jnp.where(melts, melting, surface)
    lower = (2.0 * dt * within * (upper + 2.0 * bottom) + storage * lower) / lag
    net = offset + slope * surface
    to_surface = jnp.where(melts, above * (upper - surface), net)
    return surface, upper, lower, (net, to_surface, 2.0 * within * (bottom - lower))


def _negative_root(a, b, c):
    """Negative root of a x^2 + b x + c with a > 0, c <= 0; a little below zero where c is 0."""
    inside = b * b - 4.0 * a * c
    some = inside > 0
    root = jnp.where(some, jnp.sqrt(jnp.where(some, inside, 1.0)), 0.0)
    falling = b < 0
    denominator = jnp.where(falling, root - b, 1.0)
    value = jnp.where(falling, 2.0 * c / denominator, -(b + root) / (2.0 * a))
    return jnp.minimum(value, -1e-6)


def _mixed(depth, enthalpy, more, other):
    """Enthalpy of `depth` of ice joined by `more` of another."""
    total = depth + more
    some = total > _LEAST_DEPTH
    weight = jnp.where(some, more / jnp.where(some, total, 1.0), 0.0)
    return enthalpy + weight * (other - enthalpy)


def _equal_layers(upper, lower):
    """Thickness and enthalpies after ice has passed between the layers to make them equal."""
    (first, upper_heat), (second, lower_heat) = upper, lower
    excess = 0.5 * (second - first)
    upper_heat, lower_heat = (
        _mixed(first, upper_heat, jnp.maximum(excess, 0.0), lower_heat),
        _mixed(second, lower_heat, jnp.maximum(-excess, 0.0), upper_heat),
    )
    half = 0.5 * (first + second)
    too_much = jnp.maximum(lower_heat + ICE_HEAT, 0.0)
    lost = half * too_much / (ICE_HEAT - upper_heat)
    return 2.0 * (half - lost), (upper_heat, lower_heat - too_much), 2.0 * lost
