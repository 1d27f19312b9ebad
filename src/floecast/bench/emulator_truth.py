"""What an emulator is measured against: simulator runs in weather that no training has seen."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from floecast.atmosphere.forcing import WEATHER, Forcing
from floecast.atmosphere.weather import SyntheticWeather
from floecast.core.calendar import DAY, HOUR, iso
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.keys import named_key
from floecast.core.precision import cast
from floecast.core.rollout import rollout
from floecast.core.state import IceState
from floecast.core.variables import STATE
from floecast.experiment.simulate import STEP, simulator_of
from floecast.io.checkpoint import load_checkpoint, save_checkpoint
from floecast.simulation_schema import simulation_config
from floecast.simulator.arctic_ocean import ArcticOcean
from floecast.simulator.guard import check_finite
from floecast.simulator.restart_states import restart_states

DAYS = 10
"""Length of a forecast."""
SPIN_UP_DAYS = 4
"""In the new weather before a forecast begins, so that drift, stress and leads belong to it."""
EVERY = 12 * HOUR
"""Between the times at which truth and forecast are compared [s]."""
LEADS = EVERY // HOUR * np.arange(1, DAYS * DAY // EVERY + 1)
"""[h]"""
FREE = ("concentration", "ice_volume", "wind_u", "wind_v")
"""What is kept of free drift: the velocity is a function of it."""


class Case(NamedTuple):
    """Truth of one date.

    Parameters
    ----------
    start : int
        When the forecast begins [s since 2000-01-01].
    truth : IceState
        NumPy leaves ``(1 + lead, y, x)``, the first one at the start.
    free : dict of (lead, y, x) arrays
        Ice of a run in free drift, and the wind of the last inner step of the truth before each
        lead.
    """

    start: int
    truth: IceState
    free: dict


class Truth:
    """Simulator, weather and start states of a preset.

    Parameters
    ----------
    preset : str
        With restart states that ship with floecast.
    work : path-like, optional
        Folder in which runs are kept, so that they are made once.
    """

    def __init__(self, preset, work=None):
        self.config = simulation_config(overrides=[f"preset={preset}", "split=test"])
        self.grid = Grid.preset(self.config.preset)
        self.model = simulator_of(self.config, self.grid)
        free = self.config.model_copy(update={"rheology": "free_drift"})
        self.free_model = simulator_of(free, self.grid)
        key = named_key(self.config.seed, "simulation", self.config.split)
        self.weather = cast(SyntheticWeather.draw(key, self.grid), jnp.float32)
        self.times, self.states = restart_states(self.grid)
        self.work = None if work is None else Path(work)
        if self.work is not None:
            self.work.mkdir(parents=True, exist_ok=True)

    def fingerprint(self, *parts):
        """Of what a run is made of; a file of another one is refused."""
        told = [self.config.model_dump(mode="json"), SPIN_UP_DAYS, version("floecast"), *parts]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]

    def begin(self, number):
        """Spun-up state and time of restart state number `number`."""
        state = IceState(**{name: field[number] for name, field in self.states.fields().items()})
        start, steps = int(self.times[number]), SPIN_UP_DAYS * DAY // STEP
        state = self.advance(self.model, state, start, steps, steps).final
        return state, start + SPIN_UP_DAYS * DAY

    def advance(self, model, state, start, steps, save_every):
        """Trajectory of a simulator in the test weather, checked."""
        key = jax.random.key(0)  # the simulator draws nothing
        told = rollout(
            model,
            state,
            self.weather,
            steps,
            key=key,
            start=start,
            save_every=save_every,
            observe=_shared,
        )
        fields = {name: np.asarray(field) for name, field in told.state.items()}
        check_finite(np.asarray(told.time), fields, self.grid, model.inner_dt)
        return told

    def case(self, number):
        """Truth from restart state number `number` on, from its file if there is one."""
        start = int(self.times[number]) + SPIN_UP_DAYS * DAY
        mark = self.fingerprint(start, LEADS.tolist())
        file = None
        if self.work is not None:
            file = self.work / f"{self.grid.name}_{iso(start)[:10]}.npz"
            if file.exists():
                return Case(start, *load_checkpoint(file, self._like(), config_hash=mark))
        made = self._make(number)
        if file is not None:
            save_checkpoint(file, tuple(made[1:]), config_hash=mark)
        return made

    def _like(self):
        times, shape = len(LEADS), self.grid.shape
        state = {name: np.zeros((times + 1, *shape), np.float32) for name in STATE}
        return IceState(**state), {name: np.zeros((times, *shape), np.float32) for name in FREE}

    def _make(self, number):
        state, start = self.begin(number)
        steps, save_every = DAYS * DAY // STEP, EVERY // STEP
        first = state.fields()
        later = self.advance(self.model, state, start, steps, save_every).state
        truth = {
            name: np.concatenate([np.asarray(first[name])[None], np.asarray(later[name])])
            for name in STATE
        }
        loose = self.advance(self.free_model, state.ice(), start, steps, save_every).state
        times = start + HOUR * LEADS
        wind = _mean_wind(self.weather, times - round(self.model.inner_dt), times)
        free = {name: np.asarray(loose[name]) for name in FREE[:2]}
        free |= {name: np.asarray(wind[name]) for name in FREE[2:]}
        return Case(start, IceState(**truth), free)

    def forcing(self, start, dt, steps, with_ocean):
        """The weather itself at the ends of the steps of an emulator: a perfect forecast.

        Parameters
        ----------
        start, dt : int
            [s]
        steps : int
        with_ocean : bool
            Whether the prescribed ocean is added, for an emulator that knows none.

        Returns
        -------
        Forcing
            NumPy leaves ``(step + 1, y, x)``, float32.
        """
        times = start + dt * np.arange(steps + 1)
        ocean = ArcticOcean.of(self.grid) if with_ocean else None
        fields = _forcing_at(self.weather, ocean, jnp.asarray(times))
        return Forcing(times, **{n: np.asarray(f, np.float32) for n, f in fields.items()})


def start_numbers(times, dates):
    """Which restart states forecasts begin from: spread over the year, the years in turn.

    Parameters
    ----------
    times : (state,) int array
        Of the restart states [s since 2000-01-01], the first of each month of some years.
    dates : int
        Number of forecasts.

    Returns
    -------
    list of int

    Raises
    ------
    InputError
        If there are fewer than two dates, or fewer states than dates.
    """
    if not 2 <= dates <= len(times):
        raise InputError(f"dates: {dates}; expected 2 to {len(times)}, the number of start states")
    months = np.array([int(iso(time)[5:7]) for time in times])
    left = {month: np.flatnonzero(months == month).tolist() for month in range(1, 13)}
    chosen = []
    for number in range(dates):
        month = 1 + (12 * number // dates if dates <= 12 else number) % 12
        if not left[month]:
            month = max(left, key=lambda one: len(left[one]))
        states = left[month]
        chosen.append(states.pop(number % len(states)))
    return chosen


def _shared(state):
    return dict(state.fields())


@eqx.filter_jit
def _mean_wind(weather, begins, ends):
    def at(pair):
        fields = weather.between(pair[0], pair[1]).middle()
        return {name: fields[name] for name in FREE[2:]}

    return jax.lax.map(at, (jnp.asarray(begins), jnp.asarray(ends)))


@eqx.filter_jit
def _forcing_at(weather, ocean, times):
    def at(time):
        forcing = weather.between(time, time)
        fields = {name: forcing.fields()[name][0] for name in WEATHER}
        if ocean is None:
            return fields
        below = ocean.between(time, time)
        return fields | {name: jnp.asarray(field)[0] for name, field in below.items()}

    return jax.lax.map(at, times)
