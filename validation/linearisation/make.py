"""Make the numbers and the figure of this folder again.

    python validation/linearisation/make.py --work DIR

Compares differences between two runs of the simulator with what its derivative predicts. Results
are kept in DIR, so that an interrupted command goes on. Writes README.md and linearisation.png.
"""

import argparse
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib
import numpy as np

import floecast as fc
from floecast.core.atomic import replacing
from floecast.simulator.bbm import BBM
from floecast.simulator.cyclone import BRITTLE, Cyclone, cyclone_grid, start_state
from floecast.simulator.interfaces import NoThermodynamics
from floecast.simulator.weno import WENO

matplotlib.use("Agg")
from matplotlib import pyplot as plt

HERE = Path(__file__).parent
CELLS, STEP = 32, 600
SPIN_UP = 12 * 3600
SIZES = 10.0 ** np.arange(-6, 0)
START_NAMES = {"rest": "unbroken ice at rest", "broken": "ice broken for 12 h"}
LEADS = {"10 min": 1, "30 min": 3, "1 h": 6, "3 h": 18, "6 h": 36, "12 h": 72, "24 h": 144}
OUTPUTS = ("u", "ice_volume", "damage")
INPUTS = ("ice volume", "wind")
SEEDS = (0, 1, 2)
GRADIENT_LEADS = {"10 min": 1, "1 h": 6, "3 h": 18}
TOLERATED = 0.1
TYPICAL = (0.1, 0.01, 0.1)
"""Size of the three outputs, which weighs them in the gradients."""
DIFFERENCE = 1e-6
"""Relative size of the change of a parameter in its finite difference."""


FORCING = Cyclone.on(cyclone_grid(CELLS, BRITTLE))


class Louder(eqx.Module):
    """A forcing with the wind of another times a factor of every place."""

    forcing: Cyclone
    factor: jax.Array

    def between(self, start, end):
        """See `Cyclone.between`."""
        both = self.forcing.between(start, end)
        return replace(both, wind_u=both.wind_u * self.factor, wind_v=both.wind_v * self.factor)


