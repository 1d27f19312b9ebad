"""A run: every stage in its turn, going on where it was."""

from pathlib import Path

from floecast.core.errors import InputError
from floecast.io.readers import identify
from floecast.io.run_folder import RunFolder, default_folder
from floecast.progress import Silent

from . import analysis, background, forecast, report, verification
from .case import Case

STAGES = {
    "background": background,
    "analysis": analysis,
    "forecast": forecast,
    "verification": verification,
    "report": report,
}
"""Stages in their order; each module tells its `products` and makes them."""


def run(config, *, data=None, out=None, until="report", progress=None):
    """Run a configuration, or go on with it.

    Parameters
    ----------
    config : Config
    data : path-like, optional
        Folder of the real files that the configuration names.
    out : path-like, optional
        Folder of the run; ``runs/<name>`` if left out.
    until : str
        Last of `STAGES` to do.
    progress : progress, optional
        As in `floecast.progress`; silent if left out.

    Returns
    -------
    RunFolder

    Raises
    ------
    InputError
        If a file is missing or wrong, or the folder is not this run's. Nothing is written before
        the configuration has been checked, and that its files are there and are known products.
    """
    data = None if data is None else Path(data)
    if data is not None and not data.is_dir():
        raise InputError(f"no data folder at {data}")
    for name in input_files(config):
        if data is None:
            raise InputError(f"{name} is needed; name its folder by --data or FLOECAST_DATA")
        if not (data / name).is_file():
            raise InputError(f"no file {data / name}; the README says where to download it")
        identify(data / name)
    progress = Silent() if progress is None else progress
    folder = RunFolder(out or default_folder(config.name), config.model_dump(mode="json"))
    case = Case(config, folder, data, progress)
    for name, stage in STAGES.items():
        if folder.done(name, data):
            progress.stage(name, "done before")
        else:
            progress.stage(name, "begun")
            with folder.stage(name, stage.products(config)) as noted:
                stage.make(case, noted)
        if name == until:
            break
    return folder


def input_files(config):
    """Names of the real files that a configuration needs, below the data folder."""
    named = [config.weather.file]
    if not config.twin:
        named += [config.background.thickness, config.background.concentration]
        named += [section.file for section in config.observations]
    named += [config.verification.concentration, config.verification.thickness_climatology]
    return list(dict.fromkeys(name for name in named if name is not None))
