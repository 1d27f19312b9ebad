"""Drifters go with the ice: closed forms, coasts, and the map's scale."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.rollout import rollout
from floecast.core.state import IceState
from floecast.simulator.drifters import at_sea, drift, velocity_at
from floecast.simulator.model import Simulator

from .conftest import steady_forcing

GRID = Grid.box((21, 21), 10e3)


def turning(rate):
    """Solid rotation about the middle of the box."""
    centre = GRID.x[10]
    u = np.broadcast_to(-rate * (GRID.y[:, None] - centre), GRID.shape)
    v = np.broadcast_to(rate * (GRID.x[None] - centre), GRID.shape)
    return jnp.asarray(u), jnp.asarray(v)


def test_solid_rotation_brings_drifters_round_to_second_order():
    period, centre = 10 * 86400.0, GRID.x[10]
    u, v = turning(2 * np.pi / period)
    begin = jnp.asarray([[centre + 40e3, centre], [centre, centre - 60e3]])
    errors = []
    for steps in (20, 40):
        positions = begin
        for _ in range(steps):
            positions = drift(positions, u, v, GRID, period / steps)
        errors.append(float(jnp.max(jnp.linalg.norm(positions - begin, axis=1))))
    # The midpoint rule gains energy at third order and loses phase at second.
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.1)


def test_linear_velocity_is_met_exactly():
    u, v = turning(1e-6)
    points = jnp.asarray([[73e3, 101e3], [120.5e3, 88e3]])
    found = velocity_at(points, u, v, GRID)
    centre = GRID.x[10]
    assert np.allclose(found[:, 0], -1e-6 * (points[:, 1] - centre), atol=1e-15)
    assert np.allclose(found[:, 1], 1e-6 * (points[:, 0] - centre), atol=1e-15)


def test_the_map_stretches_the_drift(arctic100):
    u = jnp.where(jnp.asarray(arctic100.mask_u), 0.1, 0.0)
    row, column = np.argwhere(arctic100.mask_u & np.roll(arctic100.mask_u, 1, 1))[40]
    point = jnp.asarray([[arctic100.x[column], arctic100.y[row]]])
    scale = 0.5 * np.sum(arctic100.spacing / arctic100.dx_u[row, [column - 1, column]])
    moved = velocity_at(point, u, jnp.zeros_like(u), arctic100)
    assert float(moved[0, 0]) == pytest.approx(0.1 * scale, rel=1e-12)


def test_drifters_are_part_of_the_state():
    model = Simulator(GRID, dt=3600)
    state = IceState.at_rest(GRID, np.full(GRID.shape, 0.9), np.ones(GRID.shape))
    state = model.start(state, drifters=jnp.asarray([[100e3, 100e3]]))
    forcing = steady_forcing(GRID, 10.0, 0.0, 250.0)
    run = rollout(
        model, state, forcing, 24, key=jax.random.key(0), start=0, observe=lambda s: s.drifters
    )
    assert run.state.shape == (24, 1, 2)
    travelled = np.linalg.norm(run.state[-1] - state.drifters)
    speed = float(model.rheology.wind_factor) * 10.0
    assert travelled == pytest.approx(speed * 86400, rel=0.1)
    # East of the wind's direction by the turning angle, to the right.
    assert run.state[-1, 0, 1] < 100e3 < run.state[-1, 0, 0]


def test_a_drifter_stays_in_the_box():
    u = jnp.where(jnp.asarray(GRID.mask_u), 0.5, 0.0)
    positions = jnp.asarray([[GRID.x[-2], GRID.y[5]]])
    for _ in range(200):
        positions = drift(positions, u, jnp.zeros_like(u), GRID, 3600.0)
    assert float(positions[0, 0]) <= GRID.x[-1] + 0.5 * GRID.spacing


def test_no_drifter_goes_ashore(arctic100):
    """Even in motion without any order, which leads to the ends of coasts."""
    grid, rng = arctic100, np.random.default_rng(0)
    u, v = (
        jnp.asarray(np.where(mask, rng.normal(0.0, 0.3, grid.shape), 0.0))
        for mask in (grid.mask_u, grid.mask_v)
    )
    row, column = np.nonzero(grid.mask_t)
    corner = np.stack([grid.x[column], grid.y[row]], axis=-1)
    begin = jnp.asarray(corner + grid.spacing * rng.uniform(-0.5, 0.5, corner.shape))
    assert np.all(at_sea(*begin.T, grid))
    end = jax.lax.fori_loop(0, 160, lambda _, now: drift(now, u, v, grid, 5400.0), begin)
    assert np.all(at_sea(*end.T, grid))
    # They go on along the coasts.
    assert np.mean(np.all(end == begin, axis=1)) < 0.01


@pytest.mark.parametrize(
    ("positions", "words"),
    [
        ([[100e3, 100e3], [1e9, 0.0]], "drifter 1 at x = 1e\\+06 km"),
        ([[np.nan, 0.0]], "drifter 0 at x = nan"),
        ([1.0, 2.0], r"shape \(2,\); expected \(number, 2\)"),
    ],
)
def test_drifters_that_are_not_at_sea_are_refused(positions, words):
    state = IceState.at_rest(GRID, np.full(GRID.shape, 0.9), np.ones(GRID.shape))
    with pytest.raises(InputError, match=words):
        Simulator(GRID).start(state, drifters=positions)
