"""Daily operation: from the last good analysis to now, and the forecast from there."""

import logging
import logging.handlers
import time as clock
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from floecast.core.calendar import DAY, EPOCH, iso, to_seconds
from floecast.core.errors import FloecastError, InputError
from floecast.io.readers import check_use
from floecast.io.run_folder import default_folder
from floecast.progress import Silent

from .daily_archive import MEMBERS, Archive, locked
from .daily_inputs import Inputs, digest
from .daily_status import write_status
from .daily_steps import Steps

LOG_BYTES, LOGS_KEPT = 1_000_000, 3
"""Size at which the log begins anew [bytes], and older ones that are kept."""


class Code(IntEnum):
    """How it ended, the exit code of the command; 2 is a wrong configuration or option."""

    DONE = 0
    """A new analysis or forecast."""
    NOTHING_TO_DO = 3
    """All that is due has been done before."""
    OBSERVATIONS_MISSING = 4
    """As `DONE`, but an expected product is missing from the last analysis."""
    LOCKED = 5
    """Another process is at it."""
    FAILED = 6
    """It broke off; what was good before is still there."""


@dataclass(frozen=True)
class Outcome:
    """What came of a call.

    Parameters
    ----------
    code : Code
    text : str
        One line for people.
    folder : Path
    analyses : list of str
        Those made, by their time.
    forecast : Path or None
        Folder of the last forecast there is.
    """

    code: Code
    text: str
    folder: Path
    analyses: list = field(default_factory=list)
    forecast: Path | None = None


def catch_up(config, *, data, out=None, until=None, now=None, progress=None):
    """Analyse from the last good analysis to now, then forecast.

    Parameters
    ----------
    config : CycleConfig
    data : path-like
        Folder of the real files.
    out : path-like, optional
        Folder of the operation; ``runs/<name>`` if left out.
    until : str, optional
        Last day to analyse, such as ``"2015-01-31"``; all that is past by the clock if left out.
    now : int, optional
        What the clock shows [s since 2000-01-01].
    progress : progress, optional
        As in `floecast.progress`; silent if left out.

    Returns
    -------
    Outcome
        Of a call that ended in an error, too: that is in ``cycle.log`` and in the status.

    Raises
    ------
    InputError
        If the configuration does not fit its files, or the folder is that of another operation.
        Nothing has been changed then.

    Notes
    -----
    An analysis is made again, with all after it, when what is there for it now holds more than what
    it was made from, when its members are damaged, or when the analysis before it is another one by
    now. It is left alone when the files of a product it used are gone, or the members before it.
    Analysis and forecast are functions of the configuration, of what they read, and of the members
    before them: a process that is killed is gone on with by the next, to the same bits.
    """
    data, folder = Path(data), Path(out or default_folder(config.name)).resolve()
    if not data.is_dir():
        raise InputError(f"no data folder at {data}")
    if config.model.weights and not (data / config.model.weights).is_file():
        raise InputError(f"model.weights: no file {data / config.model.weights}")
    for key, door in (
        ("thickness", "read_thickness_field"),
        ("concentration", "concentration_field"),
    ):
        date = to_seconds(config.background.date)
        try:
            check_use(data / getattr(config.background, key), door, date, date)
        except InputError as error:
            raise InputError(f"background.{key}: {error}") from None
    now = int(clock.time()) - int(EPOCH.astype(int)) if now is None else now
    end = now if until is None else to_seconds(until) // DAY * DAY + DAY - 1
    if until is not None and not to_seconds(config.first_analysis) <= end < 2**31:
        first = config.first_analysis.date()
        raise InputError(f"--until {until}: expected a day from {first} (first_analysis) to 2067")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot make the folder {folder}: {error.strerror}; choose another --out"
        ) from None
    try:
        with locked(folder) as free:
            if not free:
                return Outcome(Code.LOCKED, f"another process is at {folder}", folder)
            return _held(config, data, folder, (now, end, until is not None), progress or Silent())
    except OSError as error:
        return Outcome(Code.FAILED, f"cannot write into {folder}: {error}", folder)


def _held(config, data, folder, times, progress):
    """What the holder of the lock does."""
    archive = Archive(folder, config)
    inputs = Inputs(config, data, folder / "inputs.json")
    with _log(folder / "cycle.log") as log:
        run = _Run(config, archive, inputs, times, progress, log)
        try:
            return run.go()
        # Whatever it is, the page has to tell of it and the last good forecast stays.
        except Exception as error:
            if isinstance(error, FloecastError):
                log.error("%s", error)
            else:
                log.exception("broken off")
            return run.failed(error)


