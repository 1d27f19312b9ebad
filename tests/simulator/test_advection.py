"""Transport: conservation, bounds, closed forms, symmetry."""

from dataclasses import replace
from math import comb

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from floecast.core.grid import Grid
from floecast.core.state import IceState
from floecast.simulator.advection import (
    MAX_SPEED,
    count_substeps,
    limit_speed,
    transport,
    upwind,
)

from .conftest import random_state

DT = 21600
carry = jax.jit(transport, static_argnums=(2, 3))
carry_freely = jax.jit(
    lambda *arguments: upwind(*arguments, constrain=lambda amount: amount), static_argnums=5
)


def volumes(state, grid):
    return np.array([np.sum(grid.area * state.ice_volume), np.sum(grid.area * state.snow_volume)])


@pytest.mark.parametrize("name", ["arctic100", "box"])
def test_volume_is_kept(name, request):
    grid = request.getfixturevalue(name)
    state = random_state(grid, 0)
    before, substeps = volumes(state, grid), count_substeps(grid, DT)
    for seed in range(100):
        flow = random_state(grid, seed, MAX_SPEED)
        state = carry(replace(state, u=flow.u, v=flow.v), grid, DT, substeps)
    np.testing.assert_allclose(volumes(state, grid), before, rtol=1e-13)
    assert not np.any(np.asarray(state.ice_volume)[~grid.mask_t])


@settings(max_examples=30)
@given(st.integers(0, 10**6))
def test_bounds_hold_in_violent_winds(seed):
    grid = Grid.box((9, 12), 20e3)
    before = random_state(grid, seed, MAX_SPEED)
    after = carry(before, grid, DT, count_substeps(grid, DT))
    for field in after.fields().values():
        assert np.all(np.isfinite(field))
    assert np.all((after.concentration >= 0) & (after.concentration <= 1))
    assert np.all((after.damage >= 0) & (after.damage <= 1))
    assert np.all(after.ice_volume >= 0) and np.all(after.snow_volume >= 0)


@settings(max_examples=30)
@given(st.integers(0, 10**6))
def test_the_ratio_of_two_tracers_keeps_its_extremes(seed):
    grid = Grid.box((9, 12), 20e3)
    flow = random_state(grid, seed, MAX_SPEED)
    rng = np.random.default_rng(seed)
    weight = rng.uniform(0.1, 2.0, grid.shape)
    ratio = rng.uniform(1.0, 3.0, grid.shape)
    substeps = count_substeps(grid, DT)
    tracers = np.stack([weight, weight * ratio])
    carried = carry_freely(tracers, flow.u, flow.v, grid, DT, substeps)
    full = np.asarray(carried[0]) > 1e-12
    found = np.asarray(carried[1])[full] / np.asarray(carried[0])[full]
    assert found.min() >= ratio.min() * (1 - 1e-12) and found.max() <= ratio.max() * (1 + 1e-12)


def test_a_cell_that_empties_through_all_sides_stays_positive():
    grid = Grid.box((3, 3), 20e3)
    ice = np.zeros((3, 3))
    ice[1, 1] = 1.0
    u, v = np.zeros((2, 3, 3))
    u[1], v[:, 1] = [-MAX_SPEED, MAX_SPEED, 0], [-MAX_SPEED, MAX_SPEED, 0]
    state = IceState(ice, ice, ice, u, v, np.zeros((3, 3)))
    after = carry(state, grid, DT, count_substeps(grid, DT))
    assert 0 <= after.ice_volume[1, 1] < 1e-3
    assert np.sum(after.ice_volume) == pytest.approx(1.0, rel=1e-14)


def uniform_flow(cells, speed, tracer, dt, steps, spacing=1e3):
    """Carry a tracer along a row; `dt` is one substep."""
    grid = Grid.box((1, cells), spacing)
    u, v = np.full((1, cells), speed), np.zeros((1, cells))
    return np.asarray(carry_freely(tracer[None, None], u, v, grid, dt * steps, steps))[0, 0]


@pytest.mark.parametrize("speed", [0.6, -0.6])
def test_a_single_cell_spreads_binomially(speed):
    # Each substep moves the part c = |u| dt / dx on and leaves the rest.
    cells, steps, courant = 41, 15, 0.3
    start = np.zeros(cells)
    start[20] = 1.0
    found = uniform_flow(cells, speed, start, courant * 1e3 / abs(speed), steps)
    expected = np.zeros(cells)
    for moved in range(steps + 1):
        weight = comb(steps, moved) * courant**moved * (1 - courant) ** (steps - moved)
        expected[20 + moved * int(np.sign(speed))] = weight
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-15)


