"""A simulated archive: spin-up, then years of ice and weather every six hours, resumable."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from floecast.atmosphere.boundary_layer import BoundaryLayer
from floecast.atmosphere.forcing import WEATHER
from floecast.atmosphere.weather import SyntheticWeather
from floecast.core.calendar import DAY, HOUR, to_datetime64, to_seconds
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.keys import named_key
from floecast.core.precision import cast
from floecast.core.rollout import rollout
from floecast.core.variables import STATE
from floecast.io.cf import to_dataset
from floecast.io.checkpoint import (
    forget_last,
    load_checkpoint,
    load_last,
    save_checkpoint,
    save_last,
)
from floecast.io.run_folder import RunFolder, default_folder
from floecast.io.store import ZarrWriter, read_dataset
from floecast.progress import Silent
from floecast.simulator.advection import Upwind
from floecast.simulator.arctic_ocean import ArcticOcean
from floecast.simulator.bbm import BBM
from floecast.simulator.free_drift import FreeDrift
from floecast.simulator.guard import check_finite
from floecast.simulator.mevp import MEVP
from floecast.simulator.model import Simulator
from floecast.simulator.restart_states import save_states
from floecast.simulator.typical_state import typical_state
from floecast.simulator.weno import WENO
from floecast.simulator.winton import Winton
from floecast.simulator.zero_layer import ZeroLayer

STEP = 6 * HOUR
"""Of the simulator and of the archive [s]."""
HEIGHTS_ALOFT = (0.0, 50.0, 150.0, 300.0, 600.0, 1000.0, 1500.0, 2000.0)
"""Of the air above the ice, where a boundary layer is asked for [m]."""
_RHEOLOGIES: dict[str, Callable[[], Any]] = {"bbm": BBM, "mevp": MEVP, "free_drift": FreeDrift}
_THERMODYNAMICS = {"winton": Winton, "zero_layer": ZeroLayer}
_SCHEMES: dict[str, Callable[[], Any]] = {
    "weno5": lambda: WENO(5),
    "weno7": lambda: WENO(7),
    "upwind": Upwind,
}


def simulate(config, *, out=None, progress=None):
    """Make or go on with a simulated archive.

    Parameters
    ----------
    config : SimulationConfig
    out : path-like, optional
        Folder; ``runs/NAME`` if left out.
    progress : optional
        See `progress`.

    Returns
    -------
    RunFolder
        With ``archive.zarr``, ``restart.npz`` to go on from, ``monthly_states.npz`` (see
        `restart_states`) and the manifest.

    Raises
    ------
    InputError
        If the folder holds something else, or `float64` is asked for where JAX has none.
    SimulationFailed
        If a field is not finite; what was written before stays.

    Notes
    -----
    The state is saved after every block of `block_days`, and a killed run goes on from there, or
    from the block before if that file is damaged. As blocks always begin at the same times, it
    writes the same values, to the bit on CPUs.
    """
    progress = Silent() if progress is None else progress
    tree = config.model_dump(mode="json") | {"name": config.name}
    if config.float64 and jnp.result_type(float) != jnp.float64:
        raise InputError(
            "float64: JAX computes in single precision; set the environment variable "
            "JAX_ENABLE_X64=1 as well"
        )
    folder = RunFolder(default_folder(config.name) if out is None else out, tree)
    run = _Run(config)
    for stage, files, work in (
        ("spin-up", ["spin_up.npz"], _spin_up),
        ("archive", ["restart.npz", "monthly_states.npz"], _archive),
    ):
        if folder.done(stage):
            progress.stage(stage, "done before")
            continue
        progress.stage(stage, "begun")
        with folder.stage(stage, files):
            work(run, folder, progress)
    return folder


def simulator_of(config, grid):
    """The simulator of a configuration."""
    return Simulator(
        grid,
        rheology=_RHEOLOGIES[config.rheology](),
        thermodynamics=_THERMODYNAMICS[config.thermodynamics](),
        scheme=_SCHEMES[config.transport](),
        boundary_layer=BoundaryLayer() if config.boundary_layer else None,
        ocean=ArcticOcean.of(grid),
        dt=STEP,
    )


class _Run:
    """Model, weather and times of a simulation."""

    def __init__(self, config):
        self.config = config
        self.grid = Grid.preset(config.preset)
        self.dtype = jnp.float64 if config.float64 else jnp.float32
        self.model = simulator_of(config, self.grid)
        key = named_key(config.seed, "simulation", config.split)
        weather = SyntheticWeather.draw(key, self.grid)
        if config.boundary_layer:
            weather = weather.with_aloft(HEIGHTS_ALOFT)
        self.weather = cast(weather, self.dtype)
        self.begin, self.first, self.end = (
            int(to_seconds(f"{year}-01-01"))
            for year in (
                config.first_year - config.spin_up_years,
                config.first_year,
                config.first_year + config.years,
            )
        )

    def start(self):
        """State before the spin-up."""
        state = cast(jax.tree.map(jnp.asarray, typical_state(self.grid, self.begin)), self.dtype)
        return cast(
            self.model.start(state, self.weather.between(self.begin, self.begin + STEP)), self.dtype
        )

    def blocks(self, begin, end):
        """Begin and number of steps of each block."""
        length = self.config.block_days * DAY
        return [
            (time, (min(time + length, end) - time) // STEP) for time in range(begin, end, length)
        ]

    def advance(self, state, begin, steps, save_every=1):
        """Trajectory over a block, checked."""
        key = jax.random.key(0)  # the simulator draws nothing
        trajectory = rollout(
            self.model,
            state,
            self.weather,
            steps,
            key=key,
            start=begin,
            save_every=save_every,
            observe=_observed,
        )
        fields = {name: np.asarray(field) for name, field in trajectory.state.items()}
        times = np.asarray(trajectory.time)
        check_finite(times, fields, self.grid, self.model.inner_dt)
        return trajectory.final, times, fields


def _observed(state):
    return state.fields() | {"age": state.age}


@eqx.filter_jit
def _weather_at(weather, times):
    def at(time):
        fields = weather.between(time, time).fields()
        return {name: fields[name][0] for name in WEATHER}

    return jax.lax.map(at, times)


def _spin_up(run, folder, progress):
    state, file = run.start(), folder.file("spin_up.npz")
    blocks = run.blocks(run.begin, run.first)
    unfinished = folder.file("spinning_up.npz")
    done, state = load_last(unfinished, (0, state)) or (0, state)
    for number, (begin, steps) in enumerate(blocks[done:], done + 1):
        state, _, _ = run.advance(state, begin, steps, save_every=steps)
        save_last(unfinished, (number, state))
        progress.advance(number, len(blocks))
    save_checkpoint(file, state)
    forget_last(unfinished)


def _archive(run, folder, progress):
    state = load_checkpoint(folder.file("spin_up.npz"), run.start())
    blocks = run.blocks(run.first, run.end)
    file = folder.file("restart.npz")
    done, state = load_last(file, (0, state)) or (0, state)
    times = np.arange(run.first, run.end, STEP) + STEP
    until = blocks[done][0] if done < len(blocks) else run.end
    writer = ZarrWriter(folder.file("archive.zarr"), times, until=until)
    for number, (begin, steps) in enumerate(blocks[done:], done + 1):
        state, saved, fields = run.advance(state, begin, steps)
        weather = _weather_at(run.weather, jnp.asarray(saved))
        dataset = to_dataset(
            fields | {name: np.asarray(field) for name, field in weather.items()},
            run.grid,
            time=saved,
            staggered=True,
            title=f"Simulated Arctic sea ice, {run.config.name}",
            source=f"floecast simulator: {run.config.rheology}, {run.config.thermodynamics}",
        )
        writer.append(dataset)
        save_last(file, (number, state))
        progress.advance(number, len(blocks))
    with read_dataset(folder.file("archive.zarr")) as archive:
        months = to_datetime64(times).astype("datetime64[M]").astype("datetime64[ns]")
        first = np.flatnonzero(to_datetime64(times) == months)
        states = {name: archive[name].isel(time=first).values for name in STATE}
    save_states(folder.file("monthly_states.npz"), times[first], states, run.grid)
