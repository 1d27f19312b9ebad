"""The page of this folder: tables and figures of what is there."""

from datetime import UTC, datetime
from pathlib import Path

import drift_estimate
import figures
import numpy as np
import runs as study
import scores
import systems

HERE = Path(__file__).parent
LIMIT = 400
"""Cases that are looked for."""
LEADS = ("12 h", "1 d", "2 d", "3 d", "5 d", "7 d", "10 d")
PAIRS = (
    (systems.TWO_WAY, systems.PRESCRIBED),
    (systems.ONE_WAY, systems.PRESCRIBED),
    (systems.TWO_WAY, systems.ONE_WAY),
    ("no thermal feedback", systems.TWO_WAY),
    ("no ice motion", systems.TWO_WAY),
    ("no form drag", systems.TWO_WAY),
)
"""Systems and what each is compared with."""
EXTRA = (
    (systems.EDGES, systems.PRESCRIBED),
    (systems.TWO_WAY, systems.EDGES),
    (systems.OWN_ICE, systems.PRESCRIBED),
    (systems.ONE_WAY, systems.OWN_ICE),
    (systems.KNOWN, systems.TWO_WAY),
)
CHECKS = ((systems.FINE, systems.TWO_WAY), (systems.ROUNDED, systems.TWO_WAY))
ESTIMATED = tuple((name, systems.TWO_WAY) for name in drift_estimate.SYSTEMS)


