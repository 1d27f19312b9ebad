"""What columns of snow and ice share: the column itself, melt from either side, flooding."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from floecast.core.constants import ICE_DENSITY, LATENT_HEAT, SNOW_DENSITY, WATER_DENSITY

ICE_HEAT = ICE_DENSITY * LATENT_HEAT
"""To melt fresh ice at 0 C [J/m3]."""
SNOW_HEAT = SNOW_DENSITY * LATENT_HEAT
"""To melt snow at 0 C [J/m3]."""


class Column(eqx.Module):
    """Ice and snow over one unit of ice area.

    Parameters
    ----------
    thickness : array
        Of the ice [m].
    snow_depth : array
        [m]
    surface_temperature : array
        Of the snow, or of bare ice [C].
    enthalpy : tuple of array
        Of equally thick layers of ice from top to bottom, per volume of ice, against melt [J/m3];
        negative.
    """

    thickness: Float[Array, "..."]
    snow_depth: Float[Array, "..."]
    surface_temperature: Float[Array, "..."]
    enthalpy: tuple[Float[Array, "..."], ...]

    @property
    def heat(self):
        """Heat content of ice and snow against melt [J/m2]; negative."""
        mean = sum(self.enthalpy) / len(self.enthalpy)
        return self.thickness * mean - SNOW_HEAT * self.snow_depth


class ColumnChange(eqx.Module):
    """What a column exchanged over a step.

    Parameters
    ----------
    surface_heat : array
        Gained through the surface: radiation, turbulence, snowfall, vapour [J/m2].
    ocean_heat : array
        Taken from the ocean by the given flux, less what melt did not need [J/m2].
    frozen, melted, sublimated, flooded : array
        Ice that froze to the base, melted, left as vapour, came from flooded snow [m]. The
        thickness changes by ``frozen - melted - sublimated + flooded``.
    snow_melted : array
        Snow that melted [m].
    """

    surface_heat: Float[Array, "..."]
    ocean_heat: Float[Array, "..."]
    frozen: Float[Array, "..."]
    melted: Float[Array, "..."]
    sublimated: Float[Array, "..."]
    flooded: Float[Array, "..."]
    snow_melted: Float[Array, "..."]


def melt(heat, depths, enthalpies):
    """Spend heat on layers one after the other.

    Parameters
    ----------
    heat : array
        [J/m2], not negative.
    depths : sequence of array
        Of the layers in the order in which the heat meets them [m].
    enthalpies : sequence of array or float
        Per volume [J/m3], negative.

    Returns
    -------
    depths : list of array
        Left of each layer [m].
    heat : array
        Left when all is molten [J/m2].
    """
    left = []
    for depth, enthalpy in zip(depths, enthalpies, strict=True):
        needed = -enthalpy * depth
        # Without a second branch a layer that melts entirely could leave round-off behind.
        gone = heat >= needed
        left.append(jnp.where(gone, 0.0, depth + heat / enthalpy))
        heat = jnp.where(gone, heat - needed, 0.0)
    return left, heat


def sublimate(mass, snow_depth, depths, enthalpies):
    """Take vapour from the snow, then from the ice.

    Parameters
    ----------
    mass : array
        [kg/m2]; negative for frost, which is added to the snow.
    snow_depth : array
        [m]
    depths : sequence of array
        Of the layers of ice from the top [m].
    enthalpies : sequence of array or float
        Per volume of the layers [J/m3].

    Returns
    -------
    snow_depth : array
        [m]
    depths : list of array
        [m]
    surplus : array
        Heat for the ocean [J/m2]: the latent heat of fusion of `mass`, which the surface flux has
        paid, less that of what was taken. Zero if that was snow, small if it was ice.
    """
    from_snow = jnp.minimum(mass / SNOW_DENSITY, snow_depth)
    rest = (mass - SNOW_DENSITY * from_snow) / ICE_DENSITY
    surplus = LATENT_HEAT * mass - SNOW_HEAT * from_snow
    left = []
    for depth, enthalpy in zip(depths, enthalpies, strict=True):
        taken = jnp.minimum(jnp.maximum(rest, 0.0), depth)
        rest = rest - taken
        surplus = surplus + enthalpy * taken
        left.append(depth - taken)
    return snow_depth - from_snow, left, surplus


def flood(thickness, snow_depth):
    """Turn the snow below the water line into ice.

    Parameters
    ----------
    thickness : array
        Of the ice [m].
    snow_depth : array
        [m]

    Returns
    -------
    snow_depth : array
        Left [m].
    flooded : array
        Ice made of snow, of enthalpy ``-ICE_HEAT`` [m].

    Notes
    -----
    Winton (2000): as much snow, by mass, becomes ice as brings the surface of the ice up to the
    water line. The mass and the heat content of the column stay.
    """
    weight = snow_depth * SNOW_DENSITY - thickness * (WATER_DENSITY - ICE_DENSITY)
    flooded = jnp.maximum(weight, 0.0) / WATER_DENSITY
    return snow_depth - flooded * ICE_DENSITY / SNOW_DENSITY, flooded
