"""What a training data set is made of: the schema of `floecast dataset`."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from floecast.config import Section, load_config, make_config
from floecast.simulation_schema import SPLITS

Split = Literal["training", "validation", "test"]
Year = Annotated[int, Field(ge=1933, le=2067)]
Years = Annotated[list[Year], Field(min_length=1)]
FilePath = Annotated[str, Field(min_length=1)]
FilePaths = Annotated[list[FilePath], Field(min_length=1)]


class SplitYears(Section):
    """How many calendar years to simulate; 0 makes no such split."""

    training: int = Field(3, ge=1, le=100)
    validation: int = Field(1, ge=0, le=100)
    test: int = Field(0, ge=0, le=100)


class SplitSeeds(Section):
    """Seeds of the weather; splits of the same seed do not share weather."""

    training: int = Field(0, ge=0)
    validation: int = Field(0, ge=0)
    test: int = Field(0, ge=0)


class ArchiveChoice(Section):
    """A simulation that is there already, or some of its years."""

    path: FilePath = Field(description="Folder of `floecast simulate`.")
    years: Years | None = Field(None, description="Calendar years taken; all if left out.")


def _from_path(value):
    return {"path": value} if isinstance(value, str) else value


Choice = Annotated[ArchiveChoice, BeforeValidator(_from_path)]
Choices = Annotated[list[Choice], Field(min_length=1)]


class SimulatedSource(Section):
    """Splits from our simulator, each with weather of its own."""

    kind: Literal["simulated"] = "simulated"
    spin_up_years: int = Field(1, ge=0, le=100, description="Simulated before and not kept.")
    years: SplitYears = SplitYears()
    seeds: SplitSeeds = SplitSeeds()
    archives: dict[Split, Choices] | None = Field(
        None,
        description="Simulations taken in place of new ones: for each split a list of folders, or "
        "of {path, years}.",
    )

    @model_validator(mode="after")
    def _has_training(self):
        if self.archives is not None and "training" not in self.archives:
            raise ValueError("archives.training is missing")
        return self


class FileSource(Section):
    """Splits from output of other models, by calendar years."""

    kind: Literal["files"]
    ice: FilePaths = Field(
        description="neXtSIM moorings, CMEMS neXtSIM or NEMO-SI3 icemod files, or patterns such as "
        "Moorings_2010*.nc; relative ones lie in the data folder."
    )
    mesh: FilePath | None = Field(None, description="Mesh mask of NEMO.")
    forcing: FilePaths = Field(description="Weather files, or patterns.")
    years: dict[Split, Years]

    @model_validator(mode="after")
    def _splits_are_apart(self):
        if "training" not in self.years:
            raise ValueError("years.training is missing")
        taken = {}
        for split, years in self.years.items():
            for year in years:
                if year in taken:
                    raise ValueError(f"years: {year} is in {taken[year]} and in {split}")
                taken[year] = split
        return self


def _kind(source: Any):
    if isinstance(source, dict):
        return source.get("kind", "simulated")
    return getattr(source, "kind", None)


class DatasetConfig(Section):
    """A data set to train an emulator on."""

    preset: Literal["arctic100", "arctic50", "arctic25", "arctic12"] = "arctic50"
    step_hours: Literal[6, 12] = Field(12, description="Between the times kept.")
    source: Annotated[
        Annotated[SimulatedSource, Tag("simulated")] | Annotated[FileSource, Tag("files")],
        Discriminator(_kind),
    ] = SimulatedSource()

    @property
    def name(self):
        """Name of its folder where none is given."""
        return f"{self.preset}_dataset"

    @property
    def splits(self):
        """Names of the splits, in their order."""
        source = self.source
        there: set[str]
        if isinstance(source, FileSource):
            there = set(source.years)
        elif source.archives is not None:
            there = set(source.archives)
        else:
            there = {split for split in SPLITS if getattr(source.years, split)}
        return [split for split in SPLITS if split in there]


def dataset_config(path=None, overrides=()):
    """Checked configuration from a YAML file, or from the defaults.

    Parameters
    ----------
    path : path-like, optional
    overrides : sequence of str
        Such as ``"source.years.training=5"``.

    Returns
    -------
    DatasetConfig

    Raises
    ------
    InputError
        See `config.load_config`.
    """
    if path is None:
        return make_config({}, "data set", schema=DatasetConfig, overrides=overrides)
    return load_config(path, overrides, schema=DatasetConfig)
