"""Scores of an emulator's ensemble beside the forecasts it has to beat."""

import jax
import jax.numpy as jnp
import numpy as np

from floecast.core.calendar import DAY, year_fraction
from floecast.core.operators import south, u_to_t, v_to_t, west
from floecast.core.state import IceState
from floecast.core.variables import ICE_EDGE, STATE, VARIABLES
from floecast.emulator.losses import weights
from floecast.simulator.free_drift import FreeDrift
from floecast.verification.baselines import damped_anomaly_persistence, persistence
from floecast.verification.deterministic import rmse
from floecast.verification.probabilistic import mean_variance_cells, rank_histogram
from floecast.verification.spectra import power_spectrum, sea_boxes
from floecast.verification.weighting import prepare, ratio, weighted_mean, weighted_sum

FIELDS = {
    "concentration": ("concentration",),
    "ice_volume": ("ice_volume",),
    "snow_volume": ("snow_volume",),
    "drift": ("u", "v"),
    "damage": ("damage",),
}
"""Fields of the state behind each variable that is scored."""
LEAST = {"concentration": 1e-3, "ice_volume": 1e-3, "snow_volume": 1e-4, "damage": 1e-3}
LEAST |= {"u": 1e-4, "v": 1e-4}
"""Differences that do not count in ranks: traces of ice in open water are no error."""


def shares(truth, grid):
    """Weights of each field, ``(lead, y, x)``; see `emulator.losses.weights`."""
    told = jax.vmap(lambda state: weights(state, grid))(jax.tree.map(jnp.asarray, truth))
    shape = truth.concentration.shape
    return {name: np.broadcast_to(np.asarray(share), shape) for name, share in told.items()}


def mean_squares(forecast, truth, share):
    """Mean squared error of each variable.

    Parameters
    ----------
    forecast : dict of (lead, y, x) arrays
        By field; variables whose fields are absent are left out.
    truth : IceState
        Leaves ``(lead, y, x)``.
    share : dict of (lead, y, x) arrays
        From `shares`.

    Returns
    -------
    dict of (lead,) arrays
        Of drift the square of the vector.
    """
    return {
        variable: sum(
            rmse(forecast[name], getattr(truth, name), weights=share[name]) ** 2 for name in names
        )
        for variable, names in FIELDS.items()
        if all(name in forecast for name in names)
    }


def spreads(members, share):
    """Squared error of the ensemble mean that the members promise; leaves ``(member, ...)``."""
    told = {}
    for variable, names in FIELDS.items():
        told[variable] = 0.0
        for name in names:
            weight, field = prepare(share[name], field=getattr(members, name))
            told[variable] += weighted_mean(mean_variance_cells(field), weight)
    return told


class Climatology:
    """Mean ice of a date, from states of the first days of months of some years.

    Parameters
    ----------
    times : (state,) int array
        [s since 2000-01-01]
    states : IceState
        Leaves ``(state, y, x)``.

    Notes
    -----
    Means of each month, linear in time between them. Velocities, of which a month has too few
    samples, are the mean and the annual wave that fit best.
    """

    def __init__(self, times, states):
        self.times = np.asarray(times)
        self.fields = {name: np.asarray(field) for name, field in states.fields().items()}

    def at(self, wanted, without):
        """Fields ``(time, y, x)`` by name, made of states half a year or more from `without`."""
        kept = np.abs(self.times - without) > 183 * DAY
        place, months = 12 * year_fraction(np.asarray(wanted)), self._months()[kept]
        before = np.floor(place).astype(int)
        part = (place - before)[:, None, None]
        told = {}
        for name, field in self.fields.items():
            if VARIABLES[name].point != "T":
                told[name] = self._wave(field[kept], kept, wanted)
                continue
            mean = np.stack([field[kept][months == month].mean(axis=0) for month in range(12)])
            told[name] = (1 - part) * mean[before % 12] + part * mean[(before + 1) % 12]
        return told

    def _months(self):
        return np.rint(12 * year_fraction(self.times)).astype(int) % 12

    def _wave(self, field, kept, wanted):
        def waves(time):
            angle = 2 * np.pi * year_fraction(np.asarray(time))
            return np.stack([np.ones(angle.shape), np.cos(angle), np.sin(angle)], axis=1)

        fitted = np.tensordot(np.linalg.pinv(waves(self.times[kept])), field, axes=1)
        return np.tensordot(waves(wanted), fitted, axes=1)

    def variance(self, grid):
        """Variance of each variable over time and sea, in the square of its unit."""
        states = IceState(**self.fields)
        share, told = shares(states, grid), {}
        for variable, names in FIELDS.items():
            told[variable] = 0.0
            for name in names:
                field = self.fields[name]
                mean = np.mean(weighted_mean(field, share[name]))
                told[variable] += np.mean(weighted_mean((field - mean) ** 2, share[name]))
        return told


