"""Scores of an ensemble against a truth that is known everywhere."""

import numpy as np

from floecast.core.variables import ICE_EDGE, VARIABLES

from .ice_edge import iiee, sps
from .probabilistic import crps

TRACE = 1e-6
"""Below this, in the unit of the field, what is left over open water is rounding."""
FIELDS = ("concentration", "ice_volume", "snow_volume", "u", "v", "damage")


def twin_scores(ensemble, truth, grid):
    """Errors, spread and probabilistic scores of all fields.

    Parameters
    ----------
    ensemble : IceState
        Leaves ``(member, y, x)``; members that are not finite are left out.
    truth : IceState
        Leaves ``(y, x)``.
    grid : Grid

    Returns
    -------
    dict
        By field ``rmse`` and ``bias`` of the mean, ``spread`` as it should be for that error
        (Fortin et al. 2014), fair ``crps``, in the unit of the field, by area over the sea, drift
        where the truth has ice on both sides of a face; of `thickness` over the ice ``rmse`` and
        ``bias`` where the truth has ice, the mean volume over the mean cover, this not below
        `ICE_EDGE`. The places are the same for all methods. ``iiee`` of the median edge and
        ``sps`` [1e6 km2]. ``out_of_bounds``: values of members beyond those of `VARIABLES`, and
        of ice, snow or damage above `TRACE` where there is no cover.
    """
    members = {name: np.asarray(getattr(ensemble, name), float) for name in FIELDS}
    good = np.all([np.isfinite(field).all(axis=(1, 2)) for field in members.values()], axis=0)
    members = {name: field[good] for name, field in members.items()}
    true = {name: np.asarray(getattr(truth, name), float) for name in FIELDS}
    sea = grid.area * grid.mask_t
    cover = members["concentration"].mean(axis=0)
    pack = true["concentration"] > ICE_EDGE
    weights = {
        "u": grid.area * (grid.mask_u & pack & np.roll(pack, -1, axis=1)),
        "v": grid.area * (grid.mask_v & pack & np.roll(pack, -1, axis=0)),
    }
    count = int(good.sum())
    told = {"members": count, "out_of_bounds": _out_of_bounds(members)}
    for name, field in members.items():
        weight = np.asarray(weights.get(name, sea), float)
        share = weight / weight.sum()
        error = field.mean(axis=0) - true[name]
        variance = field.var(axis=0, ddof=1) * (count + 1) / count
        told[name] = {
            "rmse": float(np.sqrt(np.sum(share * error**2))),
            "bias": float(np.sum(share * error)),
            "spread": float(np.sqrt(np.sum(share * variance))),
            "crps": float(crps(field, true[name], weights=weight, fair=True)),
        }
    share = sea * pack / np.sum(sea * pack)
    thickness = members["ice_volume"].mean(axis=0) / np.maximum(cover, ICE_EDGE)
    error = thickness - true["ice_volume"] / np.maximum(true["concentration"], ICE_EDGE)
    told["thickness"] = {
        "rmse": float(np.sqrt(np.sum(share * error**2))),
        "bias": float(np.sum(share * error)),
    }
    concentration = members["concentration"], true["concentration"]
    median = np.median(concentration[0], axis=0)
    told["iiee"] = float(iiee(median, concentration[1], weights=sea).iiee) / 1e12
    told["sps"] = float(sps(*concentration, weights=sea, fair=True)) / 1e12
    return told


def _out_of_bounds(members):
    """Number of values that no ice can have."""
    wrong = 0
    for name, field in members.items():
        wrong += np.sum((field < VARIABLES[name].lower) | (field > VARIABLES[name].upper))
    open_water = members["concentration"] == 0
    for name in ("ice_volume", "snow_volume", "damage"):
        wrong += np.sum(open_water & (members[name] > TRACE))
    return int(wrong)
