"""Make the numbers and the figure of this folder again.

    python validation/real_concentration/make.py --data DATA --work DIR

Runs the operation of operation.yaml (`floecast cycle`) through 2015 to July 2017 with a forecast of
ten days every fortnight, below DIR, then calibrates those from the second year on by the ones
before (`floecast calibrate`); it can be interrupted and goes on. Writes README.md and forecast.png
here.
"""

import argparse
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

from floecast.core.calendar import DAY, to_seconds
from floecast.core.grid import Grid
from floecast.cycle_schema import cycle_config
from floecast.experiment.calibrate_files import calibrate_files
from floecast.experiment.daily import Code, catch_up
from floecast.experiment.verify_files import verify_files
from floecast.io.cf import to_dataset, write_netcdf
from floecast.io.readers import concentration_field
from floecast.progress import progress_for
from floecast.verification.scorecard import Scorecard

HERE = Path(__file__).parent
FILES = {
    2015: "nsidc0081_nh_2015.nc",
    2016: "nsidc0081_nh_2016.nc",
    2017: "nsidc0081_nh_20170101_20170731.nc",
}
FIRST, LAST = datetime(2015, 1, 16, 12), datetime(2017, 7, 21, 12)
CALIBRATED = datetime(2016, 1, 15)
"""From here on there are forecasts of the same season to learn from."""
EVERY = timedelta(days=14)
SCORES = {
    "iiee": ("ice edge, IIEE [1000 km²]", 1.0, 0),
    "sps": ("ice edge, SPS [1000 km²]", 1.0, 0),
    "rmse": ("concentration, RMSE [%]", 100.0, 1),
    "crps": ("concentration, CRPS [%]", 100.0, 2),
}
BASELINES = {
    "observed persistence": "persistence",
    "observed damped anomaly persistence": "damped anomaly persistence",
    "climatology": "climatology",
    "uncalibrated": "uncalibrated",
    "calibrated persistence": "calibrated persistence",
}
SEASONS = {"January to June": (1, 6, True), "July to December": (7, 12, False)}
"""First and last month of the starts, and whether two other years are there for anomalies."""
LEADS = (1, 2, 3, 5, 7, 10)
COLOURS = ("#0b3c5d", "#d55e00", "#e69f00", "#009e73", "#56b4e9", "#cc79a7")


