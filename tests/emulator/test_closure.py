"""Bounds and budgets hold whatever the network says; derivatives vanish nowhere."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from floecast.core.precision import cast
from floecast.core.state import IceState, check_state
from floecast.emulator.closure import COUNT, SNOW_DENSITY, Outputs, _no_thinner, close

from .conftest import fields, scaling

DT = 43200
CHANGE = scaling().change


def closed(grid, state, channels, snowfall=1e-5, dtype=float):
    snow = jnp.full(grid.shape, snowfall, dtype)
    channels, change, grid = cast((jnp.asarray(channels), CHANGE, grid), dtype)
    return close(state, snow, Outputs.of(channels), change, grid, DT)


def wild(grid, seed, size):
    return size * np.random.default_rng(seed).standard_cauchy((*grid.shape, COUNT))


@settings(max_examples=30)
@given(seed=st.integers(0, 2**31), size=st.sampled_from([0.1, 3.0, 100.0]))
def test_no_output_takes_a_state_out_of_its_bounds(grid, seed, size):
    state, _ = fields(grid, seed)
    after, _ = CLOSED(grid, state, jnp.asarray(np.clip(wild(grid, seed, size), -1e4, 1e4)))
    check_state(after, grid)
    for name, field in after.fields().items():
        mask = {"u": grid.mask_u, "v": grid.mask_v}.get(name, grid.mask_t)
        assert np.all(np.asarray(field)[~mask] == 0), name


CLOSED = eqx.filter_jit(closed)


@pytest.mark.parametrize("dtype, tolerance", [(jnp.float64, 1e-12), (jnp.float32, 1e-6)])
def test_budget_closes(grid, dtype, tolerance):
    state, _ = fields(grid, 2)
    state = jax.tree.map(lambda leaf: leaf.astype(dtype), state)
    after, budget = closed(grid, state, wild(grid, 2, 2.0), dtype=dtype)
    for field, before, terms in (
        (after.ice_volume, state.ice_volume, ("ice_transport", "ice_growth", "ice_melt")),
        (after.snow_volume, state.snow_volume, ("snow_transport", "snowfall", "snow_loss")),
        (
            after.concentration,
            state.concentration,
            ("cover_transport", "ridging", "freezing", "opening"),
        ),
    ):
        change = sum(getattr(budget, term) for term in terms)
        total = np.sum(before * grid.area)
        assert abs(np.sum((field - before - change) * grid.area)) < tolerance * total
    for term in ("ice_transport", "snow_transport", "cover_transport"):
        assert abs(np.sum(getattr(budget, term) * grid.area)) < tolerance * total
    losses = budget.ice_melt, budget.snow_loss, budget.ridging, budget.opening
    assert all(term.max() <= tolerance for term in losses)
    assert all(-term.min() <= tolerance for term in (budget.ice_growth, budget.freezing))


def test_left_alone_it_hardly_changes(grid):
    state, _ = fields(grid, 3, cover=(0.2, 0.8))
    still = IceState(**state.fields() | {"u": 0 * state.u, "v": 0 * state.v})
    after, _ = closed(grid, still, np.zeros((*grid.shape, COUNT)), snowfall=0.0)
    thick = np.asarray(still.ice_volume > 0.2)
    assert np.abs(after.ice_volume - still.ice_volume)[thick].max() < 0.02
    assert np.abs(after.concentration - still.concentration)[thick].max() < 0.04


def test_snow_falls_on_ice(grid):
    state, _ = fields(grid, 3, cover=(0.5, 0.8))
    _, budget = closed(grid, state, np.zeros((*grid.shape, COUNT)), snowfall=1e-5)
    depth = 1e-5 * DT / SNOW_DENSITY
    assert budget.snowfall.max() < 1.02 * depth
    assert np.all(budget.snowfall[state.concentration > 0.5] > 0.4 * depth)


def test_where_no_ice_is_made_there_is_none(grid):
    """Without volume all is 0; with growth shut off to round-off nothing is left behind."""
    nothing = IceState(*[jnp.zeros(grid.shape)] * 6)
    nothing = IceState(**nothing.fields() | {"u": 0.3 * grid.mask_u, "damage": 0.5 * grid.mask_t})
    channels = np.zeros((*grid.shape, COUNT))
    channels[..., list(Outputs.__dataclass_fields__).index("growth")] = -1e3
    after, _ = closed(grid, nothing, channels)
    assert all(np.all(field == 0) for field in after.fields().values())


def test_ice_can_grow_where_there_is_none(grid):
    """The derivative with respect to ice and to growth is not 0 in open water."""
    nothing = IceState(*[jnp.zeros(grid.shape)] * 6)
    channels = jnp.zeros((*grid.shape, COUNT))

    def total(state, channels, name):
        return jnp.sum(getattr(closed(grid, state, channels)[0], name))

    for name in ("ice_volume", "concentration", "snow_volume"):
        by_state, by_output = jax.grad(total, argnums=(0, 1))(nothing, channels, name)
        assert np.all(by_state.ice_volume[grid.mask_t] > 0), name
        assert np.all(by_output[..., 8][grid.mask_t] > 0), name


def test_full_cover_still_feels(grid):
    state, _ = fields(grid, 1)
    full = IceState(**state.fields() | {"concentration": 1.0 * jnp.asarray(grid.mask_t)})
    gradient = jax.grad(
        lambda cover: jnp.sum(
            closed(
                grid,
                IceState(
                    **full.fields() | {"concentration": cover, "u": 0 * cover, "v": 0 * cover}
                ),
                np.zeros((*grid.shape, COUNT)),
            )[0].concentration
        )
    )(full.concentration)
    inner = grid.mask_t & np.asarray(state.ice_volume > 0.2)
    assert np.all(gradient[inner] > 0.05) and np.isfinite(gradient).all()


def test_next_to_nothing_the_slopes_of_the_thinnest_ice_are_finite():
    cover, volume = jnp.meshgrid(*2 * [jnp.array([0.0, 1e-38, 1e-30, 1e-20, 1e-12, 1.0], "f4")])
    left, pull = jax.vjp(_no_thinner, cover, volume)
    assert np.all(left >= 0) and np.all(left <= cover)
    assert all(np.isfinite(slope).all() for slope in pull(jnp.ones_like(left)))
