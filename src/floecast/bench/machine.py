"""What a bench ran on, and how long calls take there."""

import os
import platform
import time
from pathlib import Path
from statistics import median

import jax

PROCESSORS = Path("/proc/cpuinfo")


def machine():
    """What the speed of this process depends on.

    Returns
    -------
    dict
        ``cores``, ``cpu`` (name, or the architecture where the system does not tell), ``load``
        (processes that wanted to run in the minute before; None where the system does not tell),
        ``devices``, ``jax`` and ``python`` (versions).
    """
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    return {
        "cores": os.cpu_count(),
        "cpu": _cpu_name(),
        "load": load,
        "devices": ", ".join(device.device_kind for device in jax.devices()),
        "jax": jax.__version__,
        "python": platform.python_version(),
    }


def _cpu_name():
    try:
        lines = PROCESSORS.read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def seconds_of(function, *arguments, repeats=5):
    """Median time of a call that has been compiled before [s].

    Parameters
    ----------
    function : callable
        Gives arrays; called once more than `repeats`, as the first call compiles.
    *arguments
        Of each call.
    repeats : int
    """
    return median(_timed(function, arguments, repeats))


def seconds_of_pair(first, second, *arguments, repeats=5):
    """Median times of two calls taken in turn, so that other work slows both alike [s]."""
    pairs = [
        (*_timed(first, arguments, 1, warm=number), *_timed(second, arguments, 1, warm=number))
        for number in range(repeats)
    ]
    return tuple(median(times) for times in zip(*pairs, strict=True))


def _timed(function, arguments, repeats, warm=False):
    if not warm:
        jax.block_until_ready(function(*arguments))
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        times.append(time.perf_counter() - begin)
    return times