def test_translation_converges_at_first_order():
    def error(cells):
        spacing, courant, speed = 400e3 / cells, 0.5, 0.5
        x = (np.arange(cells) + 0.5) * spacing
        steps = cells // 4  # so that every grid carries it by 50 km
        found = uniform_flow(
            cells, speed, bump(x - 150e3), courant * spacing / speed, steps, spacing
        )
        return np.abs(found - bump(x - 200e3)).mean()

    def bump(x):
        return np.exp(-((x / 40e3) ** 2))

    errors = [error(cells) for cells in (64, 128, 256, 512)]
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all(np.diff(orders) > 0) and 0.9 < orders[-1] < 1.0


def test_open_water_closes_before_ice_is_ridged():
    grid = Grid.box((1, 2), 10e3)
    zero = np.zeros((1, 2))

    def squeezed(concentration, displacement):
        state = IceState(
            np.array([concentration]),
            2 * np.array([concentration]),
            zero,
            np.array([[displacement / DT, 0]]),
            zero,
            zero,
        )
        return carry(state, grid, DT, 1)

    closing = squeezed([0.8, 0.5], 1e3)  # a tenth of the western ice moves east
    np.testing.assert_allclose(closing.concentration, [[0.72, 0.58]], rtol=1e-14)
    np.testing.assert_allclose(closing.thickness, [[2.0, 2.0]], rtol=1e-14)
    ridging = squeezed([0.8, 1.0], 1e3)
    np.testing.assert_allclose(ridging.concentration, [[0.72, 1.0]], rtol=1e-14)
    np.testing.assert_allclose(ridging.ice_volume, [[1.44, 2.16]], rtol=1e-14)


def test_damage_mixes_by_volume():
    grid = Grid.box((1, 2), 10e3)
    zero, one = np.zeros((1, 2)), np.ones((1, 2))
    state = IceState(
        0.5 * one,
        np.array([[2.0, 0.6]]),
        zero,
        np.array([[0.1, 0.0]]),
        zero,
        np.array([[0.9, 0.2]]),
    )
    after = carry(state, grid, 10000, 1)  # a tenth of the west moves east: 0.2 m onto 0.6 m
    np.testing.assert_allclose(after.damage, [[0.9, (0.2 * 0.9 + 0.6 * 0.2) / 0.8]], rtol=1e-14)


def mirrored(state):
    """The state seen in a mirror along x; U points are the cells' east faces."""
    fields = {name: np.flip(field, -1) for name, field in state.fields().items()}
    fields["u"] = -np.roll(fields["u"], -1, -1)
    return replace(state, **fields)


def rotated(state):
    """The state after a quarter turn counter-clockwise: x becomes y, y becomes -x."""
    fields = {name: np.rot90(field, 1, (1, 0)) for name, field in state.fields().items()}
    u, v = fields["u"], fields["v"]
    return replace(state, **{**fields, "u": -np.roll(v, -1, -1), "v": u})


@pytest.mark.parametrize("change", [mirrored, rotated])
def test_symmetry(change):
    grid = Grid.box((10, 10), 20e3)
    state = random_state(grid, 4)
    substeps = count_substeps(grid, DT)
    after = jax.tree.map(np.asarray, carry(state, grid, DT, substeps))
    found = carry(change(state), grid, DT, substeps)
    expected = change(after)
    for name in state.fields():
        a, b = getattr(found, name), getattr(expected, name)
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14, err_msg=name)


def test_speed_limit():
    slow = np.linspace(-0.6, 0.6, 61)
    np.testing.assert_allclose(limit_speed(slow), slow, rtol=1e-4, atol=1e-12)
    fast = np.array([1.5, 3.0, 50.0, 1e4])
    assert np.all(limit_speed(fast) <= MAX_SPEED)
    np.testing.assert_array_equal(limit_speed(-fast), -limit_speed(fast))
    assert np.all(np.diff(limit_speed(np.linspace(-4, 4, 400))) > 0)


def test_substeps_follow_the_grid():
    # Four sides at 1.5 m/s and 6 hours sweep 129.6 km of a side.
    assert count_substeps(Grid.box((4, 4), 129.6e3 * 1.01), DT) == 1
    assert count_substeps(Grid.box((4, 4), 129.6e3 * 0.99), DT) == 2
    assert count_substeps(Grid.box((4, 4), 12.96e3 * 1.01), DT) == 10
    assert count_substeps(Grid.box((1, 1), 1.0), DT) == 1
