"""Make the numbers and the figures of this folder again.

    python validation/real_cases/make.py --data DATA --work DIR

Runs the two configurations below DIR; both can be interrupted and go on. Writes README.md and the
figures here.
"""

import argparse
import json
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

from floecast.config import load_config
from floecast.experiment import run
from floecast.progress import progress_for
from floecast.verification.scorecard import Scorecard

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples"
CASES = {
    "january_2015_en4dvar": (
        "2 January 2015",
        "the thickness of a neXtSIM run of the day before",
    ),
    "february_2016_en4dvar": (
        "2 February 2016",
        "the CS2SMOS thickness climatology of the day before",
    ),
}
SYSTEMS = ("model field", "background", "climatology", "analysis")
NAMES = {"model field": "thickness that the background starts from"}
LEADS = (1, 2, 3)


def main():
    """Run, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", required=True, help="folder of the real files")
    parser.add_argument("--work", required=True, type=Path, help="folder for the runs")
    given = parser.parse_args()
    lines = head()
    with progress_for(sys.stderr) as progress:
        for name, (date, start) in CASES.items():
            config = load_config(EXAMPLES / f"{name}.yaml")
            folder = run(config, data=given.data, out=given.work / name, progress=progress)
            figure = f"{name}.png"
            shutil.copyfile(folder.file("figures/increment_thickness.png"), HERE / figure)
            lines += section(folder, config, date, start, figure)
    (HERE / "README.md").write_text("\n".join([*lines, ""]), encoding="utf-8")


def head():
    """What was done."""
    return [
        "# Real observations by En4DVar",
        "",
        f"Made on {datetime.now(UTC):%Y-%m-%d} with `python validation/real_cases/make.py --data "
        "DATA --work DIR`; the configurations are `examples/january_2015_en4dvar.yaml` and "
        "`examples/february_2016_en4dvar.yaml`. Members of the arctic50 emulator live through one "
        "day in weather of their own (there is no gridded wind of those days), En4DVar gives them "
        "the NSIDC-0081 concentration of the day and the CryoSat-2 cells of the month, and the "
        "emulator carries them on. Of the blocks of 100 km every second row of thickness cells is "
        "withheld; scores are against these. Square brackets: 95 % interval from resampling blocks "
        "of the domain. Each speaks of one date.",
        "",
        "The cells are means of the whole month, so these are hindcasts, and the climatology, a "
        "mean of ten winters of the same satellite, holds both winters. The forecast of "
        "concentration is not better than persistence in either case: it knows no wind of those "
        "days, and the emulator takes the edge towards that of the simulator it learned from.",
        "",
    ]


def section(folder, config, date, start, figure):
    """Tables of a case."""
    card = Scorecard.from_json(folder.file("scorecard.json"))
    told = json.loads(folder.file("diagnostics.json").read_text(encoding="utf-8"))
    costs = told["minimisation"]
    withheld = {"variable": "thickness", "score": "rmse", "region": "withheld cells"}
    count = card.select(system="analysis", **withheld).rows[0].n
    lines = [
        f"## {date}",
        "",
        f"The background starts from {start}. {config.ensemble.members} members, window "
        f"{config.analysis.window_hours} h, {costs['observations']} observations; cost "
        f"{' to '.join(f'{x:.0f}' for x in costs['cost'])}, 2J/p "
        f"{costs['twice_cost_over_observations']:.2f}.",
        "",
        f"| thickness on {count} withheld cells | RMSE [m] | bias [m] "
        "| misfit² / (spread² + error²) |",
        "|---|---|---|---|",
    ]
    for system in SYSTEMS:
        cells = [
            text(card, system, "thickness", score, "withheld cells")
            for score in ("rmse", "bias", "consistency")
        ]
        lines.append(f"| {NAMES.get(system, system)} | {' | '.join(cells)} |")
    lines += [
        "",
        f"![What the analysis changed in thickness]({figure})",
        "",
        "| lead [days] | concentration RMSE: forecast | persistence | IIEE [1000 km²]: forecast "
        "| persistence |",
        "|---|---|---|---|---|",
    ]
    for lead in LEADS:
        cells = [
            text(card, system, "concentration", score, "arctic", 24 * lead, digits)
            for score, digits in (("rmse", 3), ("iiee", 0))
            for system in ("forecast", "persistence")
        ]
        lines.append(f"| {lead} | {' | '.join(cells)} |")
    return [*lines, ""]


def text(card, system, variable, score, region, lead_hours=0, digits=3):
    """A value with its interval, nothing where there is none."""
    rows = card.select(
        system=system, variable=variable, score=score, region=region, lead_hours=lead_hours
    ).rows
    if not rows:
        return ""
    value, low, high = (f"{getattr(rows[0], name):.{digits}f}" for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


if __name__ == "__main__":
    main()
