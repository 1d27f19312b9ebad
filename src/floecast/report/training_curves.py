"""Curves of a training."""

import json

import matplotlib.pyplot as plt

from floecast.core.atomic import replacing
from floecast.core.variables import STATE, VARIABLES

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")


def draw_curves(metrics, path):
    """Draw the losses and the errors of the validation.

    Parameters
    ----------
    metrics : path-like
        ``metrics.jsonl`` of a training.
    path : path-like
        A PNG file, replaced in one step.
    """
    with open(metrics, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    starts, total = {}, 0
    for name in dict.fromkeys(line["stage"] for line in lines):
        starts[name] = total
        total += max(line["update"] for line in lines if line["stage"] == name)
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for field, colour in zip(STATE, _COLOURS, strict=True):
        for axes, key, value in (
            (left, "loss", lambda line, field=field: line["loss"][field]),
            (
                right,
                "error_over_persistence",
                lambda line, field=field: line["error_over_persistence"][field][0],
            ),
        ):
            told = [line for line in lines if key in line]
            for number, stage in enumerate(starts):
                mine = [line for line in told if line["stage"] == stage]
                axes.plot(
                    [starts[stage] + line["update"] for line in mine],
                    [value(line) for line in mine],
                    color=colour,
                    marker="." if axes is right else None,
                    linewidth=1,
                    label=VARIABLES[field].name.replace("_", " ") if number == 0 else None,
                )
    for axes in (left, right):
        axes.set_xlabel("updates")
        for stage, start in starts.items():
            axes.axvline(start, color="0.8", linewidth=0.8, zorder=0)
            axes.text(
                start,
                1.0,
                f" {stage}",
                transform=axes.get_xaxis_transform(),
                va="top",
                fontsize=8,
                color="0.4",
            )
    left.set_yscale("log")
    left.set_ylabel("loss of each field [1]")
    right.set_ylabel("error over that of persistence,\nvalidation, first step [1]")
    right.set_ylim(0, 1.05)
    right.legend(fontsize=8, ncols=2, loc="upper right")
    with replacing(path) as partial:
        figure.savefig(partial, format="png", dpi=120)
    plt.close(figure)
