"""Make the numbers and the figure of this folder again.

    python validation/forecast/make.py --work DIR --past ARCHIVE

Cycles En4DVar through three winter months, and from March to early August, each in two twins on
arctic100, and forecasts ten days from every second analysis, below DIR; it can be interrupted and
goes on.
ARCHIVE is the `archive.zarr` of years of the same simulator, which are the past of climatology and
damped anomalies: `floecast simulate --preset arctic100 --years 10 --seed 11`. Writes README.md and
forecast.png here.
"""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

from floecast.assimilation_schema import assimilation_config
from floecast.bench.emulator_scores import LEAST, band_ratio, bands
from floecast.core.calendar import DAY, to_seconds
from floecast.core.grid import Grid
from floecast.core.variables import ICE_EDGE
from floecast.experiment.assimilation import KEPT, assimilate
from floecast.experiment.verify_files import verify_files
from floecast.io.cf import to_dataset, write_netcdf
from floecast.io.store import read_dataset
from floecast.progress import progress_for
from floecast.verification.scorecard import Scorecard
from floecast.verification.spectra import power_spectrum, sea_boxes

HERE = Path(__file__).parent
SEASONS = {(1, 45, 1): "January to April", (3, 78, 5): "May to August"}
"""First month and number of the cycles, first month of the forecasts that are scored: in the melt
season the members have seen thickness until the middle of April."""
TRUTHS = (0, 1)
"""Restart states that the truths begin from, a year each."""
SETTINGS = ["forecast_every=2", "keep_forecasts=true"]
SCORES = {
    ("concentration", "iiee"): ("ice edge, IIEE [1000 km²]", 0),
    ("concentration", "sps"): ("ice edge, SPS [1000 km²]", 0),
    ("concentration", "rmse"): ("concentration, RMSE [%]", 2),
    ("ice_volume", "crps"): ("ice volume, CRPS [mm]", 0),
    ("drift", "vector_rmse"): ("drift, RMSE [mm/s]", 1),
}
FACTORS = {("concentration", "rmse"): 100.0, ("ice_volume", "crps"): 1e3}
FACTORS[("drift", "vector_rmse")] = 1e3
BASELINES = ("persistence", "damped anomaly persistence", "climatology", "past years")
SPREAD = ("concentration", "ice_volume", "drift")
LEADS = (1, 2, 3, 5, 7, 10)
BOX = 16
"""Side of the boxes of the spectra [cells]."""
DAYS = range(1, 11)


