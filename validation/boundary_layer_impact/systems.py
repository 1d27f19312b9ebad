"""The forecasting systems: each starts from ice and steps twelve hours under its weather."""

from dataclasses import replace

import cases
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from air import AtSea, HeldIceAir

from floecast.atmosphere import air as moist_air
from floecast.atmosphere.coupling import SUPPLIED, unpacked
from floecast.atmosphere.ice_drag import form_drag_per_ice
from floecast.atmosphere.levels import Levels
from floecast.core.operators import u_to_t, v_to_t
from floecast.core.precision import cast
from floecast.emulator.coupled import CoupledEmulator, CoupledState
from floecast.simulator.arctic_ocean import ArcticOcean
from floecast.simulator.bbm import BBM
from floecast.simulator.model import Simulator
from floecast.simulator.weno import WENO
from floecast.simulator.winton import Winton

HALF_DAY, SIX_HOURS, COUPLING = 43200, 21600, 5400
NUMERICS = {"levels": Levels.stretched(25), "longest_step": 600.0}
"""Of the column of the forecasts; that of the truth has the default's 40 levels and 180 s."""
REMOVED = {
    "no thermal feedback": {"thermal": False},
    "no ice motion": {"ice_motion": False},
    "no form drag": {"form_drag": False},
}
PRESCRIBED, ONE_WAY, TWO_WAY = "prescribed", "one-way", "two-way"
OWN_ICE, KNOWN = "prescribed, ice of the start", "two-way, true constants"
MAIN = (PRESCRIBED, ONE_WAY, TWO_WAY, *REMOVED)
EDGES = "prescribed, drag of edges"
FURTHER = (EDGES, OWN_ICE, KNOWN)
FINE, ROUNDED = "two-way, fine column", "two-way, other rounding"
"""With the column of the truth; from ice of a concentration that is smaller by 1e-6."""
CHECKS = (FINE, ROUNDED)
EMULATOR = "emulator, "
EMULATED = tuple(EMULATOR + name for name in MAIN)


def simulator(grid, layer=None, roughness=None, dt=SIX_HOURS):
    """The simulator that truth and forecasts share."""
    ocean = cast(jax.tree.map(jnp.asarray, ArcticOcean.of(grid)), jnp.float32)
    parts = {"rheology": BBM(), "thermodynamics": Winton(), "scheme": WENO(), "ocean": ocean}
    if layer is not None:
        parts |= {"boundary_layer": layer, "ice_roughness": roughness}
    return cast(Simulator(grid, **parts, dt=dt), jnp.float32)


class TwoWay(eqx.Module):
    """Air and ice that answer to each other every 5400 s.

    Parameters
    ----------
    ice : Simulator
        With a boundary layer.
    air : HeldIceAir
        For the start only.
    """

    ice: Simulator
    air: HeldIceAir

    def start(self, ice, forcing, felt):
        """State from which to step.

        Parameters
        ----------
        ice : IceState
        forcing : Forcing
            With the weather of the start first.
        felt : IceState
            Not used: the air settles for a day over the ice itself.
        """
        column, _, contact = self.air.settled(ice, forcing)
        air = replace(_with_air(forcing, contact), aloft=forcing.aloft)
        state = self.ice.start(ice, air)
        column = unpacked(column, state.boundary_layer, self.ice.sea)
        return cast(replace(state, boundary_layer=column), jnp.float32)

    def advance(self, state, weather, begin):
        """State twelve hours later, and itself as the ice."""

        def step(state, number):
            time = begin + number * SIX_HOURS
            forcing = weather.between(time, time + SIX_HOURS)
            return self.ice.step(state, forcing, jax.random.key(0)), None

        state = jax.lax.scan(step, state, jnp.arange(2))[0]
        return state, state


