"""Intervals, differences and seasons over start dates."""

import json

import numpy as np
import pytest

from floecast.core.calendar import to_seconds
from floecast.core.errors import InputError
from floecast.verification.date_scorecard import (
    Comparison,
    block_length,
    date_scorecard,
    diagrams,
    effective_dates,
    is_compared,
)
from floecast.verification.dates import DateSums, DiagramKey, Key
from floecast.verification.score_maps import ScoreMap, root_mean_of

DAY = 86400
KEY = Key("forecast", "concentration", "rmse", "arctic", 24.0)
RMSE = ScoreMap("rmse", (), root_mean_of)


def sums_of(squares, first="2015-01-01", weight=2.0):
    """Squared errors of a date, by system."""
    kept = DateSums()
    for day in range(len(next(iter(squares.values())))):
        kept.starts.append(to_seconds(first) + day * DAY)
        for system, values in squares.items():
            if np.isfinite(values[day]):
                sums = np.array([weight * values[day], weight])
                kept.add(KEY._replace(system=system), RMSE, sums)
    return kept


def autoregressive(rng, count, correlation):
    values = rng.normal(size=count)
    for t in range(1, count):
        values[t] = correlation * values[t - 1] + np.sqrt(1 - correlation**2) * values[t]
    return values


def test_a_difference_is_paired_and_of_the_root():
    rng = np.random.default_rng(0)
    common = np.exp(autoregressive(rng, 200, 0.6))
    kept = sums_of({"forecast": common, "persistence": 1.21 * common})
    card = date_scorecard(kept, comparisons=[Comparison("forecast", "persistence")])
    (row,) = card.select(system="forecast minus persistence", region="arctic").rows
    root = np.sqrt(common.mean())
    assert row.value == pytest.approx(-0.1 * root) and row.n == 200
    # The weather of the dates is common to both, so the difference is far more certain.
    (alone,) = card.select(system="forecast", region="arctic").rows
    assert alone.value == pytest.approx(root)
    assert row.high - row.low == pytest.approx(0.1 * (alone.high - alone.low))
    assert row.high < 0


@pytest.mark.parametrize(
    ("correlation", "block_days", "coverage"), [(0.5, 1, 0.73), (0.5, 10, 0.92)]
)
def test_coverage_of_the_interval_of_a_difference(correlation, block_days, coverage):
    # Each "lead" is a case of its own.
    rng, kept, cases = np.random.default_rng(1), DateSums(), 200
    noise = np.stack([0.05 * autoregressive(rng, 200, correlation) for _ in range(cases)])
    for day in range(200):
        kept.starts.append(day * DAY)
        for lead in range(cases):
            for system, value in (("forecast", 1 + noise[lead, day]), ("persistence", 1.0)):
                key = KEY._replace(system=system, lead_hours=float(lead))
                kept.add(key, RMSE, np.array([value, 1.0]))
    card = date_scorecard(
        kept,
        comparisons=[Comparison("forecast", "persistence")],
        block_days=block_days,
        draws=300,
    )
    rows = card.select(system="forecast minus persistence", region="arctic").rows
    hits = sum(row.low <= 0 <= row.high for row in rows)
    assert len(rows) == cases and hits / cases == pytest.approx(coverage, abs=0.07)


def test_only_dates_that_both_have_are_compared():
    nan = np.nan
    kept = sums_of({"forecast": [1.0, 4, nan, 9], "persistence": [4.0, nan, 1, 9]})
    card = date_scorecard(kept, comparisons=[Comparison("forecast", "persistence")])
    rows = {row.system: row for row in card.rows}
    assert (rows["forecast"].n, rows["forecast minus persistence"].n) == (3, 2)
    assert rows["forecast minus persistence"].value == pytest.approx(5**0.5 - 6.5**0.5)
    assert np.isnan(rows["forecast"].low)  # four days are less than two blocks of 15


def test_blocks_are_of_neighbours_in_time_whatever_the_order_of_the_dates():
    rng = np.random.default_rng(3)
    squares = np.exp(autoregressive(rng, 60, 0.9))
    first = sums_of({"forecast": squares}, first="2015-01-01")
    kept = DateSums()
    for day in rng.permutation(60):
        kept.starts.append(first.starts[day])
        kept.add(KEY, RMSE, np.array([2 * squares[day], 2.0]))
    cards = [date_scorecard(sums, block_days=10) for sums in (first, kept)]
    for left, right in zip(*(card.rows for card in cards), strict=True):
        assert (left.low, left.high) == pytest.approx((right.low, right.high), nan_ok=True)


def test_seasons_by_start_date():
    squares = np.concatenate([np.full(30, 1.0), np.full(31, 4.0)])
    card = date_scorecard(sums_of({"forecast": squares}, first="2015-09-01"))
    rows = {row.region: (row.value, row.n) for row in card.rows}
    assert rows == {
        "arctic": (pytest.approx((30 * 1 + 31 * 4) ** 0.5 / 61**0.5), 61),
        "arctic, late summer": (1.0, 30),
        "arctic, freeze-up": (2.0, 31),
    }
    only = date_scorecard(sums_of({"forecast": squares}, first="2015-10-01"))
    assert {row.region for row in only.rows} == {"arctic"}


def test_block_length_follows_the_spacing_of_the_dates():
    days = np.arange(10) * DAY
    assert block_length(days, 15) == 15
    assert block_length(days[::-1] * 3, 15) == 5
    assert block_length(days * 20, 15) == 1
    assert block_length(days[:1], 15) == 1
    with pytest.raises(InputError, match="block_days"):
        block_length(days, 0)


def test_effective_dates_count_what_the_differences_share():
    rng = np.random.default_rng(2)
    noise = 0.1 * autoregressive(rng, 2000, 0.8)
    kept = sums_of({"forecast": (2 + noise) ** 2, "persistence": np.full(2000, 4.0)})
    found = effective_dates(kept, KEY, "persistence")
    assert found == pytest.approx(2000 * 0.2 / 1.8, rel=0.3)
    with pytest.raises(InputError, match="no score"):
        effective_dates(kept, KEY, "oracle")


def test_what_is_compared():
    for score in ("rmse", "crps", "iiee", "sps_length", "edge_distance", "fss_ice_5", "brier_15"):
        assert is_compared(score)
    for score in ("bias", "edge_bias", "speed_bias", "spread_skill", "turning", "capture_90"):
        assert not is_compared(score)


def test_diagrams_are_ready_for_json():
    kept = DateSums()
    place = ("arctic", 24.0, 2)
    key = DiagramKey("forecast", "concentration", "ranks", *place)
    for _ in range(2):
        kept.add_diagram(key, np.array([1.0, 2, 3, 4, 10]))
        kept.add_diagram(key._replace(kind="reliability_15"), np.array([[4.0, 2, 4], [1, 2, 2]]))
        kept.add_diagram(key._replace(kind="spread"), np.array([[2.0, 0], [8, 0], [18, 0]]))
    ranks, reliability, spread = json.loads(json.dumps(diagrams(kept), allow_nan=False))
    assert ranks["counts"] == [2, 4, 6] and ranks["tied_fraction"] == 0.4
    assert ranks["unevenness"] == pytest.approx((4 + 0 + 4) / (12 * 2 / 3))
    assert reliability["calibrated"] == pytest.approx([0.25, 2 / 3, 2 / 3])
    assert spread["spread"] == [2, None] and spread["error"] == [3, None]
    assert spread["members"] == 2 and spread["region"] == "arctic"
