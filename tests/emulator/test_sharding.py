"""A batch shared by devices teaches what it teaches on one."""

import json
import os
import subprocess
import sys

SCRIPT = """
import json, sys
import jax
import numpy as np
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_disable_most_optimizations", True)
from floecast.atmosphere.forcing import WEATHER, Forcing
from floecast.core.grid import Grid
from floecast.core.state import IceState
from floecast.core.variables import STATE
from floecast.emulator.archive import Archive
from floecast.emulator.features import OCEAN, fit_scaling
from floecast.emulator.model import Emulator
from floecast.emulator.training import Stage, batch_sharding, learn

grid, random = Grid.box((4, 8), 5e4), np.random.default_rng(0)
draw = lambda: random.uniform(0.1, 0.9, (12, 4, 8))
archive = Archive(
    IceState(**{name: draw() for name in STATE}),
    Forcing(43200 * np.arange(12), **{name: draw() for name in WEATHER + OCEAN}),
)
scaling = fit_scaling(archive, None, grid, 43200, key=jax.random.key(0))
emulator = Emulator.untrained(grid, scaling, key=jax.random.key(1), widths=(4,))
stage = Stage("two", updates=2, learning_rate=1e-3, members=2, batch=4)
sharding = batch_sharding(2) if len(jax.devices()) == 2 else None
*_, (learner, losses) = learn(emulator, archive, stage, seed=0, sharding=sharding)
weights = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(learner.network)])
print(json.dumps({"devices": len(jax.devices()), "weights": weights.tolist(),
                  "losses": {name: float(loss) for name, loss in losses.items()}}))
"""


def told(devices):
    flags = f"--xla_force_host_platform_device_count={devices}"
    environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_two_devices_learn_what_one_does():
    one, two = told(1), told(2)
    assert (one["devices"], two["devices"]) == (1, 2)
    largest = max(abs(weight) for weight in one["weights"])
    apart = max(abs(a - b) for a, b in zip(one["weights"], two["weights"], strict=True))
    assert apart < 1e-9 * largest
    assert all(abs(one["losses"][k] - two["losses"][k]) < 1e-9 for k in one["losses"])
