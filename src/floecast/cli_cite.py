"""The command ``floecast cite``."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How the references are printed."""

    BIBTEX = "bibtex"
    TEXT = "text"
    JSON = "json"


def cite(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FOLDER]", help="Folder of a run: its methods and data are cited too."
        ),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="Form of the references.")] = (
        Format.BIBTEX
    ),
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
):
    """Print how to cite floecast, and what a run used: methods and data, with their papers."""
    from floecast.io.citation import as_bibtex, as_dict, as_text, citations
    from floecast.io.run_folder import read_manifest

    used = [] if folder is None else citations(read_manifest(folder))
    if as_json or form is Format.JSON:
        typer.echo(json.dumps(as_dict(used), indent=1, ensure_ascii=False))
    else:
        typer.echo(as_text(used) if form is Format.TEXT else as_bibtex(used))
