"""The window of an analysis: observations put to model steps, and the model run past them."""

import abc
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int, PyTree

from floecast.core.errors import InputError
from floecast.core.model import started
from floecast.core.shapes import roomy

from .bounds import AbstractControl
from .covariance import AbstractCovariance


class Schedule(eqx.Module):
    """Observations by the model steps that they belong to.

    Parameters
    ----------
    index : (steps + 1, most) int array
        Observations of each step, of the start first; padded with 0.
    place : (p, k) int array
        Where each stands in the flat `index`, once for each of its steps.
    weight : (p, k) array
        Share of each of these steps; the sum over k is 1, or 0 outside of the window.
    inside : (p,) bool array
        Observations that lie in the window.
    """

    index: Int[np.ndarray, "steps most"]
    place: Int[np.ndarray, "p k"]
    weight: Float[np.ndarray, "p k"]
    inside: Bool[np.ndarray, " p"]


def schedule(observations, start, dt, steps):
    """Put observations to the steps of a window.

    Parameters
    ----------
    observations : Observations
        Or anything with ``time`` [s] and, where they are means over time, ``span`` [s]; neither is
        traced.
    start : int
        Of the window [s].
    dt : int
        Of a model step [s].
    steps : int
        Length of the window in model steps.

    Returns
    -------
    Schedule
        Observations whose centre is more than half a step outside of the window belong to none.

    Notes
    -----
    An observation with a span of at most one step belongs to the nearest step. One with a longer
    span is the mean over the steps of its span: each step stands for the time half a step around
    it, and its weight is the part of the span in that time. A span of one day around a step of 12
    hours has the weights 1/4, 1/2, 1/4, which is the trapezoidal rule. Of a span that reaches
    beyond the window only the part inside is averaged. The centre alone decides to which of two
    windows that meet an observation belongs; one within half a step of where they meet is inside
    both, and `cycle` gives it to the one that ends there.

    What is averaged are the equivalents. So every hour of a merged thickness counts the same,
    whatever the concentration, though an altimeter has more samples where there is more ice. The
    drift of one or two days becomes the mean velocity at one place: that the ice has moved on
    meanwhile, by some 10 km a day, is neglected, which is little for products that see 60 km.
    """
    time = np.asarray(observations.time)
    span = np.broadcast_to(np.asarray(getattr(observations, "span", 0)), time.shape)
    # Halves go to the later step.
    nearest = np.floor((time - int(start)) / dt + 0.5).astype(int)
    inside = (nearest >= 0) & (nearest <= steps)
    observation, step, share = _steps_of(
        nearest, (time - int(start)) / dt, np.where(span > dt, span / dt, 0.0), steps
    )
    kept = inside[observation] & (share > 0)
    observation, step, share = observation[kept], step[kept], share[kept]
    order = np.argsort(step, kind="stable")
    count = np.bincount(step, minlength=steps + 1)
    index = np.zeros((steps + 1, roomy(count.max(initial=1))), int)
    slot = np.zeros(step.size, int)
    slot[order] = _rank(count) + step[order] * index.shape[1]
    index.reshape(-1)[slot] = observation
    # Observations come in their order, with their steps one after the other.
    count = np.bincount(observation, minlength=time.size)
    place = np.zeros((time.size, roomy(count.max(initial=1))), int)
    weight = np.zeros(place.shape)
    column = _rank(count)
    place[observation, column], weight[observation, column] = slot, share
    total = weight.sum(axis=1, keepdims=True)
    return Schedule(index, place, weight / np.where(total > 0, total, 1.0), inside)


def _steps_of(nearest, centre, length, steps):
    """Observation, step and part of the step for all pairs of them; times in steps."""
    extended = length > 0
    begin, end = centre - length / 2, centre + length / 2
    first = np.where(extended, np.floor(begin + 0.5), nearest).astype(int)
    last = np.where(extended, np.ceil(end - 0.5), nearest).astype(int)
    first, last = np.clip(first, 0, steps), np.clip(last, 0, steps)
    count = last - first + 1
    observation = np.repeat(np.arange(nearest.size), count)
    step = np.repeat(first, count) + _rank(count)
    share = np.ones(step.size)
    some = extended[observation]
    one = observation[some]
    share[some] = np.minimum(end[one], step[some] + 0.5) - np.maximum(begin[one], step[some] - 0.5)
    return observation, step, share


