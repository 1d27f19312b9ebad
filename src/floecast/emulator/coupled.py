"""The emulator under a boundary layer: columns of air that feel the emulated ice and move it."""

from dataclasses import replace
from functools import partial
from math import ceil

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from floecast.atmosphere.boundary_layer import BoundaryLayer
from floecast.atmosphere.coupling import (
    SUPPLIED,
    first_aloft,
    middle_aloft,
    packed,
    sea_cells,
    unpacked,
)
from floecast.atmosphere.forcing import Aloft
from floecast.atmosphere.ice_drag import SKIN_ROUGHNESS
from floecast.atmosphere.surface import Surface
from floecast.core.constants import AIR_DENSITY, FREEZING_POINT, MELTING_POINT
from floecast.core.errors import InputError
from floecast.core.operators import u_to_t, v_to_t
from floecast.core.parameter import parameter
from floecast.core.precision import cast
from floecast.core.state import IceState
from floecast.core.variables import STATE

from .guard import check_input
from .model import Emulator
from .skin import Skin

SETTLING = 86400
"""For which the air at the start of a run settles over the ice, under the first weather [s]."""
_LEAST_PULL = 1e-6
"""Added in squares to the square of a wind before its root is taken [m2/s2]."""
_DARK = {"shortwave": 0.0, "longwave": 200.0, "ocean_temperature": FREEZING_POINT}
"""Harmless forcing on land; 0 for the rest."""


class CoupledState(eqx.Module):
    """Sea ice with the air above it; leaves ``(..., y, x)``.

    Parameters
    ----------
    concentration, ice_volume, snow_volume, u, v, damage : (..., y, x) array
        As in `IceState`.
    surface_temperature : (..., y, x) array
        Of the ice that the air feels [K].
    boundary_layer : ColumnState
        Column of air over each cell.
    near : dict of (..., y, x) array
        wind_u, wind_v, air_temperature, humidity as the emulator is given them.
    felt : IceState or None
        Ice that the air feels in place of the emulated one, where only the air acts on the ice.
    """

    concentration: Float[Array, "*member y x"]
    ice_volume: Float[Array, "*member y x"]
    snow_volume: Float[Array, "*member y x"]
    u: Float[Array, "*member y x"]
    v: Float[Array, "*member y x"]
    damage: Float[Array, "*member y x"]
    surface_temperature: Float[Array, "*member y x"]
    boundary_layer: PyTree
    near: dict[str, Float[Array, "*member y x"]]
    felt: IceState | None = None

    @property
    def thickness(self):
        """Mean thickness over the ice, T points [m]; 0 where there is less than 1e-6 of ice."""
        return self.ice().thickness

    def ice(self):
        """The part that every model shares, as an `IceState`."""
        return IceState(**{name: getattr(self, name) for name in STATE})

    def fields(self):
        """The fields of `IceState` by name, in the order of `variables.STATE`."""
        return self.ice().fields()


