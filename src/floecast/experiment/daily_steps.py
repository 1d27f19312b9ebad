"""One analysis of a daily operation, and the forecast from the last one."""

import json
import shutil
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

from floecast.assimilation.bounds import IceControl
from floecast.atmosphere.forcing import FilledForcing
from floecast.atmosphere.weather import SyntheticWeather
from floecast.core.calendar import DAY, iso
from floecast.core.ensemble import count
from floecast.core.errors import InputError
from floecast.core.keys import named_key
from floecast.forecast.ensemble import forecast
from floecast.io.cf import read_dataset
from floecast.io.run_folder import RunFolder, input_record
from floecast.report.page import write_report

from . import analysis, background, files
from .assimilation import perturbed
from .case import Case
from .daily_archive import MEMBERS, whole_folder
from .daily_calibration import calibrated
from .daily_inputs import digest
from .forecast import failures
from .methods import static_covariance, steps_of_window
from .simulate import HEIGHTS_ALOFT

SHOWN = ("analysis.nc", "observations.nc")
"""Of the analysis, what the report of its forecast shows."""


class Steps:
    """Analyses and forecasts of one operation.

    Parameters
    ----------
    config : CycleConfig
    archive : Archive
    inputs : Inputs
    progress : progress
        See `floecast.progress`.

    Raises
    ------
    InputError
        If the window is not whole steps of the model, or the background's files are not there.
    """

    def __init__(self, config, archive, inputs, progress):
        self.config, self.archive, self.inputs, self.progress = config, archive, inputs, progress
        case = self._case(archive.first)
        self.grid, self.begin = case.grid, case.background_time
        if config.model.kind == "emulator":
            steps_of_window(config, case.model())

    def start_of(self, time):
        """Time of the members that an analysis begins with [s since 2000-01-01]."""
        return self.begin if time == self.archive.first else time - self.archive.every

    def read(self, time, noted):
        """What there is for an analysis.

        Parameters
        ----------
        time : int
            [s since 2000-01-01]
        noted : dict
            Notes and warnings for the manifest.

        Returns
        -------
        observations : Observations
        weather : Forcing or None
        counts : dict of str to int
            Observations of each product.
        """
        start = self.start_of(time)
        offer = self.inputs.offer(time, start)
        seen, counts = self.inputs.read(offer, self.grid, noted)
        weather = self.inputs.read_weather(offer.weather, self.grid, start, time, noted)
        return seen, weather, counts

    def analyse(self, time, previous):
        """Make an analysis and put it into the archive.

        Parameters
        ----------
        time : int
            [s since 2000-01-01]
        previous : Entry or None
            The analysis before; None for the first.
        """
        noted = {"notes": [], "warnings": []}
        seen, weather, counts = self.read(time, noted)
        offer = self.inputs.offer(time, self.start_of(time))
        missing = self.inputs.missing(time, counts)
        tree = self._tree(time) | {
            "cycle": {
                "previous": None if previous is None else previous.files[MEMBERS],
                "files": {name: self.inputs.checksum(name) for name in offer.files},
                "counts": counts,
                "digest": digest(seen, weather),
                "missing": missing,
            }
        }
        with whole_folder(self.archive.path(time)) as path:
            folder = RunFolder(path, tree)
            with folder.stage("analysis", analysis.products(self.config)) as told:
                for kind, lines in noted.items():
                    told[kind] += lines
                told["warnings"] += [f"{name}: nothing has come." for name in missing]
                told["inputs"] += [
                    input_record(self.inputs.data / name, self.inputs.data) for name in offer.files
                ]
                start, case = self._members(time, previous, weather, folder, told)
                none = seen.select(slice(0, 0))
                analysis.analyse(case, start, seen, none, told)

    def forecast(self, entry, mark):
        """Make the forecast of an analysis and its report, and put them into the archive.

        Parameters
        ----------
        entry : Entry
        mark : dict
            What it is made from, see `mark_of`.
        """
        config = self.config
        with whole_folder(self.archive.forecast(entry.time)) as path:
            folder = RunFolder(path, self._tree(entry.time) | {"cycle": mark})
            for name in SHOWN:
                shutil.copyfile(entry.path / name, path / name)
            with folder.stage("forecast", ["forecast.nc", "forecast_members.nc"]) as noted:
                noted["warnings"] += entry.manifest["warnings"]
                ensemble = files.read_states(entry.path / MEMBERS, self.grid)
                end = entry.time + config.forecast.days * DAY
                names = tuple(mark["weather"])
                known = self.inputs.read_weather(names, self.grid, entry.time, end, noted)
                case = self._case(entry.time, self._weather(known), _cover(ensemble))
                weather = case.weather
                if config.model.boundary_layer:
                    weather = [one.with_aloft(HEIGHTS_ALOFT) for one in weather]
                out = forecast(
                    case.forecast_model(),
                    ensemble,
                    weather[: count(ensemble)],
                    days=config.forecast.days,
                    key=case.key("forecast", "model"),
                    start=entry.time,
                    progress=self.progress.advance,
                )
                noted["warnings"] += failures(out.healthy, "forecast")
                files.write_forecast(path / "forecast.nc", out)
                files.write_members(path / "forecast_members.nc", out)
            if config.calibration is not None:
                made, notes = calibrated(
                    path,
                    entry.time,
                    product=config.calibration.product,
                    grid=self.grid,
                    archive=self.archive,
                    inputs=self.inputs,
                )
                with folder.stage("calibration", made) as noted:
                    noted["notes"] += notes
            with folder.stage("report", ["report.html"]):
                write_report(path)

    def mark_of(self, entry):
        """What the forecast of an analysis is to be made from, as plain JSON values."""
        end = entry.time + self.config.forecast.days * DAY
        names = self.inputs.weather(entry.time, end)
        mark = {
            "analysis": entry.files[MEMBERS],
            "days": self.config.forecast.days,
            "weather": {name: self.inputs.checksum(name) for name in names},
        }
        if self.config.calibration is not None:
            mark["calibrated_to"] = self.config.calibration.product
        return mark

    def line_of(self, entry):
        """Diagnostics of an analysis, as plain JSON values."""
        told = _diagnostics(entry.path / "diagnostics.json")
        cycle = {key: entry.cycle[key] for key in ("digest", "counts", "missing")}
        spread = _spreads(entry.path / "analysis.nc", self.grid)
        return {"time": iso(entry.time), **cycle, "spread": spread, **told}

    def _members(self, time, previous, weather, folder, noted):
        """Members at the start of the window, with errors of the model, and their case."""
        members = self.config.ensemble.members
        each = self._weather(weather)
        if previous is None:
            case = self._case(time, each, folder=folder)
            background.make(case, noted)
            path = folder.file("background_ensemble.nc")
            start = files.read_states(path, self.grid)
            path.unlink()
        else:
            start = files.read_states(previous.path / MEMBERS, self.grid)
            case = self._case(time, each, _cover(start), folder)
            start = background.carried(case, _refilled(start, members), previous.time, noted)
        start = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), start)
        start = _refilled(start, members)
        if self._errors is not None:
            start = perturbed(start, self._errors, IceControl(), case.key("model error"))
        return start, case

    @cached_property
    def _errors(self):
        """Covariance of what a cycle adds to the errors of the members."""
        section = self.config.model_error
        sizes = section.concentration, section.thickness, section.snow
        if not any(sizes):
            return None
        return static_covariance(self.grid, 1e3 * section.length_km, *sizes)

    def _case(self, time, weather=None, cover=None, folder=None):
        return Case(
            self.config,
            folder,
            self.inputs.data,
            self.progress,
            time=time,
            weather=weather,
            concentration=cover,
        )

    @cached_property
    def _drawn(self):
        """Weather of each member, the same in all cycles and forecasts."""
        return [
            SyntheticWeather.draw(named_key(self.config.seed, "weather", number), self.grid)
            for number in range(self.config.ensemble.members)
        ]

    def _weather(self, known):
        """Weather of each member: of files, and its own for what they lack."""
        return self._drawn if known is None else [FilledForcing(known, one) for one in self._drawn]

    def _tree(self, time):
        return self.config.model_dump(mode="json") | {"analysis_time": iso(time)}


def _cover(ensemble):
    """Mean concentration, that the ocean is warm beyond [1]."""
    return np.asarray(jnp.mean(ensemble.concentration, axis=0))


def _refilled(ensemble, members):
    """As many members as there shall be: the first ones stand in for those that were left out."""
    there = count(ensemble)
    if there == members:
        return ensemble
    return jax.tree.map(lambda leaf: jnp.asarray(leaf)[np.arange(members) % there], ensemble)


def _diagnostics(path):
    """What an analysis noted of its observations."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise InputError(
            f"{path} is damaged or gone; restore it, or delete {path.parent} so that the analysis "
            "is made again"
        )
    return told


def _spreads(path, grid):
    """Root-mean-square spread over the ocean before and after an analysis, by field."""
    area = np.where(grid.mask_t, grid.area, 0.0)
    with read_dataset(path) as dataset:
        return {
            name: {
                when: float(np.sqrt(np.sum(area * np.nan_to_num(values) ** 2) / area.sum()))
                for when, values in (
                    ("background", dataset[f"{name}_background_spread"].values),
                    ("analysis", dataset[f"{name}_spread"].values),
                )
            }
            for name in ("concentration", "ice_volume")
        }
