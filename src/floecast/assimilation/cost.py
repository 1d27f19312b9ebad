"""Variational cost functions of a control vector, and what is linear about them."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from .covariance import AbstractCovariance, EnsembleCovariance
from .filter import split
from .misfit import AbstractMisfit
from .window import Schedule, Window, free_of


class Linear(NamedTuple):
    """A cost near one control vector.

    Parameters
    ----------
    residual, weight : (p,) array
        Of the observations.
    forward : callable
        Change of the residuals by a change of the control vector, both flat.
    backward : callable
        Its transpose.
    members : callable
        ``members(anomalies, errors, good, batch)``: changes of the residuals ``(member, p)`` by
        anomalies of the control variables of the start and of the errors of the model; 0 for
        members that are not good.
    """

    residual: Array
    weight: Array
    forward: Callable
    backward: Callable
    members: Callable


class Propagated(eqx.Module):
    """Equivalents by running the model from a changed start, under changed errors.

    ``errors`` are those of the background, 0 if left out.
    """

    window: Window
    free: PyTree
    plan: Schedule
    forcing: PyTree
    start: Array
    key: Array
    errors: PyTree = None

    def __call__(self, increments, observations):
        """Equivalents ``(p,)`` of an increment of the start and of errors of the model."""
        change, errors = increments
        if self.errors is not None:
            errors = jax.tree.map(jnp.add, self.errors, errors)
        state = self.window.control.to_state(jax.tree.map(jnp.add, self.free, change))
        seen = self.window.observed(observations, self.plan)
        found, _ = self.window.run(state, self.forcing, self.start, self.key, seen, errors)
        return self.window.gathered(found, self.plan)


class Carried(eqx.Module):
    """Equivalents of an increment that stays the same along a given trajectory.

    ``trajectory`` are the control variables of the background at each step.
    """

    window: Window
    trajectory: PyTree
    plan: Schedule

    def __call__(self, increments, observations):
        """Equivalents ``(p,)`` of an increment."""
        seen = self.window.observed(observations, self.plan)

        def at(number):
            now = jax.tree.map(lambda leaf, d: leaf[number] + d, self.trajectory, increments[0])
            return seen(self.window.control.to_state(now), number)

        found = jax.lax.map(at, jnp.arange(self.window.steps + 1))
        return self.window.gathered(found, self.plan)


def background_trajectory(window, free, forcing, start, key):
    """Control variables of the background at each step of a window, leaves ``(steps + 1, ...)``."""

    def seen(state, step):
        return free_of(window.control, state)

    return window.run(window.control.to_state(free), forcing, start, key, seen)[0]


class EnsembleSlope(eqx.Module):
    """Derivative of the equivalents as an ensemble sees it, without that of the model.

    Parameters
    ----------
    predict : Propagated
    covariance : EnsembleCovariance
        With one block.
    place : (p,) int array
        Column at which the localisation of each observation is taken, as a flat index.
    batch : int
        Members run at a time.

    Notes
    -----
    The ensemble is run anew around each guess. Its localisation is the same at all times: it does
    not move with the flow.
    """

    predict: Propagated
    covariance: EnsembleCovariance
    place: Array
    batch: int = eqx.field(static=True)

    def own(self, increments, observations):
        """Anomalies of the equivalents of the covariance's members, ``(member, p)``."""
        good = self.covariance.good
        # Anomalies are kept divided by this root.
        root = jnp.sqrt(jnp.maximum(jnp.sum(good) - 1, 1))
        whole = jax.tree.map(lambda a: root.astype(a.dtype) * a, self.covariance.anomalies)
        return self.members(increments, observations, whole, good) / root

    def members(self, increments, observations, anomalies, good):
        """Anomalies of the equivalents of members with anomalies about a guess, ``(member, p)``."""
        change, errors = increments

        def run(anomaly):
            return self.predict((jax.tree.map(jnp.add, change, anomaly), errors), observations)

        found = jax.lax.map(run, anomalies, batch_size=self.batch)
        return split(found, good)[1]

    def forward(self, anomalies, control):
        """Change of the equivalents by a control vector."""
        ((block, weights),) = control.items()
        root = self.covariance.taper(block)
        if root is None:
            return weights @ anomalies
        fields = jax.vmap(root.apply)(weights)
        fields = fields.reshape(fields.shape[0], -1)[:, self.place]
        return jnp.sum(fields * anomalies, axis=0)


