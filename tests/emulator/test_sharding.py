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
for devices, sharding in ((1, None), (2, batch_sharding(2))):
    *_, (learner, losses) = learn(emulator, archive, stage, seed=0, sharding=sharding)
    leaves = jax.tree.leaves(learner.network)
    assert all(len(leaf.sharding.device_set) == devices for leaf in leaves)
    print(json.dumps({"weights": np.concatenate([np.ravel(leaf) for leaf in leaves]).tolist(),
                      "losses": {name: float(loss) for name, loss in losses.items()}}))
"""


def test_two_devices_learn_what_one_does():
    flags = "--xla_force_host_platform_device_count=2"
    environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
    )
    one, two = map(json.loads, done.stdout.splitlines()[-2:])
    largest = max(abs(weight) for weight in one["weights"])
    apart = max(abs(a - b) for a, b in zip(one["weights"], two["weights"], strict=True))
    assert apart < 1e-9 * largest
    assert all(abs(one["losses"][k] - two["losses"][k]) < 1e-9 for k in one["losses"])
