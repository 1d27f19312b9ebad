"""Make the numbers and the figure of this folder again.

    python validation/boundary_layer_feedbacks/make.py --work DIR

What each feedback of the ice on the air is worth in thirty winter days. Keeps the fields of each
run below DIR (an interrupted call goes on; after a change of the simulator give an empty DIR);
writes README.md, which begins with verdict.md, and boundary_layer_feedbacks.png. The verdict is
written by hand: read it again when the numbers change.
"""

import argparse
from datetime import UTC, datetime
from pathlib import Path

import matplotlib
import numpy as np
import runs

matplotlib.use("Agg")
from matplotlib import pyplot as plt

HERE = Path(__file__).parent
SETTLED = 5
"""Days that are left out of all means but the growth."""
LEAST_WIND = 3.0
"""Geostrophic wind from which its drag and the turning of the stress are told [m/s]."""
COLUMNS = {
    "drift": ("mean drift [cm/s]", 2),
    "of_wind": ("of the 10 m wind [%]", 2),
    "angle_wind": ("right of it [°]", 1),
    "of_geostrophic": ("of the geostrophic wind [%]", 2),
    "angle_geostrophic": ("right of it [°]", 1),
    "difference": ("rms drift difference to the column [cm/s]", 2),
    "wind_ratio": ("10 m wind / geostrophic", 3),
    "friction": ("u* / G", 4),
    "turning": ("stress left of G [°]", 1),
    "growth": ("ice growth [cm]", 2),
    "surface": ("surface [°C]", 2),
    "air": ("2 m air [°C]", 2),
    "sensible": ("sensible heat [W/m2]", 2),
}


