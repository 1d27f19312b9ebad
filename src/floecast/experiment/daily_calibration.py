"""Calibration of the forecast of a daily operation by those before it."""

import numpy as np

from floecast.core.calendar import DAY, iso, to_datetime64, to_seconds
from floecast.core.errors import InputError
from floecast.io.cf import to_dataset
from floecast.io.readers import concentration_field
from floecast.io.store import read_dataset, values_of, write_netcdf

from .calibrate_files import calibrate_files
from .daily_archive import CALIBRATED


def calibrated(path, time, *, product, grid, archive, inputs):
    """Write the calibrated members beside those of a forecast, where there is enough to learn from.

    Parameters
    ----------
    path : Path
        Folder of the forecast, with its members.
    time : int
        Its start [s since 2000-01-01].
    product : str
        Whose concentration the forecasts before are held against.
    grid : Grid
    archive : Archive
    inputs : Inputs

    Returns
    -------
    made : tuple of str
        Name of the file, or nothing.
    notes : list of str
        What it rests on, or why there is none, and what could not be read.
    """
    observed, notes = observed_fields(time, product, grid, archive, inputs)
    earlier = sorted(archive.forecasts.glob("[0-9]*/forecast.nc"))
    try:
        told = calibrate_files(
            path / "forecast_members.nc", earlier, observed, out=path / CALIBRATED
        )
    except InputError as error:
        return (), [*notes, f"The forecast is not calibrated: {error}."]
    last = told["leads"][-1]
    return (CALIBRATED,), [
        *notes,
        f"{CALIBRATED} holds the concentration calibrated by {last['earlier_forecasts']} forecasts "
        f"before this one and {product}.",
    ]


def observed_fields(time, product, grid, archive, inputs):
    """Bring the observed fields on the grid up to date, a file a year.

    Parameters
    ----------
    time, product, grid, archive, inputs
        As of `calibrated`.

    Returns
    -------
    files : list of Path
    notes : list of str
        Which fields could not be read.
    """
    held = {}
    for begin, end, name in sorted(inputs.records(product)):
        centre = begin + (end - begin) // 2
        if centre <= time + DAY // 2:
            held[centre] = name  # of several files of one record the last by name is taken
    years: dict[int, dict[int, str]] = {}
    for centre, name in held.items():
        year = int(str(to_datetime64(centre).astype("datetime64[Y]")))
        years.setdefault(year, {})[centre] = name
    files, notes = [], []
    for year, names in sorted(years.items()):
        file = archive.observed / f"{year}.nc"
        known = _fields_of(file)
        lacking = sorted(set(names) - set(known))
        for centre in lacking:
            try:
                known[centre] = concentration_field(inputs.data / names[centre], grid, centre)
            except InputError as error:
                notes.append(f"Observed concentration of {iso(centre)}: {error}.")
        if lacking and known:
            file.parent.mkdir(exist_ok=True)
            times = np.array(sorted(known), np.int64)
            fields = np.stack([known[int(one)] for one in times])
            title = f"Observed concentration, {product}"
            write_netcdf(to_dataset({"concentration": fields}, grid, time=times, title=title), file)
        if known:
            files.append(file)
    return files, notes


def _fields_of(file):
    """Fields of a file by their times; none where it is not there."""
    if not file.is_file():
        return {}
    with read_dataset(file) as data:
        times = to_seconds(values_of(data["time"], file))
        fields = values_of(data["concentration"], file)
    return dict(zip(map(int, times), fields, strict=True))
