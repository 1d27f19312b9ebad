"""Data sets out of files of other models: ice and weather of the same hours on our grid."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

import floecast.experiment.dataset as module
from floecast.core.calendar import HOUR, to_seconds
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.projection import EPSG_3413, rotate_to_east_north
from floecast.core.variables import STATE
from floecast.dataset_schema import dataset_config
from floecast.experiment.dataset import dataset
from floecast.experiment.dataset_files import FileSplit, FileSplits
from floecast.io.training_archive import read_ocean_climatology, read_training_archive

from ..io import ice_layouts, layouts

GRID = Grid.preset("arctic100")


class Reading(Exception):
    """A split is read."""


START = to_seconds("2010-01-01")
CELLS = {"size": 24, "spacing": 330e3}
YEAR = 365 * 24
HOURS = np.arange(3, YEAR, 12)
"""Of the ice; the weather is at other hours, so that it must be interpolated."""


def weather(hours, turn=0.0):
    """Wind along the drift of the ice, and stronger from hour to hour."""
    longitude = layouts.axis(0.0, 5.0, 72)
    u, v = ice_layouts.DRIFT
    strength = (40 + np.asarray(hours) / YEAR)[:, None, None]
    angle = EPSG_3413.rotation(longitude) + np.radians(turn)
    values = rotate_to_east_north(u * strength, v * strength, angle)
    made = layouts.weather(values=values, hours=hours, step=5.0)
    made["valid_time"].attrs["units"] = "hours since 2010-01-01"
    return made


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two years of ice and weather, as each a file."""
    folder = tmp_path_factory.mktemp("files")
    for number in (0, 1):
        ice = ice_layouts.icemod(HOURS, f"{2010 + number}-01-01", **CELLS)
        ice_layouts.write(ice_layouts.with_ocean(ice), folder / f"run_{2010 + number}_icemod.nc")
        hours = YEAR * number + np.arange(0, YEAR + 12 * number, 12)
        layouts.write(weather(hours), folder / f"wind_{2010 + number}.nc")
    return folder


def config_of(years, *options):
    source = {"kind": "files", "ice": ["run_*.nc"], "forcing": ["wind_*.nc"], "years": years}
    return dataset_config(None, ["preset=arctic100", f"source={json.dumps(source)}", *options])


@pytest.fixture(scope="module")
def whole(files, tmp_path_factory):
    config = config_of({"training": [2010], "validation": [2011]})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "TIMES_PER_CHUNK", 365)  # few large blocks are the quicker ones
        return dataset(config, data=files, out=tmp_path_factory.mktemp("whole") / "set")


def test_ice_and_weather_of_the_same_hours(whole):
    archive = read_training_archive(whole.file("training.zarr"), GRID)
    np.testing.assert_array_equal(archive.time, START + HOURS * HOUR)
    x, y = np.meshgrid(GRID.x, GRID.y)
    there = ice_layouts.truth(x, y)
    sea = (np.hypot(x, y) < 9e5) & (GRID.latitude > 83) & GRID.mask_u & GRID.mask_v
    for name, field in archive.state.fields().items():
        fall = 0.95 if name in ("concentration", "ice_volume", "snow_volume") else 1.0
        np.testing.assert_allclose(field[5][sea], fall * there[name][sea], atol=0.1)
    for name, drift in zip(("wind_u", "wind_v"), ice_layouts.DRIFT, strict=True):
        strength = 40 + HOURS / YEAR
        wind = getattr(archive.forcing, name)[:, sea]
        np.testing.assert_allclose(wind, np.outer(drift * strength, np.ones(sea.sum())), rtol=0.02)
        growth = wind[-1] / wind[0]  # linear in time, between the hours of the files
        np.testing.assert_allclose(growth, strength[-1] / strength[0], rtol=1e-5)


