"""Commands that are killed at random moments again and again, beside ones left alone."""

import importlib
import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path

import numpy as np
import yaml

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY))
GOOD = (0, 4)
"""Exit codes: done; done, though observations are missing, as in the month of `cycle`."""
DIFFERENT = {"seconds", "hours", "created", "made", "time", "machine"}
"""Keys of JSON files that tell when or how long."""
TELLING = {"manifest.json", "status.json", "status.html", "cycle.log", "lock", "inputs.json"}
TELLING |= {"model_card.md", "report.html", "curves.png"}
"""Files that tell when or how long; all others are compared."""


def kill(kills, work, progress):
    """Kill each command until it has been killed its share of times.

    Parameters
    ----------
    kills : int
        Shared evenly by the commands.
    work : Path
    progress : callable
        ``progress(done, kills)``

    Returns
    -------
    dict
        ``kills``, and by command ``kills``, ``runs`` that came to their end after them, ``files``
        compared in each, ``different`` ones, and ``seconds`` of a run left alone.
    """
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(work / "compiled")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["FLOECAST_CACHE"] = str(work / "cache")
    # Loaded once: each process forks from here, where there is one thread and no backend of JAX.
    for module in ("jax", "equinox", "optax", "xarray", "zarr", "netCDF4", "scipy.spatial"):
        importlib.import_module(module)
    if len(os.listdir("/proc/self/task")) > 1:
        raise SystemExit("set OPENBLAS_NUM_THREADS=1: a process of several threads cannot fork")
    _in_child(_inputs, work)
    arguments = json.loads((work / "arguments.json").read_text())
    share, told = kills // len(arguments), {}
    turns = {name: _turns(name, given, share, work, told) for name, given in arguments.items()}
    # By turns, so that what is known at any time is of all commands.
    while turns:
        for name in list(turns):
            if next(turns[name], None) is None:
                del turns[name]
            done = sum(one["kills"] for one in told.values())
            (work / "so_far.json").write_text(json.dumps(told, indent=1))
            progress(done, kills)
    return {"kills": sum(one["kills"] for one in told.values()), "commands": told}


def _turns(name, given, share, work, told):
    """Run one command alone, then kill it again and again; yields after each kill."""
    log, chance = work / f"{name}.log", random.Random(name)
    alone = work / name / "seconds.json"  # of a call before that was ended itself
    if not alone.exists():
        shutil.rmtree(work / name, ignore_errors=True)
        for folder in (work / name / "first", work / name / "whole"):  # the first one compiles
            began = time.monotonic()
            if _status(_begin([*given, "--out", str(folder)], log)) not in GOOD:
                raise SystemExit(f"{name} failed: see {log}")
            seconds = time.monotonic() - began
        alone.write_text(json.dumps(seconds))
    seconds, folder = json.loads(alone.read_text()), work / name / "whole"
    for left in (work / name).glob("[0-9]*"):
        shutil.rmtree(left)
    expected, runs, different = _contents(folder), 0, []
    mine = told[name] = {"kills": 0, "runs": 0, "files": len(expected), "different": different}
    mine["seconds"] = round(seconds, 1)
    yield mine
    while mine["kills"] < share:
        folder = work / name / str(runs)
        status = None
        while status is None:
            process = _begin([*given, "--out", str(folder)], log)
            limit = time.monotonic() + chance.uniform(0, 1) * seconds
            if mine["kills"] >= share:
                limit = float("inf")
            while time.monotonic() < limit and status is None:
                time.sleep(0.002)
                there = os.waitpid(process, os.WNOHANG)
                if there[0]:
                    status = os.waitstatus_to_exitcode(there[1])
            if status is None:
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
                mine["kills"] += 1
                yield mine
        if status not in GOOD:
            different.append(f"run {runs} ended with {status}: see {log}")
        found = _contents(folder)
        names = expected.keys() | found.keys()
        unlike = sorted(one for one in names if expected.get(one) != found.get(one))
        different += [f"run {runs}: {one}" for one in unlike]
        if not unlike:
            shutil.rmtree(folder)
        runs += 1
        mine["runs"] = runs


