"""Deformation of grids and of quadrangles against closed forms."""

import numpy as np
import pytest

from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.verification.deformation import (
    MODEL_QUALITY,
    RGPS_QUALITY,
    SECONDS_PER_DAY,
    Quality,
    coarse_grain,
    follow,
    from_gradients,
    good_quads,
    grid_deformation,
    lattice_quads,
    quad_deformation,
)

DAY = SECONDS_PER_DAY
RATE = 0.1 / DAY
SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]) * 10e3


def lattice(rows, columns, spacing=10e3):
    x, y = np.meshgrid(np.arange(columns) * spacing, np.arange(rows) * spacing)
    return np.stack([x, y], axis=-1)


def linear(positions, gradient, time):
    """Where points are after some time in a field with constant velocity gradient at the start."""
    return positions + time * positions @ np.array(gradient).T


def faces(grid, u, v):
    """Velocity fields sampled at the faces of a box."""
    x, y = np.meshgrid(grid.x, grid.y)
    half = grid.spacing / 2
    return u(x + half, y), v(x, y + half)


def test_invariants_of_the_table():
    shearing = from_gradients(0.0, 1 / DAY, 0.0, 0.0)
    assert (shearing.divergence, shearing.shear, shearing.total) == pytest.approx((0, 1, 1))
    opening = from_gradients(1 / DAY, 0.0, 0.0, 1 / DAY)
    assert (opening.divergence, opening.shear, opening.total) == pytest.approx((2, 0, 2))


@pytest.mark.parametrize(
    "gradient, divergence, shear",
    [
        ([[RATE, 0], [0, RATE]], 0.2, 0.0),
        ([[0, RATE], [0, 0]], 0.0, 0.1),
        ([[0, 0], [RATE, 0]], 0.0, 0.1),
        ([[RATE, 0], [0, -RATE]], 0.0, 0.2),
        ([[0, -RATE], [RATE, 0]], 0.0, 0.0),
        ([[3 * RATE, RATE], [3 * RATE, -RATE]], 0.2, 0.4 * np.sqrt(2)),
    ],
)
def test_grid_of_linear_field(gradient, divergence, shear):
    grid = Grid.box((7, 9), 5e3)
    (u_x, u_y), (v_x, v_y) = gradient
    u, v = faces(grid, lambda x, y: u_x * x + u_y * y, lambda x, y: v_x * x + v_y * y)
    found = grid_deformation(u, v, grid)
    inner = (slice(1, -1), slice(1, -1))
    np.testing.assert_allclose(found.divergence[inner], divergence, atol=1e-12)
    np.testing.assert_allclose(found.shear[inner], shear, atol=1e-12)
    np.testing.assert_allclose(found.total[inner], np.hypot(divergence, shear), atol=1e-12)


def test_grid_shear_beside_land_needs_no_rule_for_the_coast():
    ocean = np.ones((7, 9), bool)
    ocean[3, 4] = False
    grid = Grid.box((7, 9), 5e3, ocean=ocean)
    u, v = faces(grid, lambda x, y: 2e-6 + RATE * y, lambda x, y: 0 * y)
    total = grid_deformation(u, v, grid).total
    north_and_south = total[[2, 4], 4]
    np.testing.assert_allclose(north_and_south, 0.1)
    np.testing.assert_allclose(total[[0, -1], 1:-1], 0.1)


def test_grid_is_of_second_order():
    errors, wave = [], 2 * np.pi
    for cells in (16, 32, 64):
        grid = Grid.box((cells, cells), 1.0 / cells)
        u, v = faces(
            grid,
            lambda x, y: np.sin(wave * x) * np.cos(wave * y),
            lambda x, y: np.sin(wave * (x + 2 * y)),
        )
        x, y = np.meshgrid(grid.x, grid.y)
        exact = from_gradients(
            wave * np.cos(wave * x) * np.cos(wave * y),
            -wave * np.sin(wave * x) * np.sin(wave * y),
            wave * np.cos(wave * (x + 2 * y)),
            2 * wave * np.cos(wave * (x + 2 * y)),
        )
        error = (grid_deformation(u, v, grid).total - exact.total)[1:-1, 1:-1]
        errors.append(np.abs(error).mean() / DAY)
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert (orders > 1.85).all() and (orders < 2.2).all()


