"""One assimilation cycle: members through a window, what was observed there, the analysis."""

import dataclasses
from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from floecast.core.errors import InputError
from floecast.core.shapes import roomy
from floecast.observation.observations import FLAGS, NO_OBSERVATION
from floecast.observation.operators import observe

from .analysis import Analysis, Status
from .asynchronous import Asynchronous, Runs, run_members
from .estimate import Variational
from .filter import along
from .members import Background
from .variational import AbstractVariational

UNCHANGED = (Status.NO_OBSERVATIONS, Status.TOO_FEW_MEMBERS, Status.NOT_FINITE)
"""Status of an analysis that hands back its background."""


class Cycled(eqx.Module):
    """What a cycle did.

    Parameters
    ----------
    analysis : Analysis
        At the end of the window: the background is that of the members run from its start, the
        ensemble that of the members given its observations. The next cycle begins with it.
    variational : Variational or None
        Of a variational method, at the start of the window.
    """

    analysis: Analysis
    variational: Variational | None


class Recentred(eqx.Module):
    """A variational analysis with the members of an ensemble filter about it.

    The filter gives the members their anomalies at the start of the window, at the cost of their
    runs alone; their mean in control variables is moved to the variational analysis. What the
    filter takes as covariance of the background is not what the analysis takes: for members that
    see the same one, and for several times the cost, there is `ReducedGain`.

    Parameters
    ----------
    variational : AbstractVariational
        Without members of its own.
    filter : Asynchronous
        Of the same window.
    """

    variational: AbstractVariational
    filter: Asynchronous

    def analyse(self, ensemble, runs, observations, forcing, *, start, key):
        """Variational analysis with an `ensemble` from the filter.

        Parameters
        ----------
        ensemble : pytree
            At `start`, leaves ``(member, ...)``.
        runs : Runs
            Of these members along the window.
        observations : Observations
            Seen by the runs; flags may have been set since.
        forcing, start, key
            As in the variational method.

        Returns
        -------
        Variational
        """
        control = self.variational.control
        given = ensemble
        if not self.variational.takes_ensemble:
            given = control.to_state(Background.of(control, ensemble).mean)
        first, second = jax.random.split(key)
        found = self.variational.analyse(given, observations, forcing, start=start, key=first)
        about = Background.of(control, self.filter.smooth(runs, observations, key=second))
        moved = control.to_state(
            jax.tree.map(
                lambda centre, anomaly: centre[None] + anomaly,
                found.control_variables,
                about.anomalies,
            )
        )
        good = about.good & (int(found.status) not in UNCHANGED)
        members = jax.tree.map(
            lambda new, old: jnp.where(along(good, new), new, old), moved, ensemble
        )
        return eqx.tree_at(
            lambda one: one.ensemble, found, members, is_leaf=lambda leaf: leaf is None
        )


