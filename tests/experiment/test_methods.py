"""Methods made from a configuration, and runs with a window."""

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from floecast.assimilation.asynchronous import Asynchronous
from floecast.assimilation.cycle import Recentred
from floecast.assimilation.kalman import LETKF
from floecast.assimilation.variational import En4DVar
from floecast.config import load_config
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.emulator.model import Emulator
from floecast.experiment import run
from floecast.experiment.methods import BLOCKS, method_of_run, of_this_window
from floecast.observation.observations import observations

EXAMPLES = Path(__file__).parents[2] / "examples"
DAY = 86400


@pytest.fixture(scope="module")
def emulator():
    return Emulator.load("arctic100", Grid.preset("arctic100"))


def config(*overrides):
    return load_config(EXAMPLES / "january_2015_en4dvar.yaml", ["grid=arctic100", *overrides])


def test_every_method_is_made(emulator):
    hybrid = method_of_run(config(), emulator.grid, emulator)
    assert isinstance(hybrid, Recentred) and isinstance(hybrid.variational, En4DVar)
    assert hybrid.variational.window == hybrid.filter.window == 2
    assert float(hybrid.variational.model.noise_scale) == 0 < float(hybrid.filter.model.noise_scale)
    roots = hybrid.variational.covariance.localisation
    assert roots[0].rank > roots[1].rank and hybrid.variational.covariance.blocks == BLOCKS
    coupled = config("analysis.updates.concentration=[concentration, ice_volume]")
    made = method_of_run(coupled, emulator.grid, emulator).variational.covariance
    assert made.blocks is None
    letkf = method_of_run(config("analysis.method=letkf"), emulator.grid, emulator)
    assert isinstance(letkf, Asynchronous)
    instant = config("analysis.method=letkf", "analysis.window_hours=0")
    assert isinstance(method_of_run(instant, emulator.grid, emulator), LETKF)
    short = config("analysis.window_hours=30", "analysis_time=2015-01-02T18:00")
    with pytest.raises(InputError, match="30 h is not a whole number of the model's steps of 12 h"):
        method_of_run(short, emulator.grid, emulator)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("analysis.window_hours=0", "en4dvar needs analysis.window_hours"),
        ("analysis.window_hours=12", "whole days after background.date"),
        ("grid=arctic25", "none ship for arctic25"),
        ("model={kind: free_drift, weights: mine.npz}", "these are of `kind: emulator`"),
    ],
)
def test_sections_that_do_not_fit(override, told):
    with pytest.raises(InputError, match=told):
        config(override)


@pytest.mark.parametrize(
    "override", ["analysis.window_hours=24", "model.kind=emulator", "analysis.method=en4dvar"]
)
def test_a_twin_that_drifts_freely_has_no_window_and_no_emulator(override):
    with pytest.raises(InputError, match="analysis.window_hours|background.source: simulated"):
        load_config(EXAMPLES / "twin.yaml", [override])


def test_an_emulator_that_does_not_fit_leaves_no_folder(monkeypatch, tmp_path):
    # Its files are not looked at here; `floecast.experiment.run` alone is the function.
    monkeypatch.setattr(import_module("floecast.experiment.run"), "uses", lambda config: [])
    for options, words in (
        (["model.weights=mine.npz"], "no file .*mine.npz"),
        (["analysis.window_hours=30", "analysis_time=2015-01-02T18:00"], "not a whole number"),
    ):
        with pytest.raises(InputError, match=words):
            run(config(*options), data=tmp_path, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_means_of_a_month_belong_to_the_window_they_reach_into():
    time = np.array([5, 15, 2, 40]) * DAY
    span = np.array([1, 30, 1, 30]) * DAY
    cells = np.zeros((4, 1), int)
    given = observations("thickness", np.ones(4), 0.3, 0.0, 0.0, 0, cells, np.ones((4, 1)))
    given = given.replace(time=time, span=span)
    found = of_this_window(given, 4 * DAY, 6 * DAY)
    assert np.asarray(found.time).tolist() == [5 * DAY, 6 * DAY, 2 * DAY, 40 * DAY]
    assert np.asarray(found.span).tolist() == [DAY, 0, DAY, 30 * DAY]


def test_real_observations_along_a_window(data_folder, tmp_path):
    small = ["ensemble.members=6", "forecast.days=1", "analysis.method=letkf"]
    folder = run(config(*small), data=data_folder, out=tmp_path / "run", until="verification")
    with xr.open_dataset(folder.file("background_ensemble.nc")) as start:
        assert str(np.atleast_1d(start.time.values)[0])[:13] == "2015-01-01T12"
    with xr.open_dataset(folder.file("background_at_analysis.nc")) as later:
        assert str(np.atleast_1d(later.time.values)[0])[:13] == "2015-01-02T12"
    rows = {
        (row["system"], row["variable"], row["region"]): row["value"]
        for row in json.loads(folder.file("scorecard.json").read_text())
        if row["score"] == "rmse" and row["lead_hours"] == 0
    }
    systems = ("background", "analysis")
    before, after = (rows[name, "thickness", "withheld cells"] for name in systems)
    assert after < 0.85 * before
    edge = [rows[name, "concentration", "arctic"] for name in ("background", "forecast")]
    assert edge[1] < 0.8 * edge[0]
