"""Forecasts of a daily operation that learn from those before."""

import json

import pytest
import xarray as xr

from floecast.config import make_config
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.cycle_schema import CycleConfig
from floecast.experiment import daily_calibration, daily_inputs
from floecast.experiment.calibrate_files import calibrate_files
from floecast.experiment.daily import Code
from floecast.experiment.daily_archive import Archive
from floecast.experiment.daily_inputs import Inputs

from .daily_case import SETTINGS, Place, day, quickened

TO = {"calibration": {"product": "nsidc0081"}}


@pytest.fixture(scope="module")
def week(tmp_path_factory):
    """Six days of an operation; of the third no file came until the fifth."""
    place = Place(tmp_path_factory.mktemp("calibrated"), **TO)
    place.begin()
    with quickened():
        for number in range(6):
            if number != 2:
                place.concentration(number)
            if number == 4:
                place.concentration(2)
            assert place.go(number).code in (Code.DONE, Code.OBSERVATIONS_MISSING)
        assert place.go(5, hour=20).code is Code.NOTHING_TO_DO
    return place


def forecast(place, number):
    return place.out / "forecasts" / f"{day(number).replace('-', '')}T1200"


def stage(place, number):
    told = json.loads((forecast(place, number) / "manifest.json").read_text())
    return next(one for one in told["stages"] if one["name"] == "calibration")


def test_the_first_forecasts_have_none_and_say_why(week):
    assert stage(week, 0)["files"] == {}
    assert "0 earlier forecasts" in stage(week, 0)["notes"][0]
    assert not (forecast(week, 0) / "calibrated.nc").exists()


def test_a_later_one_is_what_the_command_makes(week, tmp_path):
    assert "calibrated by 5 forecasts" in stage(week, 5)["notes"][-1]
    members = forecast(week, 5) / "forecast_members.nc"
    earlier = sorted((week.out / "forecasts").glob("*/forecast.nc"))
    again = tmp_path / "again.nc"
    calibrate_files(members, earlier, [week.out / "observed" / "2015.nc"], out=again)
    assert again.read_bytes() == (forecast(week, 5) / "calibrated.nc").read_bytes()


def test_observed_fields_are_kept_late_ones_too(week):
    with xr.open_dataset(week.out / "observed" / "2015.nc") as kept:
        days = [str(one)[:10] for one in kept["time"].values]
    assert days == [day(number) for number in range(6)]


@pytest.mark.parametrize(
    ("product", "words"),
    [("osi401", "one of the products of observations"), ("cs2smos", "no fields of concentration")],
)
def test_a_product_that_tells_no_concentration(tmp_path, product, words):
    with pytest.raises(InputError, match=words):
        settings = SETTINGS | {"calibration": {"product": product}}
        make_config(settings, schema=CycleConfig)
        place = Place(tmp_path, calibration={"product": product})
        place.begin()
        place.go(0)


def test_a_field_that_cannot_be_read_is_told(week, monkeypatch):
    def broken(path, grid, day):
        raise InputError(f"{path.name}: damaged")

    monkeypatch.setattr(daily_calibration, "concentration_field", broken)
    (week.out / "observed" / "2015.nc").unlink()
    archive = Archive(week.out, week.config)
    inputs = Inputs(week.config, week.data, week.out / "inputs.json")
    inputs.look()
    found = daily_calibration.observed_fields(
        week.time, "nsidc0081", Grid.preset("arctic100"), archive, inputs
    )
    assert found[0] == [] and len(found[1]) == 6
    assert found[1][0].startswith(f"Observed concentration of {day(0)}T12:00:00Z: ")
    monkeypatch.undo()
    files, notes = daily_calibration.observed_fields(
        week.time, "nsidc0081", Grid.preset("arctic100"), archive, inputs
    )
    assert [file.name for file in files] == ["2015.nc"] and notes == []


def test_a_file_that_never_opens_is_a_fault_and_no_more(week, monkeypatch):
    bad = week.data / "sic" / "bad.nc"
    bad.write_bytes(b"damaged")
    tried = []

    def lost_on(paths):
        tried.append([path.name for path in paths])
        return {path: "it could not be opened in 60 s" for path in paths if path == bad}

    monkeypatch.setattr(daily_inputs, "lost_on", lost_on)
    inputs = Inputs(week.config, week.data, week.out / "inputs.json")
    inputs.look()
    inputs.look()
    bad.unlink()
    assert tried == [["bad.nc"], []], "known files are not tried again"
    assert list(inputs.faults) == ["sic/bad.nc"]
    assert "could not be opened in 60 s; it is damaged" in inputs.faults["sic/bad.nc"]
