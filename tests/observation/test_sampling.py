"""Synthetic observations: their statistics, their coverage and that keys decide them."""

import jax
import numpy as np
import pytest

from floecast.core.calendar import DAY
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.keys import named_key
from floecast.core.state import IceState
from floecast.observation.errors import block_group, concentration_error
from floecast.observation.operators import observe
from floecast.observation.sampling import sample_concentration, sample_thickness, tracks

GRID = Grid.preset("arctic50")
TIME = 5490 * DAY + DAY // 2


def ice(concentration, thickness=2.0):
    cover = np.broadcast_to(concentration, GRID.shape)
    return IceState.at_rest(GRID, cover, np.full(GRID.shape, thickness))


def arrays(observations):
    return [getattr(observations, name) for name in ("value", "x", "y", "cell", "group")]


@pytest.mark.parametrize("sample", [sample_concentration, sample_thickness])
def test_the_key_decides(sample, key):
    truth = ice(np.clip((GRID.latitude - 60) / 20, 0, 1))
    first, again = (sample(named_key(key, "a"), truth, GRID, TIME) for _ in range(2))
    other = sample(named_key(key, "b"), truth, GRID, TIME)
    assert all(np.array_equal(p, q) for p, q in zip(arrays(first), arrays(again), strict=True))
    assert other.size != first.size or not np.array_equal(other.value, first.value)


def test_concentration_has_the_error_of_the_law(key):
    made = sample_concentration(key, ice(0.5), GRID, TIME)
    # Weights leave out land, so the smeared truth is 0.5 everywhere.
    assert made.size > 7000
    assert made.value.mean() == pytest.approx(0.5, abs=4 * 0.15 / np.sqrt(made.size))
    assert made.value.std() == pytest.approx(0.15, rel=0.05)
    np.testing.assert_allclose(made.error_std, concentration_error(made.value))
    assert set(made.span) == {DAY} and set(made.time) == {TIME} and not made.flag.any()


def test_concentration_is_clipped_as_products_are(key):
    made = sample_concentration(key, ice(1.0), GRID, TIME)
    assert made.value.max() == 1.0
    assert 1 - made.value.mean() == pytest.approx(0.05 / np.sqrt(2 * np.pi), rel=0.1)


def test_concentration_is_smeared(key):
    edge = ice((GRID.x > 0).astype(float)[None, :])
    made = sample_concentration(key, edge, GRID, TIME, footprint=200e3)
    seen = np.asarray(observe(edge, made))
    inside = (np.abs(made.x) < 150e3) & (np.hypot(made.x, made.y) < 800e3)
    assert ((seen[inside] > 0.01) & (seen[inside] < 0.99)).all() and inside.any()


def test_spacing(key):
    made = sample_concentration(key, ice(0.5), GRID, TIME, every=4)
    assert len(np.unique(made.x)) <= 32 and np.diff(np.unique(made.x)).min() == 200e3
    with pytest.raises(InputError, match="every 0-th"):
        sample_concentration(key, ice(0.5), GRID, TIME, every=0)


def test_no_observation_is_on_land(key):
    for made in (
        sample_concentration(key, ice(0.9), GRID, TIME),
        sample_thickness(key, ice(0.9), GRID, TIME),
    ):
        assert GRID.mask_t.reshape(-1)[made.cell[made.weight > 0]].all()
        np.testing.assert_allclose(made.weight.sum(axis=1), 1.0)


def test_thickness_error_is_partly_shared(key):
    error, shared, noise, product = 0.3, 0.5, [], []
    for n in range(4):
        made = sample_thickness(named_key(key, n), ice(1.0), GRID, TIME, error=error, shared=shared)
        noise.append(made.value - 2.0)
        same = made.group[:, None] == made.group
        product.append(np.outer(noise[-1], noise[-1])[same & ~np.eye(made.size, dtype=bool)])
    assert np.concatenate(noise).std() == pytest.approx(error, rel=0.03)
    assert np.concatenate(product).mean() == pytest.approx(shared * error**2, rel=0.1)
    column, row = np.floor(made.x / 100e3), np.floor(made.y / 100e3)
    np.testing.assert_array_equal(same, (column[:, None] == column) & (row[:, None] == row))


def test_thickness_only_in_close_ice(key):
    truth = ice(np.where(GRID.latitude > 80, 0.9, 0.5))
    made = sample_thickness(key, truth, GRID, TIME)
    assert made.size and GRID.latitude.reshape(-1)[made.cell].min() > 80
    assert sample_thickness(key, ice(0.5), GRID, TIME).size == 0
    assert (made.span == 7 * DAY).all() and (made.error_std == 0.3).all()


def test_thickness_is_the_mean_over_the_ice(key):
    made = sample_thickness(key, ice(0.8, 3.0), GRID, TIME, error=1e-6)
    np.testing.assert_allclose(made.value, 3.0, atol=1e-4)


def test_a_month_sees_more_than_a_week_and_nothing_sees_the_pole(key):
    sizes = [sample_thickness(key, ice(1.0), GRID, TIME, days=days).size for days in (1, 7, 30)]
    ocean = GRID.mask_t.sum()
    assert sizes[0] < 0.4 * ocean < 0.6 * ocean < sizes[1] < 0.9 * ocean < sizes[2]
    latitude, _ = tracks(0.3, 7, 10e3)
    assert latitude.max() == pytest.approx(88.0, abs=0.05)


def test_tracks_follow_the_turning_earth():
    latitude, longitude = tracks(0.0, 1, 10e3)
    assert latitude.min() > 40
    northwards = longitude[1:][(latitude[:-1] < 60) & (latitude[1:] >= 60)]
    # 14.5 orbits a day, each over the Arctic once, and the Earth turns by 24.87 degrees meanwhile.
    assert len(northwards) in (14, 15)
    np.testing.assert_allclose(np.diff(northwards) % 360, 360 - 24.87, atol=0.1)


@pytest.mark.parametrize("wrong", [{"days": 0}, {"error": 0.0}, {"shared": 1.5}])
def test_wrong_settings(key, wrong):
    with pytest.raises(InputError, match="thickness needs"):
        sample_thickness(key, ice(1.0), GRID, TIME, **wrong)


def test_no_tracks_over_a_box(key):
    box = Grid.box((4, 4), 50e3)
    truth = IceState.at_rest(box, np.ones((4, 4)), np.ones((4, 4)))
    with pytest.raises(InputError, match="nowhere on the Earth"):
        sample_thickness(key, truth, box, TIME)
    assert sample_concentration(key, truth, box, TIME).size == 16


def test_error_law():
    np.testing.assert_allclose(concentration_error([0.0, 0.5, 1.0]), [0.05, 0.15, 0.05])


def test_groups_are_blocks_of_a_period():
    x, y = np.meshgrid(np.arange(-3150e3, 3200e3, 100e3), np.arange(-3150e3, 3200e3, 100e3))
    groups = np.stack([block_group(x, y, period) for period in (0, 1, 24000)])
    assert groups.min() > 0 and groups.max() < 2**31
    assert len(np.unique(groups)) == groups.size
    assert block_group(10e3, 10e3, 5) == block_group(90e3, 60e3, 5)
    assert jax.numpy.asarray(groups).shape == groups.shape
