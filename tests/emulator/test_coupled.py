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
from floecast.atmosphere.surface import AbstractSurfaceLayer, Conductance, Exchange
from floecast.atmosphere.surface_layer import SurfaceLayer
from floecast.core.errors import InputError
from floecast.core.model import Model, started
from floecast.core.precision import cast
from floecast.core.state import check_state
from floecast.emulator.coupled import CoupledEmulator, CoupledState
from floecast.emulator.model import Emulator
from floecast.emulator.skin import Skin

from .conftest import fields

KEY = jax.random.key(0)


class RoughExchange(AbstractSurfaceLayer):
    """Conductances by the roughness of the ice alone: small to compile, as these tests often do."""

    def exchange(self, height, wind_u, wind_v, potential_temperature, humidity, surface, pressure):
        ice = 0.01 * jnp.sqrt(surface.ice_roughness / 6.9e-4)
        water = jnp.full_like(ice, 0.004)
        return Exchange(Conductance(ice, 0.6 * ice, 0.6 * ice), Conductance(water, water, water))

    def profile(self, height, level, *air):
        return air[0], air[1], air[2], air[3]


LEVELS = Levels.stretched(10)
LAYER = BoundaryLayer(RoughExchange(), LEVELS, longest_step=1800.0, corrections=0)
move_air = eqx.filter_jit(lambda model, state, forcing: model.advance_air(state, forcing)[0])
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
    """In the place of a boundary layer: given air near the surface of each column, and its stress
    by a bulk law."""

    near: dict
    drag: float = eqx.field(static=True)

    def start(self, aloft, surface, coriolis):
        return ()

    def advance(self, column, aloft, surface, coriolis, dt):
        still = jnp.zeros_like(surface.concentration)
        none = Conductance(still, still, still)
        contact = {field.name: still for field in fields_of(Contact)}
        contact |= self.near | {"exchange": Exchange(none, none), "density": still + 1.4}
        speed = jnp.sqrt(self.near["wind_u"] ** 2 + self.near["wind_v"] ** 2 + 1e-12)
        for name in ("u", "v"):
            contact[f"stress_ice_{name}"] = self.drag * speed * self.near[f"wind_{name}"]
        return (), Contact(**contact)


def test_under_the_prescribed_air_it_is_the_plain_emulator(hourly, case):
    state, forcing = case
    near = {name: getattr(forcing, name)[1] for name in SUPPLIED}
    steady = replace(forcing, **{name: jnp.stack([near[name]] * 2) for name in SUPPLIED})
    sea = {name: field[np.asarray(hourly.grid.mask_t)] for name, field in near.items()}
    coupled = CoupledEmulator(hourly, Prescribed(sea, 2e-3), learned_drag=2e-3)
    lacking = replace(forcing, **dict.fromkeys(SUPPLIED))  # what the column supplies is not read
    found = step(coupled, start(coupled, state, lacking), lacking, KEY)
    known = step(hourly, state, steady, KEY)
    for name, field in known.fields().items():
        np.testing.assert_allclose(getattr(found, name), field, rtol=1e-6, atol=1e-7, err_msg=name)
    still = step(hourly, state, replace(steady, wind_u=0.0 * steady.wind_u), KEY)
    assert np.abs(known.u - still.u).max() > 1e-3


def test_the_wind_given_is_that_of_the_stress_over_ice(hourly, case):
    cover = case[0].concentration
    wind = {"wind_u": 6.0 + 0 * cover, "wind_v": -2.0 + 0 * cover}
    rest = {"air_temperature": 250.0 + 0 * cover, "humidity": 1e-3 + 0 * cover}
    surface = replace(case[0], concentration=cover)
    contact = Prescribed(wind | rest, 3e-3).advance((), None, surface, None, 1.0)[1]
    given = CoupledEmulator(hourly, LAYER, learned_drag=2e-3)._near(contact, cover)
    speed = np.hypot(given["wind_u"], given["wind_v"])
    expected = np.sqrt(40.0 * (cover * 3e-3 / 2e-3 + 1.0 - cover))
    np.testing.assert_allclose(speed, expected, rtol=1e-6)
    np.testing.assert_allclose(given["wind_v"], -given["wind_u"] / 3.0, rtol=1e-9)
    plain = CoupledEmulator(hourly, LAYER, learned_drag=None)._near(contact, cover)
    for name, field in (wind | rest).items():
        np.testing.assert_array_equal(plain[name], field)


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
    assert (turned > 2.0).all() and (turned < 60.0).all()
    assert (np.abs(wind) < 9.4).all() and (np.abs(wind) > 2.0).all()
    ice = sea & np.asarray(state.concentration > 0.3)
    assert (begun.surface_temperature[ice] < 271.35).all()


def test_switches_take_away_what_they_name(hourly, case, begun):
    state, forcing = case
    moving = replace(state, u=state.u + 0.5)
    # Thicker ice under the same snow: another surface temperature.
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


def test_ice_that_is_pushed_by_its_edges_is_given_more_wind(hourly, case, begun):
    # The switch `form_drag` of the column is this factor set to 0.
    given = []
    for layer in (SurfaceLayer(), SurfaceLayer(form_drag=0.0)):
        layer = BoundaryLayer(layer, LEVELS, longest_step=1800.0, corrections=0)
        near = move_air(CoupledEmulator(hourly, layer), begun, case[1]).near
        given.append(jnp.stack([near[name] for name in SUPPLIED]))
    rough, smooth = given
    cover = np.asarray(begun.concentration)
    loose, full = (cover > 0.3) & (cover < 0.8), cover == 1.0
    gain = np.hypot(*rough[:2])[loose] / np.hypot(*smooth[:2])[loose]
    assert gain.mean() > 1.03 and gain.min() > 0.98
    np.testing.assert_array_equal(rough[:, full], smooth[:, full])


