"""Calibrate a forecast in a file by earlier ones and by what was observed after them."""

import os
from pathlib import Path

import numpy as np

from floecast.core.calendar import DAY, HOUR, iso
from floecast.core.errors import InputError
from floecast.forecast import calibration as calibrating
from floecast.io.cf import FILL
from floecast.io.scored_fields import FieldFile
from floecast.io.store import read_dataset, values_of, write_netcdf
from floecast.progress import Silent
from floecast.verification.past_years import PastYears

_NAME = "concentration"
_NEAR = DAY // 2
_WINDOW = 7.0
_LEAST_MEMBERS = 3


def calibrate_files(forecast, earlier, observed, *, out, progress=None):
    """Calibrate the concentration of a forecast and write it beside the forecast.

    Parameters
    ----------
    forecast : path-like
        Members as `floecast forecast` writes them, at the start and at leads.
    earlier : sequence of path-like
        Other forecasts like it, or their mean and spread (``forecast.nc``). Of these count the
        leads whose time lies at or before the start of `forecast`, so that a whole archive may be
        given.
    observed : sequence of path-like
        Concentration on the same grid along time, at the starts and after them. What lies after
        the start of `forecast` is not used. Where the same season of another year is there, its
        mean is used as well.
    out : path-like
        File to be written, netCDF.
    progress : optional
        With ``stage`` and ``advance``.

    Returns
    -------
    dict
        File, start, members, and by lead the number of earlier forecasts, their weight in this
        season and the factors of the regression.

    Raises
    ------
    InputError
        If files do not fit together, nothing was observed at the start, there are fewer than three
        members, or too few earlier forecasts of the season.
    """
    progress = Silent() if progress is None else progress
    out = Path(out)
    if out.suffix != ".nc":
        raise InputError(f"{out}: expected a file that ends in .nc")
    if any(out.exists() and out.samefile(one) for one in (forecast, *earlier, *observed)):
        raise InputError(f"{out} is one of the files to read; choose another --out")
    there = next(one for one in out.absolute().parents if one.exists())
    if not (there.is_dir() and os.access(there, os.W_OK)):
        raise InputError(f"{there} is no folder that can be written to; choose another --out")
    target = _Forecast(forecast)
    past = _by_start(earlier, target)
    record = _Record(observed, target.file, target.start)
    if record.at(target.start) is None:
        raise InputError(
            f"no concentration was observed within {_NEAR // HOUR} hours of the start of "
            f"{forecast}, {iso(target.start)}"
        )
    members = target.file.series(_NAME)
    if members.ndim != 4:
        target.file.refuse(f"{_NAME} without members, which are what is calibrated")
    sea = np.isfinite(members).all(axis=(0, 1))
    progress.stage("calibration", "begun")
    fields, told = [], []
    for lead, field in zip(target.file.leads, members, strict=True):
        ranked = field[:, sea]
        here = target.lead(lead, record, sea)
        found = _learnt(past, lead, record, sea, here)
        levels = (np.arange(len(ranked)) + 0.5) / len(ranked)
        values = np.full(field.shape, np.nan, np.float32)
        sorted_values = calibrating.quantiles(found.calibration, found.lead, levels)
        values[:, sea] = calibrating.in_order_of(ranked, sorted_values)
        fields.append(values)
        told.append({"lead_hours": float(lead / HOUR), **found.told})
        progress.advance(len(fields), len(members))
    _write(forecast, target.file, np.stack(fields, axis=1), out)
    return {
        "file": str(out),
        "start": iso(target.start),
        "members": members.shape[1],
        "leads": told,
    }


def _by_start(paths, target):
    """Forecasts that begin before another, each start once."""
    found = {}
    for one in map(_Forecast, paths):
        one.file.check_same_place(target.file)
        if one.start in found:
            one.file.refuse(f"the start {iso(one.start)} of {found[one.start].file.path}")
        found[one.start] = one
    return [one for start, one in sorted(found.items()) if start < target.start]


class _Forecast:
    """Mean and spread of the concentration of a forecast in a file."""

    def __init__(self, path):
        self.file = FieldFile(path)
        self.start = self.file.start
        if _NAME not in self.file.names:
            self.file.refuse("no concentration")
        if self.file.times[0] != self.start:
            self.file.refuse("no field at its start; expected the lead 0 as the first time")
        fields = self.file.series(_NAME)
        if fields.ndim == 3:
            self._mean, self._spread = fields, self._spread_beside()
        elif fields.shape[1] < _LEAST_MEMBERS:
            self.file.refuse(f"fewer than {_LEAST_MEMBERS} members of {_NAME}")
        else:
            self._mean, self._spread = fields.mean(axis=1), fields.std(axis=1, ddof=1)

    def _spread_beside(self):
        """The spread that `floecast forecast` writes beside the mean."""
        name = f"{_NAME}_spread"
        with read_dataset(self.file.path) as data:
            if name not in data:
                self.file.refuse(f"neither members of {_NAME} nor {name}")
            return np.asarray(values_of(data[name].transpose("time", "y", "x"), self.file.path))

    def lead(self, lead, record, sea):
        """`calibration.Lead` without its outcome; None where a field or an observation lacks."""
        found = np.flatnonzero(self.file.leads == lead)
        observed = record.at(self.start)
        if not found.size or observed is None:
            return None
        mean_start, mean, spread = (
            field[sea].astype(float)
            for field in (self._mean[0], self._mean[found[0]], self._spread[found[0]])
        )
        start = np.where(np.isfinite(observed[sea]), observed[sea], mean_start)
        normals = record.normals(self.start, self.start + int(lead))
        given = calibrating.predictors(mean_start, mean, start, *(one[sea] for one in normals))
        # A normal that a cell lacks says nothing there.
        return calibrating.Lead(self.start, start, np.nan_to_num(given), spread)


