"""Make the numbers, figures and page of this folder again.

    python validation/boundary_layer_impact/make.py --work DIR [--cases 40] [--preset arctic100]
    python validation/boundary_layer_impact/make.py --work DIR --page

Paired forecasts with and without the ice in the boundary layer, each in a file below DIR: an
interrupted call goes on where it was, another process may work in the same folder, and the page is
made of what is there.
"""

import argparse
from pathlib import Path

import jax


def main():
    """Run what is not there yet, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", required=True, help="folder for the runs")
    parser.add_argument("--cases", type=int, default=40, help="start dates")
    parser.add_argument("--preset", default="arctic100")
    parser.add_argument("--page", action="store_true", help="only write the page again")
    asked = parser.parse_args()
    work = Path(asked.work)
    jax.config.update("jax_compilation_cache_dir", str(work / "compiled"))
    import runs

    found = runs.Runs(asked.preset, work)
    if not asked.page:
        runs.run_all(found, asked.cases)
    import page

    page.write(work)


if __name__ == "__main__":
    main()
