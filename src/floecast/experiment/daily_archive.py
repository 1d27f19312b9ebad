"""The folder of a daily operation: a folder an analysis and one a forecast, what is kept of them.

``analyses/20150102T1200`` holds one analysis, ``forecasts/20150102T1200`` the forecast made from
it, as it was issued. Both appear under their name when they are whole, in the place of an older
one.
"""

import fcntl
import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from floecast.core.atomic import replacing, write_text
from floecast.core.calendar import DAY, iso, to_datetime64, to_seconds
from floecast.core.errors import InputError
from floecast.io.run_folder import checksum, read_manifest

MEMBERS = "analysis_ensemble.nc"
"""What the next analysis begins with."""
CALIBRATED = "calibrated.nc"
"""Members of the forecast, calibrated by those before."""
LARGE = (
    MEMBERS,
    "background_ensemble.nc",
    "background_at_analysis.nc",
    "forecast_members.nc",
    CALIBRATED,
)
"""Files of members, which are not kept for ever."""
FIXED = ("name", "seed", "grid", "first_analysis", "cycle_hours", "background", "ensemble")
"""Settings that hold from the first analysis on; others may be changed on the way."""


@contextmanager
def locked(folder):
    """Keep others from the same folder.

    Parameters
    ----------
    folder : path
        That is there.

    Yields
    ------
    bool
        Whether nobody else holds it.

    Notes
    -----
    The kernel holds the lock (``flock``) for the open file and drops it when the process ends,
    however that ends: what a killed one leaves behind locks nothing.
    """
    with (folder / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield True


@dataclass(frozen=True)
class Entry:
    """One analysis of the archive.

    Parameters
    ----------
    time : int
        [s since 2000-01-01]
    path : Path
    manifest : dict
    """

    time: int
    path: Path
    manifest: dict

    @property
    def cycle(self):
        """What it was made from: ``previous``, ``files``, ``counts``, ``digest``, ``missing``."""
        return self.manifest["config"]["cycle"]

    @property
    def files(self):
        """Checksums of its products by their names."""
        return self.manifest["stages"][0]["files"]

    @property
    def kept(self):
        """Whether its members are still there."""
        return (self.path / MEMBERS).is_file()

    @cached_property
    def whole(self):
        """Whether they are there as they were written."""
        return self.kept and checksum(self.path / MEMBERS) == self.files[MEMBERS]


class Archive:
    """Analyses and forecasts below a folder, opened by whoever holds its lock.

    Parameters
    ----------
    folder : path
    config : CycleConfig

    Raises
    ------
    InputError
        If the folder is that of another operation.
    """

    def __init__(self, folder, config):
        self.folder = Path(folder)
        self.analyses, self.forecasts = self.folder / "analyses", self.folder / "forecasts"
        self.observed = self.folder / "observed"
        self.every = config.cycle_hours * 3600
        self.first = to_seconds(config.first_analysis)
        _check_same(self.folder / "operation.json", config)
        for one in (self.folder, self.analyses, self.forecasts, self.observed):
            _sweep(one)

    def path(self, time):
        """Folder of the analysis of a time."""
        return self.analyses / name_of(time)

    def forecast(self, time):
        """Folder of the forecast from it."""
        return self.forecasts / name_of(time)

    def entries(self):
        """Analyses that are there, by their time.

        Returns
        -------
        dict of int to Entry
            In the order of time; folders with a damaged manifest are left out, so that these
            analyses are made again.
        """
        found = {}
        for path in sorted(self.analyses.glob("[0-9]*")):
            try:
                entry = Entry(time_of(path.name), path, read_manifest(path))
            except InputError:
                continue
            if _is_analysis(entry.manifest):
                found[entry.time] = entry
        return dict(sorted(found.items()))

    def alike(self, entry):
        """Checksums of files that have come since and tell nothing new of an analysis."""
        path = entry.path / "alike.json"
        if not path.is_file():
            return []
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError):
            told = None
        # Where it is damaged, the files are looked at once more.
        return told if _are_words(told) else []

    def note_alike(self, entry, checksums):
        """Remember such files."""
        known = {*self.alike(entry), *checksums}
        write_text(entry.path / "alike.json", json.dumps(sorted(known)) + "\n")

    def forecast_mark(self, time):
        """What the forecast of a time was made from; None where there is none, or not all of it."""
        path = self.forecast(time)
        try:
            manifest = read_manifest(path)
        except InputError:
            return None
        files = [name for stage in manifest["stages"] for name in stage.get("files", {})]
        whole = "report.html" in files and (path / "report.html").is_file()
        return manifest["config"].get("cycle") if whole else None

    def last_forecast(self):
        """Folder of the last forecast; None where there is none."""
        there = [path for path in self.forecasts.glob("[0-9]*") if (path / "report.html").is_file()]
        return max(there, default=None)

    def write_lines(self, line_of):
        """Bring ``diagnostics.jsonl`` up to date, one line an analysis.

        Parameters
        ----------
        line_of : callable
            ``line_of(entry)``, a dictionary with the time as text, ``time``.
        """
        path = self.folder / "diagnostics.jsonl"
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        lines = {one["time"]: one for one in map(_line, text.splitlines()) if one}
        for time, entry in self.entries().items():
            mark = {"digest": entry.cycle["digest"], "members": entry.files[MEMBERS]}
            if any(lines.get(iso(time), {}).get(key) != value for key, value in mark.items()):
                lines[iso(time)] = line_of(entry) | mark
        new = "".join(json.dumps(lines[time]) + "\n" for time in sorted(lines))
        if new != text:
            write_text(path, new)

    def forget(self, days):
        """Delete members that are older than some days before the last analysis, but never its."""
        last = max(self.entries(), default=None)
        for path in [*self.analyses.glob("[0-9]*"), *self.forecasts.glob("[0-9]*")]:
            if last is not None and time_of(path.name) < last - days * DAY:
                for name in LARGE:
                    (path / name).unlink(missing_ok=True)