def main():
    """Cycle, forecast, score, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", required=True, type=Path, help="folder for runs and scores")
    parser.add_argument("--past", required=True, type=Path, help="archive.zarr of other years")
    given = parser.parse_args()
    cards, sharp = {}, {}
    with progress_for(sys.stderr) as progress:
        past = past_files(given.past, given.work / "past")
        for (month, cycles, first), season in SEASONS.items():
            scores = given.work / f"scores_{month}"
            settings = [f"twin.month={month}", f"cycles={cycles}", *SETTINGS]
            files, truths = [], []
            for year in TRUTHS:
                config = assimilation_config(None, [*settings, f"twin.year={year}"])
                out = given.work / f"en4dvar_{month}_{year}"
                folder = assimilate(config, out=out, progress=progress)
                files += sorted(folder.file("forecasts").glob("*.nc"))
                truths.append(folder.file("truth.nc"))
            files = [file for file in files if int(file.name[5:7]) >= first]
            truth = given.work / f"truth_{month}.nc"
            if not (scores / "scorecard.json").is_file():
                verify_files(
                    files,
                    joined(truths, truth),
                    past=past,
                    out=scores,
                    progress=progress,
                )
            cards[season] = Scorecard.from_json(scores / "scorecard.json")
            sharp[season] = power_ratios(files, truth)
    draw(cards, HERE / "forecast.png")
    (HERE / "README.md").write_text(
        "\n".join(page(cards, sharp, len(past))) + "\n", encoding="utf-8"
    )


def joined(files, path):
    """One file of the truths of several years."""
    parts = [read_dataset(file) for file in files]
    write_netcdf(xr.concat(parts, "time", data_vars="minimal").sortby("time"), path)
    return path


def past_files(archive, folder):
    """Daily fields of an archive at the centres of cells, a file a year.

    Parameters
    ----------
    archive, folder : Path

    Returns
    -------
    list of Path
    """
    grid, files = Grid.preset("arctic100"), []
    with read_dataset(archive) as data:
        years = data["time"].dt.year.values
        midnight = to_seconds(data["time"].values) % DAY == 0
        for year in np.unique(years)[:-1]:  # the last has its first day alone
            path = folder / f"{year}.nc"
            files.append(path)
            if path.is_file():
                continue
            folder.mkdir(parents=True, exist_ok=True)
            days = np.flatnonzero(midnight & (years == year))
            fields = {name: np.nan_to_num(data[name].isel(time=days).values) for name in KEPT}
            time = to_seconds(data["time"].values[days])
            write_netcdf(to_dataset(fields, grid, time=time, title="Past of a simulator"), path)
    return files


def row(card, system, key, lead):
    """The row of a score, or None."""
    variable, score = key
    found = card.select(
        system=system, variable=variable, score=score, region="arctic", lead_hours=24 * lead
    ).rows
    return found[0] if found else None


def power_ratios(files, truth):
    """Power of the members of the analyses over that of the truth, by variable and band."""
    grid, found = Grid.preset("arctic100"), {}
    for variable in ("concentration", "ice_volume"):
        told, true = [], []
        with read_dataset(truth) as known:
            for file in files:
                with read_dataset(file) as data:
                    now = known.sel(time=data["time"].values[0])
                    members = data[variable].isel(time=0).values.astype(float)
                cover, field = now["concentration"].values, now[variable].values.astype(float)
                for row, column in sea_boxes(grid, BOX):
                    box = (slice(row, row + BOX), slice(column, column + BOX))
                    if np.all(cover[box] > ICE_EDGE) and np.std(field[box]) > LEAST[variable]:
                        true.append(power_spectrum(field[box], spacing=grid.spacing).power)
                        power = power_spectrum(members[:, *box], spacing=grid.spacing).power
                        told.append(power)
        found[variable] = len(true), band_ratio(np.array(told), np.array(true), BOX)
    return found


def page(cards, sharp, years):
    """The page, for a past of so many years."""
    dates = {
        season: row(card, "forecast", ("drift", "vector_rmse"), 1).n
        for season, card in cards.items()
    }
    lines = [
        "# Forecasts of ten days from En4DVar, in a twin",
        "",
        f"Made on {datetime.now(UTC):%Y-%m-%d} with `python validation/forecast/make.py --work DIR "
        f"--past ARCHIVE`. The truths are {len(TRUTHS)} runs of the simulator on arctic100 for "
        "each season, in two years; 20 members of the "
        "emulator are corrected every two days by En4DVar, see `validation/twin`, and "
        "carried on for ten days from every second analysis, in weather whose error grows with "
        f"lead: {', '.join(f'{n} start dates from {season}' for season, n in dates.items())} (of "
        "cycles that began in January, and in March with thickness seen until mid April). "
        f"Climatology, damped anomalies and the ensemble of past years come from {years} other "
        "years of the simulator; persistence and anomalies are those of the analysis; the CRPS of "
        "a single field is its absolute error, the SPS its IIEE. Below: the forecast, and its "
        "difference to each baseline with the 95 % interval from blocks of 15 days of start dates; "
        "below zero the forecast is better, **bold** where the interval holds zero or the baseline "
        "is better. "
        "With so few blocks the intervals are too narrow rather than too wide.",
        "",
        "![Scores against lead](forecast.png)",
        "",
    ]
    for season, card in cards.items():
        lines += [f"## {season}", ""]
        for key, (name, digits) in SCORES.items():
            lines += table(card, key, name, digits)
        lines += [*perfect(card), *spread_table(card), *sharp_table(sharp[season])]
    return lines[:-1]


def perfect(card):
    """From which day on the forecast is ahead of the truth of its start, held."""
    told = []
    for key, (name, _) in SCORES.items():
        found = {lead: row(card, "forecast minus observed persistence", key, lead) for lead in DAYS}
        behind = [lead for lead, one in found.items() if one.high >= 0]
        told.append(f"{name.partition(' [')[0]} {max(behind, default=0) + 1}")
    return [
        "Against the truth of the start itself held, which no analysis knows, the forecast is "
        f"ahead and clear of zero from this day on: {'; '.join(told)}.",
        "",
    ]


def table(card, key, name, digits):
    """A score of the forecast, and beside the baselines that have it, by lead."""
    factor = FACTORS.get(key, 1.0)
    there = [one for one in BASELINES if row(card, one, key, LEADS[0])]
    lines = [
        f"| {name} | forecast | {' | '.join(f'minus {one}' for one in there)} |",
        "|" + "---|" * (2 + len(there)),
    ]
    for lead in LEADS:
        cells = [f"{factor * row(card, 'forecast', key, lead).value:.{digits}f}"]
        for one in there:
            found = row(card, f"forecast minus {one}", key, lead)
            value, low, high = (
                f"{factor * number:.{digits}f}" for number in (found.value, found.low, found.high)
            )
            text = f"{value} [{low}, {high}]"
            cells.append(text if found.high < 0 else f"**{text}**")
        days = "1 day" if lead == 1 else f"{lead} days"
        lines.append(f"| {days} | {' | '.join(cells)} |")
    return [*lines, ""]


def spread_table(card):
    """Spread over error of the members."""
    lines = [
        f"| spread over error | {' | '.join(name.replace('_', ' ') for name in SPREAD)} |",
        "|" + "---|" * (1 + len(SPREAD)),
    ]
    for lead in LEADS:
        cells = []
        for name in SPREAD:
            found = row(card, "forecast", (name, "spread_skill"), lead)
            cells.append(
                "" if found is None else f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"
            )
        lines.append(f"| {'1 day' if lead == 1 else f'{lead} days'} | {' | '.join(cells)} |")
    return [*lines, ""]


def sharp_table(found):
    """Power of the members of the analyses over that of the truth."""
    side = Grid.preset("arctic100").spacing * BOX / 1e3
    waves = [f"{side / np.mean(band + 1):.0f} km" for band in bands(BOX)]
    lines = [
        f"| power of the members of the analysis over the truth | {' | '.join(waves)} |",
        "|" + "---|" * (1 + len(waves)),
    ]
    for variable, (count, ratios) in found.items():
        cells = [f"{one:.2f}" for one in ratios]
        name = f"{variable.replace('_', ' ')}, {count} boxes of {side:.0f} km"
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return [*lines, ""]


def draw(cards, path):
    """Curves of the scores against lead."""
    colours = dict(
        zip(
            ("forecast", *BASELINES),
            ("#0b3c5d", "#d55e00", "#e69f00", "#009e73", "#777777"),
            strict=True,
        )
    )
    figure, axes = plt.subplots(
        len(cards), len(SCORES), figsize=(3.1 * len(SCORES), 2.9 * len(cards)), sharex=True
    )
    leads = np.array(DAYS)
    for line, (season, card) in zip(axes, cards.items(), strict=True):
        for axis, (key, (name, _)) in zip(line, SCORES.items(), strict=True):
            for system, colour in colours.items():
                rows = [row(card, system, key, int(lead)) for lead in leads]
                if rows[0] is None:
                    continue
                factor = FACTORS.get(key, 1.0)
                value, low, high = (
                    [factor * getattr(one, part) for one in rows]
                    for part in ("value", "low", "high")
                )
                axis.plot(
                    leads, value, color=colour, label=system, lw=2 if system == "forecast" else 1.3
                )
                axis.fill_between(leads, low, high, color=colour, alpha=0.15, lw=0)
            axis.set_ylim(bottom=0)
            axis.set_title(name, fontsize=9)
            axis.spines[["top", "right"]].set_visible(False)
        line[0].set_ylabel(season)
    for axis in axes[-1]:
        axis.set_xlabel("lead [days]")
    handles = {}
    for axis in axes.flat:
        handles |= dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles.keys(), loc="lower center", ncols=5, frameon=False)
    figure.tight_layout(rect=(0, 0.06, 1, 1))
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
