"""A data set to train on: splits in Zarr, statistics, the ocean below; resumable."""

import json
from itertools import combinations
from pathlib import Path

import equinox as eqx
import jax
import numpy as np

from floecast.core.atomic import replacing, write_text
from floecast.core.calendar import DAY, iso, to_seconds
from floecast.core.errors import InputError, shown
from floecast.core.grid import Grid
from floecast.core.variables import VARIABLES
from floecast.dataset_schema import ArchiveChoice
from floecast.io.cf import to_dataset, write_netcdf
from floecast.io.run_folder import RunFolder, default_folder, input_record
from floecast.io.store import TIMES_PER_CHUNK, ZarrWriter
from floecast.io.training_archive import OCEAN_CLIMATOLOGY
from floecast.progress import Silent
from floecast.simulation_schema import SPLITS, SimulationConfig
from floecast.simulator.arctic_ocean import ArcticOcean

from .dataset_archives import SimulatedSplit
from .dataset_files import FileSplits
from .dataset_statistics import split_statistics
from .simulate import simulate


def dataset(config, *, data=None, out=None, progress=None):
    """Make or go on with a data set.

    Parameters
    ----------
    config : DatasetConfig
    data : path-like, optional
        Folder of the files that the configuration names.
    out : path-like, optional
        Folder; ``runs/NAME`` if left out.
    progress : optional
        See `progress`.

    Returns
    -------
    RunFolder
        With ``training.zarr``, and ``validation.zarr`` and ``test.zarr`` where the configuration
        has them: state and weather at the same times; ``statistics.json`` of the training split;
        ``ocean.nc`` with the monthly means of the ocean that drove it, where that is known.

    Raises
    ------
    InputError
        If the folder holds something else, or a source is missing or wrong.

    Notes
    -----
    A split is written aside and renamed when it is whole: a run killed at any moment keeps the
    splits that are finished, and simulations go on where they were.
    """
    progress = Silent() if progress is None else progress
    making = _Making(config, data, out)
    folder = making.folder
    for split in config.splits:
        if not _done(folder, split, progress):
            files = [f"{split}.zarr/zarr.json"]
            with folder.stage(split, files) as noted:
                files += _write_split(split, making, noted, progress)
    if not _done(folder, "statistics", progress):
        with folder.stage("statistics", ["statistics.json"]):
            _write_statistics(making, progress)
    if config.source.kind == "simulated" and not _done(folder, "ocean", progress):
        with folder.stage("ocean", ["ocean.nc"]):
            _write_ocean(monthly_ocean(making.grid), making)
    return folder


def _done(folder, stage, progress):
    done = folder.done(stage, folder.path)
    progress.stage(stage, "done before" if done else "begun")
    return done


class _Making:
    """Configuration, folder and sources of a data set."""

    def __init__(self, config, data, out):
        self.config = config
        self.grid = Grid.preset(config.preset)
        out = Path(default_folder(config.name) if out is None else out)
        data = None if data is None else Path(data)
        if data is not None and not data.is_dir():
            raise InputError(f"no data folder at {data}")
        self.given = _given_splits(config, self.grid, data)
        seeds = getattr(config.source, "seeds", None)
        seed = None if seeds is None else seeds.training
        tree = config.model_dump(mode="json") | {"name": config.name, "seed": seed}
        self.folder = RunFolder(out, tree)

    def split(self, name, progress):
        """Source of a split; simulates it if it has to."""
        if name in self.given:
            return self.given[name]
        folder = self.folder.file("simulated") / name
        source = self.config.source
        simulation = SimulationConfig(
            preset=self.config.preset,
            years=getattr(source.years, name),
            spin_up_years=source.spin_up_years,
            seed=getattr(source.seeds, name),
            split=name,
        )
        simulate(simulation, out=folder, progress=progress)
        return SimulatedSplit([ArchiveChoice(path=str(folder))], self.config)

    def record(self, file):
        """What the manifest tells of a file, below the folder or anywhere."""
        file, root = file.resolve(), self.folder.path.resolve()
        if file.is_relative_to(root):
            return input_record(file, root)
        return input_record(file, file.anchor) | {"path": str(file)}


def _given_splits(config, grid, data):
    """Sources that are there before, checked."""
    if config.source.kind == "files":
        files = FileSplits(config, grid, data)
        return {name: files.split(name) for name in config.splits}
    if config.source.archives is None:  # each split will have weather of its own
        return {}
    archives = config.source.archives
    splits = {name: SimulatedSplit(archives[name], config) for name in config.splits}
    for name, other in combinations(splits, 2):
        shared = splits[name].lived & splits[other].lived
        if shared:
            weather, year = min(shared)
            raise InputError(
                f"{year} ({weather}) is in {name} and in {other}; choose years of their own"
            )
    return splits


