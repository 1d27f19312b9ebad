"""Maps from a dataset, as a notebook shows them."""

import io
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from PIL import Image

from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.io.cf import to_dataset

GRID = Grid.preset("arctic100")


@pytest.fixture(scope="module")
def dataset():
    cover = np.clip((GRID.latitude - 70.0) / 10.0, 0.0, 1.0)
    fields = {
        "concentration": np.stack([cover, cover]),
        "thickness": np.stack([2.0 * cover, 3.0 * cover]),
        "u": np.stack([cover - 0.5] * 2),
    }
    return to_dataset(fields, GRID, title="test", time=np.array([0, 86400]))


def pixels(picture):
    return np.asarray(Image.open(io.BytesIO(picture._repr_png_())).convert("RGB")).astype(int)


def test_map_of_one_time(dataset, tmp_path):
    picture = dataset.isel(time=1).floecast.map("thickness")
    assert repr(picture) == "MapPicture(map of thickness, 2000-01-02 00:00 UTC)"
    assert pixels(picture).shape == (800, 640, 3)
    picture.save(tmp_path / "map.png")
    assert (tmp_path / "map.png").read_bytes() == picture.png
    assert len(picture.png) < 200_000


def test_values_change_the_map(dataset):
    first, second = (dataset.isel(time=index).floecast.map("concentration") for index in (0, 1))
    changed = dataset.isel(time=0).copy()
    changed["concentration"] = 1.0 - changed["concentration"]
    other = changed.floecast.map("concentration")
    near = np.abs(pixels(first) - pixels(second))[100:600].sum()
    assert np.abs(pixels(first) - pixels(other))[100:600].sum() > 10 * max(near, 1)


def test_velocity_is_drawn_about_zero(dataset):
    assert dataset.isel(time=0).floecast.map("u").png


def test_box_without_projection_and_axes_of_length_one():
    box = Grid.box((8, 12), 25e3)
    field = {"ice_volume": np.linspace(0.0, 2.0, 96).reshape(1, 8, 12)}
    made = to_dataset(field, box, title="box", time=np.array([0]))
    assert made.floecast.map("ice_volume").png


@pytest.mark.parametrize(
    ("name", "select", "words"),
    [
        ("nonsense", {"time": 0}, ["no variable 'nonsense'", "concentration"]),
        ("thickness", {}, ["lies along time too", "isel(time=0)"]),
        ("crs", {"time": 0}, ["no variable 'crs'"]),
        ("thickness", {"time": 0, "y": 3}, ["not y and x"]),
    ],
)
def test_refusals(dataset, name, select, words):
    with pytest.raises(InputError) as refused:
        dataset.isel(select).floecast.map(name)
    assert all(word in str(refused.value) for word in words)


@pytest.mark.parametrize("module", ["floecast.io.cf", "floecast.report"])
def test_accessor_comes_with_files_and_report_without_drawing_library(module):
    code = (
        f"import sys, xarray, {module}; assert hasattr(xarray.Dataset, 'floecast'); "
        "assert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_accessor_is_not_there_before():
    code = "import xarray, floecast; assert not hasattr(xarray.Dataset, 'floecast')"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert hasattr(xr.Dataset, "floecast")
