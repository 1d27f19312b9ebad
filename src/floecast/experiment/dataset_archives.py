"""Simulated archives as the source of a data set: years chosen, weather never shared."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from floecast.atmosphere.forcing import WEATHER
from floecast.core.calendar import HOUR, to_datetime64, to_seconds
from floecast.core.errors import InputError
from floecast.core.variables import STATE
from floecast.io.run_folder import read_manifest
from floecast.io.store import read_dataset


@dataclass(frozen=True)
class Piece:
    """Some years of a simulation.

    Parameters
    ----------
    folder : Path
        Of `floecast simulate`.
    weather : str
        What the weather was drawn from.
    years : tuple of int
        Calendar years taken.
    times : (time,) int array
        Taken, ascending [s since 2000-01-01].
    """

    folder: Path
    weather: str
    years: tuple
    times: np.ndarray

    def read(self, times):
        """Fields ``(time, y, x)`` at some of the times, by name."""
        with read_dataset(self.folder / "archive.zarr") as archive:
            index = np.searchsorted(to_seconds(archive["time"].values), times)
            return {name: archive[name].isel(time=index).values for name in (*STATE, *WEATHER)}


class SimulatedSplit:
    """A split out of simulations.

    Parameters
    ----------
    choices : sequence of ArchiveChoice
    config : DatasetConfig

    Raises
    ------
    InputError
        If a folder is no finished simulation on the grid, lacks a year, or years overlap.
    """

    def __init__(self, choices, config):
        pieces = [_piece(choice, config) for choice in choices]
        pieces.sort(key=lambda piece: piece.times[0])
        for first, second in zip(pieces, pieces[1:], strict=False):
            if second.times[0] <= first.times[-1]:
                raise InputError(
                    f"{first.folder} and {second.folder} overlap in time; choose other years, or "
                    "simulate with another first_year"
                )
        self.pieces = _apart(pieces, config.step_hours * HOUR)
        self.times = np.concatenate([piece.times for piece in self.pieces])
        """All times, ascending [s since 2000-01-01]."""
        self.lived = {(piece.weather, year) for piece in self.pieces for year in piece.years}
        """Weather and calendar year of everything."""
        self.source = f"floecast simulator; {'; '.join(piece.weather for piece in self.pieces)}"
        """For the attribute of that name."""
        self.files = [piece.folder / "manifest.json" for piece in self.pieces]
        """What it stands on."""
        self.notes, self.warnings = [], []
        """For the manifest."""
        self.ocean = None  # that of the simulator, which is written by itself

    def read(self, times):
        """Fields ``(time, y, x)`` at times in a row, by name."""
        parts = []
        for piece in self.pieces:
            wanted = times[np.isin(times, piece.times)]
            if wanted.size:
                parts.append(piece.read(wanted))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def years_of(times):
    """Calendar years of times [s since 2000-01-01]."""
    return to_datetime64(times).astype("datetime64[Y]").astype(int) + 1970


def _piece(choice, config):
    """The years chosen of a simulation, checked."""
    folder = Path(choice.path)
    made = read_manifest(folder)["config"]
    if made.get("preset") != config.preset:
        raise InputError(
            f"{folder} is on {made.get('preset', 'no preset')}, expected {config.preset}: name "
            "it by --preset"
        )
    if not any(stage["name"] == "archive" for stage in read_manifest(folder)["stages"]):
        raise InputError(f"{folder} is not finished; go on with it by floecast simulate")
    with read_dataset(folder / "archive.zarr") as archive:
        there = np.asarray(to_seconds(archive["time"].values))
        absent = [name for name in (*STATE, *WEATHER) if name not in archive]
    if absent:
        raise InputError(f"{folder} lacks {', '.join(absent)}; expected a simulation with weather")
    times = there[there % (config.step_hours * HOUR) == 0]
    whole = range(made["first_year"], made["first_year"] + made["years"])
    if choice.years is not None:
        lacking = sorted(set(choice.years) - set(whole))
        if lacking:
            raise InputError(
                f"{folder} does not hold {', '.join(map(str, lacking))}; it holds {whole[0]} to "
                f"{whole[-1]}"
            )
        times = times[np.isin(years_of(times), choice.years)]
    weather = f"weather of {made['split']}, seed {made['seed']}"
    return Piece(folder, weather, tuple(choice.years or whole), times)


def _apart(pieces, step):
    """The same, without the first time of a piece that would seem to go on another one."""
    made = pieces[:1]
    for piece in pieces[1:]:
        times = piece.times
        if times[0] - made[-1].times[-1] <= step:
            times = times[1:]
        made.append(replace(piece, times=times))
    return made