def test_one_way_the_air_does_not_feel_what_the_ice_does(hourly, case, begun, model):
    state, forcing = case
    alone = CoupledEmulator(hourly, LAYER, two_way=False)
    shape = jax.eval_shape(lambda: started(alone, state, forcing))
    assert jax.tree.structure(shape.felt) == jax.tree.structure(state) and begun.felt is None

    kept = replace(begun, felt=replace(state, u=0.0 * state.u, v=0.0 * state.v))
    other = {"concentration": 0.5 * begun.concentration, "u": begun.u + 0.3}
    one, two = (move_air(alone, state, forcing) for state in (kept, replace(kept, **other)))
    for name in SUPPLIED:
        np.testing.assert_array_equal(one.near[name], two.near[name])
    np.testing.assert_array_equal(two.concentration, other["concentration"])
    one, two = (move_air(model, state, forcing) for state in (begun, replace(begun, **other)))
    assert all(np.abs(one.near[name] - two.near[name]).max() > 0.0 for name in SUPPLIED)


@jax.jit
@jax.value_and_grad
def told(inputs, model, state, forcing, weight):
    """Weighted air after a step, by factors of roughness, wind aloft and longwave, and by ice."""
    (roughness, wind, sky), ice = inputs
    aloft = forcing.aloft
    aloft = replace(aloft, geostrophic_u=aloft.geostrophic_u * wind, wind_u=aloft.wind_u * wind)
    model = eqx.tree_at(lambda m: m.ice_roughness, model, model.ice_roughness * roughness)
    forcing = replace(forcing, aloft=aloft, longwave=forcing.longwave * sky)
    after, given = model.advance_air(replace(state, **ice), forcing)
    near = (getattr(given, name)[1] for name in SUPPLIED)
    weighted = zip((*near, after.surface_temperature), weight.values(), strict=False)
    return sum(jnp.sum(factor * field) for field, factor in weighted)


@pytest.fixture(scope="module")
def weight(case):
    random = np.random.default_rng(2)
    return {name: jnp.asarray(random.normal(size=f.shape)) for name, f in case[0].fields().items()}


def test_gradient_against_differences(model, begun, case, weight):
    ice, given = begun.ice().fields(), (model, begun, case[1], weight)
    at = jnp.ones(3)
    _, (gradient, by_ice) = told((at, ice), *given)
    for number in range(3):
        change = jnp.zeros(3).at[number].set(1e-5)
        high, low = (told((at + sign * change, ice), *given)[0] for sign in (1, -1))
        assert float(gradient[number]) == pytest.approx(float((high - low) / 2e-5), rel=1e-4)
    loose = (begun.concentration > 0.1) & (begun.concentration < 0.9)
    change = jnp.where(loose, 1e-6 * weight["v"], 0.0)
    high, low = (
        told((at, ice | {"concentration": begun.concentration + sign * change}), *given)[0]
        for sign in (1, -1)
    )
    along = float(jnp.sum(by_ice["concentration"] * change))
    assert along == pytest.approx(float(high - low) / 2, rel=1e-3)


def test_gradients_are_finite_at_the_bounds_and_in_a_calm(model, begun, case, weight):
    cover = np.asarray(begun.concentration)
    assert (cover == 0.0).any() and (cover == 1.0).any()
    ice = begun.ice().fields() | {"u": 0.0 * begun.u, "v": 0.0 * begun.v}
    calm = jnp.array([1.0, 0.0, 1.0])
    for found in (
        told((calm, ice), model, begun, case[1], weight),
        told((jnp.ones(3), begun.ice().fields()), model, begun, case[1], weight),
    ):
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found))


def test_single_precision_stays_single_with_finite_derivatives(model, case):
    state, forcing = cast(case, jnp.float32)
    begun = jax.eval_shape(model.start, state, forcing)
    after = jax.eval_shape(model.step, begun, forcing, KEY)
    for tree in (begun, after):
        assert {leaf.dtype for leaf in jax.tree.leaves(tree)} == {jnp.dtype("float32")}

    @jax.jit
    @jax.grad
    def felt(given):
        ice, wind, temperature = given
        near = {"wind_u": wind, "wind_v": wind}
        near |= {"air_temperature": temperature + 1.0, "humidity": 1e-6 * temperature}
        contact = Prescribed(near, 2e-3).advance((), None, ice, None, 1.0)[1]
        weather = {"shortwave": 0.0 * wind, "longwave": 0.0 * wind + 200.0, "contact": contact}
        skin = Skin().after(temperature, ice, weather)
        near = model._near(contact, ice.concentration)
        return jnp.sum(skin + near["wind_u"] + near["wind_v"])

    for wind in (0.0, 1e-20, 8.0):
        slopes = felt((state, 0.0 * state.u + wind, 0.0 * state.u + 250.0))
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))


def test_members_are_runs_of_their_own(model, begun, case):
    forcing = case[1]
    other = replace(begun, ice_volume=0.7 * begun.ice_volume, u=0.5 * begun.u)
    together = jax.tree.map(lambda *leaves: jnp.stack(leaves), begun, other)
    both = eqx.filter_jit(jax.vmap(lambda s: model.advance_air(s, forcing)[0]))(together)
    for number, state in enumerate((begun, other)):
        alone = move_air(model, state, forcing)
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
        model.check(begun, replace(forcing, aloft=None), *map(int, forcing.time))
    with pytest.raises(InputError, match="positive number of seconds"):
        CoupledEmulator(hourly, interval=0.0)
