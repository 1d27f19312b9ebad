"""Calibration of a forecast in a file, as a user calls it."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

import floecast as fc
from floecast import cli
from floecast.core.calendar import DAY, to_seconds
from floecast.core.errors import InputError
from floecast.experiment.calibrate_files import calibrate_files
from floecast.io.cf import to_dataset, write_netcdf

GRID = fc.Grid.box((12, 20), 50e3)
LEADS = np.array([0, 2, 5])
NOW = to_seconds("2016-03-20")
STARTS = [NOW - 7 * DAY * weeks for weeks in range(1, 8)]
LAST_YEAR = [NOW - (365 + 7 * weeks) * DAY for weeks in range(-6, 7)]


def truth(days):
    """A ramp of ice whose edge swings with the season and from day to day."""
    days = np.asarray(days, float)
    swing = 0.3 * np.cos(2 * np.pi * days / 365.25) + 0.1 * np.sin(days / 4.0)
    column = np.linspace(1.4, -0.4, GRID.shape[1])
    return (column + np.zeros(GRID.shape) + swing[..., None, None]).clip(0, 1)


def write(path, times, members=None, start=None, **fields):
    write_netcdf(
        to_dataset(
            fields,
            GRID,
            title="test",
            time=np.asarray(times),
            members=members is not None,
            reference_time=start,
        ),
        path,
    )
    return path


def forecast(path, start, change=1.0):
    """Six members that start off the truth and exaggerate its change."""
    rng = np.random.default_rng(start)
    times = start + DAY * LEADS
    first = truth([start / DAY])
    mean = first + 0.05 + (1.0 + change) * (truth(times / DAY) - first)
    members = mean + 0.02 * rng.normal(size=(6, 1, *GRID.shape))
    return write(
        path, times, 6, start, concentration=members.clip(0, 1), ice_volume=2 * members.clip(0, 1)
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibration")
    days = np.arange(NOW - 450 * DAY, NOW + 20 * DAY, DAY)
    rng = np.random.default_rng(5)
    observed = truth(days / DAY) + 0.01 * rng.normal(size=(len(days), *GRID.shape))
    earlier = [forecast(folder / f"{start}.nc", start) for start in STARTS + LAST_YEAR]
    return SimpleNamespace(
        folder=folder,
        now=forecast(folder / "now.nc", NOW),
        earlier=earlier,
        observed=write(folder / "observed.nc", days, concentration=observed.clip(0, 1)),
    )


def calibrated(files, out, **other):
    given = {"forecast": files.now, "earlier": files.earlier, "observed": [files.observed]}
    given |= other
    told = calibrate_files(given["forecast"], given["earlier"], given["observed"], out=out)
    with xr.open_dataset(out) as made:
        return told, made.load()


def error(members):
    true = truth((NOW + DAY * LEADS) / DAY)
    return np.sqrt(np.mean((members.concentration.mean("realization") - true) ** 2, (1, 2)))


def test_errors_shrink_and_the_file_is_one_of_members(files, tmp_path):
    told, made = calibrated(files, tmp_path / "new" / "c.nc")
    with xr.open_dataset(files.now) as raw:
        assert np.all(error(made) < 0.5 * error(raw)), (error(made).values, error(raw).values)
        assert made.concentration.dims == ("realization", "time", "y", "x")
        assert set(made.data_vars) == {"concentration"}
        xr.testing.assert_equal(made.coords.to_dataset(), raw.coords.to_dataset())
    assert 0 <= made.concentration.min() and made.concentration.max() <= 1
    assert told["members"] == 6 and told["start"] == "2016-03-20T00:00:00Z"
    assert [one["lead_hours"] for one in told["leads"]] == [0, 48, 120]
    assert all(len(one["factors"]) == 4 for one in told["leads"])


def test_without_another_year_two_predictors_are_left(files, tmp_path):
    with xr.open_dataset(files.observed) as known:
        recent = known.isel(time=slice(365, None)).load()
    write_netcdf(recent, tmp_path / "recent.nc")
    told, _ = calibrated(files, tmp_path / "c.nc", observed=[tmp_path / "recent.nc"])
    assert [len(one["factors"]) for one in told["leads"]] == [2, 2, 2]
    assert {one["earlier_forecasts"] for one in told["leads"]} == {len(STARTS)}


def test_mean_and_spread_of_earlier_forecasts_do(files, tmp_path):
    means = []
    for path in files.earlier:
        with xr.open_dataset(path) as raw:
            kept = raw.drop_vars(["concentration", "ice_volume", "realization"])
            kept["concentration"] = raw.concentration.mean("realization", keep_attrs=True)
            kept["concentration_spread"] = raw.concentration.std("realization", ddof=1)
            write_netcdf(kept.load(), tmp_path / path.name)
        means.append(tmp_path / path.name)
    _, made = calibrated(files, tmp_path / "c.nc")
    _, same = calibrated(files, tmp_path / "d.nc", earlier=means)
    xr.testing.assert_allclose(made, same, atol=1e-5)
    with xr.open_dataset(means[0]) as kept:
        write_netcdf(kept.drop_vars("concentration_spread").load(), tmp_path / "bare.nc")
    with pytest.raises(InputError, match="neither members of concentration nor"):
        calibrated(files, tmp_path / "e.nc", earlier=[tmp_path / "bare.nc"])


def test_members_that_failed_are_left_out(files, tmp_path):
    with xr.open_dataset(files.now) as raw:
        failed = raw.load()
    failed.concentration[2, 1:] = np.nan
    write_netcdf(failed, tmp_path / "failed.nc")
    told, made = calibrated(files, tmp_path / "c.nc", forecast=tmp_path / "failed.nc")
    assert told["members"] == made.sizes["realization"] == 5
    assert np.isfinite(made.concentration).all()


def test_packed_percents_become_fractions(files, tmp_path):
    with xr.open_dataset(files.now) as raw:
        percent = raw.load()
    percent["concentration"] = 100 * percent.concentration
    percent.concentration.attrs["units"] = "%"
    percent.concentration.encoding = {"dtype": "int16", "scale_factor": 0.01, "_FillValue": -1}
    percent.to_netcdf(tmp_path / "percent.nc")
    _, made = calibrated(files, tmp_path / "c.nc", forecast=tmp_path / "percent.nc")
    _, same = calibrated(files, tmp_path / "d.nc")
    assert made.concentration.attrs["units"] == "1"
    # A cell at the border of two classes may change over by the rounding of the packed values.
    assert np.abs(made.concentration - same.concentration).mean() < 1e-4


def test_nothing_of_the_future_is_used(files, tmp_path):
    _, made = calibrated(files, tmp_path / "c.nc")
    later = forecast(tmp_path / "later.nc", NOW + 7 * DAY)
    with xr.open_dataset(files.observed) as known:
        spoiled = known.load()
    spoiled.concentration[spoiled.indexes["time"] > np.datetime64("2016-03-20")] = 0.5
    write_netcdf(spoiled, tmp_path / "spoiled.nc")
    _, same = calibrated(
        files,
        tmp_path / "d.nc",
        earlier=[later, *files.earlier],
        observed=[tmp_path / "spoiled.nc"],
    )
    xr.testing.assert_identical(made, same)


def test_the_order_of_members_stays(files, tmp_path):
    _, made = calibrated(files, tmp_path / "c.nc")
    with xr.open_dataset(files.now) as raw:
        order = np.argsort(raw.concentration.values, axis=0, kind="stable")
    values = np.take_along_axis(made.concentration.values, order, axis=0)
    between = (values > 0) & (values < 1)
    assert np.all(np.diff(values, axis=0) >= 0) and between.sum() > 500


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"earlier": []}, "0 earlier forecasts"),
        ({"out": "now.nc"}, "one of the files to read"),
        ({"out": "c.zarr"}, r"ends in \.nc"),
        ({"observed": "early.nc"}, "no concentration was observed within 12 hours"),
        ({"observed": "twice"}, "two observed fields"),
        ({"earlier": "twice"}, "the start .* of "),
        ({"out": "file.txt/c.nc"}, "no folder that can be written to"),
        ({"forecast": "pair.nc"}, "fewer than 3 members"),
        ({"forecast": "single.nc"}, "concentration without members"),
        ({"forecast": "late.nc"}, "no field at its start"),
        ({"forecast": "volume.nc"}, "no concentration"),
    ],
)
def test_refusals(files, tmp_path, change, words):
    times = NOW + DAY * LEADS
    field = truth(times / DAY)
    write(
        tmp_path / "single.nc",
        times,
        None,
        NOW,
        concentration=field,
        concentration_spread=0 * field,
    )
    (tmp_path / "file.txt").write_text("a file")
    write(tmp_path / "pair.nc", times, 2, NOW, concentration=np.stack(2 * [field]))
    write(tmp_path / "volume.nc", times, None, NOW, ice_volume=field)
    write(tmp_path / "late.nc", times + DAY, 6, NOW, concentration=np.stack(6 * [field]))
    write(tmp_path / "early.nc", times - 30 * DAY, concentration=field)
    given = {"forecast": files.now, "earlier": files.earlier, "observed": [files.observed]}
    out = tmp_path / "c.nc"
    for name, value in change.items():
        if name == "out":
            out = files.now if value == "now.nc" else tmp_path / value
        elif value == "twice":
            given[name] = 2 * (files.earlier if name == "earlier" else [files.observed])
        elif name == "observed":
            given[name] = [tmp_path / value]
        else:
            given[name] = value if value == [] else tmp_path / value
    before = files.now.read_bytes()
    with pytest.raises(InputError, match=words):
        calibrate_files(given["forecast"], given["earlier"], given["observed"], out=out)
    assert files.now.read_bytes() == before and not (tmp_path / "c.nc").exists()


def test_the_command(files, tmp_path, monkeypatch, capsys):
    given = [*map(str, (files.now, *files.earlier)), "--observed", str(files.observed)]
    out = tmp_path / "c.nc"
    monkeypatch.setattr("sys.argv", ["floecast", "calibrate", *given, "--out", str(out), "--json"])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert not left.value.code
    told = json.loads(capsys.readouterr().out)
    assert told["file"] == str(out) and out.is_file()