def main():
    """Cycle, forecast, score, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", required=True, type=Path, help="folder of the real files")
    parser.add_argument("--work", required=True, type=Path, help="folder of the operation")
    given = parser.parse_args()
    with progress_for(sys.stderr) as progress:
        observed = observations(given.data / "nsidc0081_sic", given.work)
        made = forecasts(given.data, given.work, progress)
        later = [file for file in made if datetime.strptime(file.stem, "%Y%m%d") >= CALIBRATED]
        kept = [persisted(file, given.work) for file in made]
        better = calibrated(later, made, observed["all"], given.work / "calibrated", progress)
        other = calibrated(
            [persisted(file, given.work) for file in later],
            kept,
            observed["all"],
            given.work / "calibrated_persistence",
            progress,
        )
        past = [file for name, file in observed.items() if name != "all"]
        raw, cards = {}, {}
        for season, (first, last, years) in SEASONS.items():

            def card(name, files, systems, first=first, last=last, years=years):
                def of_season(paths):
                    return [path for path in paths if first <= int(path.name[4:6]) <= last]

                folder = given.work / f"scores_{name}_{first}"
                verify_files(
                    of_season(files),
                    observed["all"],
                    systems={system: of_season(paths) for system, paths in systems.items()},
                    past=years * past,
                    out=folder,
                    progress=progress,
                )
                count = len(of_season(files))
                return count, Scorecard.from_json(folder / "scorecard.json")

            raw[season] = card("raw", made, {})
            others = {"uncalibrated": later, "calibrated persistence": other}
            cards[season] = card("calibrated", better, others)
    draw(cards, HERE / "forecast.png")
    (HERE / "README.md").write_text("\n".join(page(cards, raw)) + "\n", encoding="utf-8")


def observations(folder, work):
    """Observed concentration at noon of each day, a file a year and one of all days."""
    grid, found, years = Grid.preset("arctic100"), {}, {}
    for year in FILES:
        last = to_seconds("2017-08-01" if year == 2017 else f"{year + 1}-01-01")
        years[year] = np.arange(to_seconds(f"{year}-01-01T12:00"), last, DAY)
    for name, times in (*years.items(), ("all", np.concatenate(list(years.values())))):
        found[name] = work / "observed" / f"{name}.nc"
        if found[name].is_file():
            continue
        found[name].parent.mkdir(parents=True, exist_ok=True)
        fields = []
        for time in times:
            year = next(year for year, days in years.items() if time in days)
            fields.append(concentration_field(folder / FILES[year], grid, int(time)))
        data = to_dataset({"concentration": np.stack(fields)}, grid, time=times, title="Observed")
        write_netcdf(data, found[name])
    return found


def forecasts(data, work, progress):
    """Members of each forecast, a file a start date."""
    config, made, date = cycle_config(HERE / "operation.yaml"), [], FIRST
    while date <= LAST:
        kept = work / "forecasts" / f"{date:%Y%m%d}.nc"
        made.append(kept)
        if not kept.is_file():
            kept.parent.mkdir(parents=True, exist_ok=True)
            until = f"{date:%Y-%m-%dT%H:%M:%S}"
            found = catch_up(
                config, data=data, out=work / "operation", until=until, progress=progress
            )
            if found.code is not Code.DONE:
                raise SystemExit(f"{date}: {found.message}")
            shutil.copy(found.forecast / "forecast_members.nc", kept)
        date += EVERY
    return made


def persisted(file, work):
    """A file as of a forecast whose members all keep the concentration observed at the start."""
    path = work / "persisted" / file.name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with xr.open_dataset(work / "observed" / "all.nc") as known, xr.open_dataset(file) as data:
            observed = known["concentration"].sel(time=data["forecast_reference_time"].values)
            made = data[["concentration", "crs"]].load()
            mean = made["concentration"].mean("realization").isel(time=0, drop=True)
            kept = observed.fillna(mean).values
            made["concentration"].values[:] = kept
        write_netcdf(made, path)
    return path


def calibrated(files, earlier, observed, folder, progress):
    """Calibrated forecasts, a file a start date."""
    made = []
    for file in files:
        made.append(folder / file.name)
        if not made[-1].is_file():
            calibrate_files(file, earlier, [observed], out=made[-1], progress=progress)
    return made


def row(card, system, score, lead, region="arctic"):
    """The row of a score of concentration."""
    return card.select(
        system=system, variable="concentration", score=score, region=region, lead_hours=24 * lead
    ).rows[0]


def there(card):
    """Baselines that a card has."""
    systems = {one.system for one in card.rows}
    return {system: name for system, name in BASELINES.items() if system in systems}


def page(cards, raw):
    """The page."""
    dates = sum(count for count, _ in raw.values())
    lines = [
        "# Forecasts of real concentration, 2015 to 2017",
        "",
        f"Made on {datetime.now(UTC):%Y-%m-%d} with `python validation/real_concentration/make.py "
        f"--data DATA --work DIR`. {dates} forecasts of ten days, one a fortnight, from the daily "
        "operation of `operation.yaml` on arctic100: 20 members of the emulator take the observed "
        "concentration (NSIDC-0081) of every second day by LETKF. **No weather of these years is "
        "at hand**: each member has synthetic weather of the season, so that the forecasts know "
        "the season and the ice, not the wind. Scored against the observed concentration; "
        "persistence is the observed field itself, anomalies fade towards the two other years, "
        "which are there for starts from January to June alone. Below: the forecast, and its "
        "difference to each baseline with the 95 % interval; **bold** where the forecast is better "
        "and the interval clear of zero.",
        "",
        f"From {CALIBRATED:%d %B %Y} on each forecast is also **calibrated** by the ones before it "
        "and what was observed after them (`floecast calibrate`), with nothing used that lay in "
        "the future. *Calibrated persistence* had the same treatment with the observed field in "
        "the place of all members: the difference to it is what the emulator itself is worth "
        "without weather. The 40 members of both are quantiles, which the fair CRPS and SPS take "
        "for random draws: that flatters them by a 39th, 3 %, beside the others.",
        "",
        "![Scores against lead](forecast.png)",
    ]
    lines += tables(cards, "calibrated") + tables(raw, "as they are")
    return lines


def tables(cards, kind):
    """Scores of forecasts of a kind by season."""
    lines = []
    for season, (count, card) in cards.items():
        lines += ["", f"## {season}, {count} starts, {kind}", ""]
        for score, (name, factor, digits) in SCORES.items():
            lines += [*table(card, score, name, factor, digits), ""]
        spread = [row(card, "forecast", "spread_skill", lead).value for lead in LEADS]
        told = ", ".join(f"{one:.2f}" for one in spread)
        leads = ", ".join(map(str, LEADS))
        lines.append(f"Spread of the members over error after {leads} days: {told}.")
    return lines


def table(card, score, name, factor, digits):
    """A score of the forecast, and beside the baselines, by lead."""
    names = there(card)
    lines = [
        f"| {name} | forecast | {' | '.join(f'minus {one}' for one in names.values())} |",
        "|" + "---|" * (2 + len(names)),
    ]
    for lead in LEADS:
        cells = [f"{factor * row(card, 'forecast', score, lead).value:.{digits}f}"]
        for one in names:
            found = row(card, f"forecast minus {one}", score, lead)
            value, low, high = (
                f"{factor * number:.{digits}f}" for number in (found.value, found.low, found.high)
            )
            text = f"{value} [{low}, {high}]"
            cells.append(f"**{text}**" if found.high < 0 else text)
        lines.append(f"| {lead} day{'s' * (lead > 1)} | {' | '.join(cells)} |")
    return lines


def draw(cards, path):
    """Curves of the scores against lead."""
    figure, axes = plt.subplots(
        len(cards), len(SCORES), figsize=(3.2 * len(SCORES), 2.9 * len(cards)), sharex=True
    )
    leads, handles = np.arange(1, 11), {}
    colours = dict(zip(("forecast", *BASELINES), COLOURS, strict=True))
    for line, (season, (_, card)) in zip(axes, cards.items(), strict=True):
        line[0].set_ylabel(season)
        for axis, (score, (title, factor, _)) in zip(line, SCORES.items(), strict=True):
            for system, name in ({"forecast": "calibrated forecast"} | there(card)).items():
                rows = [row(card, system, score, int(lead)) for lead in leads]
                value, low, high = (
                    [factor * getattr(one, part) for one in rows]
                    for part in ("value", "low", "high")
                )
                width = 2 if system == "forecast" else 1.3
                (handles[name],) = axis.plot(leads, value, color=colours[system], lw=width)
                axis.fill_between(leads, low, high, color=colours[system], alpha=0.15, lw=0)
            axis.set_ylim(bottom=0)
            axis.set_title(title, fontsize=9)
            axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[-1]:
        axis.set_xlabel("lead [days]")
    figure.legend(handles.values(), handles, loc="lower center", ncols=6, frameon=False)
    figure.tight_layout(rect=(0, 0.06, 1, 1))
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
