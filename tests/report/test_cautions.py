"""The warnings of the page: each comes when it must, and not without need."""

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from floecast.report.cautions import cautions
from floecast.verification.scorecard import Row, Scorecard

GOOD = {"concentration": {"count": 9, "chi2": 1.1}, "all": {"count": 9, "chi2": 9.0}}


def row(system, score, day, value, half=0.05):
    low, high = value - half, value + half
    return Row(system, "concentration", score, "arctic", 24.0 * day, value, low, high, 40)


def scores(forecast=(0.5, 0.6, 0.7), baseline=(1.0, 1.0, 1.0), spread=(1.0, 1.0, 1.0), half=0.05):
    rows = []
    for day, values in enumerate(zip(forecast, baseline, spread, strict=True), start=1):
        rows.append(row("forecast", "iiee", day, values[0], half))
        rows.append(row("persistence", "iiee", day, values[1], half))
        rows.append(row("forecast", "spread_skill", day, values[2], half))
    return rows


def found(**changed):
    """Warnings of a run that gives no cause for any, but for what is changed."""
    flag = changed.pop("flag", np.zeros(40, int))
    observations = {"kind": ("obs", np.repeat([0, 1], 20)), "flag": ("obs", flag)}
    contents = {
        "manifest": {"warnings": [], "config": {"analysis": {}}},
        "config": {"analysis": "runs/x"},
        "weather": "file",
        "notes": [],
        "analysis": xr.Dataset(),
        "forecast": xr.Dataset({"members": ("time", [40.0, 40.0])}),
        "observations": xr.Dataset(observations),
        "diagnostics": {"innovations": GOOD},
        "scores": Scorecard(scores()),
    }
    return cautions(SimpleNamespace(**(contents | changed)))


def one(**changed):
    (line,) = found(**changed)
    return line


def test_a_good_run_has_none():
    assert found() == []


def test_the_runs_own_come_first():
    lines = found(manifest={"warnings": ["members 2"], "config": {}}, weather="climatology")
    assert lines[0] == "members 2" and lines[1].startswith("Weather is drawn from a climatology")


def test_hindcast():
    notes = ["Hindcast: a.nc holds averages", "Hindcast: b.nc holds averages", "Other"]
    assert "2 products hold averages" in one(notes=notes)
    assert "a product holds averages" in one(notes=notes[:1])


def test_lost_members():
    lost = xr.Dataset({"members": ("time", [40.0, 37.0])})
    assert one(forecast=lost).startswith("3 of 40 members were lost")


def test_analysis_that_is_gone():
    manifest = {"warnings": [], "config": {"analysis": "runs/x"}}
    assert one(manifest=manifest, analysis=None).startswith("The analysis runs/x has no maps")


def test_rejected_observations():
    flag = np.zeros(40, int)
    flag[0] = 8
    assert one(flag=flag) == "1 of 20 concentration observations rejected (failed gross check)."
    flag[:5] = 4 + 8
    assert "(out of range, failed gross check): the analysis stands on few" in one(flag=flag)
    flag[20:] = 2
    assert found(flag=flag)[1] == "None of 20 thickness observations was used."


@pytest.mark.parametrize(("ratio", "size"), [(0.3, "large"), (3.0, "small")])
def test_inconsistency(ratio, size):
    told = {"innovations": {"thickness": {"count": 5, "chi2": ratio}}}
    assert one(diagnostics=told).endswith(f"is too {size}.")
    assert "thickness" in one(diagnostics=told)


def test_minimisation_that_ended_early():
    told = {"minimisation": {"cost": [3.0, 2.0], "residual": [0.5, 0.2]}}
    assert "50 % of its first size" in one(diagnostics=told)
    assert found(diagnostics={"minimisation": {"cost": [3.0], "residual": [0.02]}}) == []


def test_spread_and_error():
    assert (
        "smaller than the error at days 1 and 3 (0.60 to 0.70 of it, whole Arctic): "
        "probabilities near 0 and 1 are too sure"
    ) in one(scores=Scorecard(scores(spread=(0.6, 1.0, 0.7))))
    assert "larger than the error at day 2 (1.5 of it" in one(
        scores=Scorecard(scores(spread=(1.0, 1.5, 1.0)))
    )


def test_worse_than_persistence():
    said = one(scores=Scorecard(scores(forecast=(1.2, 1.02, 0.7))))
    assert said == (
        "Ice-edge error (IIEE) is larger than that of persistence at days 1 to 2, "
        "beyond the intervals at day 1."
    )
    said = one(scores=Scorecard(scores(forecast=(1.2, 1.3, 0.7), half=0.4)))
    assert said.endswith("at days 1 to 2, though the intervals include no difference.")


def test_not_verified():
    assert one(scores=Scorecard([])).startswith("This forecast has not been verified")