def _touching(name, splits):
    """Notes on years of a split that touch those of splits before it."""
    notes = []
    for other in SPLITS[: SPLITS.index(name)]:
        there = splits[other].lived if other in splits and name in splits else ()
        notes += [
            f"{name} has {year}, {other} {beside}: ice and ocean remember across New Year, so "
            "that these splits are not independent there"
            for weather, year in (sorted(splits[name].lived) if there else ())
            for beside in (year - 1, year + 1)
            if (weather, beside) in there
        ]
    return notes


def _write_split(name, making, noted, progress):
    """One store, whole or not there; gives the names of other files that it wrote."""
    source = making.split(name, progress)
    times = source.times
    with replacing(making.folder.file(f"{name}.zarr")) as partial:
        writer = ZarrWriter(partial, times)
        for first in range(0, times.size, TIMES_PER_CHUNK):
            wanted = times[first : first + TIMES_PER_CHUNK]
            fields = source.read(wanted)
            _check(fields, making.grid, wanted)
            part = to_dataset(
                fields,
                making.grid,
                time=wanted,
                staggered=True,
                title=f"Arctic sea ice to train on, {name} split",
                source=source.source,
                split=name,
                step_hours=making.config.step_hours,
            )
            writer.append(part)
            progress.advance(first + wanted.size, times.size)
    noted["notes"] += [*source.notes, *_touching(name, making.given)]
    noted["warnings"] += source.warnings
    noted["inputs"] += [making.record(file) for file in source.files]
    if name != "training" or making.config.source.kind != "files":
        return []
    if source.ocean is None:
        noted["notes"].append("no ocean.nc: the files hold no currents and sea temperature")
        return []
    _write_ocean(source.ocean, making)
    return ["ocean.nc"]


def _check(fields, grid, times):
    """Refuse values over the ocean that are not finite or out of bounds."""
    masks = {"T": grid.mask_t, "U": grid.mask_u, "V": grid.mask_v}
    for name, field in fields.items():
        variable = VARIABLES[name]
        good = np.isfinite(field) & (field >= variable.lower) & (field <= variable.upper)
        bad = np.argwhere(~good & masks[variable.point])
        if len(bad):
            when, row, column = (int(i) for i in bad[0])
            raise InputError(
                f"{name} is {shown(field[when, row, column])} {variable.unit} at "
                f"{iso(times[when])}, cell ({row}, {column}), "
                f"and bad at {len(bad)} places; expected "
                f"[{variable.lower:g}, {variable.upper:g}]"
            )


def _write_statistics(making, progress):
    told = {"split": "training", "step_hours": making.config.step_hours}
    told |= split_statistics(making.folder.file("training.zarr"), making.grid, progress)
    write_text(making.folder.file("statistics.json"), json.dumps(told, indent=1) + "\n")


def _write_ocean(months, making):
    """Monthly means ``(12, y, x)`` by name."""
    middle = np.array([to_seconds(f"2030-{month:02d}-15") for month in range(1, 13)])
    title = "Ocean below the sea ice, monthly means"
    dataset = to_dataset(months, making.grid, time=middle, title=title)
    dataset = dataset.drop_vars("time").rename(time="month")
    month = ("month", np.arange(1, 13, dtype=np.int32), {"long_name": "month", "units": "1"})
    write_netcdf(dataset.assign_coords(month=month), making.folder.file("ocean.nc"))


def monthly_ocean(grid):
    """Monthly means of `ArcticOcean`, daily values of one year.

    Parameters
    ----------
    grid : Grid

    Returns
    -------
    dict of (12, y, x) arrays
    """
    ocean = ArcticOcean.of(grid)
    at_noon = eqx.filter_jit(lambda ocean, times: jax.lax.map(ocean.fields, times))
    months = []
    for month in range(1, 13):
        begin = to_seconds(f"2030-{month:02d}-01")
        end = to_seconds("2031-01-01" if month == 12 else f"2030-{month + 1:02d}-01")
        fields = at_noon(ocean, np.arange(begin, end, DAY) + DAY // 2)
        months.append({name: np.mean(fields[name], axis=0) for name in OCEAN_CLIMATOLOGY})
    return {name: np.stack([month[name] for month in months]) for name in OCEAN_CLIMATOLOGY}
