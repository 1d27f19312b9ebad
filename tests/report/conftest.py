"""Made-up folders of a run and of a forecast, smooth but plausible, for looking at the report."""

import json

import numpy as np
import pytest
import xarray as xr

from floecast.core.grid import Grid
from floecast.io.run_folder import checksum

MEMBERS, REJECTED = 6, 3
START = np.datetime64("2015-01-01T00:00:00", "ns")
SYSTEMS = {"forecast": 0.6, "persistence": 1.0, "free run": 0.85, "my model": 1.3}


def ice(grid, shift=0.0, thicker=1.0):
    """Concentration and thickness with a wavy edge, `shift` degrees further south."""
    east = np.radians(grid.longitude)
    edge = 63 - shift + 14 * np.exp(-(((grid.longitude - 15) / 40) ** 2)) + np.sin(7 * east + shift)
    concentration = 1 / (1 + np.exp(-(grid.latitude - edge) * 1.4))
    concentration = np.where(concentration < 0.01, 0.0, concentration)
    export = np.exp(-(((grid.x[None] + 5e5) / 9e5) ** 2 + ((grid.y[:, None] + 8e5) / 6e5) ** 2))
    return concentration, thicker * concentration * (0.5 + 2.5 * export + (grid.latitude > 80))


def dataset(grid, fields, **coordinates):
    """Fields on the grid, masked on land, in the manner of the products of a run."""
    leading = ("time",) if "time" in coordinates and coordinates["time"].ndim else ()
    data = {
        name: ((*leading, "y", "x"), np.where(grid.mask_t, value, np.nan).astype("f4"))
        for name, value in fields.items()
    }
    data["crs"] = ((), 0, {"grid_mapping_name": "polar_stereographic"})
    return xr.Dataset(
        data,
        coords={
            "y": grid.y,
            "x": grid.x,
            **coordinates,
            "latitude": (("y", "x"), grid.latitude),
            "longitude": (("y", "x"), grid.longitude),
        },
    )


def write_analysis(folder, grid):
    background, analysis = ice(grid, 1.5, 1.3), ice(grid)
    fields = {}
    for index, name in enumerate(("concentration", "thickness")):
        fields |= {
            name: analysis[index],
            f"{name}_background": background[index],
            f"{name}_increment": analysis[index] - background[index],
            f"{name}_spread": 0.1 * analysis[index],
        }
    dataset(grid, fields, time=np.array(START)).to_netcdf(folder / "analysis.nc")


def leads(grid, days, drift, hasty=1.0):
    """Fields of ``(lead, y, x)`` whose edge moves south with the lead."""
    concentration, thickness = map(
        np.stack,
        zip(
            *(ice(grid, 0.3 * hasty * day, 1 + 0.01 * day) for day in range(days + 1)), strict=True
        ),
    )
    day = np.arange(days + 1.0)[:, None, None]
    return {
        "concentration": concentration,
        "thickness": thickness,
        "ice_volume": concentration * thickness,
        "concentration_spread": 0.05 * np.sqrt(day + 1) * 4 * concentration * (1 - concentration),
        "probability_of_ice": 1 / (1 + np.exp(-(concentration - 0.15) / 0.08)),
        "u": -drift * grid.y[:, None] / 3e6 + 0 * concentration,
        "v": drift * grid.x / 3e6 + 0 * concentration,
    }


def write_forecast(folder, grid, days, twin):
    times = START + np.arange(days + 1) * np.timedelta64(1, "D")
    product = dataset(grid, leads(grid, days, 0.3), time=times)
    product["forecast_reference_time"] = START
    product.to_netcdf(folder / "forecast.nc")
    write_members(folder, grid, times)
    truth = leads(grid, days, 0.3, hasty=1.8)
    names = ("concentration", "ice_volume") if twin else ("concentration",)
    truth = {name: truth[name].copy() for name in names}
    if not twin:
        truth["concentration"][1] = np.nan
    dataset(grid, truth, time=times).to_netcdf(folder / "verification.nc")


def write_members(folder, grid, times):
    """Members whose edges lie some tens of kilometres apart, more so with the lead."""
    every = []
    for number in range(MEMBERS):
        days = np.arange(len(times))
        apart = (number - (MEMBERS - 1) / 2) * (0.2 + 0.1 * days)
        one = [ice(grid, 0.3 * day + shift) for day, shift in zip(days, apart, strict=True)]
        concentration, volume = (np.stack(fields) for fields in zip(*one, strict=True))
        fields = {"concentration": concentration, "ice_volume": volume}
        every.append(dataset(grid, fields, time=times).drop_vars("crs"))
    members = xr.concat(every, "realization", coords="minimal", compat="override")
    members.to_netcdf(folder / "forecast_members.nc")


