"""Whole runs on the coarsest grid: products, going on after a kill, real files."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from floecast.config import load_config
from floecast.core.errors import InputError
from floecast.experiment import run
from floecast.experiment.analysis import withheld_blocks
from floecast.experiment.run import STAGES

ROOT = Path(__file__).parents[2]
SMALL = ["grid=arctic100", "ensemble.members=6", "forecast.days=2"]
TWIN = [*SMALL, "background.spin_up_days=2"]
PRODUCTS = ("*.nc", "scorecard.*", "figures/*")


def small_twin(*more):
    return load_config(ROOT / "examples" / "twin.yaml", [*TWIN, *more])


def products(folder):
    files = [file for pattern in PRODUCTS for file in Path(folder).glob(pattern)]
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(files)}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A small twin, run to its end by the command."""
    folder = tmp_path_factory.mktemp("runs") / "undisturbed"
    subprocess.run(command(folder), check=True, cwd=ROOT, capture_output=True)
    return folder


def command(folder):
    changes = [part for change in TWIN for part in ("--set", change)]
    return [
        sys.executable,
        "-m",
        "floecast.cli",
        "run",
        "examples/twin.yaml",
        "--out",
        str(folder),
        *changes,
    ]


def test_a_run_holds_what_the_contract_names(undisturbed):
    for name in (
        "manifest.json",
        "analysis.nc",
        "forecast.nc",
        "scorecard.json",
        "scorecard.csv",
        "report.html",
    ):
        assert (undisturbed / name).stat().st_size > 0
    assert list((undisturbed / "figures").glob("*.png"))
    manifest = json.loads((undisturbed / "manifest.json").read_text())
    assert [stage["name"] for stage in manifest["stages"]] == list(STAGES)
    assert manifest["versions"]["jax"] and manifest["peak_memory_mb"] > 0
    rows = json.loads((undisturbed / "scorecard.json").read_text())
    assert set(rows[0]) == {
        "system",
        "variable",
        "score",
        "region",
        "lead_hours",
        "value",
        "low",
        "high",
        "n",
    }
    assert {"forecast", "persistence", "free run", "analysis", "background"} <= {
        row["system"] for row in rows
    }


def test_products_hold_bounds_and_fit_together(undisturbed):
    with xr.open_dataset(undisturbed / "analysis_ensemble.nc") as members:
        concentration = members.concentration.values
        assert np.nanmin(concentration) >= 0 and np.nanmax(concentration) <= 1
        assert np.nanmin(members.ice_volume.values) >= 0
        mean = members.concentration.mean("realization").values
    with xr.open_dataset(undisturbed / "analysis.nc") as analysis:
        np.testing.assert_allclose(analysis.concentration, mean, atol=2e-6)
        before, increment = analysis.concentration_background, analysis.concentration_increment
        np.testing.assert_allclose(analysis.concentration, before + increment, atol=1e-6)
    with xr.open_dataset(undisturbed / "forecast.nc") as forecast:
        assert list(forecast.forecast_period.values) == [0, 24, 48]
        np.testing.assert_allclose(forecast.concentration[0], mean, atol=2e-6)


def test_a_finished_run_is_left_as_it_is(undisturbed):
    before = {file: file.stat().st_mtime_ns for file in undisturbed.rglob("*")}
    run(small_twin(), out=undisturbed)
    assert {file: file.stat().st_mtime_ns for file in undisturbed.rglob("*")} == before


@pytest.mark.parametrize("wait", [0.4, 0.7])
def test_killed_and_called_again_it_ends_with_the_same_bytes(undisturbed, tmp_path, wait):
    manifest = json.loads((undisturbed / "manifest.json").read_text())
    seconds = 3 + sum(stage["seconds"] for stage in manifest["stages"])
    process = subprocess.Popen(command(tmp_path / "run"), cwd=ROOT, stderr=subprocess.DEVNULL)
    time.sleep(wait * seconds)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    subprocess.run(command(tmp_path / "run"), check=True, cwd=ROOT, capture_output=True)
    assert products(tmp_path / "run") == products(undisturbed)


@pytest.mark.parametrize("harmed", ["analysis.nc", "forecast_members.nc"])
def test_a_harmed_product_is_made_again(undisturbed, tmp_path, harmed):
    expected = products(undisturbed)
    folder = tmp_path / "run"
    subprocess.run(["cp", "-r", str(undisturbed), str(folder)], check=True)
    (folder / harmed).write_bytes(b"harm")
    run(small_twin(), out=folder, until="forecast")
    assert products(folder)[harmed] == expected[harmed]


def test_another_configuration_does_not_touch_a_run(undisturbed):
    before = products(undisturbed)
    with pytest.raises(InputError, match="seed is 7 there and 8 here"):
        run(small_twin("seed=8"), out=undisturbed)
    assert products(undisturbed) == before


def test_withheld_blocks_are_half_of_the_places_in_stripes_of_100_km():
    x, y = np.meshgrid(np.arange(-3000e3, 3000e3, 25e3), np.arange(-3000e3, 3000e3, 25e3))
    kept = withheld_blocks(x, y)
    assert kept.mean() == pytest.approx(0.5)
    blocks = np.floor(x / 100e3), np.floor(y / 100e3)
    for block in ((-3, 4), (0, 0), (5, 5)):
        inside = (blocks[0] == block[0]) & (blocks[1] == block[1])
        assert kept[inside].all() or not kept[inside].any()


def test_missing_files_are_named_before_anything_is_written(tmp_path, data_folder):
    config = load_config(
        ROOT / "examples" / "january_2015.yaml", ["verification.concentration=none.nc"]
    )
    with pytest.raises(InputError, match="none.nc"):
        run(config, data=data_folder, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_real_observations_improve_the_background(tmp_path, data_folder):
    config = load_config(
        ROOT / "examples" / "january_2015.yaml", [*SMALL, "ensemble.members=12", "forecast.days=1"]
    )
    folder = run(config, data=data_folder, out=tmp_path / "run", until="verification")
    rows = json.loads(folder.file("scorecard.json").read_text())
    rmse = {
        (row["system"], row["variable"]): row["value"]
        for row in rows
        if row["score"] == "rmse"
        and row["lead_hours"] == 0
        and row["region"] in ("withheld cells", "arctic")
    }
    assert rmse["analysis", "thickness"] < rmse["background", "thickness"]
    assert rmse["forecast", "concentration"] < rmse["background", "concentration"]
    assert len(folder.manifest["inputs"]) == 4
