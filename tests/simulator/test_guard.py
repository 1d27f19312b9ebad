"""Bad input is refused before the first step; a failed run tells where it failed."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.rollout import rollout
from floecast.core.state import IceState
from floecast.forecast.ensemble import forecast
from floecast.simulator.bbm import BBM
from floecast.simulator.cyclone import Cyclone
from floecast.simulator.guard import SimulationFailed, check_finite
from floecast.simulator.interfaces import NoThermodynamics
from floecast.simulator.mevp import MEVP
from floecast.simulator.model import Simulator
from floecast.simulator.weno import WENO
from floecast.simulator.winton import Winton

from .conftest import steady_forcing

GRID = Grid.box((4, 5), 20e3)
MODEL = Simulator(GRID, rheology=BBM(), thermodynamics=NoThermodynamics(), dt=600)
KEY = jax.random.key(0)


def pack(**wrong):
    state = IceState.at_rest(GRID, np.full(GRID.shape, 0.9), np.ones(GRID.shape))
    for name, value in wrong.items():
        field = np.array(getattr(state, name))
        field[2, 3] = value
        state = replace(state, **{name: field})
    return state


def wind(value=5.0):
    forcing = steady_forcing(GRID, 5.0, 0.0, 250.0)
    forcing.wind_u[1, 1, 2] = value
    return forcing


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (pack(ice_volume=-0.1), ("ice_volume", "(2, 3)", "-0.1")),
        (pack(concentration=1.2), ("concentration", "(2, 3)", "1.2")),
        (pack(snow_volume=np.nan), ("snow_volume", "(2, 3)", "nan")),
        (pack(damage=1.5), ("damage", "(2, 3)")),
    ],
)
def test_bad_state(state, words):
    with pytest.raises(InputError) as refusal:
        rollout(MODEL, state, wind(), 2, key=KEY, start=0)
    assert all(word in str(refusal.value) for word in words)


def test_bad_wind():
    with pytest.raises(InputError, match=r"wind_u is nan .* cell \(1, 2\)"):
        rollout(MODEL, pack(), wind(np.nan), 2, key=KEY, start=0)


def test_forcing_that_ends_early():
    forcing = wind()
    forcing.time[1] = 900
    with pytest.raises(InputError, match="the forcing covers 2000-01-01T00:00:00Z to .*T00:20:00Z"):
        rollout(MODEL, pack(), forcing, 2, key=KEY, start=0)
    members = jax.tree.map(lambda leaf: np.stack([leaf] * 2), pack())
    with pytest.raises(InputError, match="the forcing covers"):
        forecast(MODEL, members, forcing, days=1, key=KEY, start=0)


def test_bad_current():
    """Fields that a simulator can do without are looked at where they are given."""
    forcing = replace(wind(), current_u=np.zeros_like(wind().wind_u))
    forcing.current_u[1, 3, 4] = np.nan
    with pytest.raises(InputError, match=r"current_u is nan .* cell \(3, 4\)"):
        rollout(MODEL, pack(), forcing, 2, key=KEY, start=0)


def test_forcing_that_lacks_what_is_read():
    warm = Simulator(GRID, thermodynamics=Winton(), dt=600)
    with pytest.raises(InputError, match="lacks air_temperature, humidity, .* it holds wind_u"):
        rollout(warm, pack(), Cyclone.on(GRID), 2, key=KEY, start=0)
    with pytest.raises(InputError, match="needs a forcing"):
        MODEL.check(pack(), None, 0, 600)


def test_mixed_precision():
    state = pack()
    state = replace(state, ice_volume=np.asarray(state.ice_volume, np.float32))
    with pytest.raises(InputError, match="all float32 or all float64, not .*'ice_volume': 'float3"):
        rollout(MODEL, state, wind(), 2, key=KEY, start=0)


def test_state_of_another_simulator():
    viscous = Simulator(GRID, rheology=MEVP(), thermodynamics=NoThermodynamics(), dt=600)
    with pytest.raises(InputError, match="memory of its rheology.* not what BBM remembers"):
        rollout(MODEL, viscous.start(pack()), wind(), 2, key=KEY, start=0)
    with pytest.raises(InputError, match=r"begin with state = simulator.start"):
        MODEL.step(pack(), wind(), KEY)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("age", -1.0, r"age is -1 at \(0, 0\)"),
        ("rheology", np.nan, r"rheology.stress_centre is nan"),
    ],
)
def test_bad_memory(name, value, words):
    state = MODEL.start(pack())
    bad = jax.tree.map(lambda leaf: np.full_like(leaf, value), getattr(state, name))
    with pytest.raises(InputError, match=words):
        rollout(MODEL, replace(state, **{name: bad}), wind(), 2, key=KEY, start=0)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"dt": float("nan")}, "dt must be a positive whole number of seconds, not nan"),
        ({"rheology": BBM}, "rheology of a Simulator is .* expected one like"),
        ({"scheme": "weno5"}, "scheme of a Simulator is 'weno5'"),
        ({"rheology": MEVP(iterations=0)}, "iterations of MEVP must be 1 or more, not 0"),
    ],
)
def test_parts_that_are_none(wrong, words):
    with pytest.raises(InputError, match=words):
        Simulator(GRID, **wrong)


def test_orders_that_weno_does_not_have():
    with pytest.raises(InputError, match="the order of WENO is 5 or 7, not 6"):
        WENO(order=6)


def test_step_too_long():
    with pytest.raises(InputError, match="admit substeps of 16.2 s at most"):
        Simulator(GRID, rheology=BBM(substeps=10), dt=600)


def test_where_a_run_failed_is_told():
    fields = {name: np.zeros((3, *GRID.shape)) for name in ("u", "v", "ice_volume")}
    fields["u"][0] = 2.0
    check_finite([600, 1200, 1800], fields, GRID, 600)
    fields["ice_volume"][1, 3, 2] = np.nan
    fields["v"][2] = np.inf
    with pytest.raises(SimulationFailed) as failure:
        check_finite([600, 1200, 1800], fields, GRID, 600)
    text = str(failure.value)
    for word in ("ice_volume", "2000-01-01T00:20:00", "(3, 2)", "0.06 at 2000-01-01T00:10:00"):
        assert word in text
