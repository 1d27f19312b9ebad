import numpy as np
import pytest

from floecast.core.errors import InputError
from floecast.verification.points import score_points


def rows(estimates, value, error, spreads=None, labels=None):
    labels = np.arange(len(value)) if labels is None else labels
    scored = score_points(
        estimates,
        value,
        error,
        labels,
        variable="thickness",
        region="withheld",
        rng=np.random.default_rng(1),
        spreads=spreads,
    )
    return {(row.system, row.score): row for row in scored}


def test_hand_made_scores():
    told = rows(
        {"analysis": [1.0, 2.0, 4.0]},
        [1.0, 1.0, 2.0],
        [0.5, 0.5, 0.5],
        spreads={"analysis": [0.5, 0.5, 0.5]},
    )
    assert told["analysis", "rmse"].value == pytest.approx(np.sqrt(5 / 3))
    assert told["analysis", "bias"].value == pytest.approx(1.0)
    assert told["analysis", "mae"].value == pytest.approx(1.0)
    assert told["analysis", "correlation"].value == pytest.approx(
        np.corrcoef([1, 2, 4], [1, 1, 2])[0, 1]
    )
    assert told["analysis", "consistency"].value == pytest.approx((5 / 3) / 0.5)
    assert told["analysis", "rmse"].n == 3


def test_a_reliable_ensemble_is_consistent():
    rng = np.random.default_rng(3)
    size = 20_000
    spread, error = rng.uniform(0.1, 0.6, size), rng.uniform(0.2, 0.5, size)
    truth = rng.normal(2, 1, size)
    told = rows(
        {"a": truth + spread * rng.normal(size=size)},
        truth + error * rng.normal(size=size),
        error,
        spreads={"a": spread},
        labels=np.arange(size) // 20,
    )
    row = told["a", "consistency"]
    assert row.low < 1 < row.high and row.value == pytest.approx(1, abs=0.04)


def test_systems_are_compared_on_the_same_places():
    told = rows({"a": [1.0, np.nan, 3.0], "b": [1.0, 50.0, 3.0]}, [1.0, 2.0, 3.0], [0.1] * 3)
    assert told["b", "rmse"].value == 0 and told["a", "rmse"].n == told["b", "rmse"].n == 2


def test_lengths_must_match():
    with pytest.raises(InputError, match="analysis"):
        rows({"analysis": [1.0]}, [1.0, 2.0], [0.1, 0.1])
