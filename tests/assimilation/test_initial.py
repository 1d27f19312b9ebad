"""Initial ensembles: their mean, their spread, their bounds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.assimilation.initial import InitialErrors, initial_ensemble, smooth_fields
from floecast.core.ensemble import mean, spread
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.state import IceState, check_state

OCEAN = np.ones((24, 30), bool)
OCEAN[:6, :9] = False
GRID = Grid.box((24, 30), 50e3, ocean=OCEAN)


def background():
    """Ice in the west, open water in the east, a slope of concentration between."""
    concentration = np.clip(1.5 - 0.1 * np.arange(30.0), 0, 1) * np.ones((24, 1))
    return IceState.at_rest(GRID, concentration, 1.0 + concentration, 0.2 * concentration)


def test_fields_have_the_covariance_asked_for(key):
    lengths = (100e3, 250e3)
    fields = np.asarray(smooth_fields(key, GRID, 4000, lengths))
    assert fields.shape == (4000, 24, 30)
    assert np.abs(fields.mean(axis=0)).max() < 1e-12
    assert fields.var(axis=0).mean() == pytest.approx(1.0, abs=0.01)
    for step in (1, 3, 6):
        distance = 50e3 * step
        expected = np.mean([np.exp(-(distance**2) / (2 * length**2)) for length in lengths])
        found = (fields[..., step:] * fields[..., :-step]).mean()
        assert found == pytest.approx(expected, abs=0.015)


def test_opposite_edges_know_nothing_of_each_other(key):
    fields = np.asarray(smooth_fields(key, GRID, 2000, (150e3,)))
    assert abs((fields[:, :, 0] * fields[:, :, -1]).mean()) < 0.02


def test_inside_the_bounds_on_ocean_and_nothing_on_land(key):
    ensemble = initial_ensemble(key, background(), GRID, 12)
    check_state(ensemble, GRID)
    for name in ("concentration", "ice_volume", "snow_volume"):
        assert (getattr(ensemble, name)[:, ~OCEAN] == 0).all()


def test_without_errors_every_member_is_the_background(key):
    none = InitialErrors(
        displacement=0.0, thickness_floor=0.0, thickness_share=0.0, concentration=0.0
    )
    start = background()
    ensemble = initial_ensemble(key, start, GRID, 3, none)
    for name, field in ensemble.fields().items():
        np.testing.assert_allclose(field, jnp.stack([start.fields()[name]] * 3), atol=1e-12)


def test_mean_and_spread_of_thickness(key):
    errors = InitialErrors(
        displacement=0.0,
        concentration=0.0,
        thickness_floor=0.1,
        thickness_share=0.2,
        thickness_lengths=(100e3,),
    )
    start = background()
    members = initial_ensemble(key, start, GRID, 400, errors).thickness
    thick = np.asarray(start.concentration) > 0.5
    expected = np.asarray(start.thickness)[thick]
    np.testing.assert_allclose(np.asarray(mean(members))[thick], expected, rtol=0.01)
    # The share is of the control value, which is greater than the thickness by up to its scale.
    wanted = 0.1 + 0.2 * (expected + 0.2)
    np.testing.assert_allclose(np.asarray(spread(members))[thick], wanted, rtol=0.15)


def test_displacement_moves_the_edge_both_ways(key):
    errors = InitialErrors(thickness_floor=0.0, thickness_share=0.0, concentration=0.0)
    start = background()
    ensemble = initial_ensemble(key, start, GRID, 40, errors)
    empty = OCEAN & (np.asarray(start.concentration) == 0)
    some = np.asarray(ensemble.concentration)[:, empty] > 0
    assert 0 < some.mean() < 0.5
    middle = np.asarray(ensemble.concentration)[:, 12, 10]
    assert middle.min() < start.concentration[12, 10] < middle.max()
    far = np.asarray(ensemble.concentration)[:, :, -3:]
    assert (far == 0).all()


def test_moved_ice_keeps_its_thickness_at_the_coast(key):
    """Uniform ice stays uniform: land does not leak in."""
    start = IceState.at_rest(GRID, np.ones(GRID.shape), np.full(GRID.shape, 2.0))
    errors = InitialErrors(thickness_floor=0.0, thickness_share=0.0, concentration=0.0)
    ensemble = initial_ensemble(key, start, GRID, 5, errors)
    np.testing.assert_allclose(ensemble.ice_volume[:, OCEAN], 2.0, rtol=1e-12)


def test_spread_of_concentration_is_greatest_at_half_cover(key):
    errors = InitialErrors(displacement=0.0)
    start = background()
    deviation = np.asarray(spread(initial_ensemble(key, start, GRID, 200, errors)).concentration)
    assert deviation[12, 10] == pytest.approx(0.1, rel=0.2)
    assert deviation[12, 10] > 2 * deviation[12, 2]
    assert (deviation[:, 20:] == 0).all()


def test_same_key_same_ensemble(key):
    one, other, third = (
        initial_ensemble(k, background(), GRID, 4) for k in (key, key, jax.random.key(1))
    )
    assert (one.ice_volume == other.ice_volume).all()
    assert (one.ice_volume != third.ice_volume).any()


def test_single_precision(key):
    start = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), background())
    ensemble = initial_ensemble(key, start, GRID, 4)
    assert ensemble.ice_volume.dtype == jnp.float32
    check_state(ensemble, GRID)


def test_one_member_is_refused(key):
    with pytest.raises(InputError, match="at least 2"):
        initial_ensemble(key, background(), GRID, 1)