class _Run:
    """One call."""

    def __init__(self, config, archive, inputs, times, progress, log):
        self.config, self.archive, self.inputs = config, archive, inputs
        self.now, self.end, self.told = times
        self.progress, self.log = progress, log
        self.warnings, self.made = [], []

    def go(self):
        """All of it."""
        self.inputs.look()
        for name, fault in self.inputs.faults.items():
            self.warn(f"not used: {fault if name in fault else f'{name}: {fault}'}")
        self.steps = Steps(self.config, self.archive, self.inputs, self.progress)
        entries = self.archive.entries()
        due = self._due(entries)
        for time in due:
            self.progress.stage(f"analysis {iso(time)}", "begun")
            previous = entries.get(self.steps.start_of(time)) if time > self.archive.first else None
            self.steps.analyse(time, previous)
            entries = self.archive.entries()
            self.made.append(iso(time))
            self.log.info("analysis of %s", iso(time))
            self.progress.advance(len(self.made), len(due))
        self.archive.write_lines(self.steps.line_of)
        last = entries[max(entries)] if entries else None
        issued = last is not None and self._forecast(last)
        self.archive.forget(self.config.retention.members_days)
        if not self.made and not issued:
            return self._ended(Code.NOTHING_TO_DO, "nothing to do")
        lacking = last.cycle["missing"]
        if lacking:
            return self._ended(
                Code.OBSERVATIONS_MISSING,
                f"forecast of {iso(last.time)} made, without {', '.join(lacking)}",
            )
        return self._ended(Code.DONE, f"forecast of {iso(last.time)} made")

    def failed(self, error):
        """What is told of a call that broke off."""
        text = " ".join(str(error).split()) or type(error).__name__
        return self._ended(Code.FAILED, f"broken off: {text}")

    def warn(self, text):
        """Tell of something in the log and on the page."""
        self.warnings.append(text)
        self.log.warning("%s", text)

    def _due(self, entries):
        """Times of the analyses to make, in a row up to the last one."""
        first, every = self.archive.first, self.archive.every
        last = max(entries, default=first - every)
        reach = first + (self.end - first) // every * every
        if entries and self.now < last:
            self.warn(f"the clock shows {iso(self.now)}, before the last analysis {iso(last)}")
        days = (reach - last) // DAY
        if not self.told and days > self.config.most_days:
            raise InputError(
                f"the clock shows {iso(self.now)}, {days} days after the last analysis; if it is "
                "right, say how far to go by --until DATE"
            )
        times = range(first, max(reach, last) + 1, every)
        start = self._first_stale(times, entries)
        if start is None:
            return []
        gone = [
            (time, lost) for time in times[start:] for lost in self._lost(entries.get(time)) if lost
        ]
        if gone and times[start] in entries and entries[times[start]].whole:
            self.warn(
                f"the analysis of {iso(times[start])} is not made again with what came late: "
                f"{gone[0][1]} of {iso(gone[0][0])} is no longer there"
            )
            return [time for time in times if time > last]
        return list(times[start:])

    def _first_stale(self, times, entries):
        """Index of the first analysis to make; None where there is none."""
        kept = [time for time in times if time in entries and entries[time].whole]
        first = entries.get(times[0]) if times else None
        if entries and not kept and (first is None or not first.kept):
            raise FloecastError(
                f"no members are left in {self.archive.analyses}; restore those of one analysis, "
                "or choose another --out to start anew"
            )
        for index, time in enumerate(times):
            before = times[index - 1] if index else None
            entry = entries.get(time)
            if kept and time < kept[0] or before is not None and before not in kept:
                continue
            if entry is None:
                return index
            if not entry.whole:
                self.warn(f"{entry.path / MEMBERS} is damaged; going on from the one before")
                return index
            if before is not None and entry.cycle["previous"] != entries[before].files[MEMBERS]:
                return index
            if self._came_late(entry):
                self.warn(f"late data: the analysis of {iso(time)} and all after it are made again")
                return index
        return None

    def _came_late(self, entry):
        """Whether there is more for an analysis than what it was made from."""
        offer = self.inputs.offer(entry.time, self.steps.start_of(entry.time))
        there = {self.inputs.checksum(name) for name in offer.files}
        known = {*entry.cycle["files"].values(), *self.archive.alike(entry)}
        if there <= known or self._lost(entry):
            return False
        # Files that grow hold new days: what counts is whether they tell anything new of this one.
        seen, weather, _ = self.steps.read(entry.time, {"notes": [], "warnings": []})
        if digest(seen, weather) != entry.cycle["digest"]:
            return True
        self.archive.note_alike(entry, there)
        return False

    def _lost(self, entry):
        """Products that an analysis used and that are no longer there."""
        if entry is None:
            return []
        offer = self.inputs.offer(entry.time, self.steps.start_of(entry.time))
        return [
            product
            for product, number in entry.cycle["counts"].items()
            if number and not offer.records.get(product)
        ]

    def _forecast(self, last):
        """Make the forecast of the last analysis, unless it is there; whether it was made."""
        mark = self.steps.mark_of(last)
        done = self.archive.forecast_mark(last.time)
        if done == mark:
            return False
        self.progress.stage(f"forecast {iso(last.time)}", "begun")
        self.steps.forecast(last, mark)
        self.log.info("forecast of %s", iso(last.time))
        return True

    def _ended(self, code, text):
        self.log.info("%s (%d): %s", code.name, code, text)
        forecast = self.archive.last_forecast()
        outcome = Outcome(code, text, self.archive.folder, self.made, forecast)
        write_status(self, outcome)
        return outcome


class _Lines(logging.handlers.RotatingFileHandler):
    """A log whose faults, as of a full disk, are errors and not traces on the terminal."""

    def handleError(self, record):
        raise  # the fault that is being handled


@contextmanager
def _log(path):
    """Logger that writes lines with their time into a file, which is kept short."""
    handler = _Lines(path, maxBytes=LOG_BYTES, backupCount=LOGS_KEPT, encoding="utf-8")
    form = logging.Formatter("%(asctime)sZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    form.converter = clock.gmtime
    handler.setFormatter(form)
    log = logging.Logger("floecast.cycle", logging.INFO)
    log.addHandler(handler)
    try:
        yield log
    finally:
        handler.close()
