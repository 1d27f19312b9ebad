"""What ``floecast observe`` tells of files and draws."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.experiment.observe import describe, observe, picture_paths, text_of
from floecast.io.observation_file import write_observations
from floecast.io.readers import read_observations
from tests.io import layouts, product_layouts

GRID = Grid.preset("arctic100")


def left(yes, no=0.0):
    return lambda x, y: np.where(x < 0, float(yes), float(no))


@pytest.fixture
def concentration(tmp_path):
    path = tmp_path / "strange name.nc"
    dataset = product_layouts.osisaf_record(
        days=3,
        ice_conc=left(40, 80),
        status_flag=left(0, 32),
        total_standard_uncertainty=left(4, 8),
    )
    dataset.to_netcdf(path, engine="netcdf4")
    return path


def test_numbers_of_concentration(concentration):
    told, maps = describe(concentration, GRID)
    assert told["product"] == "osisaf_concentration" and "read_observations" in told["read_by"]
    assert told["times"] == {
        "first": "2020-03-01T00:00:00Z",
        "last": "2020-03-04T00:00:00Z",
        "number": 3,
    }
    # The last day alone, and numbers of what is good.
    assert told["shown"] == ["2020-03-03T00:00:00Z", "2020-03-04T00:00:00Z"]
    (row,) = told["observations"]
    assert row["kind"] == "concentration" and 0 < row["good"] < row["total"]
    assert row["flags"] == {"interpolated": row["total"] - row["good"]}
    assert row["min"] == pytest.approx(0.4) and row["max"] == pytest.approx(0.4)
    assert row["error"]["mean"] == pytest.approx(0.04)
    np.testing.assert_allclose(maps["concentration"][np.isfinite(maps["concentration"])], 0.4)
    assert told["coverage"] == pytest.approx(np.isfinite(maps["concentration"][GRID.mask_t]).mean())
    assert {"name": "ice_conc", "dims": ["time", "yc", "xc"], "unit": "%"}.items() <= next(
        one for one in told["variables"] if one["name"] == "ice_conc"
    ).items()
    json.dumps(told)
    text = text_of("a.nc", told)
    assert (
        "3: 2020-03-01T00:00:00Z to" in text
        and f"interpolated {row['flags']['interpolated']}" in text
    )


@pytest.mark.parametrize("out", ["a file", "a file/below", "folder.png"])
def test_a_place_that_cannot_be_drawn_into_is_refused(concentration, tmp_path, out):
    (tmp_path / "a file").touch()
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match="cannot draw into .*; choose another --out"):
        observe([concentration], "arctic100", None, tmp_path / out)


def test_another_day_may_be_chosen(concentration):
    told, _ = describe(concentration, GRID, "2020-03-02T06:00")
    assert told["shown"] == ["2020-03-02T00:00:00Z", "2020-03-03T00:00:00Z"]
    with pytest.raises(InputError, match="does not hold 2020-03-09"):
        describe(concentration, GRID, "2020-03-09")


def test_drift_thickness_and_weather(tmp_path):
    cases = {
        "drift": product_layouts.osi455(),
        "week": product_layouts.cs2smos_points(),
        "climatology": layouts.climatology(days=("0315",), thickness=(2000,)),
        "weather": layouts.weather(step=10.0),
    }
    told, maps = {}, {}
    for name, dataset in cases.items():
        dataset.to_netcdf(tmp_path / f"{name}.nc", engine="netcdf4")
        told[name], maps[name] = describe(tmp_path / f"{name}.nc", GRID)
    assert [row["kind"] for row in told["drift"]["observations"]] == ["drift_u", "drift_v"]
    assert maps["drift"]["drift_u"].shape == (2, *GRID.shape)
    assert told["week"]["observations"][0]["mean"] == pytest.approx(1.5)
    assert told["climatology"]["field"]["max"] == pytest.approx(2.0)
    assert not maps["weather"] and told["weather"]["read_by"] == ["read_forcing"]
    assert told["weather"]["times"]["number"] == 2


def test_pictures_and_faults(concentration, tmp_path):
    bad = tmp_path / "bad.nc"
    bad.write_bytes(b"nothing")
    found, faults = observe([concentration, bad], "arctic100", None, tmp_path / "maps")
    assert list(found) == [str(concentration)] and "bad.nc" in faults[0] and len(faults) == 1
    (picture,) = found[str(concentration)]["pictures"]
    with Image.open(picture) as image:
        assert image.size == (640, 800)
    assert picture == str(tmp_path / "maps" / "strange name.png")
    single, _ = observe([concentration], "arctic100", None, tmp_path / "one.png")
    assert single[str(concentration)]["pictures"] == [str(tmp_path / "one.png")]


def test_a_file_of_several_kinds_has_a_picture_of_each(concentration, tmp_path):
    path = tmp_path / "track.nc"
    product_layouts.l2p().to_netcdf(path, engine="netcdf4")
    made = read_observations(concentration, GRID, start="2020-03-01", end="2020-03-02")
    both = made.concatenate([made, read_observations(path, GRID)])
    write_observations(tmp_path / "both.nc", both, GRID)
    found, faults = observe([tmp_path / "both.nc"], "arctic100", None, tmp_path)
    assert not faults
    names = [path.rsplit("/")[-1] for path in found[str(tmp_path / "both.nc")]["pictures"]]
    assert names == ["both_concentration.png", "both_thickness.png"]


def test_files_of_one_name_keep_a_picture_each(concentration, tmp_path):
    files = [concentration]
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        files.append(tmp_path / folder / concentration.name)
        files[-1].write_bytes(concentration.read_bytes())
    found, _ = observe([*files, files[1]], "arctic100", None, tmp_path / "maps")
    pictures = [Path(*told["pictures"]) for told in found.values()]
    stem = concentration.stem
    assert [path.name for path in pictures] == [f"{stem}.png", f"{stem}-2.png", f"{stem}-3.png"]
    assert sorted((tmp_path / "maps").iterdir()) == sorted(pictures)


def test_a_picture_of_one_kind_is_none_of_another_file(tmp_path):
    out = tmp_path / "maps"
    taken = picture_paths(["drift", "thickness"], out, Path("ice.nc"), True)
    (made,) = picture_paths(["drift"], out, Path("ice_drift.nc"), True, taken)
    assert made == out / "ice_drift-2.png"


def test_every_real_file_is_told_or_refused_in_one_line(data_folder):
    """What no reader knows is listed: grids, a station, strain rates, extent, a model's ocean."""
    unknown = {
        "arctic20_20160201_20160205",
        "asfs50_1min_20200115_20200123",
        "buoys_hourly_20200125",
        "psn25_grid",
        "sea_ice_index_v3_nh_daily_extent",
        "strain_rates_20200125",
        "topaz_tp0_cice_grid",
    }
    files = sorted(data_folder.rglob("*.nc"))
    found, faults = observe(files, "arctic100", None, None)
    assert {path.stem for path in files if str(path) not in found} == unknown
    assert all("unknown content" in fault and "\n" not in fault for fault in faults)
    track = next(told for told in found.values() if told["product"] == "cryosat2_l2i")
    (row,) = track["observations"]
    assert row["total"] == 589 and row["flags"] == {"suspect": 200}
    # Sensing start of the header in UTC.
    assert track["shown"][0] == "2015-02-14T00:04:31Z"
    week = next(told for told in found.values() if told["product"] == "cs2smos")
    assert 0.5 < week["field"]["mean"] < 3
