"""Small charts of scores against lead, as SVG inside of the page."""

import itertools
import math

from markupsafe import Markup, escape

from floecast.report.curves import OTHERS, SYSTEMS, TARGETS, score_label, score_unit

WIDTH, HEIGHT = 420, 250
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 12, 36
DASHES = {
    "forecast": "",
    "free run": "8 2 2 2 2 2",
    "persistence": "7 4",
    "damped anomaly persistence": "8 3 2 3",
    "climatology": "2 3",
    "free drift": "1 2",
    "background": "7 4",
}
OTHER_DASHES = ("7 4", "8 3 2 3", "2 3")


def looks(systems):
    """Colour and dash of each of some systems."""
    others = itertools.cycle(zip(OTHERS, OTHER_DASHES, strict=True))
    made = {}
    for name in systems:
        if name in SYSTEMS:
            made[name] = SYSTEMS[name][0], DASHES[name]
        else:
            (colour, _, _), dash = next(others)
            made[name] = colour, dash
    return made


def score_chart(table):
    """Chart of a score table: lines, bars of the intervals, and a line at a perfect value.

    Parameters
    ----------
    table : ScoreTable

    Returns
    -------
    Markup
        SVG.
    """
    rows = [row for row in table.chosen if math.isfinite(row.value)]
    target = TARGETS.get(table.score)
    values = [row.value for row in rows] + ([] if target is None else [target])
    values += [end for row in rows for end in (row.low, row.high) if math.isfinite(end)]
    if target is None and min(values) >= 0 and table.score != "correlation":
        values.append(0.0)
    ticks = round_ticks(min(values), max(values))
    days = [row.lead_hours / 24 for row in rows]
    first, last = min(days), max(days)

    def place(day, value):
        x = LEFT + (day - first) / ((last - first) or 1) * (WIDTH - LEFT - RIGHT)
        share = (value - ticks[0]) / (ticks[-1] - ticks[0])
        return f"{x:.1f}", f"{HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM):.1f}"

    parts = []
    for tick in ticks:
        _, y = place(first, tick)
        parts.append(f'<path class="grid" d="M{LEFT} {y}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y}" class="ytick">{_tick(tick, ticks)}</text>')
    for day in round_ticks(first, last, whole=True):
        if first <= day <= last:
            x, _ = place(day, ticks[0])
            y = HEIGHT - BOTTOM
            parts.append(f'<text x="{x}" y="{y + 15}" class="xtick">{day:g}</text>')
            parts.append(f'<path class="axis" d="M{x} {y}v4"/>')
    parts.append(
        f'<path class="axis" d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>'
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 4}" class="xtick">lead [days]</text>'
    )
    if target is not None:
        _, y = place(first, target)
        parts.append(f'<path class="target" d="M{LEFT} {y}H{WIDTH - RIGHT}"/>')
    for number, (name, (colour, dash)) in reversed(list(enumerate(looks(table.systems).items()))):
        own = sorted((row for row in rows if row.system == name), key=lambda row: row.lead_hours)
        if own:
            # Intervals of several systems stand beside each other.
            parts.append(_series(name, own, colour, dash, place, 3 * number))
    unit = score_unit(table.variable, table.score)
    label = f"{table.title}: chart against lead; the numbers stand in the table beside it"
    return Markup(
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        + f'aria-label="{escape(label)}">'
        + f"<title>{escape(score_label(table.score))} {escape(unit)}</title>"
        + "".join(parts)
        + "</svg>"
    )


def round_ticks(lower, upper, *, most=6, whole=False):
    """At most some evenly spaced round numbers that hold a range."""
    span = upper - lower or abs(upper) or 1.0
    power = 10.0 ** math.floor(math.log10(span / most))
    for step in (power, 2 * power, 5 * power, 10 * power, 20 * power):
        if whole and step < 1:
            continue
        first, last = math.floor(lower / step + 1e-9), math.ceil(upper / step - 1e-9)
        if last - first < most:
            return [number * step for number in range(first, max(last, first + 1) + 1)]
    return [lower, upper]


def _series(name, rows, colour, dash, place, shift):
    points = [place(row.lead_hours / 24, row.value) for row in rows]
    bars = []
    for row, (x, _) in zip(rows, points, strict=True):
        if math.isfinite(row.low) and math.isfinite(row.high):
            _, low = place(row.lead_hours / 24, row.low)
            _, high = place(row.lead_hours / 24, row.high)
            bars.append(f"M{float(x) + shift:.1f} {low}V{high}")
    line = "M" + "L".join(f"{x} {y}" for x, y in points)
    width = 2.4 if name == "forecast" else 1.6
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    dots = "".join(
        f'<circle cx="{x}" cy="{y}" r="2.4"><title>{escape(name)}, day {row.lead_hours / 24:g}: '
        f"{row.value:.4g}</title></circle>"
        for row, (x, y) in zip(rows, points, strict=True)
    )
    return (
        f'<g stroke="{colour}" fill="{colour}"><path class="bars" d="{"".join(bars)}"/>'
        f'<path fill="none" stroke-width="{width}"{dashed} d="{line}"/>{dots}</g>'
    )


def _tick(value, ticks):
    digits = max(0, -math.floor(math.log10(ticks[1] - ticks[0]) + 1e-9))
    return f"{value:,.{digits}f}".replace("-", "−")
