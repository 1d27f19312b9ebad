"""What a simulation is made of: the schema of `floecast simulate`."""

from typing import Literal

from pydantic import Field

from floecast.config import Section, load_config, make_config

SPLITS = ("training", "validation", "test")


class SimulationConfig(Section):
    """A simulated archive."""

    preset: Literal["arctic100", "arctic50", "arctic25", "arctic12"] = "arctic50"
    years: int = Field(1, ge=1, le=1000, description="Calendar years in the archive.")
    spin_up_years: int = Field(2, ge=0, le=100, description="Simulated before and not kept.")
    first_year: int = Field(2030, ge=1900, le=2300, description="Begins on its first of January.")
    seed: int = Field(0, ge=0, description="Of the weather.")
    split: Literal["training", "validation", "test"] = Field(
        "training", description="The same seed gives other weather in each of them."
    )
    rheology: Literal["bbm", "mevp", "free_drift"] = "bbm"
    thermodynamics: Literal["winton", "zero_layer"] = "winton"
    transport: Literal["weno5", "weno7", "upwind"] = "weno5"
    boundary_layer: bool = Field(
        False,
        description="Air that feels the ice; 10 m wind and 2 m air act by bulk formulas else.",
    )
    float64: bool = False
    block_days: int = Field(10, ge=3, le=100, description="Written, and restarted from, at once.")

    @property
    def name(self):
        """Name of its folder where none is given."""
        return f"{self.preset}_{self.split}_{self.seed}"


def simulation_config(path=None, overrides=()):
    """Checked configuration from a YAML file, or from the defaults.

    Parameters
    ----------
    path : path-like, optional
    overrides : sequence of str
        Such as ``"years=5"``.

    Returns
    -------
    SimulationConfig

    Raises
    ------
    InputError
        See `config.load_config`.
    """
    if path is None:
        return make_config({}, "simulation", schema=SimulationConfig, overrides=overrides)
    return load_config(path, overrides, schema=SimulationConfig)
