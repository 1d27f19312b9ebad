"""How an emulator is trained: the schema of `floecast train`."""

from typing import Annotated, Literal

from pydantic import Field

from floecast.config import Section, load_config, make_config

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Count = Annotated[int, Field(ge=1)]


class StageSection(Section):
    """A stage of the training; see `emulator.training.Stage`."""

    name: Name
    updates: Count
    learning_rate: float = Field(gt=0, le=0.1)
    steps: Count = Field(1, description="Length of the chains of steps that are scored.")
    members: Count = Field(2, description="1: squared error without noise; more: CRPS.")
    batch: Count = 8
    accumulate: Count = Field(1, description="Parts into which a batch is cut to save memory.")


STAGES = (
    StageSection(name="deterministic", updates=500, learning_rate=3e-3, members=1),
    StageSection(name="ensemble", updates=500, learning_rate=1.5e-3),
    StageSection(name="rollout", updates=60, learning_rate=5e-4, steps=4),
)
"""What is done where nothing else is said."""


class TrainConfig(Section):
    """An emulator to train."""

    preset: Literal["arctic100", "arctic50", "arctic25", "arctic12"] = "arctic50"
    seed: int = Field(0, ge=0, lt=2**31, description="Of weights, choice of pieces and noise.")
    dataset: str | None = Field(
        None, description="Folder of `floecast dataset`; made with its defaults if left out."
    )
    step_hours: Literal[6, 12, 24] = 12
    widths: tuple[Count, ...] = Field(
        (16, 64, 96, 128), min_length=1, max_length=6, description="Channels of the levels."
    )
    start_from: str | None = Field(
        None, description="Emulator to start from: a file, or a preset whose weights ship."
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="Of the network while it learns; bfloat16 is for GPUs."
    )
    stages: tuple[StageSection, ...] = Field(STAGES, min_length=1)
    validate_every: Count = Field(100, description="Updates between looks at the validation.")
    patience: Count = Field(
        6, description="Looks without a better one after which a stage ends early."
    )

    @property
    def name(self):
        """Name of its folder where none is given."""
        return f"{self.preset}_emulator"


def train_config(path=None, overrides=()):
    """Checked configuration from a YAML file, or from the defaults.

    Parameters
    ----------
    path : path-like, optional
    overrides : sequence of str
        Such as ``"seed=1"``.

    Returns
    -------
    TrainConfig

    Raises
    ------
    InputError
        See `config.load_config`.
    """
    if path is None:
        return make_config({}, "training", schema=TrainConfig, overrides=overrides)
    return load_config(path, overrides, schema=TrainConfig)