def main():
    """Run what is not there yet, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", required=True, help="folder for the runs")
    work = Path(parser.parse_args().work)
    work.mkdir(parents=True, exist_ok=True)
    found = {name: runs.run(name, work) for name in runs.SYSTEMS}
    # The same places and times for all: pack ice of the full column.
    pack = np.asarray(runs.GRID.mask_t) & (found["column"]["concentration"] > 0.8)
    pack[: 4 * SETTLED] = False
    table = {name: summary(one, found["column"], pack) for name, one in found.items()}
    edge = np.asarray(runs.GRID.mask_t) & (abs(found["column"]["concentration"] - 0.475) < 0.325)
    edge[: 4 * SETTLED] = False
    loose = {name: summary(one, found["column"], edge) for name, one in found.items()}
    draw(found, pack, HERE / "boundary_layer_feedbacks.png")
    text = page(table, loose, pack.sum() / pack.any(axis=(1, 2)).sum())
    (HERE / "README.md").write_text(text, encoding="utf-8")


def summary(one, whole, where):
    """The numbers of `COLUMNS` for one run at some places and times."""
    area = np.broadcast_to(runs.GRID.area, where.shape)[where]

    def vector(source, name):
        return (source[f"{name}u"] + 1j * source[f"{name}v"])[where]

    def mean(values):
        return np.average(values, weights=area)

    drift, reference = vector(one, ""), vector(whole, "")
    wind, geostrophic = vector(one, "wind_"), vector(one, "geostrophic_")

    def share(of):
        ratio = mean(of.conj() * drift) / mean(np.abs(of) ** 2)
        return 100 * np.abs(ratio), -np.degrees(np.angle(ratio))

    ocean = np.asarray(runs.GRID.mask_t)
    volume = np.where(ocean, one["ice_volume"] * runs.GRID.area, 0.0).sum(axis=(1, 2))
    covered = np.where(ocean, one["concentration"] * runs.GRID.area, 0.0).sum(axis=(1, 2))
    of_wind, angle_wind = share(wind)
    of_geostrophic, angle_geostrophic = share(geostrophic)
    friction, turning = np.nan, np.nan
    if "stress_u" in one:
        stress = vector(one, "stress_")
        density = 101325.0 / (287.05 * one["air_temperature"][where])
        blows = np.abs(geostrophic) > LEAST_WIND
        speed = np.sqrt(np.abs(stress) / density)
        friction = np.median((speed / np.abs(geostrophic))[blows])
        turning = np.median(np.degrees(np.angle(stress * geostrophic.conj()))[blows])
    return {
        "drift": 100 * mean(np.abs(drift)),
        "of_wind": of_wind,
        "angle_wind": angle_wind,
        "of_geostrophic": of_geostrophic,
        "angle_geostrophic": angle_geostrophic,
        "difference": 100 * np.sqrt(mean(np.abs(drift - reference) ** 2)),
        "friction": friction,
        "turning": turning,
        "wind_ratio": mean(np.abs(wind)) / mean(np.abs(geostrophic)),
        "growth": 100 * (volume[-1] - volume[0]) / covered[0],
        "surface": mean(one["surface_temperature"][where]),
        "air": mean(one["air_temperature"][where]) - 273.15,
        "sensible": mean(one["sensible"][where]),
    }


def draw(found, pack, path):
    """Drift day by day, its factor against cooling, and a map of what the column changes."""
    figure, axes = plt.subplots(1, 3, figsize=(14, 4.2), layout="constrained")
    ice = np.asarray(runs.GRID.mask_t) & (found["column"]["concentration"] > 0.8)
    days = (np.arange(len(ice)) + 1) / 4
    for number, (name, one) in enumerate(found.items()):
        speed = 100 * np.hypot(one["u"], one["v"])
        daily = [speed[n][ice[n]].mean() for n in range(len(ice))]
        smooth = np.convolve(daily, np.ones(4) / 4, mode="valid")
        axes[0].plot(days[3:], smooth, f"C{number}", label=name, lw=1.2)
        # The same places and times in a class for all runs: stable to the right.
        stable = (found["column"]["air_temperature"] - 273.15)[pack]
        stable = stable - found["column"]["surface_temperature"][pack]
        drift = (one["u"] + 1j * one["v"])[pack]
        geostrophic = (one["geostrophic_u"] + 1j * one["geostrophic_v"])[pack]
        edges = np.quantile(stable, np.linspace(0, 1, 8))
        bins = np.clip(np.digitize(stable, edges[1:-1]), 0, 6)
        middles = [np.median(stable[bins == b]) for b in range(7)]
        factors = [_share(drift[bins == b], geostrophic[bins == b]) for b in range(7)]
        axes[1].plot(middles, factors, f"C{number}o-", label=name, ms=3)
    axes[0].set(xlabel="day", ylabel="mean drift, mean of a day [cm/s]")
    axes[0].legend(fontsize=7)
    axes[1].set(
        xlabel="2 m air over surface temperature in the column [K]",
        ylabel="drift / geostrophic wind [%]",
    )
    times = slice(4 * SETTLED, None)
    speeds = [np.hypot(found[name]["u"], found[name]["v"]) for name in ("column", "bulk")]
    change = np.where(ice, 100 * (speeds[0] - speeds[1]), 0.0)[times].sum(axis=0)
    count = ice[times].sum(axis=0)
    change = np.where(count > 0, change / np.maximum(count, 1), np.nan)
    shown = axes[2].imshow(change, origin="lower", cmap="RdBu_r", vmin=-4, vmax=4)
    axes[2].contour(np.asarray(runs.GRID.mask_t), [0.5], colors="0.4", linewidths=0.6)
    axes[2].set(xticks=[], yticks=[], title="mean drift, column less bulk [cm/s]")
    figure.colorbar(shown, ax=axes[2], shrink=0.8)
    figure.savefig(path, dpi=110)


def _share(drift, wind):
    return 100 * abs(np.vdot(wind, drift) / np.vdot(wind, wind))


def page(table, loose, cells):
    """The README."""
    return "\n".join(
        [
            "# What the feedbacks of the ice on the air are worth",
            "",
            "`python validation/boundary_layer_feedbacks/make.py --work DIR`, "
            f"{datetime.now(UTC):%Y-%m-%d}, float32.",
            "",
            (HERE / "verdict.md").read_text(encoding="utf-8").rstrip(),
            "",
            "![Drift by day, by stability, and its change](boundary_layer_feedbacks.png)",
            "",
            "## Set-up",
            "",
            f"Grid {runs.PRESET}, {runs.DAYS} days from {runs.START}, the restart state of January,"
            " BBM, Winton's ice, WENO, the prescribed ocean, steps of 6 h; synthetic weather of "
            f"seed {runs.SEED}, the same for all. `bulk` takes the 10 m wind and 2 m air of the "
            "weather with the default drag of BBM (1.6e-3); the others put a `BoundaryLayer` of "
            "40 levels with default constants under the same geostrophic wind and the same air "
            f"aloft. Means over days {SETTLED + 1} to {runs.DAYS}, weighted by area, over the same "
            f"cells and times for all (on average {cells:.0f} cells in the pack); growth is the "
            "change of all ice from 6 h on over the ice-covered area. Shares and angles by least "
            "squares. Sensible heat of the ice upward. Bulk: 10 m wind and 2 m air are given, not "
            "results. u*/G and the turning are medians where the geostrophic wind of the surface is"
            f" {LEAST_WIND:g} m/s or more. One month of one synthetic weather: no interval is "
            "given.",
            "",
            "## Pack ice, concentration above 0.8 under the column",
            "",
            *rows(table),
            "",
            "## Loose ice, concentration 0.15 to 0.8 under the column",
            "",
            *rows(loose),
            "",
        ]
    )


def rows(table):
    """Lines of a table."""
    head = " | ".join(title for title, _ in COLUMNS.values())
    lines = [f"| | {head} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name, numbers in table.items():
        told = ((numbers[key], digits) for key, (_, digits) in COLUMNS.items())
        row = " | ".join("" if np.isnan(n) else f"{n:.{digits}f}" for n, digits in told)
        lines.append(f"| {name} | {row} |")
    return lines


if __name__ == "__main__":
    main()
