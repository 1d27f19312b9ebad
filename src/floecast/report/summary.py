"""The numbers that matter first, taken from the scorecard, and one line that sums them up."""

import math
from dataclasses import dataclass

from floecast.report.curves import SYSTEMS, score_label, score_unit

REGIONS = ("withheld cells", "arctic")
"""Regions whose scores are shown first, in this order; others by name."""


@dataclass(frozen=True)
class Cell:
    """A score as text, with its interval where it has one."""

    value: str
    interval: str = ""


@dataclass(frozen=True)
class Table:
    """A small table.

    Parameters
    ----------
    title, note : str
    head : tuple of str
    rows : list of tuple
        First the text of the row's head, then `Cell` values.
    """

    title: str
    note: str
    head: tuple
    rows: list


def number(value, digits=3, signed=False):
    """A number for reading; a dash where there is none."""
    if not math.isfinite(value):
        return "–"
    whole = abs(value) >= 10 ** (digits - 1)
    text = f"{value:,.0f}" if whole else f"{value:#.{digits}g}".rstrip(".")
    return ("+" if signed and value > 0 else "") + text.replace("-", "−")


def main_region(card):
    """Region to show of a scorecard; None of an empty one."""
    regions = {row.region for row in card.rows}
    known = [name for name in REGIONS if name in regions]
    return next(iter(known or sorted(regions)), None)


def analysis_table(card):
    """Thickness errors of analysis, background and climatology; None where there are none."""
    start = card.select(variable="thickness", lead_hours=0.0)
    start = start.select(region=main_region(start.select(system="analysis")))
    names = [
        name
        for name in ("analysis", "background", "model field", "climatology")
        if len(start.select(system=name, score="rmse"))
    ]
    if "analysis" not in names:
        return None
    rows = [
        (
            name,
            *(
                _cell(start.select(system=name, score=score).rows, score == "bias")
                for score in ("rmse", "bias")
            ),
        )
        for name in names
    ]
    region = start.rows[0].region
    note = f"{region_text(region)}, n = {start.select(system='analysis', score='rmse').rows[0].n:,}"
    return Table("Thickness at the analysis time [m]", note, ("", "RMSE", "bias"), rows)


def verdict(contents):
    """One line: what the analysis gained, and where the forecast beats persistence."""
    card, parts = contents.scores, []
    start = card.select(variable="thickness", score="rmse", lead_hours=0.0)
    region = main_region(start.select(system="analysis"))
    start = {row.system: row.value for row in start.select(region=region).rows}
    if "analysis" in start and "background" in start:
        parts.append(
            f"thickness error of the analysis on {region} {number(start['analysis'])} m, "
            + _against(start["analysis"], start["background"], "the background")
        )
    pairs = [pair for pair in _pairs(card, "iiee") if pair[2]]
    if pairs:
        won = sum(forecast.value < reference.value for _, forecast, reference in pairs)
        clear = sum(
            forecast.high < reference.low or reference.high < forecast.low
            for _, forecast, reference in pairs
        )
        lead, forecast, reference = pairs[-1]
        apart = (
            f"intervals apart at {clear} of them" if clear else "intervals overlap at every lead"
        )
        parts.append(
            f"ice-edge error below persistence at {won} of {len(pairs)} leads "
            f"({_change_text(forecast.value, reference.value)} at day {lead / 24:g}; {apart})"
        )
    if not parts:
        return f"{contents.leads[-1] / 24:g}-day forecast, not verified."
    text = "; ".join(parts) + "."
    return text[0].upper() + text[1:]


def score_groups(card):
    """Rows of the main region for each variable and score that has several leads.

    Returns
    -------
    list of (variable, score, region, rows)
        Edge and concentration first.
    """
    groups = []
    pairs = {(row.variable, row.score) for row in card.rows}
    for variable, score in sorted(pairs, key=_importance):
        rows = [
            row
            for row in card.select(variable=variable, score=score).rows
            if math.isfinite(row.value)
        ]
        leads_of = {
            region: {row.lead_hours for row in rows if row.region == region}
            for region in {row.region for row in rows}
        }
        regions = [
            region for region in (*REGIONS, *sorted(leads_of)) if len(leads_of.get(region, ())) > 1
        ]
        if regions:
            groups.append(
                (variable, score, regions[0], [row for row in rows if row.region == regions[0]])
            )
    return groups


def _importance(pair):
    variables = ("concentration", "thickness", "ice_volume")
    scores = ("iiee", "rmse", "spread_skill", "crps", "sps", "displacement", "bias")
    variable, score = pair
    return (
        scores.index(score) if score in scores else len(scores),
        variables.index(variable) if variable in variables else len(variables),
        variable,
        score,
    )


def _pairs(card, score):
    """Lead, row of the forecast, and row of persistence or None, after the start."""
    card = card.select(variable="concentration", score=score)
    card = card.select(region=main_region(card.select(system="forecast")))
    references = {row.lead_hours: row for row in card.select(system="persistence").rows}
    return [
        (row.lead_hours, row, references.get(row.lead_hours))
        for row in card.select(system="forecast").rows
        if row.lead_hours > 0
    ]


def _cell(rows, signed=False):
    if not rows:
        return Cell("–")
    row = rows[0]
    known = math.isfinite(row.low) and math.isfinite(row.high)
    ends = (number(end, 2, signed) for end in (row.low, row.high))
    return Cell(number(row.value, 3, signed), " to ".join(ends) if known else "")


def _change(value, reference):
    return 100 * (value / reference - 1) if reference else math.nan


def _change_text(value, reference):
    change = _change(value, reference)
    return "–" if not math.isfinite(change) else f"{change:+.0f} %".replace("-", "−")


def _against(value, reference, name):
    change = _change(value, reference)
    if not math.isfinite(change) or abs(change) < 0.5:
        return f"the same as {name}"
    return f"{abs(change):.0f} % {'below' if change < 0 else 'above'} {name}"


def region_text(region):
    """Name of a region in words."""
    return {"arctic": "whole Arctic", "ice": "where there is ice"}.get(region, region)


def scorecard_rows(card):
    """All rows as text: system, variable, score, region, lead, value, interval, number."""
    order = {name: index for index, name in enumerate(SYSTEMS)}
    rows = sorted(
        card.rows,
        key=lambda row: (
            row.variable,
            row.score,
            row.region,
            row.lead_hours,
            order.get(row.system, 99),
            row.system,
        ),
    )
    return [
        (
            row.variable,
            score_label(row.score),
            row.region,
            f"{row.lead_hours / 24:g} d",
            row.system,
            _cell([row]),
            score_unit(row.variable, row.score),
            f"{row.n:,}",
        )
        for row in rows
    ]
