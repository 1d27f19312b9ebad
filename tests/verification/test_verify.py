from types import SimpleNamespace

import numpy as np
import pytest

import floecast as fc
from floecast.core.calendar import DAY
from floecast.core.errors import InputError
from floecast.verification.past_years import PastYears


@pytest.fixture
def grid():
    return fc.Grid.box((12, 10), 50e3)


def forecast_of(grid, members, concentration=None):
    shape = (members, 3, *grid.shape)
    rng = np.random.default_rng(0)
    field = rng.uniform(0, 1, shape) if concentration is None else concentration
    return SimpleNamespace(
        ensemble=SimpleNamespace(concentration=field, ice_volume=2 * field),
        healthy=np.ones(members, bool),
        grid=grid,
        time=np.arange(3),
        lead_hours=np.array([0, 24, 48]),
    )


def value(card, **fields):
    (row,) = card.select(**fields).rows
    return row.value


def test_a_perfect_forecast_beats_its_baselines(grid):
    rng = np.random.default_rng(1)
    truth = {"concentration": rng.uniform(0, 1, (3, *grid.shape))}
    out = forecast_of(grid, 4, np.stack([truth["concentration"]] * 4))
    card = fc.verify(
        out,
        truth,
        baselines=("persistence", "climatology"),
        climatology={"concentration": np.full(grid.shape, 0.5)},
    )
    chosen = {"score": "rmse", "region": "arctic", "lead_hours": 48.0}
    assert value(card, system="forecast", **chosen) == 0
    assert value(card, system="persistence", **chosen) > 0.3
    expected = np.sqrt(np.mean((truth["concentration"][2] - 0.5) ** 2))
    assert value(card, system="climatology", **chosen) == pytest.approx(expected)


def test_persistence_is_the_mean_at_lead_zero_unless_given(grid):
    out = forecast_of(grid, 4)
    truth = {"concentration": np.stack([out.ensemble.concentration[:, 0].mean(axis=0)] * 3)}
    chosen = {"system": "persistence", "score": "rmse", "region": "arctic", "lead_hours": 48.0}
    assert value(fc.verify(out, truth), **chosen) == pytest.approx(0, abs=1e-12)
    other = fc.verify(out, truth, initial={"concentration": np.zeros(grid.shape)})
    assert value(other, **chosen) > 0.3


def test_failed_members_do_not_count(grid):
    out = forecast_of(grid, 4)
    out.ensemble.concentration[1] = np.nan
    out.healthy[1] = False
    truth = {"concentration": np.full((3, *grid.shape), 0.4)}
    assert all(np.isfinite(row.value) for row in fc.verify(out, truth).select(score="rmse").rows)


def test_edge_scores_are_told_for_the_whole_ocean_only(grid):
    out = forecast_of(grid, 3)
    card = fc.verify(out, {"concentration": np.full((3, *grid.shape), 0.4)})
    assert {row.region for row in card.select(score="iiee").rows} == {"arctic"}
    assert {row.region for row in card.select(score="rmse").rows} == {"arctic", "ice"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"baselines": ("climatology",)}, "needs its fields"),
        ({"baselines": ("oracle",)}, "oracle"),
        ({"baselines": ("damped anomaly persistence",)}, "needs its fields: past="),
    ],
)
def test_baselines_that_cannot_be_made_are_named(grid, options, words):
    with pytest.raises(InputError, match=words):
        fc.verify(forecast_of(grid, 3), {"concentration": np.zeros((3, *grid.shape))}, **options)


def test_climatology_and_damping_come_from_other_years_and_systems_stand_beside(grid):
    years = np.arange(4) * 365 * DAY
    times = (years[:, None] + np.arange(-60, 80) * DAY).ravel()
    level = np.array([0.2, 0.4, 0.6, 1.0])
    rng = np.random.default_rng(0)
    fields = level[np.arange(times.size) // 140, None, None] + 0.01 * rng.normal(
        size=(times.size, *grid.shape)
    )
    out = forecast_of(grid, 3, np.full((3, 3, *grid.shape), 0.9))
    out.time = years[3] + np.arange(3) * DAY
    truth = {"concentration": np.full((3, *grid.shape), 0.5)}
    card = fc.verify(
        out,
        truth,
        baselines=("climatology", "damped anomaly persistence"),
        past={"concentration": PastYears(times, fields.__getitem__)},
        systems={"free run": {"concentration": np.full((3, *grid.shape), 0.45)}},
    )
    chosen = {"score": "bias", "region": "arctic", "lead_hours": 48.0}
    # The normal is that of the three other years, 0.4; the level of a year is an anomaly that
    # stays, so that nothing is damped.
    assert value(card, system="climatology", **chosen) == pytest.approx(-0.1, abs=0.01)
    damped = value(card, system="damped anomaly persistence", **chosen)
    assert damped == pytest.approx(0.4, abs=0.02)
    assert value(card, system="free run", **chosen) == pytest.approx(-0.05)