def test_rotation_about_the_pole_has_no_shear_on_the_arctic_grid():
    grid = Grid.preset("arctic100")
    rate = 1e-6
    # Speed over the Earth is the speed on the plane over the scale factor.
    u = -rate * np.broadcast_to(grid.y[:, None], grid.shape) * grid.dx_u / grid.spacing
    v = rate * np.broadcast_to(grid.x[None, :], grid.shape) * grid.dx_v / grid.spacing
    found = grid_deformation(u, v, grid)
    inner = grid.mask_f.copy()
    for axis in (0, 1):
        inner &= np.roll(inner, 1, axis)
    assert inner.sum() > 400
    assert np.abs(found.shear[inner]).max() < 1e-11 * rate * DAY
    assert np.abs(found.divergence[inner]).max() < 1e-5 * rate * DAY
    uniform = grid_deformation(np.ones(grid.shape), np.zeros(grid.shape), grid)
    assert np.nanmax(uniform.shear[inner]) > 1e-6


def test_grid_leaves_out_land_and_keeps_leading_axes():
    ocean = np.ones((6, 6), bool)
    ocean[2, 2] = False
    ocean[5, :5] = False
    ocean[4, :5] = False
    grid = Grid.box((6, 6), 1e3, ocean=ocean)
    u = np.full((2, 6, 6), np.nan)
    u[:, grid.mask_u] = 1e-3
    v = np.where(grid.mask_v, 0.0, 1e20)
    found = grid_deformation(u, np.stack([v, v]), grid)
    assert found.total.shape == (2, 6, 6)
    assert np.isnan(found.total[:, ~ocean]).all()
    alone = ocean & ~np.isfinite(found.total[0])
    # Cells in a channel one cell wide have no corner in the sea.
    assert np.argwhere(alone).tolist() == [[3, 2], [4, 5], [5, 5]]


@pytest.mark.parametrize("rate", [RATE, -RATE])
def test_quad_divergence_is_the_exact_change_of_area(rate):
    time = 3 * DAY
    end = linear(SQUARE, [[rate, 0], [0, rate]], time)
    found = quad_deformation(SQUARE, end, time)
    assert found.divergence == pytest.approx(((1 + rate * time) ** 2 - 1) / 3, rel=1e-12)
    assert found.shear == pytest.approx(0, abs=1e-12)


def test_quad_pure_and_simple_shear():
    time = 3 * DAY
    for gradient, shear in (
        ([[0, RATE], [0, 0]], 0.1),
        ([[0, 0], [RATE, 0]], 0.1),
    ):
        found = quad_deformation(SQUARE, linear(SQUARE, gradient, time), time)
        assert found.divergence == pytest.approx(0, abs=1e-12)
        assert found.shear == pytest.approx(shear, rel=1e-12)
    # Stretching along one side: the divergence is that of the area, second order in time.
    end = linear(SQUARE, [[RATE, 0], [0, -RATE]], time)
    found = quad_deformation(SQUARE, end, time)
    assert found.divergence == pytest.approx(-0.3 * 0.1, rel=1e-12)
    assert found.shear == pytest.approx(0.2, rel=1e-12)


@pytest.mark.parametrize("degrees", [1.0, 40.0, 120.0])
def test_quad_rotation_by_any_angle_does_not_deform(degrees):
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    rng = np.random.default_rng(1)
    start = SQUARE + rng.normal(0, 1e3, SQUARE.shape)
    found = quad_deformation(start, start @ turn.T + [3e4, -2e4], 3 * DAY)
    assert found.total == pytest.approx(0, abs=1e-12)


def test_quad_does_not_depend_on_the_frame():
    rng = np.random.default_rng(2)
    start = SQUARE + rng.normal(0, 1e3, (20, 4, 2))
    end = start + rng.normal(0, 500, start.shape)
    turn = np.array([[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]])
    first, second = (
        quad_deformation(start, end, DAY),
        quad_deformation(start @ turn.T, end @ turn.T, DAY),
    )
    np.testing.assert_allclose(first.divergence, second.divergence, atol=1e-12)
    np.testing.assert_allclose(first.shear, second.shear, atol=1e-12)


