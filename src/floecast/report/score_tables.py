"""Forecast beside its baselines, lead by lead, with marks that say what is certain."""

import math
from dataclasses import dataclass

from floecast.report.curves import SYSTEMS, TARGETS, score_label, score_unit
from floecast.report.summary import number, region_text, score_groups

GREATER_IS_BETTER = ("correlation", "discrimination")
"""Scores of which more is better."""
MARKS = {
    "better": ("▲", "forecast better, beyond the intervals"),
    "worse": ("▼", "forecast worse, beyond the intervals"),
    "equal": ("○", "intervals include no difference"),
}
"""Mark and meaning of what a forecast is beside a baseline."""


@dataclass(frozen=True)
class Comparison:
    """A forecast beside a baseline at one lead.

    Parameters
    ----------
    lead_hours : float
    change : float
        Score of the forecast over that of the baseline, minus 1; NaN where it has no meaning.
    better : bool
        Whether the forecast scores better.
    clear : bool
        Whether the interval of the difference excludes 0 or, where no difference was scored, the
        intervals of the two do not meet, which asks for more.
    """

    lead_hours: float
    change: float
    better: bool
    clear: bool

    @property
    def verdict(self):
        """Key of `MARKS`."""
        if not self.clear:
            return "equal"
        return "better" if self.better else "worse"


@dataclass(frozen=True)
class Cell:
    """Entry of a score table; `verdict` is empty for the forecast itself."""

    value: str
    interval: str
    change: str
    verdict: str


@dataclass(frozen=True)
class ScoreTable:
    """Scores by lead.

    Parameters
    ----------
    key, title, note : str
    systems : list of str
        Columns, the forecast first.
    rows : list of (str, list of Cell or None)
    chosen : list of Row
        What it was made of.
    variable, score : str
    """

    key: str
    title: str
    note: str
    systems: list
    rows: list
    chosen: list
    variable: str
    score: str


def score_tables(card):
    """One table for each variable and score that has several leads, the most important first."""
    return [
        _table(card, variable, score, region, rows)
        for variable, score, region, rows in score_groups(card)
    ]


def in_order(systems):
    """Names of systems, those of `SYSTEMS` first and in their order."""
    return [name for name in SYSTEMS if name in systems] + sorted(set(systems) - set(SYSTEMS))


def comparison(card, variable, score, baseline):
    """Forecast beside a baseline at each lead after the start, in the main region.

    Parameters
    ----------
    card : Scorecard
    variable, score, baseline : str

    Returns
    -------
    list of Comparison
        Empty where one of the two was not scored.
    """
    for name, its_score, region, rows in score_groups(card):
        if (name, its_score) == (variable, score):
            return _compared(card, score, region, rows, baseline)
    return []


def _compared(card, score, region, rows, baseline):
    by_lead = {row.lead_hours: row for row in rows if row.system == baseline}
    told = {
        row.lead_hours: row
        for row in card.select(variable=rows[0].variable, score=score, region=region).rows
        if row.system == f"forecast minus {baseline}"
    }
    made = []
    for row in rows:
        other = by_lead.get(row.lead_hours)
        if row.system != "forecast" or other is None or row.lead_hours <= 0:
            continue
        target = TARGETS.get(score)
        difference = row.value - other.value
        better = difference > 0 if score in GREATER_IS_BETTER else difference < 0
        if target is not None:
            better = abs(row.value - target) < abs(other.value - target)
        change = difference / other.value if other.value > 0 and target is None else math.nan
        paired = told.get(row.lead_hours)
        if paired is not None and math.isfinite(paired.low):
            clear = paired.low > 0 or paired.high < 0
        else:
            clear = row.high < other.low or other.high < row.low
        made.append(Comparison(row.lead_hours, change, better, clear))
    return made


def _table(card, variable, score, region, rows):
    leads_of = {}
    for row in rows:
        leads_of.setdefault(row.system, set()).add(row.lead_hours)
    # A column for the start alone, such as that of the background, would be empty below it.
    present = {name for name, leads in leads_of.items() if len(leads) > 1 and " minus " not in name}
    systems = in_order(present)
    beside = {
        name: {one.lead_hours: one for one in _compared(card, score, region, rows, name)}
        for name in systems
        if name != "forecast"
    }
    leads = sorted({row.lead_hours for row in rows})
    found = {(row.system, row.lead_hours): row for row in rows}
    lines = []
    for lead in leads:
        cells = []
        for name in systems:
            row = found.get((name, lead))
            cells.append(None if row is None else _cell(row, beside.get(name, {}).get(lead)))
        lines.append((f"{lead / 24:g} d", cells))
    unit = score_unit(variable, score)
    label = score_label(score)
    title = f"{variable.replace('_', ' ').capitalize()}: {label}"
    return ScoreTable(
        key=f"{variable}_{score}",
        title=title + (f" [{unit}]" if unit not in ("", "1") else ""),
        note=f"Region: {region_text(region)}.",
        systems=systems,
        rows=lines,
        chosen=[row for row in rows if row.system in present],
        variable=variable,
        score=score,
    )


def _cell(row, compared):
    signed = row.score == "bias"
    known = math.isfinite(row.low) and math.isfinite(row.high)
    interval = " to ".join(number(end, 2, signed) for end in (row.low, row.high)) if known else ""
    change = verdict = ""
    if compared is not None:
        verdict = compared.verdict
        if math.isfinite(compared.change):
            change = f"{100 * compared.change:+.0f} %".replace("-", "−")
    return Cell(number(row.value, 3, signed), interval, change, verdict)
