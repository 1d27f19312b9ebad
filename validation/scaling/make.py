"""Strong and weak scaling, a worker killed, and an estimate; writes README.md and a figure.

    python validation/scaling/make.py --work DIR

Each part leaves its numbers in DIR as JSON and is not measured again where they are there.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import page
import tasks
from kill import killed_and_not

from floecast.bench.machine import machine
from floecast.farm_schema import ClusterSection
from floecast.workers import run_tasks

HERE = Path(__file__).parent
TASKS = 16
"""Of the farm in the strong case; half as many on one worker for the weak one."""


def main():
    """Measure what is missing, write, draw."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", required=True, type=Path, help="folder of the numbers")
    work = parser.parse_args().work
    work.mkdir(parents=True, exist_ok=True)
    parts = {"devices": devices, "farm": farm, "kill": killed, "estimate": estimate}
    told = {}
    for name, measure in parts.items():
        file = work / f"{name}.json"
        if not file.exists():
            numbers = measure(work)
            load = os.getloadavg()[0]
            file.write_text(json.dumps({"numbers": numbers, "load": round(load, 1)}))
        told[name] = json.loads(file.read_text())
    draw(told, HERE / "scaling.png")
    text = page.page(told, machine(), len(os.sched_getaffinity(0)))
    text += f"\nMade on {datetime.now(UTC):%Y-%m-%d}.\n"
    (HERE / "README.md").write_text(text, encoding="utf-8")


def devices(work):
    """Cases of `devices.py`."""
    flags = "--xla_force_host_platform_device_count=4 --xla_cpu_multi_thread_eigen=false"
    return [json.loads(line) for line in _script("devices.py", XLA_FLAGS=flags).splitlines()]


def estimate(work):
    """Counts and cases of `estimate.py`."""
    return json.loads(_script("estimate.py"))


def killed(work):
    """See `kill.py`."""
    folder = work / "kill"
    folder.mkdir()
    return killed_and_not(folder)


def farm(work):
    """Wall and processor time of farms of one and two workers."""
    os.environ["PYTHONPATH"] = f"{HERE}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    cases = [(1, TASKS), (2, TASKS), (1, TASKS // 2)]
    told, sums = [], {}
    for workers, count in cases:
        before, began = _children(), time.perf_counter()
        todo = {str(seed): seed for seed in range(count)}
        outcomes = dict(run_tasks(tasks.transforms, todo, ClusterSection(workers=workers)))
        line = {"workers": workers, "tasks": count, "wall": time.perf_counter() - began}
        results = [outcomes[name]["result"] for name in todo]
        line |= {"cpu": _children() - before, "task_cpu": sum(one["cpu"] for one in results)}
        line["same"] = all(
            sums.setdefault(name, result["sum"]) == result["sum"]
            for name, result in zip(todo, results, strict=True)
        )
        told.append(line)
    return told


def _children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _script(name, **environment):
    done = subprocess.run(
        [sys.executable, HERE / name],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def draw(told, file):
    """Overhead on simulated devices; estimated time of the large cases."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    labels = {"members": "members", "batches": "training batch"}
    for kind in dict.fromkeys(line["kind"] for line in told["devices"]["numbers"]):
        label = labels[kind]
        for strong, style in ((True, "o-"), (False, "s--")):
            lines = page.scaled(told["devices"]["numbers"], kind, strong)
            name = f"{label}, {'strong' if strong else 'weak'}"
            left.plot([one["devices"] for one in lines], [one["ratio"] for one in lines], style)
            if lines:
                left.lines[-1].set_label(name)
    left.axhline(1.0, color="0.6", lw=0.8)
    left.set(xlabel="simulated devices", ylabel="processor time over ideal [1]", ylim=(0, None))
    left.set_xticks([1, 2, 4])
    left.legend(frameon=False, fontsize=8)
    cases = told["estimate"]["numbers"]["cases"]
    for name in dict.fromkeys(case["case"] for case in cases):
        some = [case for case in cases if case["case"] == name]
        right.loglog([c["gpus"] for c in some], [c["minutes"] for c in some], "o-", label=name)
    right.set(xlabel="GPUs (estimate)", ylabel="time [min]")
    right.legend(frameon=False, fontsize=8)
    figure.savefig(file, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main()
