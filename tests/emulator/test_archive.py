"""Pieces of a trajectory, never across a gap; the ocean of a year."""

import jax.numpy as jnp
import numpy as np
import pytest

from floecast.atmosphere.forcing import Forcing
from floecast.core.calendar import DAY, HOUR
from floecast.core.errors import InputError
from floecast.core.state import IceState
from floecast.emulator.archive import Archive
from floecast.emulator.ocean import YEAR, OceanClimatology


@pytest.fixture
def archive():
    """Two runs of ten times, a day apart, whose values tell the time."""
    time = np.concatenate([np.arange(10), np.arange(12, 22)]) * 6 * HOUR
    field = np.broadcast_to((time / HOUR)[:, None, None], (20, 2, 3))
    return Archive(IceState(*[field] * 6), Forcing(time, wind_u=field))


def test_pieces_do_not_cross_gaps(archive):
    begins = archive.beginnings(3, 12 * HOUR)
    assert begins.tolist() == [0, 1, 2, 3, 10, 11, 12, 13]
    piece = archive.pieces(begins[[0, 4]], 3, 12 * HOUR)
    assert piece.state.u.shape == (2, 4, 2, 3)
    assert piece.forcing.wind_u[1, :, 0, 0].tolist() == [72, 84, 96, 108]
    assert np.array_equal(piece.time, piece.state.damage[..., 0, 0] * HOUR)


def test_steps_that_do_not_fit_are_refused(archive):
    with pytest.raises(InputError, match="no unbroken 6 steps of 12 h"):
        archive.beginnings(6, 12 * HOUR)
    for hours in (3, 9):
        with pytest.raises(InputError, match=f"steps of {hours} h cannot be taken"):
            archive.stride(hours * HOUR)


def test_ocean_comes_back_from_its_months():
    middle = (np.arange(12) + 0.5) / 12
    wave = 3 + np.cos(2 * np.pi * middle) + 0.5 * np.sin(4 * np.pi * middle)
    field = wave[:, None, None] * np.arange(1, 7).reshape(1, 2, 3)
    ocean = OceanClimatology.fit(
        dict.fromkeys(("current_u", "current_v", "ocean_temperature"), field)
    )
    start, end = 30 * YEAR + 40 * DAY, 30 * YEAR + 200 * DAY
    told = ocean.between(start, end)["current_v"]
    phase = np.array([40, 200]) * DAY / YEAR
    true = 3 + np.cos(2 * np.pi * phase) + 0.5 * np.sin(4 * np.pi * phase)
    assert jnp.allclose(told, true[:, None, None] * np.arange(1, 7).reshape(1, 2, 3), rtol=1e-9)
