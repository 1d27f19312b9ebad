"""Two years of the emulator by itself beside the simulator, both in the weather of the test."""

import jax
import numpy as np

from floecast.bench.emulator_forecast import run_ensemble
from floecast.core.calendar import DAY, iso
from floecast.core.keys import named_key
from floecast.core.variables import ICE_EDGE
from floecast.experiment.simulate import STEP
from floecast.io.checkpoint import load_checkpoint, save_checkpoint

DAYS = 730
BLOCK = 10
"""After which the simulator's state is saved [days]."""
EVERY = 5
"""Between looks [days]."""
MEMBERS = 4


def run(measured, progress):
    """Ice volume and extent along two years.

    Returns
    -------
    dict
        ``time`` [s since 2000-01-01]; ``truth``, ``(time, 2)`` volume [m3] and extent [m2];
        ``emulator``, ``(time, 2, member)``; ``out_of_bounds``, see the bench.
    """
    truth = measured.truth
    number = next(n for n, time in enumerate(truth.times) if iso(time)[5:7] == "01")
    start, states, series = _truth(truth, number, progress)
    first = jax.tree.map(np.asarray, states)
    emulated, beyond = _emulator(measured.emulator, truth, first, start, progress)
    time = start + EVERY * DAY * np.arange(1, DAYS // EVERY + 1)
    return {"time": time, "truth": series, "emulator": emulated, "out_of_bounds": beyond}


def _sums(state, grid):
    """Ice volume [m3] and extent [m2] of leaves ``(..., y, x)``, on the first axis."""
    area = np.asarray(grid.area, float) * grid.mask_t
    volume = np.sum(np.asarray(state["ice_volume"], float) * area, axis=(-2, -1))
    extent = np.sum((np.asarray(state["concentration"]) > ICE_EDGE) * area, axis=(-2, -1))
    return np.stack([volume, extent])


def _truth(truth, number, progress):
    """Start, first state and series of the simulator; goes on where it was."""
    progress.stage("free run of the simulator", "begun")
    state, start = truth.begin(number)
    first, series = state.ice(), np.zeros((DAYS // EVERY, 2))
    file = truth.work / f"{truth.grid.name}_free_run.npz"
    mark = truth.fingerprint("free run", start, DAYS, EVERY)
    done = 0
    if file.exists():
        done, state, series = load_checkpoint(file, (0, state, series), config_hash=mark)
    for block in range(done, DAYS // BLOCK):
        begin = start + block * BLOCK * DAY
        told = truth.advance(truth.model, state, begin, BLOCK * DAY // STEP, EVERY * DAY // STEP)
        state, looks = told.final, BLOCK // EVERY
        series[block * looks : (block + 1) * looks] = _sums(told.state, truth.grid).T
        save_checkpoint(file, (block + 1, state, series), config_hash=mark)
        progress.advance(block + 1, DAYS // BLOCK)
    return start, first, series


def _emulator(emulator, truth, state, start, progress):
    """Series of the members, ``(time, 2, member)``, and values out of bounds."""
    progress.stage("free run of the emulator", "begun")
    series, beyond = [], 0
    every, steps = EVERY * DAY // emulator.dt, BLOCK * DAY // emulator.dt
    for block in range(DAYS // BLOCK):
        begin = start + block * BLOCK * DAY
        forcing = truth.forcing(begin, emulator.dt, steps, emulator.ocean is None)
        key = named_key(0, "validation", "free run", block)
        told = run_ensemble(emulator, state, forcing, MEMBERS, key=key, save_every=every)
        state = jax.tree.map(lambda leaf: leaf[:, -1], told.members)
        beyond += told.out_of_bounds
        sums = _sums(told.members.fields(), truth.grid)  # (2, member, look)
        series += list(np.moveaxis(sums[..., 1:], -1, 0))
        progress.advance(block + 1, DAYS // BLOCK)
    return np.array(series), beyond


def monthly(told):
    """Means of each month: months as text, truth ``(month, 2)``, members ``(month, 2, member)``."""
    months = np.array([iso(time)[:7] for time in told["time"]])
    names, counts = np.unique(months, return_counts=True)
    names = names[counts >= 4]
    means = {
        key: np.stack([told[key][months == name].mean(axis=0) for name in names])
        for key in ("truth", "emulator")
    }
    return names, means["truth"], means["emulator"]
