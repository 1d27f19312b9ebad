"""Seasonal cycle of a simulated archive beside what is observed; writes README.md and a figure.

    floecast simulate --preset PRESET --years 5 --set spin_up_years=1 --out DIR
    python validation/arctic_seasons/make.py --run DIR

The observed figures and their sources are in observed.md; those that data give are made by
observed.py.
"""

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from floecast.core.grid import Grid
from floecast.core.operators import u_to_t, v_to_t
from floecast.io.store import read_dataset

HERE = Path(__file__).parent
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
# Of observed.md: NSIDC-0081 2015-2017 in the domain of the presets [million km2]; drift of the
# basin from Kimura vectors of 2016 [cm/s].
EXTENT = (12.30, 12.64, 12.75, 12.66, 11.90, 10.65, 8.29, 5.54, 4.66, 7.00, 9.44, 11.61)
VOLUME = {"Apr": "about 22.5 (PIOMAS, 2010s)", "Sep": "about 5.0 (PIOMAS, 2010s)"}


def main():
    """Compute, write, draw."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--run", required=True, help="folder of floecast simulate")
    folder = Path(parser.parse_args().run)
    manifest = json.loads((folder / "manifest.json").read_text())
    grid = Grid.preset(manifest["config"]["preset"])
    with read_dataset(folder / "archive.zarr") as archive:
        rows = monthly(archive, grid)
    draw(rows, HERE / "seasonal_cycle.png")
    (HERE / "README.md").write_text(page(rows, manifest), encoding="utf-8")


def monthly(archive, grid):
    """Figures of each month, from daily values: dict of (year, month) to dict."""
    area, ocean = np.asarray(grid.area), np.asarray(grid.mask_t)
    basin = ocean & (grid.latitude > 78)
    times = archive["time"].values.astype("datetime64[M]")
    rows = {}
    months, counts = np.unique(times, return_counts=True)
    for month in months[counts > 100]:  # the last time of an archive begins a month of its own
        of_month = archive.isel(time=np.flatnonzero(times == month)[::4])

        def field(name, of_month=of_month):
            return np.nan_to_num(of_month[name].values.astype(float))

        concentration, volume = field("concentration"), field("ice_volume")
        u = np.stack([u_to_t(x, grid) for x in field("u")])
        v = np.stack([v_to_t(x, grid) for x in field("v")])
        pack = (concentration > 0.8) & basin
        wind = field("wind_u")[pack] + 1j * field("wind_v")[pack]
        drift = u[pack] + 1j * v[pack]
        law = np.vdot(wind, drift) / np.vdot(wind, wind)
        ice = concentration > 0.15
        year = int(str(month)[:4])
        rows[year, int(str(month)[5:])] = {
            "extent": np.mean(np.sum(ice * area, axis=(1, 2))) / 1e12,
            "volume": np.mean(np.sum(volume * area, axis=(1, 2))) / 1e12,
            "speed": 100 * np.mean(np.abs(drift)),
            "ratio": 100 * np.abs(law),
            "angle": -np.degrees(np.angle(law)),
            "thickness": volume[pack].mean() / concentration[pack].mean(),
            "snow": field("snow_volume")[pack].mean(),
            "damage": field("damage")[pack].mean(),
            "thickest": volume.max(),
        }
    return rows


def mean(rows, name, month=None):
    """Mean over the months, or over the years of one month."""
    return np.mean([row[name] for (_, m), row in rows.items() if month in (None, m)])


def page(rows, manifest):
    """Text of README.md."""
    config = manifest["config"]
    years = sorted({year for year, _ in rows})
    lines = [
        "# Seasonal cycle of the simulator",
        "",
        f"Made on {datetime.now(UTC):%Y-%m-%d} with",
        "",
        "```",
        f"floecast simulate --preset {config['preset']} --years {config['years']} "
        f"--set spin_up_years={config['spin_up_years']} --out DIR",
        "python validation/arctic_seasons/make.py --run DIR",
        "```",
        "",
        f"{len(rows)} months on {config['preset']} after {config['spin_up_years']} year of "
        f"spin-up: {config['rheology']}, {config['thermodynamics']}, {config['transport']}, "
        "synthetic weather and the prescribed ocean. Parameters are the defaults. The winter heat "
        "supply of the ocean was chosen with the extent in March in view, nothing else with these "
        "figures. Sources of what is observed: [observed.md](observed.md).",
        "",
        "| figure | simulated | observed |",
        "|---|---|---|",
    ]
    for name, number in (("Mar", 3), ("Sep", 9)):
        lines.append(
            f"| extent in {name}, domain of the grid [million km2] | "
            f"{mean(rows, 'extent', number):.2f} | {EXTENT[number - 1]:.2f} (2015-2017) |"
        )
    for name, number in (("Apr", 4), ("Sep", 9)):
        lines.append(
            f"| volume in {name} [1000 km3] | {mean(rows, 'volume', number):.1f} | {VOLUME[name]} |"
        )
    lines += [
        f"| drift speed north of 78 N, mean, March, August [cm/s] | {mean(rows, 'speed'):.1f}, "
        f"{mean(rows, 'speed', 3):.1f}, {mean(rows, 'speed', 8):.1f} | 9.7, 6.2, 14.4 (2016) |",
        f"| drift over 10 m wind, winter [%] | {winter(rows, 'ratio'):.2f} | 1.4 to 2.1 |",
        f"| angle to the right of the wind, winter [degrees] | {winter(rows, 'angle'):.0f} | "
        "18 to 38 |",
        f"| thickness of the ice north of 78 N in March [m] | {mean(rows, 'thickness', 3):.2f} | "
        "1.81 (basin), 2.04 (central) |",
        f"| snow there in April [m] | {mean(rows, 'snow', 4):.2f} | about 0.3 |",
        "",
        "## Year by year",
        "",
        "| year | extent Mar | extent Sep | volume Apr | volume Sep | speed Mar | speed Aug | "
        "thickest cell [m] |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for year in years:
        if all((year, month) in rows for month in range(1, 13)):
            cells = [
                f"{rows[year, month][name]:.2f}"
                for name, month in (
                    ("extent", 3),
                    ("extent", 9),
                    ("volume", 4),
                    ("volume", 9),
                    ("speed", 3),
                    ("speed", 8),
                )
            ]
            thickest = max(rows[year, month]["thickest"] for month in range(1, 13))
            lines.append(f"| {year} | {' | '.join(cells)} | {thickest:.1f} |")
    lines += [
        "",
        "The cycle repeats itself. Winter has too much ice by area: the prescribed ocean gives the "
        "mixed layer too little heat at the winter edge, mostly in the cold months. Years differ "
        "less than real ones, as the weather has no memory beyond days and the ocean is the same "
        "every year.",
    ]
    whole = [y for y in years if all((y, m) in rows for m in range(1, 13))]
    if len(whole) > 2:
        annual = [np.mean([rows[y, m]["volume"] for m in range(1, 13)]) for y in whole]
        trend = 100 * np.polyfit(whole, annual, 1)[0] / np.mean(annual)
        lines += ["", f"Trend of the annual mean volume: {trend:+.1f} % a year."]
    seconds = {stage["name"]: stage["seconds"] for stage in manifest["stages"]}
    if "archive" in seconds:
        lines += ["", f"Wall time of the archive: {seconds['archive'] / 60:.0f} minutes."]
    return "\n".join([*lines, "", "![Seasonal cycle](seasonal_cycle.png)", ""])


def winter(rows, name):
    """Mean over November to April."""
    return np.mean([row[name] for (_, month), row in rows.items() if month in (11, 12, 1, 2, 3, 4)])


def draw(rows, path):
    """Extent, volume and speed through the year, a line a year."""
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
    names = (("extent", "million km²"), ("volume", "1000 km³"), ("speed", "cm/s"))
    for axis, (name, unit) in zip(axes, names, strict=True):
        for year in sorted({y for y, _ in rows}):
            months = [month for y, month in rows if y == year]
            axis.plot(months, [rows[year, m][name] for m in months], label=str(year), lw=1.5)
        axis.set(title=f"{name} [{unit}]", xticks=range(1, 13), xlim=(1, 12))
        axis.set_xticklabels([month[0] for month in MONTHS])
        axis.grid(alpha=0.3)
    axes[0].plot(range(1, 13), EXTENT, "k--", label="observed", lw=2)
    axes[0].set_ylim(bottom=0)
    axes[1].set_ylim(bottom=0)
    axes[0].legend(fontsize=8)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
