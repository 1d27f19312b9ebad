"""The boundary layer: a column of turbulent air between the surface and the large scale."""

import math
from dataclasses import replace
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from floecast.core.errors import InputError
from floecast.core.parameter import parameter

from . import air
from .column import (
    ColumnState,
    Contact,
    diffuse,
    exchange_with,
    on_levels,
    relaxation_rate,
    turn_to_geostrophic,
)
from .levels import Levels, along_levels
from .stages import costly, stage
from .surface import AbstractSurfaceLayer
from .surface_layer import SurfaceLayer
from .turbulence import Closure, gradients, layer_depth

_LEAST_SPEED = 0.5
"""Wind for which a roughness length is derived where there is less [m/s]."""


class BoundaryLayer(eqx.Module):
    """Column of wind, potential temperature, humidity and turbulent energy over ice and water.

    Parameters
    ----------
    surface_layer : AbstractSurfaceLayer
    levels : Levels
    closure : Closure
    relaxation_inside, relaxation_above : float
        Times in which the column is drawn to the large scale, within the turbulent layer and above
        it; infinite for never [s].
    pressure : float
        At the surface [Pa].
    longest_step : float
        Of the steps that `advance` takes [s].
    corrections : int
        How often the exchange with the surface is computed anew, with the air at the end of the
        step, before the step is done.
    thermal, ice_motion, form_drag : bool
        Feedbacks of the ice, each of which can be taken away. Without `thermal` the column lies
        over a surface as warm as the lowest air of the large scale; ice and water still exchange
        heat by their own temperatures. Without `ice_motion` the surface is at rest for the stress.
        Without `form_drag` the edges of floes do not hold the wind up.
    moist : bool
        Whether vapour passes between surface and air.

    Notes
    -----
    ``du/dt = f (v - v_g) + d/dz(K_m du/dz) - r (u - u_L)``, ``dv/dt`` likewise, and
    ``dX/dt = d/dz(K_t dX/dz) - r (X - X_L)`` of potential temperature and humidity. One step,
    Euler backward: turbulence (see `Closure`); the ageostrophic wind turns by ``f dt``, which
    leaves a balanced wind as it is; the column diffuses, together with the fluxes over ice and
    over water; it is drawn to the large scale, above the layer only. The flux at the surface is
    found after the column has been eliminated: the lowest cell answers linearly, ``x_1 = y_1 + g
    flux dt``, so that the exchange coefficients can be corrected without solving the column again,
    and the derivative of the flux to the surface temperature is exact. First order in
    time: half the step of 19, 9 or 5 s divides the error of ten minutes by 1.7, 1.9 or 2.0.

    References
    ----------
    Lemarie et al. (2021), doi:10.5194/gmd-14-543-2021.
    """

    surface_layer: AbstractSurfaceLayer = eqx.field(default_factory=SurfaceLayer)
    levels: Levels = Levels.stretched()
    closure: Closure = eqx.field(default_factory=Closure)
    relaxation_inside: Float[Array, ""] = eqx.field(converter=parameter, default=math.inf)
    relaxation_above: Float[Array, ""] = eqx.field(converter=parameter, default=5400.0)
    pressure: Float[Array, ""] = eqx.field(converter=parameter, default=101325.0)
    longest_step: float = eqx.field(static=True, default=180.0)
    corrections: int = eqx.field(static=True, default=1)
    thermal: bool = eqx.field(static=True, default=True)
    ice_motion: bool = eqx.field(static=True, default=True)
    form_drag: bool = eqx.field(static=True, default=True)
    moist: bool = eqx.field(static=True, default=True)

    def __check_init__(self):
        if not self.longest_step > 0:
            raise InputError(
                f"boundary layer: longest_step is {self.longest_step}; take more than 0"
            )
        if self.corrections < 0:
            raise InputError(f"boundary layer: corrections is {self.corrections}; take 0 or more")

    def start(self, aloft, surface, coriolis):
        """Column at the start of a run: the large scale, with turbulence that fades upward.

        Parameters
        ----------
        aloft : Aloft
            Leaves ``(level, ...)``, without time, at its own heights.
        surface : Surface
            Leaves ``(...)``.
        coriolis : (...) array
            [1/s]

        Returns
        -------
        ColumnState
        """
        aloft = on_levels(aloft, self.levels)
        lowest = _lowest(aloft)
        felt, _ = self._felt(surface, aloft)
        friction = _squared_friction(self._exchange(lowest, felt), lowest, felt)
        rotation = jnp.abs(coriolis) + 1e-5
        depth = jnp.clip(0.2 * jnp.sqrt(friction) / rotation, 100.0, 0.5 * self.levels.top)
        height = along_levels(self.levels.interfaces, aloft.wind_u)
        fade = jnp.maximum(1.0 - height / depth[None], 0.0) ** 3
        least = self.closure.least_energy
        energy = (self.closure.surface_energy(friction) - least)[None] * fade + least
        return ColumnState(
            wind_u=aloft.wind_u,
            wind_v=aloft.wind_v,
            potential_temperature=aloft.potential_temperature,
            humidity=aloft.humidity,
            turbulent_energy=energy,
            depth=layer_depth(self.levels, energy),
        )

    def advance(self, column, aloft, surface, coriolis, dt):
        """Column after a time, in equal steps of `longest_step` or less.

        Parameters
        ----------
        column : ColumnState
        aloft, surface, coriolis
            As in `start`; held over the time.
        dt : float
            A number, not traced [s].

        Returns
        -------
        ColumnState
        Contact
            Fluxes are means over the time, the rest is of its end.
        """
        steps = max(1, math.ceil(dt / self.longest_step - 1e-9))
        aloft = on_levels(aloft, self.levels)

        @partial(jax.checkpoint, prevent_cse=False, policy=costly)
        def step(column, _):
            column, fluxes, last = self._step(column, aloft, surface, coriolis, dt / steps)
            return column, (fluxes, last)

        if steps == 1:
            column, fluxes, last = self._step(column, aloft, surface, coriolis, dt)
        else:
            column, (fluxes, last) = jax.lax.scan(step, column, length=steps)
            fluxes = jax.tree.map(lambda flux: flux.mean(axis=0), fluxes)
            last = jax.tree.map(lambda field: field[-1], last)
        return column, self._contact(column, aloft, surface, fluxes, last)

    def step(self, column, aloft, surface, coriolis, dt):
        """Column after one step, however long.

        Parameters
        ----------
        column, aloft, surface, coriolis
            See `advance`.
        dt : float
            [s]

        Returns
        -------
        ColumnState
        Contact
        """
        aloft = on_levels(aloft, self.levels)
        column, fluxes, last = self._step(column, aloft, surface, coriolis, dt)
        return column, self._contact(column, aloft, surface, fluxes, last)

    def _step(self, column, aloft, surface, coriolis, dt):
        """Column, fluxes and what is of the last step, on the column's own heights."""
        levels = self.levels
        felt, values = self._felt(surface, aloft)
        lowest = _lowest(column)
        exchange = self._exchange(lowest, felt)
        energy, mixing, depth = self._turbulence(column, exchange, felt, dt)

        wind = turn_to_geostrophic(
            column.wind_u, column.wind_v, aloft.geostrophic_u, aloft.geostrophic_v, coriolis, dt
        )
        diffused = stage(lambda diffusivity, fields: diffuse(levels, diffusivity, fields, dt))
        wind, from_stress = diffused(mixing.viscosity, wind)
        scalars = column.potential_temperature, column.humidity
        scalars, from_heat = diffused(mixing.diffusivity, scalars)
        fields, responses = (*wind, *scalars), (from_stress,) * 2 + (from_heat,) * 2

        def exchanged(exchange):
            return [
                exchange_with(field[0], dt * response[0], conductances, below, felt.concentration)
                for field, response, conductances, below in zip(
                    fields, responses, _conductances(exchange), values, strict=True
                )
            ]

        for _ in range(self.corrections):
            lowest = tuple(one[0] for one in exchanged(exchange))
            exchange = self._exchange(lowest, felt)
        given = exchanged(exchange)
        share = felt.concentration
        fields = [
            field + response * (dt * (share * ice + (1.0 - share) * water))[None]
            for field, response, (_, ice, water) in zip(fields, responses, given, strict=True)
        ]
        fluxes, density = self._fluxes(given, exchange, surface)

        pull = dt * relaxation_rate(levels, depth, self.relaxation_inside, self.relaxation_above)
        pull = pull / (1.0 + pull)
        large = aloft.wind_u, aloft.wind_v, aloft.potential_temperature, aloft.humidity
        fields = [field + pull * (to - field) for field, to in zip(fields, large, strict=True)]
        column = ColumnState(*fields, turbulent_energy=energy, depth=depth)
        last = {"density": density, "exchange": exchange}
        return column, fluxes, last | self._responses(exchange, dt * from_heat[0], share)

    def _turbulence(self, column, exchange, felt, dt):
        """Turbulent energy and depth after a step, and the mixing within it."""
        closure, levels = self.closure, self.levels
        slopes = stage(lambda *fields: gradients(levels, *fields))(
            column.wind_u,
            column.wind_v,
            column.potential_temperature,
            column.humidity,
        )
        lowest = _lowest(column)
        share = felt.concentration
        mean = share * exchange.ice.momentum + (1.0 - share) * exchange.water.momentum
        speed = jnp.sqrt(lowest[0] ** 2 + lowest[1] ** 2 + _LEAST_SPEED**2)
        logarithm = air.KARMAN / jnp.sqrt(mean / speed + 1e-8)
        surface_length = closure.surface_length(levels.centres[0] * jnp.exp(-logarithm))
        surface_energy = closure.surface_energy(_squared_friction(exchange, lowest, felt))

        before = column.turbulent_energy
        mix = stage(lambda *now: closure.mix(levels, *now))
        mixing = mix(before, *slopes, surface_length)
        step_energy = stage(lambda *now: closure.step_energy(levels, *now, dt))
        energy = step_energy(before, mixing, *slopes, surface_energy)
        mixing = stage(lambda *now: closure.grown(*now))(mixing, before, energy)
        return energy, mixing, layer_depth(levels, energy)

    def _felt(self, surface, aloft):
        """Surface as the column feels it, and its wind, temperature and humidity there.

        The second is four pairs, over ice and over water.
        """
        if not self.thermal:
            warm = aloft.potential_temperature[0]
            surface = replace(surface, ice_temperature=warm, water_temperature=warm)
        if not self.ice_motion:
            rest = jnp.zeros_like(surface.ice_u)
            surface = replace(surface, ice_u=rest, ice_v=rest, water_u=rest, water_v=rest)
        humidity = self._saturated(surface) if self.thermal else (aloft.humidity[0],) * 2
        return surface, (
            (surface.ice_u, surface.water_u),
            (surface.ice_v, surface.water_v),
            (surface.ice_temperature, surface.water_temperature),
            humidity,
        )

    def _saturated(self, surface):
        """Saturation humidity at the ice and at the water."""
        return (
            air.saturation_over_ice(surface.ice_temperature, self.pressure),
            air.saturation_over_sea(surface.water_temperature, self.pressure),
        )

    def _layer(self):
        """Surface layer, without the edges of floes if they are taken away."""
        layer = self.surface_layer
        if self.form_drag or not hasattr(layer, "form_drag"):
            return layer
        return eqx.tree_at(lambda layer: layer.form_drag, layer, jnp.zeros_like(layer.form_drag))

    def _exchange(self, lowest, felt):
        height = self.levels.centres[0]
        exchange = self._layer().exchange(float(height), *lowest, felt, self.pressure)
        if self.moist:
            return exchange
        dry = jnp.zeros_like(exchange.ice.moisture)
        return eqx.tree_at(
            lambda both: (both.ice.moisture, both.water.moisture), exchange, (dry,) * 2
        )

    def _fluxes(self, given, exchange, surface):
        """Stress, heat and vapour by the names of `Contact`, and the density of the air."""
        (_, *drag_u), (_, *drag_v), (warmth, *heat), (moisture, *vapour) = given
        density = air.density(warmth, moisture, self.pressure)
        if not self.thermal:
            conductances = _conductances(exchange)
            skin = surface.ice_temperature, surface.water_temperature
            heat = [k * (s - warmth) for k, s in zip(conductances[2], skin, strict=True)]
            skin = self._saturated(surface)
            vapour = [k * (s - moisture) for k, s in zip(conductances[3], skin, strict=True)]
        capacity = density * air.heat_capacity(moisture)
        vapour = density * vapour[0], density * vapour[1]
        return {
            "stress_ice_u": -density * drag_u[0],
            "stress_ice_v": -density * drag_v[0],
            "stress_water_u": -density * drag_u[1],
            "stress_water_v": -density * drag_v[1],
            "sensible_ice": capacity * heat[0],
            "sensible_water": capacity * heat[1],
            "latent_ice": air.SUBLIMATION_HEAT * vapour[0],
            "latent_water": air.vaporisation_heat(surface.water_temperature) * vapour[1],
            "vapour_ice": vapour[0],
            "vapour_water": vapour[1],
        }, density

    def _responses(self, exchange, gain, share):
        """What the air above ice leaves of a change of its surface, for heat and for moisture."""
        responses = {}
        for name, (ice, water) in zip(
            ("heat_response", "moisture_response"), _conductances(exchange)[2:], strict=True
        ):
            lost = gain * share * ice / (1.0 + gain * (share * ice + (1.0 - share) * water))
            responses[name] = 1.0 - lost if self.thermal else jnp.ones_like(lost)
        return responses

    def _contact(self, column, aloft, surface, fluxes, last):
        """`Contact` with the air near the surface."""
        felt, _ = self._felt(surface, aloft)
        lowest = _lowest(column)
        wind_u, wind_v, _, _ = self._near(10.0, column, felt)
        _, _, temperature, humidity = self._near(2.0, column, felt)
        return Contact(
            **fluxes,
            **last,
            lowest_u=lowest[0],
            lowest_v=lowest[1],
            lowest_potential_temperature=lowest[2],
            lowest_humidity=lowest[3],
            wind_u=wind_u,
            wind_v=wind_v,
            air_temperature=temperature,
            humidity=humidity,
        )

    def _near(self, height, column, felt):
        """Wind, temperature and humidity at a height, by similarity below the lowest level."""
        centres = self.levels.centres
        if height <= centres[0]:
            level = float(centres[0])
            return self._layer().profile(height, level, *_lowest(column), felt, self.pressure)
        above = int(np.searchsorted(centres, height))
        low, high = centres[above - 1 : above + 1]
        part = float(np.log(height / low) / np.log(high / low))
        fields = (
            field[above - 1] + part * (field[above] - field[above - 1])
            for field in (
                column.wind_u,
                column.wind_v,
                column.potential_temperature,
                column.humidity,
            )
        )
        wind_u, wind_v, warmth, humidity = fields
        return wind_u, wind_v, warmth - air.LAPSE * height, humidity


def _lowest(column):
    """Wind, potential temperature and humidity at the lowest level."""
    fields = column.wind_u, column.wind_v, column.potential_temperature, column.humidity
    return tuple(field[0] for field in fields)


def _conductances(exchange):
    """Of ice and of water, for the two winds, temperature and humidity."""
    ice, water = exchange.ice, exchange.water
    momentum = ice.momentum, water.momentum
    return momentum, momentum, (ice.heat, water.heat), (ice.moisture, water.moisture)


def _squared_friction(exchange, lowest, felt):
    """u*^2 of the mosaic [m2/s2]."""

    def speed(surface_u, surface_v):
        return jnp.sqrt((lowest[0] - surface_u) ** 2 + (lowest[1] - surface_v) ** 2 + 1e-12)

    ice = exchange.ice.momentum * speed(felt.ice_u, felt.ice_v)
    water = exchange.water.momentum * speed(felt.water_u, felt.water_v)
    return felt.concentration * ice + (1.0 - felt.concentration) * water
