"""How an ensemble forecast is made from an analysis: the schema of `floecast forecast`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from floecast.config import (
    FileName,
    FileNames,
    Section,
    Time,
    load_config,
    make_config,
    read_tree,
)

Share = Annotated[float, Field(gt=0, lt=1)]
Thickness = Annotated[float, Field(gt=0)]


class WeatherSection(Section):
    """The weather that drives the members."""

    knowledge: Literal["forecast", "climatology", "file"] = Field(
        "forecast",
        description="forecast: the weather of the twin that was analysed, with an error that grows "
        "with lead; climatology: each member draws weather of its own; file: all have the weather "
        "of files, and what these lack from weather of their own",
    )
    file: FileName | FileNames | None = Field(
        None, description="weather files under the data folder, as in the same key of a run"
    )

    @model_validator(mode="after")
    def _file_is_named(self):
        if (self.knowledge == "file") != (self.file is not None):
            raise ValueError("knowledge: file and file go together")
        return self


class DrifterSection(Section):
    """A ship, a buoy, or anything else that goes with the ice."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    longitude: float = Field(ge=-180, le=360, description="[degrees east]")
    latitude: float = Field(ge=-90, le=90, description="[degrees north]")
    start: Time | None = Field(
        None, description="when it is let go [UTC]; the start of the forecast if left out"
    )


class ForecastConfig(Section):
    """A forecast of the members of an analysis."""

    analysis: Annotated[str, Field(min_length=1)] = Field(
        description="folder of floecast assimilate or of floecast run, or a file of members such "
        "as analysis_ensemble.nc"
    )
    days: int = Field(10, ge=1, le=15)
    every_hours: Literal[6, 12, 24] = Field(24, description="Between the times of the products.")
    seed: int = Field(0, ge=0, lt=2**31, description="Of the model's noise and drawn weather.")
    emulator: str | None = Field(
        None, description="A file; that of the assimilation, or the shipped weights, if left out."
    )
    weather: WeatherSection = WeatherSection()
    quantiles: tuple[Share, ...] = Field((0.05, 0.25, 0.5, 0.75, 0.95), min_length=1)
    thickness_classes: tuple[Thickness, ...] = Field(
        (0.1, 0.3, 0.7, 1.2, 2.0),
        min_length=1,
        description="Thickness between the classes, mean over the ice [m].",
    )
    ellipse: Share = Field(0.9, description="Probability of the ellipses of drift and drifters.")
    spell_days: int = Field(
        5, ge=1, le=15, description="For which ice stays after freeze-up, or away after break-up."
    )
    drifters: tuple[DrifterSection, ...] = ()
    members: bool = Field(False, description="Whether to keep the fields of every member too.")
    at_once: int = Field(8, ge=1, description="Members advanced together; bounds the memory.")

    @property
    def name(self):
        """Name of its folder where none is given."""
        path = Path(self.analysis).resolve()
        return f"{path.stem if path.suffix == '.nc' else path.name}_forecast"

    @model_validator(mode="after")
    def _in_order(self):
        for key in ("quantiles", "thickness_classes"):
            values = getattr(self, key)
            if list(values) != sorted(set(values)):
                raise ValueError(f"{key} must ascend")
        names = [one.name for one in self.drifters]
        if len(set(names)) < len(names):
            raise ValueError("drifters: two have the same name")
        return self


def is_of_analysis(path):
    """Whether a configuration file is of a forecast: its `analysis` is a path, not a section."""
    return isinstance(read_tree(path).get("analysis"), str)


def forecast_config(path=None, overrides=()):
    """Checked configuration from a YAML file, or from the defaults.

    Parameters
    ----------
    path : path-like, optional
    overrides : sequence of str
        Such as ``"analysis=runs/arctic100_twin_en4dvar"``, which has no default.

    Returns
    -------
    ForecastConfig

    Raises
    ------
    InputError
        See `config.load_config`.
    """
    if path is None:
        return make_config({}, "forecast", schema=ForecastConfig, overrides=overrides)
    return load_config(path, overrides, schema=ForecastConfig)
