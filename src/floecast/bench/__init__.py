"""Speed and literature benchmarks: figures of this machine beside reference numbers.

Each bench is a module with ``run(**options)``, which returns its figures, and with ``REFERENCE``,
numbers or ranges by figure, and ``SOURCES``, where those come from.
"""

import math
import time
from importlib import import_module

from floecast.core.errors import InputError

NAMES = (
    "simulator",
    "winton",
    "mevp_box",
    "cyclone",
    "bulk",
    "gabls1",
    "column",
    "emulator",
    "analysis",
    "twin",
    "lorenz96",
    "lorenz63",
)
"""The benches that exist."""


def bench(name, **options):
    """Run a bench.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    **options
        Of the bench, such as ``spacing_km`` of cyclone or ``data`` of bulk.

    Returns
    -------
    dict
        ``bench``, its name; ``figures``, numbers by name, None where one is not defined;
        ``reference``, a number or ``[low, high]`` for those figures that have one; ``machine``, see
        `machine.machine`; ``seconds`` that it took.

    Raises
    ------
    InputError
        If there is no such bench, or it does not take these options.
    """
    module = module_of(name)
    unknown = sorted(set(options) - set(module.OPTIONS))
    if unknown:
        raise InputError(f"bench {name} takes no {', '.join(unknown)}")
    from .machine import machine

    told, begin = machine(), time.perf_counter()
    figures = module.run(**options)
    seconds = time.perf_counter() - begin
    return {
        "bench": name,
        "figures": {key: _number(value) for key, value in figures.items()},
        "reference": dict(module.REFERENCE),
        "machine": told,
        "seconds": round(seconds, 2),
    }


def module_of(name):
    """Module of a bench; an InputError names those that exist."""
    if name not in NAMES:
        raise InputError(f"there is no bench {name!r}; there are {', '.join(NAMES)}")
    return import_module(f".{name}", __name__)


def table(told):
    """The result of `bench` for reading: figures beside references, and where these come from."""
    width = max(32, *map(len, told["figures"]))
    lines = [f"{'figure':{width}} {'here':>12}  reference"]
    for name, value in told["figures"].items():
        known = told["reference"].get(name, "")
        known = " to ".join(f"{end:g}" for end in known) if isinstance(known, list) else known
        shown = "none" if value is None else f"{value:.6g}"
        lines.append(f"{name:{width}} {shown:>12}  {known}".rstrip())
    machine = told["machine"]
    lines += module_of(told["bench"]).SOURCES
    lines.append(
        f"{machine['cores']} cores ({machine['cpu']}), load {machine['load']} at the start, "
        f"{machine['devices']}, jax {machine['jax']}; {told['seconds']:.0f} s"
    )
    return "\n".join(lines)


def _number(value):
    value = float(value)
    return value if math.isfinite(value) else None
