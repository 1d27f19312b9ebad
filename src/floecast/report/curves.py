"""Curves of scores against lead time, and of expected against actual misfit."""

import itertools

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from floecast.core.variables import VARIABLES
from floecast.report.drawing import png

SYSTEMS = {
    "forecast": ("#0b4f8a", "-", "o"),
    "free run": ("#5b6770", (0, (5, 1, 1, 1, 1, 1)), "v"),
    "persistence": ("#c45a00", "--", "s"),
    "damped anomaly persistence": ("#8a4a9e", "-.", "D"),
    "climatology": ("#2f7d4f", ":", "^"),
    "free drift": ("#a3262e", (0, (1, 1)), "P"),
    "background": ("#1d2a33", "--", "X"),
}
"""Colour, dash and marker of the systems that runs compare, in the order of the legends."""

OTHERS = (("#0f8a8a", "--", "p"), ("#b0478f", "-.", "*"), ("#7a6a00", ":", "h"))
"""Colour, dash and marker of systems with other names, in turn."""

SCORES = {
    "rmse": ("RMSE", None),
    "bias": ("bias", None),
    "mae": ("mean absolute error", None),
    "crps": ("CRPS", None),
    "correlation": ("correlation", "1"),
    "iiee": ("ice-edge error (IIEE)", "1000 km²"),
    "overestimate": ("ice too much", "1000 km²"),
    "underestimate": ("ice too little", "1000 km²"),
    "absolute_extent_error": ("extent error", "1000 km²"),
    "misplacement": ("misplaced ice", "1000 km²"),
    "displacement": ("edge displacement", "km"),
    "sps": ("spatial probability score", "1000 km²"),
    "spread_skill": ("spread over RMSE", "1"),
    "consistency": ("squared misfit over expected", "1"),
}
"""Label and unit of the scores; None for the unit of the variable."""

TARGETS = {"bias": 0.0, "spread_skill": 1.0, "consistency": 1.0}
"""Value of a perfect system, for scores that do not just want to be small or large."""


def score_label(score):
    """Name of a score in words."""
    return SCORES.get(score, (score.replace("_", " "), None))[0]


def score_unit(variable, score):
    """Unit of a score of a variable, as text; empty where it is not known."""
    unit = SCORES.get(score, (None, None))[1]
    return unit or (VARIABLES[variable].unit if variable in VARIABLES else "")


def score_curves(rows, variable, score):
    """Picture of one score against lead, one line with its interval for each system.

    Parameters
    ----------
    rows : iterable of Row
        Of this variable, score and one region.
    variable, score : str

    Returns
    -------
    bytes
        PNG.
    """
    figure, axes = _figure()
    systems = {row.system for row in rows}
    others = itertools.cycle(OTHERS)
    order = [name for name in SYSTEMS if name in systems] + sorted(systems - set(SYSTEMS))
    for name in order:
        colour, dash, marker = SYSTEMS[name] if name in SYSTEMS else next(others)
        own = sorted((row for row in rows if row.system == name), key=lambda row: row.lead_hours)
        days, value, low, high = np.array(
            [(row.lead_hours / 24, row.value, row.low, row.high) for row in own]
        ).T
        axes.fill_between(days, low, high, color=colour, alpha=0.13, lw=0)
        axes.plot(
            days,
            value,
            color=colour,
            ls=dash,
            marker=marker,
            ms=5,
            lw=2.6 if name == "forecast" else 1.7,
            label=name,
        )
    if score in TARGETS:
        axes.axhline(TARGETS[score], color="#1d2a33", lw=1)
    elif score != "correlation":
        axes.set_ylim(bottom=0)
    axes.set_xlabel("lead [days]")
    axes.set_ylabel(_with_unit(score_label(score), score_unit(variable, score)))
    axes.set_title(f"{variable.replace('_', ' ').capitalize()}: {score_label(score)}", loc="left")
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.45, -0.2), ncols=2, frameon=False, fontsize=12.5
    )
    return _finish(figure)


def consistency_curves(title, unit, series):
    """Picture of actual against expected misfit; a consistent ensemble lies on the diagonal.

    Parameters
    ----------
    title : str
    unit : str
    series : dict of str to (expected, actual)
        By label, the root mean squares of the classes of observations.

    Returns
    -------
    bytes
        PNG.
    """
    figure, axes = _figure()
    top = 1.08 * max(np.max(values) for pair in series.values() for values in pair)
    axes.plot([0, top], [0, top], color="#5b6770", lw=1, label="consistent")
    looks = (("#c45a00", "s"), ("#0b4f8a", "o"))
    for (label, (expected, actual)), (colour, marker) in zip(series.items(), looks, strict=False):
        axes.plot(expected, actual, color=colour, ls="", marker=marker, ms=8, label=label)
    axes.set(xlim=(0, top), ylim=(0, top))
    axes.set_xlabel(_with_unit("expected misfit", unit))
    axes.set_ylabel(_with_unit("actual misfit (RMS)", unit))
    axes.set_title(title, loc="left")
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.45, -0.2), ncols=2, frameon=False, fontsize=12.5
    )
    return _finish(figure)


def binned_misfit(misfit, expected, *, classes=8, smallest=25):
    """Root mean squares of expected and actual misfit in classes of equal size.

    Parameters
    ----------
    misfit : (p,) array
        Observation minus its equivalent.
    expected : (p,) array
        Standard deviation that spread and observation error give it, same unit.
    classes : int
        At most so many classes.
    smallest : int
        Observations that a class holds at least; with fewer in all there is one class.

    Returns
    -------
    expected, actual : (c,) array
        By rising expectation.
    """
    order = np.argsort(expected, kind="stable")
    parts = np.array_split(order, int(np.clip(len(order) // smallest, 1, classes)))
    mean_square = [[np.mean(values[part] ** 2) for part in parts] for values in (expected, misfit)]
    return tuple(np.sqrt(mean_square))


def _with_unit(label, unit):
    return f"{label} [{unit}]" if unit not in ("", "1") else label


def _figure():
    figure = Figure(figsize=(6.4, 5.3))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.175, 0.30, 0.80, 0.61))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#dfe4e8", lw=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def _finish(figure):
    figure.canvas.draw()
    return png(figure)