def test_quad_uses_the_time_of_each_corner():
    interval = np.array([2.9, 3.0, 3.1, 3.2]) * DAY
    velocity = SQUARE * RATE
    end = SQUARE + velocity * interval[:, None]
    found = quad_deformation(SQUARE, end, interval)
    same = quad_deformation(SQUARE, SQUARE + velocity * 3 * DAY, 3 * DAY)
    assert found.divergence == pytest.approx(same.divergence, rel=0.01)
    wrong = quad_deformation(SQUARE, end, 3 * DAY)
    assert abs(wrong.divergence - same.divergence) > abs(found.divergence - same.divergence)


def test_quality_limits():
    assert good_quads(SQUARE, 10e3)
    assert not good_quads(SQUARE[::-1], 10e3)
    assert good_quads(SQUARE * 1.025, 10e3) and not good_quads(SQUARE * 1.026, 10e3)
    assert good_quads(SQUARE * 0.975, 10e3) and not good_quads(SQUARE * 0.974, 10e3)
    assert good_quads(SQUARE * 0.81, 10e3, RGPS_QUALITY[0])
    assert not good_quads(SQUARE * np.nan, 10e3)
    for longer, fit in ((1.49, True), (1.51, False)):
        stretch = np.array([np.sqrt(longer), 1 / np.sqrt(longer)])
        assert good_quads(SQUARE * stretch, 10e3) == fit
        assert good_quads(SQUARE * stretch[::-1], 10e3) == fit
    for degrees, fit in ((41, True), (39, False)):
        sin, cos = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
        rhombus = np.array([[0, 0], [1, 0], [1 + cos, sin], [cos, sin]]) * 10e3 / np.sqrt(sin)
        assert good_quads(rhombus, 10e3) == fit
    # Height and width are means of opposite sides: 10 by 12.2 here, though one side is 3.
    trapezium = np.array([[7, 0], [10, 0], [17, 10], [0, 10]]) * 1e3
    assert good_quads(trapezium, 10e3)
    dart = np.array([[0.0, 0.0], [2.0, 0.0], [0.5, 0.5], [0.0, 2.0]]) * 10e3
    assert not good_quads(dart, 10e3, Quality(1.0, 0.0, 179.0, 10.0))


def test_lattice_quads_tile():
    corners = lattice_quads((9, 13), 4)
    assert corners.shape == (2 * 3, 4)
    np.testing.assert_array_equal(corners[0], [0, 4, 4 + 4 * 13, 4 * 13])
    assert lattice_quads((9, 13), 4, stride=1).shape == (5 * 9, 4)
    assert lattice_quads((3, 3), 3).shape == (0, 4)
    turned = lattice_quads((9, 13), 2, rotated=True)
    places = lattice(9, 13, 1.0).reshape(-1, 2)[turned]
    assert good_quads(places, 2 * np.sqrt(2)).all()
    with pytest.raises(InputError, match="at least 1"):
        lattice_quads((3, 3), 0)


