"""Runs of the study, one file each, so that a call that was interrupted goes on."""

import time
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import cases
import drift_estimate
import jax
import jax.numpy as jnp
import numpy as np
import systems

from floecast.core.atomic import replacing
from floecast.core.grid import Grid
from floecast.core.state import IceState
from floecast.core.variables import STATE
from floecast.emulator.model import Emulator

DAYS = 10
LEADS = 12 * np.arange(1, 2 * DAYS + 1)
"""At which fields are kept [h]."""


class Runs:
    """Truths and forecasts below a folder.

    Parameters
    ----------
    preset : str
    work : path
        Made if it is not there.
    """

    def __init__(self, preset, work):
        self.grid, self.work = Grid.preset(preset), Path(work) / preset
        self.work.mkdir(parents=True, exist_ok=True)
        self.preset = preset
        self.ocean = np.asarray(self.grid.mask_t)

    @cached_property
    def emulator(self):
        """The shipped one."""
        return Emulator.load(self.preset)

    def path(self, one, name):
        """File of a case and a run."""
        return (
            self.work / f"case{one.number:03d}" / f"{name.replace(', ', '-').replace(' ', '_')}.npz"
        )

    def have(self, number, name):
        """Whether a run is there."""
        return self.path(cases.case(number, self.grid), name).exists()

    def read(self, number, name):
        """Fields of a run, ``([member,] lead, y, x)``, and ``cpu`` [s]."""
        with np.load(self.path(cases.case(number, self.grid), name)) as file:
            found = dict(file)
        return {key: self._wide(value) for key, value in found.items()}

    def truth(self, number):
        """Make the truth of a case, if it is not there."""
        one = cases.case(number, self.grid)
        path = self.path(one, "truth")
        if path.exists():
            return
        begin = time.process_time()
        system, weather, state = self.spun_up(one, 0)
        start = {f"start_{name}": np.asarray(field) for name, field in state.fields().items()}
        self.write(self.path(one, "memory"), systems.as_fields(systems.memory_of(state)))
        kept = self._forecast(system, weather, state, one.start)
        self.write(path, kept | start, begin)

    def spun_up(self, one, before):
        """System and weather of the truth, and its state some time [s] before the start."""
        system = systems.truth_system(self.grid, cases.true_parameters(one))
        weather = cases.weather(one, self.grid)
        ice, first = cases.first_state(one, self.grid)
        state = systems.begun(system, weather, ice, ice, jnp.asarray(first))
        for step in range((cases.SPIN_UP - before) // systems.HALF_DAY):
            now = jnp.asarray(first + step * systems.HALF_DAY)
            state, _ = systems.half_day(system, weather, state, now)
        return system, weather, state

    def memory(self, one):
        """Temperatures, water and stress of the truth at the start; see `systems.memory_of`."""
        path = self.path(one, "memory")
        if not path.exists():
            _, _, state = self.spun_up(one, 0)
            self.write(path, systems.as_fields(systems.memory_of(state)))
        with np.load(path) as file:
            return systems.from_fields(file)

    def start_of(self, number):
        """True ice at the start."""
        found = self.read(number, "truth")
        return IceState(**{name: found[f"start_{name}"] for name in STATE})

    def forecast(self, number, name):
        """Make the members of a forecast of a case, if they are not there."""
        one = cases.case(number, self.grid)
        path = self.path(one, name)
        if path.exists():
            return
        normal = cases.climatology(one, self.grid)
        members = []
        for member, ice in enumerate(cases.analyses(one, self.grid, self.start_of(number))):
            begin = time.process_time()  # that of the last, compiled, is kept
            system, weather = self._parts(number, name, member)
            felt = systems.felt_ice(name, normal, ice)
            if name == systems.ROUNDED:
                ice = replace(ice, concentration=ice.concentration * (1 - 1e-6))
            state = systems.begun(system, weather, ice, felt, jnp.asarray(one.start))
            state = systems.with_memory(state, self.memory(one))
            members.append(self._forecast(system, weather, state, one.start))
        kept = {field: np.stack([one[field] for one in members]) for field in members[0]}
        self.write(path, kept, begin)

    def _parts(self, number, name, member):
        """System and weather of a member."""
        if name in drift_estimate.SYSTEMS:
            return drift_estimate.forecast_parts(self, number, name, member)
        one = cases.case(number, self.grid)
        emulator = self.emulator if name.startswith(systems.EMULATOR) else None
        system = systems.system(name, self.grid, cases.true_parameters(one), emulator)
        return system, cases.forecast_weather(one, self.grid, member)

    def persistence(self, number):
        """The analyses of a case kept as they are, like `read`."""
        one = cases.case(number, self.grid)
        told = [
            systems.kept(ice, self.grid)
            for ice in cases.analyses(one, self.grid, self.start_of(number))
        ]
        return {
            field: np.stack([np.repeat(np.asarray(m[field])[None], len(LEADS), 0) for m in told])
            for field in told[0]
        }

    def _forecast(self, system, weather, state, start):
        told = []
        for lead in range(len(LEADS)):
            now = jnp.asarray(start + lead * systems.HALF_DAY)
            state, kept = systems.half_day(system, weather, state, now)
            told.append(jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), kept))
        fields = {field: np.stack([one[field] for one in told]) for field in told[0]}
        bad = [
            name for name, field in fields.items() if not np.isfinite(field[:, self.ocean]).all()
        ]
        if bad:
            raise RuntimeError(f"not finite: {', '.join(bad)}")
        return {name: field[:, self.ocean] for name, field in fields.items()}

    def write(self, path, fields, begin=None):
        """Write a file in one step, with the processor time since `begin`."""
        path.parent.mkdir(exist_ok=True)
        spent = {} if begin is None else {"cpu": time.process_time() - begin}
        with replacing(path) as partial, open(partial, "wb") as file:
            np.savez(file, **fields, **spent)

    def _wide(self, value):
        """Values at ocean cells on the grid; others as they are."""
        if value.ndim == 0 or value.shape[-1] != self.ocean.sum():
            return value
        wide = np.zeros((*value.shape[:-1], *self.grid.shape), value.dtype)
        wide[..., self.ocean] = value
        return wide


BLOCK = 8
"""Cases that get all systems before the next cases are begun: two of each season."""


def run_all(runs, count):
    """Make all runs of a number of cases: block by block, the main systems first."""
    groups = [
        (systems.MAIN, count),
        (systems.EMULATED, count),
        (systems.FURTHER, count),
        (systems.CHECKS, 4),
        (tuple(drift_estimate.SYSTEMS), 16),
    ]
    if runs.preset != "arctic100":
        groups = [(systems.MAIN[:3], count)]
    for first in range(0, count, BLOCK):
        for names, most in groups:
            for number in range(first, min(first + BLOCK, count, most)):
                runs.truth(number)
                for name in names:
                    runs.forecast(number, name)
                print(f"case {number}: {', '.join(names)}", flush=True)
