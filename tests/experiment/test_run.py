"""Whole runs on the coarsest grid: products, going on after a kill, real files."""

import json
import os
import shutil
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
def floecast(tmp_path_factory):
    """The command in a process of its own; processes share what they compile."""
    shared = tmp_path_factory.mktemp("compiled")
    environment = os.environ | {
        "JAX_COMPILATION_CACHE_DIR": str(shared),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }

    def start(example, folder, *more, changes=TWIN):
        options = [part for change in changes for part in ("--set", change)]
        command = [sys.executable, "-m", "floecast.cli", "run", f"examples/{example}.yaml"]
        return subprocess.Popen(
            [*command, "--out", str(folder), *options, *more],
            cwd=ROOT,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def finish(process):
    _, printed = process.communicate()
    assert process.returncode == 0, printed


@pytest.fixture(scope="module")
def undisturbed(floecast, tmp_path_factory):
    """A small twin, run to its end."""
    folder = tmp_path_factory.mktemp("runs") / "undisturbed"
    finish(floecast("twin", folder))
    return folder


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


@pytest.mark.parametrize("last", ["analysis.nc", "scorecard.json"])
def test_killed_and_called_again_it_ends_with_the_same_bytes(floecast, undisturbed, tmp_path, last):
    folder = tmp_path / "run"
    process = floecast("twin", folder)
    while not (folder / last).exists() and process.poll() is None:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    finish(floecast("twin", folder))
    assert products(folder) == products(undisturbed)


def test_a_harmed_product_is_made_again_with_the_same_bytes(floecast, undisturbed, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(undisturbed, folder)
    (folder / "forecast_members.nc").write_bytes(b"harm")
    finish(floecast("twin", folder))
    assert products(folder) == products(undisturbed)


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


def test_real_observations_improve_the_background(floecast, tmp_path, data_folder):
    folder = tmp_path / "run"
    finish(floecast("january_2015", folder, "--data", str(data_folder), changes=SMALL))
    rmse = {
        (row["system"], row["variable"]): row["value"]
        for row in json.loads((folder / "scorecard.json").read_text())
        if row["score"] == "rmse"
        and row["lead_hours"] == 0
        and row["region"] in ("withheld cells", "arctic")
    }
    assert rmse["analysis", "thickness"] < rmse["background", "thickness"]
    assert rmse["forecast", "concentration"] < rmse["background", "concentration"]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert {record["path"].split("/")[0] for record in manifest["inputs"]} == {
        "nsidc0081_sic",
        "nextsim_20150101",
        "cs2_sit_canadian_arctic",
        "cs2smos_climatology",
    }
