"""Many tasks on many workers: what one loses, the others do not."""

import json
from pathlib import Path

from floecast.core.atomic import write_text
from floecast.core.errors import FloecastError, InputError
from floecast.farm_schema import tasks_of, verification_config
from floecast.io.run_folder import default_folder
from floecast.progress import Silent
from floecast.verification.dates import DateSums, Series
from floecast.workers import run_tasks

from .farm_tasks import perform, sums_of_date, verification_arguments
from .verify_files import verify_files

TOLD = "farm.jsonl"
"""Of what kind the tasks are, then a line for each when it ends."""


def farm(config, *, data=None, out=None, progress=None):
    """Do many tasks, or go on with them.

    Parameters
    ----------
    config : FarmConfig
    data : path-like, optional
        Folder of the files that the configurations of the tasks name.
    out : path-like, optional
        Folder; ``runs/NAME`` if left out. Each task has a folder or a file in it, and
        ``farm.jsonl`` tells how it went.
    progress : optional
        See `progress`.

    Returns
    -------
    dict
        ``folder``; ``tasks`` by name, each with ``status`` done or failed, ``seconds`` and
        ``error``; of verify what `verify_files` tells.

    Raises
    ------
    InputError
        If a setting of a task is wrong, or the folder holds a farm of others. No task has begun
        then.
    FloecastError
        If a start date cannot be verified; names it.

    Notes
    -----
    Results are those of the commands, one after the other. A task whose worker is killed goes to
    another, which goes on from what the task has saved; after `workers.DEATHS` of them it counts as
    failed. An error ends its task alone. The same call again does what is left.
    """
    progress = Silent() if progress is None else progress
    folder = Path(default_folder(config.folder_name) if out is None else out)
    if config.task == "verify":
        return _verify(config, folder, progress)
    tasks = tasks_of(config, folder, data)
    told = {"task": config.task, "config": config.config, "set": config.set}
    outcomes, log = {}, _begun(folder, told)
    progress.stage(f"{len(tasks)} tasks", "begun")
    named = {task.name: task for task in tasks}
    with log.open("a", encoding="utf-8") as lines:
        for name, outcome in run_tasks(perform, named, config.cluster):
            outcomes[name] = outcome
            print(json.dumps({"name": name} | outcome), file=lines, flush=True)
            if outcome["status"] == "failed":
                progress.stage(name, f"failed: {outcome['error']}")
            progress.advance(len(outcomes), len(tasks))
    return {"folder": str(folder), "tasks": {name: outcomes[name] for name in named}}


def _verify(config, folder, progress):
    settings = verification_config(config)

    def sums(dates):
        told = settings.model_dump_json()
        tasks = {f"start date {number + 1}": (told, number) for number in range(dates)}
        found = {}
        for name, outcome in run_tasks(sums_of_date, tasks, config.cluster):
            if outcome["status"] == "failed":
                raise FloecastError(f"{name}: {outcome['error']}")
            found[name] = outcome["result"]
            progress.advance(len(found), dates)
        return joined(found[name] for name in tasks)

    return verify_files(
        **verification_arguments(settings),
        block_days=settings.block_days,
        out=folder,
        progress=progress,
        sums=sums,
    )


def joined(parts):
    """Sums of all dates from those of each.

    Parameters
    ----------
    parts : iterable of DateSums
        In order of time.

    Returns
    -------
    DateSums
        To the bit that of `verify_dates` of all.
    """
    whole = DateSums()
    for part in parts:
        before = len(whole.starts)
        whole.starts += part.starts
        for key, series in part.series.items():
            known = whole.series.setdefault(key, Series(series.statistic))
            for date, sums in zip(series.dates, series.sums, strict=True):
                known.add(before + date, sums)
        for key, sums in part.diagrams.items():
            whole.add_diagram(key, sums)
    return whole


def _begun(folder, told):
    """The log of a farm, begun anew; refuses the folder of another."""
    file = folder / TOLD
    if file.exists():
        with file.open(encoding="utf-8") as lines:
            known = _header(lines.readline())
        if known != told:
            raise InputError(f"{folder} holds a farm of other tasks; choose another --out")
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} exists and is not a farm; choose another --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot make the folder {folder}: {error.strerror}; choose another --out"
        ) from None
    write_text(file, json.dumps(told) + "\n")
    return file


def _header(line):
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
