"""Scores of one field against one field."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from floecast.core.errors import InputError
from floecast.verification import deterministic as det

SCORES = [
    det.bias,
    det.mean_absolute_error,
    det.rmse,
    det.centred_rmse,
    det.correlation,
]


@pytest.fixture
def fields():
    rng = np.random.default_rng(1)
    forecast, truth = rng.random((2, 3, 8, 9))
    area = rng.uniform(0.5, 2.0, (8, 9))
    return forecast, truth, area * (rng.random((8, 9)) > 0.3)


def test_hand_table():
    forecast, truth = np.array([[1.0, 2.0, 9.0]]), np.array([[0.0, 4.0, 0.0]])
    weights = np.array([[3.0, 1.0, 0.0]])
    assert det.bias(forecast, truth, weights=weights) == 0.25
    assert det.mean_absolute_error(forecast, truth, weights=weights) == 1.25
    assert det.rmse(forecast, truth, weights=weights) == pytest.approx(np.sqrt(7 / 4))
    assert det.centred_rmse(forecast, truth, weights=weights) == pytest.approx(np.sqrt(27 / 16))
    assert det.correlation(forecast, truth, weights=weights) == pytest.approx(1.0)
    assert det.correlation(-forecast, truth, weights=weights) == pytest.approx(-1.0)


def test_extent_area_volume():
    concentration = np.array([[0.1, 0.15, 0.2], [1.0, 1.0, 0.0]])
    weights = np.array([[2.0, 2.0, 2.0], [3.0, 0.0, 1.0]])
    assert det.sea_ice_extent(concentration, weights=weights) == 5.0
    assert det.sea_ice_extent(concentration, weights=weights, threshold=0.05) == 9.0
    assert det.sea_ice_area(concentration, weights=weights) == pytest.approx(3.9)
    assert det.sea_ice_volume(2 * concentration, weights=weights) == pytest.approx(7.8)


def test_rmse_splits_into_bias_and_pattern(fields):
    forecast, truth, weights = fields
    parts = det.bias(forecast, truth, weights=weights) ** 2
    parts += det.centred_rmse(forecast, truth, weights=weights) ** 2
    np.testing.assert_allclose(det.rmse(forecast, truth, weights=weights) ** 2, parts)


@pytest.mark.parametrize("score", SCORES)
def test_leading_axes_equal_a_loop(score, fields):
    forecast, truth, weights = fields
    loop = [score(f, o, weights=weights) for f, o in zip(forecast, truth, strict=True)]
    np.testing.assert_allclose(score(forecast, truth, weights=weights), loop)
    per_lead = np.stack([weights, weights, np.roll(weights, 1, axis=0)])
    assert score(forecast, truth, weights=per_lead)[0] == pytest.approx(loop[0])
    assert score(forecast, truth, weights=per_lead)[2] != pytest.approx(loop[2])


@pytest.mark.parametrize("fill", [np.nan, np.inf, 1e20])
@pytest.mark.parametrize("score", SCORES)
def test_masked_cells_do_not_matter(score, fill, fields):
    forecast, truth, weights = fields
    expected = score(forecast, truth, weights=weights)
    filled = [np.where(weights > 0, field, fill) for field in (forecast, truth)]
    np.testing.assert_array_equal(score(*filled, weights=weights), expected)
    np.testing.assert_array_equal(
        score(*filled, weights=np.where(weights > 0, weights, np.nan)), expected
    )


@pytest.mark.parametrize("score", [det.sea_ice_extent, det.sea_ice_area])
def test_masked_cells_do_not_count_as_ice(score, fields):
    field, _, weights = fields
    filled = np.where(weights > 0, field, 1e20)
    np.testing.assert_array_equal(score(filled, weights=weights), score(field, weights=weights))


@pytest.mark.parametrize("score", SCORES)
def test_cells_may_be_permuted(score, fields):
    forecast, truth, weights = (np.broadcast_to(f, (3, 8, 9)).reshape(3, 1, -1) for f in fields)
    order = np.random.default_rng(2).permutation(72)
    shuffled = (field[..., order] for field in (forecast, truth))
    np.testing.assert_allclose(
        score(*shuffled, weights=weights[..., order]), score(forecast, truth, weights=weights)
    )


@given(scale=st.floats(1e-6, 1e6), shift=st.floats(-10, 10))
def test_weights_and_units_scale(scale, shift):
    forecast, truth, weights = np.random.default_rng(3).random((3, 5, 4))
    reference = det.rmse(forecast, truth, weights=weights)
    assert det.rmse(forecast, truth, weights=scale * weights) == pytest.approx(reference)
    assert det.rmse(forecast + shift, truth + shift, weights=weights) == pytest.approx(reference)
    assert det.rmse(scale * forecast, scale * truth, weights=weights) == pytest.approx(
        scale * reference
    )


def test_float32_is_summed_in_float64():
    forecast = np.full((2000, 2000), 0.1, dtype=np.float32)
    value = det.bias(forecast, np.zeros_like(forecast), weights=np.ones(forecast.shape, "f4"))
    assert value.dtype == np.float64
    assert value == pytest.approx(np.float32(0.1), rel=1e-12)


def test_undefined_is_not_zero():
    field, nothing = np.ones((2, 2)), np.zeros((2, 2))
    for score in SCORES:
        assert np.isnan(score(field, field, weights=nothing))


def test_correlation_with_a_constant_is_undefined():
    rng = np.random.default_rng(4)
    constant = np.broadcast_to(rng.random((50, 1, 1)), (50, 6, 7))
    value = det.correlation(constant, rng.random((50, 6, 7)), weights=rng.random((6, 7)))
    assert np.isnan(value).all()


def test_refuses_what_would_give_a_silent_nan():
    field = np.array([[0.1, np.nan]])
    with pytest.raises(InputError, match="truth: 1 values inside the mask are not finite"):
        det.rmse(np.zeros((1, 2)), field, weights=np.ones((1, 2)))
    with pytest.raises(InputError, match="weights: negative"):
        det.rmse(field, field, weights=-np.ones((1, 2)))
