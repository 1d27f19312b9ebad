"""One training by two processes that find each other as under a launcher."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import floecast.experiment.train as module
from floecast.core.errors import InputError
from floecast.experiment.hosts import train_together
from floecast.experiment.train import train
from floecast.train_schema import train_config

from .test_train import SMALL, data, weights  # noqa: F401

STAGES = "stages=[{name: one, updates: 2, learning_rate: 1e-3, members: 1, batch: 2}]"
LOOK = {"steps": 10, "pieces": 2, "members": 2}
CHILD = """
import json, sys
import jax
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_disable_most_optimizations", True)
import floecast.experiment.train as module
from floecast.experiment.hosts import train_together
from floecast.train_schema import train_config
module._LOOK, module._EXAM = json.loads(sys.argv[1]), {"pieces": 2, "members": 2}
train_together(train_config(None, sys.argv[3:]), out=sys.argv[2])
"""


def started(rank, job, folder, settings):
    """A process of two, in an environment as that of Open MPI."""
    told = {
        "OMPI_MCA_orte_hnp_uri": f"{job}.0;tcp://127.0.0.1:1",
        "OMPI_COMM_WORLD_SIZE": "2",
        "OMPI_COMM_WORLD_RANK": str(rank),
        "OMPI_COMM_WORLD_LOCAL_RANK": str(rank),
    }
    command = [sys.executable, "-c", CHILD, json.dumps(LOOK), str(folder), *settings]
    return subprocess.Popen(command, env=os.environ | told, stderr=subprocess.PIPE, text=True)


def test_two_processes_come_to_the_weights_of_one(data, tmp_path, monkeypatch):  # noqa: F811
    settings = [*SMALL[:-1], STAGES, f"dataset={data}"]
    monkeypatch.setattr(module, "_LOOK", LOOK)
    monkeypatch.setattr(module, "_EXAM", {"pieces": 2, "members": 2})
    alone = train(train_config(None, settings), out=tmp_path / "alone")
    job = int(np.random.default_rng().integers(1, 4096))  # from which the port follows
    processes = [started(rank, job, tmp_path / "both", settings) for rank in range(2)]
    told = [one.communicate(timeout=600)[1] for one in processes]
    assert [one.returncode for one in processes] == [0, 0], told
    both = train_config(None, settings)
    folder = train(both, out=tmp_path / "both")  # all done: it only opens the folder
    np.testing.assert_allclose(weights(folder), weights(alone), rtol=0, atol=1e-6)
    lines = (tmp_path / "both" / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == len(set(lines)), "one process alone writes"


def test_it_wants_a_data_set_and_a_launcher(data, tmp_path):  # noqa: F811
    with pytest.raises(InputError, match="several processes need one that is there"):
        train_together(train_config(None, SMALL))
    alone = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "OMPI_", "JAX_"))}
    command = [sys.executable, "-c", CHILD, json.dumps(LOOK), str(tmp_path / "run")]
    command += [*SMALL, f"dataset={data}"]
    result = subprocess.run(command, env=alone, capture_output=True, text=True)
    assert result.returncode == 1 and "--together goes with srun" in result.stderr
    assert not (tmp_path / "run").exists()
