"""Make the numbers and the figure of this folder again.

    python validation/january_2015/make.py --data DATA --work DIR

Runs ``examples/january_2015.yaml`` below DIR, and its analysis with other seeds; both can be
interrupted and go on. Writes README.md and increment_thickness.png here.
"""

import argparse
import json
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from floecast.config import load_config, make_config
from floecast.experiment import run
from floecast.progress import progress_for

HERE = Path(__file__).parent
CONFIG = HERE.parents[1] / "examples" / "january_2015.yaml"
SEEDS = (2016, 2017, 2018, 2019)
MONTHS = {
    "December 2014": ("2014-12-01", "2015-01-01"),
    "February 2015": ("2015-02-01", "2015-03-01"),
}


def main():
    """Run, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", required=True, help="folder of the real files")
    parser.add_argument("--work", required=True, help="folder for the runs")
    given = parser.parse_args()
    work = Path(given.work)
    with progress_for(sys.stderr) as progress:
        options = {"data": given.data, "progress": progress}
        whole = run(load_config(CONFIG), out=work / "january_2015", **options)
        others = []
        for seed in SEEDS:
            config = load_config(CONFIG, [f"seed={seed}", "forecast.days=1"])
            others.append(run(config, out=work / f"seed_{seed}", until="verification", **options))
        months = {}
        for name, (start, end) in MONTHS.items():
            tree = load_config(CONFIG, ["forecast.days=1"]).model_dump(mode="json")
            tree["observations"][1] |= {"start": start, "end": end}
            out = work / name.replace(" ", "_")
            months[name] = run(make_config(tree), out=out, until="verification", **options)
    (HERE / "README.md").write_text(page(whole, others, months), encoding="utf-8")
    figure = "increment_thickness.png"
    shutil.copyfile(whole.file(f"figures/{figure}"), HERE / figure)


def page(whole, others, months):
    """Text of README.md."""
    lines = [
        "# January 2015: real observations",
        "",
        f"Made on {datetime.now(UTC):%Y-%m-%d} with "
        "`python validation/january_2015/make.py --data DATA --work DIR`; the configuration is "
        "`examples/january_2015.yaml`. Square brackets: 95 % interval from resampling blocks of "
        "the domain. It speaks of this one date.",
        "",
        *thickness(rows_of(whole), [rows_of(other) for other in others]),
        *other_months(months),
        *concentration(rows_of(whole), whole.manifest["config"]["forecast"]["days"]),
        *cost(whole.manifest),
    ]
    return "\n".join(lines) + "\n"


def thickness(rows, others):
    """Thickness against the withheld cells."""
    count = find(rows, "analysis", "thickness", "rmse", "withheld cells")["n"]
    lines = [
        "## Thickness",
        "",
        f"Against the {count} CryoSat-2 cells of January that were withheld: of the blocks of "
        "100 km every second row is left out of the analysis. The model field is neXtSIM as read; "
        "the background is the mean of the ensemble made from it, whose members have their ice "
        "displaced, which smooths what the model places at random.",
        "",
        "| | RMSE [m] | bias [m] | correlation | misfit² / (spread² + error²) |",
        "|---|---|---|---|---|",
    ]
    for system in ("model field", "background", "climatology", "analysis"):
        cells = [
            told(find(rows, system, "thickness", score, "withheld cells"))
            for score in ("rmse", "bias", "correlation", "consistency")
        ]
        lines.append(f"| {system} | {' | '.join(cells)} |")
    values = {
        score: [find(r, "analysis", "thickness", score, "withheld cells")["value"] for r in others]
        for score in ("rmse", "bias", "consistency")
    }
    ranges = ", ".join(f"{s} {min(v):.3f} to {max(v):.3f}" for s, v in values.items())
    return [
        *lines,
        "",
        f"The analysis with {len(others)} other seeds of the ensemble: {ranges}; mean RMSE "
        f"{np.mean(values['rmse']):.3f} m.",
        "",
        "![Change of thickness by the analysis](increment_thickness.png)",
        "",
    ]


def other_months(months):
    """The same with the cells of months that played no part in the choice of settings."""
    lines = [
        "The lengths, errors and half-widths of the analysis were chosen by cross-validation on "
        "the January cells, this split among others, so the numbers above flatter it a little. "
        "The same settings with the cells of other months, half of them withheld in the same way, "
        "on the same background of 2 January (the ice of those months is not that of the "
        "background, which shows in the bias of the background):",
        "",
        "| cells | system | RMSE [m] | bias [m] | misfit² / (spread² + error²) |",
        "|---|---|---|---|---|",
    ]
    for name, folder in months.items():
        for system in ("model field", "background", "analysis"):
            cells = [
                told(find(rows_of(folder), system, "thickness", score, "withheld cells"))
                for score in ("rmse", "bias", "consistency")
            ]
            lines.append(f"| {name} | {system} | {' | '.join(cells)} |")
    return [
        *lines,
        "",
        "The cells are means of the whole month: with them the analysis of 2 January is a "
        "hindcast. The climatology is a mean of ten winters, this one among them, and is made from "
        "the same satellite.",
        "",
    ]


def concentration(rows, days):
    """Concentration and ice edge of analysis and forecast beside persistence."""
    lines = [
        "## Concentration and ice edge",
        "",
        "Against NSIDC-0081, whole Arctic. At lead 0 the analysis has seen the observations, and "
        "persistence is the observation itself; the background has not. The forecast knows no wind "
        "of those days: each member lives through weather drawn from a climatology. The ratios are "
        "of forecast to persistence, of the values before they are rounded.",
        "",
        "| lead [d] | RMSE forecast | RMSE persistence | ratio | IIEE forecast [1000 km²] "
        "| IIEE persistence | ratio | spread / error |",
        "|---|---|---|---|---|---|---|---|",
    ]
    background = [find(rows, "background", "concentration", s, "arctic") for s in ("rmse", "iiee")]
    lines.append(f"| 0, background | {told(background[0])} | | | {told(background[1], 0)} | | | |")
    for day in range(days + 1):
        cells = []
        for score, digits in (("rmse", 3), ("iiee", 0)):
            forecast, persistence = (
                find(rows, system, "concentration", score, "arctic", 24 * day)
                for system in ("forecast", "persistence")
            )
            ratio = f"{forecast['value'] / persistence['value']:.2f}" if day else ""
            cells += [told(forecast, digits), told(persistence, digits), ratio]
        spread = told(
            find(rows, "forecast", "concentration", "spread_skill", "arctic", 24 * day), 2
        )
        name = "0, analysis" if day == 0 else str(day)
        lines.append(f"| {name} | {' | '.join(cells)} | {spread} |")
    return [*lines, ""]


def cost(manifest):
    """Wall time and memory."""
    stages = ", ".join(f"{stage['name']} {stage['seconds']:.0f} s" for stage in manifest["stages"])
    total = sum(stage["seconds"] for stage in manifest["stages"])
    machine = manifest["machine"]
    return [
        "## Cost",
        "",
        f"{total:.0f} s in all on {machine['cores']} cores ({stages}), peak memory "
        f"{manifest['peak_memory_mb']} MB, Python {machine['python']}, "
        f"jax {manifest['versions']['jax']}.",
    ]


def rows_of(folder):
    """Rows of a scorecard."""
    return json.loads(folder.file("scorecard.json").read_text(encoding="utf-8"))


def find(rows, system, variable, score, region, lead_hours=0):
    """The one row of a score, or None."""
    wanted = {
        "system": system,
        "variable": variable,
        "score": score,
        "region": region,
        "lead_hours": lead_hours,
    }
    return next((r for r in rows if all(r[k] == v for k, v in wanted.items())), None)


def told(row, digits=3):
    """A value with its interval."""
    if row is None:
        return ""
    value, low, high = (f"{row[name]:.{digits}f}" for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


if __name__ == "__main__":
    main()
