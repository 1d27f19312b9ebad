"""Twin experiments on the testbeds: a truth, its observations, and the error of an analysis.

A cycle of a method is compiled once, run over all cycles in one scan and over all seeds at once.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from floecast.assimilation.bounds import Unbounded
from floecast.assimilation.covariance import MatrixCovariance
from floecast.assimilation.minimise import Minimiser
from floecast.assimilation.smoother import IEnKS
from floecast.assimilation.variational import Var3D
from floecast.core.keys import named_key
from floecast.testbeds import (
    PointObservations,
    Unforced,
    initial_ensemble,
    observe_points,
    point_observations,
)

SEEDS = 5
ONCE = Minimiser(outer=1, inner=40, tolerance=1e-8)
"""Minimiser of a quadratic cost."""


class Case(NamedTuple):
    """Settings of a twin experiment.

    Parameters
    ----------
    model : Model
        Of one state vector.
    mean : array
        About which truth and members start.
    std : float
        Of these.
    steps : int
        Of the model from one observation to the next.
    error_std : float
        Of the observations, which are of every variable.
    cycles, burn_in : int
        Observation times, and how many of the first do not count.
    """

    model: Any
    mean: np.ndarray
    std: float
    steps: int
    error_std: float
    cycles: int
    burn_in: int

    def observations(self) -> PointObservations:
        """Observations of every variable, without their values."""
        return point_observations(0.0, self.error_std, np.arange(self.mean.size))

    def advance(self, state):
        """State at the next observation time; acts on ensembles too."""
        return jax.lax.fori_loop(0, self.steps, lambda _, x: self.model.step(x, None, None), state)

    def truth(self, key):
        """Truth ``(cycles, n)`` at the observation times, and what is observed of it."""
        first = initial_ensemble(named_key(key, "truth"), self.mean, self.std)
        states = jax.lax.scan(lambda x, _: (self.advance(x),) * 2, first, length=self.cycles)[1]
        noise = jax.random.normal(named_key(key, "observations"), states.shape)
        return states, states + self.error_std * noise


def rmse(case, cycle: Callable, members, delay=0, seeds=SEEDS):
    """Median over seeds of the mean error of the analysis mean.

    Parameters
    ----------
    case : Case
    cycle : callable
        ``cycle(ensemble, observations, key) -> (ensemble, mean)``: from the ensemble at the end of
        a cycle to that at the end of the next, and the mean ``(n,)`` of the analysis at the
        observations.
    members : int or None
        One state is cycled if None.
    delay : int
        How many observation times the ensemble that is handed over lies behind.
    seeds : int

    Returns
    -------
    float
        Mean over the cycles after the burn-in of the root-mean-square error over the variables.
    """
    errors = jax.jit(jax.vmap(lambda key: _errors(case, cycle, members, delay, key)))
    keys = jnp.stack([named_key(seed, "twin") for seed in range(seeds)])
    return float(np.median(np.mean(np.asarray(errors(keys))[:, case.burn_in :], axis=1)))


def _errors(case, cycle, members, delay, key):
    truth, values = case.truth(key)
    obs = case.observations()

    def advance(ensemble, now):
        number, value, true = now
        one = jax.random.fold_in(named_key(key, "analysis"), number)
        ensemble, mean = cycle(ensemble, obs.replace(value=value), one)
        return ensemble, jnp.sqrt(jnp.mean((mean - true) ** 2))

    ensemble = initial_ensemble(named_key(key, "members"), case.mean, case.std, members)
    # The first cycle starts from the beginning of the run, so a smoother waits for its lag.
    skipped = max(delay - 1, 0)
    numbers = jnp.arange(case.cycles)
    now = (numbers[skipped:], values[skipped:], truth[skipped:])
    return jax.lax.scan(advance, ensemble, now)[1]


def filtering(case, method):
    """Cycle of a filter: forecast, then analysis."""
    found = {}
    if hasattr(method, "neighbours"):
        found["neighbours"] = method.neighbours(case.observations())

    def cycle(ensemble, observations, key):
        background = case.advance(ensemble)
        ensemble = method.analyse(background, observations, key=key, **found).ensemble
        return ensemble, jnp.mean(ensemble, axis=0)

    return cycle


def smoothing(case, lag, **settings):
    """Cycle of an IEnKS: observations act over `lag` intervals, then the window moves by one."""
    method = IEnKS(case.model, lag * case.steps, observe_points, **settings)

    def cycle(ensemble, observations, key):
        found = method.analyse(ensemble, observations, Unforced(), key=key)
        return case.advance(found.start), jnp.mean(found.analysis.ensemble, axis=0)

    return cycle


def climatology(case, steps=20000, spin_up=1000):
    """Covariance ``(n, n)`` of the states of a long run of the model of a case."""
    first = initial_ensemble(named_key(0, "climatology"), case.mean, case.std)

    @jax.jit
    def states(state):
        state = jax.lax.fori_loop(0, spin_up, lambda _, x: case.model.step(x, None, None), state)
        later = jax.lax.scan(
            lambda x, _: (case.model.step(x, None, None),) * 2, state, length=steps
        )
        return later[1]

    return np.cov(np.asarray(states(first)).T)


def interpolating(case, share):
    """Cycle of a 3D-Var of one state, with a share of the climatological covariance."""
    covariance = MatrixCovariance.of(share * climatology(case))
    method = Var3D(case.model, covariance, 0, observe_points, Unbounded(), minimiser=ONCE)

    def cycle(state, observations, key):
        state = method.analyse(case.advance(state), observations).state
        return state, state

    return cycle


def sliding(case, lag, kind, covariance, **settings):
    """Cycle of a variational window of `lag` intervals, moved by one of them each time.

    The observations at the end of the window act on its start, as in `smoothing`: each is used
    once. Without members one state is cycled.
    """
    method = kind(case.model, covariance, lag * case.steps, observe_points, Unbounded(), **settings)
    end = np.full(case.mean.size, lag * case.steps * case.model.dt)

    def cycle(background, observations, key):
        observations = observations.replace(time=end)
        found = method.analyse(background, observations, Unforced(), key=key)
        if found.ensemble is None:
            return case.advance(found.state), found.final
        last = jax.lax.fori_loop(0, lag, lambda _, x: case.advance(x), found.ensemble)
        return case.advance(found.ensemble), jnp.mean(last, axis=0)

    return cycle


def milliseconds_per_cycle(case, cycle, members, repeats=3):
    """Wall time of a cycle of one run, without truth and compilation [ms]."""
    key = named_key(0, "twin")
    truth, values = eqx.filter_jit(case.truth)(key)
    obs = case.observations()

    @jax.jit
    def run(ensemble):
        def advance(ensemble, now):
            number, value = now
            return cycle(ensemble, obs.replace(value=value), jax.random.fold_in(key, number))

        return jax.lax.scan(advance, ensemble, (jnp.arange(case.cycles), values))[1]

    ensemble = initial_ensemble(named_key(key, "members"), case.mean, case.std, members)
    jax.block_until_ready(run(ensemble))
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        jax.block_until_ready(run(ensemble))
        times.append(time.perf_counter() - begin)
    return 1e3 * min(times) / case.cycles
