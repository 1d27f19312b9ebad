"""Configuration: one section a stage, and the only home of defaults.

A configuration becomes objects in `floecast.experiment` and never reaches the numerics.
Longer than 400 lines because the sections of a run, and what of them fits together, are one schema.
"""

from datetime import datetime, time
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from floecast.core.errors import InputError
from floecast.yaml_text import LONGEST, parse_yaml

Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Members = Annotated[int, Field(ge=3, le=1000)]


def _below_data_folder(name):
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError("must be a path below the data folder, without ..")
    return name


def _pattern(name):
    parts = PurePosixPath(name).parts
    if not parts or "\0" in name or any("**" in part and part != "**" for part in parts):
        raise ValueError("must be the name of a file or a pattern; ** stands between slashes alone")
    return name


def _in_utc(moment):
    if moment.tzinfo is not None:
        raise ValueError("write times in UTC, without a time zone")
    if not 1933 <= moment.year <= 2067:
        raise ValueError("years from 1933 to 2067 can be told")
    return moment


Kind = Literal[
    "concentration",
    "thickness",
    "drift_u",
    "drift_v",
    "freeboard",
    "laser_freeboard",
    "snow_depth",
]
StateField = Literal["concentration", "ice_volume", "snow_volume", "u", "v", "damage"]
FileName = Annotated[str, Field(min_length=1), AfterValidator(_below_data_folder)]
FilePattern = Annotated[FileName, AfterValidator(_pattern)]
FileNames = Annotated[list[FilePattern], Field(min_length=1)]
Time = Annotated[datetime, AfterValidator(_in_utc)]


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, numbers finite, values fixed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ModelSection(Section):
    """The forecast model: free drift and freezing of our own, or a neural emulator."""

    kind: Literal["free_drift", "emulator"] = Field(
        "free_drift",
        description="`weights` and `boundary_layer` are for emulator, what follows for free_drift",
    )
    weights: FileName | None = Field(
        None, description="file of an emulator, below the data folder; the shipped one if left out"
    )
    boundary_layer: bool = Field(
        False,
        description="columns of air over the emulated ice in the forecast, which feel it; without, "
        "the 10 m wind and 2 m air of the weather act on it",
    )
    step_hours: Positive = Field(6.0, description="length of a step [h]")
    wind_factor: Positive = Field(0.016, description="ice speed over 10 m wind speed [1]")
    turning_angle: float = Field(
        22.0, description="of the drift to the right of the wind [degrees]"
    )
    open_water_heat_flux: Annotated[float, Field(ge=0)] = Field(
        300.0, description="from the ocean far from the initial ice, which keeps it away [W/m2]"
    )
    open_water_distance_km: Positive = Field(
        50.0, description="over which that flux rises with distance from the initial ice [km]"
    )


class FileBackground(Section):
    """Background from a thickness field and a concentration field."""

    source: Literal["files"] = "files"
    thickness: FileName = Field(
        description="file with a model thickness field (mean over the ice), under the data folder"
    )
    concentration: FileName = Field(
        description="file with daily concentrations, under the data folder"
    )
    date: Time = Field(description="valid time of the background state [UTC]")


class TwinBackground(Section):
    """Background of a twin experiment: every member lived through weather of its own."""

    source: Literal["twin"] = "twin"
    spin_up_days: Annotated[int, Field(ge=1, le=366)] = Field(
        45, description="truth and members each run this long before the analysis [d]"
    )
    truth_wind_factor: Positive = Field(
        0.018, description="of the truth's drift, which the forecast model does not know [1]"
    )
    truth_turning_angle: float = Field(25.0, description="of the truth's drift [degrees]")


class SimulatedBackground(Section):
    """Background of a twin whose truth is a run of the simulator: brittle ice, under its own air.

    It begins on the fifth of a month, the truth from a simulated state that ships with floecast,
    the members from those of other years at that date; they know the weather as an analysis does.
    """

    source: Literal["simulated"] = "simulated"
    boundary_layer: bool = Field(True, description="whether the air of the truth feels its ice")


