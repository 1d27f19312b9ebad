"""Figures of benches along time: one JSON line for each run, and how the last compares."""

import json
import os
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from floecast.core.errors import InputError

_ALIKE = ("cores", "cpu", "devices")
"""What of a machine must be the same for two runs to be compared."""


def append(path, told, options):
    """Add a run of a bench to a file.

    Parameters
    ----------
    path : path-like
        Made if it does not exist; a line is written whole, after those that are there.
    told : dict
        What `bench` returned.
    options : dict
        It was called with; runs of others are not compared.

    Raises
    ------
    InputError
        If the file is there and is no history, or cannot be written.
    """
    path = Path(path)
    if path.exists():
        read(path)
    kept = {key: str(value) for key, value in sorted(options.items()) if key != "progress"}
    entry = {
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "floecast": version("floecast"),
        "bench": told["bench"],
        "options": kept,
        "figures": told["figures"],
        "machine": told["machine"],
        "seconds": told["seconds"],
    }
    line = json.dumps(entry, ensure_ascii=False) + "\n"
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; name another file") from None


def read(path):
    """Entries of a history, the oldest first.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    list of dict
        As `append` writes them.

    Raises
    ------
    InputError
        If there is no such file, or a line of it is no entry.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"no history at {path}; `floecast bench NAME --history FILE` writes one")
    entries = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            entry = None
        if not isinstance(entry, dict) or not {"bench", "figures", "machine"} <= set(entry):
            raise InputError(f"{path}: line {number} is no run of a bench; remove it")
        entries.append(entry)
    return entries


def compare(entries):
    """The last run of each bench beside the one before, on the same machine with the same options.

    Parameters
    ----------
    entries : list of dict
        See `read`.

    Returns
    -------
    list of dict
        ``bench``, ``options``, ``date``, ``before`` (date), and ``figures``: by name ``[before,
        last, ratio]``. Where there is no run before, or it lacks the figure, these are None.
    """
    groups: dict[str, list] = {}
    for entry in entries:
        machine = [entry["machine"].get(key) for key in _ALIKE]
        groups.setdefault(json.dumps([entry["bench"], entry.get("options"), machine]), []).append(
            entry
        )
    compared = []
    for group in groups.values():
        last, before = group[-1], group[-2] if len(group) > 1 else {"figures": {}}
        figures = {}
        for name, value in last["figures"].items():
            old = before["figures"].get(name)
            ratio = value / old if old and value is not None else None
            figures[name] = [old, value, ratio]
        compared.append(
            {
                "bench": last["bench"],
                "options": last.get("options", {}),
                "date": last.get("date"),
                "before": before.get("date"),
                "figures": figures,
            }
        )
    return compared


def table(compared):
    """What `compare` gives, for reading."""
    lines = []
    for one in compared:
        options = "".join(f" {key}={value}" for key, value in one["options"].items())
        since = f", before {one['before']}" if one["before"] else ", the first run"
        lines.append(f"{one['bench']}{options}: {one['date']}{since}")
        width = max(32, *map(len, one["figures"])) if one["figures"] else 32
        lines.append(f"  {'figure':{width}} {'before':>12} {'last':>12} {'ratio':>7}")
        for name, (old, value, ratio) in one["figures"].items():
            shown = ("none" if part is None else f"{part:.6g}" for part in (old, value))
            text = "" if ratio is None else f"{ratio:.3f}"
            lines.append(f"  {name:{width}} {next(shown):>12} {next(shown):>12} {text:>7}".rstrip())
    return "\n".join(lines)