def anomaly_products(truth, normal, share):
    """What the damping of anomalies is fitted to.

    Parameters
    ----------
    truth : IceState
        Leaves ``(1 + lead, y, x)``.
    normal : dict of (1 + lead, y, x) arrays
        Climatology of the same times.
    share : dict of (lead, y, x) arrays

    Returns
    -------
    dict of (2, lead) arrays
        By variable: products of the anomalies at start and lead, squares of those at the start.
    """
    told = {}
    for variable, names in FIELDS.items():
        told[variable] = np.zeros((2, len(normal["u"]) - 1))
        for name in names:
            anomaly = getattr(truth, name) - normal[name]
            for row, later in enumerate((anomaly[1:], anomaly[:1])):
                told[variable][row] += weighted_sum(anomaly[:1] * later, share[name])
    return told


def of_others(sums):
    """Ratio of the first to the second of ``(case, 2, ...)``, each from all cases but itself."""
    others = np.sum(sums, axis=0) - sums
    with np.errstate(divide="ignore", invalid="ignore"):
        return others[:, 0] / others[:, 1]


def damped(truth, normal, damping):
    """Damped anomaly persistence, ``(lead, y, x)`` by field; `damping` ``(lead,)`` by variable."""
    told = {}
    for variable, names in FIELDS.items():
        for name in names:
            told[name] = damped_anomaly_persistence(
                getattr(truth, name)[0],
                normal_start=normal[name][0],
                normal_leads=normal[name][1:],
                correlation=np.clip(np.nan_to_num(damping[variable]), 0.0, 1.0),
                lower=VARIABLES[name].lower,
                upper=VARIABLES[name].upper,
            )
    return told


def persisted(truth):
    """Persistence, ``(lead, y, x)`` by field."""
    leads = truth.concentration.shape[0] - 1
    return {name: persistence(getattr(truth, name)[0], leads) for name in STATE}


def free_drift(case, grid, factor=1.0 + 0.0j):
    """Velocities ``(lead, y, x)`` of free drift, the wind times a complex factor before."""
    wind = factor * (case.free["wind_u"] + 1j * case.free["wind_v"])
    law, told = FreeDrift(), {"u": [], "v": []}
    for number in range(wind.shape[0]):
        ice = {name: case.free[name][number] for name in ("concentration", "ice_volume")}
        still = np.zeros(grid.shape, np.float32)
        state = IceState(**ice, snow_volume=still, u=still, v=still, damage=still)
        u, v = law.velocity(state, wind.real[number], wind.imag[number], grid)
        told["u"].append(np.asarray(u))
        told["v"].append(np.asarray(v))
    return {name: np.stack(fields) for name, fields in told.items()}


def drift_products(case, grid):
    """What the factor of free drift is fitted to: (2,) complex sums over all leads."""
    loose, later = free_drift(case, grid), jax.tree.map(lambda leaf: leaf[1:], case.truth)
    # Away from coasts, where the means over faces hold zeros.
    inner = (
        grid.mask_u & np.asarray(west(grid.mask_u)) & grid.mask_v & np.asarray(south(grid.mask_v))
    )
    weight = grid.area * inner * (later.concentration > ICE_EDGE)
    told, true = (
        np.asarray(u_to_t(u, grid)) + 1j * np.asarray(v_to_t(v, grid))
        for u, v in ((loose["u"], loose["v"]), (later.u, later.v))
    )
    return np.array([np.sum(weight * told.conj() * true), np.sum(weight * np.abs(told) ** 2)])


