"""The command ``floecast cycle``, apart from the others for its exit codes."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from floecast.core.errors import InputError


def cycle(
    path: Annotated[
        Path | None, typer.Argument(metavar="CONFIG", help="YAML configuration of the operation.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="The same by name.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="Last day to analyse; now if left out.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", envvar="FLOECAST_DATA", help="Folder of the files."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder of it all; runs/NAME if left out."),
    ] = None,
    override: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="A.B=C", help="Change one value of the configuration."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
):
    """Catch up from the last good analysis to now, then forecast: each morning, from cron.

    Exit code 0: a new forecast. 3: nothing to do. 4: a new forecast, though observations are
    missing. 5: another process is at it. 6: broken off, what was good is kept. 2: wrong settings.
    """
    if (path is None) == (config is None):
        raise InputError("name one configuration, as an argument or by --config FILE")
    if data is None:
        raise InputError("name the folder of the files by --data or FLOECAST_DATA")
    from floecast.cycle_schema import cycle_config

    resolved = cycle_config(path or config, override or ())
    from floecast.experiment.daily import Code, catch_up
    from floecast.progress import progress_for

    with progress_for(sys.stderr) as progress:
        outcome = catch_up(resolved, data=data, out=out, until=until, progress=progress)
    forecast = None if outcome.forecast is None else str(outcome.forecast)
    told = {
        "code": int(outcome.code),
        "text": outcome.text,
        "folder": str(outcome.folder),
        "analyses": outcome.analyses,
        "forecast": forecast,
    }
    good = outcome.code in (Code.DONE, Code.NOTHING_TO_DO, Code.OBSERVATIONS_MISSING)
    if as_json:
        typer.echo(json.dumps(told, indent=1))
    else:
        typer.echo(f"floecast: {outcome.text}", err=not good)
    raise typer.Exit(int(outcome.code))
