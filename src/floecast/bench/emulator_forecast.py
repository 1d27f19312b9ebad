"""Ensembles of an emulator, with what each sample must keep: bounds and the budget of volume."""

import time
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from floecast.atmosphere.forcing import Forcing
from floecast.core.calendar import DAY, HOUR
from floecast.core.errors import InputError
from floecast.core.keys import named_key
from floecast.core.precision import cast
from floecast.core.state import IceState
from floecast.core.variables import STATE, VARIABLES

from .emulator_truth import DAYS, EVERY

AT_ONCE = 5
"""Members advanced together; more cost memory and gain nothing on few cores."""


class Ensemble(NamedTuple):
    """Members and what was seen of all of their steps.

    Parameters
    ----------
    members : IceState
        NumPy leaves ``(member, 1 + lead, y, x)``, the first one at the start.
    out_of_bounds : int
        See `out_of_bounds`.
    ice_closure, snow_closure : float
        Largest change of a volume in a step that its sources do not tell of, over the volume [1].
    """

    members: IceState
    out_of_bounds: int
    ice_closure: float
    snow_closure: float


def check_step(emulator):
    """Refuse an emulator whose steps do not meet the leads."""
    if EVERY % emulator.dt:
        raise InputError(
            f"the emulator steps {emulator.dt / HOUR:g} h; scores every {EVERY // HOUR} h need a "
            "step that divides them"
        )


def run_ensemble(emulator, state, forcing, members, *, key, save_every):
    """Forecast of each member, all in the same weather.

    Parameters
    ----------
    emulator : Emulator
    state : IceState
        Leaves ``(y, x)``, the same for all members, or ``(member, y, x)``.
    forcing : Forcing
        At the ends of the steps, leaves ``(step + 1, y, x)``.
    members : int
    key : key
    save_every : int
        Steps between kept states.

    Returns
    -------
    Ensemble
    """
    states = _spread(state, members)
    kept, beyond, gaps = [jax.tree.map(np.asarray, states)], 0, np.zeros(2)
    for number in range(len(forcing.time) - 1):
        keys = jax.random.split(jax.random.fold_in(key, number), members)
        before = jax.tree.map(np.asarray, states)
        states, sources = _step(emulator, states, _two_times(forcing, number), keys)
        after = jax.tree.map(np.asarray, states)
        beyond += out_of_bounds(after, emulator.grid)
        gaps = np.maximum(gaps, closure(before, after, sources, emulator.grid))
        if (number + 1) % save_every == 0:
            kept.append(after)
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves, axis=1), *kept)
    return Ensemble(stacked, beyond, float(gaps[0]), float(gaps[1]))


def _spread(state, members):
    return jax.tree.map(
        lambda leaf: jnp.broadcast_to(jnp.asarray(leaf), (members, *leaf.shape[-2:])), state
    )


def _two_times(forcing, number):
    """At the two ends of a step."""
    fields = {name: field[number : number + 2] for name, field in forcing.fields().items()}
    return Forcing(jnp.asarray(forcing.time[number : number + 2]), **fields)


@eqx.filter_jit
def _step(emulator, states, forcing, keys):
    def one(given):
        state, key = given
        after, budget = emulator.advance(state, forcing, emulator.draw(key))
        ice = budget.ice_growth + budget.ice_melt
        return after, (ice, budget.snowfall + budget.snow_loss)

    return jax.lax.map(one, (states, keys), batch_size=min(AT_ONCE, keys.shape[0]))


def out_of_bounds(states, grid):
    """Number of values that a state may not have.

    Parameters
    ----------
    states : IceState
        NumPy leaves ``(..., y, x)``.
    grid : Grid

    Returns
    -------
    int
        Values beyond the bounds of `core.variables` or not finite, and values other than 0 on land,
        at coasts or where there is no ice volume; a face has ice if a cell beside it has.
    """
    empty, count = states.ice_volume == 0, 0
    beside = {
        "T": empty,
        "U": empty & np.roll(empty, -1, axis=-1),
        "V": empty & np.roll(empty, -1, axis=-2),
    }
    masks = {"T": grid.mask_t, "U": grid.mask_u, "V": grid.mask_v}
    for name in STATE:
        field, variable = getattr(states, name), VARIABLES[name]
        bad = ~((field >= variable.lower) & (field <= variable.upper) & np.isfinite(field))
        bad |= beside[variable.point] & (field != 0)
        count += int(np.count_nonzero(np.where(masks[variable.point], bad, field != 0)))
    return count


def closure(before, after, sources, grid):
    """What a step did to the volumes of ice and snow beyond growth, melt and snowfall.

    Parameters
    ----------
    before, after : IceState
        NumPy leaves ``(member, y, x)``.
    sources : pair of (member, y, x) arrays
        Of ice and of snow, per area of the cell [m].
    grid : Grid

    Returns
    -------
    (2,) array
        For ice and snow the largest ``|V1 - V0 - sources| / V0`` of a member, V over the domain;
        summed in double precision.
    """
    area, gaps = np.asarray(grid.area, np.float64) * grid.mask_t, []
    for name, source in zip(("ice_volume", "snow_volume"), sources, strict=True):
        first, last, told = (
            np.sum(np.asarray(field, np.float64) * area, axis=(-2, -1))
            for field in (getattr(before, name), getattr(after, name), source)
        )
        gaps.append(np.max(np.abs(last - first - told) / np.maximum(np.abs(first), 1.0)))
    return np.array(gaps)


def closure_in_double(emulator, state, forcing):
    """The closures of one member in double precision; arguments as of `run_ensemble`."""
    with jax.enable_x64(True):
        double = jax.tree.map(jnp.asarray, (emulator, state, forcing))
        model, state, forcing = (cast(one, jnp.float64) for one in double)
        key = named_key(0, "bench", "closure")
        told = run_ensemble(model, state, forcing, 1, key=key, save_every=10**6)
    return told.ice_closure, told.snow_closure


def seconds_of_ensemble(emulator, truth, case, members):
    """Time of an ensemble of ten days, compiled before, the making of the weather included [s]."""
    first = _spread(jax.tree.map(lambda leaf: leaf[0], case.truth), members)
    every = DAYS * DAY // emulator.dt

    def run(steps):
        states = first
        forcing = truth.forcing(case.start, emulator.dt, every, emulator.ocean is None)
        for number in range(steps):
            keys = jax.random.split(jax.random.fold_in(jax.random.key(0), number), members)
            states, _ = _step(emulator, states, _two_times(forcing, number), keys)
        return jax.block_until_ready(states)

    run(1)
    begin = time.perf_counter()
    run(every)
    return time.perf_counter() - begin
