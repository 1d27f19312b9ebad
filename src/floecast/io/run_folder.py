"""A run is a folder: manifest, products, figures, report; resumable stage by stage."""

import contextlib
import hashlib
import json
import os
import platform
import resource
import sys
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from floecast.core.atomic import write_text
from floecast.core.errors import InputError

VERSIONED = ("floecast", "jax", "jaxlib", "equinox", "numpy", "scipy", "xarray", "netCDF4")
"""Packages whose versions the manifest tells."""


class RunFolder:
    """Folder of a run, opened for going on with it.

    A stage counts as done when the manifest says so and each of its files still has the checksum
    noted there. Files appear under their name only when they are whole, so that a run killed at
    any moment goes on with the first stage not done.

    Parameters
    ----------
    path : path-like
        Made if it does not exist.
    config : dict
        Resolved configuration, as plain JSON values.

    Raises
    ------
    InputError
        If the folder holds a run of another configuration, or something that is not a run.
    """

    def __init__(self, path, config):
        self.path = Path(path)
        self._file = self.path / "manifest.json"
        if self._file.exists():
            self.manifest = read_manifest(self.path)
            if self.manifest["config"] != config:
                raise InputError(
                    f"{self.path} holds a run of another configuration "
                    f"({_first_difference(self.manifest['config'], config)}); "
                    "choose another --out, or delete that folder"
                )
            return
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise InputError(f"{self.path} exists and is not a run; choose another --out")
        self.path.mkdir(parents=True, exist_ok=True)
        self.manifest = {
            "name": config["name"],
            "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "config": config,
            "seed": config["seed"],
            "versions": {name: metadata.version(name) for name in VERSIONED},
            "machine": {
                "python": platform.python_version(),
                "system": f"{platform.system()} {platform.machine()}",
                "cores": os.cpu_count(),
            },
            "inputs": [],
            "stages": [],
            "notes": [],
            "warnings": [],
            "peak_memory_mb": 0,
        }
        self._write()

    def file(self, name):
        """Path of a file of this run."""
        return self.path / name

    def done(self, stage):
        """Whether a stage is finished and its files are unharmed."""
        for record in self.manifest["stages"]:
            if record["name"] == stage:
                return all(
                    self.file(name).is_file() and checksum(self.file(name)) == digest
                    for name, digest in record["files"].items()
                )
        return False

    @contextlib.contextmanager
    def stage(self, name, files):
        """Do a stage: on leaving without an error, its time and the checksums are noted.

        Parameters
        ----------
        name : str
        files : sequence of str
            What the stage writes into the folder.

        Yields
        ------
        dict
            Lists ``notes``, ``warnings`` and ``inputs`` to append to; a stage done again replaces
            what it noted before.
        """
        began = time.perf_counter()
        noted = {"notes": [], "warnings": [], "inputs": []}
        yield noted
        record = {
            "name": name,
            "status": "done",
            "seconds": round(time.perf_counter() - began, 2),
            "files": {file: checksum(self.file(file)) for file in files},
            **noted,
        }
        stages = self.manifest["stages"]
        self.manifest["stages"] = [old for old in stages if old["name"] != name] + [record]
        for kind in noted:
            told = [entry for stage in self.manifest["stages"] for entry in stage[kind]]
            self.manifest[kind] = [e for i, e in enumerate(told) if e not in told[:i]]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        peak_mb = peak // (2**20 if sys.platform == "darwin" else 2**10)
        self.manifest["peak_memory_mb"] = max(self.manifest["peak_memory_mb"], peak_mb)
        self._write()

    def _write(self):
        write_text(self._file, json.dumps(self.manifest, indent=1, ensure_ascii=False) + "\n")


def read_manifest(folder):
    """Manifest of a run.

    Raises
    ------
    InputError
        If the folder holds none, or a damaged one.
    """
    file = Path(folder) / "manifest.json"
    if not file.is_file():
        raise InputError(f"{folder} is not a run: it has no manifest.json")
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
        manifest["config"], manifest["stages"]
    except (ValueError, KeyError, TypeError):
        raise InputError(
            f"{file} is not a manifest of a run; delete the folder to start anew"
        ) from None
    return manifest


def input_record(path, root):
    """What the manifest tells of an input file: name below `root`, SHA-256, size."""
    path, root = Path(path).resolve(), Path(root).resolve()
    name = path.relative_to(root) if path.is_relative_to(root) else path.name
    return {"path": str(name), "sha256": checksum(path), "bytes": path.stat().st_size}


def checksum(path):
    """SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _first_difference(old, new, prefix=""):
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if before == after:
            continue
        if isinstance(before, dict) and isinstance(after, dict):
            return _first_difference(before, after, f"{prefix}{key}.")
        return f"{prefix}{key} is {before!r} there and {after!r} here"
    return "no difference"
