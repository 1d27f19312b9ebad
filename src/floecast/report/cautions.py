"""What a forecaster must know before using a forecast, by rules on the products."""

import numpy as np

from floecast.observation.observations import FLAGS, KINDS
from floecast.report.contents import of_analysis
from floecast.report.curves import score_label
from floecast.report.score_tables import comparison
from floecast.report.summary import main_region, number, region_text

CONSISTENT = (0.5, 2.0)
"""Squared misfit over its expectation, within which an ensemble counts as consistent."""
RELIABLE = (0.8, 1.25)
"""Spread over error, within which the spread can be trusted."""
FEW_USED = 0.95
"""Warn where less than this share of a kind of observations was good."""
BASELINES = ("persistence", "damped anomaly persistence", "climatology", "free run")


def cautions(contents):
    """Warnings of a run, each one line of plain English, the gravest first.

    Parameters
    ----------
    contents : Contents

    Returns
    -------
    list of str
        The run's own warnings, then those that rules find in weather, members, observations,
        consistency, spread and scores.
    """
    rules = (
        _weather,
        _hindcast,
        _lost_members,
        _analysis_absent,
        _minimisation,
        _rejected,
        _consistency,
        _spread,
        _worse_than_baselines,
        _not_verified,
    )
    found = list(contents.manifest["warnings"])
    for rule in rules:
        found += rule(contents)
    return found


def _weather(contents):
    if contents.weather != "climatology":
        return []
    return [
        "Weather is drawn from a climatology: the winds of these days are not in this forecast. "
        "Drift, and the edge after the first day or two, tell what is usual, not what comes."
    ]


def _hindcast(contents):
    told = [note for note in contents.notes if note.startswith("Hindcast:")]
    if not told:
        return []
    what = "a product holds averages" if len(told) == 1 else f"{len(told)} products hold averages"
    return [
        f"This is a hindcast: {what} over days after the analysis time, which a forecaster would "
        "not have had."
    ]


def _lost_members(contents):
    if "members" not in contents.forecast:
        return []
    members = contents.forecast["members"].values
    if members[-1] == members[0]:
        return []
    return [
        f"{members[0] - members[-1]:.0f} of {members[0]:.0f} members were lost on the way and are "
        "left out from then on."
    ]


def _analysis_absent(contents):
    if contents.analysis is not None or not of_analysis(contents.manifest):
        return []
    return [
        f"The analysis {contents.config['analysis']} has no maps, or is not there any more as it "
        "was: what it changed, and by which observations, cannot be shown."
    ]


def _minimisation(contents):
    told = contents.diagnostics.get("minimisation")
    if not told or not told.get("cost") or max(told["residual"], default=0) < 0.1:
        return []
    return [
        "The minimisation of the analysis ended early: the gradient is still "
        f"{number(100 * max(told['residual']), 2)} % of its first size."
    ]


def _rejected(contents):
    data, lines = contents.observations, []
    if data is None:
        return lines
    kind, flag = data["kind"].values, data["flag"].values
    for index, name in enumerate(KINDS):
        total, good = np.sum(kind == index), np.sum((kind == index) & (flag == 0))
        words = name.replace("_", " ")
        if total and not good:
            lines.append(f"None of {total:,} {words} observations was used.")
        elif good < total:
            reasons = [
                reason.replace("_", " ")
                for reason, bit in FLAGS.items()
                if np.any((kind == index) & (flag & bit > 0))
            ]
            grave = ": the analysis stands on few of them" if good < FEW_USED * total else ""
            lines.append(
                f"{total - good:,} of {total:,} {words} observations rejected "
                f"({', '.join(reasons)}){grave}."
            )
    return lines


def _consistency(contents):
    lines = []
    for name, told in contents.diagnostics.get("innovations", {}).items():
        if name == "all" or not told.get("count"):
            continue
        ratio = told["chi2"]
        if ratio is None or CONSISTENT[0] <= ratio <= CONSISTENT[1]:
            continue
        size = "small" if ratio > 1 else "large"
        lines.append(
            f"Background and {name.replace('_', ' ')} observations are not consistent: squared "
            f"misfit is {number(ratio, 2)} of the expected; the spread of the background, or the "
            f"stated error of the observations, is too {size}."
        )
    return lines


def _spread(contents):
    rows = contents.scores.select(score="spread_skill", system="forecast")
    lines = []
    for variable in sorted({row.variable for row in rows.rows}):
        own = rows.select(variable=variable)
        region = main_region(own)
        own = [
            row
            for row in own.select(region=region).rows
            if np.isfinite(row.value) and row.lead_hours > 0
        ]
        for found, word, meaning in (
            (
                [row for row in own if row.value < RELIABLE[0]],
                "smaller",
                "probabilities near 0 and 1 are too sure",
            ),
            (
                [row for row in own if row.value > RELIABLE[1]],
                "larger",
                "the forecast is surer than it says",
            ),
        ):
            if found:
                share = _range([row.value for row in found])
                lines.append(
                    f"Spread of {variable.replace('_', ' ')} is {word} than the error at "
                    f"{_days(found)} ({share} of it, {region_text(region)}): {meaning}."
                )
    return lines


def _worse_than_baselines(contents):
    lines = []
    for variable, score in (("concentration", "iiee"), ("concentration", "rmse")):
        for baseline in BASELINES:
            pairs = comparison(contents.scores, variable, score, baseline)
            worse = [pair for pair in pairs if pair.change > 0]
            if not worse:
                continue
            clear = [pair for pair in worse if pair.clear]
            name = score_label(score)
            name = name[0].upper() + name[1:]
            what = name if score == "iiee" else f"{name} of {variable}"
            if not clear:
                certain = "though the intervals include no difference"
            elif len(clear) == len(worse):
                certain = "beyond the intervals"
            else:
                certain = f"beyond the intervals at {_days(clear)}"
            lines.append(f"{what} is larger than that of {baseline} at {_days(worse)}, {certain}.")
    return lines


def _not_verified(contents):
    if any(row.system == "forecast" and row.lead_hours > 0 for row in contents.scores.rows):
        return []
    return ["This forecast has not been verified: no page can tell yet how good it is."]


def _days(rows):
    """Leads in words, runs of neighbours joined: ``days 1 to 4 and 7``."""
    leads = sorted(row.lead_hours / 24 for row in rows)
    spans = []
    for lead in leads:
        if spans and lead - spans[-1][1] <= 1:
            spans[-1][1] = lead
        else:
            spans.append([lead, lead])
    texts = [f"{a:g}" if a == b else f"{a:g} to {b:g}" for a, b in spans]
    word = "day" if len(leads) == 1 else "days"
    return f"{word} " + (
        texts[0] if len(texts) == 1 else ", ".join(texts[:-1]) + " and " + texts[-1]
    )


def _range(values):
    low, high = (number(value, 2) for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"
