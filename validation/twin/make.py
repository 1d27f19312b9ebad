"""Assimilation methods in twins; writes README.md and the figures of this folder.

    python validation/twin/make.py --work DIR [--twin PRESET MONTH CYCLES [METHOD...]]...

Twins that DIR holds are read, others are made; an interrupted command goes on. Each of
``PRESET_MONTH`` in DIR is one twin, as `floecast bench twin --work` leaves it.
"""

import argparse
import sys
from calendar import month_name
from datetime import UTC, datetime
from pathlib import Path

import matplotlib
import numpy as np

from floecast.bench import twin as bench
from floecast.bench.machine import machine
from floecast.progress import progress_for
from floecast.verification.bootstrap import ratio_interval

matplotlib.use("Agg")
from matplotlib import pyplot as plt

HERE = Path(__file__).parent
NAMES = {
    "free_run": "free run",
    "letkf": "LETKF",
    "var3d": "3D-Var",
    "var4d": "4D-Var, static",
    "envar4d": "4DEnVar",
    "en4dvar": "En4DVar",
}
COLOURS = dict(
    zip(NAMES, ("0.5", "tab:blue", "tab:brown", "tab:green", "tab:purple", "tab:red"), strict=True)
)
TWINS = (
    ("arctic100", 1, 45, *NAMES),
    ("arctic100", 3, 60, *NAMES),
    ("arctic50", 1, 30, "free_run", "letkf", "en4dvar"),
)
"""Preset, month, cycles of two days, methods."""
SHOWN = {
    "thickness": "thickness [m]",
    "ice_volume": "ice volume [m]",
    "concentration": "concentration [1]",
}


