"""mEVP against closed forms, symmetries and finite differences."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.atmosphere.forcing import Forcing
from floecast.core.grid import Grid
from floecast.core.state import IceState
from floecast.simulator.mevp import GRAVITY, MEVP
from floecast.simulator.state import complete
from floecast.simulator.strain import Stress

HOUR = 3600


@eqx.filter_jit
def run(mevp, state, fields, grid, steps, dt=HOUR):
    forcing = Forcing(jnp.array([0]), **{name: field[None] for name, field in fields.items()})

    def step(_, state):
        return mevp.advance(state, forcing, grid, dt, mevp.iterations)

    return jax.lax.fori_loop(0, steps, step, state)


def at_rest(grid, concentration, volume, snow=0.0):
    sea = grid.mask_t
    fields = [jnp.where(sea, field, 0.0).astype(float) for field in (concentration, volume, snow)]
    still = jnp.zeros(grid.shape)
    state = complete(IceState(*fields, still, still, still))
    return replace(state, rheology=MEVP().memory(state, grid))


def moved(tracers, u, v, stress):
    state = complete(IceState(*tracers, u, v, jnp.zeros_like(u)))
    return replace(state, rheology=stress)


def steady(grid, **numbers):
    return {name: jnp.full(grid.shape, number, float) for name, number in numbers.items()}


def island(shape=(10, 10)):
    """A box with an island off its middle, open water, thin and thick ice, gusts and currents."""
    rng = np.random.default_rng(5)
    ocean = np.ones(shape, bool)
    ocean[3:5, 4:7] = False
    grid = Grid.box(shape, 20e3, latitude=80.0, ocean=ocean)
    concentration = np.clip(rng.uniform(0.6, 1.2, shape), 0.0, 1.0)
    concentration[7:, 7:] = 0.0
    state = at_rest(
        grid, concentration, concentration * rng.uniform(0.3, 2.0, shape), 0.1 * concentration
    )
    names = ("wind_u", "wind_v", "current_u", "current_v", "sea_surface_height")
    scales = (8.0, 8.0, 0.1, 0.1, 0.05)
    fields = {
        name: jnp.asarray(scale * rng.normal(size=shape))
        for name, scale in zip(names, scales, strict=True)
    }
    return grid, state, fields


@pytest.mark.parametrize("turning", [0.0, 25.0])
def test_thin_loose_ice_drifts_freely(turning):
    """Wind that holds a chosen drift against water drag, Coriolis force and tilt, backwards."""
    grid = Grid.box((9, 9), 20e3, latitude=75.0)
    mevp = MEVP(turning_angle=turning)
    concentration, volume, slope = 0.5, 0.01, 2e-6 - 3e-6j
    drift, current = 0.12 + 0.05j, -0.03 + 0.04j
    mass = 917.0 * volume
    slip = current - drift
    drag = concentration * 1026.0 * 5.5e-3 * abs(slip) * slip * np.exp(1j * np.radians(turning))
    other = drag - 1j * mass * grid.coriolis[0, 0] * drift - mass * GRAVITY * slope
    stress = -other / concentration
    wind = stress / np.sqrt(abs(stress) * 1.3 * 1.2e-3)
    fields = steady(
        grid, wind_u=wind.real, wind_v=wind.imag, current_u=current.real, current_v=current.imag
    )
    fields["sea_surface_height"] = slope.real * grid.x[None, :] + slope.imag * grid.y[:, None]
    state = run(mevp, at_rest(grid, concentration, volume), fields, grid, 20)
    middle = float(state.u[4, 4]) + 1j * float(state.v[4, 4])
    assert abs(middle - drift) < 1e-5 * abs(drift)


def test_thick_ice_in_a_closed_basin_stands_still():
    grid = Grid.box((20, 20), 20e3)
    wind = steady(grid, wind_u=8.0, wind_v=6.0)
    thick = run(MEVP(), at_rest(grid, 1.0, 5.0), wind, grid, 24)
    loose = run(MEVP(), at_rest(grid, 0.5, 2.5), wind, grid, 24)
    assert np.max(np.hypot(loose.u, loose.v)) > 0.15
    assert np.max(np.hypot(thick.u, thick.v)) < 1e-3
    # The ice passes the stress of the wind on to the walls, from no pressure to its sum.
    pressure = -0.5 * np.asarray(thick.rheology.total + thick.rheology.difference)[:, 1:-1].mean(0)
    assert np.all(np.diff(pressure) > 0)


def mirrored(grid, state, fields):
    """Everything as in a mirror along x; the Earth turns the other way."""

    def scalar(field):
        return field[:, ::-1]

    def along(field):
        return jnp.pad(-field[:, -2::-1], ((0, 0), (0, 1)))

    grid = replace(
        Grid.box(grid.shape, grid.spacing, ocean=scalar(grid.mask_t)),
        coriolis=-scalar(grid.coriolis),
    )
    signs = {"wind_u": -1.0, "current_u": -1.0}
    fields = {name: signs.get(name, 1.0) * scalar(field) for name, field in fields.items()}
    tracers = (scalar(f) for f in (state.concentration, state.ice_volume, state.snow_volume))
    stress = state.rheology
    stress = Stress(scalar(stress.total), scalar(stress.difference), -scalar(stress.shear))
    return grid, moved(tracers, along(state.u), scalar(state.v), stress), fields


def quarter_turned(grid, state, fields):
    """Everything turned to the left by 90 degrees: new x is old y backwards, new y is old x."""

    def scalar(field):
        return jnp.rot90(field, -1)

    def turn(u, v):
        new_u = jnp.pad(-jnp.rot90(v[:-1], -1), ((0, 0), (0, 1)))
        return new_u, jnp.pad(jnp.rot90(u[:, :-1], -1), ((0, 1), (0, 0)))

    coriolis = scalar(grid.coriolis)
    grid = replace(
        Grid.box(grid.shape[::-1], grid.spacing, ocean=np.asarray(scalar(grid.mask_t))),
        coriolis=coriolis,
    )
    turned = {name: scalar(field) for name, field in fields.items()}
    for kind in ("wind", "current"):
        u, v = turned[f"{kind}_u"], turned[f"{kind}_v"]
        turned |= {f"{kind}_u": -v, f"{kind}_v": u}
    tracers = (scalar(f) for f in (state.concentration, state.ice_volume, state.snow_volume))
    stress = state.rheology
    stress = Stress(scalar(stress.total), -scalar(stress.difference), -scalar(stress.shear))
    return grid, moved(tracers, *turn(state.u, state.v), stress), turned


@pytest.mark.parametrize("image", [mirrored, quarter_turned])
def test_symmetry(image):
    grid, state, fields = island((10, 12))
    mevp = MEVP(iterations=40)
    start = run(mevp, state, fields, grid, 1)
    _, expected, _ = image(grid, run(mevp, start, fields, grid, 2), fields)
    image_grid, image_start, image_fields = image(grid, start, fields)
    after = run(mevp, image_start, image_fields, image_grid, 2)
    assert np.max(np.abs(expected.u)) > 0.05
    for one, other in zip(jax.tree.leaves(after), jax.tree.leaves(expected), strict=True):
        scale = np.max(np.abs(other)) + 1e-300
        np.testing.assert_allclose(one / scale, other / scale, rtol=0, atol=1e-10)


@eqx.filter_jit
@eqx.filter_value_and_grad
def measured(inputs, grid):
    """A number of what two steps give, and its slopes."""
    after = run(*inputs, grid, 2)
    weight = jnp.cos(jnp.arange(grid.mask_t.size, dtype=float)).reshape(grid.shape)
    return jnp.sum(weight * after.u) + jnp.sum(after.v**2) + 1e-5 * jnp.sum(after.rheology.total)


def test_gradient_against_finite_differences():
    grid, state, fields = island()
    inputs = (MEVP(iterations=30), state, fields)
    _, slope = measured(inputs, grid)
    rng = np.random.default_rng(1)

    def towards(leaf):
        return 0.01 * rng.uniform(-1, 1, leaf.shape) * np.abs(leaf)

    direction = jax.tree.map(towards, eqx.filter(inputs, eqx.is_array))
    expected = sum(
        float(jnp.sum(a * b))
        for a, b in zip(jax.tree.leaves(slope), jax.tree.leaves(direction), strict=True)
    )
    step = 1e-4

    def at(shift):
        moved = jax.tree.map(lambda leaf, way: leaf + shift * way, inputs, direction)
        return float(measured(moved, grid)[0])

    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(slope))
    assert expected == pytest.approx((at(step) - at(-step)) / (2 * step), rel=1e-3)


@pytest.mark.parametrize(("concentration", "wind"), [(0.0, 0.0), (0.0, 9.0), (1.0, 0.0)])
def test_gradient_is_finite_without_ice_or_wind(concentration, wind):
    grid = Grid.box((10, 10), 10e3)
    state = at_rest(grid, concentration, concentration)
    fields = dict.fromkeys(("wind_v", "current_u", "current_v", "sea_surface_height"), 0.0)
    _, slope = measured((MEVP(iterations=30), state, steady(grid, wind_u=wind, **fields)), grid)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(slope))


def test_ice_alone_has_a_velocity():
    grid, state, fields = island()
    after = run(MEVP(), state, fields, grid, 3)
    mass = np.asarray(state.ice_volume)
    beside = grid.mask_u & (mass + np.roll(mass, -1, 1) > 0)
    np.testing.assert_array_equal(np.asarray(after.u) != 0, beside)
    beside = grid.mask_v & (mass + np.roll(mass, -1, 0) > 0)
    np.testing.assert_array_equal(np.asarray(after.v) != 0, beside)
    assert np.max(np.abs(after.u)) < 1.0


def test_vanishing_ice_goes_with_the_water():
    grid = Grid.box((7, 7), 10e3)
    fields = steady(grid, wind_u=20.0, wind_v=0.0, current_u=0.1, current_v=0.0)
    after = run(MEVP(), at_rest(grid, 1e-7, 1e-8), fields, grid, 20)
    assert float(after.u[3, 3]) == pytest.approx(0.1, abs=0.01)


def test_members_together_and_one_by_one():
    grid, state, fields = island()
    mevp = MEVP(iterations=20)
    members = [replace(state, ice_volume=factor * state.ice_volume) for factor in (0.2, 1.0, 3.0)]
    together = jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)
    after = eqx.filter_vmap(lambda member: run(mevp, member, fields, grid, 1))(together)
    for index, member in enumerate(members):
        alone = run(mevp, member, fields, grid, 1)
        np.testing.assert_allclose(after.u[index], alone.u, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("alpha", "tolerance"), [(300.0, 1e-6), (None, 5e-3)])
def test_single_precision(alpha, tolerance):
    """In random ice the adaptive iterations do not settle and rounding shows as much as that."""
    grid, state, fields = island()
    mevp = MEVP(alpha=alpha)
    after = run(mevp, state, fields, grid, 5)
    single = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), (state, fields))
    single = run(mevp, *single, grid, 5)
    assert single.u.dtype == single.rheology.shear.dtype == jnp.float32
    np.testing.assert_allclose(single.u, after.u, rtol=0, atol=tolerance)
    np.testing.assert_allclose(single.v, after.v, rtol=0, atol=tolerance)


def test_snow_and_strength_slow_the_ice():
    """Ice weaker or lighter answers more to the same wind, in the first minutes of it."""
    grid = Grid.box((8, 8), 20e3)
    wind = steady(grid, wind_u=5.0, wind_v=0.0)

    def speed(snow=0.0, **parameters):
        state = at_rest(grid, 0.9, 1.0, snow)
        return float(jnp.max(run(MEVP(**parameters), state, wind, grid, 1, 600).u))

    assert speed(snow=1.0) < 0.95 * speed()
    assert speed(ice_strength=27500.0) < 0.95 * speed(ice_strength=5000.0)


def test_longest_step_follows_the_cells(arctic100):
    assert MEVP().longest_step(arctic100) == 3600.0
    assert MEVP().longest_step(Grid.box((4, 4), 2e3)) == pytest.approx(2e3 / 3.0)
