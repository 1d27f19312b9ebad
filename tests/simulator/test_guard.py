"""Bad input is refused before the first step; a failed run tells where it failed."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from floecast.atmosphere.surface_balance import SurfaceBalance
from floecast.atmosphere.weather import SyntheticWeather
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.rollout import rollout
from floecast.core.state import IceState
from floecast.forecast.ensemble import forecast
from floecast.simulator.arctic_ocean import ArcticOcean
from floecast.simulator.bbm import BBM
from floecast.simulator.cyclone import Cyclone
from floecast.simulator.free_drift import FreeDrift
from floecast.simulator.guard import SimulationFailed, check_finite
from floecast.simulator.interfaces import AbstractRheology, NoThermodynamics
from floecast.simulator.mevp import MEVP
from floecast.simulator.mixed_layer import MixedLayer
from floecast.simulator.model import Simulator
from floecast.simulator.thermodynamics import SimpleFreezing
from floecast.simulator.weno import WENO
from floecast.simulator.winton import Winton
from floecast.simulator.zero_layer import ZeroLayer

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
        ({"dt": True}, "dt must be a positive whole number of seconds, not True"),
        ({"boundary_layer": True}, "boundary_layer of a Simulator is True"),
        ({"ocean": ArcticOcean}, "ocean of a Simulator is .* expected one like"),
        ({"ocean": ArcticOcean.of(Grid.box((3, 5), 1e4))}, r"current_u of the ocean .* \(3, 5\)"),
        ({"ice_roughness": 0.0}, r"ice_roughness is 0\.0; expected a finite value in \(0, inf\)"),
    ],
)
def test_parts_that_are_none(wrong, words):
    with pytest.raises(InputError, match=words):
        Simulator(GRID, **wrong)


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (BBM(healing=0), r"healing of BBM is 0\.0; expected a finite value in \(0, inf\)"),
        (BBM(cross_nudging=-1), r"cross_nudging of BBM is -1\.0; .* in \[0, inf\]"),
        (BBM(cross_nudging=1e6), "cross_nudging of BBM is 1e.06; expected at most the number of"),
        (BBM(elasticity=np.nan), "elasticity of BBM is nan"),
        (BBM(elasticity=np.inf), "elasticity of BBM is inf"),
        (BBM(elasticity=[1e8, 2e8]), r"elasticity of BBM has shape \(2,\); expected one number"),
        (BBM(damage_exponent=2.5), "damage_exponent of BBM is 2.5"),
        (BBM(substeps=60.0), "substeps of BBM is 60.0 .* must be even and at least"),
        (BBM(substeps=61), "substeps of BBM is 61 .* must be even and at least"),
        (MEVP(eccentricity=0), "eccentricity of MEVP is 0"),
        (MEVP(alpha=0), "alpha of MEVP is 0"),
        (MEVP(iterations=0), "iterations of MEVP must be a whole number, 1 or more, not 0"),
        (MEVP(iterations=2.5), "iterations of MEVP must be .* not 2.5"),
        (FreeDrift(arrest_thickness=0), "arrest_thickness of FreeDrift is 0"),
        (SimpleFreezing(ocean_heat_flux=np.ones(3)), r"ocean_heat_flux .* one number or an array"),
        (Winton(closing_thickness=0), "closing_thickness of Winton is 0"),
        (Winton(mixed_layer=MixedLayer(depth=0)), "depth of MixedLayer is 0"),
        (Winton(surface=SurfaceBalance(cold_snow=1.2)), r"cold_snow of SurfaceBalance is 1\.2"),
        (ZeroLayer(absorbed_fraction=3), r"absorbed_fraction of ZeroLayer is 3\.0"),
    ],
)
def test_parameters_that_no_one_can_compute_with(part, words):
    kind = "rheology" if isinstance(part, AbstractRheology) else "thermodynamics"
    with pytest.raises(InputError, match=words):
        Simulator(GRID, dt=600, **{kind: part})


def test_a_parameter_of_each_cell():
    flux = np.ones(GRID.shape)
    assert Simulator(GRID, thermodynamics=SimpleFreezing(ocean_heat_flux=flux)).inner_steps == 1


def test_a_number_just_out_of_its_bounds_is_told_in_full():
    thick = jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), pack())
    thick.concentration[2, 3] = np.nextafter(np.float32(1), np.float32(2))
    with pytest.raises(InputError, match=r"concentration is 1\.0000001 at cell \(2, 3\)"):
        rollout(MODEL, thick, wind(), 2, key=KEY, start=0)


def test_members_where_one_state_is_expected():
    members = jax.tree.map(lambda leaf: np.stack([leaf] * 2), pack())
    none = jax.tree.map(lambda leaf: leaf[:0], members)
    for state, words in (
        (members, r"concentration has shape \(2, 4, 5\); a simulator steps one state"),
        (none, r"concentration has shape \(0, 4, 5\): there is no member"),
        (replace(pack(), u=members.u), r"u has shape \(2, 4, 5\), concentration has \(4, 5\)"),
        (pack().fields(), "a simulator steps an IceState, not dict"),
    ):
        with pytest.raises(InputError, match=words):
            rollout(MODEL, state, wind(), 2, key=KEY, start=0)
    with pytest.raises(InputError, match="there is no member"):
        forecast(MODEL, none, wind(), days=1, key=KEY, start=0)
    with pytest.raises(InputError, match="a simulator steps one state"):
        forecast(MODEL, pack(), SyntheticWeather.draw(KEY, GRID), days=1, key=KEY, start=0)
    for days in (-1, 0.1):
        with pytest.raises(InputError, match=f"days is {days}; expected a whole number"):
            forecast(MODEL, members, wind(), days=days, key=KEY, start=0)


def test_times_that_are_none():
    for start in (0.5, "2020-01-01", np.datetime64("2020-01-01"), [0, 1]):
        with pytest.raises(InputError, match="the start of a run is .* fc.to_seconds"):
            rollout(MODEL, pack(), wind(), 2, key=KEY, start=start)
    for time in (np.array([0.0, np.nan]), np.array([], int)):
        with pytest.raises(InputError, match="the times of the forcing are . numbers of type"):
            rollout(MODEL, pack(), replace(wind(), time=time), 2, key=KEY, start=0)


def test_forcing_of_another_kind_or_grid():
    weather = SyntheticWeather.draw(KEY, Grid.box((6, 6), 20e3))
    with pytest.raises(InputError, match=r"wind_u of the forcing has shape \(6, 6\), the grid"):
        rollout(MODEL, pack(), weather, 2, key=KEY, start=0)
    with pytest.raises(InputError, match="dict has not"):
        rollout(MODEL, pack(), wind().fields(), 2, key=KEY, start=0)
    with pytest.raises(InputError, match="an ocean lies on a Grid, not 'arctic100'"):
        ArcticOcean.of("arctic100")


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
