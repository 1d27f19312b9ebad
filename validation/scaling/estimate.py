"""What large cases would take, from counted work and stated assumptions.

    python validation/scaling/estimate.py

Prints one JSON object: counts of this version, and hours and memory of the cases.
"""

import json

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from floecast.atmosphere.weather import SyntheticWeather
from floecast.bench.simulator import least_bytes
from floecast.core.calendar import DAY, HOUR, to_seconds
from floecast.core.grid import Grid
from floecast.emulator.model import Emulator
from floecast.experiment.simulate import simulator_of
from floecast.simulation_schema import simulation_config
from floecast.simulator.bbm import BBM
from floecast.simulator.typical_state import typical_state

GPU = {
    "memory_gb": 80.0,
    "bandwidth_tb_s": 3.35,
    "float32_tflop_s": 67.0,
    "link_gb_s": 50.0,
}
"""H100 SXM (NVIDIA H100 data sheet); one port of NDR InfiniBand of 400 Gbit/s for each GPU."""
SHARE = {"bandwidth": 0.5, "float32": 0.1, "message_us": 20.0}
"""Assumed, not measured: shares of those peaks that are reached, latency of a halo exchange."""
REST_OF_STEP = 2.0
"""Time of a simulator step over that of its BBM substeps, from the speeds in the README of the
package: 8 min for a year of arctic50, of which 789,000 substeps at 19 ns a cell are 4.1 min."""
START = int(to_seconds("2030-01-15"))


def main():
    """Count, extrapolate, print."""
    with jax.enable_x64(False):
        counts = emulator_counts() | simulator_counts()
    cases = cases_of(counts)
    print(json.dumps({"counts": counts, "gpu": GPU, "share": SHARE, "cases": cases}, indent=1))


def cases_of(counts):
    """The large cases."""
    cases = [
        emulator_case(counts, members=100, days=10, gpus=gpus, cells=512**2) for gpus in (1, 4, 8)
    ]
    cases += [
        simulator_case(counts, cells=512**2, members=100, days=10, gpus=gpus, spacing=12.5e3)
        for gpus in (4, 16)
    ]
    cases += [
        simulator_case(counts, cells=6400**2, members=1, days=10, gpus=gpus, spacing=1e3)
        for gpus in (1, 16, 64, 256)
    ]
    return cases


def emulator_counts():
    """Work of a step of the shipped emulator for a cell, as XLA counts it."""
    emulator = Emulator.load("arctic100")
    state = jax.tree.map(
        lambda leaf: jnp.asarray(leaf, jnp.float32), typical_state(emulator.grid, START)
    )
    weather = SyntheticWeather.draw(jax.random.key(0), emulator.grid)
    forcing = weather.between(START, START + emulator.dt)
    arrays, static = eqx.partition((emulator, state, forcing), eqx.is_array)

    def step(arrays, key):
        emulator, state, forcing = eqx.combine(arrays, static)
        return emulator.step(state, forcing, key)

    compiled = jax.jit(step).lower(arrays, jax.random.key(1)).compile()
    cost, memory = compiled.cost_analysis(), compiled.memory_analysis()
    cells = np.prod(emulator.grid.shape)
    return {
        "emulator_flops_per_cell": cost["flops"] / cells,
        "emulator_bytes_per_cell": cost["bytes accessed"] / cells,
        "emulator_working_bytes_per_cell": memory.temp_size_in_bytes / cells,
        "emulator_state_bytes_per_cell": _bytes(state) / cells,
        "emulator_step_hours": emulator.dt / HOUR,
    }


def simulator_counts():
    """Work of a substep of BBM and size of a state, for a cell."""
    box = Grid.box((256, 256), 2e3)
    grid = Grid.preset("arctic100")
    simulator = simulator_of(simulation_config(None, ["preset=arctic100"]), grid)
    state = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), typical_state(grid, START))
    weather = SyntheticWeather.draw(jax.random.key(0), grid)

    def begin(state, weather):
        return simulator.start(state, weather.between(START, START + simulator.dt))

    shape = eqx.filter_eval_shape(begin, state, weather)
    return {
        "bbm_bytes_per_cell_substep": least_bytes(box, jnp.float32) / 256**2,
        "simulator_state_bytes_per_cell": _bytes(shape) / np.prod(grid.shape),
    }


def _bytes(tree):
    leaves = [leaf for leaf in jax.tree.leaves(tree) if hasattr(leaf, "dtype")]
    return sum(leaf.size * leaf.dtype.itemsize for leaf in leaves)


def emulator_case(counts, *, cells, members, days, gpus):
    """An ensemble of the emulator, members shared by the GPUs."""
    steps = days * DAY / (counts["emulator_step_hours"] * HOUR)
    share = -(-members // gpus)
    at_once = 8
    work = share * steps * cells
    moved = work * counts["emulator_bytes_per_cell"] / _bandwidth()
    computed = work * counts["emulator_flops_per_cell"] / _flops()
    memory = cells * (
        share * counts["emulator_state_bytes_per_cell"]
        + min(at_once, share) * counts["emulator_working_bytes_per_cell"]
    )
    return {
        "case": f"emulator, {members} members, {days} days",
        "cells": cells,
        "gpus": gpus,
        "memory_gb": memory / 1e9,
        "halo_share": 0.0,
        "minutes": max(moved, computed) / 60,
    }


def simulator_case(counts, *, cells, members, days, gpus, spacing):
    """The simulator: members shared, then the cells of each where there are more GPUs."""
    bbm, box = BBM(), Grid.box((8, 8), spacing)
    dt = bbm.longest_step(box)
    substeps = days * DAY / dt * bbm.count_substeps(box, dt)
    parts = max(1, gpus // members)  # of the domain of a member
    rounds = -(-members // gpus)
    local = cells / parts
    moved = local * counts["bbm_bytes_per_cell_substep"] / _bandwidth()
    # A ring of one cell of 2 velocities and 6 stresses around a square, in and out.
    halo = 0.0
    if parts > 1:
        ring = 4 * np.sqrt(local) * 8 * 4 * 2
        halo = ring / (GPU["link_gb_s"] * 1e9) + SHARE["message_us"] * 1e-6
    seconds = rounds * substeps * (REST_OF_STEP * moved + halo)
    return {
        "case": f"simulator, {spacing / 1e3:g} km, {members} members, {days} days",
        "cells": cells,
        "gpus": gpus,
        "substeps": substeps,
        "memory_gb": 3 * local * counts["simulator_state_bytes_per_cell"] / 1e9,
        "halo_share": halo / (REST_OF_STEP * moved + halo),
        "minutes": seconds / 60,
    }


def _bandwidth():
    return GPU["bandwidth_tb_s"] * 1e12 * SHARE["bandwidth"]


def _flops():
    return GPU["float32_tflop_s"] * 1e12 * SHARE["float32"]


if __name__ == "__main__":
    main()
