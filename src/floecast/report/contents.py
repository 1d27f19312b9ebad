"""What a folder of a run or of a forecast holds, read and checked before anything is drawn."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from floecast.core.errors import InputError
from floecast.io.cf import read_dataset
from floecast.io.run_folder import checksum, read_manifest
from floecast.verification.scorecard import Scorecard

ANALYSIS, ENSEMBLE, MEMBERS = "analysis.nc", "analysis_ensemble.nc", "forecast_members.nc"


@dataclass(frozen=True)
class Contents:
    """Products of a run, or of a forecast from the analysis of one.

    Parameters
    ----------
    folder : Path
    manifest : dict
    analysis : Dataset or None
        With the background; None for a forecast whose analysis is not there, or has no such file.
    forecast : Dataset
    verification : Dataset or None
        On the times of the forecast, NaN where nothing is known.
    observations : Dataset or None
    notes : list of str
        Of the run, after those of the analysis that it began from.
    diagnostics : dict
        Of the analysis; empty where there are none.
    edge, dates, trajectories : Dataset or None
        Ice edge, freeze-up and break-up, drifters.
    scores : Scorecard
        Empty where the run has none.
    """

    folder: Path
    manifest: dict
    analysis: xr.Dataset | None
    forecast: xr.Dataset
    verification: xr.Dataset | None
    observations: xr.Dataset | None
    notes: list
    diagnostics: dict
    edge: xr.Dataset | None
    dates: xr.Dataset | None
    trajectories: xr.Dataset | None
    scores: Scorecard

    @property
    def config(self):
        """Configuration of the run."""
        return self.manifest["config"]

    @property
    def start(self):
        """Fields at the start: those of the analysis, else the first time of the forecast."""
        return self.forecast.isel(time=0) if self.analysis is None else self.analysis

    @property
    def twin(self):
        """Whether the truth is known everywhere because a model made it."""
        return (
            self.config.get("background", {}).get("source") in ("twin", "simulated")
            or of_analysis(self.manifest)
            and self.weather == "forecast"
        )

    @property
    def weather(self):
        """What the forecast knows of the weather; None where the configuration does not tell."""
        return self.config.get("weather", {}).get("knowledge")

    @property
    def members(self):
        """File of the members of the forecast; None where they were not kept."""
        file = self.folder / MEMBERS
        return file if file.is_file() else None

    @property
    def polar(self):
        """Whether the grid lies on the map of EPSG:3413."""
        return "crs" in self.forecast.variables

    @property
    def title(self):
        """Title of the case, or the name of the run."""
        return self.config.get("title") or self.manifest["name"]

    @property
    def issued(self):
        """Valid time of the analysis, text."""
        return time_text(self.start["time"].values)

    @property
    def leads(self):
        """Lead of each forecast time [h]."""
        times = self.forecast["time"].values
        return [int(round((time - times[0]) / np.timedelta64(1, "h"))) for time in times]

    @property
    def valid_times(self):
        """Each forecast time, text."""
        return [time_text(time) for time in self.forecast["time"].values]


def read_contents(folder):
    """Read the products of a run, or of a forecast from an analysis.

    Parameters
    ----------
    folder : path-like

    Returns
    -------
    Contents

    Raises
    ------
    InputError
        If the manifest, the forecast or, in a run, the analysis is missing or has no concentration.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    if of_analysis(manifest):
        source = _analysis_folder(manifest)
        analysis = None if source is None else _loaded(source / ANALYSIS)
        forecast = _required(folder / "forecast.nc", "forecast --analysis FOLDER")
    else:
        source = folder
        analysis = _required(folder / ANALYSIS, "assimilate --config CONFIG")
        forecast = _required(folder / "forecast.nc", "forecast --config CONFIG")
    verification = _optional(folder / "verification.nc")
    if verification is not None:
        verification = verification.reindex(time=forecast["time"])
    card = folder / "scorecard.json"
    return Contents(
        folder=folder,
        manifest=manifest,
        analysis=analysis,
        forecast=forecast,
        verification=verification,
        observations=None if source is None else _optional(source / "observations.nc"),
        notes=_notes(manifest, folder, source),
        diagnostics={} if source is None else _diagnostics(source / "diagnostics.json"),
        edge=_optional(folder / "ice_edge.nc"),
        dates=_optional(folder / "ice_dates.nc"),
        trajectories=_optional(folder / "trajectories.nc", members=True),
        scores=Scorecard.from_json(card) if card.exists() else Scorecard([]),
    )


def of_analysis(manifest):
    """Whether a manifest is of ``floecast forecast --analysis``, where `analysis` is a path."""
    return isinstance(manifest["config"].get("analysis"), str)


def _notes(manifest, folder, source):
    if source in (None, folder) or not (source / "manifest.json").is_file():
        return manifest["notes"]
    # What the analysis noted of a forecast of its own does not concern this one.
    before = [
        note
        for stage in read_manifest(source)["stages"]
        if stage["name"] in ("background", "analysis")
        for note in stage.get("notes", [])
    ]
    return [*before, *manifest["notes"]]


def _analysis_folder(manifest):
    """Folder of the very analysis that a forecast began from; None where it has no maps."""
    path = Path(manifest["config"]["analysis"])
    folder = path if path.is_dir() else path.parent
    ensemble = folder / ENSEMBLE
    if not (ensemble.is_file() and (folder / ANALYSIS).is_file()):
        return None
    return folder if checksum(ensemble) == manifest["config"].get("analysis_sha256") else None


def time_text(time):
    """A datetime64 to the minute, such as ``2015-01-01 00:00 UTC``."""
    return np.datetime_as_string(time, "m").replace("T", " ") + " UTC"


def _required(path, stage):
    command = f"floecast {stage} --out {path.parent}"
    if not path.is_file():
        raise InputError(f"{path} is missing; make it with `{command}`")
    dataset = _loaded(path)
    if "concentration" not in dataset or "time" not in dataset:
        raise InputError(f"{path} has no concentration and time; make it anew with `{command}`")
    return dataset


def _optional(path, members=False):
    return _loaded(path, members) if path.exists() else None


def _loaded(path, members=False):
    """What the pages show of a file; single members only where they are asked for."""
    with read_dataset(path) as dataset:
        if not members:
            dataset = dataset.drop_dims("realization", errors="ignore")
        return dataset.load()


def _diagnostics(path):
    if not path.is_file():
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise InputError(f"{path} is no JSON; make it anew with `floecast assimilate`") from None
