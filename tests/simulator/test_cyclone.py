"""The cyclone case: published numbers of its wind, current and ice."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.core.errors import InputError
from floecast.core.operators import divergence
from floecast.core.precision import cast
from floecast.core.state import check_state
from floecast.simulator.cyclone import (
    BRITTLE,
    DURATION,
    PLASTIC,
    Cyclone,
    current,
    cyclone_grid,
    ice_volume,
    start_state,
    wind,
)
from floecast.simulator.free_drift import FreeDrift
from floecast.simulator.model import Simulator

DAY = 86400


def polar(radius, angle, time=0.0):
    """Points around the centre of the low."""
    centre = 256e3 + 51.2e3 * time / DAY
    return centre + radius * np.cos(angle), centre + radius * np.sin(angle)


def test_wind_is_strongest_at_100_km():
    radius = np.linspace(0.0, 400e3, 4001)
    speed = np.hypot(*wind(*polar(radius, 0.3), 0.0))
    assert speed.max() == pytest.approx(11.04, abs=0.005)
    assert speed.max() == pytest.approx(30 / np.e, rel=1e-7)
    assert radius[speed.argmax()] == pytest.approx(100e3)
    assert speed[0] == 0.0


@pytest.mark.parametrize("time", [0.0, 7200.0, DURATION])
def test_centre_moves_51_km_a_day(time):
    centre = 256e3 + 51.2e3 * time / DAY
    assert wind(centre, centre, time) == pytest.approx((0.0, 0.0), abs=1e-9)
    assert np.hypot(*wind(*polar(100e3, 1.0, time), time)) == pytest.approx(30 / np.e)


def test_wind_turns_counter_clockwise_and_inwards():
    angle = np.linspace(0.0, 2 * np.pi, 17)
    u, v = wind(*polar(100e3, angle), 0.0)
    inwards = -(u * np.cos(angle) + v * np.sin(angle))
    around = v * np.cos(angle) - u * np.sin(angle)
    np.testing.assert_allclose(inwards, 30 / np.e * np.cos(np.radians(72)))
    np.testing.assert_allclose(around, 30 / np.e * np.sin(np.radians(72)))


def test_wind_has_finite_derivatives_at_its_centre():
    gradient = jax.jacfwd(lambda x: jnp.stack(wind(x[0], x[1], 0.0)))(jnp.array([256e3, 256e3]))
    cos, sin = np.cos(np.radians(72)), np.sin(np.radians(72))
    np.testing.assert_allclose(gradient, -3e-4 * np.array([[cos, sin], [-sin, cos]]), atol=1e-12)


def test_current_values():
    length = 512e3
    assert current(0.0, 0.0) == (-0.01, 0.01)
    assert current(length, length) == (0.01, -0.01)
    assert current(length / 2, length / 2) == (0.0, 0.0)
    assert current(length / 4, length) == pytest.approx((0.01, 0.005))


def test_current_does_not_diverge():
    grid = cyclone_grid(16)
    u, _ = current(grid.x[None, :] + grid.spacing / 2, np.broadcast_to(grid.y[:, None], grid.shape))
    _, v = current(np.broadcast_to(grid.x[None, :], grid.shape), grid.y[:, None] + grid.spacing / 2)
    inner = np.asarray(divergence(jnp.asarray(u), jnp.asarray(v), grid))[1:-1, 1:-1]
    np.testing.assert_allclose(inner, 0.0, atol=1e-18)


@pytest.mark.parametrize("cells, spacing, step", [(256, 2e3, 120), (128, 4e3, 240), (64, 8e3, 480)])
def test_grid(cells, spacing, step):
    grid = cyclone_grid(cells)
    assert grid.shape == (cells, cells)
    assert grid.spacing == spacing
    assert grid.mask_t.all()
    assert (grid.coriolis == 1.46e-4).all()
    assert PLASTIC.step(grid.spacing) == step
    assert (cyclone_grid(cells, BRITTLE).coriolis == 0.0).all()


def test_step_fills_two_days():
    assert PLASTIC.step(10e3) == 600
    assert all(DURATION % PLASTIC.step(spacing) == 0 for spacing in (10.04e3, 3.1e3, 7e3, 100.0))


@pytest.mark.parametrize("cells", [0, -4, 1.5])
def test_grid_refuses(cells):
    with pytest.raises(InputError, match="number of cells"):
        cyclone_grid(cells)


def test_start_state():
    grid = cyclone_grid(64)
    state = start_state(grid, BRITTLE)
    check_state(state, grid)
    np.testing.assert_allclose(state.concentration, 0.999999)
    np.testing.assert_allclose(state.ice_volume[0, 0], 0.3 + 0.005 * (np.sin(0.24) + np.sin(0.12)))
    # The lowest and highest of the closed form are 0.29 and 0.31, seldom met by a cell's centre.
    assert 0.29 <= float(state.ice_volume.min()) < 0.2901
    assert 0.3099 < float(state.ice_volume.max()) <= 0.31
    assert float(ice_volume(0.0, 0.0)) == 0.3
    for field in (state.u, state.v, state.damage, state.snow_volume):
        assert not np.any(field)
    assert (start_state(grid).concentration == 1.0).all()


def test_forcing_is_the_closed_form():
    grid, begin = cyclone_grid(8), 1000
    step = Cyclone.on(grid, start=begin).between(begin + 3600, begin + 7200)
    x, y = np.meshgrid(grid.x, grid.y)
    for index, time in enumerate((3600.0, 7200.0)):
        np.testing.assert_allclose(step.wind_u[index], wind(x, y, time)[0], rtol=1e-12)
        np.testing.assert_allclose(step.wind_v[index], wind(x, y, time)[1], rtol=1e-12)
        np.testing.assert_allclose(step.current_u[index], current(x, y)[0], rtol=1e-12)
        np.testing.assert_allclose(step.current_v[index], current(x, y)[1], rtol=1e-12)
    middle = step.middle()
    assert {name: field.shape for name, field in middle.items()} == dict.fromkeys(
        ("wind_u", "wind_v", "current_u", "current_v"), grid.shape
    )
    np.testing.assert_allclose(middle["wind_u"], np.mean(step.wind_u, axis=0))
    assert (step.start, step.end) == (begin + 3600, begin + 7200)


def test_forcing_in_single_precision_and_under_transformations():
    grid = cyclone_grid(16)
    cyclone = Cyclone.on(grid)
    exact = cyclone.between(DAY, DAY)
    single = cast(exact, jnp.float32)
    assert single.wind_u.dtype == jnp.float32 and single.time.dtype == exact.time.dtype
    jitted = jax.jit(lambda time: cyclone.between(time, time))(DAY)
    np.testing.assert_allclose(jitted.wind_v, exact.wind_v, rtol=1e-12)
    times = jnp.array([0, 3600, DAY])
    mapped = jax.vmap(lambda time: cyclone.between(time, time).wind_u[0])(times)
    np.testing.assert_allclose(mapped[2], exact.wind_u[0], rtol=1e-12)


def test_case_drives_a_model():
    grid = cyclone_grid(16)
    cyclone = Cyclone.on(grid)
    model = Simulator(grid, rheology=FreeDrift(), dt=PLASTIC.step(grid.spacing))
    state = start_state(grid)
    velocity = model.rheology.advance(state, cyclone.between(0, model.dt), grid, model.dt, 1)
    assert float(np.hypot(velocity.u, velocity.v).max()) == pytest.approx(0.016 * 11.04, rel=0.1)
    assert cyclone.end - cyclone.start == 2 * DAY
    assert DURATION % model.dt == 0
