"""Figures of the page."""

import matplotlib
import numpy as np
import scores

matplotlib.use("Agg")
from matplotlib import pyplot as plt

COLOURS = ("#0072B2", "#56B4E9", "#009E73", "#D55E00", "#E69F00", "#CC79A7")
"""Told apart by the colour-blind (Okabe and Ito 2008)."""
SHOWN = ("12 h", "1 d", "2 d", "3 d", "5 d", "7 d", "10 d")


def leads(sums, emulated, pairs, path):
    """Change of each score with lead: simulator above, emulator, where there is any, below."""
    halves = [("simulator", sums, "")]
    if emulated[1]:
        halves.append(("emulator", emulated[1], "emulator, "))
    figure, axes = plt.subplots(
        2 * len(halves),
        3,
        figsize=(14, 7 * len(halves)),
        layout="constrained",
        sharex=True,
        squeeze=False,
    )
    for half, (title, found, prefix) in enumerate(halves):
        for number, (name, (told, _, _)) in enumerate(scores.SCORES.items()):
            panel = axes[2 * half + number // 3, number % 3]
            panel.axhline(0, color="0.5", lw=0.8)
            panel.set_title(f"{title}: {told}", fontsize=10)
            panel.set_ylabel("change [%]")
            for place, (one, other) in enumerate(pairs):
                if (prefix + one, name) not in found:
                    continue
                _line(panel, found, prefix, one, other, name, place)
    for panel in axes[-1]:
        panel.set_xlabel("lead [days]")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=9)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _line(panel, found, prefix, one, other, name, place):
    days = np.array([scores.BANDS[band][0] / 24 for band in SHOWN])
    pair = found[prefix + one, name], found[prefix + other, name]
    changes = [scores.change(*pair, name, band=band) for band in SHOWN]
    value, low, high = (
        100 * np.array([getattr(change, part) for change in changes])
        for part in ("value", "low", "high")
    )
    panel.errorbar(
        days * (1 + 0.03 * (place - 2.5)),
        value,
        [value - low, high - value],
        color=COLOURS[place],
        marker="os^Dvx"[place],
        ms=4,
        lw=1.2,
        capsize=2,
        label=f"{one} against {other}",
    )
    panel.set_xscale("log")
    panel.set_xticks([0.5, 1, 2, 3, 5, 7, 10], ["0.5", "1", "2", "3", "5", "7", "10"])
    panel.minorticks_off()


def seasons(starts, sums, pairs, path):
    """Change of three scores over days 0.5 to 3 by zone and season, simulator."""
    names = ("drift", "concentration", "volume")
    figure, axes = plt.subplots(1, 3, figsize=(14, 5), layout="constrained", sharey=True)
    places = [(region, region, None) for region in scores.REGIONS]
    places += [
        (f"{name} ({where.sum()})", "arctic", where)
        for name, where in scores.seasons(starts).items()
    ]
    for panel, name in zip(axes, names, strict=True):
        panel.axvline(0, color="0.5", lw=0.8)
        panel.set_title(f"{scores.SCORES[name][0]}, days 0.5 to 3", fontsize=10)
        panel.set_xlabel("change [%]")
        for place, (one, other) in enumerate(pairs):
            if (one, name) not in sums:
                continue
            for row, (_, region, where) in enumerate(places):
                found = scores.change(
                    sums[one, name], sums[other, name], name, region, "days 0.5-3", where
                )
                panel.errorbar(
                    100 * found.value,
                    row + 0.11 * (place - 2.5),
                    xerr=100 * np.array([[found.value - found.low], [found.high - found.value]]),
                    color=COLOURS[place],
                    marker="os^Dvx"[place],
                    ms=4,
                    capsize=2,
                    lw=1.2,
                    label=f"{one} against {other}" if row == 0 else None,
                )
    axes[0].set_yticks(range(len(places)), [title for title, _, _ in places])
    axes[0].invert_yaxis()
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=9)
    figure.savefig(path, dpi=100)
    plt.close(figure)
