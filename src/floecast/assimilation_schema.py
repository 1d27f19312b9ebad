"""How a twin is assimilated: the schema of `floecast assimilate`."""

from typing import Literal

from pydantic import Field

from floecast.config import Section, load_config, make_config, read_tree


class TwinSection(Section):
    """The truth, which the methods do not know."""

    month: int = Field(1, ge=1, le=12, description="It begins some days after the first of it.")
    year: int = Field(0, ge=0, le=4, description="Number of the restart state it begins from.")
    seed: int = Field(0, ge=0, description="Of its weather, never used in training.")
    boundary_layer: bool = Field(
        False, description="Whether its air feels its ice; 10 m wind and 2 m air act on it else."
    )


class ObservationsSection(Section):
    """What is observed of the truth."""

    concentration: bool = True
    thickness: bool = Field(True, description="Below the tracks, from mid October to mid April.")
    thickness_error: float = Field(0.3, gt=0, description="Of a cell below a track [m].")
    shared_error: float = Field(
        0.5, ge=0, lt=1, description="Share of that variance common to blocks of 100 km."
    )
    footprint_km: float = Field(50.0, gt=0, description="Of the concentration.")
    gross_check: float = Field(5.0, gt=0, description="Standard deviations at which to refuse.")


class CovarianceSection(Section):
    """Errors of the background."""

    localisation_km: float = Field(
        300.0, gt=0, description="Half-width c of the taper; it ends at 2 c."
    )
    concentration_localisation_km: float = Field(
        150.0, gt=0, description="The same for concentration, unless it is coupled."
    )
    ensemble_weight: float = Field(
        0.9, ge=0, le=1, description="Share of the ensemble in En4DVar's covariance."
    )
    coupled: bool = Field(
        False,
        description="Whether errors of concentration are taken as correlated with all others; "
        "4DEnVar always does.",
    )
    static_length_km: float = Field(200.0, gt=0, description="Of the static correlations.")
    static_concentration: float = Field(
        0.08, gt=0, description="Static error of concentration at half cover [1]."
    )
    static_thickness: float = Field(0.1, gt=0, description="Static error of thickness [m].")
    model_concentration: float = Field(
        0.045, ge=0, description="Error of the model over a window, at half cover [1]."
    )
    model_thickness: float = Field(0.03, ge=0, description="The same for thickness [m].")
    model_snow: float = Field(
        0.007, ge=0, description="The same for snow depth [m]; all with the static correlations."
    )


class AssimilationConfig(Section):
    """Cycles of one method in a twin."""

    preset: Literal["arctic100", "arctic50"] = "arctic100"
    seed: int = Field(0, ge=0, lt=2**31, description="Of the members and of the observations.")
    method: Literal["free_run", "letkf", "var3d", "var4d", "envar4d", "en4dvar"] = "en4dvar"
    members: int = Field(20, ge=4, le=1000)
    window_hours: int = Field(48, ge=24, le=240, multiple_of=24)
    cycles: int = Field(45, ge=1, le=10000)
    forecast_days: int = Field(10, ge=1, le=15)
    forecast_every: int = Field(5, ge=0, description="Cycles between forecasts; 0 for none.")
    keep_forecasts: bool = Field(
        False, description="Whether to write their members and the truth to files, once a day."
    )
    emulator: str | None = Field(None, description="A file; the shipped weights if left out.")
    twin: TwinSection = TwinSection()
    observations: ObservationsSection = ObservationsSection()
    covariance: CovarianceSection = CovarianceSection()
    inflation: float = Field(
        1.0,
        ge=1,
        description="Of the covariance of the members, in the filter.",
    )
    relaxation: float = Field(0.4, ge=0, le=1, description="Of the spread to the prior (RTPS).")
    relaxation_concentration: float = Field(
        0.5, ge=0, le=1, description="The same for concentration."
    )
    outer: int = Field(2, ge=1, le=10, description="Linearisations of a variational method.")
    inner: int = Field(20, ge=1, le=200, description="Lanczos steps of each.")

    @property
    def name(self):
        """Name of its folder where none is given."""
        return f"{self.preset}_twin_{self.method}"


def is_of_cycles(path):
    """Whether a configuration file is one of cycles: it says how many, `cycles`; a run does not."""
    return "cycles" in read_tree(path)


def assimilation_config(path=None, overrides=()):
    """Checked configuration from a YAML file, or from the defaults.

    Parameters
    ----------
    path : path-like, optional
    overrides : sequence of str
        Such as ``"method=letkf"``.

    Returns
    -------
    AssimilationConfig

    Raises
    ------
    InputError
        See `config.load_config`.
    """
    if path is None:
        return make_config({}, "assimilation", schema=AssimilationConfig, overrides=overrides)
    return load_config(path, overrides, schema=AssimilationConfig)
