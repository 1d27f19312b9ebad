"""Text of README.md: targets beside what was measured."""

from datetime import UTC, datetime
from pathlib import Path

import deformation
import free_run
import jax
import numpy as np

from floecast.bench.emulator import TOLD, spectrum_ratio
from floecast.bench.emulator_scores import FIELDS
from floecast.bench.emulator_truth import LEADS, SPIN_UP_DAYS
from floecast.bench.machine import machine
from floecast.core.calendar import HOUR, iso

NAMES = {variable: variable.replace("_", " ") for variable in FIELDS}
SYSTEMS = ("persistence", "damped_persistence", "climatology", "free_drift")


def page(measured, told, given):
    """The page."""
    lines = _head(measured, given)
    lines += ["## To reach", "", "| check | target | measured | reached |", "|---|---|---|---|"]
    for check, target, value, reached in _targets(measured, told):
        lines.append(f"| {check} | {target} | {value} | {'yes' if reached else 'no'} |")
    lines += _tables(measured, told["figures"])
    lines += _deformation(told["deformation"])
    lines += _free_run(told["free_run"])
    return "\n".join([*lines, ""])


def _head(measured, given):
    emulator, truth = measured.emulator, measured.truth
    parameters = sum(leaf.size for leaf in jax.tree.leaves(emulator.network))
    weights = "" if given.weights is None else f" --weights {Path(given.weights).name}"
    free = " --free-run" if given.free_run else ""
    number, members = len(measured.cases), given.members
    dates = ", ".join(iso(case.start)[:10] for case in measured.cases)
    on = machine()
    return [
        "# The emulator against the simulator it learned from",
        "",
        f"Made on {datetime.now(UTC):%Y-%m-%d} with",
        "",
        "```",
        f"python validation/emulator/make.py --work DIR --preset {truth.grid.name}{weights}"
        f" --dates {number} --members {members}{free}",
        "```",
        "",
        f"Emulator: {parameters} parameters, steps of {emulator.dt / HOUR:g} h. Truth: simulator "
        f"on {truth.grid.name} (BBM, Winton, WENO5, prescribed ocean) from restart states that "
        f"ship with the package, {SPIN_UP_DAYS} days of spin-up in the synthetic weather of the "
        f"test split, seed {truth.config.seed}, then ten days. {number} forecasts of {members} "
        f"members; begun on {dates}.",
        "",
        "What to bear in mind:",
        "",
        "- Perfect forcing and a perfect start: the emulator gets the weather of the truth and "
        "begins at its state. Errors of weather and analysis come on top in a real forecast.",
        "- The weather was never seen; the thick ice at the start stems from a run in training "
        f"weather, {SPIN_UP_DAYS} days before.",
        "- Errors are weighted by area: over the sea; of drift over faces with ice in the truth, "
        "as a vector. Squares are averaged over dates, then the root is taken. The ensemble mean "
        "is scored, and the spread is that of Fortin et al. (2014).",
        "- Damped persistence and climatology are made of the restart states half a year or more "
        "from the start; the damping and the factor and angle of free drift are fitted to the "
        "other dates, which makes them harder to beat than tuned on other years.",
        "- Ranks: ties, also within 0.001 of concentration and damage, 1 mm of ice, 0.1 mm of snow "
        "and 0.1 mm/s, at random; cells where all agree are left out.",
        "- Spectra: boxes of 1600 km north of 70 N that ice covers in the truth and in which the "
        "variable varies by more than the ties of the ranks; plane taken off, Hann window, mean "
        "of logarithms over dates, boxes and members, bands of a third of an octave "
        "longer than two cells.",
        "",
        f"Machine: {on['cores']} cores ({on['cpu']}), {on['devices']}, jax {on['jax']}, load "
        f"{on['load']} at the end.",
        "",
    ]


