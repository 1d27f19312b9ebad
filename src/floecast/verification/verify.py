"""Verify one ensemble forecast beside baselines."""

import numpy as np

from floecast.core.errors import InputError
from floecast.core.variables import ICE_EDGE, VARIABLES
from floecast.verification.baselines import climatology as climatology_forecast
from floecast.verification.baselines import damped_anomaly_persistence, persistence
from floecast.verification.scorecard import Scorecard
from floecast.verification.systems import score_systems

EDGE_SCORES = {
    "iiee",
    "overestimate",
    "underestimate",
    "absolute_extent_error",
    "misplacement",
    "displacement",
    "sps",
}
BASELINES = ("persistence", "climatology", "damped anomaly persistence")


def verify(
    forecast,
    truth,
    *,
    baselines=("persistence",),
    initial=None,
    climatology=None,
    past=None,
    systems=None,
    regions=None,
    seed=0,
):
    """Scores of a forecast and of baselines, at every lead.

    Parameters
    ----------
    forecast : Forecast
        Members that failed are left out.
    truth : dict or state
        Variable to ``(lead, y, x)`` at the leads of the forecast, NaN where not observed; or a
        state with such leaves, of which concentration and ice volume are scored.
    baselines : sequence of str
        Of ``persistence``, ``climatology`` and ``damped anomaly persistence``.
    initial : dict, optional
        Variable to the ``(y, x)`` field that persists; the mean of the forecast at lead 0 if left
        out.
    climatology : dict, optional
        Variable to the normal field ``(y, x)`` or ``(lead, y, x)``, for that baseline.
    past : dict, optional
        Variable to `PastYears`, from which climatology and damping are taken without the year of
        the forecast.
    systems : dict, optional
        Name of another system, such as ``free run`` or ``free drift``, to its fields by variable,
        ``(lead, y, x)`` or ``(lead, member, y, x)``.
    regions : dict, optional
        Name to bool ``(y, x)`` or ``(lead, y, x)``. If left out: ``arctic`` (the whole ocean) and
        ``ice`` (where the truth has at least 15 % at that lead).
    seed : int
        Of the bootstrap.

    Returns
    -------
    Scorecard

    Raises
    ------
    InputError
        If a baseline is unknown or lacks its field, or shapes do not fit.
    """
    if not isinstance(truth, dict):
        truth = {"concentration": truth.concentration, "ice_volume": truth.ice_volume}
    members = {
        name: np.moveaxis(np.asarray(getattr(forecast.ensemble, name))[forecast.healthy], 0, 1)
        for name in truth
    }
    count = len(forecast.time)
    systems = {"forecast": members, **(systems or {})}
    kept = initial or {v: field[0].mean(axis=0) for v, field in members.items()}
    times = [int(time) for time in forecast.time]
    for name in baselines:
        if name == "persistence":
            systems[name] = {v: persistence(field, count) for v, field in kept.items()}
        elif name == "climatology" and climatology is not None:
            systems[name] = {v: climatology_forecast(f, count) for v, f in climatology.items()}
        elif name not in BASELINES:
            raise InputError(f"no baseline {name!r}; there are {', '.join(BASELINES)}")
        elif past is None:
            fields = "climatology={name: field} or " * (name == "climatology")
            raise InputError(
                f"the baseline {name} needs its fields: {fields}past={{name: PastYears}}"
            )
        else:
            both = {
                v: _of_past(v, past[v], kept[v], times, forecast.grid) for v in past if v in kept
            }
            place = BASELINES.index(name) - 1
            systems[name] = {v: fields[place] for v, fields in both.items()}
    return score(systems, truth, forecast.grid, forecast.lead_hours, regions=regions, seed=seed)


def _of_past(name, past, initial, times, grid):
    """Climatology and damped anomaly persistence of one variable, ``(lead, y, x)`` each."""
    normals = np.stack([past.normal(time) for time in times])
    leads = np.array(times) - times[0]
    damping = past.damping(times[0], leads, weights=grid.area * grid.mask_t)
    damped = damped_anomaly_persistence(
        initial,
        normal_start=past.normal(times[0]),
        normal_leads=normals,
        correlation=damping,
        lower=VARIABLES[name].lower,
        upper=VARIABLES[name].upper,
    )
    return normals, damped


def score(systems, truth, grid, lead_hours, *, regions=None, seed=0):
    """Scores of systems given as fields; `regions` as in `verify`, the rest as in `score_systems`.

    Returns
    -------
    Scorecard
    """
    if regions is None:
        regions = default_regions(truth, grid)
    card = score_systems(
        systems,
        truth,
        area=grid.area,
        mask=grid.mask_t,
        lead_hours=lead_hours,
        regions=regions,
        rng=np.random.default_rng(seed),
    )
    # Where only cells with true ice count, the edge can be misplaced to one side only.
    whole = {name for name, region in regions.items() if np.ndim(region) == 2}
    return Scorecard(r for r in card.rows if r.region in whole or r.score not in EDGE_SCORES)


def default_regions(truth, grid):
    """``arctic``: the whole ocean; ``ice``: where the true concentration is 15 % or more."""
    regions = {"arctic": np.asarray(grid.mask_t)}
    if "concentration" in truth:
        regions["ice"] = np.nan_to_num(truth["concentration"]) >= ICE_EDGE
    return regions
