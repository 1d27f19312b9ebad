"""States shipped or saved: months, bounds, refusals."""

import numpy as np
import pytest

from floecast.core.calendar import to_seconds
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.state import check_state
from floecast.simulator.restart_states import restart_state, restart_states, save_states

from .conftest import random_state


def test_saved_states_come_back(tmp_path, arctic100):
    states = [random_state(arctic100, seed) for seed in range(3)]
    fields = {
        name: np.stack([np.asarray(state.fields()[name]) for state in states])
        for name in states[0].fields()
    }
    times = [to_seconds(f"2031-0{month}-01") for month in (1, 2, 3)]
    save_states(tmp_path / "states.npz", times, fields, arctic100)
    found, back = restart_states(arctic100, tmp_path / "states.npz")
    assert list(found) == times
    check_state(back, arctic100)
    for name, field in back.fields().items():
        want = np.where(arctic100.mask_t, fields[name], 0.0)
        assert np.allclose(field, want, rtol=6e-4, atol=1e-6)


def test_a_grid_without_states_is_told_how_to_make_them():
    with pytest.raises(InputError, match="floecast simulate --preset arctic12"):
        restart_states(Grid.preset("arctic12"))


def test_states_of_another_grid_are_refused(tmp_path, arctic100):
    fields = {name: np.asarray(f)[None] for name, f in random_state(arctic100, 0).fields().items()}
    save_states(tmp_path / "states.npz", [0], fields, arctic100)
    with pytest.raises(InputError, match="the grid"):
        restart_states(Grid.preset("arctic50"), tmp_path / "states.npz")


@pytest.mark.parametrize("month", [3, 9])
def test_shipped_states_are_of_their_season(arctic100, month):
    extent = []
    for number in range(5):
        state = restart_state(arctic100, month, number)
        check_state(state, arctic100)
        extent.append(np.sum((state.concentration > 0.15) * arctic100.area) / 1e12)
    low, high = {3: (12.0, 15.5), 9: (4.0, 7.0)}[month]
    assert low < min(extent) and max(extent) < high
    with pytest.raises(InputError, match="counted from 0"):
        restart_state(arctic100, month, 7)
