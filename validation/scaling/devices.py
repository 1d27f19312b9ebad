"""Members and training batches over 1, 2 and 4 simulated devices: processor seconds of a call.

    XLA_FLAGS=--xla_force_host_platform_device_count=4 python validation/scaling/devices.py

Prints a line of JSON for each case. Most optimisations of XLA are off, as compilation would take
most of the time: what is compared is compiled alike.
"""

import json
import time
from statistics import median

import jax
import jax.numpy as jnp
import numpy as np

from floecast.atmosphere.forcing import WEATHER, Forcing
from floecast.atmosphere.weather import SyntheticWeather
from floecast.core.calendar import to_seconds
from floecast.core.ensemble import stack
from floecast.core.state import IceState
from floecast.core.variables import STATE
from floecast.emulator.archive import Archive
from floecast.emulator.features import OCEAN
from floecast.emulator.model import Emulator
from floecast.emulator.training import batch_sharding, gradient_along
from floecast.forecast.streamed import MemberWeather, advanced, begun, member_mesh
from floecast.simulator.typical_state import typical_state

CALLS = 3
STRONG, WEAK = 8, 2
"""Members or pieces in all, and for each device."""
WIDTHS = (16,)
"""Of the network, one level of that which ships: sharing is measured, not the network."""
START = int(to_seconds("2030-01-15"))


def main():
    """All cases: kind, devices, size."""
    jax.config.update("jax_disable_most_optimizations", True)
    known = Emulator.load("arctic100")
    emulator = Emulator.untrained(
        known.grid, known.scaling, known.ocean, key=jax.random.key(0), widths=WIDTHS
    )
    cases = [(devices, STRONG) for devices in (1, 2, 4)]
    cases.append((1, WEAK))  # beside 4 devices with as many each
    for kind in (members, batches):
        first = {}
        for devices, size in cases:
            call, compare = kind(emulator, devices, size)
            result = compare(call())
            first.setdefault(size, result)
            scale = max(np.abs(leaf).max() for leaf in first[size])
            apart = max(
                np.abs(one - other).max() for one, other in zip(result, first[size], strict=True)
            )
            line = {"kind": kind.__name__, "devices": devices, "size": size, "cpu": cpu(call)}
            print(json.dumps(line | {"apart": float(apart / scale)}), flush=True)


def cpu(call):
    """Median processor time of a call [s]."""
    times = []
    for _ in range(CALLS):
        began = time.process_time()
        jax.block_until_ready(call())
        times.append(time.process_time() - began)
    return median(times)


def members(emulator, devices, size):
    """An ensemble through two steps of the emulator."""
    state = jax.tree.map(
        lambda leaf: jnp.asarray(leaf, jnp.float32), typical_state(emulator.grid, START)
    )
    ensemble = stack([state] * size)
    weather = SyntheticWeather.draw(jax.random.key(1), emulator.grid)
    own = MemberWeather(stack([weather] * size))
    keys = jax.random.split(jax.random.key(2), size)
    states = begun(emulator, ensemble, own, jnp.asarray(START), WEAK)
    mesh = member_mesh(devices)

    def call():
        return advanced(emulator, states, own, keys, jnp.asarray(START), 2, WEAK, mesh)

    return call, _numbers


def batches(emulator, devices, size):
    """Loss and gradient of a batch of one-step pieces with two members each."""
    rng, grid = np.random.default_rng(0), emulator.grid

    def draw():
        return rng.uniform(0.1, 0.9, (2 * STRONG, *grid.shape)).astype(np.float32)

    times = emulator.dt * np.arange(2 * STRONG)
    archive = Archive(
        IceState(**{name: draw() for name in STATE}),
        Forcing(times, **{name: draw() for name in WEATHER + OCEAN}),
    )
    pieces = archive.pieces(np.arange(size) % STRONG, 1, emulator.dt)
    sharding = None if devices == 1 else batch_sharding(devices)

    def call():
        return gradient_along(emulator, pieces, jax.random.key(3), 2, sharding)

    return call, _numbers


def _numbers(tree):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]


if __name__ == "__main__":
    main()