def _rank(count):
    """0, 1, ... for the members of each of several groups that follow each other."""
    return np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)


class AbstractModelError(eqx.Module):
    """Errors of a model along the window, which an analysis may find beside the initial state.

    The control vector of these errors has one part for each block of steps.
    """

    covariance: eqx.AbstractVar[AbstractCovariance]
    block: eqx.AbstractVar[int]
    persistence: eqx.AbstractVar[float]

    @abc.abstractmethod
    def step(self, model, state, forcing, key, error):
        """State one step later with an error."""

    def zero(self, steps):
        """Control vector for a window of so many steps."""
        blocks = max(1, -(-steps // self.block))
        return jax.tree.map(
            lambda leaf: jnp.zeros((blocks, *leaf.shape), leaf.dtype), self.covariance.zero()
        )

    def along(self, control):
        """Errors of each block, leaves ``(blocks, ...)``: a first-order autoregressive series."""
        rough = jax.vmap(self.covariance.root)(control)
        blocks = jax.tree.leaves(control)[0].shape[0]
        lag = np.abs(np.subtract.outer(np.arange(blocks), np.arange(blocks)))
        # The last column of the root vanishes for one bias along the whole window.
        root = _autoregressive_root(blocks, self.persistence, lag)
        return jax.tree.map(
            lambda leaf: jnp.tensordot(jnp.asarray(root, leaf.dtype), leaf, axes=1), rough
        )


class ForcingError(AbstractModelError):
    """Errors of the forcing.

    Parameters
    ----------
    covariance : AbstractCovariance
        Of what `add` adds.
    block : int
        Steps with the same error.
    persistence : float
        Correlation in [0, 1] between the errors of neighbouring blocks; 1 is one bias for the whole
        window.
    add : callable
        ``add(forcing, error) -> forcing``, for the forcing of one step. By default the sum, leaf by
        leaf.
    """

    covariance: AbstractCovariance
    block: int = eqx.field(static=True, default=1)
    persistence: float = eqx.field(static=True, default=0.0)
    add: Callable = eqx.field(
        static=True, default=lambda forcing, error: jax.tree.map(jnp.add, forcing, error)
    )

    def __check_init__(self):
        _check_series(self.block, self.persistence)

    def step(self, model, state, forcing, key, error):
        """The model under a changed forcing."""
        return model.step(state, self.add(forcing, error), key)


class StateError(AbstractModelError):
    """Errors added to the state after each step, in control variables, so that bounds hold.

    Parameters
    ----------
    covariance : AbstractCovariance
        Of the error of one step.
    control : AbstractControl
    block, persistence
        As in `ForcingError`.
    """

    covariance: AbstractCovariance
    control: AbstractControl
    block: int = eqx.field(static=True, default=1)
    persistence: float = eqx.field(static=True, default=0.0)

    def __check_init__(self):
        _check_series(self.block, self.persistence)

    def step(self, model, state, forcing, key, error):
        """The model, and then the error."""
        free = free_of(self.control, model.step(state, forcing, key))
        return self.control.to_state(jax.tree.map(jnp.add, free, error))


class NoiseError(AbstractModelError):
    """The noise of a model that draws its own, found in place of drawn.

    Parameters
    ----------
    covariance : AbstractCovariance
        Of the noise, a standard normal one as a rule.
    advance : callable
        ``advance(model, state, forcing, key, noise) -> state``.
    block, persistence
        As in `ForcingError`.
    """

    covariance: AbstractCovariance
    advance: Callable = eqx.field(static=True)
    block: int = eqx.field(static=True, default=1)
    persistence: float = eqx.field(static=True, default=0.0)

    def __check_init__(self):
        _check_series(self.block, self.persistence)

    def step(self, model, state, forcing, key, error):
        """The model with this noise."""
        return self.advance(model, state, forcing, key, error)


def free_of(control, state):
    """Control variables of one state, which has no member axis."""
    one = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], state)
    return jax.tree.map(lambda leaf: leaf[0], control.to_control(one))