class OneWay(eqx.Module):
    """Ice under air that feels other ice: held as it is, and at rest.

    Parameters
    ----------
    ice : Simulator
        Without a boundary layer, with steps of `COUPLING`.
    air : HeldIceAir
    bulk : bool
        Whether the ice is given 10 m wind and 2 m air, and takes stress and heat by bulk formulas;
        if not, it is given the stress of the column, and heat and vapour by the exchange of the
        column and the true temperature of ice and water.
    edges : bool
        Whether the bulk drag over ice is larger by the neutral drag of floe edges.
    """

    ice: Simulator
    air: HeldIceAir
    bulk: bool = eqx.field(static=True)
    edges: bool = eqx.field(static=True, default=False)

    def start(self, ice, forcing, felt):
        """State from which to step; see `TwoWay.start`. `felt` is the ice under the air."""
        column, temperature, contact = self.air.settled(felt, forcing)
        state = self.ice.start(ice, _with_air(forcing, contact))
        return cast((state, column, temperature, felt), jnp.float32)

    def advance(self, state, weather, begin):
        """State twelve hours later, and the ice."""
        felt = state[3]

        def step(state, number):
            ice, column, temperature = state
            time = begin + number * COUPLING
            forcing = weather.between(time, time + COUPLING)
            column, temperature, contact = self.air.after(
                column, temperature, felt, forcing, COUPLING
            )
            forcing = _with_air(forcing, contact)
            if not self.bulk:
                forcing = replace(forcing, contact=self._fluxes(contact, ice, forcing))
            model = self._with_edges(ice) if self.edges else self.ice
            return (model.step(ice, forcing, jax.random.key(0)), column, temperature), None

        state = jax.lax.scan(step, state[:3], jnp.arange(HALF_DAY // COUPLING))[0]
        return (*state, felt), state[0]

    def _with_edges(self, state):
        drag = self.ice.rheology.air_drag + form_drag_per_ice(state.concentration)
        return eqx.tree_at(lambda model: model.rheology.air_drag, self.ice, drag)

    def _fluxes(self, contact, state, forcing):
        """`Contact` whose heat and vapour are those of the actual ice and water."""
        ocean = self.ice.ocean.between(*forcing.time)
        weather = forcing.with_absent(ocean).middle()
        skins = self.ice.thermodynamics.surface_temperatures(state, weather)
        pressure = self.air.layer.layer.pressure
        saturated = (
            moist_air.saturation_over_ice(skins[0], pressure),
            moist_air.saturation_over_sea(skins[1], pressure),
        )
        capacity = contact.density * moist_air.heat_capacity(contact.lowest_humidity)
        fluxes = {}
        for name, skin, wet in zip(("ice", "water"), skins, saturated, strict=True):
            held = getattr(contact.exchange, name)
            warmer = skin - contact.lowest_potential_temperature
            moister = wet - contact.lowest_humidity
            fluxes[f"sensible_{name}"] = capacity * held.heat * warmer
            fluxes[f"vapour_{name}"] = contact.density * held.moisture * moister
        whole = jnp.ones_like(contact.heat_response)
        return replace(contact, **fluxes, heat_response=whole, moisture_response=whole)


class Emulated(eqx.Module):
    """The emulator under a column of air.

    Parameters
    ----------
    model : CoupledEmulator
    of_start : bool
        Whether the air feels the ice of the start, or that of `felt`, where it does not feel the
        emulated ice.
    """

    model: CoupledEmulator
    of_start: bool = eqx.field(static=True)

    def start(self, ice, forcing, felt):
        """State from which to step; see `TwoWay.start`."""
        state = self.model.start(ice if self.of_start else felt, forcing)
        return cast(replace(state, **ice.fields()), jnp.float32)

    def advance(self, state, weather, begin):
        """State twelve hours later, and itself as the ice; the noise depends on the time only."""
        key = jax.random.fold_in(jax.random.key(cases.SEED), begin // HALF_DAY)
        state = self.model.step(state, weather.between(begin, begin + HALF_DAY), key)
        return state, state


def _with_air(forcing, contact):
    """Forcing whose air near the surface is that of a contact."""
    fields = {name: jnp.stack([getattr(contact, name)] * 2) for name in SUPPLIED}
    return replace(forcing, **fields, aloft=None)


def truth_system(grid, parameters):
    """What makes the truth."""
    layer = cases.layer_with(parameters, truth=True)
    return _coupled(grid, layer, parameters["roughness"])


def two_way(grid, parameters, **options):
    """The two-way system with given constants."""
    layer = cases.layer_with(parameters, **NUMERICS, **options)
    return _coupled(grid, layer, parameters["roughness"])


def _coupled(grid, layer, roughness):
    layer, roughness = cast((layer, jnp.asarray(roughness)), jnp.float32)
    model = simulator(grid, layer, roughness)
    return TwoWay(model, HeldIceAir(AtSea.over(layer, grid), roughness, grid, model.ocean))


def system(name, grid, parameters, emulator=None):
    """A forecasting system.

    Parameters
    ----------
    name : str
        Of `MAIN`, `FURTHER`, `CHECKS` or `EMULATED`.
    grid : Grid
    parameters : dict
        Those of the truth, which only `KNOWN` uses.
    emulator : Emulator, optional
        For `EMULATED`.
    """
    plain = name.removeprefix(EMULATOR)
    used = parameters if plain == KNOWN else cases.default_parameters()
    options = REMOVED.get(plain, {})
    numerics = {} if plain == FINE else NUMERICS
    layer = cases.layer_with(used, **numerics, **options)
    if name.startswith(EMULATOR):
        coupling = {"two_way": plain not in (PRESCRIBED, ONE_WAY)}
        if plain == PRESCRIBED:
            coupling["learned_drag"] = None
        model = CoupledEmulator(emulator, layer, ice_roughness=used["roughness"], **coupling)
        return Emulated(cast(model, jnp.float32), of_start=plain != PRESCRIBED)
    if plain in (PRESCRIBED, EDGES, OWN_ICE, ONE_WAY):
        ice, layer = simulator(grid, dt=COUPLING), AtSea.over(cast(layer, jnp.float32), grid)
        air = HeldIceAir(layer, jnp.asarray(used["roughness"], jnp.float32), grid, ice.ocean)
        return OneWay(ice, air, bulk=plain != ONE_WAY, edges=plain == EDGES)
    return _coupled(grid, layer, used["roughness"])


def felt_ice(name, climatology, ice):
    """The ice that the air of a system feels where it does not feel that of the forecast."""
    plain = name.removeprefix(EMULATOR)
    return climatology if plain in (PRESCRIBED, EDGES) else _at_rest(ice)


def _at_rest(ice):
    still = jnp.zeros_like(ice.u)
    return eqx.tree_at(lambda s: (s.u, s.v), ice, (still, still))


def with_memory(state, leaves):
    """State of a system whose ice has given temperatures, water and stress.

    Parameters
    ----------
    state
        From `begun`.
    leaves : list of array
        From `memory_of`; those of an emulator are left aside.
    """
    if isinstance(state, CoupledState):
        return state
    ice = state[0] if isinstance(state, tuple) else state
    treedef = jax.tree.structure((ice.thermodynamics, ice.rheology))
    parts = jax.tree.unflatten(treedef, list(map(jnp.asarray, leaves)))
    ice = replace(ice, thermodynamics=parts[0], rheology=parts[1])
    return (ice, *state[1:]) if isinstance(state, tuple) else ice


def memory_of(state):
    """What a `SimulatorState` remembers, as a list of arrays."""
    return [np.asarray(leaf) for leaf in jax.tree.leaves((state.thermodynamics, state.rheology))]


def as_fields(leaves):
    """A list of arrays by names."""
    return {f"memory_{number}": leaf for number, leaf in enumerate(leaves)}


def from_fields(file):
    """The list of `as_fields`."""
    count = sum(name.startswith("memory_") for name in file)
    return [file[f"memory_{number}"] for number in range(count)]


@eqx.filter_jit
def begun(system, weather, ice, felt, time):
    """State of a system at a time."""
    return system.start(ice, weather.between(time, time + SIX_HOURS), felt)


@eqx.filter_jit
def half_day(system, weather, state, time):
    """State of a system twelve hours later, and what is kept of it."""
    grid = system.model.grid if isinstance(system, Emulated) else system.ice.grid
    state, ice = system.advance(state, weather, time)
    return state, kept(ice, grid)


def kept(ice, grid):
    """What is kept of some ice, at T points."""
    return {
        "concentration": ice.concentration,
        "ice_volume": ice.ice_volume,
        "u": u_to_t(ice.u, grid),
        "v": v_to_t(ice.v, grid),
    }
