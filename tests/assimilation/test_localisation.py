"""The taper, and who sees whom."""

import numpy as np
import pytest

from floecast.assimilation.localisation import GaspariCohn, everywhere, gaspari_cohn
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.observation.observations import KINDS, Observations, observations


def scattered(count, seed=0, size=100.0, kind="thickness", **fields):
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, size, (2, count))
    return observations(
        kind, rng.normal(size=count), 1.0, x, y, 0, np.zeros(count), np.ones(count), **fields
    )


def brute_force(points, obs, width, period=None):
    offset = points[:, None] - obs.position[None]
    if period is not None:
        offset = (offset + period / 2) % period - period / 2
    return np.sqrt((offset**2).sum(-1)) / width


def matrix(neighbours, columns, count):
    """Taper of every observation in every column."""
    full = np.zeros((columns, count))
    for column, index, taper in zip(
        neighbours.column, neighbours.index, neighbours.taper, strict=True
    ):
        np.add.at(full[column], index, taper)
    return full


def test_published_values():
    ratio = np.array([0, 0.25, 0.5, 0.75, 1, 1.5, 2, 3])
    expected = np.array([1, 0.9073, 0.6849, 0.4250, 0.2083, 0.0165, 0, 0])
    assert gaspari_cohn(ratio) == pytest.approx(expected, abs=6e-5)
    assert gaspari_cohn(np.array(1.0)) == pytest.approx(5 / 24, abs=1e-15)


def test_second_branch_as_published():
    r = np.linspace(1, 2, 50)
    published = 4 - 5 * r + 5 / 3 * r**2 + 5 / 8 * r**3 - r**4 / 2 + r**5 / 12 - 2 / (3 * r)
    assert gaspari_cohn(r) == pytest.approx(published, abs=1e-13)


def test_never_negative_in_single_precision():
    ratio = np.linspace(0, 2.5, 10_001, dtype=np.float32)
    assert np.asarray(gaspari_cohn(ratio)).min() >= 0


@pytest.mark.parametrize("period", [None, 100.0])
def test_finds_what_brute_force_finds(period):
    obs = scattered(60)
    points = np.random.default_rng(1).uniform(0, 100, (40, 2))
    found = GaspariCohn(points, 7.0, period=period).neighbours(obs)
    expected = np.asarray(gaspari_cohn(brute_force(points, obs, 7.0, period)))
    assert matrix(found, 40, 60) == pytest.approx(expected, abs=1e-15)
    assert list(found.column) == list(np.flatnonzero(expected.any(axis=1)))


def test_half_width_of_each_kind():
    obs = Observations.concatenate([scattered(30), scattered(30, 1, kind="concentration")])
    points = np.random.default_rng(2).uniform(0, 100, (25, 2))
    widths = np.array([4.0, 9.0, 1.0, 1.0])
    found = GaspariCohn(points, widths).neighbours(obs)
    expected = np.asarray(gaspari_cohn(brute_force(points, obs, widths[obs.kind])))
    assert matrix(found, 25, 60) == pytest.approx(expected, abs=1e-15)


def test_only_the_nearest_are_kept():
    obs = scattered(200)
    points = np.array([[50.0, 50.0], [10.0, 80.0]])
    found = GaspariCohn(points, 30.0, most=5).neighbours(obs)
    nearest = np.argsort(brute_force(points, obs, 30.0), axis=1)[:, :5]
    assert found.index.tolist() == nearest.tolist()


def test_flagged_observations_are_not_seen():
    obs = scattered(20)
    flagged = obs.replace(flag=np.arange(20) % 2)
    points = np.array([[50.0, 50.0]])
    everything = matrix(GaspariCohn(points, 60.0).neighbours(obs), 1, 20)
    half = matrix(GaspariCohn(points, 60.0).neighbours(flagged), 1, 20)
    assert half == pytest.approx(np.where(np.arange(20) % 2, 0, everything))
    assert everywhere(flagged).index.tolist() == [list(range(0, 20, 2))]


@pytest.mark.parametrize(
    "obs", [scattered(3).select(slice(0)), scattered(3, flag=1), scattered(3, size=0.0)]
)
def test_nobody_in_reach(obs):
    assert GaspariCohn(np.full((4, 2), 1e3), 5.0).neighbours(obs).column.size == 0


def test_groups_are_counted_in_each_column():
    group = np.array([0, 30, 30, 7, 0, 7, 90])
    obs = scattered(7, group=group, flag=np.array([0, 0, 0, 0, 0, 1, 0]))
    for found in (GaspariCohn(np.zeros((2, 2)), 200.0).neighbours(obs), everywhere(obs)):
        assert found.groups == 3
        wanted = np.array([0, 2, 2, 1, 0, 1, 3])[found.index]
        assert (found.group == np.where(found.taper > 0, wanted, 0)).all()


def test_land_is_not_active():
    ocean = np.ones((6, 8), bool)
    ocean[2:4, 3:6] = False
    grid = Grid.box((6, 8), 10e3, ocean=ocean)
    widths = {kind: 50e3 for kind in KINDS}
    for width in (50e3, widths):
        found = GaspariCohn.on_grid(grid, width).neighbours(scattered(9, size=60e3))
        assert list(found.column) == list(np.flatnonzero(ocean))


@pytest.mark.parametrize(
    ("width", "most", "message"),
    [
        (0.0, 10, "half-width must be positive"),
        ([1.0, -1.0], 10, "half-width must be positive"),
        (1.0, 0, "at least 1"),
    ],
)
def test_refused(width, most, message):
    with pytest.raises(InputError, match=message):
        GaspariCohn(np.zeros((3, 2)), width, most=most)


def test_half_widths_of_unknown_kinds_are_refused():
    with pytest.raises(InputError, match="snow"):
        GaspariCohn.on_grid(Grid.box((3, 3), 1.0), {"snow": 1.0})