class Window(eqx.Module):
    """The model along a window, as seen by the observations.

    Parameters
    ----------
    model : Model
    operator : callable
        ``operator(state, observations) -> (p,)``.
    control : AbstractControl
    steps : int
        Length in model steps; 0 is one instant.
    checkpoint : int
        Steps between the states that the reverse pass keeps. Memory of a derivative is that of
        ``steps / checkpoint + checkpoint`` states and of what one step needs. With 0 nothing is
        made anew: fastest, and every value of every step is kept.
    errors : AbstractModelError, optional

    Raises
    ------
    InputError
        If `steps` is negative or no multiple of `checkpoint`.
    """

    model: PyTree
    operator: Callable
    control: AbstractControl
    steps: int = eqx.field(static=True)
    checkpoint: int = eqx.field(static=True, default=1)
    errors: AbstractModelError | None = None

    def __check_init__(self):
        if self.steps < 0 or self.checkpoint < 0:
            raise InputError(
                f"a window has steps of a positive number, not {self.steps}, and checkpoint "
                f"{self.checkpoint} may not be negative"
            )
        if self.checkpoint and self.steps % self.checkpoint:
            raise InputError(
                f"the window ({self.steps} steps) must be a multiple of checkpoint "
                f"({self.checkpoint})"
            )

    def run(self, state, forcing, start, key, seen, errors=None):
        """States at each step, as something sees them.

        Parameters
        ----------
        state : pytree
            At `start`.
        forcing : Forcing or anything with ``between(start, end)``
        start : int
            [s]
        key : key
            As in `rollout`.
        seen : callable
            ``seen(state, step) -> pytree``.
        errors : pytree, optional
            Of the model, leaves ``(blocks, ...)``.

        Returns
        -------
        seen : pytree
            Leaves ``(steps + 1, ...)``.
        final : pytree
            State at the end.
        """
        first = seen(state, 0)
        if not self.steps:
            return jax.tree.map(lambda leaf: leaf[None], first), state
        dt = self.model.dt
        state = started(self.model, state, forcing.between(start, start + dt))

        def advance(state, number):
            time = start + number * dt
            now, step_key = forcing.between(time, time + dt), jax.random.fold_in(key, time // dt)
            if errors is None:
                state = self.model.step(state, now, step_key)
            else:
                error = jax.tree.map(lambda leaf: leaf[number // self.errors.block], errors)
                state = self.errors.step(self.model, state, now, step_key, error)
            return state, seen(state, number + 1)

        if not self.checkpoint:
            final, later = jax.lax.scan(advance, state, jnp.arange(self.steps))
        else:
            numbers = jnp.arange(self.steps).reshape(-1, self.checkpoint)
            inner = jax.checkpoint(advance) if self.checkpoint > 1 else advance
            block = jax.checkpoint(lambda state, some: jax.lax.scan(inner, state, some))
            final, later = jax.lax.scan(block, state, numbers)
            later = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), later)
        both = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), first, later)
        return both, final

    def observed(self, observations, plan):
        """What `run` shall see: the equivalents of the observations of each step."""
        if not plan.place.size:
            return lambda state, step: jnp.zeros(1)
        some = jax.tree.map(lambda field: jnp.asarray(field)[plan.index], observations)

        def seen(state, step):
            return self.operator(state, jax.tree.map(lambda field: field[step], some))

        return seen

    def gathered(self, by_step, plan):
        """Equivalents in the order of the observations; 0 for those outside of the window."""
        weight = jnp.asarray(plan.weight).astype(by_step.dtype)
        # What stands at a place that is not needed may be infinite.
        parts = jnp.where(weight > 0, by_step.reshape(-1)[plan.place], 0.0)
        return jnp.sum(weight * parts, axis=1)


def _autoregressive_root(blocks, persistence, lag):
    if persistence == 1:
        root = np.zeros((blocks, blocks))
        root[:, 0] = 1
        return root
    return np.linalg.cholesky(float(persistence) ** lag)


def _check_series(block, persistence):
    if block < 1 or not 0 <= persistence <= 1:
        raise InputError(
            f"errors of the model need a block of at least one step, not {block}, and a "
            f"persistence in [0, 1], not {persistence}"
        )
