"""Benches: the shape of what they give, what they refuse, figures within their references."""

import json
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast import cli
from floecast.bench import (
    NAMES,
    bench,
    column,
    cyclone,
    lorenz63,
    lorenz96,
    machine,
    module_of,
    simulator,
    table,
)
from floecast.core.errors import InputError
from floecast.core.grid import Grid

FIGURES = {
    "simulator": {
        "ns_per_cell_substep_f32",
        "ns_per_cell_substep_f64",
        "arctic50_year_minutes",
        "gradient_over_forward",
        "memory_bandwidth_fraction",
        "cost_256_over_128",
    },
    "winton": {"mean_thickness_m", "max_thickness_m", "min_thickness_m", "mean_snow_m"},
    "mevp_box": {"umax", "vmax", "urms", "hmax"},
    "gabls1": {
        f"{prefix}{figure}"
        for prefix in ("", "calibrated_")
        for figure in (
            "ustar",
            "heat_flux",
            "jet_speed",
            "jet_height",
            "surface_angle",
            "rmse_u",
            "rmse_v",
            "rmse_theta",
        )
    },
    "analysis": {
        "en4dvar_seconds",
        "first_seconds",
        "members_seconds",
        "gradient_seconds",
        "lanczos_steps",
        "observations",
        "members",
        "peak_memory_gb",
    },
    "twin": {
        f"{method}_{figure}"
        for method in ("free_run", "letkf", "var3d", "var4d", "envar4d", "en4dvar")
        for figure in (
            "thickness_rmse_ratio_to_free_run",
            "iiee_ratio_to_free_run",
            "ice_volume_spread_over_rmse",
            "concentration_spread_over_rmse",
            "twice_cost_over_observations",
        )
    },
    "column": {"seconds_per_step_16384x40", "reverse_over_forward", "copies_per_step"},
    "cyclone": {
        f"{rheology}_{figure}"
        for rheology in ("bbm", "mevp")
        for figure in (
            "p90_deformation_per_day",
            "structure_beta2",
            "structure_beta3",
            "failure_lines",
        )
    },
    "lorenz96": set(lorenz96.REFERENCE),
    "lorenz63": set(lorenz63.REFERENCE),
    "bulk": {f"{scheme}_max_relative_error" for scheme in ("lg15", "lu12", "an05")},
    "emulator": {
        f"{variable}_{figure}"
        for variable in ("concentration", "ice_volume", "snow_volume", "drift", "damage", "all")
        for figure in (
            "12h_rmse_over_persistence",
            "240h_rmse_over_persistence",
            "12h_spread_over_rmse",
            "240h_spread_over_rmse",
            "240h_spectrum_ratio_min",
        )
    },
}


def test_names():
    assert set(NAMES) == set(FIGURES)
    for name in NAMES:
        assert set(module_of(name).REFERENCE) <= FIGURES[name]


@pytest.mark.parametrize("name", ["winton", "mevp_box"])
def test_figures_are_within_their_references(name, monkeypatch, capsys, optimised):
    monkeypatch.setattr("sys.argv", ["floecast", "bench", name, "--json"])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert not left.value.code
    told = json.loads(capsys.readouterr().out)
    assert list(told) == ["bench", "figures", "reference", "machine", "seconds"]
    assert told["bench"] == name and told["seconds"] > 0
    assert told["machine"]["cores"] >= 1 and told["machine"]["jax"] == jax.__version__
    assert set(told["figures"]) == set(told["reference"]) == FIGURES[name]
    for key, found in told["figures"].items():
        known = told["reference"][key]
        low, high = known if isinstance(known, list) else (known - 6e-7, known + 6e-7)
        assert low <= found <= high, key


