"""The weather of a configuration: one file, a list, a pattern."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from floecast.config import load_config
from floecast.core.errors import InputError
from floecast.experiment import run
from floecast.experiment.case import Case

EXAMPLE = Path(__file__).parents[2] / "examples" / "november_2016.yaml"
GFS = "gfs_wind_20161120/gfs_1deg_u10v10_20161120_22.nc"
SMALL = ["grid=arctic100", "ensemble.members=3"]


@pytest.fixture
def folder(data_folder, tmp_path):
    """Folder of data with the GFS wind whole, and a file a component and a day."""
    shutil.copy(data_folder / GFS, tmp_path / "whole.nc")
    (tmp_path / "parts").mkdir()
    with xr.open_dataset(tmp_path / "whole.nc") as source:
        for name in ("u10", "v10"):
            for number, times in enumerate((slice(0, 4), slice(4, 9))):
                part = source[[name]].isel(time=times)
                part.to_netcdf(tmp_path / "parts" / f"{name}_{number}.nc")
    return tmp_path


def weather(folder, files):
    """Weather of the first member, and the names of the files in the manifest."""
    config = load_config(EXAMPLE, [*SMALL, f"weather.file={files}"])
    noted = {"inputs": []}
    made = Case(config, None, folder).forecast_weather(noted)
    return made[0].known, [record["path"] for record in noted["inputs"]]


def test_a_list_and_a_pattern_give_the_same_as_one_file(folder):
    whole, used = weather(folder, "whole.nc")
    assert used == ["whole.nc"]
    names = [f"parts/{name}_{number}.nc" for name in ("u10", "v10") for number in (0, 1)]
    for files in ("parts/*.nc", "[parts/u10_*.nc, parts/v10_0.nc, parts/v10_1.nc]"):
        made, used = weather(folder, files)
        assert used == names
        np.testing.assert_array_equal(made.time, whole.time)
        np.testing.assert_array_equal(made.wind_u, whole.wind_u)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ("absent/*.nc", "weather.file: .*no file matches"),
        ("[whole.nc, absent.nc]", "weather.file: no file .*absent.nc; the README says"),
        ("[parts/u10_0.nc, parts/v10_0.nc]", "weather.file: .*covers .* expected"),
        ("parts/u10*.nc", "weather.file: .*the north component of the 10 m wind is missing"),
        ("[whole.nc, parts/u10_0.nc]", "weather.file: .*u10 at .* is in whole.nc, too"),
    ],
)
def test_files_that_do_not_do_are_named_before_the_run(folder, files, message):
    config = load_config(EXAMPLE, [*SMALL, f"weather.file={files}"])
    with pytest.raises(InputError, match=message):
        run(config, data=folder, out=folder / "run")
    assert not (folder / "run").exists()


@pytest.mark.parametrize("files", ["[]", "[/etc/passwd]", "../x.nc", "[a.nc, 3]"])
def test_lists_that_are_no_names(files):
    with pytest.raises(InputError, match="weather.file"):
        load_config(EXAMPLE, [f"weather.file={files}"])
