"""Ensemble filters along a window: observations of any time in it correct its end."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from floecast.core.ensemble import count, healthy, stack
from floecast.core.errors import InputError
from floecast.core.model import Model, check_run
from floecast.core.rollout import start_of
from floecast.observation.observations import FLAGS

from .analysis import Analysis
from .filter import AbstractFilter, along
from .window import Schedule, Window, schedule


class Runs(eqx.Module):
    """Members along a window.

    Parameters
    ----------
    states : pytree
        Leaves ``(member, y, x, steps + 1)``, of the start first.
    equivalents : (member, p) array
        Of the observations, each at its time; 0 for those outside of the window.
    good : (member,) bool array
        Members whose states are finite all along.
    plan : Schedule
    """

    states: PyTree
    equivalents: Float[Array, "member p"]
    good: Bool[Array, " member"]
    plan: Schedule

    @property
    def first(self):
        """Ensemble at the start, leaves ``(member, y, x)``."""
        return jax.tree.map(lambda leaf: leaf[..., 0], self.states)

    @property
    def last(self):
        """Ensemble at the end."""
        return jax.tree.map(lambda leaf: leaf[..., -1], self.states)


def run_members(model, ensemble, observations, forcing, *, start, steps, key, operator, batch=8):
    """Run members through a window, each in its own weather and with its own noise.

    Parameters
    ----------
    model : Model
    ensemble : pytree
        At `start`, leaves ``(member, y, x)``.
    observations : Observations
    forcing : forcing, or sequence of forcings
        One for all members, or one for each.
    start : int
        [s]
    steps : int
    key : key
        Member m draws from ``fold_in(key, m)``.
    operator : callable
        ``operator(state, observations) -> (p,)``.
    batch : int
        Members run at a time; bounds the memory.

    Returns
    -------
    Runs

    Raises
    ------
    InputError
        If the number of forcings is not that of the members, or the model refuses its input.
    """
    members = count(ensemble)
    own = isinstance(forcing, Sequence)
    if own and len(forcing) != members:
        raise InputError(f"{len(forcing)} forcings for {members} members; give one, or one each")
    for each in forcing if own else [forcing]:
        check_run(model, ensemble, each, start, start + steps * model.dt)
    plan = schedule(observations, start, model.dt, steps)
    forcing = stack(forcing) if own else forcing
    keys = jax.vmap(lambda number: jax.random.fold_in(key, number))(jnp.arange(members))
    window = Window(model, operator, None, steps)
    start = jnp.asarray(start)
    found = _run(window, ensemble, observations, plan, forcing, own, start, keys, batch)
    return Runs(*found, plan)


@eqx.filter_jit
def _run(window, ensemble, observations, plan, forcing, own, start, keys, batch):
    def one(given):
        state, key, weather = given
        weather = weather if own else forcing
        states, _ = window.run(state, weather, start, key, lambda state, step: _shared(state))
        return states

    states = jax.lax.map(one, (ensemble, keys, forcing if own else keys), batch_size=batch)
    good = healthy(states)
    states = jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 1, -1), states)
    return states, equivalents_along(window, states, observations, plan), good


def equivalents_along(window, states, observations, plan):
    """Equivalents ``(member, p)`` of the observations in members along a window.

    Parameters
    ----------
    window : Window
    states : pytree
        Leaves ``(member, y, x, steps + 1)``.
    observations : Observations
    plan : Schedule
    """
    seen = window.observed(observations, plan)

    def of_member(states):
        def at(step):
            return seen(jax.tree.map(lambda leaf: leaf[..., step], states), step)

        return window.gathered(jax.lax.map(at, jnp.arange(window.steps + 1)), plan)

    return jax.lax.map(of_member, states)


class Asynchronous(eqx.Module):
    """An ensemble filter for the observations of a whole window at once.

    Every member runs through the window and is observed on its way. The covariances between what
    was observed on the way and the state at the end are those of the runs, so that what weather
    and noise of each member did until then is corrected too.

    Parameters
    ----------
    filter : AbstractFilter
    model : Model
    window : int
        Length in model steps; 0 is one instant.
    batch : int
        Members run at a time.

    References
    ----------
    Hunt, B. R., et al. (2004). Four-dimensional ensemble Kalman filtering. Tellus A, 56, 273-277.
    Sakov, P., Evensen, G., and Bertino, L. (2010). Asynchronous data assimilation with the EnKF.
    Tellus A, 62, 24-29.
    """

    filter: AbstractFilter
    model: Model
    window: int = eqx.field(static=True, default=0)
    batch: int = eqx.field(static=True, default=8)

    def analyse(self, ensemble, observations, forcing=None, *, start=None, key=None):
        """Ensemble at the end of a window given the observations in it.

        Parameters
        ----------
        ensemble : pytree
            At `start`, leaves ``(member, y, x)``.
        observations : Observations
            Those with a flag or outside of the window are ignored.
        forcing : forcing, or sequence of forcings
            One for all members, or one for each; not needed where the window is one instant.
        start : int, optional
            [s]; ``forcing.start`` if left out.
        key : key
            For the model and for filters that draw; not needed where the window is one instant.

        Returns
        -------
        Analysis
            At the end of the window; `equivalents` are those along it.

        Raises
        ------
        InputError
            If there is no forcing or key where one is needed; see also `run_members`.
        """
        if self.window and (forcing is None or key is None):
            raise InputError("a window needs a forcing and a key=; give both to analyse")
        if start is None:
            start = 0 if forcing is None else start_of(_first(forcing))
        runs = run_members(
            self.model,
            ensemble,
            observations,
            forcing,
            start=start,
            steps=self.window,
            key=jax.random.key(0) if key is None else key,
            operator=self.filter.operator,
            batch=self.batch,
        )
        return self.update(runs, observations, key=key)

    def update(self, runs, observations, *, key=None):
        """`analyse` of members that were run before.

        Parameters
        ----------
        runs : Runs
        observations : Observations
            Those that the runs have seen; flags may have been set since.
        key : key, optional
            For filters that draw.

        Returns
        -------
        Analysis
        """
        analysis = self._along(runs, observations, key)
        window = Window(self.model, self.filter.operator, None, self.window)
        after = _after(window, analysis.ensemble, observations, runs)
        return Analysis(
            ensemble=jax.tree.map(lambda leaf: leaf[..., -1], analysis.ensemble),
            background=runs.last,
            observations=observations,
            equivalents=after,
            background_equivalents=jnp.where(runs.good[:, None], runs.equivalents, jnp.nan),
            member_status=analysis.member_status,
            status=analysis.status,
        )

    def smooth(self, runs, observations, *, key=None):
        """Members at the start of the window given the observations in it.

        Parameters
        ----------
        runs, observations, key
            As in `update`.

        Returns
        -------
        pytree
            States, leaves ``(member, ...)``.
        """
        states = self._along(runs, observations, key).ensemble
        return jax.tree.map(lambda leaf: leaf[..., 0], states)

    def _along(self, runs, observations, key):
        """`Analysis` of the states of all steps."""
        outside = ~jnp.asarray(runs.plan.inside) & (jnp.asarray(observations.flag) == 0)
        flag = jnp.where(outside, FLAGS["outside_window"], jnp.asarray(observations.flag))
        known = eqx.tree_at(lambda every: every.flag, observations, flag)
        return self.filter.analyse_seen(runs.states, runs.equivalents, known, key=key)


@eqx.filter_jit
def _after(window, states, observations, runs):
    states = jax.tree.map(lambda leaf: jnp.where(along(runs.good, leaf), leaf, 0), states)
    after = equivalents_along(window, states, observations, runs.plan)
    return jnp.where(runs.good[:, None], after, jnp.nan)


def _first(forcing):
    return forcing[0] if isinstance(forcing, Sequence) else forcing


def _shared(state):
    """What every model shares of its state."""
    ice = getattr(state, "ice", None)
    return state if ice is None else ice()
