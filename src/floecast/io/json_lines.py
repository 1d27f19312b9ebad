"""Logs of one JSON object a line, which a kill or a full disk may have cut in their last line."""

import json
from pathlib import Path

from floecast.core.atomic import naming, write_text
from floecast.core.errors import InputError


def read_lines(path):
    """Objects of a log in their order.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    list of dict
        Empty where there is no file. What was cut, the end of the last line, is left out.

    Raises
    ------
    InputError
        If any other line is damaged.
    """
    path = Path(path)
    if not path.is_file():
        return []
    found = []
    # What follows the last line break was not written to its end.
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], 1):
        try:
            one = json.loads(line)
        except (ValueError, RecursionError):
            one = None
        if not isinstance(one, dict):
            raise InputError(f"{path} is damaged in line {number}; restore it or delete its folder")
        found.append(one)
    return found


def keep_lines(path, wanted):
    """Write a log again with the lines for which ``wanted(line)`` is true."""
    kept = [one for one in read_lines(path) if wanted(one)]
    write_text(path, "".join(json.dumps(one) + "\n" for one in kept))


def add_line(path, line):
    """Append an object to a log."""
    with naming(path), open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