def _begin(arguments, log):
    """Process of the command."""
    process = os.fork()
    if process:
        return process
    with open(log, "a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    from floecast.cli import main

    sys.argv = ["floecast", *arguments]
    code = 1
    try:
        main()
    except SystemExit as ended:
        code = ended.code or 0
    finally:
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


def _status(process):
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _in_child(work, *given):
    """Do something in a process of its own, so that this one stays without threads."""
    process = os.fork()
    if process == 0:
        code = 1
        try:
            work(*given)
            code = 0
        except BaseException:  # of which nothing is told after os._exit
            traceback.print_exc()
        finally:
            os._exit(code)
    if _status(process) != 0:
        raise SystemExit(f"{work.__name__} failed")


def _inputs(work):
    """Write what the commands read, and their arguments."""
    from floecast.assimilation_schema import assimilation_config
    from floecast.core.state import IceState
    from floecast.experiment.assimilation import days_of
    from floecast.experiment.twin import Twin
    from floecast.io.checkpoint import save_checkpoint
    from tests.experiment.daily_case import SETTINGS, Place, day
    from tests.io.fuzz_cases import write_data_set

    cycles = ["method=letkf", "members=4", "window_hours=24", "cycles=6", "forecast_every=3"]
    cycles += ["forecast_days=1", "keep_forecasts=true"]
    config = assimilation_config(None, cycles)
    twin = Twin(config.preset, config.twin, days_of(config))
    still = {
        name: np.repeat(np.asarray(field)[None], len(twin.times), axis=0)
        for name, field in twin.restart(twin.numbers[0]).fields().items()
    }
    save_checkpoint(work / "truth.npz", IceState(**still), config_hash=twin.mark)
    data = write_data_set(work / "data")
    place = Place(work / "daily")
    if not place.data.exists():
        place.begin()
        place.concentration(*range(6))
    (work / "daily.yaml").write_text(yaml.safe_dump(SETTINGS))
    stages = [
        {"name": "one", "updates": 12, "learning_rate": 1e-3, "members": 1, "batch": 1},
        {"name": "two", "updates": 8, "learning_rate": 1e-3, "members": 2, "batch": 1},
    ]
    simulation = ["rheology=free_drift", "thermodynamics=zero_layer", "transport=upwind"]
    simulation += ["spin_up_years=0", "block_days=30"]
    training = ["preset=arctic100", "step_hours=24", "widths=[4]", "validate_every=2"]
    training += [f"stages={json.dumps(stages)}", "patience=100", f"dataset={data}"]
    arguments = {
        "simulate": ["simulate", "--preset", "arctic100", *_set(simulation)],
        "assimilate": ["assimilate", "--preset", "arctic100", *_set(cycles)],
        "train": ["train", *_set(training)],
        "cycle": ["cycle", str(work / "daily.yaml"), "--data", str(place.data)],
    }
    arguments["assimilate"] += ["--truth", str(work / "truth.npz")]
    arguments["cycle"] += ["--until", day(5)]
    (work / "arguments.json").write_text(json.dumps(arguments))


def _set(values):
    return [f"--set={value}" for value in values]


def _contents(folder):
    """What the products of a run hold, by their names, without times."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        # The checkpoint before the last is another one after a kill between the two.
        if not path.is_file() or path.name in TELLING or ".before." in path.name:
            continue
        if path.suffix in (".json", ".jsonl"):
            lines = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
            found[name] = [_timeless(json.loads(line)) for line in lines]
        elif path.suffix == ".npz":
            with np.load(path) as arrays:
                kept = [one for one in arrays.files if one != "header"]
                found[name] = {one: (arrays[one].shape, arrays[one].tobytes()) for one in kept}
        else:
            found[name] = path.read_bytes()
    return found


def _timeless(told):
    if isinstance(told, dict):
        kept = {key: value for key, value in told.items() if key not in DIFFERENT}
        return {key: _timeless(value) for key, value in kept.items()}
    return [_timeless(one) for one in told] if isinstance(told, list) else told