def main():
    """Compute what is not there, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", required=True, help="folder for the results")
    work = Path(parser.parse_args().work)
    jax.config.update("jax_enable_x64", True)
    simulator = make_simulator()
    starts = make_starts(simulator)
    tables = {}
    for name, (state, begin) in starts.items():
        for input_name in INPUTS:
            path = work / f"{name}_{input_name}.npz".replace(" ", "_")
            job = (simulator, state, begin, input_name)
            tables[name, input_name] = kept(path, lambda job=job: validity(*job))
    gradients = kept(work / "gradients.npz", lambda: check_gradients(simulator, *starts["broken"]))
    draw(tables, HERE / "linearisation.png")
    (HERE / "README.md").write_text(page(tables, gradients), encoding="utf-8")


def kept(path, compute):
    """Arrays by name from a file, or computed and put there."""
    if not path.exists():
        results = compute()
        with replacing(path) as partial, open(partial, "wb") as file:
            np.savez(file, **results)
    with np.load(path) as file:
        return dict(file)


def make_simulator(rheology=None):
    """The cyclone case on 32 x 32 cells of 16 km, with all drags of the case."""
    drags = {"air_drag": BRITTLE.air_drag, "water_drag": BRITTLE.water_drag}
    return fc.Simulator(
        cyclone_grid(CELLS, BRITTLE),
        rheology=BBM(**drags) if rheology is None else rheology,
        thermodynamics=NoThermodynamics(),
        scheme=WENO(),
        dt=STEP,
    )


def make_starts(simulator):
    """Unbroken ice at rest, and the same ice after `SPIN_UP`; with the times of both."""
    rest = simulator.start(start_state(simulator.grid, BRITTLE))
    broken = fc.rollout(
        simulator,
        rest,
        FORCING,
        SPIN_UP // STEP,
        key=jax.random.key(0),
        save_every=SPIN_UP // STEP,
        observe=lambda state: state.u,
    ).final
    return {"rest": (rest, 0), "broken": (broken, SPIN_UP)}


def pattern(seed, shape):
    """Smooth random field of unit root mean square, with waves longer than four cells."""
    noise = np.fft.fft2(np.random.default_rng(seed).standard_normal(shape))
    waves = np.hypot(*np.meshgrid(*(np.fft.fftfreq(size) for size in shape), indexing="ij"))
    field = np.fft.ifft2(np.where(waves < 0.25, noise, 0.0)).real
    return field / field.std()


def outputs_at_leads(simulator, state, begin, more_volume, more_wind, leads):
    """The outputs after each of the leads, of a run with ice volume and wind changed in ratio."""
    forcing = Louder(FORCING, 1.0 + more_wind)
    begun = replace(state, ice_volume=state.ice_volume * (1.0 + more_volume))
    trajectory = fc.rollout(
        simulator,
        begun,
        forcing,
        max(leads),
        key=jax.random.key(0),
        start=begin,
        observe=lambda now: tuple(getattr(now, name) for name in OUTPUTS),
    )
    return jax.tree.map(lambda field: field[np.array(leads) - 1], trajectory.state)


@eqx.filter_jit
def run_all(simulator, state, begin, more_volume, more_wind):
    """Runs with each of the changes ``(change, y, x)``."""
    leads = tuple(LEADS.values())
    return jax.lax.map(
        lambda change: outputs_at_leads(simulator, state, begin, *change, leads),
        (more_volume, more_wind),
    )


@eqx.filter_jit
def run_linear(simulator, state, begin, more_volume, more_wind):
    """Tangent-linear runs with each of the changes ``(change, y, x)``."""
    leads = tuple(LEADS.values())
    still = jnp.zeros(simulator.grid.shape)

    def outcome(*change):
        return outputs_at_leads(simulator, state, begin, *change, leads)

    return jax.lax.map(
        lambda change: jax.jvp(outcome, (still, still), change)[1], (more_volume, more_wind)
    )


def validity(simulator, state, begin, input_name):
    """Nonlinear differences beside the tangent-linear prediction.

    Returns
    -------
    dict
        `ratio` and `error`, ``(output, lead, size)``, medians over `SEEDS`.
    """
    ways = np.stack([pattern(seed, simulator.grid.shape) for seed in SEEDS])
    begin = jnp.asarray(begin)

    def both(changes):
        """The changes as those of ice volume and wind."""
        none = np.zeros_like(changes)
        return (changes, none) if input_name == "ice volume" else (none, changes)

    linear = run_linear(simulator, state, begin, *both(ways))
    # The unchanged run is one of the members, so that both go through the same compiled program.
    changes = np.concatenate([np.zeros((1, *simulator.grid.shape)), *(s * ways for s in SIZES)])
    runs = run_all(simulator, state, begin, *both(changes))
    ratio, error = [], []
    for run, slope in zip(runs, linear, strict=True):
        run, predicted = np.asarray(run), np.asarray(slope)[None]
        moved = (run[1:] - run[0]).reshape(len(SIZES), len(SEEDS), *run.shape[1:])
        difference = moved / SIZES[:, None, None, None, None]
        norm = (predicted**2).sum(axis=(3, 4))
        along = (difference * predicted).sum(axis=(3, 4)) / norm
        apart = np.sqrt(((difference - predicted) ** 2).sum(axis=(3, 4)) / norm)
        ratio.append(np.median(along, axis=1).T)
        error.append(np.median(apart, axis=1).T)
    return {"ratio": np.array(ratio), "error": np.array(error)}


def check_gradients(simulator, state, begin):
    """Reverse mode beside central differences for every parameter of BBM.

    Returns
    -------
    dict
        `names`, and ``(lead, parameter)`` arrays `derivative` and `difference` of a fixed random
        combination of the outputs with respect to the logarithm of a parameter.
    """
    weights = [np.random.default_rng(9).standard_normal(simulator.grid.shape) for _ in OUTPUTS]
    leads = tuple(GRADIENT_LEADS.values())
    fields = vars(simulator.rheology).items()
    names = [name for name, value in fields if eqx.is_array(value)]

    def costs(logarithms):
        """One number a lead."""
        changed = eqx.tree_at(
            lambda sim: [getattr(sim.rheology, name) for name in names],
            simulator,
            [
                getattr(simulator.rheology, name) * jnp.exp(change)
                for name, change in zip(names, logarithms, strict=True)
            ],
        )
        still = jnp.zeros(simulator.grid.shape)
        found = outputs_at_leads(changed, state, jnp.asarray(begin), still, still, leads)
        parts = zip(found, weights, TYPICAL, strict=True)
        return sum((field * weight).sum(axis=(1, 2)) / scale for field, weight, scale in parts)

    still, steps = jnp.zeros(len(names)), DIFFERENCE * jnp.eye(len(names))
    derivative = jax.jit(jax.jacrev(costs))(still)
    ends = jax.jit(lambda ways: jax.lax.map(costs, ways))(jnp.concatenate([steps, -steps]))
    ahead, behind = np.split(np.asarray(ends), 2)
    return {
        "names": np.array(names),
        "derivative": np.asarray(derivative),
        "difference": (ahead - behind).T / (2 * DIFFERENCE),
    }


def draw(tables, path):
    """Relative error of the tangent-linear prediction against the size of the change."""
    figure, axes = plt.subplots(
        len(tables), len(OUTPUTS), figsize=(10, 11), sharex=True, sharey=True, layout="constrained"
    )
    colours = plt.get_cmap("viridis")(np.linspace(0, 0.9, len(LEADS)))
    for row, ((start, changed), table) in zip(axes, tables.items(), strict=True):
        for place, output, errors in zip(row, OUTPUTS, table["error"], strict=True):
            place.set_title(f"{output}, {changed} changed, {START_NAMES[start]}", fontsize=8)
            place.axhline(1.0, color="k", lw=0.8, ls=":")
            for lead, error, colour in zip(LEADS, errors, colours, strict=True):
                place.loglog(SIZES, error, "o-", ms=3, color=colour, label=lead)
            place.set_ylim(1e-7, 1e1)
        row[0].set_ylabel("relative error", fontsize=8)
    for place in axes[-1]:
        place.set_xlabel("size of the change", fontsize=8)
    axes[0, 0].legend(fontsize=7)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def page(tables, gradients):
    """Text of README.md."""
    lines = [
        "# How far the linearisation of the simulator reaches",
        "",
        f"Made on {datetime.now(UTC):%Y-%m-%d} with "
        "`python validation/linearisation/make.py --work DIR`. BBM with WENO transport on "
        f"{CELLS} x {CELLS} cells of 16 km under the cyclone, steps of {STEP} s, float64. Ice "
        "volume at the start, or the wind all the time, is changed in ratio by a smooth random "
        "pattern of unit root mean square times the size given; the difference to the unchanged "
        "run is compared with the tangent-linear run (`jax.jvp`). Medians of "
        f"{len(SEEDS)} patterns.",
        "",
        "Ratio: component of the difference along the prediction over the prediction, 1 if linear. "
        "Error: root mean square of difference less prediction over that of the prediction.",
        "",
    ]
    lines += [*reach(tables), (HERE / "seen.md").read_text(encoding="utf-8")]
    lines += ["![Relative error of the prediction](linearisation.png)", ""]
    for (start, changed), table in tables.items():
        lines += [f"## {START_NAMES[start].capitalize()}, {changed} changed", ""]
        heads = " | ".join(f"{size:.0e}" for size in SIZES)
        lines += [f"| output | lead | {heads} |", "|---" * (len(SIZES) + 2) + "|"]
        for number, output in enumerate(OUTPUTS):
            for place, lead in enumerate(LEADS):
                both = (table[name][number, place] for name in ("ratio", "error"))
                pairs = zip(*both, strict=True)
                cells = " | ".join(f"{ratio:.2g} ({error:.1g})" for ratio, error in pairs)
                lines.append(f"| {output} | {lead} | {cells} |")
        lines += ["", "Ratio, error in brackets.", ""]
    lines += [
        "## Derivatives by the parameters",
        "",
        "Reverse mode beside central differences (parameter times 1 ± "
        f"{DIFFERENCE:g}) of a random combination of {', '.join(OUTPUTS)}, from broken ice. "
        "Derivative by the logarithm of the parameter, relative difference in brackets; where "
        "a derivative is below a millionth of the largest, over that millionth.",
        "",
        f"| parameter | {' | '.join(GRADIENT_LEADS)} |",
        "|---" * (len(GRADIENT_LEADS) + 1) + "|",
    ]
    names, slopes, checks = (gradients[name] for name in ("names", "derivative", "difference"))
    for number, name in enumerate(names):
        cells = []
        for slope, check in zip(slopes, checks, strict=True):
            scale = max(abs(slope[number]), 1e-6 * np.abs(slope).max())
            apart = abs(slope[number] - check[number]) / scale
            cells.append(f"{slope[number]:.4g} ({apart:.0e})")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def reach(tables):
    """Table of the largest change whose error is below `TOLERATED`."""
    lines = [
        f"Largest of the changes tested with which it, and all smaller ones, leave an error below "
        f"{TOLERATED:.0%}:",
        "",
        f"| start | changed | output | {' | '.join(LEADS)} |",
        "|---" * (len(LEADS) + 3) + "|",
    ]
    for (start, changed), table in tables.items():
        for output, errors in zip(OUTPUTS, table["error"], strict=True):
            kept = np.cumprod(errors < TOLERATED, axis=1).sum(axis=1)
            cells = " | ".join(f"{SIZES[count - 1]:.0e}" if count else "none" for count in kept)
            lines.append(f"| {START_NAMES[start]} | {changed} | {output} | {cells} |")
    return [*lines, ""]


if __name__ == "__main__":
    main()
