"""The emulator under columns of air: what passes between them, switches, derivatives, members."""

from dataclasses import fields as fields_of
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.atmosphere.boundary_layer import BoundaryLayer
from floecast.atmosphere.column import Contact
from floecast.atmosphere.coupling import SUPPLIED
from floecast.atmosphere.forcing import Aloft
from floecast.atmosphere.levels import Levels
from floecast.atmosphere.surface import Conductance, Exchange
from floecast.core.errors import InputError
from floecast.core.model import Model
from floecast.core.precision import cast
from floecast.core.rollout import rollout
from floecast.core.state import check_state
from floecast.emulator.coupled import CoupledEmulator, CoupledState
from floecast.emulator.model import Emulator
from floecast.emulator.skin import Skin

from .conftest import fields

KEY = jax.random.key(0)
LAYER = BoundaryLayer(levels=Levels.stretched(10), longest_step=900.0)

step = eqx.filter_jit(lambda model, state, forcing, key: model.step(state, forcing, key))
start = eqx.filter_jit(lambda model, state, forcing: model.start(state, forcing))


@pytest.fixture(scope="module")
def hourly(emulator, grid):
    """The emulator of the tests with steps of an hour."""
    return Emulator(grid, emulator.network, emulator.scaling, dt=3600)


@pytest.fixture(scope="module")
def case(grid):
    """Ice of all concentrations and forcing with air aloft, warmer than the ice."""
    state, forcing = fields(grid, 1)
    height = jnp.array([0.0, 200.0, 2000.0])
    along = jnp.full((2, 3, *grid.shape), 9.0)
    across, rise = 0.3 * along, jnp.array([0.0, 1.5, 14.0])[None, :, None, None]
    aloft = Aloft(height, along, across, along, across, 258.0 + rise + 0 * along, 0 * along + 5e-4)
    forcing = replace(
        forcing, time=forcing.time[0] + jnp.array([0, 3600]), longwave=forcing.longwave - 20.0
    )
    return state, replace(forcing, aloft=aloft, shortwave=0.0 * forcing.shortwave)


@pytest.fixture(scope="module")
def model(hourly):
    return CoupledEmulator(hourly, LAYER)


@pytest.fixture(scope="module")
def begun(model, case):
    return start(model, *case)


class Prescribed(eqx.Module):
    """In the place of a boundary layer: air near the surface that is given, and its bulk stress."""

    near: dict
    drag: float = eqx.field(static=True)

    def start(self, aloft, surface, coriolis):
        return ()

    def advance(self, column, aloft, surface, coriolis, dt):
        still = jnp.zeros_like(surface.concentration)
        none = Conductance(still, still, still)
        contact = {field.name: still for field in fields_of(Contact)}
        contact |= self.near | {"exchange": Exchange(none, none), "density": still + 1.4}
        speed = jnp.hypot(self.near["wind_u"], self.near["wind_v"])
        for name in ("u", "v"):
            contact[f"stress_ice_{name}"] = self.drag * speed * self.near[f"wind_{name}"]
        return (), Contact(**contact)


@pytest.mark.parametrize("drag", [None, 2e-3])
def test_under_the_prescribed_air_it_is_the_plain_emulator(hourly, case, grid, drag):
    state, forcing = case
    near = {name: getattr(forcing, name)[1] for name in SUPPLIED}
    steady = replace(forcing, **{name: jnp.stack([near[name]] * 2) for name in SUPPLIED})
    coupled = CoupledEmulator(hourly, Prescribed(near, drag or 0.0), learned_drag=drag)
    lacking = replace(forcing, **dict.fromkeys(SUPPLIED))  # what the column supplies is not read
    found = step(coupled, start(coupled, state, lacking), lacking, KEY)
    known = step(hourly, state, steady, KEY)
    for name, field in known.fields().items():
        np.testing.assert_allclose(getattr(found, name), field, rtol=1e-6, atol=1e-7, err_msg=name)
    still = step(hourly, state, replace(steady, wind_u=0.0 * steady.wind_u), KEY)
    assert np.abs(known.u - still.u).max() > 1e-3