def cycle(
    method,
    model,
    ensemble,
    observations,
    forcing,
    *,
    start,
    steps,
    key,
    control_forcing=None,
    check: Callable = lambda observations, equivalents: observations,
    operator: Callable = observe,
    batch=8,
):
    """Take an ensemble through a window and give it what was observed there.

    Parameters
    ----------
    method : Asynchronous, Recentred, variational method with members, or None
        None leaves the ensemble alone: a free run, which is still held against the observations.
    model : Model
        That carries the members; it may draw noise.
    ensemble : pytree
        At `start`, leaves ``(member, y, x)``.
    observations : Observations
    forcing : forcing, or sequence of forcings
        One for all members, or one for each.
    start : int
        [s]
    steps : int
        Length of the window in steps of the model.
    key : key
    control_forcing : forcing, optional
        Of the one run that a variational method linearises about; `forcing` if left out, which is
        one for all then.
    check : callable
        ``check(observations, equivalents) -> observations`` with flags, given what the background
        ``(member, p)`` shows of each.
    operator : callable
        ``operator(state, observations) -> (p,)``.
    batch : int
        Members run at a time.

    Returns
    -------
    Cycled
        Where nothing could be analysed the ensemble is that of the background, to the bit, and
        its status says why.

    Raises
    ------
    InputError
        If a method has another window, or a variational one no members or several forcings; see
        also `run_members`.

    Notes
    -----
    The noise of a member is the same before and after a variational analysis, so that what differs
    is the state at the start.
    """
    _check(method, steps * model.dt, forcing if control_forcing is None else control_forcing)
    runs_key, analysis_key = jax.random.split(key)
    # Cycles differ in what was observed: with room to spare few of them are compiled anew.
    count = observations.size
    observations = padded(observations, roomy(count))

    def run(ensemble):
        return run_members(
            model,
            ensemble,
            observations,
            forcing,
            start=start,
            steps=steps,
            key=runs_key,
            operator=operator,
            batch=batch,
        )

    runs = run(ensemble)
    # What was observed at the start belongs to the window before, which it ended.
    early = np.asarray(observations.time) < start + model.dt / 2
    outside = (early | ~runs.plan.inside) & (np.asarray(observations.flag) == 0)
    flag = np.where(outside, FLAGS["outside_window"], np.asarray(observations.flag))
    observations = dataclasses.replace(observations, flag=flag)
    checked = check(observations, jnp.where(runs.good[:, None], runs.equivalents, jnp.nan))
    if isinstance(method, Asynchronous):
        return Cycled(first(count, method.update(runs, checked, key=analysis_key)), None)
    if method is None:
        return Cycled(first(count, _background(runs, checked)), None)
    weather = forcing if control_forcing is None else control_forcing
    if isinstance(method, Recentred):
        found = method.analyse(ensemble, runs, checked, weather, start=start, key=analysis_key)
    else:
        found = method.analyse(ensemble, checked, weather, start=start, key=analysis_key)
    unchanged = int(found.status) in UNCHANGED
    later = runs if unchanged else run(found.ensemble)
    good = runs.good & later.good
    analysis = Analysis(
        ensemble=later.last,
        background=runs.last,
        observations=checked,
        equivalents=jnp.where(good[:, None], later.equivalents, jnp.nan),
        background_equivalents=jnp.where(good[:, None], runs.equivalents, jnp.nan),
        member_status=jnp.where(good, Status.GOOD, Status.MEMBER_NOT_FINITE),
        status=found.status,
    )
    return Cycled(first(count, analysis), found)


def _check(method, seconds, weather):
    """Refuse a method that does not go with the window or the weather."""
    if isinstance(method, AbstractVariational) and method.members is None:
        raise InputError(
            f"{type(method).__name__} has no members to go on with; give it members=ReducedGain()"
        )
    parts = [method.variational, method.filter] if isinstance(method, Recentred) else [method]
    for part in parts:
        if part is None:
            continue
        if part.window * part.model.dt != seconds:
            raise InputError(
                f"the window of {type(part).__name__} is {part.window * part.model.dt} s long and "
                f"that of the cycle {seconds} s"
            )
        if isinstance(part, AbstractVariational) and isinstance(weather, Sequence):
            raise InputError(
                f"{type(part).__name__} runs in one weather; give cycle a control_forcing="
            )


def padded(observations, size):
    """Observations with more at their end, up to a size, which have a flag and count for nothing.

    Parameters
    ----------
    observations : Observations
        Or any data class of arrays along p with ``error_std`` and ``flag``.
    size : int
    """
    more = ((0, size - observations.size),)

    def wider(name):
        field = np.asarray(getattr(observations, name))
        fill = {"error_std": 1, "flag": NO_OBSERVATION}.get(name, 0)
        return np.pad(field, more + ((0, 0),) * (field.ndim - 1), constant_values=fill)

    names = [field.name for field in dataclasses.fields(observations)]
    return dataclasses.replace(observations, **{name: wider(name) for name in names})


def first(count, analysis):
    """The analysis with its first observations, without what `padded` filled them up with."""
    return dataclasses.replace(
        analysis,
        observations=jax.tree.map(lambda field: field[:count], analysis.observations),
        equivalents=analysis.equivalents[:, :count],
        background_equivalents=analysis.background_equivalents[:, :count],
    )


def _background(runs: Runs, observations):
    seen = jnp.where(runs.good[:, None], runs.equivalents, jnp.nan)
    return Analysis(
        ensemble=runs.last,
        background=runs.last,
        observations=observations,
        equivalents=seen,
        background_equivalents=seen,
        member_status=jnp.where(runs.good, Status.GOOD, Status.MEMBER_NOT_FINITE),
        status=jnp.asarray(Status.NO_OBSERVATIONS),
    )