def main():
    """Cycle, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", required=True, type=Path, help="folder for the runs")
    parser.add_argument(
        "--twin",
        nargs="+",
        action="append",
        help="preset, month it begins in, number of cycles and methods (all if left out)",
    )
    parser.add_argument("--members", type=int, default=20)
    given = parser.parse_args()
    twins = [(one[0], int(one[1]), int(one[2]), *one[3:]) for one in given.twin or TWINS]
    parts = []
    with progress_for(sys.stderr) as progress:
        for preset, month, cycles, *methods in twins:
            name = f"{preset}_{month}"
            told = bench.cycled(
                preset,
                given.work / name,
                cycles,
                month,
                given.members,
                progress,
                methods or bench.METHODS,
            )
            draw(told, HERE / f"{name}.png")
            start = month_name[month]
            parts += section(told, f"{preset}, {2 * cycles} days from {start} on", f"{name}.png")
    (HERE / "README.md").write_text("\n".join([*head(given), *parts, ""]), encoding="utf-8")


def draw(told, path):
    """Errors by cycle, and by lead of the forecasts."""
    figure, axes = plt.subplots(2, 3, figsize=(13, 7), layout="constrained")
    for axis, (name, label) in zip(axes[0], SHOWN.items(), strict=True):
        for method, (cycles, _) in told.items():
            days = 2 * (1 + np.array([row["cycle"] for row in cycles]))
            error = [row["analysis"][name]["rmse"] for row in cycles]
            axis.plot(days, error, color=COLOURS[method], label=NAMES[method])
            if "spread" in cycles[0]["analysis"][name] and method in ("free_run", "en4dvar"):
                spread = [row["analysis"][name]["spread"] for row in cycles]
                axis.plot(days, spread, color=COLOURS[method], linestyle=":")
        axis.set(xlabel="day", ylabel=f"error of {label}", ylim=(0, None))
    axes[0, 0].legend(fontsize="small")
    axes[0, 1].set_title("analysis mean: root-mean-square error; dotted: spread", fontsize="small")
    axis = axes[1, 0]
    for method, (cycles, _) in told.items():
        days = 2 * (1 + np.array([row["cycle"] for row in cycles]))
        axis.plot(days, [row["analysis"]["iiee"] for row in cycles], color=COLOURS[method])
    axis.set(xlabel="day", ylabel="integrated ice-edge error [10$^6$ km$^2$]", ylim=(0, None))
    for axis, name in zip(axes[1, 1:], ("ice_volume", "concentration"), strict=True):
        for method, (_, forecasts) in told.items():
            leads = sorted({row["lead_hours"] for row in forecasts})
            rows = bench.settled(forecasts)
            error = [
                np.sqrt(np.mean([r[name]["rmse"] ** 2 for r in rows if r["lead_hours"] == lead]))
                for lead in leads
            ]
            axis.plot(np.array(leads) / 24, error, color=COLOURS[method])
        axis.set(xlabel="lead [days]", ylabel=f"forecast error of {SHOWN[name]}", ylim=(0, None))
    figure.savefig(path, dpi=110)
    plt.close(figure)


def head(given):
    """What was done."""
    on = machine()
    return [
        "# Assimilation methods in twins",
        "",
        f"Made on {datetime.now(UTC):%Y-%m-%d} with",
        "",
        "```",
        " ".join(
            [
                "python validation/twin/make.py --work DIR",
                *(f"--twin {' '.join(one)}" for one in given.twin or ()),
            ]
        ),
        "```",
        "",
        "Truth: the simulator (BBM, Winton, WENO5) in weather of the test split. The methods do "
        f"not know it: they carry {given.members} members of the emulator, begun from other years "
        "at the same date with likely errors, each in weather with the error of an analysis of its "
        "own, and a forecast's after the last window. Windows of two days. Observed are the daily "
        "concentration of every cell (footprint 50 km, error 5 to 15 %, clipped to 0..1) and, from "
        "mid October to mid April, the thickness below the tracks of CryoSat-2 (error 0.3 m). All "
        "methods get the same observations, members and weather; the members of all variational "
        "methods stand about the analysis with the anomalies of the LETKF. Errors of concentration "
        "are taken as uncorrelated with those of other variables, but in 4DEnVar. The error of an "
        "observed concentration is that of the value which is likely, given the background. Means "
        "leave out the first fifth of the cycles; intervals (95 %) by blocks of paired cycles, "
        "which hold for this truth alone: one weather, one season.",
        "",
        f"{on['cores']} cores ({on['cpu']}), jax {on['jax']}.",
        "",
    ]


def section(told, title, figure):
    """Tables of a twin."""
    free, free_forecasts = told["free_run"]
    lines = [
        f"## {title}",
        "",
        f"![errors by day and lead]({figure})",
        "",
        "Error of the analysis over that of the free run (below 1 is better), spread over error:",
        "",
        "| method | thickness | ice volume | concentration | snow | IIEE | SPS | CRPS volume "
        "| spread/error volume | concentration | snow | s a cycle |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for method, (cycles, _) in told.items():
        cells = [NAMES[method]]
        for name in ("thickness", "ice_volume", "concentration", "snow_volume"):
            value, low, high = bench.compared(cycles, free, name)
            cells.append("1" if method == "free_run" else f"{value:.2f} ({low:.2f}-{high:.2f})")
        for name in ("iiee", "sps"):
            ratio = np.mean(bench.series(cycles, name)) / np.mean(bench.series(free, name))
            cells.append(f"{ratio:.2f}")
        crps = [
            np.mean([row["analysis"]["ice_volume"]["crps"] for row in bench.settled(rows)])
            for rows in (cycles, free)
        ]
        cells.append(f"{crps[0] / crps[1]:.2f}")
        for name in ("ice_volume", "concentration", "snow_volume"):
            spread, error = (bench.squares(cycles, name, kind) for kind in ("spread", "rmse"))
            cells.append(f"{np.sqrt(spread.mean() / error.mean()):.2f}")
        cells.append(f"{np.median([row['seconds'] for row in cycles]):.1f}")
        lines.append(f"| {' | '.join(cells)} |")
    error = np.sqrt([np.mean(bench.squares(free, name, "rmse")) for name in SHOWN])
    lines += rivals(told) + [
        "",
        f"Errors of the free run: thickness {error[0]:.3f} m, ice volume {error[1]:.3f} m, "
        f"concentration {error[2]:.3f}.",
        "",
        "Forecasts from the analyses, error over that of the free run at the same time:",
        "",
        "| method | volume, 1 day | 3 | 5 | 10 | concentration, 1 day | 3 | 5 | 10 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for method, (_, forecasts) in told.items():
        cells = [NAMES[method]]
        for name in ("ice_volume", "concentration"):
            for day in bench.FORECAST_DAYS:
                mine, others = (
                    [row for row in rows if row["lead_hours"] == 24 * day]
                    for rows in (forecasts, free_forecasts)
                )
                value = bench.compared(mine, others, name, part=None)[0]
                cells.append(f"{value:.2f}")
        lines.append(f"| {' | '.join(cells)} |")
    costs = [row["minimisation"] for row in told["en4dvar"][0]]
    twice = np.mean([one["twice_cost_over_observations"] for one in costs])
    status = [row["status"] for row in told["en4dvar"][0]]
    members = min(row["analysis"]["members"] for row in told["en4dvar"][0])
    ratios = [
        f"{kind} {estimated(told['en4dvar'][0], kind):.2f}"
        for kind in ("concentration", "thickness")
        if any(kind in row["innovations"] for row in told["en4dvar"][0])
    ]
    lines += [
        "",
        "Observation error estimated after Desroziers over the one assumed, En4DVar: "
        f"{', '.join(ratios)}.",
        "",
        f"En4DVar: 2J/p {twice:.2f}; status of the cycles "
        f"{ {number: status.count(number) for number in sorted(set(status))} } (0 converged, 4 "
        f"stopped at the last outer loop); at least {members} healthy members.",
        "",
    ]
    return lines


def estimated(cycles, kind):
    """Standard error of a kind of observations estimated from the cycles over that assumed."""
    rows = [one["innovations"][kind] for one in bench.settled(cycles) if kind in one["innovations"]]
    counts = [row["count"] for row in rows]
    found, assumed = (
        np.average([row[name] for row in rows], weights=counts)
        for name in ("observation_variance", "assumed_observation_variance")
    )
    return np.sqrt(found / assumed)


def rivals(told):
    """Table of En4DVar against each other method on the same cycles."""
    columns = {
        "thickness": ("thickness", "rmse"),
        "ice volume": ("ice_volume", "rmse"),
        "CRPS": ("ice_volume", "crps"),
        "concentration": ("concentration", "rmse"),
        "its CRPS": ("concentration", "crps"),
        "IIEE": ("iiee", None),
        "SPS": ("sps", None),
    }
    lines = [
        "",
        "Error of En4DVar over that of the others in the analysis (below 1: En4DVar is better):",
        "",
        f"| method | {' | '.join(columns)} |",
        f"|---|{'---|' * len(columns)}",
    ]
    mine = told["en4dvar"][0]
    for method, (cycles, _) in told.items():
        if method in ("free_run", "en4dvar"):
            continue
        cells = [NAMES[method]]
        for name, kind in columns.values():
            cells.append("{:.3f} ({:.3f}-{:.3f})".format(*against(mine, cycles, name, kind)))
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def against(mine, others, name, kind):
    """Ratio of a score of two methods, and its interval by paired blocks of cycles."""

    def scores(rows):
        told = [row["analysis"][name] for row in bench.settled(rows)]
        return np.array(told if kind is None else [one[kind] for one in told])

    mine, others = scores(mine), scores(others)
    power = 2 if kind == "rmse" else 1
    found = ratio_interval(
        mine**power,
        others**power,
        block_length=max(1, round(len(mine) ** 0.5)),
        rng=np.random.default_rng(0),
    )
    return np.array([found.value, found.low, found.high]) ** (1 / power)


if __name__ == "__main__":
    main()
