"""Thirty winter days under one weather, with and without each feedback of the ice on the air."""

from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from floecast.atmosphere.boundary_layer import BoundaryLayer
from floecast.atmosphere.weather import SyntheticWeather
from floecast.core.atomic import replacing
from floecast.core.calendar import to_seconds
from floecast.core.grid import Grid
from floecast.core.operators import u_to_t, v_to_t
from floecast.core.precision import cast
from floecast.simulator.arctic_ocean import ArcticOcean
from floecast.simulator.bbm import BBM
from floecast.simulator.coupling import advance_column
from floecast.simulator.model import Simulator
from floecast.simulator.restart_states import restart_state
from floecast.simulator.weno import WENO
from floecast.simulator.winton import Winton

PRESET, START, DAYS, SEED = "arctic100", "2031-01-01", 30, 0
HEIGHTS = (0.0, 50.0, 150.0, 300.0, 600.0, 1000.0, 1500.0, 2000.0)
SYSTEMS = {
    "bulk": None,
    "column": BoundaryLayer(),
    "without thermal": BoundaryLayer(thermal=False),
    "without ice motion": BoundaryLayer(ice_motion=False),
    "without form drag": BoundaryLayer(form_drag=False),
}
GRID = Grid.preset(PRESET)


def run(name, work):
    """Fields after each step of a system, kept below a folder.

    Parameters
    ----------
    name : str
        Of `SYSTEMS`.
    work : path

    Returns
    -------
    dict of (step, y, x) array
    """
    path = Path(work) / f"{name.replace(' ', '_')}.npz"
    if not path.exists():
        found = _simulate(SYSTEMS[name])
        with replacing(path) as partial:
            with open(partial, "wb") as file:
                np.savez_compressed(file, **found)
    with np.load(path) as file:
        return dict(file)


def _simulate(layer):
    key = jax.random.key(SEED)
    weather = cast(SyntheticWeather.draw(key, GRID).with_aloft(HEIGHTS), jnp.float32)
    ocean = cast(jax.tree.map(jnp.asarray, ArcticOcean.of(GRID)), jnp.float32)
    model = Simulator(
        GRID,
        rheology=BBM(),
        thermodynamics=Winton(),
        scheme=WENO(),
        boundary_layer=layer,
        ocean=ocean,
    )
    begin = int(to_seconds(START))
    state = cast(restart_state(GRID, 1), jnp.float32)
    state = cast(model.start(state, weather.between(begin, begin + model.dt)), jnp.float32)

    @eqx.filter_jit
    def step(state, time):
        state = model.step(state, weather.between(time, time + model.dt), key)
        return state, _told(model, state, weather, time + model.dt)

    told = []
    for number in range(DAYS * 86400 // model.dt):
        state, now = step(state, jnp.asarray(begin + number * model.dt))
        told.append(jax.tree.map(np.asarray, now))
    return {field: np.stack([now[field] for now in told]) for field in told[0]}


def _told(model, state, weather, time):
    """What is kept of a state: drift, winds, heat, ice."""
    forcing = weather.between(time, time)
    aloft, now = forcing.aloft, forcing.middle()
    memory = state.thermodynamics
    told = {
        "u": u_to_t(state.u, GRID),
        "v": v_to_t(state.v, GRID),
        "geostrophic_u": aloft.geostrophic_u[0, 0],
        "geostrophic_v": aloft.geostrophic_v[0, 0],
        "concentration": state.concentration,
        "ice_volume": state.ice_volume,
        "surface_temperature": memory.surface_temperature,
    }
    if model.boundary_layer is None:
        # The bulk law of `SurfaceBalance` over ice, written out.
        wind = jnp.sqrt(now["wind_u"] ** 2 + now["wind_v"] ** 2 + 0.25)
        cooler = memory.surface_temperature + 273.15 - now["air_temperature"]
        heat = 101325.0 / (287.05 * now["air_temperature"]) * 1005.0 * 1.4e-3 * wind * cooler
        names = ("wind_u", "wind_v", "air_temperature")
        return told | {name: now[name] for name in names} | {"sensible": heat}
    _, felt = advance_column(model, state, forcing)
    contact = felt.contact
    return told | {
        "wind_u": contact.wind_u,
        "wind_v": contact.wind_v,
        "air_temperature": contact.air_temperature,
        "sensible": contact.sensible_ice,
        "stress_u": contact.stress_ice_u,
        "stress_v": contact.stress_ice_v,
        "depth": state.boundary_layer.depth,
    }
