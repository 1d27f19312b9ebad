"""What only single members tell of a forecast: quantiles, classes, the band of the edge."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from floecast.core.projection import EPSG_3413
from floecast.core.variables import ICE_EDGE, PACK_ICE
from floecast.forecast.ice_edge import ice_edge
from floecast.forecast.probability import (
    STAGES,
    probability_above,
    quantiles,
    thickness_classes,
)
from floecast.io.cf import read_dataset

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles that are told of a forecast whose file has none."""
BAND = (0.1, 0.9)
"""Probabilities of ice between which the edge is uncertain."""
LEAST_ICE = 1e-6
"""Concentration below which a member has no thickness, as in `IceState.thickness`."""


@dataclass(frozen=True)
class Told:
    """A forecast with what its members tell.

    Parameters
    ----------
    forecast : Dataset
        With quantiles and probabilities, as far as they can be known.
    low, high : (time, y, x) array or None
        Quantiles 0.1 and 0.9 of concentration; None without members.
    edges : list of IceEdge or None
        Of each time; None where the grid or the members are not known.
    totals : dict
        ``extent`` [1000 km²] and ``volume`` [km³], ``(time, member)``; empty without.
    members : dict
        ``concentration`` and ``thickness``, ``(time, member, y, x)`` float32; empty without.
    """

    forecast: xr.Dataset
    low: np.ndarray | None
    high: np.ndarray | None
    edges: list | None
    totals: dict
    members: dict


def with_members(forecast, path, times, most, grid=None):
    """Add to a forecast what its members tell and its file does not.

    Parameters
    ----------
    forecast : Dataset
    path : path-like or None
        Members along ``realization``: ``concentration`` and ``ice_volume``.
    times : sequence of int
        Which times of the file are those of `forecast`.
    most : int
        Members to keep at most, evenly chosen; statistics are of all.
    grid : Grid, optional
        For the ice edge; it is left out without.

    Returns
    -------
    Told
    """
    if path is None:
        return Told(forecast.isel(time=list(times)), None, None, None, {}, {})
    forecast = forecast.isel(time=list(times))
    low, high, kept, made, edges, totals = [], [], [], [], [], []
    area = cell_area(forecast)
    with read_dataset(path) as dataset:
        chosen = _evenly(dataset.sizes["realization"], most)
        for time in times:
            now = dataset[["concentration", "ice_volume"]].isel(time=time)
            now = now.transpose("realization", "y", "x").load()
            fields = {"concentration": now["concentration"].values}
            fields["thickness"] = _thickness(fields["concentration"], now["ice_volume"].values)
            # A member that was lost is missing everywhere.
            good = np.isfinite(fields["concentration"]).any(axis=(1, 2))
            fields = {name: np.nan_to_num(values[good]) for name, values in fields.items()}
            totals.append(_totals(fields, area))
            low_now, high_now = quantiles(fields["concentration"], BAND)
            low.append(low_now)
            high.append(high_now)
            if grid is not None:
                edges.append(ice_edge(fields["concentration"], grid))
            made.append(_statistics(fields) if "concentration_quantile" not in forecast else {})
            kept.append({name: _kept(values, good, chosen) for name, values in fields.items()})
    ocean = np.isfinite(forecast["concentration"].values)
    added = {}
    for name, (dims, axis) in _LAYOUT.items():
        if name in made[0] and name not in forecast:
            values = np.stack([one[name] for one in made], axis=axis)
            added[name] = (dims, np.where(ocean, values, np.nan))
    coordinates = {"quantile": list(LEVELS)} | {"thickness_class": np.append(0.0, STAGES)}
    if added:
        forecast = forecast.assign_coords(coordinates).assign(added)
    series = {name: [one[name] for one in totals] for name in totals[0]}
    members = {name: np.stack([one[name] for one in kept]) for name in kept[0]}
    return Told(forecast, np.stack(low), np.stack(high), edges or None, series, members)


def cell_area(dataset):
    """True area of the cells, ``(y, x)`` or a number [m2]."""
    x, y = dataset["x"].values, dataset["y"].values
    projected = abs((x[1] - x[0]) * (y[1] - y[0]))
    if "crs" not in dataset.variables:
        return projected
    return projected / EPSG_3413.scale(dataset["latitude"].values) ** 2


_LAYOUT = {
    "probability_of_ice": (("time", "y", "x"), 0),
    "probability_of_pack_ice": (("time", "y", "x"), 0),
    "probability_of_thickness_class": (("thickness_class", "time", "y", "x"), 1),
    "concentration_quantile": (("quantile", "time", "y", "x"), 1),
    "thickness_quantile": (("quantile", "time", "y", "x"), 1),
}


def _statistics(fields):
    concentration, thickness = fields["concentration"], fields["thickness"]
    return {
        "probability_of_ice": probability_above(concentration, ICE_EDGE),
        "probability_of_pack_ice": probability_above(concentration, PACK_ICE),
        "probability_of_thickness_class": thickness_classes(concentration, thickness),
        "concentration_quantile": quantiles(concentration, LEVELS),
        "thickness_quantile": quantiles(thickness, LEVELS),
    }


def _totals(fields, area):
    concentration = fields["concentration"]
    volume = concentration * fields["thickness"]
    return {
        "extent": np.sum(area * (concentration > ICE_EDGE), axis=(1, 2)) / 1e9,
        "volume": np.sum(area * volume, axis=(1, 2)) / 1e9,
    }


def _thickness(concentration, volume):
    ice = concentration > LEAST_ICE
    return np.where(ice, volume / np.where(ice, concentration, 1), 0).astype(np.float32)


def _kept(values, good, chosen):
    """The chosen members, NaN where they were lost."""
    every = np.full((len(good), *values.shape[1:]), np.nan, np.float32)
    every[good] = values
    return every[chosen]


def _evenly(count, most):
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))
