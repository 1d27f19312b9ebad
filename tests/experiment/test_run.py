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

import floecast as fc
from floecast.config import load_config
from floecast.core.errors import InputError
from floecast.experiment import run
from floecast.experiment.analysis import withheld_blocks
from floecast.experiment.case import Case
from floecast.experiment.run import STAGES
from floecast.io.run_folder import RunFolder
from floecast.simulator.typical_state import typical_state

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
    """The command in a process of its own; processes share what they compile, and do it fast."""
    shared = tmp_path_factory.mktemp("compiled")
    environment = os.environ | {
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
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


def test_killed_again_and_again_it_ends_with_the_same_bytes(floecast, undisturbed, tmp_path):
    folder = tmp_path / "run"
    for last in ("analysis.nc", "scorecard.json"):
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


@pytest.fixture
def case(tmp_path):
    config = small_twin("ensemble.members=8")
    folder = RunFolder(tmp_path / "run", config.model_dump(mode="json"))
    return Case(config, folder, None)


def test_forecast_weather_is_not_the_true_weather_but_knows_some_of_it(case):
    later = case.analysis_time + 3 * 86400
    truth = np.asarray(case.true_weather.pressure(later))
    members = np.stack([w.pressure(later) for w in case.forecast_weather({"inputs": []})])
    mean = np.mean([np.corrcoef(truth.ravel(), m.ravel())[0, 1] for m in members])
    assert 0.5 < mean < 0.99
    climatology = np.stack([w.pressure(later) for w in case.climatological_weather("forecast")])
    unknowing = np.mean([np.corrcoef(truth.ravel(), m.ravel())[0, 1] for m in climatology])
    assert unknowing < mean - 0.1


def test_truth_and_forecast_do_not_share_model_start_or_ocean(case):
    forecast, truth = case.model(), case.truth_model()
    assert truth.rheology.wind_factor != forecast.rheology.wind_factor
    ocean = forecast.thermodynamics.ocean_heat_flux
    assert not np.allclose(truth.thermodynamics.ocean_heat_flux, ocean)
    start = case.other_state("truth start", case.background_time)
    typical = typical_state(case.grid, case.background_time)
    assert np.abs(start.ice_volume - typical.ice_volume).max() > 0.1


def test_withheld_and_used_observations_share_no_place_and_no_error(undisturbed):
    with xr.open_dataset(undisturbed / "observations.nc") as points:
        thickness = points.kind.values == 1
        used = points.assimilated.values == 1
        group, y = points.group.values, points.y.values
    assert used[thickness].any() and not used[thickness].all()
    assert not set(group[thickness & used]) & set(group[thickness & ~used])
    np.testing.assert_array_equal(withheld_blocks(y, y)[thickness], ~used[thickness])


def test_persistence_of_a_twin_is_the_analysis(undisturbed):
    rows = json.loads((undisturbed / "scorecard.json").read_text())
    chosen = {"variable": "concentration", "score": "rmse", "region": "arctic"}
    value = {
        (row["system"], row["lead_hours"]): row["value"]
        for row in rows
        if all(row[name] == wanted for name, wanted in chosen.items())
    }
    assert value["persistence", 0] == pytest.approx(value["forecast", 0], abs=1e-6)
    with (
        xr.open_dataset(undisturbed / "analysis.nc") as analysis,
        xr.open_dataset(undisturbed / "verification.nc") as truth,
    ):
        error = (analysis.concentration - truth.concentration[2]).values
    area = np.where(np.isfinite(error), fc.Grid.preset("arctic100").area, 0)
    expected = np.sqrt(np.nansum(area * error**2) / area.sum())
    assert value["persistence", 48] == pytest.approx(expected, rel=1e-4)


def test_missing_files_are_named_before_anything_is_written(tmp_path, data_folder):
    config = load_config(
        ROOT / "examples" / "january_2015.yaml", ["verification.concentration=none.nc"]
    )
    with pytest.raises(InputError, match="none.nc"):
        run(config, data=data_folder, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


CRYOSAT = "cs2_sit_canadian_arctic/cs2_sit_monthly_201011_201604.nc"
NSIDC = "nsidc0081_sic/nsidc0081_nh_2015.nc"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (f"background.thickness={NSIDC}", "background.thickness: .*holds NSIDC-0081"),
        (f"background.concentration={CRYOSAT}", "background.concentration: .*holds CryoSat-2"),
        ("observations.0.end=2016-02-01", "observations.0.file: .*does not cover"),
        ("background.date=2014-12-31T12:00:00", "background.*does not (hold|cover)"),
        (
            f"verification.concentration={CRYOSAT}",
            "verification.concentration: .*holds CryoSat-2.*reads NSIDC-0081",
        ),
        (
            "verification.concentration=nsidc0081_sic/nsidc0081_nh_2016.nc",
            "verification.concentration: .*does not cover 2015-01-02",
        ),
        (
            f"verification.thickness_climatology={CRYOSAT}",
            "verification.thickness_climatology: .*holds CryoSat-2",
        ),
        (f"weather={{knowledge: file, file: {NSIDC}}}", "weather.file: .*holds NSIDC-0081"),
        (
            "weather={knowledge: file, file: gfs_wind_20161120/gfs_1deg_u10v10_20161120_22.nc}",
            "weather.file: .*covers 2016.*expected 2015-01-02",
        ),
    ],
)
def test_files_that_do_not_fit_are_named_before_anything_is_written(
    tmp_path, data_folder, change, fault
):
    config = load_config(ROOT / "examples" / "january_2015.yaml", [change])
    with pytest.raises(InputError, match=fault):
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
