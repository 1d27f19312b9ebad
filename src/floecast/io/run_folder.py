"""A run is a folder: manifest, products, figures, report; resumable stage by stage."""

import contextlib
import hashlib
import json
import os
import platform
import resource
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path, PurePath

from floecast.core import display
from floecast.core.atomic import write_text
from floecast.core.errors import InputError

VERSIONED = ("floecast", "jax", "jaxlib", "equinox", "numpy", "scipy", "xarray", "netCDF4")
"""Packages whose versions the manifest tells."""


class RunFolder:
    """Folder of a run, opened for going on with it.

    A stage counts as done when the manifest says so, each of its files and of the inputs it read
    still has the checksum noted there, and the versions are those it was made with. Files appear
    under their name only when they are whole, so that a run killed at any moment goes on with the
    first stage not done. A stage that begins takes itself and all after it out of the manifest.

    Parameters
    ----------
    path : path-like
        Made if it does not exist.
    config : dict
        Resolved configuration, as plain JSON values.

    Raises
    ------
    InputError
        If the folder holds a run of another configuration, of which a stage has been finished, or
        something that is not a run.
    """

    def __init__(self, path, config):
        self.path = Path(path)
        self._file = self.path / "manifest.json"
        for left in [*self.path.glob(".*.partial"), *self.path.glob(".*.old")]:
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        if self._file.exists():
            self.manifest = read_manifest(self.path)
            if self.manifest["config"] == config:
                _check_writable(self.path)
                return
            # Memory is noted with the first stage that ends, and stays when that is done again.
            if self.manifest["stages"] or self.manifest.get("peak_memory_mb"):
                raise InputError(
                    f"{self.path} holds a run of another configuration "
                    f"({_first_difference(self.manifest['config'], config)}); "
                    "choose another --out, or delete that folder"
                )
        elif self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise InputError(f"{self.path} exists and is not a run; choose another --out")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"cannot make the folder {self.path}: {error.strerror}; choose another --out"
            ) from None
        _check_writable(self.path)
        self.manifest = {
            "name": config["name"],
            "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "config": config,
            "seed": config["seed"],
            "versions": versions(),
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
        """Path of a file of this run; refuses a name that leads out of its folder."""
        if not _is_inside(name):
            raise InputError(f"{self.path}: {name!r} is no name of a file of this run")
        return self.path / name

    def done(self, stage, inputs=None):
        """Whether a stage is finished and nothing it stands on has changed.

        Parameters
        ----------
        stage : str
        inputs : path, optional
            Folder of the inputs.
        """
        record = next((one for one in self.manifest["stages"] if one["name"] == stage), None)
        if record is None or self.manifest["versions"] != versions():
            return False
        files = [(self.file(name), digest) for name, digest in record["files"].items()]
        files += [(inputs / one["path"], one["sha256"]) for one in record["inputs"]]
        return all(file.is_file() and checksum(file) == digest for file, digest in files)

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
        names = [one["name"] for one in self.manifest["stages"]]
        if name in names:
            self.manifest["stages"] = self.manifest["stages"][: names.index(name)]
        self.manifest["versions"] = versions()
        self._write()
        noted = {"notes": [], "warnings": [], "inputs": []}
        yield noted
        record = {
            "name": name,
            "status": "done",
            "seconds": round(time.perf_counter() - began, 2),
            "files": {file: checksum(self.file(file)) for file in files},
            **noted,
        }
        self.manifest["stages"].append(record)
        for kind in noted:
            told = [entry for stage in self.manifest["stages"] for entry in stage[kind]]
            self.manifest[kind] = [e for i, e in enumerate(told) if e not in told[:i]]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        peak_mb = peak // (2**20 if sys.platform == "darwin" else 2**10)
        self.manifest["peak_memory_mb"] = max(self.manifest["peak_memory_mb"], peak_mb)
        self._write()

    def __repr__(self):
        return display.text(self)

    def _repr_html_(self):
        rows = [
            (stage["name"], f"{stage['seconds']:g} s", ", ".join(stage["files"]))
            for stage in self.manifest["stages"]
        ]
        title, facts = self._card()
        told = display.table(title, [*facts, *(("note", one) for one in self._remarks())])
        return told + display.table("Stages", rows, ("done", "time", "files"))

    def _card(self):
        stages = ", ".join(stage["name"] for stage in self.manifest["stages"])
        facts = [("path", str(self.path)), ("name", self.manifest["name"])]
        facts += [("created", self.manifest["created"]), ("done", stages or "nothing yet")]
        return display.Card("RunFolder", facts)

    def _remarks(self):
        return self.manifest["warnings"] + self.manifest["notes"]

    def _write(self):
        write_text(self._file, json.dumps(self.manifest, indent=1, ensure_ascii=False) + "\n")


def versions():
    """Versions of what makes the numbers."""
    return {name: metadata.version(name) for name in VERSIONED}


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
    except (ValueError, RecursionError):
        manifest = None
    if not (
        isinstance(manifest, dict)
        and isinstance(manifest.get("config"), dict)
        and isinstance(manifest.get("stages"), list)
        and all(_is_stage(stage) for stage in manifest["stages"])
    ):
        raise InputError(f"{file} is not a manifest of a run; delete the folder to start anew")
    return manifest


def _is_stage(told):
    """Whether a manifest tells of a stage whose files lie below its folder; inputs lie anywhere."""
    if not isinstance(told, dict) or "name" not in told:
        return False
    files, inputs = told.get("files", {}), told.get("inputs", [])
    if not isinstance(files, dict) or not isinstance(inputs, list):
        return False
    named = all(isinstance(one, dict) and isinstance(one.get("path"), str) for one in inputs)
    return named and all(map(_is_inside, files))


def _is_inside(name):
    """Whether a name stands for something below the folder it is looked up in."""
    if not isinstance(name, str) or not name or "\0" in name:
        return False
    path = PurePath(name)
    return not path.is_absolute() and ".." not in path.parts


def _check_writable(folder):
    """Refuse a folder into which nothing can be written, before work begins."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError as error:
        raise InputError(
            f"cannot write into {folder}: {error.strerror}; make room or choose another --out"
        ) from None


def default_folder(name):
    """Folder of a run of that name, where none is given."""
    return Path("runs") / name


def input_record(path, root):
    """What the manifest tells of an input file: name below `root`, SHA-256, size, product."""
    from .product_owner import product_in  # the readers are not loaded to look at a manifest

    path = Path(path)
    return {
        "path": path.relative_to(root).as_posix(),
        "sha256": checksum(path),
        "bytes": path.stat().st_size,
        "product": product_in(path),
    }


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