@contextmanager
def whole_folder(path):
    """A folder to write into, which takes the place of `path` when the block ends; see `replacing`.

    Yields
    ------
    Path
    """
    with replacing(path) as partial:
        partial.mkdir()
        yield partial
        for file in partial.rglob("*"):
            if file.is_file():
                with file.open("rb") as opened:
                    os.fsync(opened.fileno())


def name_of(time):
    """Name of a folder, such as ``20150102T1200``."""
    return str(to_datetime64(time).astype("datetime64[s]")).replace("-", "").replace(":", "")[:13]


def time_of(name):
    """Time that `name_of` made a name of [s since 2000-01-01]."""
    text = f"{name[:4]}-{name[4:6]}-{name[6:11]}:{name[11:13] or '00'}"
    try:
        return to_seconds(np.datetime64(text))
    except ValueError:
        raise InputError(f"{name} is no folder of an analysis; take it away") from None


def _check_same(path, config):
    """Refuse a folder of other settings that hold from the first analysis on."""
    tree = config.model_dump(mode="json")
    wanted = {key: tree[key] for key in FIXED}
    if not path.exists():
        write_text(path, json.dumps(wanted, indent=1) + "\n")
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        found = found if isinstance(found, dict) else {}
    except (ValueError, RecursionError):
        raise InputError(f"{path} is damaged; restore it, or choose another --out") from None
    for key in FIXED:
        if found.get(key) != wanted[key]:
            raise InputError(
                f"{path.parent} holds an operation of another configuration ({key} is "
                f"{found.get(key)!r} there and {wanted[key]!r} here); choose another --out"
            )


def _is_analysis(manifest):
    """Whether a manifest tells all of an analysis that the next ones ask."""
    cycle, stages = manifest["config"].get("cycle"), manifest["stages"]
    return (
        isinstance(cycle, dict)
        and isinstance(cycle.get("previous"), str | None)
        and isinstance(cycle.get("digest"), str)
        and _are_words(cycle.get("missing"))
        and isinstance(cycle.get("files"), dict)
        and _are_words([*cycle["files"].values()])
        and isinstance(cycle.get("counts"), dict)
        and bool(stages)
        and MEMBERS in stages[0].get("files", {})
        and isinstance(manifest.get("created"), str)
        and _are_words(manifest.get("warnings"))
    )


def _are_words(told):
    return isinstance(told, list) and all(isinstance(one, str) for one in told)


def _line(text):
    """Diagnostics of an analysis; None where the line is damaged, as it is made again."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) and isinstance(told.get("time"), str) else None


def _sweep(folder):
    """Take away what a killed process left, and give back what it was about to replace."""
    for old in folder.glob(".*.old"):
        place = old.with_name(old.name[1:].rsplit(".", 2)[0])
        if place.exists():
            shutil.rmtree(old)
        else:
            os.replace(old, place)
    for partial in folder.glob(".*.partial"):
        shutil.rmtree(partial) if partial.is_dir() else partial.unlink()
