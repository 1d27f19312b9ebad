"""How a daily operation goes on: the schema of `floecast cycle`."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, model_validator

from floecast.config import (
    AnalysisSection,
    EnsembleSection,
    FileBackground,
    FileNames,
    ForecastSection,
    ModelSection,
    Positive,
    Section,
    Time,
    load_config,
)

Month = Annotated[int, Field(ge=1, le=12)]
YEAR = tuple(range(1, 13))


class ProductSection(Section):
    """One product of observations, found by what is in the files."""

    product: Annotated[str, Field(min_length=1)] = Field(
        description="its name, as `floecast observe FILE` tells it"
    )
    files: FileNames = Field(
        description="names and patterns below the data folder, such as sic/*.nc; files of other "
        "products among them are left aside"
    )
    every_hours: Annotated[int, Field(ge=1, le=1000)] = Field(
        24,
        description="from one record to the next [h]; later than that it is missing, and errors of "
        "records that last longer are made larger, as they share their data",
    )
    lag_hours: Annotated[int, Field(ge=0, le=1000)] = Field(
        0,
        description="from the centre of a record to its analysis [h]: 84 for means of seven days "
        "that come when these are over",
    )
    months: Annotated[tuple[Month, ...], Field(min_length=1)] = Field(
        YEAR, description="in which it is expected; in others its absence is no fault"
    )
    error: Positive | None = Field(None, description="standard error in place of the product's")


class WeatherSection(Section):
    """The weather that drives the members."""

    files: FileNames | None = Field(
        None,
        description="names and patterns of weather files below the data folder; all members have "
        "their weather where it lasts to the end of a cycle or forecast, and what these lack from "
        "weather of their own. Without, each member draws its own",
    )


class ModelErrorSection(Section):
    """What a cycle adds to the errors of the members, beside their weather; 0 for none."""

    concentration: Annotated[float, Field(ge=0)] = Field(0.045, description="at half cover [1]")
    thickness: Annotated[float, Field(ge=0)] = Field(0.03, description="[m]")
    snow: Annotated[float, Field(ge=0)] = Field(0.007, description="depth [m]")
    length_km: Positive = Field(200.0, description="of their correlations [km]")


class RetentionSection(Section):
    """What the archive keeps."""

    members_days: Annotated[int, Field(ge=2)] = Field(
        30,
        description="days of members; what comes later than so many is not used. All else is kept",
    )


class CalibrationSection(Section):
    """Calibration of each forecast by those before it; see `floecast calibrate`."""

    product: Annotated[str, Field(min_length=1)] = Field(
        description="of `observations`: the concentration that the forecasts are held against"
    )


class CycleConfig(Section):
    """A daily operation."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80)]
    title: str = ""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    grid: Literal["arctic100", "arctic50", "arctic25", "arctic12"] = "arctic50"
    first_analysis: Time = Field(description="[UTC]; the others follow at that hour")
    cycle_hours: Literal[24, 48] = Field(24, description="from one analysis to the next [h]")
    background: FileBackground
    ensemble: EnsembleSection = EnsembleSection()
    model: ModelSection = ModelSection()
    model_error: ModelErrorSection = ModelErrorSection()
    observations: Annotated[tuple[ProductSection, ...], Field(min_length=1)]
    analysis: AnalysisSection = AnalysisSection()
    weather: WeatherSection = WeatherSection()
    forecast: ForecastSection = ForecastSection()
    calibration: CalibrationSection | None = Field(
        None, description="without, the forecasts stay as they are"
    )
    retention: RetentionSection = RetentionSection()
    most_days: Annotated[int, Field(ge=1)] = Field(
        60,
        description="that are caught up with by the clock alone; for more, which may be a clock "
        "that is wrong, --until has to say so",
    )

    @property
    def twin(self):
        """Never: the truth is not known."""
        return False

    @property
    def simulated(self):
        """Never, as `twin`."""
        return False

    @model_validator(mode="after")
    def _sections_fit(self):
        names = [one.product for one in self.observations]
        if len(set(names)) < len(names):
            raise ValueError("observations: two sections of one product; join their files")
        if self.calibration is not None and self.calibration.product not in names:
            raise ValueError("calibration.product must be one of the products of observations")
        carried = self.cycle_hours - self.analysis.window_hours
        if carried < 0 or carried % 24:
            raise ValueError(
                "analysis.window_hours must be 0, or cycle_hours, or whole days less than that"
            )
        if self.analysis.method == "en4dvar" and not self.analysis.window_hours:
            raise ValueError("analysis.method: en4dvar needs analysis.window_hours, such as 24")
        begin = self.first_analysis - timedelta(hours=self.analysis.window_hours)
        days = (begin - self.background.date) / timedelta(days=1)
        if days < 0 or days % 1:
            raise ValueError(
                "first_analysis, less analysis.window_hours, must be whole days after "
                "background.date"
            )
        step = round(3600 * self.model.step_hours)
        if not 1 <= step <= 86400 or 86400 % step:
            raise ValueError("model.step_hours must divide a day and be at least a second")
        if self.model.kind != "emulator" and (self.model.weights or self.model.boundary_layer):
            raise ValueError("model.weights and model.boundary_layer are of `kind: emulator`")
        if self.model.boundary_layer and self.weather.files:
            raise ValueError("model.boundary_layer: weather from files drives no columns yet")
        if self.model.kind == "emulator" and not self.model.weights:
            if self.grid not in ("arctic100", "arctic50"):
                raise ValueError(f"model.weights: none ship for {self.grid}")
        return self


def cycle_config(path, overrides=()):
    """Checked configuration of a daily operation from a YAML file.

    Parameters
    ----------
    path : path-like
    overrides : sequence of str
        Such as ``"retention.members_days=60"``.

    Returns
    -------
    CycleConfig

    Raises
    ------
    InputError
        See `config.load_config`.
    """
    return load_config(path, overrides, schema=CycleConfig)