def test_is_a_model_whose_state_holds_ice_and_air(model, begun, case, grid):
    assert isinstance(model, Model) and model.dt == 3600
    assert "aloft" in model.needs and "wind_u" not in model.needs and "longwave" in model.needs
    state, forcing = case
    after = step(model, begun, forcing, KEY)
    assert isinstance(after, CoupledState)
    check_state(after, grid)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(after))
    for name, field in state.fields().items():
        np.testing.assert_array_equal(getattr(begun, name), field)
    assert model.start(begun, None) is begun
    # Friction turns the wind to the left and slows it; the ice is colder than the air.
    sea = np.asarray(grid.mask_t)
    wind = (np.asarray(begun.near["wind_u"]) + 1j * np.asarray(begun.near["wind_v"]))[sea]
    turned = np.degrees(np.angle(wind / (9.0 + 2.7j)))
    assert (turned > 5.0).all() and (turned < 60.0).all()
    assert (np.abs(wind) < 9.4).all() and (np.abs(wind) > 2.0).all()
    ice = sea & np.asarray(state.concentration > 0.3)
    assert (begun.surface_temperature[ice] < 271.35).all()


def test_a_run_begins_by_itself(model, case):
    state, forcing = case
    run = rollout(model, state, forcing, 1, key=KEY, start=int(forcing.time[0]))
    assert isinstance(run.final, CoupledState)


def test_switches_take_away_what_they_name(hourly, case):
    state, forcing = case
    moving = replace(state, u=state.u + 0.5)
    # Thicker ice under the same snow: another surface temperature, the same edges.
    thicker = replace(state, ice_volume=3.0 * state.ice_volume)

    def air(state, **switches):
        found = start(CoupledEmulator(hourly, replace(LAYER, **switches)), state, forcing)
        return found, jnp.stack([found.near[name] for name in SUPPLIED])

    (whole, given), (_, pushed), (warmer, warmed) = map(air, (state, moving, thicker))
    assert np.abs(pushed - given).max() > 1e-2 and np.abs(warmed - given).max() > 1e-2
    assert not np.array_equal(whole.surface_temperature, warmer.surface_temperature)

    _, fixed = air(state, ice_motion=False)
    np.testing.assert_array_equal(air(moving, ice_motion=False)[1], fixed)
    assert not np.array_equal(air(thicker, ice_motion=False)[1], fixed)
    skin, neutral = air(state, thermal=False)
    other, still_neutral = air(thicker, thermal=False)
    np.testing.assert_array_equal(still_neutral, neutral)
    assert not np.array_equal(skin.surface_temperature, other.surface_temperature)
    assert not np.array_equal(air(moving, thermal=False)[1], neutral)

    # Edges hold up the wind where there are floes in water, and only there.
    _, smooth = air(state, form_drag=False)
    loose = np.asarray((state.concentration > 0.3) & (state.concentration < 0.8))
    full = np.asarray(state.concentration == 1.0)
    changed = np.abs(smooth - given).max(axis=0)
    assert (changed[loose] > 1e-3).all() and (changed[full] == 0.0).all()
    # Ice that is held by its edges is pushed the more.
    assert (np.hypot(*given[:2]) > np.hypot(*smooth[:2]))[loose].all()


def test_one_way_the_air_does_not_feel_what_the_ice_does(hourly, case, begun, model):
    state, forcing = case
    alone = CoupledEmulator(hourly, LAYER, two_way=False)
    at_first = start(alone, state, forcing)
    np.testing.assert_array_equal(at_first.felt.concentration, state.concentration)

    def after(model, begin, seed):
        middle = step(model, begin, forcing, jax.random.key(seed))
        return middle, step(model, middle, forcing, KEY)

    (one, one_later), (other, other_later) = (after(alone, at_first, seed) for seed in (0, 1))
    assert not np.array_equal(one.concentration, other.concentration)
    for name in SUPPLIED:
        np.testing.assert_array_equal(one_later.near[name], other_later.near[name])
    (_, one_later), (_, other_later) = (after(model, begun, seed) for seed in (0, 1))
    assert not np.array_equal(one_later.near["wind_u"], other_later.near["wind_u"])


@jax.jit
@jax.value_and_grad
def pushed(inputs, model, state, forcing, weight):
    """A weighted step by factors of roughness, wind aloft and longwave, and by the ice."""
    (roughness, wind, sky), ice = inputs
    aloft = forcing.aloft
    aloft = replace(aloft, geostrophic_u=aloft.geostrophic_u * wind, wind_u=aloft.wind_u * wind)
    model = eqx.tree_at(lambda m: m.ice_roughness, model, model.ice_roughness * roughness)
    forcing = replace(forcing, aloft=aloft, longwave=forcing.longwave * sky)
    after = model.step(replace(state, **ice), forcing, KEY)
    return sum(jnp.sum(weight[name] * field) for name, field in after.fields().items()) + jnp.sum(
        weight["u"] * (after.near["wind_u"] + 0.1 * after.near["air_temperature"])
    )


