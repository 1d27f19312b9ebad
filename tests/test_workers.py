"""Tasks on two processes: kills, errors, threads; SLURM's job script."""

import contextlib
import os
import signal
import textwrap

import pytest

from floecast.core.errors import InputError
from floecast.farm_schema import ClusterSection
from floecast.workers import attempt, environment, run_tasks, workers_of

distributed = pytest.importorskip("distributed", reason="needs the extra `cluster`")

WORK = """
    import os, signal, sys, time
    from pathlib import Path

    from floecast.core.errors import InputError

    def count(task):
        "Adds 1 to 5 to a file; a kill comes between."
        folder, name = task
        file = Path(folder) / name
        with open(Path(folder) / f"{name}.begins", "a") as told:
            print(os.getpid(), "jax" in sys.modules, os.environ["NPROC"], file=told)
        if name == "wrong":
            raise InputError(f"{name} has no data")
        if name == "broken":
            return 1 / 0
        if name == "deadly":
            time.sleep(0.2)
            os.kill(os.getpid(), signal.SIGKILL)
        while (done := file.stat().st_size if file.exists() else 0) < 5:
            with open(file, "a") as out:
                out.write(str(done))
            if name == "killed" and done == 2:
                os.kill(os.getpid(), signal.SIGKILL)
        return file.read_text()
"""


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A module that workers can import."""
    folder = tmp_path_factory.mktemp("module")
    (folder / "counting.py").write_text(textwrap.dedent(WORK))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        path = os.environ.get("PYTHONPATH", "")
        patch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{path}")
        import counting

        yield counting


@pytest.fixture(scope="module")
def outcomes(work, tmp_path_factory):
    """Of one farm of two workers, with the folder."""
    folder = tmp_path_factory.mktemp("work")
    names = ["killed", "wrong", "first", "broken", "second", "third", "deadly"]
    tasks = {name: (str(folder), name) for name in names}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("floecast.workers.DEATHS", 3)
        return dict(run_tasks(work.count, tasks, ClusterSection(workers=2))), folder


def begins(folder, name):
    return [line.split() for line in (folder / f"{name}.begins").read_text().splitlines()]


def test_a_killed_worker_costs_its_task_alone_which_goes_on(outcomes):
    told, folder = outcomes
    assert told["killed"]["result"] == "01234"
    assert len({process for process, *_ in begins(folder, "killed")}) > 1
    for name in ("first", "second", "third"):
        assert told[name]["status"] == "done" and told[name]["result"] == "01234"


def test_an_error_names_its_task_and_leaves_the_others(outcomes):
    told, _ = outcomes
    assert told["wrong"]["status"] == "failed"
    assert told["wrong"]["error"] == "wrong has no data" and "traceback" not in told["wrong"]
    assert "ZeroDivisionError" in told["broken"]["error"]
    assert "return 1 / 0" in told["broken"]["traceback"]


def test_a_task_that_kills_its_workers_is_given_up(outcomes):
    told, folder = outcomes
    assert told["deadly"]["status"] == "failed" and "memory" in told["deadly"]["error"]
    assert len(begins(folder, "deadly")) == 3


def test_workers_are_other_processes_with_a_thread_each_and_no_jax_yet(outcomes):
    _, folder = outcomes
    lines = [line for file in folder.glob("*.begins") for line in begins(folder, file.stem)]
    assert {(loaded, threads) for _, loaded, threads in lines} == {("False", "1")}
    assert str(os.getpid()) not in {process for process, *_ in lines}


SBATCH = """#!/usr/bin/env bash
cp "$1" {folder}/job_$$  # the script is removed once this returns
setsid bash {folder}/job_$$ >{folder}/log_$$ 2>&1 &
echo $! >>{folder}/processes
echo "Submitted batch job $$"
"""


def test_jobs_of_slurm(work, monkeypatch, tmp_path):
    """With commands in the place of SLURM's that start the job on this machine."""
    pytest.importorskip("dask_jobqueue", reason="needs the extra `cluster`")
    for name, text in (("sbatch", SBATCH.format(folder=tmp_path)), ("scancel", "#!/bin/sh\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    cluster = ClusterSection(
        kind="slurm",
        workers=3,
        threads=2,
        memory="2GB",
        walltime="1-00:30:00",
        options={
            "queue": "gpu",
            "interface": "lo",
            "job_extra_directives": ["--gres=gpu:1"],
            "job_script_prologue": ["echo ready"],
        },
    )
    try:
        ((_, told),) = run_tasks(work.count, {"job": (str(tmp_path), "one")}, cluster)
    finally:
        for process in map(int, (tmp_path / "processes").read_text().split()):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process, signal.SIGKILL)
    assert told["status"] == "done", told
    assert told["result"] == "01234"
    assert begins(tmp_path, "one")[0][1:] == ["False", "2"]
    (script,) = tmp_path.glob("job_*")  # a task needs no more than a job
    lines = script.read_text().splitlines()
    asked = [line.removeprefix("#SBATCH ") for line in lines if line.startswith("#SBATCH")]
    for wanted in ("-p gpu", "-n 1", "--cpus-per-task=2", "-t 1-00:30:00", "--gres=gpu:1"):
        assert wanted in asked
    assert any(line.startswith("--mem=2") for line in asked)
    assert "echo ready" in lines and "export NPROC='2'" in lines


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"kind": "slurm"}, "needs workers and memory"),
        ({"walltime": "1:00:00"}, "walltime is of kind: slurm"),
        ({"kind": "slurm", "workers": 1, "memory": "1GB", "options": {"cores": 2}}, "cores"),
        ({"memory": "lots"}, "memory"),
    ],
)
def test_wrong_clusters_are_refused(wrong, word):
    with pytest.raises(ValueError, match=word):
        ClusterSection(**wrong)


def test_threads_are_told_to_every_library(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=x")
    assert environment(1)["XLA_FLAGS"] == "--xla_dump_to=x --xla_cpu_multi_thread_eigen=false"
    assert environment(4)["OMP_NUM_THREADS"] == "4"
    assert environment(4)["XLA_FLAGS"] == "--xla_dump_to=x"
    assert workers_of(ClusterSection(threads=1000)) == 1


def test_without_dask_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("floecast.workers.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"floecast\[cluster\]"):
        next(run_tasks(print, {"a": 1}, ClusterSection()))


def test_attempt_tells_the_time():
    assert attempt(lambda task: task + 1, 1) == {"status": "done", "result": 2, "seconds": 0.0}
