"""Time and memory of one En4DVar analysis of two days, with its members.

The truth rests at a restart state, so that nothing is simulated: what is measured is the work. A
cycle runs the members once more, from the analysis to the end of the window.
"""

import resource
import sys
import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from floecast.assimilation.asynchronous import run_members
from floecast.assimilation.cost import Cost, Propagated
from floecast.assimilation.cycle import padded
from floecast.assimilation.members import Background
from floecast.assimilation.window import Window
from floecast.assimilation_schema import assimilation_config
from floecast.core.calendar import HOUR
from floecast.core.keys import named_key
from floecast.core.shapes import roomy
from floecast.core.state import IceState
from floecast.emulator.model import Emulator
from floecast.experiment.assimilation import method_of
from floecast.experiment.twin import Twin, forcings

from .machine import seconds_of

OPTIONS = ("preset", "members", "progress")
REFERENCE = {"en4dvar_seconds": [0.0, 600.0]}
SOURCES = [
    "reference: ten minutes for arctic50, 20 to 40 members and two days on 2 cores",
    "first_seconds has the compilation in it; members_seconds are the runs and the filter that "
    "give the members their anomalies",
]


def run(preset="arctic50", members=20, progress=None):
    """Time an analysis.

    Parameters
    ----------
    preset : str
    members : int
    progress : optional

    Returns
    -------
    dict of str to float
        `en4dvar_seconds` of the whole analysis, compiled; `first_seconds` with the compilation;
        `members_seconds`, the part of the members; `gradient_seconds`, of the cost once;
        `observations`, `members`, Lanczos steps, `peak_memory_gb` of the process.
    """
    config = assimilation_config(None, [f"preset={preset}", f"members={members}"])
    case = _Case(config)
    # Twice, the first time with what is compiled.
    seconds = []
    for _ in range(2):
        began = time.perf_counter()
        found = jax.block_until_ready(case.analyse())
        seconds.append(time.perf_counter() - began)
    inner = np.asarray(found.minimum.history.inner)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "en4dvar_seconds": seconds[1],
        "first_seconds": seconds[0],
        "members_seconds": seconds_of(case.filtered, repeats=3),
        "gradient_seconds": seconds_of(*case.gradient(), repeats=3),
        "lanczos_steps": inner[inner > 0].sum(),
        "observations": float(jnp.sum(found.used)),
        "members": members,
        "peak_memory_gb": peak / (2**30 if sys.platform == "darwin" else 2**20),
    }


class _Case:
    """A window with its observations, members and weather."""

    def __init__(self, config):
        window = config.window_hours * HOUR
        twin = Twin(config.preset, config.twin, 2 + window // (24 * HOUR))
        emulator = Emulator.load(config.preset, twin.grid)
        self.method = method_of(config, twin.grid, emulator)
        self.emulator, self.start, self.steps = emulator, twin.start, window // emulator.dt
        state = twin.restart(twin.numbers[config.twin.year])
        truth = IceState(
            **{
                name: np.repeat(np.asarray(field)[None], len(twin.times), axis=0)
                for name, field in state.fields().items()
            }
        )
        self.key = named_key(config.seed, "bench")
        end = self.start + window
        seen = twin.observe(truth, config.observations, self.start, end, self.key)
        self.observations = padded(seen, roomy(seen.size))
        ensemble = twin.ensemble(self.key, config.members)
        self.ensemble = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), ensemble)
        weathers = twin.forecasters(self.key, config.members)
        self.each, self.mean = forcings(weathers, self.start, self.steps, emulator.dt)

    def runs(self):
        """Members along the window."""
        return run_members(
            self.emulator,
            self.ensemble,
            self.observations,
            self.each,
            start=self.start,
            steps=self.steps,
            key=self.key,
            operator=self.method.filter.filter.operator,
        )

    def filtered(self):
        """Runs of the members, and their anomalies by the filter."""
        return self.method.filter.smooth(self.runs(), self.observations)

    def analyse(self):
        """The whole."""
        return self.method.analyse(
            self.ensemble,
            self.runs(),
            self.observations,
            self.mean,
            start=self.start,
            key=self.key,
        )

    def gradient(self):
        """Gradient of the cost, and what it takes: the cost and the control of the background."""
        method = self.method.variational
        background = Background.of(method.control, self.ensemble)
        covariance = method.covariance.around(background.members())
        plan = self.runs().plan
        window = Window(method.model, method.operator, method.control, self.steps)
        predict = Propagated(
            window, background.mean, plan, self.mean, jnp.asarray(self.start), self.key
        )
        used = jnp.asarray(plan.inside)
        cost = Cost(covariance, window, predict, method.misfit, self.observations, used)

        @eqx.filter_jit
        def gradient(cost, control):
            return jax.grad(lambda control: sum(cost.parts(control)))(control)

        return gradient, cost, cost.zero()[0]