def heaviest_cell(observations):
    """Cell with the largest share in the footprint of each observation.

    Parameters
    ----------
    observations : Observations

    Returns
    -------
    (p,) int array
        Index of the cell, x fastest.
    """
    weight = jnp.asarray(observations.weight)
    return jnp.take_along_axis(
        jnp.asarray(observations.cell), jnp.argmax(weight, axis=1)[:, None], axis=1
    )[:, 0]


class Cost(eqx.Module):
    """``J = |chi|^2 / 2 + sum rho(residual)`` of a flat control vector.

    Parameters
    ----------
    covariance : AbstractCovariance
        Of the state at the start, in control variables.
    window : Window
    predict : callable
        ``predict((increment, errors), observations) -> (p,)``.
    misfit : AbstractMisfit
    observations : Observations
    used : (p,) bool array
        Observations that count.
    slope : EnsembleSlope, optional
        In place of the derivative of `predict`.
    """

    covariance: AbstractCovariance
    window: Window
    predict: Callable
    misfit: AbstractMisfit
    observations: PyTree
    used: Bool[Array, " p"]
    slope: EnsembleSlope | None = None

    def zero(self):
        """Flat control vector of the background, and the way to its parts."""
        errors = self.window.errors
        parts = (self.covariance.zero(), None if errors is None else errors.zero(self.window.steps))
        return self.covariance.flat(parts)

    def increments(self, flat):
        """Increment of the start, and errors of the model; linear."""
        state, errors = self.zero()[1](flat)
        found = None if errors is None else self.window.errors.along(errors)
        return self.covariance.root(state), found

    def residual(self, increments):
        """Residuals ``(p,)``, 0 for what does not count."""
        return self._held_against(self.predict(increments, self.observations))

    def parts(self, flat) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Background and observation term of the cost."""
        observed = self.misfit.cost(self.residual(self.increments(flat)))
        return 0.5 * flat @ flat, jnp.sum(jnp.where(self.used, observed, 0.0))

    def linearise(self, flat):
        """The cost near a control vector."""
        at = self.increments(flat)
        if self.slope is None:
            residual, push = jax.linearize(self.residual, at)

            def forward(change):
                return push(self.increments(change))

            def members(anomalies, errors, good, batch):
                return jax.lax.map(push, (anomalies, errors), batch_size=batch)

        else:
            equivalents = self.predict(at, self.observations)
            residual, push = jax.linearize(self._held_against, equivalents)
            own = self.slope.own(at, self.observations)

            def forward(change):
                return push(self.slope.forward(own, self.zero()[1](change)[0]))

            def members(anomalies, errors, good, batch):
                return jax.vmap(push)(self.slope.members(at, self.observations, anomalies, good))

        transpose = jax.linear_transpose(forward, flat)
        weight = jnp.where(self.used, self.misfit.weight(residual), 0.0)
        return Linear(residual, weight, forward, lambda pull: transpose(pull)[0], members)

    def _held_against(self, equivalents):
        residual = self.misfit.residual(equivalents, self.observations)
        return jnp.where(self.used, residual, 0.0)


def cleaned(observations, inside, equivalents):
    """Observations of which those that do not count do no harm, and which ones count."""
    value, error = jnp.asarray(observations.value), jnp.asarray(observations.error_std)
    used = inside & (jnp.asarray(observations.flag) == 0) & jnp.isfinite(equivalents)
    used = used & jnp.isfinite(value) & jnp.isfinite(error) & (error > 0)
    if not used.size:
        return observations, used
    # In place of the others stands one that counts: operators may have no finite derivative there.
    source = jnp.where(used, jnp.arange(used.size), jnp.argmax(used))
    clean = eqx.tree_at(
        lambda every: (every.value, every.error_std, every.group),
        jax.tree.map(lambda field: jnp.asarray(field)[source], observations),
        (
            jnp.where(used, value, jnp.nan_to_num(equivalents)),
            jnp.where(used, error, 1.0),
            jnp.where(used, jnp.asarray(observations.group), 0),
        ),
    )
    return clean, used
