"""Advection: conservation, bounds, order, closed forms, symmetry, derivatives."""

from functools import partial
from math import comb, erf

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from floecast.core.grid import Grid
from floecast.core.precision import cast
from floecast.simulator.advection import (
    MAX_SPEED,
    Mesh,
    Upwind,
    count_substeps,
    limit_speed,
)
from floecast.simulator.weno import WENO

SCHEMES = [Upwind(), WENO(5), WENO(7)]
SHAPE = (10, 10)
each_scheme = pytest.mark.parametrize("scheme", SCHEMES, ids=["upwind", "weno5", "weno7"])


@partial(jax.jit, static_argnames=("scheme", "substeps", "base"))
def carry(scheme, amounts, ratios, u, v, mesh, dt, substeps, base=0, defaults=None):
    more = {"base": base, "defaults": defaults}
    return scheme.carry(amounts, ratios, u, v, mesh, dt, substeps, **more)


def run(*given, **more):
    """`carry` in NumPy; compiled once for one scheme, shape and number of substeps."""
    return jax.tree.map(np.asarray, carry(*given, **more))


def rough_coast(seed, shape=SHAPE, land=0.2):
    """Part of the Arctic metric with land cells strewn over it."""
    rng = np.random.default_rng(seed)
    grid = Grid.preset("arctic100")
    cut = (slice(0, shape[0]), slice(20, 20 + shape[1]))
    mask = rng.uniform(size=shape) > land
    open_u, open_v = np.zeros(shape, bool), np.zeros(shape, bool)
    open_u[:, :-1] = mask[:, :-1] & mask[:, 1:]
    open_v[:-1] = mask[:-1] & mask[1:]
    return Mesh(grid.area[cut], grid.dx_u[cut], grid.dx_v[cut], open_u, open_v, mask)


def random_fields(seed, mesh, n=2, m=2):
    """Amounts with empty cells and sharp edges, ratios, violent flow."""
    rng = np.random.default_rng(seed)
    amounts = np.maximum(rng.uniform(-1, 3, (n, *mesh.mask.shape)), 0.0) * mesh.mask
    ratios = rng.uniform(1.0, 3.0, (m, *mesh.mask.shape))
    u, v = rng.uniform(-MAX_SPEED, MAX_SPEED, (2, *mesh.mask.shape))
    return amounts, ratios, u, v


def swirl(seed, mesh):
    """Flow without divergence along a rough coast: differences of a stream function."""
    rng = np.random.default_rng(seed)
    wet = np.pad(mesh.mask, ((0, 1), (0, 1)))
    corner = wet[:-1, :-1] & wet[1:, :-1] & wet[:-1, 1:] & wet[1:, 1:]
    stream = np.where(corner, rng.uniform(-1, 1, corner.shape), 0.0)
    stream = np.pad(stream, ((1, 0), (1, 0))) * mesh.length_u.min() * 0.5
    u = -np.diff(stream, axis=0)[:, 1:] / mesh.length_u
    v = np.diff(stream, axis=1)[1:] / mesh.length_v
    return u, v


