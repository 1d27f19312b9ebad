"""Measure an emulator against the simulator; writes README.md and the figures of this folder.

    python validation/emulator/make.py --work DIR [--preset NAME] [--weights FILE] [--free-run]

Truth is kept in DIR, so that an interrupted command goes on.
"""

import argparse
import sys
from pathlib import Path

import deformation
import derivatives
import free_run
import matplotlib
import numpy as np
from page import page

from floecast.bench import emulator as bench
from floecast.bench.emulator_scores import FIELDS, band_ratio, bands, box_spectra, ice_boxes
from floecast.bench.emulator_truth import LEADS
from floecast.core.calendar import iso
from floecast.progress import progress_for
from floecast.verification.deformation_statistics import pdf, pdf_edges

matplotlib.use("Agg")
from matplotlib import pyplot as plt

HERE = Path(__file__).parent
LABELS = {
    "concentration": "concentration [1]",
    "ice_volume": "ice volume [m]",
    "snow_volume": "snow volume [m]",
    "drift": "drift, vector [m/s]",
    "damage": "damage [1]",
}
LINES = {
    "persistence": ("persistence", "0.45", "-"),
    "damped_persistence": ("damped persistence", "tab:brown", "-"),
    "climatology": ("climatology", "tab:green", "-"),
    "free_drift": ("free drift", "tab:purple", "-"),
    "emulator": ("emulator, mean of the members", "tab:blue", "-"),
    "spread": ("emulator, spread", "tab:blue", "--"),
}


