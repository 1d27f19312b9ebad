"""What a forecast begins from: the members of an analysis, wherever they lie."""

from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np

from floecast.assimilation_schema import AssimilationConfig
from floecast.atmosphere.weather import SyntheticWeather
from floecast.config import Config, make_config
from floecast.core.calendar import HOUR, to_seconds
from floecast.core.ensemble import healthy
from floecast.core.errors import InputError
from floecast.core.grid import PRESETS, Grid
from floecast.core.keys import named_key
from floecast.core.state import IceState, check_state
from floecast.core.variables import STATE
from floecast.io.checkpoint import load_checkpoint, read_header
from floecast.io.run_folder import checksum, read_manifest
from floecast.io.store import read_dataset

from .assimilation import days_of
from .case import Case
from .files import read_states
from .twin import Twin

MEMBERS = "analysis_ensemble.nc"
"""Where `floecast run` leaves the members of its analysis."""


@dataclass(frozen=True)
class Start:
    """The members of an analysis.

    Parameters
    ----------
    grid : Grid
    time : int
        Of the analysis [s since 2000-01-01].
    ensemble : IceState
        Leaves ``(member, y, x)``, float32.
    file : Path
        That held them.
    truth : SyntheticWeather, optional
        The weather of a twin.
    weather_key : key, optional
        From which the members of that twin know its weather.
    emulator : str, optional
        File of the emulator of the analysis, where it is not the one that ships.
    """

    grid: Grid
    time: int
    ensemble: IceState
    file: Path
    truth: SyntheticWeather | None = None
    weather_key: jax.Array | None = None
    emulator: str | None = None

    @property
    def checksum(self):
        """Of the file."""
        return checksum(self.file)


def read_start(path):
    """The members that a path stands for.

    Parameters
    ----------
    path : path-like
        Folder of ``floecast assimilate``, of which the last cycle counts, or of ``floecast run``;
        or a netCDF file of members on a preset, such as ``analysis_ensemble.nc``, with velocities
        on the faces of the cells.

    Returns
    -------
    Start

    Raises
    ------
    InputError
        If there is no ensemble, or a member of a netCDF file leaves its bounds. Members that are
        not finite pass: a forecast leaves them out.
    """
    path = Path(path)
    if (path / "ensemble.npz").is_file():
        return _of_cycles(path)
    if (path / MEMBERS).is_file():
        return _of_run(path)
    if path.is_dir():
        raise InputError(
            f"{path} holds no ensemble: expected ensemble.npz of floecast assimilate or {MEMBERS} "
            "of floecast run; let one of them end its analysis first"
        )
    if not path.is_file():
        raise InputError(
            f"analysis: there is no {path}; name a folder of floecast assimilate or floecast run, "
            "or a file of members"
        )
    return _of_file(path)


def _of_cycles(path):
    tree = read_manifest(path)["config"]
    tree = {key: value for key, value in tree.items() if key != "name"}
    config = make_config(tree, f"{path}/manifest.json", schema=AssimilationConfig)
    twin = Twin(config.preset, config.twin, days_of(config))
    file = path / "ensemble.npz"
    # A run may have been ended before its last cycle: the file knows how many are done.
    leaf = jax.ShapeDtypeStruct((config.members, *twin.grid.shape), np.float32)
    like = IceState(**dict.fromkeys(STATE, leaf)), 0
    ensemble, done = load_checkpoint(file, like, config_hash=read_header(file)["config_hash"])
    return Start(
        twin.grid,
        twin.start + done * config.window_hours * HOUR,
        ensemble,
        file,
        twin.weather,
        named_key(config.seed, "assimilation", "weather"),
        config.emulator,
    )


def _of_run(path):
    start = _of_file(path / MEMBERS)
    config = make_config(read_manifest(path)["config"], f"{path}/manifest.json", schema=Config)
    if not config.twin:
        return start
    case = Case(config, None, None)
    key = case.key("forecast", "weather")
    return Start(start.grid, start.time, start.ensemble, start.file, case.true_weather, key)


def _of_file(path):
    with read_dataset(path) as dataset:
        if "realization" not in dataset.dims:
            beside = path.with_name(MEMBERS)
            there = f"; {beside} does" if beside.is_file() else ""
            raise InputError(f"{path} holds no members (no dimension realization){there}")
        if "time" not in dataset or dataset["time"].size != 1:
            raise InputError(f"{path} must tell one time, that of the analysis")
        grid = _grid_of(path, dataset)
        time = int(to_seconds(dataset["time"].values.reshape(())))
    ensemble = read_states(path, grid)
    good = np.asarray(healthy(ensemble))
    try:
        if good.any():  # too few members are refused where it is known how many are wanted
            check_state(jax.tree.map(lambda leaf: leaf[good], ensemble), grid)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return Start(grid, time, ensemble, path)


def _grid_of(path, dataset):
    """The preset whose cells a file has."""
    for name, (size, _) in PRESETS.items():
        if dataset.sizes.get("y") == size and dataset.sizes.get("x") == size:
            grid = Grid.preset(name)
            if all(
                axis in dataset and np.allclose(dataset[axis], getattr(grid, axis))
                for axis in ("x", "y")
            ):
                return grid
    raise InputError(f"{path} is on no preset grid; expected the x and y of {', '.join(PRESETS)}")
