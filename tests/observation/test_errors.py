"""Error laws against closed forms, draws and sums over files."""

import numpy as np
import pytest

from floecast.core.errors import InputError
from floecast.observation import altimetry
from floecast.observation.altimetry import thickness_of
from floecast.observation.errors import (
    concentration_error,
    error_at_estimate,
    overlap_inflation,
    representativeness_error,
    thickness_error,
)
from floecast.observation.observations import observations


@pytest.mark.parametrize("laser", [False, True])
def test_thickness_error_is_that_of_draws(laser, monkeypatch):
    rng = np.random.default_rng(0)
    density = {"ice": 5.0, "snow": 30.0}
    found = thickness_error(0.3, 0.25, 0.02, 0.04, density, laser=laser)
    freeboard, snow, ice, dense = (
        at + error * rng.normal(size=40_000)
        for at, error in ((0.3, 0.02), (0.25, 0.04), (917, 5.0), (330, 30.0))
    )

    def drawn(freeboard, snow, ice, dense):
        monkeypatch.setattr(altimetry, "_BUOYANCY", 1026 - ice)
        monkeypatch.setitem(altimetry.DENSITY, "snow", dense)
        return thickness_of(freeboard, snow, laser=laser).std()

    own, shared = drawn(freeboard, 0.25, 917, 330), drawn(0.3, snow, ice, dense)
    np.testing.assert_allclose([found.own, found.shared], [own, shared], rtol=0.02)
    np.testing.assert_allclose(found.total, np.hypot(own, shared), rtol=0.02)
    np.testing.assert_allclose(found.share, shared**2 / (own**2 + shared**2), rtol=0.04)


def test_thickness_error_by_hand():
    found = thickness_error(np.array([0.1, 0.4]), 0.2, 0.03, 0.0, {})
    np.testing.assert_allclose(found.own, 1026 / 109 * 0.03)
    np.testing.assert_allclose(found.share, 0)
    found = thickness_error(np.array([0.1, 0.4]), 0.2, 0.03, 0.05, {"ice": 10.0})
    thickness = (1026 * np.array([0.1, 0.4]) + 330 * 0.2) / 109
    np.testing.assert_allclose(found.shared, np.hypot(330 * 0.05, 10 * thickness) / 109)


def test_representativeness_of_fields_with_edges():
    assert representativeness_error(50e3, 25e3, 0.2) == 0
    assert representativeness_error(25e3, 25e3, 0.2) == 0
    np.testing.assert_allclose(
        representativeness_error(1e3, 50e3, [0.1, 0.2]), [0.099, 0.198], rtol=1e-3
    )
    # Means over the cells of a random walk, spectrum k^-2, against those of 8 cells.
    rng = np.random.default_rng(1)
    walk = np.cumsum(rng.normal(size=(4000, 64)), axis=1)
    fine = walk.reshape(4000, 8, 8).mean(axis=2)
    actual = np.sqrt(np.mean((fine - walk.mean(axis=1, keepdims=True)) ** 2))
    expected = representativeness_error(8.0, 64.0, np.sqrt(np.mean(walk.var(axis=1))))
    np.testing.assert_allclose(actual, expected, rtol=0.03)


def test_overlapping_files_weigh_as_much_as_their_measurements():
    assert overlap_inflation(7, 1) == pytest.approx(np.sqrt(7)) and overlap_inflation(1, 7) == 1
    days, error = 700, 0.3
    # Each file is a mean of 7 days, each with this error.
    file_error = error / np.sqrt(7) * overlap_inflation(7, 1)
    np.testing.assert_allclose(days / file_error**2, days / error**2)


@pytest.mark.parametrize(
    "call",
    [
        lambda: thickness_error(0.3, 0.2, -0.1, 0.1, {}),
        lambda: thickness_error(0.3, 0.2, 0.1, -0.1, {}),
        lambda: thickness_error(0.3, 0.2, 0.0, 0.1, {}),
        lambda: thickness_error(0.3, 0.2, 0.1, 0.1, {"water": 1.0}),
        lambda: thickness_error(0.3, 0.2, 0.1, 0.1, {"ice": -1.0}),
        lambda: representativeness_error(0.0, 1.0, 0.1),
        lambda: representativeness_error(1.0, 1.0, -0.1),
        lambda: representativeness_error(1.0, 2.0, 0.1, exponent=0.0),
        lambda: overlap_inflation(0, 1),
    ],
)
def test_refuses(call):
    with pytest.raises(InputError):
        call()


def test_error_at_estimate_does_not_prefer_what_came_out_too_full():
    rng, size, full = np.random.default_rng(0), 100_000, 0.9
    reported = full + concentration_error(full) * rng.normal(size=size)
    cells = np.zeros((size, 1), int)
    given = observations("concentration", reported, 1.0, 0.0, 0.0, 0, cells, np.ones((size, 1)))
    given = given.replace(error_std=concentration_error(np.clip(reported, 0, 1)))
    assert (error_at_estimate(given, np.full((20, size), full)).error_std == given.error_std).all()
    given = given.replace(assumed=np.ones(size, bool))
    members = np.full((20, size), full) + 0.01 * rng.normal(size=(20, size))

    def mean(one):
        weight = 1 / np.asarray(one.error_std) ** 2
        return np.average(reported, weights=weight)

    found = error_at_estimate(given, members)
    assert mean(given) > full + 0.02
    assert mean(found) == pytest.approx(full, abs=0.003)
    nobody = error_at_estimate(given, np.full((20, size), np.nan))
    assert nobody is given
    thickness = given.replace(kind=np.ones(size, int))
    assert (error_at_estimate(thickness, members).error_std == thickness.error_std).all()