@each_scheme
def test_sums_are_kept_over_a_thousand_steps(scheme):
    mesh = rough_coast(0, (30, 40))
    amounts, ratios, u, v = random_fields(1, mesh)
    dt = 20 * 3600
    substeps = count_substeps(mesh, dt)

    @jax.jit
    def many(amounts, ratios, u, v):
        def step(n, carried):
            turn = (-1.0) ** (n // 7)  # back and forth, so that cells empty and fill
            return scheme.carry(*carried, turn * u, v / turn, mesh, dt, substeps)

        return jax.lax.fori_loop(0, 1000 // substeps, step, (amounts, ratios))

    after, carried = map(np.asarray, many(amounts, ratios, u, v))
    sums = [np.sum(a * mesh.area, (1, 2)) for a in (amounts, after)]
    np.testing.assert_allclose(sums[1], sums[0], rtol=1e-13)
    sums = [np.sum(r * a[0] * mesh.area, (1, 2)) for r, a in ((ratios, amounts), (carried, after))]
    np.testing.assert_allclose(sums[1], sums[0], rtol=1e-13)
    assert np.min(after) >= 0 and not np.any(after[:, ~mesh.mask])


@pytest.mark.parametrize(
    ("scheme", "dtype"), [(one, np.float32) for one in SCHEMES] + [(WENO(5), np.float64)]
)
@settings(max_examples=8)
@given(seed=st.integers(0, 10**6))
def test_nothing_becomes_negative_and_ratios_keep_their_extremes(scheme, dtype, seed):
    mesh = cast(rough_coast(seed), dtype)
    amounts, ratios, u, v = (a.astype(dtype) for a in random_fields(seed, mesh))
    dt = 10 * 3600
    substeps = count_substeps(rough_coast(0, land=0.0), dt)
    for _ in range(3):
        low, high = ratios.min((1, 2)), ratios.max((1, 2))
        amounts, carried = run(scheme, amounts, ratios, u, v, mesh, dt, substeps, base=1)
        assert amounts.dtype == carried.dtype == dtype and amounts.min() >= 0
        few = 20 * np.finfo(dtype).eps
        carried = np.where(mesh.mask, carried, ratios)
        assert np.all(carried.min((1, 2)) >= low * (1 - few))
        assert np.all(carried.max((1, 2)) <= high * (1 + few))
        ratios = carried


@each_scheme
def test_ratios_stay_between_their_neighbours_in_one_substep(scheme):
    mesh = rough_coast(3)
    amounts, ratios, u, v = random_fields(3, mesh)
    dt = 0.999 * mesh.length_u.min() / (4 * MAX_SPEED)
    assert count_substeps(mesh, dt) == 1
    ratios = np.where(amounts[0] > 0, ratios, 2.0)
    after, carried = run(scheme, amounts, ratios, u, v, mesh, dt, 1)
    reach = 1 if isinstance(scheme, Upwind) else 6  # two cells a stage
    wide = np.pad(ratios[0], reach, constant_values=np.nan)
    near = np.lib.stride_tricks.sliding_window_view(wide, (2 * reach + 1,) * 2)
    ice = after[0] > 1e-12
    low, high = np.nanmin(near, (2, 3)), np.nanmax(near, (2, 3))
    assert np.all((carried[0] >= low * (1 - 1e-13))[ice])
    assert np.all((carried[0] <= high * (1 + 1e-13))[ice])


@each_scheme
@settings(max_examples=5)
@given(seed=st.integers(0, 10**6))
def test_thickness_gets_no_new_extremes(scheme, seed):
    mesh = rough_coast(seed)
    amounts, thickness, u, v = random_fields(seed, mesh, n=1, m=2)
    start = np.concatenate([amounts, amounts * thickness])
    substeps = count_substeps(rough_coast(0, land=0.0), 36000)
    after, _ = run(scheme, start, np.zeros((0, *SHAPE)), u, v, mesh, 36000, substeps)
    ice = after[0] > 1e-11
    found = after[1:, ice] / after[0, ice]
    assert found.min() > 1.0 - 1e-3 and found.max() < 3.0 + 1e-3


@each_scheme
def test_ratios_without_an_amount_are_the_default(scheme):
    mesh = rough_coast(0, land=0.0)
    amounts, ratios, u, v = random_fields(0, mesh)
    amounts[0, :, 5:] = 0.0
    u[:, 4] = -1.0
    given_default = np.array([7.0, 8.0])[:, None, None]
    for more, expected in (
        ({}, ratios),
        ({"defaults": given_default}, np.broadcast_to(given_default, ratios.shape)),
    ):
        after, carried = run(scheme, amounts, ratios, u, v, mesh, 3600, 1, **more)
        assert not np.any(after[0, :, 5:])
        np.testing.assert_array_equal(carried[:, :, 5:], expected[:, :, 5:])


@each_scheme
def test_a_uniform_field_stays_uniform_without_divergence(scheme):
    mesh = rough_coast(5, (20, 20), land=0.1)
    u, v = swirl(5, mesh)
    amounts = np.broadcast_to(np.array([0.9, 2.0])[:, None, None], (2, 20, 20))
    ratios = np.full((1, 20, 20), 0.3)
    after, carried = run(scheme, amounts, ratios, u, v, mesh, 10 * 3600, 50)
    np.testing.assert_allclose(after, amounts * mesh.mask, rtol=1e-13)
    np.testing.assert_allclose(carried, np.where(mesh.mask, ratios, ratios), rtol=1e-13)


@each_scheme
def test_land_is_never_read(scheme):
    mesh = rough_coast(4)
    amounts, ratios, u, v = random_fields(4, mesh)
    expected = run(scheme, amounts, ratios, u, v, mesh, 7200, 2)
    amounts, ratios = (np.where(mesh.mask, a, np.nan) for a in (amounts, ratios))
    u, v = np.where(mesh.open_u, u, np.nan), np.where(mesh.open_v, v, np.nan)
    found = run(scheme, amounts, ratios, u, v, mesh, 7200, 2)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1][:, mesh.mask], expected[1][:, mesh.mask])