def test_bulk_is_within_its_references(data_folder):
    told = bench("bulk", data=data_folder)
    assert set(told["figures"]) == set(told["reference"]) == FIGURES["bulk"]
    for key, (low, high) in told["reference"].items():
        assert low < told["figures"][key] <= high, key
    assert "AeroBulk" in table(told)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["nonsense"], ["nonsense", *NAMES]),
        (["winton", "--spacing-km", "8"], ["winton", "spacing_km"]),
        (["cyclone", "--spacing-km", "5"], ["5 km", "8, 4, 2"]),
        (["bulk", "--data", "nowhere"], ["nowhere", "aerobulk_ice_reference.csv", "FLOECAST_DATA"]),
    ],
)
def test_refusals_are_one_line(arguments, words, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["floecast", "bench", *arguments])
    with pytest.raises(SystemExit) as left:
        cli.main()
    printed = capsys.readouterr()
    assert left.value.code == 2 and not printed.out
    assert len(printed.err.strip().splitlines()) == 1
    assert all(word in printed.err for word in words)


def test_unknown_option():
    with pytest.raises(InputError, match="takes no cells"):
        bench("cyclone", cells=3)


def test_result_survives_figures_that_are_not_defined(monkeypatch):
    monkeypatch.setattr(cyclone, "run", lambda: {"lines": np.int64(3), "beta": np.nan})
    told = bench("cyclone")
    assert told["figures"] == {"lines": 3.0, "beta": None}
    json.dumps(told, allow_nan=False)
    text = table(told)
    assert "none" in text and cyclone.SOURCES[0] in text


def test_small_cyclone():
    found = cyclone.figures(16, jnp.float32, duration=3600)
    assert set(found) == FIGURES["cyclone"]
    assert all(math.isfinite(value) for value in found.values())
    assert found["bbm_p90_deformation_per_day"] > 0


def test_cyclone_leaves_the_walls_out():
    """A jump along one wall deforms the cells there and no others."""
    grid = Grid.box((32, 32), 8e3)
    shear = np.zeros(grid.shape)
    shear[:2] = 1.0
    inside = np.broadcast_to(1e-6 * grid.x, grid.shape)
    found = cyclone._statistics(shear + inside, 0 * shear, grid, 480)
    assert found["p90_deformation_per_day"] == pytest.approx(np.sqrt(2) * 1e-6 * 86400, rel=1e-6)
    assert found["structure_beta2"] == pytest.approx(0.0, abs=1e-6)
    assert found["failure_lines"] == 0


def test_small_simulator():
    seconds, fraction = simulator.substep_seconds(16, jnp.float32, 1)
    assert seconds > 0 and 0 < fraction < 10


def test_small_column(monkeypatch):
    """Figures of given times; what would be timed is traced."""
    traced = []

    def seconds(one, other, *given, repeats):
        traced.append([eqx.filter_eval_shape(function, *given) for function in (one, other)])
        return float(len(traced)), 6.0

    monkeypatch.setattr(column, "seconds_of_pair", seconds)
    found = column.figures(8)
    assert found == {
        "seconds_per_step_16384x40": 1.0 * 16384 / 8,
        "copies_per_step": 1.0 / 6.0,
        "reverse_over_forward": 6.0 / 2.0,
    }
    (((after, _), copied), (value, (same, slope))) = traced
    assert after.wind_u.shape == copied.wind_u.shape == slope.wind_u.shape == (40, 8)
    assert value.shape == same.shape == ()


def test_gabls1():
    found = bench("gabls1")
    assert set(found["figures"]) == FIGURES["gabls1"]
    for name, (low, high) in found["reference"].items():
        assert low <= found["figures"][name] <= high, name


def test_least_bytes():
    # 12 fields and half of 4 sums both ways, 14 + 16 coefficients, 6 metric fields and one mask.
    grid = Grid.box((9, 12), 1e3)
    for dtype, item in ((jnp.float32, 4), (jnp.float64, 8)):
        expected = 10 * 13 * (item * (24 + 4 + 30 + 6) + 1)
        assert simulator.least_bytes(grid, dtype) == expected


def test_times(monkeypatch):
    clock = iter([0.0, 1.0, 5.0, 7.0, 10.0, 13.0])
    monkeypatch.setattr(machine.time, "perf_counter", lambda: next(clock))
    assert machine.seconds_of(jnp.sin, 1.0, repeats=3) == 2.0
    clock = iter([0.0, 1.0, 1.0, 5.0, 5.0, 6.0, 6.0, 12.0])
    assert machine.seconds_of_pair(jnp.sin, jnp.cos, 1.0, repeats=2) == (1.0, 5.0)
