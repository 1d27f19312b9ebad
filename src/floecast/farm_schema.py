"""Many tasks of one kind and the workers that do them: the schema of `floecast farm`."""

import json
import re
from dataclasses import dataclass, field
from glob import glob
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from floecast.config import Section, load_config, make_config
from floecast.core.errors import InputError
from floecast.forecast_schema import forecast_config
from floecast.simulation_schema import simulation_config

MOST_TASKS = 100_000
"""In one farm."""


class ClusterSection(Section):
    """Where the tasks run: processes of this machine, or jobs of SLURM."""

    kind: Literal["local", "slurm"] = "local"
    workers: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        None,
        description="processes, or jobs at most, each with one task at a time; the cores of this "
        "process over `threads` if left out, for slurm they must be told",
    )
    threads: int = Field(1, ge=1, le=1024, description="threads of a worker, and cores of its job")
    memory: str | None = Field(
        None,
        pattern=r"^\d+(\.\d+)? ?[KMGT]i?B$",
        description="of a worker, such as 16GB: a local one that takes more is ended; without a "
        "limit if left out, for slurm it must be told",
    )
    walltime: str | None = Field(
        None,
        pattern=r"^(\d+-)?\d+:\d\d:\d\d$",
        description="of a SLURM job, such as 12:00:00; a task that it cuts goes on in another job",
    )
    options: dict[str, Any] = Field(
        {},
        description="of slurm: other arguments of dask_jobqueue.SLURMCluster, such as queue, "
        "account, job_extra_directives, job_script_prologue; its own configuration file holds too",
    )

    @model_validator(mode="after")
    def _fits_its_kind(self):
        if self.kind == "local":
            for name in ("walltime", "options"):
                if getattr(self, name):
                    raise ValueError(f"{name} is of kind: slurm")
        elif self.workers is None or self.memory is None:
            raise ValueError("kind: slurm needs workers and memory")
        taken = {"cores", "processes", "job_cpu", "memory", "walltime", "security"}
        if wrong := sorted(taken & set(self.options)):
            raise ValueError(f"options.{wrong[0]} follows from the other keys of cluster")
        return self


class ConversionConfig(Section):
    """Observations of a product, on a grid."""

    preset: Literal["arctic100", "arctic50", "arctic25", "arctic12"] = "arctic50"
    file: Annotated[str, Field(min_length=1)] = Field(
        description="of a product that fc.read_observations reads"
    )


class VerificationConfig(Section):
    """What `floecast verify FORECAST... TRUTH` takes; a path may be a pattern of files."""

    forecasts: Annotated[list[str], Field(min_length=1)] = Field(
        description="files or patterns of files, a start date each"
    )
    truth: str = Field(description="what became true, on the same grid")
    systems: dict[str, list[str]] = Field(
        {}, description="name of another system, and its files, for the same start dates"
    )
    past: list[str] = Field(
        [], description="truth of other years, for climatology and damped persistence"
    )
    boxes: dict[str, tuple[float, float, float, float]] = Field(
        {}, description="south, north, west, east of a region [degrees]"
    )
    errors: dict[str, float] = Field(
        {}, description="standard deviation of the error of the truth, by variable [its unit]"
    )
    block_days: float = Field(
        15.0, gt=0, description="start dates that the bootstrap keeps together [d]"
    )
    seed: int = Field(0, ge=0, description="of ties, observation errors and bootstrap")


class FarmConfig(Section):
    """Tasks of one kind."""

    task: Literal["simulate", "forecast", "run", "convert", "verify"] = Field(
        description="the command that each task is; convert: a product file to observations on a "
        "grid; verify: one scorecard, a task for each start date"
    )
    name: str | None = Field(
        None, pattern=r"^\w[\w.+-]*$", description="of the folder where --out is left out"
    )
    config: str | None = Field(None, description="file with the settings that all tasks share")
    set: dict[str, Any] = Field({}, description="settings that all share, A.B: value")
    over: dict[str, list[Any] | str] = Field(
        {},
        description="settings in which tasks differ, all combinations: a list of values, numbers "
        "as in arrays of SLURM such as 0-23 or 1,4,7-9, or a pattern of files such as runs/*",
    )
    cluster: ClusterSection = ClusterSection()

    @property
    def folder_name(self):
        """Name of its folder where none is given."""
        return self.name or f"{self.task}_farm"

    @model_validator(mode="after")
    def _tasks_differ(self):
        if (self.task == "verify") == bool(self.over):
            wrong = "verify goes over its start dates" if self.over else "says how the tasks differ"
            raise ValueError(f"over: {wrong}")
        return self


