"""Running a model forward: in memory and differentiable, or streamed."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PyTree

from . import display
from .calendar import iso
from .errors import InputError
from .model import check_run, started
from .state import field_facts, field_pictures


class Trajectory(eqx.Module):
    """States along time.

    Parameters
    ----------
    time : (time,) int array
        Seconds since 2000-01-01.
    state : pytree
        Leaves ``(time, ...)``: the saved states, or what was observed of them.
    final : pytree
        The whole state at the last time, to go on from.
    """

    time: Int[Array, " time"]
    state: PyTree
    final: PyTree

    def __repr__(self):
        return display.text(self)

    def _repr_html_(self):
        return display.page(self)

    def _card(self):
        time = np.asarray(self.time)
        facts = [("times", "none")]
        if time.size:
            facts = [("times", f"{time.shape[-1]}, {iso(time.min())} to {iso(time.max())}")]
        if hasattr(self.state, "fields"):
            # A run that was mapped has its members before its times.
            names = ("members",) * (time.ndim - 1) + ("times", "members")
            return display.Card("Trajectory", facts + field_facts(self.state, names))
        shapes = ", ".join(str(np.shape(leaf)) for leaf in jax.tree.leaves(self.state))
        return display.Card("Trajectory", [*facts, ("arrays", shapes)])

    def _pictures(self):
        """Means over all that is saved."""
        return field_pictures(self.state) if hasattr(self.state, "fields") else []


def start_of(forcing):
    """First time of a forcing; an InputError for weather that has none."""
    start = getattr(forcing, "start", None)
    if start is None:
        raise InputError("this forcing has no first time; say when the run starts: start=")
    return start


def whole_seconds(start):
    """The start of a run as an integer array; an InputError for what is no whole number."""
    if not isinstance(start, jax.core.Tracer):
        start = np.asarray(start)
    if start.shape or not jnp.issubdtype(start.dtype, jnp.integer):
        raise InputError(
            f"the start of a run is {start!s}; expected whole seconds since 2000-01-01, as "
            "fc.to_seconds gives them"
        )
    return jnp.asarray(start)


def rollout(model, state, forcing, steps, *, key, start=None, save_every=1, observe=None):
    """Run a model forward, keeping the trajectory in memory.

    Parameters
    ----------
    model : Model
    state : pytree
        At `start`; if it lacks what the model remembers, `model.started` adds it.
    forcing : Forcing or anything with ``between(start, end)``
    steps : int
        Number of steps; a multiple of `save_every`.
    key : key
        Randomness; step number n of the run uses ``fold_in(key, n)`` with n counted from the
        epoch in units of ``model.dt``, so that a run cut in two draws what the whole one draws.
    start : int, optional
        Seconds since 2000-01-01; ``forcing.start`` if left out.
    save_every : int
        Steps between saved states. Only these, and none between, are kept for the reverse pass:
        memory of a gradient is that of ``steps / save_every + save_every`` states.
    observe : callable, optional
        Applied to each saved state; what it returns is saved in its place.

    Returns
    -------
    Trajectory
        The states after each `save_every` steps; the one at `start` is not among them.

    Raises
    ------
    InputError
        If `steps` is not a positive multiple of `save_every`, `start` is no whole number, or the
        model refuses its input.
    """
    if steps < 1 or save_every < 1 or steps % save_every:
        raise InputError(
            f"steps ({steps}) must be a positive multiple of save_every ({save_every})"
        )
    start = whole_seconds(start_of(forcing) if start is None else start)
    check_run(model, state, forcing, start, start + steps * model.dt)
    state = started(model, state, forcing.between(start, start + model.dt))
    return _scan(model, state, forcing, steps // save_every, save_every, key, start, observe)


@eqx.filter_jit
def _scan(model, state, forcing, blocks, save_every, key, start, observe):
    def advance(state, time):
        step_key = jax.random.fold_in(key, time // model.dt)
        return model.step(state, forcing.between(time, time + model.dt), step_key), None

    @jax.checkpoint
    def block(state, begin):
        times = begin + model.dt * jnp.arange(save_every)
        state, _ = jax.lax.scan(advance, state, times)
        return state, state if observe is None else observe(state)

    begins = start + model.dt * save_every * jnp.arange(blocks)
    final, saved = jax.lax.scan(block, state, begins)
    return Trajectory(begins + model.dt * save_every, saved, final)


def stream(
    model,
    state,
    forcing,
    steps,
    *,
    key,
    sink: Callable[[np.ndarray, PyTree], None],
    block,
    start=None,
    save_every=1,
    observe=None,
):
    """Run a model forward, handing the trajectory to a sink block by block.

    Parameters
    ----------
    model, state, forcing, steps, key
        As in `rollout`; the states handed over are the same to the bit.
    sink : callable
        ``sink(times, states)`` with NumPy leaves ``(time, ...)``; called once a block.
    block : int
        Saved states in a block: what memory must hold.
    start, save_every, observe
        As in `rollout`.

    Returns
    -------
    final : pytree
        State at the end.

    Raises
    ------
    InputError
        If `steps` is not a positive multiple of `save_every`, `block` not positive, or `start` no
        whole number.
    """
    if steps < 1 or save_every < 1 or steps % save_every or block < 1:
        raise InputError(
            f"steps ({steps}) must be a positive multiple of save_every ({save_every}), "
            f"and block ({block}) positive"
        )
    start = int(whole_seconds(start_of(forcing) if start is None else start))
    saves = steps // save_every
    for first in range(0, saves, block):
        count = min(block, saves - first)
        begin = start + first * save_every * model.dt
        trajectory = rollout(
            model,
            state,
            forcing,
            count * save_every,
            key=key,
            start=begin,
            save_every=save_every,
            observe=observe,
        )
        state = trajectory.final
        sink(np.asarray(trajectory.time), jax.tree.map(np.asarray, trajectory.state))
    return state