def rank_counts(members, truth, share, rng):
    """Histograms of the rank of the truth; ties, also those within `LEAST`, at random.

    Parameters
    ----------
    members : IceState
        Leaves ``(member, y, x)``.
    truth : IceState
        Leaves ``(y, x)``.
    share : dict of (y, x) arrays
    rng : numpy.random.Generator

    Returns
    -------
    dict of (member + 1,) arrays
        By variable.
    """
    told = {}
    for variable, names in FIELDS.items():
        told[variable] = sum(
            rank_histogram(
                np.rint(getattr(members, name) / LEAST[name]),
                np.rint(getattr(truth, name) / LEAST[name]),
                weights=share[name],
                rng=rng,
            ).counts
            for name in names
        )
    return told


def rank_departure(counts):
    """Share of the cells in wrong ranks: half the sum of the departures from a flat histogram."""
    parts = np.asarray(counts, float)
    parts = ratio(parts, parts.sum(axis=-1, keepdims=True))
    return 0.5 * np.sum(np.abs(parts - 1.0 / parts.shape[-1]), axis=-1)


def ice_boxes(truth, grid, side):
    """Boxes that spectra are taken of.

    Parameters
    ----------
    truth : IceState
        NumPy leaves ``(y, x)``.
    grid : Grid
    side : int
        [cells]

    Returns
    -------
    dict of lists of pairs of int
        By variable, first row and first column of the boxes of `sea_boxes` that ice covers and in
        which the variable varies by more than `LEAST`.
    """
    told = {variable: [] for variable in FIELDS}
    for row, column in sea_boxes(grid, side):
        box = (slice(row, row + side), slice(column, column + side))
        if not np.all(truth.concentration[box] > ICE_EDGE):
            continue
        for variable, names in FIELDS.items():
            if all(np.std(getattr(truth, name)[box]) > LEAST[name] for name in names):
                told[variable].append((row, column))
    return told


def box_spectra(states, grid, boxes, side):
    """Power spectra of each variable.

    Parameters
    ----------
    states : IceState
        NumPy leaves ``(..., y, x)``.
    grid : Grid
    boxes : dict of sequences of pairs of int
        From `ice_boxes`.
    side : int
        [cells]

    Returns
    -------
    dict of lists of (..., ring) arrays
        By variable, one a box; of drift the sum of both components.
    """
    return {
        variable: [
            sum(
                power_spectrum(
                    getattr(states, name)[..., row : row + side, column : column + side],
                    spacing=grid.spacing,
                ).power
                for name in names
            )
            for row, column in boxes[variable]
        ]
        for variable, names in FIELDS.items()
    }


def bands(side):
    """Rings above two cells in bands of a third of an octave.

    Parameters
    ----------
    side : int
        [cells]

    Returns
    -------
    list of int arrays
        Indices into the rings of `power_spectrum`, from the longest waves on.
    """
    ring = np.arange(1, -(-side // 2))
    third = np.rint(3 * np.log2(ring)).astype(int)
    return [ring[third == one] - 1 for one in np.unique(third)]


def band_ratio(told, truth, side):
    """Power of the members over that of the truth in each band.

    Parameters
    ----------
    told : (case, member, ring) array
    truth : (case, ring) array
    side : int
        [cells]

    Returns
    -------
    (band,) array
        Exponential of the difference of mean logarithms; NaN without a case.
    """
    groups = bands(side)
    if not len(truth):
        return np.full(len(groups), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.mean(np.log(told), axis=(0, 1)) - np.mean(np.log(truth), axis=0)
    return np.array([np.exp(np.mean(apart[group])) for group in groups])