class EnsembleSection(Section):
    """How the initial ensemble is spread around the background."""

    members: Members = 40
    displacement_km: Positive = Field(75.0, description="of the ice from its true place [km]")
    displacement_length_km: Positive = Field(200.0, description="correlation length [km]")
    thickness_floor: Positive = Field(0.1, description="thickness error of thin ice [m]")
    thickness_share: Fraction = Field(0.1, description="thickness error over thickness [1]")
    thickness_lengths_km: tuple[Positive, ...] = Field(
        (120.0, 350.0), min_length=1, description="correlation lengths, of equal variance [km]"
    )
    concentration: Fraction = Field(0.1, description="error at half cover [1]")
    concentration_length_km: Positive = Field(150.0, description="correlation length [km]")


class FileObservations(Section):
    """Observations from one file."""

    file: FileName = Field(description="under the data folder")
    start: Time = Field(description="first time taken [UTC]")
    end: Time = Field(description="end of the times taken [UTC]")
    error: Positive | None = Field(None, description="standard error in place of the product's")
    withhold: bool = Field(
        False, description="keep every second 100 km block out of the analysis, for verification"
    )


class TwinObservations(Section):
    """Observations drawn from the truth of a twin experiment."""

    concentration: bool = Field(True, description="daily concentration over the whole domain")
    thickness: bool = Field(True, description="altimeter tracks, ice thicker than open water only")
    withhold: bool = Field(True, description="keep every second 100 km block of thickness out")


class AnalysisSection(Section):
    """The analysis: LETKF, or En4DVar whose members stand about it with the LETKF's anomalies."""

    method: Literal["letkf", "en4dvar"] = Field("letkf", description="en4dvar needs a window")
    window_hours: Annotated[int, Field(ge=0, le=240)] = Field(
        0,
        description="of weather before the analysis that the members live through with what is "
        "observed there; 0: all observations are taken as of one instant [h]",
    )
    concentration_half_width_km: Positive = Field(
        150.0, description="Gaspari-Cohn half-width c of the localisation; zero beyond 2 c [km]"
    )
    thickness_half_width_km: Positive = Field(400.0, description="the same for thickness [km]")
    drift_half_width_km: Positive = Field(300.0, description="the same for drift [km]")
    updates: dict[Kind, tuple[StateField, ...]] = Field(
        {
            "concentration": ("concentration",),
            "thickness": ("ice_volume", "snow_volume"),
            "drift_u": ("u", "v"),
            "drift_v": ("u", "v"),
        },
        description="fields that observations of each kind may change; covariances between the "
        "others are too weak in winter for an ensemble of this size to know",
    )
    inflation: Annotated[float, Field(ge=1)] = Field(
        1.0, description="of the prior variance; 1 is none [1]"
    )
    relaxation: Fraction = Field(0.0, description="of the spread to the prior's (RTPS) [1]")
    shared_error: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.5, description="share of the error variance common to a group of observations [1]"
    )
    gross_check: Positive = Field(5.0, description="rejected beyond this many standard deviations")
    ensemble_weight: Fraction = Field(
        0.8, description="share of the ensemble in the covariance of en4dvar, as all that follows"
    )
    static_length_km: Positive = Field(200.0, description="of the static correlations [km]")
    static_concentration: Positive = Field(0.08, description="static error at half cover [1]")
    static_thickness: Positive = Field(0.1, description="static error [m]")
    outer: Annotated[int, Field(ge=1, le=10)] = Field(2, description="linearisations")
    inner: Annotated[int, Field(ge=1, le=200)] = Field(20, description="Lanczos steps of each")


class WeatherSection(Section):
    """The weather that drives the forecast members."""

    knowledge: Literal["forecast", "climatology", "file"] = Field(
        description="forecast: the truth's weather with an error that grows with lead (twin only); "
        "climatology: each member draws weather of its own; file: all members have the weather of "
        "a file, and what the file lacks from weather of their own"
    )
    file: FileName | FileNames | None = Field(
        None,
        description="weather file under the data folder, or a list of files and of patterns such "
        "as era5/2015-*.nc, on the same cells; ERA5 on model levels among them gives the air aloft",
    )


