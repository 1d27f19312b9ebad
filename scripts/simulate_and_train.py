"""Simulate decades side by side on an accelerator and train an emulator there.

    python scripts/simulate_and_train.py --preset arctic50 --years 24 --out runs/decades

Needs JAX, Equinox and Optax alone. Every year has weather of its own and starts from one of the
states that ship with the package (a typical January where there are none), two months before it
counts. All years are simulated at once, a block of days at a time; call it again to go on after a
kill or after `--minutes`. Then it trains in the stages below and writes ``emulator.npz``, the
emulator after each stage, ``metrics.jsonl`` and ``card.json``.
"""

import argparse
import json
import sys
import time
from importlib.resources import files
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from floecast.atmosphere.forcing import WEATHER, Forcing
from floecast.atmosphere.weather import SyntheticWeather
from floecast.core.atomic import replacing, write_text
from floecast.core.calendar import DAY, HOUR, to_seconds
from floecast.core.grid import PRESETS, Grid
from floecast.core.keys import named_key
from floecast.core.precision import cast
from floecast.core.rollout import rollout
from floecast.core.state import IceState
from floecast.core.variables import STATE
from floecast.emulator.archive import Archive
from floecast.emulator.features import fit_scaling
from floecast.emulator.model import Emulator
from floecast.emulator.ocean import OceanClimatology
from floecast.emulator.training import Learner, Stage, learn, validate
from floecast.simulator.arctic_ocean import ArcticOcean
from floecast.simulator.bbm import BBM
from floecast.simulator.model import Simulator
from floecast.simulator.restart_states import restart_state
from floecast.simulator.typical_state import typical_state
from floecast.simulator.weno import WENO
from floecast.simulator.winton import Winton

STEP = 6 * HOUR
KEPT = 12 * HOUR
WARM_UP = 60 * DAY
FIRST = int(to_seconds("2030-01-01"))


def stages(scale):
    """Stages of the training, with `scale` times the updates."""

    def updates(number):
        return max(1, int(scale * number))

    return (
        Stage("deterministic", updates(8000), 2e-3, members=1, batch=32),
        Stage("ensemble", updates(6000), 1e-3, members=2, batch=32),
        Stage("rollout4", updates(1500), 4e-4, steps=4, members=2, batch=16),
        Stage("rollout12", updates(500), 2e-4, steps=12, members=2, batch=8),
    )


def main():
    """Read the options, simulate, train."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--preset", choices=PRESETS, default="arctic50")
    parser.add_argument("--years", type=int, default=24, help="side by side, the last to validate")
    parser.add_argument("--days", type=int, default=365, help="of each year")
    parser.add_argument("--block", type=int, default=5, help="days simulated at once")
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of updates")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=9.0, help="after which it stops")
    parser.add_argument("--dtype", default=None, help="of the network, such as bfloat16")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    clock = Clock(given.minutes)
    if not simulate(given, clock):
        sys.exit("stopped at the time limit while simulating; call again to go on")
    if not train(given, clock):
        sys.exit("stopped at the time limit while training; call again to go on")
    print(f"emulator: {given.out / 'emulator.npz'}")


class Clock:
    """Minutes since the start, and whether they are over."""

    def __init__(self, minutes):
        self.began, self.minutes = time.monotonic(), minutes

    @property
    def seconds(self):
        """Since the start."""
        return time.monotonic() - self.began

    @property
    def over(self):
        """Whether the time limit has come."""
        return self.seconds > 60 * self.minutes


def first_states(grid, years):
    """States of January, one a year, leaves ``(year, y, x)``."""
    shipped = (files("floecast.simulator") / "assets" / f"{grid.name}.npz").is_file()
    states = [
        restart_state(grid, 11, number % 5) if shipped else typical_state(grid, FIRST - WARM_UP)
        for number in range(years)
    ]
    return jax.tree.map(
        lambda *leaves: jnp.stack([jnp.asarray(x, jnp.float32) for x in leaves]), *states
    )


def simulate(given, clock):
    """Blocks of all years into files; whether all are there."""
    grid = Grid.preset(given.preset)
    model = Simulator(
        grid,
        rheology=BBM(),
        thermodynamics=Winton(),
        scheme=WENO(5),
        ocean=ArcticOcean.of(grid),
        dt=STEP,
    )
    names = ["training"] * (given.years - 1) + ["validation"]
    weathers = [
        SyntheticWeather.draw(named_key(given.seed + number, "simulation", name), grid)
        for number, name in enumerate(names)
    ]
    weather = cast(eqx.filter(stacked(weathers), eqx.is_array), jnp.float32)
    rest = eqx.filter(weathers[0], eqx.is_array, inverse=True)
    begin = FIRST - WARM_UP
    blocks = range(begin, FIRST + given.days * DAY, given.block * DAY)
    steps = given.block * DAY // STEP

    def started(weather, state):
        weather = eqx.combine(weather, rest)
        return cast(model.start(state, weather.between(begin, begin + STEP)), jnp.float32)

    @eqx.filter_jit
    def advance(weather, states, time):
        def one(weather, state):
            source = eqx.combine(weather, rest)
            run = rollout(
                model,
                state,
                source,
                steps,
                key=jax.random.key(0),
                start=time,
                save_every=KEPT // STEP,
                observe=IceState.fields,
            )
            fields = jax.lax.map(
                lambda now: {k: v[0] for k, v in source.between(now, now).fields().items()},
                run.time,
            )
            return run.final, run.state | {name: fields[name] for name in WEATHER}

        return jax.vmap(one)(weather, states)

    states = jax.vmap(started)(weather, first_states(grid, given.years))
    restart, done = given.out / "restart.npz", 0
    if restart.exists():
        done, states = restored(restart, states)
    for number, now in enumerate(blocks):
        if number < done:
            continue
        states, fields = advance(weather, states, jnp.asarray(now))
        if now >= FIRST:
            with replacing(given.out / f"block{number:04d}.npz") as file, file.open("wb") as opened:
                np.savez(opened, **{name: np.asarray(field) for name, field in fields.items()})
        stored(restart, number + 1, states)
        volume = float(jnp.nanmean(states.ice_volume))
        print(
            f"day {number * given.block} of {len(blocks) * given.block}, "
            f"{clock.seconds:.0f} s, mean volume {volume:.4f} m",
            flush=True,
        )
        if clock.over:
            return number + 1 == len(blocks)
    return True


def stacked(trees):
    """Trees of equal structure as one with a leading axis."""
    return jax.tree.map(
        lambda *leaves: (
            jnp.stack([jnp.asarray(leaf) for leaf in leaves])
            if eqx.is_array(leaves[0])
            else leaves[0]
        ),
        *trees,
    )


def stored(path, number, tree):
    """A number and the leaves of a tree, in one step."""
    leaves = {f"leaf{n}": np.asarray(leaf) for n, leaf in enumerate(jax.tree.leaves(tree))}
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez(file, number=number, **leaves)


def restored(path, like):
    """What `stored` wrote."""
    with np.load(path) as file:
        leaves = [jnp.asarray(file[f"leaf{n}"]) for n in range(len(jax.tree.leaves(like)))]
        return int(file["number"]), jax.tree.unflatten(jax.tree.structure(like), leaves)


def archives(given):
    """Training and validation, on the device."""
    parts = [np.load(path) for path in sorted(given.out.glob("block*.npz"))]
    taken = {"training": slice(0, given.years - 1), "validation": slice(given.years - 1, None)}
    count = parts[0]["u"].shape[1]
    found = {}
    for split, years in taken.items():
        fields = {}
        for name in (*STATE, *WEATHER):
            field = np.concatenate([part[name][years] for part in parts], axis=1)
            fields[name] = jnp.asarray(np.nan_to_num(field).reshape(-1, *field.shape[2:]))
        length = count * len(parts)
        # A year apart from each other by a gap, so that no piece crosses from one to the next.
        number = np.arange(fields["u"].shape[0])
        moment = FIRST + KEPT * (1 + number % length) + (number // length) * 366 * DAY
        states = {name: fields.pop(name) for name in STATE}
        found[split] = Archive(IceState(**states), Forcing(moment, **fields))
    return found["training"], found["validation"]


def ocean_of(grid):
    """Climatology of the simulator's ocean."""
    ocean = ArcticOcean.of(grid)
    months = [ocean.fields(int(to_seconds(f"2030-{month:02d}-15T12"))) for month in range(1, 13)]
    names = ("current_u", "current_v", "ocean_temperature")
    return OceanClimatology.fit({k: np.stack([np.asarray(m[k]) for m in months]) for k in names})


