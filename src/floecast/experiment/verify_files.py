"""Verify forecasts in files against a truth in a file, beside baselines, date by date."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from floecast.core.atomic import write_text
from floecast.core.calendar import DAY, HOUR, iso, to_datetime64, to_seconds
from floecast.core.errors import InputError
from floecast.core.variables import VARIABLES
from floecast.io.scored_fields import FieldFile
from floecast.progress import Silent
from floecast.verification.baselines import damped_anomaly_persistence, persistence
from floecast.verification.date_scorecard import (
    BLOCK_DAYS,
    Comparison,
    block_length,
    date_scorecard,
    diagrams,
    effective_dates,
)
from floecast.verification.dates import StartDate, verify_dates
from floecast.verification.past_years import PastYears
from floecast.verification.regions import SEAS, Box, box_regions

DEFAULT_FOLDER = Path("runs/verification")

OWN_SYSTEMS = (
    "forecast",
    "persistence",
    "observed persistence",
    "climatology",
    "past years",
    "damped anomaly persistence",
    "observed damped anomaly persistence",
)
"""Names of the systems that are made here."""


def verify_files(
    forecasts,
    truth,
    *,
    systems=None,
    past=(),
    boxes=None,
    errors=None,
    block_days=BLOCK_DAYS,
    seed=0,
    out=None,
    progress=None,
    sums=None,
):
    """Score forecasts of one or many start dates and write the scorecard.

    Parameters
    ----------
    forecasts : sequence of path-like
        One file a start date, all with the same lead times: fields of members or single ones at
        cell centres, as `floecast forecast` writes them.
    truth : path-like
        What became true, on the same grid; times that it lacks are not scored.
    systems : dict, optional
        Name of another system, such as ``free run`` or ``free drift``, to its files, one for each
        start date.
    past : sequence of path-like
        Fields of other years like the truth; they add ``climatology`` (mean of the days about the
        date), ``past years`` (as an ensemble) and ``damped anomaly persistence``.
    boxes : dict, optional
        Name to `Box`: regions beside the whole and the zones of the ice.
    errors : dict, optional
        Variable to the standard deviation of the error of the truth, in its unit.
    block_days : float
        Start dates that the bootstrap keeps together [days].
    seed : int
        Of ties, observation errors and bootstrap.
    out : path-like, optional
        Folder for ``scorecard.json``, ``scorecard.csv`` and ``diagrams.json``.
    progress : optional
        With ``stage`` and ``advance``.
    sums : callable, optional
        From the number of dates to the `DateSums` of all, where they are made elsewhere.

    Returns
    -------
    dict
        What was done: dates, leads, systems, length of the blocks, effective dates, folder.

    Raises
    ------
    InputError
        If files do not fit together, or `out` is the folder of a run.

    Notes
    -----
    ``persistence`` keeps the mean of the forecast at lead 0, ``observed persistence`` the truth at
    the start; from the one fades the anomaly of ``damped anomaly persistence``, from the other that
    of ``observed damped anomaly persistence``. Systems are compared on the cells that all of them
    and the truth have.
    """
    progress = Silent() if progress is None else progress
    folder = DEFAULT_FOLDER if out is None else Path(out)
    if (folder / "manifest.json").exists():
        raise InputError(f"{folder} is a run, whose scorecard stays; choose another folder")
    there = next(one for one in (folder, *folder.parents) if one.exists())
    if not (there.is_dir() and os.access(there, os.W_OK)):
        raise InputError(f"{there} is no folder that can be written to; choose another folder")
    case = Verification.of(
        forecasts, truth, systems=systems, past=past, boxes=boxes, errors=errors, seed=seed
    )
    blocks = block_length(case.starts, block_days)
    progress.stage("verification", "begun")
    if sums is None:
        kept = case.sums(
            range(len(case.starts)), lambda done: progress.advance(done, len(case.starts))
        )
    else:
        kept = sums(len(case.starts))
    names = sorted({key.system for key in kept.series})
    comparisons = [Comparison("forecast", name) for name in names if name != "forecast"]
    card = date_scorecard(kept, comparisons=comparisons, block_days=block_days, seed=seed)
    if not len(card):
        raise InputError(f"{truth} has no value where the forecasts have one; check both")
    card.to_json(folder / "scorecard.json")
    card.to_csv(folder / "scorecard.csv")
    told = {
        "folder": str(folder),
        "dates": len(kept.starts),
        "first": iso(min(kept.starts)),
        "last": iso(max(kept.starts)),
        "lead_hours": [float(hours) for hours in case.leads / HOUR],
        "systems": names,
        "block_days": block_days,
        "block_dates": blocks,
        "level": 0.95,
        "rows": len(card),
        "effective_dates": _effective(kept),
    }
    lines = {**told, "diagrams": diagrams(kept)}
    write_text(folder / "diagrams.json", json.dumps(lines, indent=1, allow_nan=False) + "\n")
    return told


def verify_as_told(files, told, *, out=None, progress=None):
    """`verify_files` with what the command line says.

    Parameters
    ----------
    files : sequence of path-like
        Forecasts, then the truth.
    told : dict
        Texts ``NAME=FILE`` of ``system``, files of ``past``, texts ``NAME=SOUTH,NORTH,WEST,EAST``
        or ``seas`` of ``region``, texts ``VARIABLE=NUMBER`` of ``error``, and ``block-days``, as
        far as given.
    out, progress
        As of `verify_files`.

    Returns
    -------
    dict
        As of `verify_files`.

    Raises
    ------
    InputError
        If a text is not as expected, or as of `verify_files`.
    """
    systems, boxes, errors = {}, {}, {}
    for text in told.get("system", ()):
        name, path = _pair(text, "system", "NAME=FILE")
        systems.setdefault(name, []).append(path)
    for text in told.get("region", ()):
        if text == "seas":
            boxes |= SEAS
            continue
        expected = "NAME=SOUTH,NORTH,WEST,EAST in degrees, or seas"
        name, numbers = _pair(text, "region", expected)
        numbers = [_number(one, text, expected) for one in numbers.split(",")]
        if len(numbers) != 4:
            raise InputError(f"region {text!r}: expected {expected}")
        boxes[name] = Box(*numbers)
    for text in told.get("error", ()):
        expected = "VARIABLE=NUMBER, such as concentration=0.05"
        name, number = _pair(text, "error", expected)
        errors[name] = _number(number, text, expected)
    return verify_files(
        files[:-1],
        files[-1],
        systems=systems,
        past=told.get("past", ()),
        boxes=boxes,
        errors=errors,
        block_days=told.get("block-days", BLOCK_DAYS),
        out=out,
        progress=progress,
    )


def _pair(text, option, expected):
    name, sign, value = text.partition("=")
    if not (name and sign and value):
        raise InputError(f"{option} {text!r}: expected {expected}")
    return name, value


def _number(text, whole, expected):
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{whole!r}: expected {expected}") from None


def _checked(errors, variables):
    for name, error in (errors or {}).items():
        if name not in variables or not 0 <= error < np.inf:
            raise InputError(
                f"error {name}={error}: expected a number from 0 up for one of the variables that "
                f"are scored, {', '.join(variables)}"
            )
    return errors


def _effective(kept):
    """Effective dates of the differences to each system, by system and lead: the fewest."""
    found = {}
    for key in kept.series:
        reference = key._replace(system="forecast")
        if key.system != "forecast" and key.region == "arctic" and reference in kept.series:
            if (key.variable, key.score) in (("concentration", "iiee"), ("drift", "vector_rmse")):
                number = effective_dates(kept, reference, key.system)
                if np.isfinite(number):
                    name = f"{key.variable} {key.score}, {key.system}, {key.lead_hours:g} h"
                    found[name] = round(number, 1)
    return found


class Verification:
    """The files of a verification, opened and checked against each other; see `verify_files`."""

    setting: dict[str, Any]

    def __init__(self, forecasts, truth, systems, past):
        self.truth = FieldFile(truth)
        self.place = self.truth.place()
        self.forecasts = {"forecast": self._by_start(forecasts)}
        for name, files in systems.items():
            if name in OWN_SYSTEMS:
                raise InputError(f"system {name!r}: that name is taken; choose another")
            self.forecasts[name] = self._by_start(files)
        first = self.forecasts["forecast"]
        self.starts = sorted(first)
        self.leads = first[self.starts[0]].leads
        for name, files in self.forecasts.items():
            for start in self.starts:
                if start not in files:
                    raise InputError(f"system {name!r} has no forecast that starts {iso(start)}")
                if not np.array_equal(files[start].leads, self.leads):
                    files[start].refuse(f"other lead times than {first[self.starts[0]].path}")
        self.variables = [name for name in self.truth.names if self._have(name, first)]
        if not self.variables:
            raise InputError(f"{truth} and the forecasts share no variable")
        self.past, self._damping = self._past(past), {}

    @classmethod
    def of(cls, forecasts, truth, *, systems=None, past=(), boxes=None, errors=None, seed=0):
        """As `verify_files` takes them, with regions and errors checked."""
        case = cls(forecasts, truth, systems or {}, past)
        place = case.place
        if boxes and place.latitude is None:
            raise InputError(f"{truth} has no projection, so that there are no regions by latitude")
        case.setting = {
            "area": place.area,
            "mask": np.ones(place.area.shape, bool),
            "positions": place.positions,
            "lead_hours": case.leads / HOUR,
            "regions": box_regions(boxes, place.latitude, place.longitude) if boxes else None,
            "error_std": _checked(errors, case.variables),
            "seed": seed,
        }
        return case

    def sums(self, numbers, progress=None):
        """`DateSums` of the start dates of these numbers, in order of time."""
        dates = (self.date(self.starts[number]) for number in numbers)
        return verify_dates(dates, **self.setting, progress=progress)

    def _by_start(self, paths):
        found = {}
        for path in paths:
            file = FieldFile(path)
            file.check_same_place(self.truth)
            if file.start in found:
                file.refuse(f"the start {iso(file.start)} of {found[file.start].path}")
            found[file.start] = file
        return found

    @staticmethod
    def _have(name, files):
        return all(name in file.names for file in files.values())

    def _past(self, paths):
        """Past years of each variable that all files have."""
        files = sorted((FieldFile(path) for path in paths), key=lambda file: file.times[0])
        for file in files:
            file.check_same_place(self.truth)
        found = {}
        for name in self.variables if files else ():
            if not all(name in file.names for file in files):
                continue
            places = [(file, index) for file in files for index in range(file.times.size)]

            def read(index, name=name, places=places):
                file, number = places[index]
                return file.at(name, number)

            found[name] = PastYears(np.concatenate([file.times for file in files]), read)
        return found

    def date(self, start):
        """Forecasts and truth of a start date."""
        times = start + self.leads
        systems = {
            name: {v: files[start].series(v) for v in self.variables if v in files[start].names}
            for name, files in self.forecasts.items()
        }
        truth = {name: self._true(name, times) for name in self.variables}
        if not any(np.isfinite(field).any() for field in truth.values()):
            raise InputError(
                f"{self.truth.path} has no value at the times of the forecast of {iso(start)}"
            )
        if self.leads[0] == 0:
            systems["persistence"] = {
                name: persistence(_mean(field[0]), len(times))
                for name, field in systems["forecast"].items()
            }
        now = {name: self._true(name, [start])[0] for name in self.variables}
        now = {name: field for name, field in now.items() if np.isfinite(field).any()}
        if now:
            systems["observed persistence"] = {
                name: persistence(field, len(times)) for name, field in now.items()
            }
        begins = {
            "damped anomaly persistence": systems.get("persistence", {}),
            "observed damped anomaly persistence": systems.get("observed persistence", {}),
        }
        for name, past in self.past.items():
            known = {system: fields[name][0] for system, fields in begins.items() if name in fields}
            for system, field in self._of_other_years(name, past, start, known):
                systems.setdefault(system, {})[name] = field
        return StartDate(start, systems, truth)

    def _of_other_years(self, name, past, start, known):
        """Baselines of a variable from other years, by system; `known` is what anomalies start
        from, by system."""
        times = [int(time) for time in start + self.leads]
        normals = np.stack([past.normal(time) for time in times])
        yield "climatology", normals
        members = [past.members(time) for time in times]
        fewest = min(map(len, members))
        yield "past years", np.stack([one[:fewest] for one in members])
        if not known:
            return
        month = to_seconds(to_datetime64(start).astype("datetime64[M]")) + 14 * DAY
        month += start % DAY
        if (name, month) not in self._damping:
            damping = past.damping(month, self.leads, weights=self.place.area)
            self._damping[name, month] = damping
        for system, field in known.items():
            faded = damped_anomaly_persistence(
                field,
                normal_start=past.normal(start),
                normal_leads=normals,
                correlation=self._damping[name, month],
                lower=VARIABLES[name].lower,
                upper=VARIABLES[name].upper,
            )
            yield system, faded

    def _true(self, name, times):
        """The truth at times, NaN where it has none."""
        field = np.full((len(times), *self.place.area.shape), np.nan, np.float32)
        for number, time in enumerate(times):
            index = int(np.searchsorted(self.truth.times, time))
            if index < self.truth.times.size and self.truth.times[index] == time:
                value = self.truth.at(name, index)
                if value.ndim > 2:
                    self.truth.refuse("members; expected one truth")
                field[number] = value
        return field


def _mean(field):
    return field if field.ndim == 2 else field.mean(axis=0)