def write(work):
    """Write README.md and the figures.

    Parameters
    ----------
    work : path
        Of the runs.
    """
    runs = study.Runs("arctic100", work)
    starts, sums = scores.table(runs, ("persistence", *systems.MAIN), range(LIMIT))
    lines = [
        "# What the ice in the boundary layer is worth to the forecast of ice",
        "",
        f"`python validation/boundary_layer_impact/make.py --work DIR`, "
        f"{datetime.now(UTC):%Y-%m-%d}, float32. {len(starts)} start dates in the simulator.",
        "",
        (HERE / "verdict.md").read_text(encoding="utf-8").rstrip(),
        "",
        "![Change of scores with lead](leads.png)",
        "",
        "![Change of scores by season and zone](seasons.png)",
        "",
        (HERE / "design.md").read_text(encoding="utf-8").rstrip(),
        "",
        *cost(runs),
        *simulator_tables(starts, sums),
    ]
    for title, pairs in (
        ("## What makes the difference (simulator)", EXTRA),
        ("## Numerics and rounding (simulator)", CHECKS),
        ("## Drift assimilated through the boundary layer (simulator)", ESTIMATED),
    ):
        lines += [title, "", *separate(runs, pairs), ""]
    lines += drift_estimate.told(runs, range(LIMIT))
    emulated = [(systems.EMULATOR + a, systems.EMULATOR + b) for a, b in PAIRS]
    names = ("persistence", *systems.EMULATED)
    found = scores.table(runs, names, range(LIMIT))
    lines += ["## In the emulator", "", *values(*found, systems.EMULATED), ""]
    lines += changes(*found, emulated)
    if (Path(work) / "arctic50").exists():
        finer = scores.table(study.Runs("arctic50", work), systems.MAIN[:3], range(LIMIT))
        lines += ["## arctic50", "", *values(*finer, systems.MAIN[:3]), ""]
        lines += changes(*finer, PAIRS[:3])
    figures.leads(sums, found, PAIRS, HERE / "leads.png")
    figures.seasons(starts, sums, PAIRS, HERE / "seasons.png")
    (HERE / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def cost(runs):
    """Processor time of the runs."""
    told = []
    for title, name in (
        ("a truth of 15 days, column of 40 levels and 180 s", "truth"),
        ("two-way, 25 levels and 600 s", systems.TWO_WAY),
        ("one-way", systems.ONE_WAY),
        ("prescribed", systems.PRESCRIBED),
        ("emulator, two-way", systems.EMULATOR + systems.TWO_WAY),
    ):
        spent = [runs.read(n, name)["cpu"] for n in range(LIMIT) if runs.have(n, name)]
        if spent:
            told.append(f"{title}: {np.median(spent):.1f} s")
    return [
        "## Cost",
        "",
        f"Processor time on one core ({study.DAYS}-day forecasts, one member, compiled; medians): "
        + "; ".join(told)
        + ".",
        "",
    ]


def simulator_tables(starts, sums):
    """Scores and changes of the main systems."""
    counts = ", ".join(f"{name} {where.sum()}" for name, where in scores.seasons(starts).items())
    return [
        "## Scores in the simulator",
        "",
        f"Start dates by season: {counts}.",
        "",
        *values(starts, sums, ("persistence", *systems.MAIN)),
        "",
        *changes(starts, sums, PAIRS),
        "### By zone and season",
        "",
        *by_place(starts, sums, PAIRS),
        "",
    ]


def separate(runs, pairs):
    """Changes of pairs, each on the cases that have both."""
    lines = []
    for pair in pairs:
        starts, sums = scores.table(runs, pair, range(LIMIT))
        if len(starts):
            lines += changes(starts, sums, (pair,))
    return lines or ["None yet."]


def values(starts, sums, names):
    """Scores themselves."""
    if not len(starts):
        return ["None yet."]
    lines = []
    for name, (title, factor, unit) in scores.SCORES.items():
        lines += [f"| {title} [{unit}] | " + " | ".join(LEADS) + " |", "|---" * 8 + "|"]
        for one in names:
            row = [factor * scores.score(sums[one, name], name, "arctic", b) for b in LEADS]
            lines.append(f"| {one} | " + " | ".join(f"{value:.3g}" for value in row) + " |")
        lines.append("")
    return lines[:-1]


def changes(starts, sums, pairs):
    """Changes by lead with their intervals."""
    if not len(starts):
        return ["None yet.", ""]
    lines = []
    for one, other in pairs:
        lines += [
            f"**{one}** against {other}, {len(starts)} start dates: change of the score in per "
            "cent, below zero where the first is better, with its 95 % interval.",
            "",
            "| | " + " | ".join(LEADS) + " | seen at 3 d |",
            "|---" * 9 + "|",
        ]
        for name, (title, _, _) in scores.SCORES.items():
            pair = sums[one, name], sums[other, name]
            row = [scores.change(*pair, name, band=band) for band in LEADS]
            seen = row[LEADS.index("3 d")].seen
            cells = " | ".join(cell(found) for found in row)
            power = "" if np.isnan(seen) else f"{100 * seen:.2g}"
            lines.append(f"| {title} | {cells} | {power} |")
        lines.append("")
    return lines


def cell(found):
    """A change as text, bold where its interval leaves out zero."""
    if not np.isfinite(found.value):
        return ""
    value = f"{100 * found.value:+.1f}"
    if np.isnan(found.low):
        return value
    value = f"**{value}**" if found.clear else value
    return f"{value} ({100 * found.low:+.1f}, {100 * found.high:+.1f})"


def by_place(starts, sums, pairs):
    """Changes over days 0.5 to 3 and 3.5 to 10, by zone and season."""
    if not len(starts):
        return ["None yet."]
    lines = []
    for one, other in pairs:
        lines += [
            f"**{one}** against {other}: days 0.5 to 3, then days 3.5 to 10 [%].",
            "",
            "| | " + " | ".join(title for title, _, _ in scores.SCORES.values()) + " |",
            "|---" * 7 + "|",
        ]
        places = [(region, region, None) for region in scores.REGIONS]
        places += [(name, "arctic", where) for name, where in scores.seasons(starts).items()]
        for title, region, where in places:
            row = []
            for name in scores.SCORES:
                pair = sums[one, name], sums[other, name]
                both = [
                    scores.change(*pair, name, region, band, where)
                    for band in ("days 0.5-3", "days 3.5-10")
                ]
                row.append("; ".join(map(cell, both)))
            count = "" if where is None else f" ({where.sum()})"
            lines.append(f"| {title}{count} | " + " | ".join(row) + " |")
        lines.append("")
    return lines
