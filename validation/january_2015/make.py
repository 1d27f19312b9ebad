"""Make the numbers and the figure of this folder again.

    python validation/january_2015/make.py --data DATA --work DIR

Runs `examples/january_2015.yaml`, and its analysis with other seeds, below DIR (resumable), and
writes README.md and thickness.png here.
"""

import argparse
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

from floecast.config import load_config
from floecast.experiment import run
from floecast.progress import progress_for

HERE = Path(__file__).parent
CONFIG = HERE.parents[1] / "examples" / "january_2015.yaml"
SEEDS = (2016, 2017, 2018, 2019)


def main():
    """Run, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="folder of the real files")
    parser.add_argument("--work", required=True, help="folder for the runs")
    given = parser.parse_args()
    work = Path(given.work)
    import sys

    with progress_for(sys.stderr) as progress:
        options = {"data": given.data, "progress": progress}
        whole = run(load_config(CONFIG), out=work / "january_2015", **options)
        others = [
            run(
                load_config(CONFIG, [f"seed={seed}", "forecast.days=1"]),
                out=work / f"seed_{seed}", until="verification", **options,
            )
            for seed in SEEDS
        ]
    text = page(whole, others)
    (HERE / "README.md").write_text(text, encoding="utf-8")
    shutil.copyfile(whole.file("figures/changes.png"), HERE / "thickness.png")


def page(whole, others):
    """Text of README.md."""
    return "\n".join([
        "# January 2015: real observations", "",
        f"Made {datetime.now(UTC):%Y-%m-%d} with "
        "`python validation/january_2015/make.py --data DATA --work DIR`.", "",
        *thickness_section(whole, others), *forecast_section(whole), *cost_section(whole),
    ]) + "\n"
