"""The job scripts: valid bash, commands that exist, and a request to come again before the end."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import typer

from floecast.cli import app
from floecast.farm_schema import farm_config
from floecast.forecast_schema import forecast_config
from floecast.simulation_schema import simulation_config
from floecast.train_schema import train_config

FOLDER = Path(__file__).parents[1] / "scripts" / "slurm"
SCRIPTS = sorted(FOLDER.glob("*.sbatch"))
GIVEN = {
    "SLURM_ARRAY_TASK_ID": "7",
    "SLURM_JOB_ID": "4711",
    "SLURM_CPUS_PER_TASK": "1",
    "DATASET": "data set",
    "ANALYSIS": "runs/to day",
}
STUBS = {
    "floecast": 'printf "%s\\n" "$@" >"$HERE/called"; sleep "${SECONDS_OF_WORK:-0}"; '
    "exit ${CODE:-0}",
    "srun": 'while [[ $1 == -* ]]; do shift; done; exec "$@"',
    "scontrol": 'echo "$@" >"$HERE/asked"',
}

each = pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)


@pytest.fixture
def environment(tmp_path):
    """With commands that note how they are called in the place of the true ones."""
    for name, text in STUBS.items():
        (tmp_path / name).write_text(f"#!/usr/bin/env bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    return os.environ | GIVEN | {"PATH": path, "HERE": str(tmp_path)}


def test_there_are_scripts():
    names = {script.stem for script in SCRIPTS}
    assert names == {"simulate_array", "train", "forecast", "farm"}


@each
def test_syntax(script):
    done = subprocess.run(["bash", "-n", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@each
def test_directives_ask_for_a_chain(script):
    lines = script.read_text().splitlines()
    asked = [line.removeprefix("#SBATCH ") for line in lines if line.startswith("#SBATCH ")]
    assert "--requeue" in asked and "--open-mode=append" in asked
    assert any(one.startswith("--signal=B:USR1@") for one in asked)
    for need in ("--time=", "--mem=", "--cpus-per-task="):
        assert any(one.startswith(need) for one in asked), need
    # Directives after the first command are not read.
    command = next(n for n, line in enumerate(lines) if line and not line.startswith("#"))
    assert not [line for line in lines[command:] if line.startswith("#SBATCH")]


@each
def test_the_command_parses(script, environment, tmp_path):
    subprocess.run(["bash", script], env=environment, check=True)
    verb, *arguments = (tmp_path / "called").read_text().splitlines()
    command = typer.main.get_command(app).commands[verb]
    given = command.make_context(verb, list(arguments)).params  # raises for an unknown option
    overrides = given["override"] or []
    if verb == "simulate":
        told = [f"{name}={given[name]}" for name in ("preset", "years", "seed")]
        assert simulation_config(None, told).seed == 7
    elif verb == "forecast":
        assert forecast_config(None, [f"analysis='{given['analysis']}'", *overrides]).days == 10
        assert given["analysis"] == Path("runs/to day")
    elif verb == "train":
        assert train_config(None, overrides) and given["together"]
        assert given["dataset"] == Path("data set")
    else:
        (tmp_path / "farm.yaml").write_text("task: simulate\nover: {seed: 0-3}\n")
        assert farm_config(tmp_path / given["config"]).task == "simulate"


@each
def test_a_failure_is_the_jobs(script, environment):
    assert subprocess.run(["bash", script], env=environment | {"CODE": "3"}).returncode == 3


@each
def test_it_asks_to_come_again_when_its_time_is_nearly_up(script, environment, tmp_path):
    job = subprocess.Popen(
        ["bash", script], env=environment | {"SECONDS_OF_WORK": "30"}, start_new_session=True
    )
    try:
        while not (tmp_path / "called").exists():
            assert job.poll() is None
            time.sleep(0.02)
        job.send_signal(signal.SIGUSR1)
        job.wait(20)
    finally:
        os.killpg(job.pid, signal.SIGKILL)
    assert (tmp_path / "asked").read_text() == "requeue 4711\n"


@pytest.mark.parametrize("missing", ["DATASET", "ANALYSIS"])
def test_what_is_missing_is_named(missing, environment):
    script = FOLDER / {"DATASET": "train.sbatch", "ANALYSIS": "forecast.sbatch"}[missing]
    del environment[missing]
    done = subprocess.run(["bash", script], env=environment, capture_output=True, text=True)
    assert done.returncode and missing in done.stderr
