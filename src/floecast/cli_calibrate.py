"""The command ``floecast calibrate``."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer


def calibrate(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FORECAST EARLIER...",
            help="Members of the forecast to be calibrated, then of earlier ones.",
        ),
    ],
    observed: Annotated[
        list[Path],
        typer.Option(metavar="FILE", help="Observed concentration along time, on the same grid."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="File to write; FORECAST_calibrated.nc if left out."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
):
    """Calibrate the concentration of a forecast by earlier forecasts and what came true of them.

    Of the earlier forecasts count those of the same season; what lies after the start of the
    forecast is never used, so that a whole archive may be given.
    """
    from floecast.experiment.calibrate_files import calibrate_files
    from floecast.progress import progress_for

    forecast, *earlier = files
    out = forecast.with_name(f"{forecast.stem}_calibrated.nc") if out is None else out
    with progress_for(sys.stderr) as progress:
        told = calibrate_files(forecast, earlier, observed, out=out, progress=progress)
    last = told["leads"][-1]
    typer.echo(
        json.dumps(told, indent=1)
        if as_json
        else f"{out}: {told['members']} members, by {last['earlier_forecasts']} earlier forecasts"
    )