@pytest.mark.parametrize("scheme", SCHEMES[1:], ids=["weno5", "weno7"])
def test_the_two_sides_of_a_wall_know_nothing_of_each_other(scheme):
    mesh = rough_coast(0, land=0.0)
    mesh.open_u[:, 4] = False  # a wall without width
    amounts, ratios, u, v = random_fields(6, mesh)
    u[:, 4] = 0.0
    found = run(scheme, amounts, ratios, u, v, mesh, 7200, 2)
    amounts[:, :, 5:], ratios[:, :, 5:] = 10.0, 5.0
    again = run(scheme, amounts, ratios, u, v, mesh, 7200, 2)
    for a, b in zip(found, again, strict=True):
        np.testing.assert_array_equal(a[:, :, :5], b[:, :, :5])


def row_flow(scheme, cells, speed, start, dt, steps, spacing=1e3):
    """Carry an amount along a row; `dt` is one substep."""
    mesh = Mesh.of(Grid.box((1, cells), spacing))
    u, v = np.full((1, cells), speed), np.zeros((1, cells))
    none = np.zeros((0, 1, cells))
    return run(scheme, start[None, None], none, u, v, mesh, dt * steps, steps)[0][0, 0]


@pytest.mark.parametrize("speed", [0.6, -0.6])
def test_upwind_spreads_a_single_cell_binomially(speed):
    # Each substep moves the part c = |u| dt / dx on and leaves the rest.
    cells, steps, courant = 41, 15, 0.3
    start = np.zeros(cells)
    start[20] = 1.0
    found = row_flow(Upwind(), cells, speed, start, courant * 1e3 / abs(speed), steps)
    expected = np.zeros(cells)
    for moved in range(steps + 1):
        weight = comb(steps, moved) * courant**moved * (1 - courant) ** (steps - moved)
        expected[20 + moved * int(np.sign(speed))] = weight
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("scheme", "order", "few", "sizes"),
    [
        (Upwind(), 1.0, 128, (256, 512)),
        (WENO(5), 5.0, 64, (128, 256)),
        (WENO(7), 7.0, 64, (96, 144)),
    ],
    ids=["upwind", "weno5", "weno7"],
)
def test_order_of_convergence_on_a_smooth_profile(scheme, order, few, sizes):
    length, width, speed, way = 400e3, 30e3, 0.5, 20e3

    def means(edges, centre):
        whole = np.array([erf(x) for x in (edges - centre) / width])
        return 1.0 + 0.5 * width * np.sqrt(np.pi) * np.diff(whole) / np.diff(edges)

    def error(cells):
        spacing = length / cells
        edges = np.arange(cells + 1) * spacing
        # Time steps so short that their third order does not show.
        steps = int(np.ceil(way / spacing * max(2, 2 * (cells / few) ** (order / 3 - 1))))
        start = means(edges, 190e3)
        found = row_flow(scheme, cells, speed, start, way / speed / steps, steps, spacing)
        middle = slice(cells // 5, -cells // 5)
        return np.abs(found - means(edges, 190e3 + way))[middle].mean()

    errors = [error(cells) for cells in sizes]
    found = np.log(errors[0] / errors[1]) / np.log(sizes[1] / sizes[0])
    assert found == pytest.approx(order, abs=0.3), errors


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scheme", SCHEMES[1:], ids=["weno5", "weno7"])
def test_a_unit_step_stays_positive_and_sharp(scheme, dtype):
    cells, steps = 100, 60
    start = np.where((np.arange(cells) >= 20) & (np.arange(cells) < 40), 1.0, 0.0).astype(dtype)
    mesh = cast(Mesh.of(Grid.box((1, cells), 1e3)), dtype)
    u, v = np.full((1, cells), 0.5, dtype), np.zeros((1, cells), dtype)
    none = np.zeros((0, 1, cells), dtype)
    found = run(scheme, start[None, None], none, u, v, mesh, 600 * steps, steps)[0][0, 0]
    assert found.min() >= 0 and found.max() < 1.01
    assert np.sum(found, dtype=float) == pytest.approx(20.0, rel=30 * float(np.finfo(dtype).eps))
    moved = np.roll(start, 18)
    assert np.abs(found - moved).sum() < 3.0  # upwind: 8.9


def mirrored(fields, u, v):
    """Seen in a mirror along x; u stands on the cells' east faces."""
    return np.flip(fields, -1), -np.roll(np.flip(u, -1), -1, -1), np.flip(v, -1)


def rotated(fields, u, v):
    """After a quarter turn counter-clockwise: x becomes y, y becomes -x."""

    def turn(field):
        return np.rot90(field, 1, (-1, -2))

    return turn(fields), -np.roll(turn(v), -1, -1), turn(u)


@pytest.mark.parametrize("change", [mirrored, rotated])
@each_scheme
def test_symmetry(scheme, change):
    mesh = Mesh.of(Grid.box(SHAPE, 20e3))
    amounts, ratios, u, v = random_fields(8, mesh)
    u[:, -1], v[-1] = 0.0, 0.0
    substeps = count_substeps(mesh, 21600)
    fields = np.concatenate(run(scheme, amounts, ratios, u, v, mesh, 21600, substeps))
    expected = change(fields, u, v)[0]
    turned, u, v = change(np.concatenate([amounts, ratios]), u, v)
    found = np.concatenate(run(scheme, turned[:2], turned[2:], u, v, mesh, 21600, substeps))
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("scheme", SCHEMES[:2], ids=["upwind", "weno5"])
def test_gradient_is_that_of_finite_differences(scheme):
    mesh = rough_coast(9)
    rng = np.random.default_rng(9)
    point = [
        1.0 + 0.3 * rng.uniform(size=(2, *SHAPE)),
        rng.uniform(1, 2, (1, *SHAPE)),
        *rng.uniform(0.1, 0.5, (2, *SHAPE)),
    ]
    way = [rng.normal(size=a.shape) for a in point]
    weights = rng.normal(size=(3, *SHAPE))

    @jax.jit
    def measure(arguments):
        found = scheme.carry(*arguments, mesh, 36000, 3)
        return jnp.sum(weights * jnp.concatenate(found) ** 2)

    def moved(size):
        return float(measure([a + size * b for a, b in zip(point, way, strict=True)]))

    gradient = jax.jit(jax.grad(measure))(point)
    slope = float(sum(np.sum(g * b) for g, b in zip(gradient, way, strict=True)))
    assert slope == pytest.approx((moved(1e-6) - moved(-1e-6)) / 2e-6, rel=1e-6)
    sizes = 2e-5 * 0.5 ** np.arange(4)
    remainder = [abs(moved(h) - moved(0.0) - h * slope) for h in sizes]
    assert np.all(np.abs(np.diff(np.log2(remainder)) + 2.0) < 0.1)


@pytest.mark.parametrize(
    ("scheme", "dtype"), [(Upwind(), np.float32), (WENO(5), np.float32), (WENO(7), np.float32)]
)
def test_gradients_are_finite_where_there_is_nothing(scheme, dtype):
    mesh = cast(rough_coast(2), dtype)
    amounts, ratios, u, v = (a.astype(dtype) for a in random_fields(2, mesh))
    tiny = amounts * np.array(10.0, dtype) ** np.random.default_rng(0).integers(-25, 1, SHAPE)
    step = np.where(np.arange(SHAPE[1]) < 5, dtype(1), dtype(0))
    step = np.broadcast_to(step, amounts.shape)

    @jax.jit
    @jax.grad
    def gradient(arguments):
        return sum(map(jnp.sum, scheme.carry(*arguments, mesh, 36000, 3)))

    for some in (amounts, 0 * amounts, tiny.astype(dtype), step):
        for flow in (1, 0):
            found = gradient((some, ratios, flow * u, flow * v))
            assert all(np.all(np.isfinite(field)) for field in found)


def test_members_at_once_are_members_one_by_one():
    mesh = rough_coast(1)
    members = [random_fields(seed, mesh) for seed in range(3)]
    together = jax.vmap(lambda *a: WENO().carry(*a, mesh, 7200, 2))(
        *map(np.stack, zip(*members, strict=True))
    )
    for n, member in enumerate(members):
        alone = run(WENO(), *member, mesh, 7200, 2)
        for a, b in zip(together, alone, strict=True):
            np.testing.assert_allclose(a[n], b, rtol=1e-12, atol=1e-15)


def test_speed_limit():
    slow = np.linspace(-0.6, 0.6, 61)
    np.testing.assert_allclose(limit_speed(slow), slow, rtol=1e-4, atol=1e-12)
    fast = np.array([1.5, 3.0, 50.0, 1e4])
    assert np.all(limit_speed(fast) <= MAX_SPEED)
    np.testing.assert_array_equal(limit_speed(-fast), -limit_speed(fast))
    assert np.all(np.diff(limit_speed(np.linspace(-4, 4, 400))) > 0)


def test_substeps_follow_the_grid():
    # Four sides at 1.5 m/s and 6 hours sweep 129.6 km of a side.
    def count(shape, spacing):
        return count_substeps(Mesh.of(Grid.box(shape, spacing)), 21600)

    assert count((4, 4), 129.6e3 * 1.01) == 1
    assert count((4, 4), 129.6e3 * 0.99) == 2
    assert count((4, 4), 12.96e3 * 1.01) == 10
    assert count((1, 1), 1.0) == 1