def _targets(measured, told):
    """Rows of the table: check, target, measured, whether it is reached."""
    figures = told["figures"]
    skill = 1 - figures["ice_volume_240h_rmse_over_persistence"]
    yield "ice-volume error below persistence, 10 days", ">= 50 %", f"{skill:.0%}", skill >= 0.5
    for variable in ("concentration", "drift"):
        for system in SYSTEMS:
            if variable in measured.squares[system]:
                ratio = measured.over(system, variable)
                worst = int(np.argmax(ratio))
                yield (
                    f"{variable} over {system.replace('_', ' ')}, worst lead",
                    "< 1",
                    f"{ratio[worst]:.2f} ({LEADS[worst]} h)",
                    ratio[worst] < 1,
                )
    first = figures["all_12h_rmse_over_persistence"]
    yield (
        "12-hour error over persistence, all variables",
        "<= 0.333",
        f"{first:.3f}",
        first <= 1 / 3,
    )
    for variable in FIELDS:
        ratio = measured.over("emulator", variable, base="spread")
        inside = 0.9 <= ratio.min() and ratio.max() <= 1.1
        shown = f"{ratio.min():.2f} to {ratio.max():.2f}"
        yield f"spread over error, {NAMES[variable]}, 12 h to 10 days", "0.9 to 1.1", shown, inside
    for variable in FIELDS:
        ratio = spectrum_ratio(measured, variable)
        inside = 0.9 <= np.min(ratio) and np.max(ratio) <= 1.1
        shown = f"{np.min(ratio):.2f} to {np.max(ratio):.2f}"
        yield f"spectrum of members over truth, {NAMES[variable]}", "0.9 to 1.1", shown, inside
    beyond = figures["out_of_bounds"]
    yield "values out of bounds, all samples and steps", "0", f"{beyond:.0f}", beyond == 0
    for kind, limit in (("f32", 1e-6), ("f64", 1e-12)):
        gap = max(figures[f"{which}_volume_closure_{kind}"] for which in ("ice", "snow"))
        words = {"f32": "single", "f64": "double"}[kind]
        yield f"volume budget, {words} precision", f"<= {limit:.0e}", f"{gap:.1e}", gap <= limit
    for name, (truth, low, high, members) in told["deformation"].items():
        yield (
            f"deformation: {deformation.ROWS[name]}",
            f"{low:.3g} to {high:.3g} (truth {truth:.3g})",
            f"{members:.3g}",
            low <= members <= high,
        )
    if told["free_run"] is not None:
        bias = _bias(told["free_run"])
        yield "two-year free run: volume bias", "< 3 %", f"{100 * bias:+.1f} %", abs(bias) < 0.03
    found = told["derivatives"]
    gap, slope = found["dot_product"], found["slope"]
    yield "tangent and adjoint, 20 steps: dot product", "<= 1e-12", f"{gap:.1e}", gap <= 1e-12
    yield "slope of the Taylor remainder", "2", f"{slope:.3f}", abs(slope - 2) < 0.05
    shown = "yes" if found["finite"] else "no"
    yield "derivatives finite, also at the bounds", "yes", shown, found["finite"]
    seconds, faster = figures["members50_10d_seconds"], figures["speedup_over_simulator"]
    shown = f"{seconds:.0f} s, {faster:.0f} times as fast as the simulator"
    yield "50 members, 10 days", "< 60 s (arctic50, 2 cores)", shown, seconds < 60


def _tables(measured, figures):
    lines = ["", "## Error over that of other forecasts", ""]
    lines += ["| variable | over | " + " | ".join(f"{lead} h" for lead in TOLD) + " |"]
    lines += ["|---|---|" + "---|" * len(TOLD)]
    for variable in FIELDS:
        for system in SYSTEMS:
            if variable in measured.squares[system]:
                key = f"rmse_over_{system}"
                cells = [f"{figures[f'{variable}_{lead}h_{key}']:.2f}" for lead in TOLD]
                name = system.replace("_", " ")
                lines.append(f"| {NAMES[variable]} | {name} | {' | '.join(cells)} |")
    lines += ["", "![Error against lead](error_against_lead.png)", "", "## Calibration", ""]
    lines += ["| variable | figure | " + " | ".join(f"{lead} h" for lead in TOLD) + " |"]
    lines += ["|---|---|" + "---|" * len(TOLD)]
    words = {"spread_over_rmse": "spread over error", "rank_departure": "share in wrong ranks"}
    for variable in FIELDS:
        for key, word in words.items():
            cells = [f"{figures[f'{variable}_{lead}h_{key}']:.2f}" for lead in TOLD]
            lines.append(f"| {NAMES[variable]} | {word} | {' | '.join(cells)} |")
    counts = [f"{NAMES[v]} {figures[f'{v}_240h_spectrum_boxes']:.0f}" for v in FIELDS]
    boxes = f"Boxes, all dates together: {', '.join(counts)}."
    return [
        *lines,
        "",
        "![Rank histograms](rank_histograms.png)",
        "",
        "## Sharpness after ten days",
        "",
        boxes,
        "",
        "![Spectra](spectra.png)",
        "",
        "The date whose ice-volume error is the median one:",
        "",
        "![Map](map.png)",
        "",
    ]


def _deformation(table):
    lines = [
        "## Deformation after ten days",
        "",
        f"Pack of more than {deformation.PACK:.0%} in the truth, one cell from coasts; truth with "
        "the 95 % interval of its mean over dates (bootstrap).",
        "",
        "| figure | truth | interval | members |",
        "|---|---|---|---|",
    ]
    for name, (truth, low, high, members) in table.items():
        lines.append(
            f"| {deformation.ROWS[name]} | {truth:.3g} | {low:.3g} to {high:.3g} | {members:.3g} |"
        )
    return [*lines, "", "![Deformation](deformation.png)"]


def _bias(told):
    """Of the ice volume, mean of the members and of both years [1]."""
    return np.mean(told["emulator"][:, 0]) / np.mean(told["truth"][:, 0]) - 1


def _free_run(told):
    if told is None:
        return []
    names, truth, members = free_run.monthly(told)
    mean = members.mean(axis=-1)
    apart = mean[:, 0] / truth[:, 0] - 1
    worst = int(np.argmax(np.abs(apart)))
    swing = [np.ptp(series[:, 0]) for series in (truth, mean)]
    together = np.corrcoef(truth[:, 0], mean[:, 0])[0, 1]
    return [
        "",
        "## Two years by itself",
        "",
        f"{members.shape[-1]} members from {names[0]}, in the same weather as the simulator. Bias "
        f"of the ice volume {100 * _bias(told):+.1f} %, largest in {names[worst]}: "
        f"{100 * apart[worst]:+.1f} %. Range of the months {swing[1] / swing[0]:.2f} of the "
        f"simulator's, correlation {together:.3f}. Values out of bounds: {told['out_of_bounds']}.",
        "",
        "![Free run](free_run.png)",
    ]
