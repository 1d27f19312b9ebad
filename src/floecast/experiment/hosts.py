"""One training by several processes, each with devices of its own, on one host or many."""

import shutil
import tempfile
from pathlib import Path

import jax
from jax.experimental import multihost_utils

from floecast.core.errors import InputError
from floecast.io.run_folder import default_folder
from floecast.progress import Silent

from .train import train


def train_together(config, *, out=None, progress=None):
    """`train` by all processes that ``srun`` (or Open MPI) has started, over all their devices.

    Parameters
    ----------
    config : TrainConfig
        Its data set must be there.
    out, progress
        As of `train`; a folder that all processes see.

    Returns
    -------
    RunFolder

    Raises
    ------
    InputError
        If the environment tells of no processes, or as of `train`.

    Notes
    -----
    Each process reads the data itself and computes its share of each batch; the gradients are
    added up between them. The first process alone writes to the folder. The others begin from a
    copy of it, in a temporary folder, so that all go on from the same checkpoint.
    """
    if config.dataset is None:
        raise InputError("dataset: several processes need one that is there; floecast dataset")
    try:
        jax.distributed.initialize()
    except ValueError as error:
        raise InputError(f"--together goes with srun: {error}") from None
    folder = Path(default_folder(config.name) if out is None else out)
    try:
        if jax.process_index() == 0:
            multihost_utils.sync_global_devices("copied")
            return train(config, out=folder, progress=progress)
        with tempfile.TemporaryDirectory() as own:
            copy = Path(own) / "run"
            if folder.exists():
                shutil.copytree(folder, copy)
            multihost_utils.sync_global_devices("copied")
            return train(config, out=copy, progress=Silent())
    finally:
        jax.distributed.shutdown()
