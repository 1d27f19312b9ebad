"""Weights of unknown origin: nothing in them runs, and what does not fit is refused in one line."""

import json
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from floecast.core.calendar import HOUR
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.npz import read_arrays
from floecast.core.variables import STATE
from floecast.emulator.features import Scaling, feature_names
from floecast.emulator.model import Emulator
from floecast.simulator.restart_states import restart_states

GRID = Grid.preset("arctic100")


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """File of a small emulator."""
    number = len(feature_names())
    change = {name: jnp.asarray(0.05) for name in STATE}
    scaling = Scaling(jnp.zeros(number), jnp.ones(number), change)
    emulator = Emulator.untrained(
        GRID, scaling, None, key=jax.random.key(3), dt=12 * HOUR, widths=(4, 4)
    )
    path = tmp_path_factory.mktemp("weights") / "sound.npz"
    emulator.save(path)
    return path


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def changed(sound, path, arrays=(), **header):
    found = read_arrays(sound)
    told = json.loads(found["header"].tobytes()) | header
    found |= {"header": np.frombuffer(json.dumps(told).encode(), np.uint8)} | dict(arrays)
    np.savez(path, **found)
    return path


def test_the_sound_file_is_loaded(sound, tmp_path):
    assert Emulator.load(sound).grid.name == "arctic100"
    assert Emulator.load(changed(sound, tmp_path / "same.npz")).dt == 12 * HOUR


@pytest.mark.parametrize("name", ["network/0", "mean", "header", "extra"])
def test_objects_do_not_run(sound, name, tmp_path):
    trap = np.empty(3, object)
    trap[:] = Trap(tmp_path / "run")
    path = changed(sound, tmp_path / "x.npz", {name: trap})
    for load in (Emulator.load, partial(restart_states, GRID)):
        with pytest.raises(InputError, match="Python objects, which are never loaded"):
            load(path)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arrays", "fault"),
    [
        ({"network/1": np.zeros((1, 2, 3))}, "network/1 is float64"),
        ({"network/1": np.zeros(4, int)}, "network/1 is int64"),
        ({"mean": np.zeros(3)}, "mean is float64"),
        ({"deviation": np.full(len(feature_names()), np.nan)}, "not finite: deviation"),
        ({"change/u": np.float32(np.inf)}, "not finite: change/u"),
        ({"ocean/current_u": np.zeros((4, *GRID.shape))}, "ocean/current_v is nothing"),
    ],
)
def test_arrays_that_do_not_fit(sound, arrays, fault, tmp_path):
    path = changed(sound, tmp_path / "x.npz", arrays)
    with pytest.raises(InputError, match=fault):
        Emulator.load(path)


@pytest.mark.parametrize(
    "header",
    [
        {"widths": [10**9]},
        {"widths": [4] * 10_000},
        {"widths": "all"},
        {"widths": [4, -1]},
        {"dt": 0},
        {"dt": "12 h"},
        {"grid": None},
        {"grid": "../arctic100"},
        {"features": None},
        {"version": None},
    ],
)
def test_headers_that_tell_nothing(sound, header, tmp_path):
    with pytest.raises(InputError, match="x.npz"):
        Emulator.load(changed(sound, tmp_path / "x.npz", **header))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255), cut=st.booleans())
def test_damaged_bytes(sound, place, byte, cut, tmp_path):
    content = bytearray(sound.read_bytes())
    content[int(place * len(content))] = byte
    path = tmp_path / "x.npz"
    path.write_bytes(content[: int(place * len(content))] if cut else content)
    try:
        Emulator.load(path)
    except InputError as fault:
        assert "x.npz" in str(fault) and "\n" not in str(fault)