class CoupledEmulator(eqx.Module):
    """Emulator whose wind, air temperature and humidity come from columns of air over its ice.

    It obeys `core.model.Model`. The emulator alone, under the 10 m wind and 2 m air of the forcing,
    is the bulk form beside it.

    Parameters
    ----------
    emulator : Emulator
    boundary_layer : BoundaryLayer, optional
        `BoundaryLayer()` if left out; its switches take away single feedbacks of the ice.
    two_way : bool
        Whether the air feels the emulated ice. If not, it feels the ice of the start of the run,
        at rest, whose surface takes the temperature that the weather gives it.
    ice_roughness : float
        Of level ice [m]; `ice_drag.SKIN_ROUGHNESS` if left out.
    skin : Skin, optional
        Heat balance that gives the temperature of the surface.
    learned_drag : float or None
        Density of air times drag coefficient of the bulk law under which the ice moved that the
        emulator learned from [kg/m3]; by default that of `BBM` and thus of the shipped emulators,
        1.3 kg/m3 times 1.6e-3. None to give the emulator the 10 m wind itself.
    interval : float
        At most, after which air and surface temperature answer to each other [s].

    Notes
    -----
    A step takes the columns through `dt`, over the ice as it is at its start and under a large
    scale that changes linearly between the two ends; then the emulator steps, shown the air near
    the surface at both ends in place of that of the forcing. The temperature of the surface, which
    an emulator lacks, follows from the balance of the heat that the columns, radiation and the ice
    bring, see `Skin`; water is freezing under full ice and as warm as `ocean_temperature` in open
    water.

    An emulator knows wind only by what a bulk law made of it, and such a law has neither stability
    nor edges of floes nor moving ice: with the 10 m wind itself an edge that holds up the wind
    would slow the ice that it pushes. So ice is given the wind that exerts the stress tau of the
    column under that law, ``rho C |w| w = tau``, and open water the 10 m wind; between them the
    squared winds are weighted by concentration. (The equivalent neutral wind of scatterometers is
    of the same kind.)

    In reverse mode the air is computed again interval by interval and only its states between them
    are kept: some 200 numbers a cell for each interval.
    """

    emulator: Emulator
    boundary_layer: BoundaryLayer
    skin: Skin
    ice_roughness: Float[Array, ""]
    learned_drag: Float[Array, ""] | None
    sea: Int[Array, " cell"]  # numbers of the cells of the ocean, row by row
    two_way: bool = eqx.field(static=True)
    interval: float = eqx.field(static=True)

    def __init__(
        self,
        emulator,
        boundary_layer=None,
        *,
        two_way=True,
        ice_roughness=SKIN_ROUGHNESS,
        skin=None,
        learned_drag=AIR_DENSITY * 1.6e-3,
        interval=1800.0,
    ):
        if not interval > 0:
            raise InputError(f"interval must be a positive number of seconds, not {interval}")
        self.emulator = emulator
        self.boundary_layer = BoundaryLayer() if boundary_layer is None else boundary_layer
        self.skin = Skin() if skin is None else skin
        self.ice_roughness = parameter(ice_roughness)
        self.learned_drag = None if learned_drag is None else parameter(learned_drag)
        self.sea = sea_cells(emulator.grid)
        self.two_way = two_way
        self.interval = interval

    @property
    def grid(self):
        """Of the emulator."""
        return self.emulator.grid

    @property
    def dt(self):
        """Length of a step, that of the emulator [s]."""
        return self.emulator.dt

    @property
    def needs(self):
        """Names of the forcing fields that a step reads."""
        return (*(name for name in self.emulator.needs if name not in SUPPLIED), "aloft")

    def check(self, state, forcing, start, end):
        """Refuse what cannot be stepped, before the first step.

        Parameters
        ----------
        state, forcing, start, end
            As in `guard.check_input`.

        Raises
        ------
        InputError
            Naming variable, place and number of bad values, or the hours that are missing.
        """
        check_input(self, state, forcing, start, end)

    def start(self, state, forcing=None):
        """The state that `step` works on.

        Parameters
        ----------
        state : IceState or CoupledState
            Leaves ``(y, x)``. A `CoupledState` passes unchanged.
        forcing : Forcing
            Under whose first fields the air settles for a day.

        Returns
        -------
        CoupledState

        Raises
        ------
        InputError
            If the forcing says nothing of the air aloft.
        """
        if isinstance(state, CoupledState):
            return state
        state = jax.tree.map(jnp.asarray, state)
        dtype = state.concentration.dtype
        aloft = first_aloft(forcing, self.grid)
        model, forcing, aloft = cast((self, forcing, aloft), dtype)
        still = jnp.zeros_like(state.u)
        felt = None if self.two_way else replace(state, u=still, v=still)
        ice = state if felt is None else felt
        forcing = model.emulator.with_ocean(forcing)
        forcing = cast(forcing.between(forcing.time[0], forcing.time[0]), dtype)
        temperature = jnp.minimum(aloft.potential_temperature[0], MELTING_POINT)
        cover = jnp.where(jnp.asarray(self.grid.mask_t), ice.concentration, 0.0)
        surface = model._surface(
            replace(ice, concentration=cover),
            model._drift(ice),
            temperature,
            model._weather(forcing),
        )
        coriolis = jnp.asarray(self.grid.coriolis, dtype)
        column = model.boundary_layer.start(aloft, surface, coriolis)
        air = model._air_after(column, temperature, ice, forcing, SETTLING)
        return _joined(state, air, felt)

    def step(self, state, forcing, key):
        """One sample of the state one `dt` later.

        Parameters
        ----------
        state : CoupledState
            Leaves ``(y, x)``.
        forcing : Forcing
            At the two ends of the step, with `aloft`.
        key : key
            Of the noise.

        Returns
        -------
        CoupledState
        """
        moved, forcing = self.advance_air(state, forcing)
        after = self.emulator.step(state.ice(), forcing, key)
        return replace(moved, **after.fields())

    def advance_air(self, state, forcing):
        """Move the air over the ice as it is, and let the forcing tell of the air near it.

        Parameters
        ----------
        state, forcing
            As in `step`.

        Returns
        -------
        state : CoupledState
            The same ice under the air one `dt` later.
        forcing : Forcing
            What the emulator is given for the step.
        """
        dtype = state.concentration.dtype
        model, forcing = cast((self, forcing), dtype)
        forcing = cast(model.emulator.with_ocean(forcing), dtype)
        air = model._air_after(
            state.boundary_layer,
            state.surface_temperature,
            state.ice() if state.felt is None else state.felt,
            forcing,
            self.dt,
        )
        near = {name: jnp.stack([state.near[name], air[2][name]]) for name in SUPPLIED}
        return _joined(state.ice(), air, state.felt), replace(forcing, **near, aloft=None)

    def _air_after(self, column, temperature, ice, forcing, duration):
        """Columns, temperature of the surface and air near it after a time over the same ice."""
        count = ceil(duration / self.interval)
        length = duration / count
        begin, dtype = forcing.time[0], ice.concentration.dtype
        before, sea = (column, temperature), self.sea
        coriolis = jnp.asarray(self.grid.coriolis, dtype)
        # Columns do not know of each other: those over land are left as they are.
        column, temperature, drift, ice, coriolis = packed(
            (column, temperature, self._drift(ice), ice, coriolis), sea
        )

        @partial(jax.checkpoint, prevent_cse=False)
        def advance(air, number):
            column, temperature, _ = air
            first = begin + jnp.floor(number * length).astype(begin.dtype)
            last = begin + jnp.floor((number + 1) * length).astype(begin.dtype)
            now = forcing.between(first, last)
            aloft = middle_aloft(now, self.grid)
            profiles = packed(aloft.profiles(), sea)
            weather = packed(self._weather(now), sea)
            surface = self._surface(ice, drift, temperature, weather)
            column, contact = self.boundary_layer.advance(
                column, Aloft(aloft.height, **profiles), surface, coriolis, length
            )
            temperature = self.skin.after(temperature, ice, weather | {"contact": contact})
            return (column, temperature, self._near(contact, surface.concentration)), None

        nothing = dict.fromkeys(SUPPLIED, jnp.zeros_like(temperature))
        after = jax.lax.scan(advance, (column, temperature, nothing), jnp.arange(count))[0]
        onto = (*before, dict.fromkeys(SUPPLIED, jnp.zeros_like(before[1])))
        return unpacked(after, onto, sea)

    def _drift(self, ice):
        """Velocity of the ice at the centres of cells."""
        return u_to_t(ice.u, self.grid), v_to_t(ice.v, self.grid)

    def _weather(self, forcing):
        """Mean of the forcing that the surface feels, with harmless values on land."""
        ocean = jnp.asarray(self.grid.mask_t)
        names = ("shortwave", "longwave", "current_u", "current_v", "ocean_temperature")
        return {
            name: jnp.where(ocean, jnp.mean(getattr(forcing, name), axis=0), _DARK.get(name, 0.0))
            for name in names
        }

    def _surface(self, ice, drift, temperature, weather):
        """Ice and water as the air feels them, `Surface`."""
        concentration = ice.concentration
        warmth = jnp.maximum(weather["ocean_temperature"] - FREEZING_POINT, 0.0)
        return Surface(
            concentration=concentration,
            ice_temperature=temperature,
            water_temperature=FREEZING_POINT + (1.0 - concentration) * warmth,
            ice_u=drift[0],
            ice_v=drift[1],
            water_u=weather["current_u"],
            water_v=weather["current_v"],
            ice_roughness=jnp.zeros_like(concentration) + self.ice_roughness,
        )

    def _near(self, contact, concentration):
        """Air near the surface as the emulator is given it, by name."""
        near = {name: getattr(contact, name) for name in SUPPLIED}
        if self.learned_drag is None:
            return near
        wind = contact.wind_u, contact.wind_v
        speed = jnp.sqrt(wind[0] ** 2 + wind[1] ** 2 + _LEAST_PULL)
        stress = contact.stress_ice_u, contact.stress_ice_v
        pull = [
            concentration * along / self.learned_drag + (1.0 - concentration) * speed * component
            for along, component in zip(stress, wind, strict=True)
        ]
        root = jnp.sqrt(jnp.sqrt(pull[0] ** 2 + pull[1] ** 2 + _LEAST_PULL))
        return near | {"wind_u": pull[0] / root, "wind_v": pull[1] / root}


def _joined(ice, air, felt):
    """`CoupledState` of ice and air."""
    column, temperature, near = air
    return CoupledState(
        **ice.fields(),
        surface_temperature=temperature,
        boundary_layer=column,
        near=near,
        felt=felt,
    )
