"""Statistics of a split, in one pass and with bounded memory."""

import numpy as np

from floecast.atmosphere.forcing import FIELDS
from floecast.core.calendar import HOUR, to_seconds
from floecast.core.variables import ICE_EDGE, STATE, VARIABLES
from floecast.io.store import read_dataset

LAGS = (6, 12, 24)
"""Of the changes [h]."""

_TIMES_AT_ONCE = 64
_DRIFT = ("u", "v")


class _Moments:
    """Weighted mean and standard deviation, summed in float64."""

    def __init__(self):
        self.weight = self.first = self.second = 0.0

    def add(self, values, weights):
        """Add values ``(time, y, x)``; weights ``(y, x)`` or the same, values are finite."""
        values = values.astype(float)
        weights = np.broadcast_to(weights, values.shape)
        self.weight += weights.sum()
        self.first += np.sum(weights * values)
        self.second += np.sum(weights * values**2)

    @property
    def mean(self):
        return self.first / self.weight if self.weight else None

    @property
    def std(self):
        if not self.weight:
            return None
        return float(np.sqrt(max(self.second / self.weight - self.mean**2, 0.0)))


def split_statistics(path, grid, progress):
    """Statistics of all fields of a split.

    Parameters
    ----------
    path : path-like
        Zarr store of the split.
    grid : Grid
    progress : progress

    Returns
    -------
    dict
        ``fields``: `mean` and `std` by name, in the units of `VARIABLES`; ``change_std``: the same
        fields' standard deviation of the change, by hours (those of `LAGS` that the times have)
        and name; ``definition`` in words.

    Notes
    -----
    Weights are the areas of the ocean cells, or the squared sides of ocean faces. Drift counts
    only where the mean concentration of the two cells of its face is above `ICE_EDGE`, for a
    change at both times.
    """
    weights = {
        "T": np.where(grid.mask_t, grid.area, 0.0),
        "U": np.where(grid.mask_u, grid.dx_u**2, 0.0),
        "V": np.where(grid.mask_v, grid.dx_v**2, 0.0),
    }
    with read_dataset(path) as dataset:
        times = np.asarray(to_seconds(dataset["time"].values))
        names = [name for name in (*STATE, *FIELDS) if name in dataset]
        fields = {name: _Moments() for name in names}
        changes = {lag: {name: _Moments() for name in STATE} for lag in LAGS}
        for first in range(0, times.size, _TIMES_AT_ONCE):
            last = min(first + _TIMES_AT_ONCE, times.size)
            # The day before is read again, for the changes since then.
            begin = np.searchsorted(times, times[first] - max(LAGS) * HOUR)
            block = {
                name: np.nan_to_num(
                    dataset[name].isel(time=slice(begin if name in STATE else first, last)).values
                )
                for name in names
            }
            ice = _icy_faces(block["concentration"])
            new = slice(first - begin, None)
            for name in names:
                weight = weights[VARIABLES[name].point]
                values = block[name][new] if name in STATE else block[name]
                fields[name].add(values, weight * ice[name][new] if name in _DRIFT else weight)
            for lag, moments in changes.items():
                now, before = _pairs(times, first, last, lag * HOUR)
                for name in STATE if now.size else ():
                    weight = weights[VARIABLES[name].point]
                    if name in _DRIFT:
                        weight = weight * (ice[name][now - begin] & ice[name][before - begin])
                    change = block[name][now - begin].astype(float) - block[name][before - begin]
                    moments[name].add(change, weight)
            progress.advance(last, times.size)
    return {
        "times": int(times.size),
        "definition": (
            "area-weighted over ocean cells, drift at its faces and only where the mean "
            f"concentration of the two cells is above {ICE_EDGE}"
        ),
        "fields": {
            name: {"mean": _rounded(one.mean), "std": _rounded(one.std)}
            for name, one in fields.items()
        },
        "change_std": {
            str(lag): {name: _rounded(one.std) for name, one in moments.items()}
            for lag, moments in changes.items()
            if moments["concentration"].weight
        },
    }


def _icy_faces(concentration):
    """Where there is ice at the faces, by the component of the drift that lies there."""
    east, north = np.roll(concentration, -1, axis=-1), np.roll(concentration, -1, axis=-2)
    return {
        "u": 0.5 * (concentration + east) > ICE_EDGE,
        "v": 0.5 * (concentration + north) > ICE_EDGE,
    }


def _pairs(times, first, last, lag):
    """Indices of times in a block, and of those `lag` before, where these are there."""
    now = np.arange(first, last)
    before = np.searchsorted(times, times[now] - lag)
    there = times[before] == times[now] - lag
    return now[there], before[there]


def _rounded(value):
    return None if value is None else float(f"{value:.7g}")