def test_years_are_split_and_touching_ones_noted(whole):
    archive = read_training_archive(whole.file("validation.zarr"), GRID)
    assert archive.time[0] == to_seconds("2011-01-01T03:00") and len(archive.time) == 730
    notes = " ".join(whole.manifest["notes"])
    assert "validation has 2011, training 2010" in notes
    assert "ice from NEMO-SI3" in notes
    assert whole.manifest["warnings"] == []
    read = [one["path"].rpartition("/")[2] for one in whole.manifest["stages"][0]["inputs"]]
    assert read == ["run_2010_icemod.nc", "wind_2010.nc", "wind_2011.nc"]


def test_ocean_of_the_files(whole):
    months = read_ocean_climatology(whole.file("ocean.nc"))
    sea = GRID.mask_t & (GRID.latitude > 85)
    np.testing.assert_allclose(months["ocean_temperature"][:, sea], 272.15, atol=1e-3)
    for name, drift in zip(("current_u", "current_v"), ice_layouts.DRIFT, strict=True):
        np.testing.assert_allclose(months[name][:, sea], drift, atol=1e-3)


def test_statistics(whole):
    told = json.loads(whole.file("statistics.json").read_text())
    assert set(told["fields"]) == {*STATE, "wind_u", "wind_v"}
    assert set(told["change_std"]) == {"12", "24"}


def test_what_is_done_is_made_again_when_a_file_has_changed(files, whole, monkeypatch):
    def read(self, times):
        raise Reading(self.name)

    monkeypatch.setattr(FileSplit, "read", read)
    config = config_of({"training": [2010], "validation": [2011]})
    dataset(config, data=files, out=whole.path)
    record = whole.manifest["stages"][1]["inputs"][0]
    assert record["path"] == str((files / "run_2011_icemod.nc").resolve())
    file, before = files / "run_2011_icemod.nc", (files / "run_2011_icemod.nc").read_bytes()
    ice_layouts.write(ice_layouts.icemod(HOURS, "2011-01-01", changing=False, **CELLS), file)
    try:
        with pytest.raises(Reading, match="validation"):
            dataset(config, data=files, out=whole.path)
    finally:
        file.write_bytes(before)


def test_years_that_do_not_touch_have_no_note():
    def lived(*years):
        return SimpleNamespace(lived={("files", year) for year in years})

    splits = {"training": lived(2010, 2011), "validation": lived(2013), "test": lived(2014, 2009)}
    assert module._touching("validation", splits) == []
    told = module._touching("test", splits)
    assert [note.partition(":")[0] for note in told] == [
        "test has 2009, training 2010",
        "test has 2014, validation 2013",
    ]


@pytest.mark.parametrize(
    ("years", "message"),
    [
        ({"training": [2009, 2010]}, "of 2009 the ice output lacks"),
        ({"training": [2010], "test": [2014]}, "of 2014 the ice output lacks"),
    ],
)
def test_years_that_are_not_covered_are_refused(years, message, files, tmp_path):
    with pytest.raises(InputError, match=message):
        dataset(config_of(years), data=files, out=tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_weather_that_is_not_there_is_refused_before_work(files, tmp_path):
    for forcing, message in (
        (["wind_2011.nc"], "the weather files reach from 2011"),
        (["run_2010_icemod.nc"], "holds .* icemod .*; read_forcing reads"),
        (["nothing_*.nc"], "no file matches"),
    ):
        config = config_of({"training": [2010]}, f"source.forcing={json.dumps(forcing)}")
        with pytest.raises(InputError, match=message):
            dataset(config, data=files, out=tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_axes_that_cannot_be_are_told(files, tmp_path):
    """Wind turned by half a circle against the drift."""
    layouts.write(weather(np.arange(0, YEAR + 12, 12), turn=180.0), tmp_path / "wrong.nc")
    config = config_of({"training": [2010]}, f"source.forcing=['{tmp_path / 'wrong.nc'}']")
    split = FileSplits(config, GRID, files).split("training")
    split.read(split.times[:4])
    assert len(split.warnings) == 4
    assert "between 0 and 90 E the drift lies 180 degrees" in split.warnings[0]
