"""Make the numbers and the figures of this folder again.

    python validation/cyclone/make.py --work DIR [--skip NAME ...]

Each run is kept in DIR, so that an interrupted command goes on; begin with an empty DIR when the
simulator has changed. Writes README.md, cross_nudging.png, deformation.png and statistics.png here.
"""

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path

import jax
import matplotlib
import numpy as np
from cases import HOURS, SCALES, TAIL, WALL, Case, deformation, figures, states

from floecast.simulator.cyclone import cyclone_grid
from floecast.verification.deformation_statistics import PDF_RANGE, pdf, pdf_edges

matplotlib.use("Agg")
from matplotlib import pyplot as plt

HERE = Path(__file__).parent
PLAIN = [Case(name, size) for size in (8, 4, 2) for name in ("bbm", "mevp")]
APART = [Case("bbm", size, nudging=0.0) for size in (8, 4)]
NOISE = [Case("bbm", 8, noise=seed) for seed in (1, 2, 3)]
TABLE = {
    "P_max": Case("bbm", 8, upwind=True),
    "P_max without ridging": Case("bbm", 8, upwind=True, shear_reduction=0.0),
}
ROWS = {
    "p90": ("P90 of total deformation [1/day]", 3),
    "localisation": ("share of it in the tenth of the cells that deforms most", 2),
    "beta1": ("beta(1)", 3),
    "beta2": ("beta(2)", 2),
    "beta3": ("beta(3)", 2),
    "turned3": ("beta(3), quadrangles turned by 45 degrees", 2),
    "tail": (f"exponent of the tail above {TAIL} / day", 2),
    "tail_n": ("cells in that tail", 0),
    "lines": ("failure lines", 0),
    "line_density": ("their length over the area [1/km]", 4),
    "aligned": ("share of their length within 10 degrees of a grid axis", 2),
    "comb": ("rows of 7 cells whose damage zigzags [%]", 2),
    "energy": ("mean kinetic energy [J/m2]", 3),
    "least": ("least concentration", 4),
    "thinnest": ("least ice volume [m]", 4),
    "thickest": ("greatest ice volume [m]", 3),
    "damage": ("mean damage", 3),
}
MEASURED = ("fastest", "thinnest", "thickest", "least", "damage", "broken", "energy")
# Values of an independent implementation of the same equations, float64.
INDEPENDENT = {
    ("P_max", 12): (0.168, 0.2137, 0.3216, 0.7207, 0.752, 0.43, 1.569),
    ("P_max", 24): (0.162, 0.146, 0.351, 0.484, 0.78, 0.33, 1.50),
    ("P_max", 48): (0.187, 0.055, 0.398, 0.184, 0.80, 0.25, 1.25),
    ("P_max without ridging", 12): (0.189, 0.2101, 0.3391, 0.6934, 0.768, 0.66, 1.828),
    ("P_max without ridging", 48): (0.189, 0.054, 0.505, 0.179, 0.81, 0.33, 1.41),
}


def main():
    """Run what is not there, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", required=True, help="folder for the results of the runs")
    parser.add_argument("--skip", nargs="*", default=[], help="runs to leave out, as mevp_2km")
    given = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    work = Path(given.work)
    results = {}
    for case in (*PLAIN, *APART, *NOISE, *TABLE.values()):
        if case.name not in given.skip:
            print(case.name, flush=True)
            results[case] = states(case, work)
    draw_cross_nudging(results)
    draw_deformation(results)
    draw_statistics(results)
    (HERE / "README.md").write_text(page(results), encoding="utf-8")


def total_of(case, fields):
    """Total deformation at the end [1/day]."""
    u, v = (np.asarray(fields[name][-1], np.float64) for name in ("u", "v"))
    return deformation(u, v, cyclone_grid(case.cells))


def show(axes, field, title, **options):
    """One square field, in kilometres."""
    axes.set_title(title, fontsize=9)
    axes.set_xticks([0, 256, 512])
    axes.set_yticks([0, 256, 512])
    axes.tick_params(labelsize=7)
    return axes.imshow(field, origin="lower", extent=(0, 512, 0, 512), **options)


DEFORMATION = {"cmap": "magma", "norm": matplotlib.colors.LogNorm(3e-3, 2.0)}


def draw_cross_nudging(results):
    """Damage and deformation at the end, with and without cross-nudging."""
    figure, axes = plt.subplots(2, 4, figsize=(12, 7), layout="constrained")
    for row, apart in zip(axes, APART, strict=True):
        pair = {"with": Case("bbm", apart.kilometres), "without": apart}
        for place, (name, case) in enumerate(pair.items()):
            if case not in results:
                continue
            title = f"{case.kilometres} km, {name} nudging"
            damage = results[case]["damage"][-1]
            left = show(row[place], damage, f"damage, {title}", vmin=0.6, vmax=1.0)
            total = total_of(case, results[case])
            right = show(row[2 + place], total, f"deformation, {title}", **DEFORMATION)
    below = {"location": "bottom", "shrink": 0.6, "aspect": 40}
    figure.colorbar(left, ax=axes[:, :2], label="damage", extend="min", **below)
    figure.colorbar(right, ax=axes[:, 2:], label="total deformation [1/day]", **below)
    figure.savefig(HERE / "cross_nudging.png", dpi=100)
    plt.close(figure)


def draw_deformation(results):
    """Total deformation at the end of BBM and mEVP on all grids."""
    figure, axes = plt.subplots(2, 3, figsize=(9.5, 6.4), layout="constrained", squeeze=False)
    for case in PLAIN:
        place = axes[("bbm", "mevp").index(case.rheology), (8, 4, 2).index(case.kilometres)]
        if case in results:
            image = show(place, total_of(case, results[case]), label(case), **DEFORMATION)
        else:
            place.set_axis_off()
    figure.colorbar(image, ax=axes, shrink=0.6, label="total deformation at 48 h [1/day]")
    figure.savefig(HERE / "deformation.png", dpi=110)
    plt.close(figure)


def draw_statistics(results):
    """Distributions of deformation on the own grid, and structure functions."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    edges = pdf_edges(8e3, (PDF_RANGE[0], 5.0))
    for case in (case for case in PLAIN if case in results):
        style = {"ls": "-" if case.rheology == "bbm" else "--", "label": label(case)}
        style["color"] = {8: "C0", 4: "C1", 2: "C2"}[case.kilometres]
        found = pdf(total_of(case, results[case]), edges)
        density = np.where(found.density > 0, found.density, np.nan)
        left.loglog(found.centres, density, **style)
        numbers = figures(case, results[case])
        right.plot((0, 1, 2, 3), [0.0, *(numbers[f"beta{q}"] for q in (1, 2, 3))], "o", **style)
    rates = np.array([0.1, 2.0])
    left.loglog(rates, 2.0 * (rates / 0.1) ** -3, "k:", label="slope -3")
    left.set(xlabel="total deformation [1/day]", ylabel="density [day]", title="cells, 48 h")
    orders = np.linspace(1, 3)
    right.plot(orders, orders - 1, "k:", label="a single line of slip")
    right.set(xlabel="order q", ylabel="beta(q)", title="8 to 128 km")
    left.legend(fontsize=8)
    right.legend(fontsize=8)
    figure.savefig(HERE / "statistics.png", dpi=110)
    plt.close(figure)