class ForecastSection(Section):
    """The ensemble forecast."""

    days: Annotated[int, Field(ge=1, le=15)] = 10


class VerificationSection(Section):
    """What the forecast is set against."""

    concentration: FileName | None = Field(
        None,
        description="file with daily concentrations, under the data folder; the truth in twins",
    )
    thickness_climatology: FileName | None = Field(
        None, description="file with a thickness climatology, under the data folder"
    )


class Config(Section):
    """A whole run."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80)]
    title: str = ""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    grid: Literal["arctic100", "arctic50", "arctic25", "arctic12"] = "arctic50"
    analysis_time: Time = Field(description="[UTC]")
    background: Annotated[
        FileBackground | TwinBackground | SimulatedBackground, Field(discriminator="source")
    ]
    ensemble: EnsembleSection = EnsembleSection()
    model: ModelSection = ModelSection()
    observations: list[FileObservations] | TwinObservations
    analysis: AnalysisSection = AnalysisSection()
    weather: WeatherSection
    forecast: ForecastSection = ForecastSection()
    verification: VerificationSection = VerificationSection()

    @property
    def twin(self):
        """Whether the truth is a model run of our own."""
        return self.background.source in ("twin", "simulated")

    @property
    def simulated(self):
        """Whether that is a run of the simulator."""
        return self.background.source == "simulated"

    @model_validator(mode="after")
    def _sections_fit(self):
        if self.twin != isinstance(self.observations, TwinObservations):
            raise ValueError(
                "a twin background goes with `observations: {}`, a file background with a list"
            )
        if self.twin and self.verification.concentration is not None:
            raise ValueError("verification.concentration: a twin is scored against its truth")
        if not self.twin and self.weather.knowledge == "forecast":
            raise ValueError("weather.knowledge: forecast needs a twin; use climatology")
        step, day = 3600 * self.model.step_hours, 24 * 3600
        if not 1 <= step <= day or day % round(step):
            raise ValueError("model.step_hours must divide a day and be at least a second")
        sources = self.observations
        if isinstance(sources, TwinObservations):
            some = sources.concentration or sources.thickness
        else:
            some = bool(sources)
        if not some:
            raise ValueError("observations: none to assimilate")
        if (self.weather.knowledge == "file") != (self.weather.file is not None):
            raise ValueError("weather.knowledge: file and weather.file go together")
        if isinstance(self.background, FileBackground):
            hours = (self.analysis_time - self.background.date).total_seconds() / 3600
            hours -= self.analysis.window_hours
            if hours < 0 or hours % 24:
                raise ValueError(
                    "analysis_time, less analysis.window_hours, must be whole days after "
                    "background.date"
                )
        if self.analysis.method == "en4dvar" and not self.analysis.window_hours:
            raise ValueError("analysis.method: en4dvar needs analysis.window_hours, such as 24")
        if self.simulated:
            self._simulated_fits()
        elif self.twin and self.analysis.window_hours:
            raise ValueError(
                "analysis.window_hours: a twin whose truth drifts freely has its observations at "
                "one instant; with `background.source: simulated` it has windows"
            )
        elif self.twin and self.model.kind == "emulator":
            raise ValueError(
                "model.kind: the truth of this twin drifts freely; the emulator is for "
                "`background.source: simulated`"
            )
        if self.model.kind != "emulator":
            if self.model.weights is not None:
                raise ValueError("model.weights: these are of `kind: emulator`")
            if self.model.boundary_layer:
                raise ValueError("model.boundary_layer: this is of `kind: emulator`")
        if self.model.boundary_layer and self.weather.knowledge == "file":
            raise ValueError("model.boundary_layer: weather from files drives no columns yet")
        if self.model.kind == "emulator" and not self.model.weights:
            if self.grid not in ("arctic100", "arctic50"):
                raise ValueError(f"model.weights: none ship for {self.grid}")
        return self

    def _simulated_fits(self):
        window = self.analysis.window_hours
        if not window or window % 24:
            raise ValueError("background.source: simulated needs analysis.window_hours, whole days")
        if self.analysis_time.time() != time():
            raise ValueError("analysis_time: with background.source: simulated, begin at 00:00")
        if self.grid not in ("arctic100", "arctic50"):
            raise ValueError(f"background.source: no simulated states ship for {self.grid}")


MOST_TOLD = 20
"""Faults of a configuration that a message names."""

STARTING_CONFIG = {
    "name": "my_run",
    "analysis_time": "2030-01-15T12:00:00",
    "background": {"source": "twin"},
    "observations": {},
    "weather": {"knowledge": "forecast"},
}
"""What `floecast config init` starts from."""


def load_config(path, overrides=(), schema=None):
    """Read and check a YAML configuration.

    Parameters
    ----------
    path : path-like
    overrides : sequence of str
        Such as ``"analysis.inflation=1.1"`` or ``"observations.0.error=0.3"``; the value is read as
        YAML. A list is counted from 0 and does not grow.
    schema : type, optional
        `Section` to check against; `Config` if left out.

    Returns
    -------
    Config

    Raises
    ------
    InputError
        If the file is missing, is not YAML, or a key or value is wrong; names the key.
    """
    return make_config(read_tree(path), str(path), schema=schema, overrides=overrides)


def read_tree(path):
    """What a YAML configuration holds, as a dictionary that is not checked; see `load_config`."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"no configuration at {path}")
    size = path.stat().st_size
    if size > 4 * LONGEST:
        raise InputError(f"{path} is no configuration: {size} bytes")
    try:
        tree = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise InputError(f"{path} holds no sections; see `floecast config init`")
    return tree


