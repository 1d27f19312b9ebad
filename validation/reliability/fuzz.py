"""Damaged files for every reader, in processes of bounded memory and time."""

import collections
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
MEMORY = 3 * 2**30
"""Bytes that a process may take for its readers beyond what it has taken for its libraries."""
SECONDS = 120
"""For one file, after which its process is killed."""


def fuzz(mutations, work, progress):
    """Damage files and read them.

    Parameters
    ----------
    mutations : int
        Spread evenly over the cases of ``tests/io/fuzz_cases.py``.
    work : Path
    progress : callable
        ``progress(done, mutations)``

    Returns
    -------
    dict
        ``mutations``, ``read``, ``refused``, ``cases`` and ``unclean``, a list of what was neither
        read nor refused by one line that names the file.
    """
    counts, unclean, first = collections.Counter(), [], 0
    while first < mutations:
        command = [sys.executable, __file__, str(first), str(mutations), str(work)]
        worker = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        begun = None
        for line in worker.stdout:
            told = json.loads(line)
            if "begun" in told:
                begun = told
                continue
            first, begun = told["number"] + 1, None
            counts[told["outcome"]] += 1
            if told["outcome"] == "unclean":
                unclean.append(told)
            progress(first, mutations)
        code = worker.wait()
        if begun is not None:
            how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            unclean.append({**begun, "fault": f"the process ended: {how}"})
            counts["unclean"] += 1
            first = begun["begun"] + 1
        elif code:
            raise SystemExit(f"the worker failed before mutation {first}")
    from tests.io.fuzz_cases import CASES

    return {
        "mutations": mutations,
        "cases": len(CASES),
        "read": counts["read"],
        "refused": counts["refused"],
        "unclean": unclean,
    }


def _work(first, mutations, work):
    """Mutations from one on, a line before and after each."""
    os.environ["FLOECAST_CACHE"] = str(work / "cache")
    import numpy as np

    from tests.io.fuzz_cases import CASES, damage, outcome_of

    sound = work / "sound"
    for case in CASES:
        path = sound / case.name / case.file
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            case.write(path)
            case.read(path)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, mutations):
            case = CASES[number % len(CASES)]
            place = Path(folder) / case.name
            place.mkdir(exist_ok=True)
            path = place / case.file
            what = damage(sound / case.name / case.file, path, np.random.default_rng(number))
            told = {"case": case.name, "file": what}
            print(json.dumps({"begun": number, **told}), flush=True)
            signal.alarm(SECONDS)  # ends the process
            began = time.monotonic()
            outcome, fault = outcome_of(case, path)
            signal.alarm(0)
            told |= {"outcome": outcome, "fault": fault}
            told["seconds"] = round(time.monotonic() - began, 2)
            print(json.dumps({"number": number, **told}), flush=True)


sys.path.insert(0, str(REPOSITORY))
if __name__ == "__main__":
    _work(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