def label(case):
    """As written in tables and figures."""
    name = {"bbm": "BBM", "mevp": "mEVP"}[case.rheology]
    return f"{name} {case.kilometres} km" + ("" if case.nudging else ", no cross-nudging")


def page(results):
    """Text of README.md."""
    shown = [case for case in (*PLAIN, *APART) if case in results]
    numbers = {case: figures(case, fields) for case, fields in results.items()}
    noise = [numbers[case] for case in (PLAIN[0], *NOISE) if case in numbers]
    lines = [
        "# The cyclone case",
        "",
        f"Made on {datetime.now(UTC):%Y-%m-%d} with "
        "`python validation/cyclone/make.py --work DIR`. The case of Mehlmann et al. (2021), "
        "doi:10.1029/2021MS002523: 512 km square, two days, "
        "with the steps and constants of the published runs (`simulator/cyclone.py`), WENO "
        "transport, no thermodynamics; float64 at 8 km, float32 at 4 and 2 km.",
        "",
        f"At 48 h, the outer {WALL} cells left out of deformation. Scaling: quadrangles of "
        f"{SCALES[0] / 1e3:.0f} to {SCALES[-1] / 1e3:.0f} km at every grid point, moved by the "
        "velocity of the last step; the scales are the same on all grids. Failure lines are found "
        "with limits in cells, so their numbers do not compare between grids. Last column: least "
        f"and greatest of {len(noise)} runs of BBM at 8 km whose first ice volume differs by 1e-6 "
        "(standard deviation, relative): differences inside it mean nothing.",
        "",
        "| | " + " | ".join(label(case) for case in shown) + " | range at 8 km |",
        "|---" * (len(shown) + 2) + "|",
    ]
    for key, (name, digits) in ROWS.items():
        cells = [f"{numbers[case][key]:.{digits}f}" for case in shown]
        spread = [part[key] for part in noise]
        cells.append(f"{min(spread):.{digits}f} to {max(spread):.{digits}f}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    left_out = ", ".join(label(case) for case in PLAIN if case not in results)
    note = [f"Not run: {left_out}.", ""] if left_out else []
    seconds = ", ".join(f"{label(case)} {float(results[case]['seconds']):.0f}" for case in shown)
    return "\n".join(
        [
            *lines,
            "",
            *note,
            *(HERE / "seen.md").read_text(encoding="utf-8").rstrip().split("\n"),
            "",
            *independent(results),
            "## Cost",
            "",
            f"Seconds with compilation, {os.cpu_count()} cores shared with other work, so no "
            f"measure of speed: {seconds}.",
            "",
        ]
    )


def independent(results):
    """BBM beside the independent implementation."""
    lines = [
        "## Beside an independent implementation",
        "",
        "BBM at 8 km with upwind transport and substeps of 4 s, as there; the wind there is taken "
        "at the start of a step and on faces, here in its middle and on cells. The first hours are "
        "compared number by number in `tests/benchmarks_literature/test_bbm_cyclone.py`; after "
        "half a day the runs are chaotic and only statistics are alike. The last row of each "
        "time is the run with WENO transport of the table above.",
        "",
        "| time [h] | | run | max speed component [m/s] | ice volume min [m] | max [m] | "
        "least concentration | mean damage | part above 0.9 | kinetic energy [J/m2] |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (name, hour), values in INDEPENDENT.items():
        runs = {"here": TABLE[name]} | ({"here, WENO": PLAIN[0]} if name == "P_max" else {})
        lines.append(f"| {hour} | {name} | there | " + " | ".join(map(str, values)) + " |")
        for which, case in runs.items():
            found = figures(case, results[case], HOURS.index(hour))
            cells = " | ".join(f"{found[key]:.3f}" for key in MEASURED)
            lines.append(f"| {hour} | {name} | {which} | {cells} |")
    return [*lines, ""]


if __name__ == "__main__":
    main()