@dataclass(frozen=True)
class Task:
    """A task as a worker gets it.

    Parameters
    ----------
    name : str
        Its folder, or the stem of its file, in the folder of the farm.
    kind : str
        The command.
    settings : dict
        Resolved, as plain JSON values.
    out : str
        Absolute path of the folder or file.
    data : str, optional
        Absolute path of the folder of real files.
    """

    name: str
    kind: str
    settings: dict = field(repr=False)
    out: str
    data: str | None = None


def farm_config(path=None, overrides=()):
    """Checked configuration from a YAML file.

    Parameters
    ----------
    path : path-like, optional
    overrides : sequence of str
        Such as ``"cluster.workers=4"``.

    Returns
    -------
    FarmConfig

    Raises
    ------
    InputError
        See `config.load_config`.
    """
    if path is None:
        return make_config({}, "farm", schema=FarmConfig, overrides=overrides)
    return load_config(path, overrides, schema=FarmConfig)


def verification_config(config):
    """Settings of a farm of `verify`, with patterns of files resolved."""
    checked = make_config(_shared(config), "verify", schema=VerificationConfig)
    found = {"forecasts": _files(checked.forecasts), "past": _files(checked.past)}
    found["systems"] = {name: _files(files) for name, files in checked.systems.items()}
    found["truth"] = str(Path(checked.truth).absolute())
    return checked.model_copy(update=found)


def tasks_of(config, out, data=None):
    """The tasks of a farm, each checked as its command would.

    Parameters
    ----------
    config : FarmConfig
        Of another kind than verify.
    out : Path
        Folder of the farm.
    data : path-like, optional

    Returns
    -------
    list of Task

    Raises
    ------
    InputError
        If a setting is wrong, a pattern finds nothing, or two tasks are the same.
    """
    varied = {key: _values(key, told) for key, told in config.over.items()}
    count = 1
    for values in varied.values():
        count *= len(values)
    if count > MOST_TASKS:
        raise InputError(f"over: {count} tasks, expected {MOST_TASKS} at most")
    chosen = [dict(zip(varied, values, strict=True)) for values in product(*varied.values())]
    tasks = {}
    for one, name in zip(chosen, _names(chosen), strict=True):
        settings = _settings(config, one)
        if name in tasks:
            raise InputError(f"over: two tasks would be written to {name}; let them differ")
        place = Path(out).absolute() / (f"{name}.nc" if config.task == "convert" else name)
        folder = None if data is None else str(Path(data).absolute())
        tasks[name] = Task(name, config.task, settings, str(place), folder)
    return list(tasks.values())


def _settings(config, chosen):
    """Resolved settings of a task."""
    told = {**config.set, **chosen}
    overrides = [f"{key}={json.dumps(value)}" for key, value in told.items()]
    if config.task == "simulate":
        resolved = simulation_config(config.config, overrides)
    elif config.task == "forecast":
        resolved = forecast_config(config.config, overrides)
    elif config.task == "run":
        if config.config is None:
            raise InputError("config: name the configuration of the runs")
        resolved = load_config(config.config, overrides)
    else:
        tree = _shared(config) | {key: value for key, value in chosen.items()}
        resolved = make_config(tree, "convert", schema=ConversionConfig)
        resolved = resolved.model_copy(update={"file": str(Path(resolved.file).absolute())})
    return resolved.model_dump(mode="json")


def _shared(config):
    if config.config is not None:
        raise InputError(f"config: {config.task} has its settings under set")
    return dict(config.set)


def _values(key, told):
    """Values that a setting goes through."""
    if isinstance(told, list):
        values = told
    elif re.fullmatch(r"\d{1,18}(-\d{1,18})?(,\d{1,18}(-\d{1,18})?)*", told):
        spans = [[int(end) for end in part.split("-")] for part in told.split(",")]
        if any(span[-1] - span[0] > MOST_TASKS for span in spans):
            raise InputError(f"over.{key}: {told} are more than {MOST_TASKS}")
        values = [number for span in spans for number in range(span[0], span[-1] + 1)]
    else:
        values = _files([told])
    if not values:
        raise InputError(f"over.{key}: no values")
    return values


def _files(told):
    """Absolute paths that patterns stand for, in order."""
    found = []
    for pattern in told:
        there = sorted(glob(pattern))
        if not there:
            raise InputError(f"no file is {pattern}")
        found += [str(Path(path).absolute()) for path in there]
    return found


def _names(chosen):
    """A name for each task, from what is its own."""
    return ["_".join(_words(key, value) for key, value in one.items()) for one in chosen]


def _words(key, value):
    text = Path(value).stem if isinstance(value, str) and "/" in value else str(value)
    text = re.sub(r"[^\w.+-]+", "_", text).strip("._") or "none"
    return text if key in ("file", "analysis") else f"{key.rpartition('.')[2]}_{text}"
