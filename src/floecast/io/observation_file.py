"""Observations in one file of their own, which gives them back to the bit."""

import numpy as np
import xarray as xr

from floecast.observation.observations import KINDS, Observations

from .cf import points_dataset
from .store import write_netcdf
from .tracks import of_period

_ALONG = ("value", "error_std", "kind", "group", "x", "y", "span", "flag", "assumed")
_NEEDED = ("value", "error_std", "kind", "cell", "weight")


def write_observations(path, observations, grid, *, title="Observations"):
    """Write observations of whatever kinds to one CF file that `read_observations` takes again.

    Parameters
    ----------
    path : str or Path
        netCDF file; replaced in one step.
    observations : Observations
    grid : Grid
        On which their footprints are.
    title : str
    """
    dataset = points_dataset(observations, grid, title=title)
    dataset.attrs["grid"] = grid.name
    dataset["assumed"] = xr.Variable(
        "obs",
        np.asarray(observations.assumed).astype(np.int8),
        {
            "long_name": "whether the error was assumed from the value",
            "flag_values": np.arange(2, dtype=np.int8),
            "flag_meanings": "told assumed",
        },
        {"_FillValue": None},
    )
    for name, text in (
        ("cell", "flat index of the grid cells seen, row times columns plus column"),
        ("weight", "share of each cell seen"),
    ):
        values = np.asarray(getattr(observations, name))
        dataset[name] = xr.Variable(
            ("obs", "seen"), values, {"long_name": text}, {"_FillValue": None}
        )
    write_netcdf(dataset, path)


def is_own(source):
    """Whether a file was written by `write_observations`."""
    return source.has(*_NEEDED)


def own_times(source):
    """Centres of what the observations are means over [s since 2000-01-01]."""
    return source.seconds("time", ascending=False).reshape(-1)


def read_own(source, grid, start, end):
    """Observations of `write_observations`.

    Parameters
    ----------
    source : Source
    grid : Grid
        The one they were written for.
    start, end : time or None
        Only those whose centre is at or after `start` and before `end`.

    Returns
    -------
    Observations
        As they were written, to the bit.

    Raises
    ------
    InputError
        If the file is damaged or for another grid.
    """
    written = source.dataset.attrs.get("grid")
    if written != grid.name:
        source.refuse(f"is for the grid {written}, expected {grid.name}")
    time = own_times(source)
    fields = {"time": time}
    for name in _ALONG:
        fields[name] = source.numbers(name, ("obs",), within=(-1e12, 1e12), shape=time.shape)
    most = grid.mask_t.size - 1
    fields["cell"] = source.numbers("cell", ("obs", "seen"), within=(0, most))
    fields["weight"] = source.numbers("weight", ("obs", "seen"), within=(0, 1 + 1e-9))
    for name, kept in (
        ("kind", np.int32),
        ("group", np.int32),
        ("flag", np.int32),
        ("cell", np.int32),
        ("span", np.int64),
        ("assumed", bool),
    ):
        whole = fields[name].astype(kept)
        if (whole != fields[name]).any():
            source.refuse(f"{name} holds fractions, expected whole numbers")
        fields[name] = whole
    if fields["kind"].min() < 0 or fields["kind"].max() >= len(KINDS):
        source.refuse(f"kind reaches {fields['kind'].max()}, expected 0 to {len(KINDS) - 1}")
    if not (fields["error_std"] > 0).all():
        source.refuse("error_std is not above 0 everywhere, expected errors")
    if not np.allclose(fields["weight"].sum(axis=1), 1.0, atol=1e-6):
        source.refuse("the weights of a footprint do not sum to 1")
    made = Observations(**fields)
    return made.select(of_period(source, time, start, end))
