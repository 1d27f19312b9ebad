"""Brittle ice: limits of the step, symmetry, bounds, derivatives."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.precision import cast
from floecast.core.state import IceState
from floecast.simulator.bbm import BBM
from floecast.simulator.interfaces import NoThermodynamics
from floecast.simulator.model import Simulator
from floecast.simulator.weno import WENO

from .conftest import random_state, steady_forcing

step = eqx.filter_jit(lambda model, state, forcing: model.step(state, forcing, None))


def simulator(grid, dt=600, scheme=None, **options):
    return Simulator(
        grid, rheology=BBM(**options), thermodynamics=NoThermodynamics(), scheme=scheme, dt=dt
    )


def pack(grid, seed=0, concentration=0.98):
    """Compact, partly broken ice of uneven thickness at rest."""
    rng = np.random.default_rng(seed)
    thickness = 1.0 + 0.5 * rng.random(grid.shape)
    state = IceState.at_rest(grid, np.full(grid.shape, concentration), thickness)
    return replace(state, damage=jnp.asarray(0.9 * rng.random(grid.shape) * grid.mask_t))


def gusty(grid, seed=1, speed=12.0, **more):
    rng = np.random.default_rng(seed)
    wind = speed * rng.normal(size=(2, *grid.shape))
    return steady_forcing(grid, wind[0], wind[1], 250.0, **more)


def test_the_elastic_limit_is_enforced():
    grid = Grid.box((8, 8), 8e3)
    longest = 0.40 * 8e3 / 493.71
    assert simulator(grid, dt=480).rheology_substeps == 2 * int(np.ceil(480 / longest / 2))
    # 60 substeps of 8 s would be 0.494 dx / c_E: the published rule admits them.
    with pytest.raises(InputError, match=r"substeps of BBM is 60 .* at most 6\.48|6\.48.* 76"):
        simulator(grid, dt=480, substeps=60)
    with pytest.raises(InputError, match="even"):
        simulator(grid, dt=480, substeps=121)
    assert simulator(grid, dt=480, substeps=120).rheology_substeps == 120


def test_the_limit_is_that_of_the_smallest_wet_cell(arctic100):
    side = arctic100.dx_t[arctic100.mask_t].min()
    model = Simulator(arctic100, rheology=BBM())
    time = model.inner_dt / model.rheology_substeps
    assert time <= 0.40 * side / 493.71 and model.rheology_substeps % 2 == 0


def quarter_turn(state, grid):
    """The state of the box turned by 90 degrees, counter-clockwise."""

    def turn(field):
        return field.T[:, ::-1]

    across = jnp.roll(turn(state.v), -1, axis=1).at[:, -1].set(0.0)
    cells = {
        name: turn(getattr(state, name))
        for name in ("concentration", "ice_volume", "snow_volume", "damage")
    }
    return IceState(**cells, u=-across, v=turn(state.u))


def mirrored(state, grid):
    """The state of the box with east and west exchanged."""

    def flip(field):
        return field[:, ::-1]

    u = jnp.roll(flip(state.u), -1, axis=1).at[:, -1].set(0.0)
    cells = {
        name: flip(getattr(state, name))
        for name in ("concentration", "ice_volume", "snow_volume", "damage", "v")
    }
    return IceState(**cells, u=-u)


def test_a_turned_box_gives_the_turned_answer():
    ocean = np.ones((10, 12), bool)
    ocean[3:5, 4:6] = False
    grid, turned = (
        Grid.box((10, 12), 8e3, ocean=ocean),
        Grid.box((12, 10), 8e3, ocean=ocean.T[:, ::-1]),
    )
    rng = np.random.default_rng(1)
    wind = 12.0 * rng.normal(size=(2, *grid.shape))
    one, other = pack(grid), quarter_turn(pack(grid), grid)
    forcing = steady_forcing(grid, wind[0], wind[1], 250.0)
    turned_forcing = steady_forcing(turned, -wind[1].T[:, ::-1], wind[0].T[:, ::-1], 250.0)
    model = simulator(grid, scheme=WENO())
    twin = simulator(turned, scheme=WENO(), y_first=True)
    one, other = model.start(one), twin.start(other)
    for _ in range(2):
        one, other = step(model, one, forcing), step(twin, other, turned_forcing)
    for got, want in zip(
        jax.tree.leaves(other.ice()), jax.tree.leaves(quarter_turn(one.ice(), grid)), strict=True
    ):
        assert np.max(np.abs(got - want)) <= 1e-10 * np.max(np.abs(want))


def test_a_mirrored_box_gives_the_mirrored_answer():
    grid = Grid.box((10, 12), 8e3, latitude=0.0)
    rng = np.random.default_rng(2)
    wind = 12.0 * rng.normal(size=(2, *grid.shape))
    forcing = steady_forcing(grid, wind[0], wind[1], 250.0)
    image = steady_forcing(grid, -wind[0][:, ::-1], wind[1][:, ::-1], 250.0)
    model = simulator(grid)
    one, other = model.start(pack(grid)), model.start(mirrored(pack(grid), grid))
    for _ in range(2):
        one, other = step(model, one, forcing), step(model, other, image)
    for got, want in zip(
        jax.tree.leaves(other.ice()), jax.tree.leaves(mirrored(one.ice(), grid)), strict=True
    ):
        assert np.max(np.abs(got - want)) <= 1e-10 * np.max(np.abs(want))


def test_bounds_and_volume_on_the_arctic(arctic100):
    model = Simulator(
        arctic100, rheology=BBM(), thermodynamics=NoThermodynamics(), scheme=WENO(), dt=21600
    )
    state = model.start(random_state(arctic100, 3))
    area = arctic100.area
    before = np.sum(state.ice_volume * area), np.sum(state.snow_volume * area)
    for seed in range(3):
        state = step(model, state, gusty(arctic100, seed))
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(state))
    assert np.sum(state.ice_volume * area) == pytest.approx(before[0], rel=1e-13)
    assert np.sum(state.snow_volume * area) == pytest.approx(before[1], rel=1e-13)
    for field in (state.concentration, state.damage, state.rheology.damage_corner):
        assert np.min(field) >= 0.0 and np.max(field) <= 1.0
    assert np.min(state.ice_volume) >= 0.0 and np.min(state.snow_volume) >= 0.0


BASIN = Grid.box((12, 12), 20e3, latitude=80.0)
STILL_WATER = {"current_u": 0.0, "current_v": 0.0, "sea_surface_height": 0.0}


def test_loose_ice_drifts_freely():
    """Where ice bears no stress, wind, water and Coriolis force balance."""
    grid, bbm = BASIN, BBM()
    model = simulator(grid, dt=43200)
    state = model.start(IceState.at_rest(grid, np.full(grid.shape, 0.3), np.full(grid.shape, 0.5)))
    for _ in range(2):
        state = step(model, state, steady_forcing(grid, 10.0, 0.0, 250.0, **STILL_WATER))
    u, v = (float(component[6, 6]) for component in state.rheology.velocity_u)
    mass = float(917.0 * state.ice_volume[6, 6] / state.concentration[6, 6])
    drag = 1026.0 * float(bbm.water_drag) * np.hypot(u, v)
    turning = mass * grid.coriolis[6, 6]
    wind = 1.3 * float(bbm.air_drag) * 100.0
    assert wind + turning * v - drag * u == pytest.approx(0.0, abs=2e-3 * wind)
    assert -turning * u - drag * v == pytest.approx(0.0, abs=2e-3 * wind)


def test_thick_whole_ice_in_a_bay_stands_still():
    bay = np.zeros(BASIN.shape, bool)
    bay[3:8, 3:8] = True
    grid = Grid.box(BASIN.shape, 20e3, latitude=80.0, ocean=bay)
    model = simulator(grid, dt=43200)
    state = model.start(IceState.at_rest(grid, 1.0 * bay, 3.0 * bay))
    state = step(model, state, steady_forcing(grid, 8.0, 3.0, 250.0, **STILL_WATER))
    assert np.max(np.hypot(state.u, state.v)) < 2e-3 and np.max(state.damage) < 0.5


def test_what_stands_on_land_is_not_read():
    bay = np.zeros(BASIN.shape, bool)
    bay[2:9, 3:10] = True
    grid = Grid.box(BASIN.shape, 20e3, latitude=80.0, ocean=bay)
    model, ends = simulator(grid, dt=43200), []
    for on_land in (0.0, np.nan):
        ice = pack(grid)
        points = {"u": grid.mask_u, "v": grid.mask_v}
        wet = {name: points.get(name, bay) for name in ice.fields()}
        fields = {name: np.where(wet[name], ice.fields()[name], on_land) for name in wet}
        forcing = steady_forcing(grid, 8.0, 3.0, 250.0, **STILL_WATER)
        weather = {name: np.where(bay, field, on_land) for name, field in forcing.fields().items()}
        forcing = replace(forcing, **weather)
        state = model.start(IceState(**fields), forcing)
        ends.append(step(model, state, forcing))
    for one, other in zip(*map(jax.tree.leaves, ends), strict=True):
        assert np.array_equal(one, other)


def test_parameters_without_elastic_waves_are_refused():
    for wrong in ({"elasticity": -1.0}, {"ice_density": np.nan}, {"poisson_ratio": 1.0}):
        with pytest.raises(InputError, match=f"{next(iter(wrong))} "):
            simulator(BASIN, **wrong)


def test_tilt_moves_ice_as_the_current_it_belongs_to():
    """Without wind, ice in a geostrophic current goes with it."""
    grid, current = BASIN, 0.1
    slope = -current * grid.coriolis[0, 0] / 9.81
    height = np.broadcast_to(slope * grid.y[:, None], grid.shape)
    model = simulator(grid, dt=43200)
    state = model.start(IceState.at_rest(grid, np.full(grid.shape, 0.3), np.full(grid.shape, 3.0)))
    forcing = steady_forcing(
        grid, 0.0, 0.0, 250.0, current_u=current, current_v=0.0, sea_surface_height=height
    )
    for _ in range(6):
        state = step(model, state, forcing)
    u, v = state.rheology.velocity_u
    assert u[6, 6] == pytest.approx(current, rel=0.02)
    assert v[6, 6] == pytest.approx(0.0, abs=2e-3)


def test_cold_heals_and_snow_shelters():
    grid, model = BASIN, simulator(BASIN, dt=43200)
    broken = replace(pack(grid), damage=jnp.full(grid.shape, 0.5))
    damage = {}
    for name, air, snow in (("cold", 240.0, 0.0), ("mild", 272.0, 0.0), ("sheltered", 240.0, 0.3)):
        state = model.start(replace(broken, snow_volume=jnp.full(grid.shape, snow)))
        forcing = steady_forcing(grid, 0.0, 0.0, air, **STILL_WATER)
        damage[name] = float(step(model, state, forcing).damage[2, 2])
    assert damage["cold"] < damage["sheltered"] < damage["mild"]
    assert 0.5 - damage["cold"] == pytest.approx(43200 * (271.35 - 240.0) / 25.92e6, rel=1e-6)
    assert damage["mild"] == pytest.approx(0.5, abs=1e-12)


def gradient_case():
    grid = Grid.box((6, 7), 8e3)
    model = simulator(grid, dt=120, substeps=20)
    return grid, model, model.start(pack(grid, concentration=0.9)), gusty(grid, speed=8.0)


PARAMETERS = (
    "elasticity",
    "relaxation_time",
    "compactness",
    "poisson_ratio",
    "friction",
    "cohesion",
    "ridging_resistance",
    "shear_reduction",
    "healing",
    "cross_nudging",
    "air_drag",
    "water_drag",
    "ice_density",
)


def loss(model, state, forcing):
    state, _ = jax.lax.scan(
        lambda state, _: (model.step(state, forcing, None), None), state, length=2
    )
    weight = jnp.cos(jnp.arange(state.u.size, dtype=float)).reshape(state.u.shape)
    return jnp.sum(weight * (state.u + 2.0 * state.v + state.ice_volume + 0.1 * state.damage))


def test_gradient_to_every_parameter_and_the_wind():
    grid, model, state, forcing = gradient_case()
    parameters = {name: getattr(model.rheology, name) for name in PARAMETERS}
    wind = jax.tree.map(jnp.asarray, forcing)

    def value(changed, wind):
        return float(_slopes(model, state, parameters | changed, wind)[0])

    _, (by_parameter, by_forcing, _) = _slopes(model, state, parameters, wind)
    for name, centre in parameters.items():
        shift = 1e-6 * abs(float(centre))
        ends = [value({name: centre + sign * shift}, wind) for sign in (1, -1)]
        want = (ends[0] - ends[1]) / (2 * shift)
        scale = max(abs(want), 1e-9 / abs(float(centre)))
        assert abs(float(by_parameter[name]) - want) < 1e-3 * scale, name
    direction = np.random.default_rng(5).normal(size=forcing.wind_u.shape)
    ends = [
        value({}, replace(wind, wind_u=wind.wind_u + sign * 1e-6 * direction)) for sign in (1, -1)
    ]
    want = (ends[0] - ends[1]) / 2e-6
    assert float(jnp.sum(by_forcing * direction)) == pytest.approx(want, rel=1e-3)


def _with(model, parameters):
    rheology = replace(model.rheology, **parameters)
    return eqx.tree_at(lambda m: m.rheology, model, rheology)


@eqx.filter_jit
def _slopes(model, state, parameters, forcing):
    def of(parameters, wind_u, state):
        return loss(_with(model, parameters), state, replace(forcing, wind_u=wind_u))

    return jax.value_and_grad(of, argnums=(0, 1, 2))(parameters, forcing.wind_u, state)


def test_gradient_is_finite_where_there_is_no_ice_no_wind_no_motion():
    """In single precision, in which the square of 1e-20 is 0."""
    grid, model, _, _ = gradient_case()
    concentration = np.zeros(grid.shape)
    concentration[2:, 2:] = 1.0
    state = model.start(IceState.at_rest(grid, concentration, np.ones(grid.shape)))
    state = cast(state, jnp.float32)
    calm = jax.tree.map(jnp.asarray, steady_forcing(grid, 0.0, 0.0, 250.0))
    parameters = {name: getattr(model.rheology, name) for name in PARAMETERS}
    _, slopes = _slopes(model, state, parameters, calm)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(slopes))


def test_members_mapped_are_members_alone():
    grid, model, _, forcing = gradient_case()
    members = [model.start(pack(grid, seed)) for seed in range(3)]
    together = eqx.filter_jit(eqx.filter_vmap(lambda s: model.step(s, forcing, None)))(
        jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)
    )
    for number, member in enumerate(members):
        alone = step(model, member, forcing)
        for one, many in zip(jax.tree.leaves(alone), jax.tree.leaves(together), strict=True):
            assert np.allclose(one, many[number], rtol=1e-12, atol=1e-15)


def test_single_precision_stays_near_double():
    grid, model, state, forcing = gradient_case()
    double = step(model, state, forcing)
    single = step(model, jax.tree.map(lambda x: x.astype(jnp.float32), state), forcing)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(single))
    assert np.allclose(single.u, double.u, atol=2e-4) and np.allclose(
        single.damage, double.damage, atol=2e-3
    )
