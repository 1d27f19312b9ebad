"""``floecast fetch``: products of others, into the folder of the real files."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from floecast.core.errors import InputError

# Exit codes; 2 is an error of the user, as everywhere.
MISSING, FAILED = 3, 4


def fetch(
    product: Annotated[
        str | None, typer.Argument(help="What to fetch; without it, all names are listed.")
    ] = None,
    first: Annotated[
        str | None, typer.Option("--from", metavar="DAY", help="First day, as 2015-01-01.")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DAY", help="Last day.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="DIR",
            envvar="FLOECAST_DATA",
            help="Folder of the real files; files go to DIR/PRODUCT.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would come, and from where.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object at the end.")
    ] = False,
):
    """Fetch files of a product. Goes on where it was. Exit code 3: days missing, 4: broken off."""
    from floecast.io.fetching.products import PRODUCTS

    if product is None:
        titles = {name: row.title for name, row in PRODUCTS.items()}
        lines = [f"{name:26} {title}" for name, title in titles.items()]
        typer.echo(json.dumps(titles, indent=1) if as_json else "\n".join(lines))
        return
    if first is None or last is None:
        raise InputError("give the first and the last day by --from and --to")
    if data is None:
        raise InputError("name the folder of the real files by --data or FLOECAST_DATA")
    from floecast.io.fetching.fetch import fetch as run
    from floecast.progress import progress_for

    with progress_for(sys.stderr) as progress:
        told = run(product, first, last, data, dry_run=dry_run, progress=progress)
    typer.echo(json.dumps(told, indent=1) if as_json else text(told))
    if told["failed"] or told["missing"]:
        raise typer.Exit(FAILED if told["failed"] else MISSING)


def text(told):
    """What a call of `floecast.io.fetching.fetch.fetch` gave, in lines."""
    lines = []
    for wanted in told.get("wanted", []):
        size = "" if wanted["bytes"] is None else f" ({wanted['bytes']} bytes)"
        lines.append(f"{wanted['file']} from {wanted['address']}{size}")
    if "wanted" in told:
        counts = f"{len(told['wanted'])} to come, {len(told['present'])} here"
    else:
        counts = f"{len(told['fetched'])} fetched, {len(told['present'])} were here"
    lines.append(f"{told['product']}: {counts}: {told['folder']}")
    if told["missing"]:
        lines.append(f"missing at the service: {', '.join(told['missing'])}")
    for failed in told["failed"]:
        lines.append(f"not fetched: {failed['file']}: {failed['reason']}")
    if told["failed"]:
        lines.append("give the command again to go on")
    return "\n".join(lines)
