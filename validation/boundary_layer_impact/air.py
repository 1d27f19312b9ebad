"""Columns of air over ice that is held as it is: what a forecast of weather alone knows of ice."""

from dataclasses import replace
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from floecast.atmosphere.coupling import middle_aloft, packed, sea_cells
from floecast.atmosphere.forcing import Aloft
from floecast.atmosphere.surface import Surface
from floecast.core.constants import FREEZING_POINT, MELTING_POINT
from floecast.emulator.skin import Skin

INTERVAL = 1800
"""After which air and surface temperature answer to each other [s]."""
DAY = 86400
_ON_LAND = {"air_temperature": 260.0, "humidity": 1e-3, "density": 1.3}


class AtSea(eqx.Module):
    """A boundary layer that is computed over the sea only, half of the cells.

    Parameters
    ----------
    layer : BoundaryLayer
    cells : (cell,) int array
        Places of the ocean cells in the flattened grid.
    shape : (2,) tuple of int
        Of the grid.
    """

    layer: eqx.Module
    cells: jax.Array
    shape: tuple = eqx.field(static=True)

    @classmethod
    def over(cls, layer, grid):
        """Over a grid."""
        return cls(layer, sea_cells(grid), grid.shape)

    def start(self, aloft, surface, coriolis):
        """See `BoundaryLayer.start`; leaves ``(level, cell)``."""
        return self.layer.start(self._aloft(aloft), *packed((surface, coriolis), self.cells))

    def advance(self, column, aloft, surface, coriolis, dt):
        """See `BoundaryLayer.advance`; the contact is ``(y, x)``, harmless on land."""
        column, contact = self.layer.advance(
            column, self._aloft(aloft), *packed((surface, coriolis), self.cells), dt
        )
        put = jax.tree.map(self._put, contact)
        fills = {name: self._put(getattr(contact, name), land) for name, land in _ON_LAND.items()}
        return column, replace(put, **fills)

    def _aloft(self, aloft):
        return Aloft(aloft.height, **packed(aloft.profiles(), self.cells))

    def _put(self, field, land=0.0):
        flat = jnp.full((*field.shape[:-1], np.prod(self.shape)), land, field.dtype)
        return flat.at[..., self.cells].set(field).reshape(*field.shape[:-1], *self.shape)


class HeldIceAir(eqx.Module):
    """Air over ice whose cover, thickness and snow do not change and which does not move.

    Only the temperature of its surface follows radiation and air, by the balance of `Skin`.

    Parameters
    ----------
    layer : AtSea
    roughness : float
        Of level ice [m].
    grid : Grid
    ocean : ArcticOcean
    skin : Skin
    """

    layer: AtSea
    roughness: jax.Array
    grid: eqx.Module
    ocean: eqx.Module
    skin: Skin = eqx.field(default_factory=Skin)

    def settled(self, ice, forcing):
        """Column and surface temperature after a day over some ice under the first weather.

        Parameters
        ----------
        ice : IceState
        forcing : Forcing
            With `aloft`, of which the first time counts.

        Returns
        -------
        column, temperature, contact
        """
        now = forcing.between(forcing.time[0], forcing.time[0])
        aloft = middle_aloft(now, self.grid)
        temperature = jnp.minimum(aloft.potential_temperature[0], MELTING_POINT)
        surface = self._surface(ice, temperature, self._weather(now))
        column = self.layer.start(aloft, surface, self._coriolis(ice))
        return self.after(column, temperature, ice, now, DAY)

    def after(self, column, temperature, ice, forcing, duration):
        """Column, surface temperature, and `Contact` in the mean over a time.

        Parameters
        ----------
        column, temperature
            Before.
        ice : IceState
        forcing : Forcing
            Of which the mean over its two times acts.
        duration : int
            A multiple of `INTERVAL` [s].
        """
        weather, aloft = self._weather(forcing), middle_aloft(forcing, self.grid)

        @partial(jax.checkpoint, prevent_cse=False)
        def advance(air, _):
            column, temperature = air
            surface = self._surface(ice, temperature, weather)
            column, contact = self.layer.advance(
                column, aloft, surface, self._coriolis(ice), INTERVAL
            )
            temperature = self.skin.after(temperature, ice, weather | {"contact": contact})
            return (column, temperature), contact

        count = duration // INTERVAL
        air, contacts = jax.lax.scan(advance, (column, temperature), length=count)
        if duration == DAY:
            return *air, jax.tree.map(lambda leaf: leaf[-1], contacts)
        return *air, jax.tree.map(lambda leaf: leaf.mean(axis=0), contacts)

    def _coriolis(self, ice):
        return jnp.asarray(self.grid.coriolis, ice.concentration.dtype)

    def _weather(self, forcing):
        forcing = forcing.with_absent(self.ocean.between(*forcing.time))
        sea = jnp.asarray(self.grid.mask_t)
        names = {"shortwave": 0.0, "longwave": 200.0, "current_u": 0.0, "current_v": 0.0}
        names["ocean_temperature"] = FREEZING_POINT
        fields = forcing.middle()
        return {name: jnp.where(sea, fields[name], land) for name, land in names.items()}

    def _surface(self, ice, temperature, weather):
        still = jnp.zeros_like(temperature)
        cover = jnp.where(jnp.asarray(self.grid.mask_t), ice.concentration, 0.0)
        warmth = jnp.maximum(weather["ocean_temperature"] - FREEZING_POINT, 0.0)
        return Surface(
            concentration=cover,
            ice_temperature=temperature,
            water_temperature=FREEZING_POINT + (1.0 - cover) * warmth,
            ice_u=still,
            ice_v=still,
            water_u=weather["current_u"],
            water_v=weather["current_v"],
            ice_roughness=still + self.roughness,
        )
