"""``floecast farm``: many tasks of one kind on many workers."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer


def farm(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="YAML file of the tasks and the workers.")
    ],
    workers: Annotated[
        int | None, typer.Option(help="Processes, or jobs of SLURM; cluster.workers.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", envvar="FLOECAST_DATA", help="Folder of the real files."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder; runs/NAME if left out.")
    ] = None,
    override: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=C", help="Change one value of CONFIG.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object at the end.")
    ] = False,
):
    """Do many tasks on processes or SLURM jobs; exit code 1 if one failed. Goes on where it was."""
    from floecast.farm_schema import farm_config

    given = [] if workers is None else [f"cluster.workers={workers}"]
    resolved = farm_config(config, [*given, *(override or ())])
    from floecast.experiment.farm import farm as run
    from floecast.progress import progress_for

    with progress_for(sys.stderr) as progress:
        told = run(resolved, data=data, out=out, progress=progress)
    if as_json:
        typer.echo(json.dumps(told, indent=1, ensure_ascii=False))
    tasks = told.get("tasks", {})
    failed = [name for name, outcome in tasks.items() if outcome["status"] == "failed"]
    if not as_json:
        done = f"{len(tasks) - len(failed)} of {len(tasks)} tasks done" if tasks else "verification"
        typer.echo(f"{done}: {told['folder']}")
    for name in failed:
        typer.echo(f"floecast: {name}: {tasks[name]['error']}", err=True)
    if failed:
        raise typer.Exit(1)