def write_observations(folder, grid):
    rng = np.random.default_rng(1)
    concentration, thickness = (np.where(grid.mask_t, field, 0) for field in ice(grid))
    rows, columns = np.nonzero(thickness > 0.5)
    picked = rng.choice(len(rows), min(400, len(rows)), replace=False)
    rows, columns = rows[picked], columns[picked]
    kind = (np.arange(len(rows)) % 4 > 0).astype("i1")
    true = np.where(kind, thickness[rows, columns], concentration[rows, columns])
    error, spread = np.where(kind, 0.3, 0.1), np.where(kind, 0.15 * true, 0.02)
    columns_of = {
        "value": true + error * rng.standard_normal(len(true)),
        "error_std": error,
        "kind": kind,
        "x": grid.x[columns],
        "y": grid.y[rows],
        "flag": np.where(np.arange(len(kind)) < REJECTED, 8, 0),
        "assimilated": (np.arange(len(rows)) % 3 > 0).astype("i1"),
        "background": true + spread * rng.standard_normal(len(true)),
        "background_spread": spread,
        "analysis": true + 0.5 * spread * rng.standard_normal(len(true)),
        "analysis_spread": 0.5 * spread,
    }
    xr.Dataset({name: ("obs", column) for name, column in columns_of.items()}).to_netcdf(
        folder / "observations.nc"
    )


def scorecard(days, twin):
    """Rows in which the forecast wins from the second day on."""
    rows = []

    def add(system, variable, score, region, lead, value):
        rows.append(
            {
                "system": system,
                "variable": variable,
                "score": score,
                "region": region,
                "lead_hours": lead,
                "value": value,
                "low": 0.9 * value,
                "high": 1.1 * value,
                "n": 40,
            }
        )

    for system, value in (("analysis", 0.31), ("background", 0.55), ("climatology", 0.48)):
        add(system, "thickness", "rmse", "withheld cells", 0, value)
        add(system, "thickness", "bias", "withheld cells", 0, value / 5)
        if system != "climatology":
            add(system, "thickness", "consistency", "withheld cells", 0, 2 * value)
    scale = {("concentration", "rmse"): 0.06, ("concentration", "iiee"): 350.0}
    scale |= {("ice_volume", "rmse"): 0.2} if twin else {}
    for (variable, score), size in scale.items():
        for system, factor in SYSTEMS.items():
            for day in range(1, days + 1):
                value = size * (factor * np.sqrt(day) + 0.3)
                add(system, variable, score, "arctic", 24 * day, value)
    for day in range(1, days + 1):
        add("forecast", "concentration", "spread_skill", "arctic", 24 * day, 0.8 + 0.02 * day)
    return rows


def write_manifest(folder, title, twin, preset="arctic100", **more):
    manifest = {
        "name": "winter-2015",
        "created": "2026-11-22T12:00:00Z",
        "seed": 7,
        "config": {
            "title": title,
            "grid": preset,
            "background": {"source": "twin" if twin else "files"},
            "weather": {"knowledge": "forecast" if twin else "climatology"},
            "ensemble": {"members": 40},
        },
        "versions": {"floecast": "0.1.0", "jax": "0.10.2"},
        "machine": {"cpu": "a processor", "cores": 2},
        "inputs": [{"path": "ice_conc.nc", "sha256": "ab" * 32, "bytes": 1234567}],
        "stages": [
            {"name": "analysis", "seconds": 12.3, "status": "done"},
            {"name": "forecast", "seconds": 65.4, "status": "done"},
        ],
        "peak_memory_mb": 812.5,
        "warnings": ["2 of 40 members failed and were left out"],
        "notes": ["the weather is known to the forecast only in its climatology"],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest | more))


@pytest.fixture(scope="session")
def make_run():
    """Function that writes a run into a folder and returns it."""

    def make(folder, preset="arctic100", days=2, title="Winter 2015", twin=True, **more):
        grid = Grid.preset(preset)
        write_analysis(folder, grid)
        write_forecast(folder, grid, days, twin)
        write_observations(folder, grid)
        write_manifest(folder, title, twin, preset, **more)
        (folder / "scorecard.json").write_text(json.dumps(scorecard(days, twin)))
        return folder

    return make


@pytest.fixture(scope="session")
def make_forecast():
    """Function that writes a forecast from the analysis of a run into a folder and returns it."""

    def make(folder, run, days=2):
        grid = Grid.preset("arctic100")
        (run / "analysis_ensemble.nc").write_bytes(b"members")
        times = START + np.arange(days + 1) * np.timedelta64(1, "D")
        fields = leads(grid, days, 0.3)
        for name, size in (("major", 0.2), ("minor", 0.1), ("angle", 30.0)):
            fields[f"drift_ellipse_{name}"] = size + 0 * fields["u"]
        product = dataset(grid, fields, time=times)
        product["members"] = "time", np.array([MEMBERS] * days + [MEMBERS - 1], "f4")
        product.to_netcdf(folder / "forecast.nc")
        walk = 2e4 * np.arange(days + 1) * np.arange(MEMBERS)[:, None]
        drifters = {"drifter_x": walk - 8e5, "drifter_y": walk + 1e5}
        trajectories = {
            n: (("drifter", "realization", "time"), v[None]) for n, v in drifters.items()
        }
        trajectories |= {
            f"{n}_mean": (("drifter", "time"), v.mean(axis=0)[None]) for n, v in drifters.items()
        }
        names = {"drifter_name": ("drifter", ["ship <1>"]), "time": times}
        xr.Dataset(trajectories, names).to_netcdf(folder / "trajectories.nc")
        write_manifest(folder, "", False)
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["config"] = {
            "analysis": str(run),
            "analysis_sha256": checksum(run / "analysis_ensemble.nc"),
            "weather": {"knowledge": "climatology"},
            "ellipse": 0.8,
        }
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return folder

    return make
