"""Agreement with two independent implementations of the scores."""

import numpy as np
import pytest

from floecast.verification import deterministic, probabilistic

xarray = pytest.importorskip("xarray", reason="xarray is not installed")
RNG = np.random.default_rng(0)
TRUTH = RNG.random((6, 7)).round(1)
ENSEMBLE = RNG.random((5, 6, 7)).round(1)
WEIGHTS = RNG.uniform(0.5, 2.0, (6, 7))
MASKED = WEIGHTS * (RNG.random((6, 7)) > 0.3)


@pytest.fixture(scope="module")
def scores():
    return pytest.importorskip("scores", reason="scores is not installed")


@pytest.fixture(scope="module")
def scoringrules():
    return pytest.importorskip("scoringrules", reason="scoringrules is not installed")


def labelled(field):
    return xarray.DataArray(field, dims=("member", "y", "x")[-np.ndim(field) :])


@pytest.mark.parametrize(
    ("name", "score"),
    [
        ("additive_bias", deterministic.bias),
        ("mae", deterministic.mean_absolute_error),
        ("rmse", deterministic.rmse),
    ],
)
def test_deterministic(scores, name, score):
    oracle = getattr(scores.continuous, name)(
        labelled(ENSEMBLE[0]), labelled(TRUTH), weights=labelled(MASKED)
    )
    assert score(ENSEMBLE[0], TRUTH, weights=MASKED) == pytest.approx(float(oracle))


def test_correlation(scores):
    oracle = scores.continuous.correlation.pearsonr(labelled(ENSEMBLE[0]), labelled(TRUTH))
    value = deterministic.correlation(ENSEMBLE[0], TRUTH, weights=np.ones(TRUTH.shape))
    assert value == pytest.approx(float(oracle))


@pytest.mark.parametrize(
    ("fair", "method", "estimator"), [(False, "ecdf", "nrg"), (True, "fair", "fair")]
)
def test_crps(scores, scoringrules, fair, method, estimator):
    value = probabilistic.crps(ENSEMBLE, TRUTH, weights=MASKED, fair=fair)
    oracle = scores.probability.crps_for_ensemble(
        labelled(ENSEMBLE), labelled(TRUTH), "member", method=method, weights=labelled(MASKED)
    )
    assert value == pytest.approx(float(oracle))
    cells = scoringrules.crps_ensemble(TRUTH, np.moveaxis(ENSEMBLE, 0, -1), estimator=estimator)
    assert value == pytest.approx(np.average(cells, weights=MASKED))


@pytest.mark.parametrize("fair", [False, True])
def test_brier(scores, fair):
    value = probabilistic.brier(ENSEMBLE, TRUTH, weights=MASKED, threshold=0.45, fair=fair)
    oracle = scores.probability.brier_score_for_ensemble(
        labelled(ENSEMBLE),
        labelled(TRUTH),
        "member",
        0.45,
        fair_correction=fair,
        weights=labelled(MASKED),
    )
    assert value == pytest.approx(float(oracle.squeeze()))