def main():
    """Measure, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", required=True, help="folder for the runs of the truth")
    parser.add_argument("--preset", choices=bench.PRESETS)
    parser.add_argument("--weights", help="file of an emulator; the shipped one if left out")
    parser.add_argument("--dates", type=int, default=12)
    parser.add_argument("--members", type=int, default=20)
    parser.add_argument("--free-run", action="store_true", help="two years of both, too")
    parser.add_argument("--out", type=Path, default=HERE, help="in place of this folder")
    given = parser.parse_args()
    with progress_for(sys.stderr) as progress:
        measured = bench.measure(
            given.preset, given.weights, given.work, given.dates, given.members, progress
        )
        progress.stage("derivatives", "begun")
        told = {"derivatives": derivatives.check(measured), "figures": bench.figures(measured)}
        rates, told["deformation"] = deformation.measure(measured)
        told["free_run"] = free_run.run(measured, progress) if given.free_run else None
    given.out.mkdir(parents=True, exist_ok=True)
    draw_errors(measured, given.out / "error_against_lead.png")
    draw_ranks(measured, given.out / "rank_histograms.png")
    draw_spectra(measured, given.out / "spectra.png")
    draw_map(measured, given.out / "map.png")
    draw_deformation(rates, measured.truth.grid, given.out / "deformation.png")
    if told["free_run"] is not None:
        draw_free_run(told["free_run"], given.out / "free_run.png")
    (given.out / "README.md").write_text(page(measured, told, given), encoding="utf-8")


def draw_errors(measured, path):
    """Error of every system against lead, a panel a variable."""
    figure, axes = plt.subplots(2, 3, figsize=(12, 7), layout="constrained")
    for axis, variable in zip(axes.flat, FIELDS, strict=False):
        for system, (_, colour, style) in LINES.items():
            if variable in measured.squares[system]:
                error = measured.rmse(system, variable)
                axis.plot(LEADS / 24, error, style, color=colour, lw=1.8)
        axis.set(title=LABELS[variable], xlim=(0, 10), ylim=(0, None), xlabel="lead [days]")
        axis.grid(alpha=0.3)
    axes[0, 0].set_ylabel("root mean square error")
    axes[1, 0].set_ylabel("root mean square error")
    last = axes[1, 2]
    last.axis("off")
    for label, colour, style in LINES.values():
        last.plot([], [], style, color=colour, lw=1.8, label=label)
    last.legend(loc="center", frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_ranks(measured, path):
    """Rank of the truth among the members, first and last lead."""
    figure, axes = plt.subplots(2, len(FIELDS), figsize=(13, 5), layout="constrained", sharex=True)
    for column, variable in enumerate(FIELDS):
        counts = measured.ranks[variable]
        for row, place in enumerate((0, len(bench.TOLD) - 1)):
            parts, axis = counts[place] / counts[place].sum(), axes[row, column]
            axis.bar(np.arange(len(parts)), parts * len(parts), width=1.0, color="tab:blue")
            axis.axhline(1.0, color="k", lw=0.8)
            title = f"{variable.replace('_', ' ')}, {bench.TOLD[place]} h"
            axis.set_title(title, fontsize=9)
            axis.set_ylim(0, max(2.0, 1.05 * len(parts) * parts.max()))
    axes[0, 0].set_ylabel("frequency over flat")
    axes[1, 0].set_ylabel("frequency over flat")
    figure.supxlabel("rank of the truth among the members", fontsize=9)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_spectra(measured, path):
    """Spectra at ten days: truth, members, mean of the members; below, members over truth."""
    groups, grid, side = bands(measured.side), measured.truth.grid, measured.side
    figure, axes = plt.subplots(
        2, len(FIELDS), figsize=(14, 6), layout="constrained", sharex=True, height_ratios=(2, 1)
    )
    means = {variable: [] for variable in FIELDS}
    for case, last in zip(measured.cases, measured.last, strict=True):
        state = type(last)(**{name: field.mean(axis=0) for name, field in last.fields().items()})
        true = type(last)(**{name: field[-1] for name, field in case.truth.fields().items()})
        boxes = ice_boxes(true, grid, side)
        for variable, power in box_spectra(state, grid, boxes, side).items():
            means[variable].extend(power)
    for column, variable in enumerate(FIELDS):
        true, told = measured.spectra[variable]
        if not len(true):
            continue
        mean, (top, low) = np.array(means[variable]), axes[:, column]
        for power, label, colour in (
            (true, "truth", "k"),
            (told.reshape(-1, told.shape[-1]), "members", "tab:blue"),
            (mean, "mean of the members", "tab:orange"),
        ):
            level = np.exp(np.log(power).mean(axis=0))
            banded = np.array([np.exp(np.log(level[group]).mean()) for group in groups])
            top.loglog(_waves(groups, grid, side), banded, color=colour, lw=1.8, label=label)
        low.semilogx(_waves(groups, grid, side), band_ratio(told, true, side), color="tab:blue")
        low.semilogx(
            _waves(groups, grid, side), band_ratio(mean[:, None], true, side), color="tab:orange"
        )
        low.axhspan(0.9, 1.1, color="0.85")
        low.set(ylim=(0, 2), xlabel="wavelength [km]")
        ticks = [200, 400, 800, 1600] if grid.spacing > 6e4 else [100, 200, 400, 800, 1600]
        low.set_xticks(ticks, [str(tick) for tick in ticks], minor=False)
        low.minorticks_off()
        top.set_title(LABELS[variable], fontsize=9)
        low.invert_xaxis()
    axes[0, 0].set_ylabel("power")
    axes[1, 0].set_ylabel("over truth")
    axes[0, 0].legend(fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _waves(groups, grid, side):
    rings = [np.exp(np.mean(np.log(group + 1.0))) for group in groups]
    return side * grid.spacing / np.array(rings) / 1e3


def draw_map(measured, path):
    """Ice volume of the date whose error is the median one."""
    errors = measured.squares["emulator"]["ice_volume"][:, -1]
    chosen = int(np.argsort(errors)[(len(errors) - 1) // 2])
    case, last = measured.cases[chosen], measured.last[chosen].ice_volume
    sea, truth = np.asarray(measured.truth.grid.mask_t), case.truth.ice_volume
    members = f"error of the mean of {len(last)} members"
    panels = {
        "truth": (truth[-1], 0),
        "one member": (last[0], 0),
        members: (last.mean(axis=0) - truth[-1], 1),
        "error of persistence": (truth[0] - truth[-1], 1),
    }
    thickest = np.ceil(np.quantile(truth[-1][sea & (truth[-1] > 0.05)], 0.99))
    largest = max(np.quantile(np.abs(truth[0] - truth[-1])[sea], 0.995), 0.05)
    styles = (
        {"vmin": 0, "vmax": thickest, "cmap": "viridis"},
        {"vmin": -largest, "vmax": largest, "cmap": "RdBu_r"},
    )
    figure, axes = plt.subplots(1, 4, figsize=(15, 4.3), layout="constrained")
    for number, (axis, (title, (field, kind))) in enumerate(zip(axes, panels.items(), strict=True)):
        axis.set_facecolor("0.75")
        shown = np.where(sea, field, np.nan)
        image = axis.imshow(shown, origin="lower", **styles[kind])
        axis.set(title=title, xticks=[], yticks=[])
        if number % 2:
            figure.colorbar(image, ax=axes[number - 1 : number + 1], shrink=0.7, label="m")
    figure.suptitle(f"Ice volume per area, ten days after {iso(case.start)[:10]}", fontsize=11)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_deformation(rates, grid, path):
    """Distribution of total deformation at ten days."""
    figure, axis = plt.subplots(figsize=(6, 4.5), layout="constrained")
    edges = pdf_edges(grid.spacing)
    for which, colour in (("truth", "k"), ("members", "tab:blue")):
        found = pdf(rates[which], edges)
        shown = found.density > 0
        axis.loglog(
            found.centres[shown],
            found.density[shown],
            "o-",
            ms=3,
            color=colour,
            label=f"{which}, {found.values} cells",
        )
    axis.set(xlabel="total deformation [1/day]", ylabel="probability density [day]")
    axis.grid(alpha=0.3)
    axis.legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_free_run(told, path):
    """Monthly ice volume and extent of two years."""
    names, truth, members = free_run.monthly(told)
    figure, axes = plt.subplots(1, 2, figsize=(12, 4), layout="constrained")
    for place, unit in enumerate(("volume [1000 km³]", "extent [million km²]")):
        axis = axes[place]
        axis.plot(truth[:, place] / 1e12, "k", lw=2, label="simulator")
        axis.plot(members[:, place] / 1e12, color="tab:blue", lw=1, label="emulator, members")
        axis.set(title=f"ice {unit}", ylim=(0, None))
        axis.set_xticks(range(0, len(names), 3), names[::3], rotation=30)
        axis.grid(alpha=0.3)
    handles, labels = axes[0].get_legend_handles_labels()
    axes[0].legend(handles[:2], labels[:2])
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