def make_config(tree, origin="configuration", *, schema=None, overrides=()):
    """Checked configuration from a dictionary; see `load_config`, `origin` names it in errors."""
    for override in overrides:
        _set(tree, override)
    schema = schema or Config
    try:
        return schema.model_validate(tree)
    except ValidationError as error:
        found = error.errors()
        # Of a value that may be a section or a list: not that it is no other kind than it is.
        kinds = ("list_type", "model_type")
        within = {item["loc"][:1] for item in found if item["type"] not in kinds}
        found = [
            item for item in found if item["type"] not in kinds or item["loc"][:1] not in within
        ]
        wrong = [f"{_key_of(item)}: {_told(item, schema)}" for item in found[:MOST_TOLD]]
        more = f"; and {len(found) - MOST_TOLD} more" * (len(found) > MOST_TOLD)
        raise InputError(f"{origin}: {'; '.join(wrong)}{more}") from None


def _key_of(item):
    return ".".join(str(part)[:80] for part in item["loc"]) or "top level"


def _told(item, schema):
    """What is wrong with a value; of a key that does not exist, the one that was meant."""
    if item["type"] != "extra_forbidden":
        return item["msg"].removeprefix("Value error, ")
    described = schema.model_json_schema()
    sections = [described, *described.get("$defs", {}).values()]
    keys = {key for section in sections for key in section.get("properties", {})}
    near = get_close_matches(str(item["loc"][-1])[:80], sorted(keys), n=1)
    return "no such key" + (f"; did you mean {near[0]}?" if near else "")


def _set(tree, override):
    path, separator, text = override.partition("=")
    if not separator or not path:
        raise InputError(f"--set takes a.b=value, not {override!r}")
    try:
        value = parse_yaml(text)
    except yaml.YAMLError as error:
        reason = getattr(error, "problem", None) or "cannot be read"
        raise InputError(f"--set {override}: the value is not YAML: {reason}") from None
    *parents, last = path.split(".")
    for part in parents:
        if isinstance(tree, dict):
            tree.setdefault(part, {})
        tree = tree[_place(tree, part, override)]
        if not isinstance(tree, dict | list):
            raise InputError(f"--set {override}: {part} is not a section")
    tree[_place(tree, last, override)] = value


def _place(tree, part, override):
    """Key of a section, or number of an item of a list, that a part of a path stands for."""
    if isinstance(tree, dict):
        return part
    if not (part.isdecimal() and int(part) < len(tree)):
        raise InputError(
            f"--set {override}: {part} is no item of a list of {len(tree)}, counted from 0"
        )
    return int(part)
