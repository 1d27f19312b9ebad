"""What a worker does for `floecast farm`; the settings come as plain values."""

import errno
import fcntl
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from floecast.config import Config
from floecast.farm_schema import ConversionConfig
from floecast.forecast_schema import ForecastConfig
from floecast.simulation_schema import SimulationConfig

LOCKS = ".locks"
"""Folder beside those of the tasks: who has the lock of one works on it."""


def perform(task):
    """Do a `Task`, or go on with it: what is there of it is not done again.

    Raises
    ------
    FloecastError
        As of its command.
    """
    with _alone(Path(task.out)):
        _COMMANDS[task.kind](task)


def _simulate(task):
    from .simulate import simulate

    simulate(SimulationConfig.model_validate(task.settings), out=task.out)


def _forecast(task):
    from .ensemble_forecast import ensemble_forecast

    config = ForecastConfig.model_validate(task.settings)
    ensemble_forecast(config, data=task.data, out=task.out)


def _run(task):
    from .run import run

    run(Config.model_validate(task.settings), data=task.data, out=task.out)


def _convert(task):
    from floecast.core.grid import Grid
    from floecast.io.cf import points_dataset, write_netcdf
    from floecast.io.readers import read_observations

    if Path(task.out).exists():  # whole, as it is renamed into its place
        return
    config = ConversionConfig.model_validate(task.settings)
    grid = Grid.preset(config.preset)
    found = read_observations(config.file, grid)
    title = f"Observations of {Path(config.file).name} on {grid.name}"
    write_netcdf(points_dataset(found, grid, title=title), task.out)


_COMMANDS = {"simulate": _simulate, "forecast": _forecast, "run": _run, "convert": _convert}


@contextmanager
def _alone(out):
    """Wait until no other process works on a task.

    A worker that is cut off from the scheduler goes on while its task is given to another. Locks
    end with their process. Where the file system has none, nothing is waited for.
    """
    file = out.parent / LOCKS / out.name
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP):
                raise
        yield


@lru_cache(maxsize=1)
def _verification(told):
    from floecast.farm_schema import VerificationConfig

    from .verify_files import Verification

    config = VerificationConfig.model_validate_json(told)
    return Verification.of(**verification_arguments(config))


def verification_arguments(config):
    """Arguments of `verify_files` from a `VerificationConfig`."""
    from floecast.verification.regions import Box

    told = config.model_dump()
    told["boxes"] = {name: Box(*edges) for name, edges in config.boxes.items()}
    del told["block_days"]
    return told


def sums_of_date(task):
    """Sums of one start date.

    Parameters
    ----------
    task : tuple
        JSON of a `VerificationConfig`, which a worker keeps open between dates, and the number of
        the date.

    Returns
    -------
    DateSums
    """
    told, number = task
    return _verification(told).sums([number])
