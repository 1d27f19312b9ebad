"""Agreement with two independent implementations of the scores."""

import numpy as np
import pytest

from floecast.verification import (
    deterministic,
    forecast_maps,
    fractions_skill,
    probabilistic,
    reliability,
)

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


@pytest.mark.parametrize(("fair", "method"), [(False, "ecdf"), (True, "fair")])
def test_threshold_weighted_crps(scores, scoringrules, fair, method):
    options = {"weights": MASKED, "fair": fair}
    fields = labelled(ENSEMBLE), labelled(TRUTH), "member"
    weights = labelled(MASKED)
    value = probabilistic.threshold_weighted_crps(ENSEMBLE, TRUTH, lower=0.3, upper=0.7, **options)
    oracle = scores.probability.interval_tw_crps_for_ensemble(
        *fields, 0.3, 0.7, method=method, weights=weights
    )
    assert value == pytest.approx(float(oracle))
    cells = scoringrules.twcrps_ensemble(
        TRUTH,
        np.moveaxis(ENSEMBLE, 0, -1),
        v_func=lambda x: np.clip(x, 0.3, 0.7),
        estimator="fair" if fair else "nrg",
    )
    assert value == pytest.approx(np.average(cells, weights=MASKED))
    for tail, bound in (("upper", "lower"), ("lower", "upper")):
        value = probabilistic.threshold_weighted_crps(ENSEMBLE, TRUTH, **{bound: 0.6}, **options)
        oracle = scores.probability.tail_tw_crps_for_ensemble(
            *fields, 0.6, tail=tail, method=method, weights=weights
        )
        assert value == pytest.approx(float(oracle))


def test_reliability(scores):
    rng = np.random.default_rng(1)
    truth = rng.random((20, 30))
    ensemble = (truth + rng.normal(0, 0.4, (6, 20, 30))).round(2)
    weights = rng.uniform(0.5, 2.0, truth.shape)
    diagram = reliability.reliability_diagram(ensemble, truth, weights=weights, threshold=0.5)
    probability = (ensemble > 0.5).mean(axis=0)
    oracle = scores.processing.isotonic_fit(
        probability.ravel(), (truth > 0.5).astype(float).ravel(), weight=weights.ravel()
    )
    np.testing.assert_allclose(diagram.probability, np.unique(probability))
    expected = np.interp(diagram.probability, oracle["fcst_sorted"], oracle["regression_values"])
    np.testing.assert_allclose(diagram.calibrated, expected)


def test_ranks_of_members_without_ties(scores):
    rng = np.random.default_rng(2)
    ensemble, truth = rng.random((5, 6, 7)), rng.random((6, 7))
    found = probabilistic.rank_histogram(ensemble, truth, weights=np.ones(truth.shape), rng=rng)
    oracle = scores.probability.rank_histogram(labelled(ensemble), labelled(truth), "member")
    np.testing.assert_allclose(found.counts / truth.size, oracle.values)


@pytest.mark.parametrize("window", [1, 3, 7])
def test_fractions_skill(window):
    rng = np.random.default_rng(3)
    forecast, truth = np.zeros((2, 30, 32), bool)
    forecast[8:20, 8:20], truth[8:20, 8:20] = rng.random((2, 12, 12)) > 0.5
    value = fractions_skill.fractions_skill_score(
        forecast, truth, weights=np.ones(truth.shape), window=window
    )
    # The events keep clear of the border, where the two differ in the size of the windows.
    spatial = pytest.importorskip("scores.spatial")
    oracle = spatial.fss_2d_binary(
        labelled(forecast),
        labelled(truth),
        window_size=(window, window),
        spatial_dims=("y", "x"),
        zero_padding=True,
    )
    assert value == pytest.approx(float(oracle))


def test_energy_score(scoringrules):
    rng = np.random.default_rng(4)
    members, truth = rng.normal(size=(2, 6, 3, 4)), rng.normal(size=(2, 3, 4))
    cells = forecast_maps._energy_cells(members, truth)
    oracle = scoringrules.es_ensemble(
        np.moveaxis(truth, 0, -1), np.moveaxis(members, (1, 0), (-2, -1)), estimator="fair"
    )
    np.testing.assert_allclose(cells, oracle)
