"""A year simulated on a worker that is killed twice, beside one simulated by the command."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import yaml

SETTINGS = {
    "preset": "arctic100",
    "rheology": "free_drift",
    "thermodynamics": "zero_layer",
    "transport": "upwind",
    "spin_up_years": 0,
    "block_days": 20,
}


def killed_and_not(work):
    """Simulate both, and compare all bytes of the archives.

    Parameters
    ----------
    work : Path

    Returns
    -------
    dict
        ``kills``, ``files`` compared, ``different`` ones.
    """
    floecast = [sys.executable, "-m", "floecast.cli"]
    options = [f"--set={name}={value}" for name, value in SETTINGS.items()]
    serial = work / "serial"
    subprocess.run([*floecast, "simulate", *options, "--seed=0", f"--out={serial}"], check=True)
    config = work / "farm.yaml"
    config.write_text(yaml.safe_dump({"task": "simulate", "set": SETTINGS, "over": {"seed": "0"}}))
    farm = subprocess.Popen([*floecast, "farm", config, "--workers=1", f"--out={work / 'farm'}"])
    kills, last = 0, None
    restart = work / "farm" / "seed_0" / "restart.npz"
    while farm.poll() is None:
        time.sleep(0.05)
        there = restart.stat().st_mtime_ns if restart.exists() else None
        if kills < 2 and there not in (None, last):  # a block was written since the last kill
            last = there
            kills += _kill_worker(farm.pid)
    if farm.returncode:
        raise SystemExit("the farm failed")
    names = [path.relative_to(serial) for path in serial.rglob("*") if path.is_file()]
    names = [name for name in names if name.name != "manifest.json"]  # tells times
    other = work / "farm" / "seed_0"
    different = [str(n) for n in names if (serial / n).read_bytes() != (other / n).read_bytes()]
    return {"kills": kills, "files": len(names), "different": different}


def _kill_worker(parent):
    """SIGKILL to the worker; the other child tracks resources."""
    for child in psutil.Process(parent).children():
        if "spawn_main" in " ".join(child.cmdline()):
            os.kill(child.pid, signal.SIGKILL)
            return 1
    return 0


if __name__ == "__main__":
    print(killed_and_not(Path(sys.argv[1])))