class _Record:
    """What had been observed when a forecast began."""

    def __init__(self, paths, like, now):
        files = [FieldFile(path) for path in paths]
        places = []
        for file in files:
            file.check_same_place(like)
            if _NAME not in file.names:
                file.refuse("no concentration")
            places += [(int(time), file, index) for index, time in enumerate(file.times)]
        # The observation nearest to the start may be of the hours after it, of the same day.
        self._places = sorted((p for p in places if p[0] <= now + _NEAR), key=lambda p: p[0])
        times = np.array([time for time, _, _ in self._places], np.int64)
        if times.size == 0:
            raise InputError(f"nothing was observed up to {iso(now)}; give more files --observed")
        if np.any(np.diff(times) == 0):
            twice = iso(int(times[:-1][np.diff(times) == 0][0]))
            raise InputError(f"two observed fields of {twice}; give each time once")
        self.times, self._now = times, now
        self._past = PastYears(times, self._field, window_days=_WINDOW)

    def _field(self, index):
        _, file, number = self._places[index]
        field = file.at(_NAME, number)
        if field.ndim != 2:
            file.refuse("members; expected one observed field a time")
        return field

    def at(self, time):
        """(y, x) field of the day, None where there is none."""
        index = int(np.argmin(np.abs(self.times - time)))
        if abs(self.times[index] - time) > _NEAR:
            return None
        field = self._past.field(index)
        return field if np.isfinite(field).any() else None

    def outcome(self, time):
        """As `at`, for a time up to the start of the forecast alone."""
        return self.at(time) if time <= self._now else None

    def normals(self, start, time):
        """Means of other years at two dates; empty where one is not known."""
        if self._past.knows(start) and self._past.knows(time):
            return self._past.normal(start), self._past.normal(time)
        return ()


class _Learnt:
    """A calibration with the lead that it is for."""

    def __init__(self, calibration, lead, told):
        self.calibration, self.lead, self.told = calibration, lead, told


def _learnt(past, lead, record, sea, here):
    """Calibration of a lead by all earlier forecasts, with the normals where enough have them."""
    cases = []
    for one in past:
        outcome = record.outcome(one.start + int(lead))
        found = None if outcome is None else one.lead(lead, record, sea)
        if found is not None:
            cases.append(found._replace(outcome=outcome[sea].astype(float)))
    full = [one for one in cases if len(one.predictors) == len(here.predictors)]
    weight = sum(calibrating.season_weight(here.start, one.start) for one in full)
    if weight < calibrating.FEWEST:
        here, *cases = (one._replace(predictors=one.predictors[:2]) for one in (here, *cases))
        full = cases
    found = calibrating.calibration(full, here.start)
    weights = [calibrating.season_weight(here.start, one.start) for one in full]
    told = {
        "earlier_forecasts": len(full),
        "weight": round(sum(weights), 2),
        "factors": [round(float(one), 3) for one in found.factors],
    }
    return _Learnt(found, here, told)


def _write(path, file, values, out):
    """Write the members in the place of those of the forecast, without its other variables."""
    name = file.names[_NAME]
    with read_dataset(path) as data:
        dims = [dim for dim in data[name].dims if dim not in ("time", "y", "x")]
        made = data[[name, *_mapping(data[name])]]
        # Members that failed on the way are not among the values.
        made = made.isel({dims[0]: slice(len(values))}).load()
    ordered = made[name].transpose(*dims, "time", "y", "x")
    made[name] = ordered.copy(data=values)
    kept = {key: one for key, one in made[name].encoding.items() if key == "grid_mapping"}
    made[name].encoding = {"_FillValue": FILL, **kept}
    made[name].attrs["units"] = "1"
    made[name].attrs["comment"] = "calibrated by earlier forecasts and what was observed"
    made.attrs["title"] = "Sea-ice ensemble forecast, calibrated members"
    out.parent.mkdir(parents=True, exist_ok=True)
    write_netcdf(made, out)


def _mapping(variable):
    """Name of the variable that tells the projection, if there is one."""
    told = variable.encoding.get("grid_mapping", variable.attrs.get("grid_mapping"))
    return [] if told is None else [told]
