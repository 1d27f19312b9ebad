"""The command ``floecast doctor``: what this installation is, and what is wrong with it."""

import json
import os
import platform
import shutil
import tempfile
from importlib import metadata, resources
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

GIB = 2**30
SMALL_MEMORY = 3 * GIB
"""A run of arctic50 with 40 members takes 2.5 GiB at its peak."""

EXTRAS = {
    "cluster": "work on several machines",
    "cuda12": "NVIDIA GPUs",
    "data": "downloads from the data services",
    "dev": "the tests",
    "docs": "building the documentation",
    "torch": "networks made with PyTorch",
}
ASSETS = (
    "core/assets/land.npz",
    "core/assets/coastline.npz",
    "emulator/assets/arctic50.npz",
    "report/assets/report.html.j2",
    "simulator/assets/arctic50.npz",
)


class Finding(NamedTuple):
    """What was looked at. `fault` is empty, or tells what is wrong and what to do."""

    name: str
    value: object
    fault: str = ""
    hint: str = ""


def doctor(
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="DIR", envvar="FLOECAST_DATA", help="Folder of the real files."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object at the end.")
    ] = False,
):
    """Examine the installation: the first thing to send with a question. Exit code 1 on a fault."""
    found = examine(data)
    if as_json:
        told = {one.name: one.value for one in found}
        told["faults"] = [one.fault for one in found if one.fault]
        told["hints"] = [one.hint for one in found if one.hint]
        typer.echo(json.dumps(told, indent=1))
    else:
        for one in found:
            value = one.value
            if isinstance(value, dict):
                value = ", ".join(f"{key} {text}" for key, text in value.items())
            typer.echo(f"{one.name:14} {value}")
        for word, texts in (
            ("note", [one.hint for one in found]),
            ("FAULT", [one.fault for one in found]),
        ):
            for text in filter(None, texts):
                typer.echo(f"{word:14} {text}")
    if any(one.fault for one in found):
        raise typer.Exit(1)


def examine(data=None):
    """All findings, in the order in which they are told.

    Parameters
    ----------
    data : Path, optional
        Folder of the real files.

    Returns
    -------
    list of Finding
    """
    return [
        *_packages(),
        *_devices(),
        Finding("system", f"{platform.system()} {platform.machine()}"),
        Finding("cores", _cores()),
        _memory(),
        _writable("run folder", Path.cwd(), "choose another folder by --out, or start from one"),
        _writable("temporary", Path(tempfile.gettempdir()), "set TMPDIR to a folder"),
        _data(data),
        _assets(),
    ]


def _packages():
    """Versions of Python and of what is required, and which extras are there."""
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

    from floecast.io.run_folder import VERSIONED

    wanted = SpecifierSet(metadata.metadata("floecast")["Requires-Python"])
    version = platform.python_version()
    fault = "" if wanted.contains(version) else f"Python {version}: floecast needs {wanted}"
    yield Finding("python", version, fault)
    told = metadata.metadata("floecast").get_all("Provides-Extra") or ()
    extras: dict[str, list[str]] = {name: [] for name in told}
    faults = {}
    for text in metadata.requires("floecast") or ():
        requirement = Requirement(text)
        fault = _unmet(requirement)
        if not _of_extra(requirement):
            faults[requirement.name.lower()] = fault
            continue
        for name in extras:
            if _of_extra(requirement, name) and fault:
                extras[name].append(fault)
    for name in VERSIONED:
        yield Finding(name, metadata.version(name), faults.pop(name.lower(), ""))
    unmet = [fault for fault in faults.values() if fault]
    yield Finding("others", "missing" if unmet else "as required", "; ".join(unmet))
    yield Finding(
        "extras",
        {
            name: f"{'absent' if missing else 'present'} ({EXTRAS.get(name, 'see pyproject.toml')})"
            for name, missing in sorted(extras.items())
        },
    )


def _unmet(requirement):
    """What is wrong with an installed package; empty if nothing."""
    from packaging.requirements import Requirement

    cure = f"pip install '{requirement.name}{requirement.specifier}'"
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return f"{requirement.name} is not installed: {cure}"
    if not requirement.specifier.contains(version, prereleases=True):
        return f"{requirement.name} {version} is installed: {cure}"
    for extra in requirement.extras:  # such as the GPU parts of jax[cuda12]
        for text in metadata.requires(requirement.name) or ():
            part = Requirement(text)
            if _of_extra(part, extra) and _unmet(part):
                return _unmet(part)
    return ""


def _of_extra(requirement, extra=None):
    """Whether a package is required by an extra alone: by any, or by the one that is named."""
    marker = requirement.marker
    if marker is None or marker.evaluate({"extra": ""}):
        return False
    return extra is None or marker.evaluate({"extra": extra})


def _devices():
    """What JAX computes on, and whether it computes rightly there."""
    import jax
    import jax.numpy as jnp

    try:
        devices = jax.devices()
        total = float(jax.jit(lambda x: (x @ x).sum())(jnp.ones((64, 64))))
    except RuntimeError as error:
        fault = f"JAX cannot compute: {' '.join(str(error).split())}; check JAX_PLATFORMS"
        yield Finding("devices", "none", fault)
        return
    fault = "" if total == 64**3 else f"JAX computes {total} where 262144 is right on {devices[0]}"
    hint = ""
    if devices[0].platform == "cpu" and Path("/dev/nvidia0").exists():
        hint = "there is an NVIDIA GPU, which JAX does not see: pip install 'floecast[cuda12]'"
    yield Finding("devices", ", ".join(map(str, devices)), fault, hint)
    yield Finding("float64", jnp.result_type(float) == jnp.float64)
    # Below float32 on some GPUs, unless JAX_DEFAULT_MATMUL_PRECISION asks for more.
    precision = jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]
    yield Finding("matmul", precision or "default")


def _cores():
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count()


def _memory():
    """Memory that this process may use: of the machine, or of its control group."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.is_file() else "max"
    if text.isdigit():
        total = min(total, int(text))
    hint = "little memory: take grid arctic100 or fewer members" if total < SMALL_MEMORY else ""
    return Finding("memory_gib", round(total / GIB, 1), "", hint)


def _writable(name, folder, cure):
    """Whether a file can be made in a folder, and how much room there is."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"floecast")
    except OSError as error:
        return Finding(name, "not writable", f"{folder}: {error.strerror}; {cure} that is writable")
    return Finding(name, f"writable, {shutil.disk_usage(folder).free / GIB:.1f} GiB free")


def _data(folder):
    if folder is None:
        return Finding("FLOECAST_DATA", "not set", "", "without real files only twins can run")
    if not folder.is_dir():
        return Finding("FLOECAST_DATA", "set", f"no data folder at {folder}; set FLOECAST_DATA")
    count = sum(1 for _ in folder.rglob("*.nc"))
    hint = "" if count else f"no netCDF file in {folder}"
    return Finding("FLOECAST_DATA", f"set, {count} netCDF files", "", hint)


def _assets():
    """Whether the files that ship with the package are there."""
    package = resources.files("floecast")
    absent = [name for name in ASSETS if not package.joinpath(name).is_file()]
    fault = f"{', '.join(absent)} did not come with floecast: install it anew" if absent else ""
    return Finding("assets", "missing" if absent else "present", fault)