@pytest.fixture(scope="module")
def weight(case):
    random = np.random.default_rng(2)
    return {name: jnp.asarray(random.normal(size=f.shape)) for name, f in case[0].fields().items()}


def test_gradient_against_differences(model, begun, case, weight):
    ice, given = begun.ice().fields(), (model, begun, case[1], weight)
    at = jnp.ones(3)
    _, (gradient, by_ice) = pushed((at, ice), *given)
    for number in range(3):
        change = jnp.zeros(3).at[number].set(1e-5)
        high, low = (pushed((at + sign * change, ice), *given)[0] for sign in (1, -1))
        assert float(gradient[number]) == pytest.approx(float((high - low) / 2e-5), rel=1e-4)
    loose = (begun.concentration > 0.1) & (begun.concentration < 0.9)
    change = jnp.where(loose, 1e-6 * weight["v"], 0.0)
    high, low = (
        pushed((at, ice | {"concentration": begun.concentration + sign * change}), *given)[0]
        for sign in (1, -1)
    )
    along = float(jnp.sum(by_ice["concentration"] * change))
    assert along == pytest.approx(float(high - low) / 2, rel=1e-3)


def test_single_precision_with_finite_gradients_at_the_bounds(model, case, weight):
    state, forcing = cast(case, jnp.float32)
    cover = np.asarray(state.concentration)
    assert (cover == 0.0).any() and (cover == 1.0).any()
    begun = start(model, state, forcing)
    after = jax.eval_shape(model.step, begun, forcing, KEY)
    for tree in (begun, after):
        assert {leaf.dtype for leaf in jax.tree.leaves(tree)} == {jnp.dtype("float32")}
    # A calm too: no wind aloft, ice and water at rest.
    still = jax.tree.map(lambda leaf: 0.0 * leaf, (state.u, state.v))
    ice = begun.ice().fields() | {"u": still[0], "v": still[1]}
    for wind in (1.0, 0.0):
        factors = jnp.array([1.0, wind, 1.0], jnp.float32)
        found = pushed((factors, ice), model, begun, forcing, cast(weight, jnp.float32))
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found))


def test_members_are_runs_of_their_own(model, begun, case):
    forcing = case[1]
    other = replace(begun, ice_volume=0.7 * begun.ice_volume, u=0.5 * begun.u)
    together = jax.tree.map(lambda *leaves: jnp.stack(leaves), begun, other)
    keys = jax.random.split(KEY, 2)
    both = eqx.filter_jit(jax.vmap(lambda s, key: model.step(s, forcing, key)))(together, keys)
    for number, state in enumerate((begun, other)):
        alone = step(model, state, forcing, keys[number])
        for one, known in zip(jax.tree.leaves(both), jax.tree.leaves(alone), strict=True):
            np.testing.assert_allclose(one[number], known, rtol=1e-9, atol=1e-10)


def test_surface_comes_to_the_balance_of_its_heat(begun, case, model):
    """Under radiation alone: k (T_f - T) = emissivity (sigma T^4 - longwave)."""
    state, forcing = case
    skin, still = Skin(), jnp.zeros_like(state.concentration)
    contact = Prescribed({name: still + 260.0 for name in SUPPLIED}, 0.0)
    surface = replace(state, concentration=still)
    contact = contact.advance((), None, surface, None, 1.0)[1]
    weather = {"shortwave": still, "longwave": still + 180.0, "contact": contact}
    temperature = still + 250.0
    for _ in range(8):
        temperature = skin.after(temperature, state, weather)
    ice = np.asarray(state.concentration) > 0.3
    thickness = np.maximum(np.asarray(state.thickness), 0.05)
    snow = np.asarray(state.snow_volume / jnp.maximum(state.concentration, 0.01))
    brought = (271.35 - temperature) / (thickness / 2.0334 + snow / 0.31)
    lost = 0.98 * (5.670374419e-8 * temperature**4 - 180.0)
    np.testing.assert_allclose(brought[ice], lost[ice], rtol=1e-6)
    warm = skin.after(still + 272.0, state, weather | {"longwave": still + 400.0})
    assert float(warm.max()) <= 273.15


def test_what_is_refused(model, hourly, case, begun):
    state, forcing = case
    with pytest.raises(InputError, match="air aloft"):
        model.start(state, replace(forcing, aloft=None))
    with pytest.raises(InputError, match="lacks `aloft`"):
        model.check(begun, replace(forcing, aloft=None), int(forcing.time[0]), None)
    with pytest.raises(InputError, match="positive number of seconds"):
        CoupledEmulator(hourly, interval=0.0)