def train(given, clock):
    """All stages; whether all are done."""
    grid = Grid.preset(given.preset)
    training, validation = archives(given)
    ocean, dt = ocean_of(grid), KEPT
    scaling = fit_scaling(training, ocean, grid, dt, key=named_key(given.seed, "scaling"))
    emulator = Emulator.untrained(grid, scaling, key=named_key(given.seed, "network"))
    emulator = Emulator(grid, emulator.network, scaling, ocean, dt=dt, network_dtype=given.dtype)
    for stage in stages(given.scale):
        path = given.out / f"{stage.name}.npz"
        if path.exists():
            emulator = with_network(emulator, Emulator.load(path, grid).network)
            continue
        learner, unfinished = Learner.of(emulator.network, stage), given.out / "learner.npz"
        if unfinished.exists():
            _, learner = restored(unfinished, learner)
        updates = learn(emulator, training, stage, seed=given.seed, learner=learner)
        for learner, losses in updates:
            update = int(learner.update)
            if update % 100 == 0:
                told = {"stage": stage.name, "update": update, "seconds": round(clock.seconds)}
                told |= {"loss": {name: round(float(losses[name]), 5) for name in losses}}
                with (given.out / "metrics.jsonl").open("a") as file:
                    file.write(json.dumps(told) + "\n")
                print(json.dumps(told), flush=True)
            if clock.over:
                stored(unfinished, update, learner)
                return False
        emulator = with_network(emulator, learner.average)
        emulator.save(path)
        unfinished.unlink(missing_ok=True)
        members = 1 if stage.members == 1 else 4
        skill = validate(
            emulator, validation, steps=20, pieces=12, members=members, seed=given.seed
        )
        told = {name: np.round(skill[name][[0, 1, 5, 9, 19], :2], 3).tolist() for name in skill}
        print(stage.name, json.dumps(told), flush=True)
        (given.out / f"{stage.name}.json").write_text(json.dumps(told) + "\n")
    card = {
        "command": " ".join(sys.argv),
        "devices": [str(device) for device in jax.devices()],
        "validation": json.loads((given.out / f"{stage.name}.json").read_text()),
    }
    write_text(given.out / "card.json", json.dumps(card, indent=1) + "\n")
    emulator.save(given.out / "emulator.npz", card)
    return True


def with_network(emulator, network):
    """The emulator with other weights."""
    return eqx.tree_at(lambda one: one.network, emulator, network)


if __name__ == "__main__":
    main()
