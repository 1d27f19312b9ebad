"""States in the form of the CMEMS product, and back through its reader."""

import dataclasses

import numpy as np
import pytest

from floecast.core.calendar import DAY, to_seconds
from floecast.core.grid import Grid
from floecast.core.state import IceState
from floecast.io.cmems_file import write_cmems
from floecast.io.ice_model_files import IceOutput
from floecast.io.readers import identify, read_thickness_field

GRID = Grid.preset("arctic100")
TIME = to_seconds("2020-03-01T12:00") + DAY * np.arange(2)


@pytest.fixture
def states():
    x, y = np.meshgrid(GRID.x, GRID.y)
    cover = np.clip(1.2 - np.hypot(x, y) / 2e6, 0, 1) * GRID.mask_t
    one = IceState(
        concentration=cover,
        ice_volume=cover * (1.5 + x / 5e6),
        snow_volume=0.2 * cover,
        u=np.where(GRID.mask_u, 0.1, 0.0),
        v=np.where(GRID.mask_v, -0.05, 0.0),
        damage=0.0 * cover,
    )
    return dataclasses.replace(
        one, **{name: np.stack([leaf, 0.5 * leaf]) for name, leaf in one.fields().items()}
    )


def test_states_come_back(states, tmp_path):
    path = tmp_path / "anything.nc"
    write_cmems(path, states, GRID, TIME)
    assert identify(path) == "cmems_nextsim"
    output = IceOutput(path)
    np.testing.assert_array_equal(output.time, TIME)
    fields = output.read(TIME)
    sea = GRID.mask_t
    for name in ("concentration", "ice_volume", "snow_volume"):
        np.testing.assert_allclose(
            fields[name][:, sea], getattr(states, name)[:, sea], atol=1e-6, err_msg=name
        )
    inner = np.hypot(*np.meshgrid(GRID.x, GRID.y)) < 500e3
    longitude = np.radians(GRID.longitude[inner] + 45)
    # Components to the east and north of what lies along x and y of the grid.
    east = 0.1 * np.cos(longitude) - 0.05 * np.sin(longitude)
    np.testing.assert_allclose(fields["east"][0][inner], east, atol=1e-3)
    thickness = read_thickness_field(path, GRID, time=int(TIME[1]))
    known = inner & np.isfinite(thickness)
    expected = (states.ice_volume / np.where(states.concentration > 0, states.concentration, 1))[1]
    assert known.sum() > 50
    np.testing.assert_allclose(thickness[known], expected[known], atol=5e-3)


def test_it_follows_cf(states, tmp_path, checker):
    write_cmems(tmp_path / "anything.nc", states, GRID, TIME)
    complaints = checker(tmp_path / "anything.nc")
    assert all(
        "history" in one or "institution" in one or "references" in one for one in complaints
    )
