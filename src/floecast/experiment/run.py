"""A run: every stage in its turn, going on where it was."""

from pathlib import Path

from floecast.core.calendar import DAY, to_seconds
from floecast.core.errors import InputError
from floecast.io.readers import check_use
from floecast.io.run_folder import RunFolder, default_folder
from floecast.io.weather_files import find_files
from floecast.progress import Silent

from . import analysis, background, forecast, report, verification
from .case import Case
from .methods import steps_of_window

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
        the configuration has been checked, and that its files are there, are products for their
        use, and cover its times.
    """
    data = None if data is None else Path(data)
    if data is not None and not data.is_dir():
        raise InputError(f"no data folder at {data}")
    for key, name, door, start, end in uses(config):
        if data is None:
            raise InputError(f"{name} is needed; name its folder by --data or FLOECAST_DATA")
        try:
            paths = find_files(name, data)
            absent = [path for path in paths if not path.is_file()]
            if absent:
                raise InputError(f"no file {absent[0]}; the README says where to download it")
            check_use(paths, door, start, end)
        except InputError as error:
            raise InputError(f"{key}: {error}") from None
    if config.simulated:
        _ = Case(config, None, data).simulated
    if config.model.kind == "emulator":
        steps_of_window(config, Case(config, None, data).model())
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


def uses(config):
    """What the real files of a configuration are for.

    Parameters
    ----------
    config : Config

    Returns
    -------
    list of tuple
        Key in the configuration, file below the data folder or list of files and patterns, function
        that reads it, and first and last time that it must cover [s since 2000-01-01].
    """
    issue = to_seconds(config.analysis_time)
    end = issue + config.forecast.days * DAY
    verification = config.verification
    found = [
        ("weather.file", config.weather.file, "read_forcing", issue, end),
        (
            "verification.thickness_climatology",
            verification.thickness_climatology,
            "read_thickness_field",
            issue,
            issue,
        ),
    ]
    if not config.twin:
        start, date = config.background, to_seconds(config.background.date)
        found += [
            ("background.thickness", start.thickness, "read_thickness_field", date, date),
            ("background.concentration", start.concentration, "concentration_field", date, date),
            (
                "verification.concentration",
                verification.concentration,
                "concentration_field",
                issue,
                end,
            ),
        ]
        for number, section in enumerate(config.observations):
            span = to_seconds(section.start), to_seconds(section.end)
            found.append((f"observations.{number}.file", section.file, "read_observations", *span))
    return [use for use in found if use[1] is not None]