@pytest.mark.parametrize("rotated", [False, True])
@pytest.mark.parametrize("overlapping", [False, True])
def test_coarse_grain_of_a_linear_field(rotated, overlapping):
    start = lattice(33, 33)
    gradient = np.array([[2, 1], [0.5, -1]]) * RATE
    end = linear(start, gradient, 10.0)
    options = {"spacing": 10e3, "rotated": rotated, "overlapping": overlapping}
    samples = coarse_grain(start, end, 10.0, steps=(1, 2, 4, 8), **options)
    exact = from_gradients(*gradient.reshape(-1))
    for step, sample in zip((1, 2, 4, 8), samples, strict=True):
        assert sample.scale == pytest.approx(step * 10e3 * (np.sqrt(2) if rotated else 1))
        np.testing.assert_allclose(sample.deformation.divergence, exact.divergence, rtol=1e-4)
        np.testing.assert_allclose(sample.deformation.shear, exact.shear, rtol=1e-4)
    if not rotated:
        counts = [33 - step if overlapping else 32 // step for step in (1, 2, 4, 8)]
        assert [len(sample.corners) for sample in samples] == [n**2 for n in counts]


def test_coarse_grain_leaves_out_lost_and_misshapen_quads():
    start = lattice(5, 5)
    end = start.copy()
    end[0, 0] = np.nan
    start[4, 4] += 9e3
    fine, coarse = coarse_grain(start, end, DAY, spacing=10e3, steps=(1, 4))
    assert len(fine.corners) == 16 - 2
    assert len(coarse.corners) == 0 and np.isnan(coarse.scale)
    assert coarse.deformation.total.shape == (0,)
    loose = [MODEL_QUALITY, Quality(10.0, 0.0, 360.0, 10.0)]
    with pytest.raises(InputError, match="one each"):
        coarse_grain(start, end, DAY, spacing=10e3, steps=(1,), quality=loose)
    with pytest.raises(InputError, match=r"row, column, 2"):
        coarse_grain(start, end[:2], DAY, spacing=10e3, steps=(1,))


def test_followed_points_rotate_with_the_flow():
    grid = Grid.box((64, 64), 1e3)
    centre, rate = 32e3, 1e-5
    u, v = faces(grid, lambda x, y: -rate * (y - centre), lambda x, y: rate * (x - centre))
    start = centre + lattice(5, 5, 2e3)
    dt, steps = 1800.0, 48
    track = follow(start, np.repeat(u[None], steps, 0), np.repeat(v[None], steps, 0), grid, dt)
    assert track.shape == (steps + 1, 5, 5, 2)
    angle = rate * dt * steps
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    np.testing.assert_allclose(track[-1] - centre, (start - centre) @ turn.T, atol=1.0)
    samples = coarse_grain(track[0], track[-1], dt * steps, spacing=2e3, steps=(1, 2, 4))
    for sample in samples:
        # Drift of the midpoint rule only: an error of (rate dt)^2 / 6 a radian.
        np.testing.assert_allclose(sample.deformation.total, 0.0, atol=2e-4)


def test_followed_points_stay_in_the_box_and_start_at_sea():
    ocean = np.ones((10, 10), bool)
    ocean[:, 0] = False
    grid = Grid.box((10, 10), 1e3, ocean=ocean)
    points = np.array([[500.0, 5e3], [5e3, 5e3], [-3e3, 5e3], [np.nan, 0.0]])
    u = np.full((100, 10, 10), 1.0)
    track = follow(points, u, 0 * u, grid, 300.0)
    assert np.isnan(track[:, [0, 2, 3]]).all()
    assert 9e3 < track[-1, 1, 0] <= 10e3 and track[-1, 1, 1] == 5e3
    assert (np.diff(track[:, 1, 0]) >= 0).all()


def test_followed_points_on_the_arctic_plane():
    grid = Grid.preset("arctic100")
    rate, dt = 1e-7, 3600.0
    u = -rate * np.broadcast_to(grid.y[:, None], grid.shape) * grid.dx_u / grid.spacing
    v = rate * np.broadcast_to(grid.x[None, :], grid.shape) * grid.dx_v / grid.spacing
    points = np.array([[200e3, 0.0], [0.0, -300e3]])
    track = follow(points, np.repeat(u[None], 24, 0), np.repeat(v[None], 24, 0), grid, dt)
    radius = np.hypot(track[..., 0], track[..., 1])
    np.testing.assert_allclose(radius, np.broadcast_to([200e3, 300e3], radius.shape), rtol=1e-9)
    turned = np.arctan2(track[-1, 0, 1], track[-1, 0, 0])
    assert turned == pytest.approx(rate * dt * 24, rel=1e-6)


def test_followed_quads_agree_with_the_grid():
    errors = []
    for cells in (16, 32, 64):
        grid = Grid.box((cells, cells), 256e3 / cells)
        wave = 2 * np.pi / 256e3
        u, v = faces(
            grid,
            lambda x, y, wave=wave: np.sin(wave * x) * np.cos(wave * y),
            lambda x, y, wave=wave: np.sin(wave * (x + 2 * y)),
        )
        half = grid.spacing / 2
        corners = np.stack(np.meshgrid(grid.x[:-1] + half, grid.y[:-1] + half), axis=-1)
        track = follow(corners, u[None], v[None], grid, 1.0)
        (sample,) = coarse_grain(track[0], track[1], 1.0, spacing=grid.spacing, steps=(1,))
        total = grid_deformation(u, v, grid).total[1:-1, 1:-1]
        inner = sample.deformation.total.reshape(total.shape)[1:-1, 1:-1] - total[1:-1, 1:-1]
        errors.append(np.abs(inner).mean() / total.mean())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert (orders > 1.7).all() and errors[-1] < 0.01
