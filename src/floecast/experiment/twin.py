"""The truth of a twin experiment: a simulator run, its weather, and what satellites see of it."""

import hashlib
import json
from functools import cached_property

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from floecast.assimilation.initial import initial_ensemble
from floecast.atmosphere.forcing import WEATHER, Forcing
from floecast.atmosphere.weather import NEVER, SyntheticWeather
from floecast.core.calendar import DAY, HOUR, to_datetime64
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.keys import named_key
from floecast.core.precision import cast
from floecast.core.rollout import rollout
from floecast.core.state import IceState
from floecast.core.variables import STATE
from floecast.io.checkpoint import load_checkpoint, save_checkpoint
from floecast.observation.observations import Observations, observations
from floecast.observation.sampling import sample_concentration, sample_thickness
from floecast.simulation_schema import simulation_config
from floecast.simulator.guard import check_finite
from floecast.simulator.restart_states import restart_states

from .simulate import HEIGHTS_ALOFT, STEP, simulator_of

EVERY = 12 * HOUR
"""Between the times at which the truth is kept [s]."""
SPIN_UP = 4 * DAY
"""In the true weather before the twin begins, so that drift, stress and leads belong to it [s]."""
_BLOCK_DAYS = 10
_YEARS = 5


class Twin:
    """Truth, observations and forecasters' weather of a twin.

    Parameters
    ----------
    preset : str
        With restart states that ship with floecast.
    section : TwinSection
    days : int
        Length of the truth.
    """

    def __init__(self, preset, section, days):
        self.section, self.days = section, int(days)
        overrides = [f"preset={preset}", "split=test", f"seed={section.seed}"]
        overrides.append(f"boundary_layer={section.boundary_layer}")
        self.simulation = simulation_config(overrides=overrides)
        self.grid = Grid.preset(preset)
        key = named_key(section.seed, "simulation", "test")
        weather = SyntheticWeather.draw(key, self.grid)
        if section.boundary_layer:
            weather = weather.with_aloft(HEIGHTS_ALOFT)
        self.weather = cast(weather, jnp.float32)
        self.numbers = self._numbers()

    def _numbers(self):
        """Restart states of the month, by year."""
        times, _ = self._restart
        months = to_datetime64(times).astype("datetime64[M]").astype(int) % 12 + 1
        return np.flatnonzero(months == self.section.month)

    @cached_property
    def _restart(self):
        return restart_states(self.grid)

    @property
    def start(self):
        """When the twin begins [s since 2000-01-01]."""
        return int(self._restart[0][self.numbers[self.section.year]]) + SPIN_UP

    def restart(self, number):
        """A restart state."""
        return jax.tree.map(lambda leaf: leaf[number], self._restart[1])

    @property
    def times(self):
        """At which the truth is kept, the start first [s]."""
        return self.start + EVERY * np.arange(self.days * DAY // EVERY + 1)

    def make(self, path, progress=None):
        """Simulate the truth and write it.

        Parameters
        ----------
        path : path-like
        progress : callable, optional
            Called as ``progress(days_done, days)``.
        """
        model, key = simulator_of(self.simulation, self.grid), jax.random.key(0)

        def advance(state, start, seconds, save_every):
            told = rollout(
                model,
                state,
                self.weather,
                seconds // STEP,
                key=key,  # the simulator draws nothing
                start=start,
                save_every=save_every,
                observe=_ice,
            )
            fields = {name: np.asarray(field) for name, field in told.state.items()}
            check_finite(np.asarray(told.time), fields, self.grid, model.inner_dt)
            return told.final, fields

        begin = self.start - SPIN_UP
        first = self.restart(self.numbers[self.section.year])
        state, kept = advance(first, begin, SPIN_UP, SPIN_UP // STEP)
        parts = [kept]
        for day in range(0, self.days, _BLOCK_DAYS):
            length = min(_BLOCK_DAYS, self.days - day) * DAY
            state, kept = advance(state, self.start + day * DAY, length, EVERY // STEP)
            parts.append(kept)
            if progress is not None:
                progress(min(day + _BLOCK_DAYS, self.days), self.days)
        fields = {name: np.concatenate([part[name] for part in parts]) for name in STATE}
        save_checkpoint(path, IceState(**fields), config_hash=self.mark)

    def read(self, path):
        """The truth, NumPy leaves ``(time, y, x)``."""
        shape = (len(self.times), *self.grid.shape)
        like = IceState(**{name: np.zeros(shape, np.float32) for name in STATE})
        return jax.tree.map(np.asarray, load_checkpoint(path, like, config_hash=self.mark))

    @property
    def mark(self):
        """Fingerprint of what the truth is made of; that of another twin is refused."""
        told = [self.grid.name, self.section.model_dump(mode="json"), self.days]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]

    def observe(self, truth, section, start, end, key):
        """What satellites see between two times.

        Parameters
        ----------
        truth : IceState
            From `read`.
        section : ObservationsSection
        start, end : int
            [s]
        key : key

        Returns
        -------
        Observations
            Daily concentration, and thickness below the tracks of the whole time where it is
            measured, which is from mid October to mid April; possibly none.
        """
        parts = [_none()]
        for day in range(start, end, DAY):
            if section.concentration:
                centre = day + DAY // 2
                parts.append(
                    sample_concentration(
                        named_key(key, "concentration", (day - self.start) // DAY),
                        self._mean(truth, day, day + DAY),
                        self.grid,
                        centre,
                        footprint=1e3 * section.footprint_km,
                    )
                )
        if section.thickness and _thickness_is_measured(start, end):
            parts.append(
                sample_thickness(
                    named_key(key, "thickness", (start - self.start) // DAY),
                    self._mean(truth, start, end),
                    self.grid,
                    (start + end) // 2,
                    days=(end - start) // DAY,
                    error=section.thickness_error,
                    shared=section.shared_error,
                )
            )
        return Observations.concatenate(parts)

    def _mean(self, truth, start, end):
        """Truth averaged from a time to another, by the trapezoidal rule as the windows do."""
        inside = (self.times >= start) & (self.times <= end)
        if not inside.any() or end > self.times[-1]:
            raise InputError(f"the truth of this twin ends before {to_datetime64(end)}")
        weight = np.ones(inside.sum(), np.float32)
        weight[[0, -1]] = 0.5
        return jax.tree.map(
            lambda leaf: jnp.asarray(np.average(leaf[inside], axis=0, weights=weight)), truth
        )

    def at(self, truth, time):
        """Truth at a time."""
        number = (time - self.start) // EVERY
        return jax.tree.map(lambda leaf: leaf[number], truth)

    def ensemble(self, key, members):
        """Members that do not know the truth: the other years at this date, with likely errors.

        Parameters
        ----------
        key : key
        members : int

        Returns
        -------
        IceState
            ``(member, y, x)``.
        """
        others = np.delete(self.numbers, self.section.year)
        share = -(-members // len(others))
        parts = [
            initial_ensemble(named_key(key, "year", i), self.restart(one), self.grid, max(2, share))
            for i, one in enumerate(others)
        ]
        # The years in turn, so that a smaller ensemble knows them all as well.
        joined = jax.tree.map(lambda *leaves: jnp.stack(leaves, 1), *parts)
        return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:members], joined)

    def forecasters(self, key, members, issued=NEVER):
        """The weather as members know it: analyses up to a time, then forecasts.

        Parameters
        ----------
        key : key
        members : int
        issued : int
            [s]

        Returns
        -------
        SyntheticWeather
            Leaves ``(member, ...)``.
        """
        return jax.vmap(lambda number: self.weather.forecast(key, issued, member=number))(
            jnp.arange(members)
        )


@eqx.filter_jit
def sampled(weathers, times):
    """Weather of members at some times.

    Parameters
    ----------
    weathers : SyntheticWeather
        Leaves ``(member, ...)``.
    times : (time,) int array
        [s]

    Returns
    -------
    dict of (member, time, y, x) arrays
        float32.
    """

    def one(weather):
        def at(time):
            fields = weather.between(time, time).fields()
            return {name: fields[name][0].astype(jnp.float32) for name in WEATHER}

        return jax.lax.map(at, times)

    return jax.lax.map(one, weathers)


def forcings(weathers, start, steps, dt):
    """Forcing of each member over some steps, and that of their mean.

    Parameters
    ----------
    weathers : SyntheticWeather
        Leaves ``(member, ...)``.
    start : int
        [s]
    steps, dt : int
        Number and length of the steps.

    Returns
    -------
    each : list of Forcing
    mean : Forcing
    """
    times = jnp.asarray(start + dt * np.arange(steps + 1))
    fields = sampled(weathers, times)
    members = fields["wind_u"].shape[0]
    each = [
        Forcing(times, **{name: field[number] for name, field in fields.items()})
        for number in range(members)
    ]
    return each, Forcing(times, **{name: jnp.mean(f, axis=0) for name, f in fields.items()})


def _none():
    empty = np.zeros((0, 1))
    return observations("concentration", empty[:, 0], 1.0, 0.0, 0.0, 0, empty, empty)


def _ice(state):
    return dict(state.fields())


def _thickness_is_measured(start, end):
    """Whether CryoSat-2 products exist all along: from 15 October to 15 April."""
    for time in (start, end):
        day = to_datetime64(time).astype("datetime64[D]")
        month = day.astype("datetime64[M]").astype(int) % 12 + 1
        number = 100 * month + (day - day.astype("datetime64[M]")).astype(int) + 1
        if 415 < number < 1015:
            return False
    return True
