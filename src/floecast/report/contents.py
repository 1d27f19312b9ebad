"""What a run folder holds, read and checked before anything is drawn."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from floecast.core.errors import InputError
from floecast.io.cf import read_dataset
from floecast.io.run_folder import read_manifest
from floecast.verification.scorecard import Scorecard

_MAKERS = {"analysis.nc": "assimilate", "forecast.nc": "forecast"}


@dataclass(frozen=True)
class Contents:
    """Products of a run.

    Parameters
    ----------
    manifest : dict
    analysis, forecast : Dataset
    verification : Dataset or None
        On the times of the forecast, NaN where nothing is known.
    observations : Dataset or None
    scores : Scorecard
        Empty where the run has none.
    """

    manifest: dict
    analysis: xr.Dataset
    forecast: xr.Dataset
    verification: xr.Dataset | None
    observations: xr.Dataset | None
    scores: Scorecard

    @property
    def twin(self):
        """Whether the truth is known everywhere because a model made it."""
        return self.manifest["config"].get("background", {}).get("source") == "twin"

    @property
    def polar(self):
        """Whether the grid lies on the map of EPSG:3413."""
        return "crs" in self.analysis.variables

    @property
    def title(self):
        """Title of the case, or the name of the run."""
        return self.manifest["config"].get("title") or self.manifest["name"]

    @property
    def issued(self):
        """Valid time of the analysis, text."""
        return time_text(self.analysis["time"].values)

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
    """Read the products of a run.

    Parameters
    ----------
    folder : path-like

    Returns
    -------
    Contents

    Raises
    ------
    InputError
        If the manifest, the analysis or the forecast is missing or has no concentration.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    analysis, forecast = (_required(folder / name) for name in _MAKERS)
    verification = _optional(folder / "verification.nc")
    if verification is not None:
        verification = verification.reindex(time=forecast["time"])
    card = folder / "scorecard.json"
    return Contents(
        manifest=manifest,
        analysis=analysis,
        forecast=forecast,
        verification=verification,
        observations=_optional(folder / "observations.nc"),
        scores=Scorecard.from_json(card) if card.exists() else Scorecard([]),
    )


def time_text(time):
    """A datetime64 to the minute, such as ``2015-01-01 00:00 UTC``."""
    return np.datetime_as_string(time, "m").replace("T", " ") + " UTC"


def _required(path):
    command = f"floecast {_MAKERS[path.name]} --config CONFIG --out {path.parent}"
    if not path.is_file():
        raise InputError(f"{path} is missing; make it with `{command}`")
    dataset = _loaded(path)
    if "concentration" not in dataset or "time" not in dataset:
        raise InputError(f"{path} has no concentration and time; make it anew with `{command}`")
    return dataset


def _optional(path):
    return _loaded(path) if path.exists() else None


def _loaded(path):
    """What the pages show of a file: everything but single members."""
    with read_dataset(path) as dataset:
        return dataset.drop_dims("realization", errors="ignore").load()
