"""Scores of the forecasts, and their differences with intervals and the power of the sample."""

from typing import NamedTuple

import cases
import numpy as np
import runs as study
from scipy.stats import norm
from scipy.stats import t as student

from floecast.core.atomic import replacing
from floecast.core.variables import ICE_EDGE
from floecast.verification.bootstrap import circular_blocks, lag_one_correlation
from floecast.verification.probabilistic import brier_cells, crps_cells
from floecast.verification.regions import ice_zones, season_of

REGIONS = ("arctic", "pack", "marginal zone")
ROOTS = ("drift", "concentration", "volume")
"""Scores that are roots of mean squares; the others are means or areas."""
SCORES = {
    "drift": ("drift, vector RMSE", 100, "cm/s"),
    "concentration": ("concentration, RMSE", 100, "%"),
    "volume": ("ice volume, RMSE", 100, "cm"),
    "volume_crps": ("ice volume, fair CRPS", 100, "cm"),
    "iiee": ("ice edge, IIEE", 1e-12, "1e6 km2"),
    "sps": ("ice edge, fair SPS", 1e-12, "1e6 km2"),
}
"""Title, factor and unit of each."""
BANDS = {
    "12 h": (12,),
    "1 d": (24,),
    "2 d": (48,),
    "3 d": (72,),
    "5 d": (120,),
    "7 d": (168,),
    "10 d": (240,),
    "days 0.5-3": tuple(range(12, 73, 12)),
    "days 3.5-10": tuple(range(84, 241, 12)),
}
"""Leads whose sums are taken together [h]."""
BLOCK, DRAWS = 2, 4000
"""Start dates in a block of the bootstrap, in the order of time, and its draws."""


ENOUGH = 4 * BLOCK
"""Start dates below which an interval may be narrow by chance and no change is called clear."""


class Change(NamedTuple):
    """How much larger a score is than that of a reference, over it.

    Attributes
    ----------
    value, low, high : float
        And the 95 % interval [1].
    seen : float
        Smallest change that a two-sided test at 5 % finds in 80 of 100 such samples [1].
    cases : int
    """

    value: float
    low: float
    high: float
    seen: float
    cases: int

    @property
    def clear(self):
        """Whether the interval leaves out no change, and rests on enough dates to say so."""
        return self.cases >= ENOUGH and (self.low > 0 or self.high < 0)


def sums_of(forecast, truth, area):
    """What the scores of one forecast are made of.

    Parameters
    ----------
    forecast : dict of (member, lead, y, x) array
    truth : dict of (lead, y, x) array
    area : (y, x) array
        0 on land [m2].

    Returns
    -------
    dict of (region, lead, 2) array
        Numerator and denominator by score.
    """
    zones = ice_zones(truth["concentration"])
    regions = {"arctic": np.ones(truth["concentration"].shape, bool)} | zones
    mean = {name: field.mean(axis=0) for name, field in forecast.items()}
    error = {name: mean[name] - truth[name] for name in ("u", "v", "concentration", "ice_volume")}
    ice = zones["pack"] | zones["marginal zone"]
    edges = (forecast["concentration"] > ICE_EDGE) != (truth["concentration"] > ICE_EDGE)
    probability = brier_cells(
        forecast["concentration"], truth["concentration"], threshold=ICE_EDGE, fair=True
    )
    cells = {
        "drift": (ice * (error["u"] ** 2 + error["v"] ** 2), ice),
        "concentration": (error["concentration"] ** 2, True),
        "volume": (error["ice_volume"] ** 2, True),
        "volume_crps": (crps_cells(forecast["ice_volume"], truth["ice_volume"], fair=True), True),
        "iiee": (edges.mean(axis=0), None),
        "sps": (probability, None),
    }
    found = {}
    for name, (value, counted) in cells.items():
        parts = []
        for where in regions.values():
            weight = area * where
            total = np.sum(weight * value, axis=(1, 2))
            # An area is a sum, of which the mean over start dates is taken.
            whole = np.ones(len(total)) if counted is None else np.sum(weight * counted, (1, 2))
            parts.append(np.stack([total, whole], axis=-1))
        found[name] = np.stack(parts)
    return found


def table(runs, names, numbers):
    """Sums of all cases that have all of some systems.

    Parameters
    ----------
    runs : Runs
    names : sequence of str
        Systems, "persistence" among them.
    numbers : iterable of int
        Cases.

    Returns
    -------
    starts : (case,) array
        Ascending [s].
    sums : dict of (case, region, lead, 2) array
        By system and score.
    """
    numbers = [n for n in numbers if all(_there(runs, n, name) for name in ("truth", *names))]
    numbers.sort(key=lambda n: cases.case(n, runs.grid).start)
    starts = np.array([cases.case(n, runs.grid).start for n in numbers])
    each = [{name: _sums(runs, n, name) for name in names} for n in numbers]
    return starts, {
        (name, score): np.stack([one[name][score] for one in each])
        for name in names
        for score in SCORES
        if each
    }


def _there(runs, number, name):
    return name == "persistence" or runs.have(number, name)


def _sums(runs, number, name):
    """Sums of a run, kept beside it."""
    path = runs.path(cases.case(number, runs.grid), f"sums {name}")
    if not path.exists():
        truth = {key: field for key, field in runs.read(number, "truth").items() if field.ndim == 3}
        whole = runs.persistence(number) if name == "persistence" else runs.read(number, name)
        fields = {key: field for key, field in whole.items() if field.ndim == 4}
        found = sums_of(fields, truth, runs.grid.area * runs.ocean)
        with replacing(path) as partial, open(partial, "wb") as file:
            np.savez(file, **found)
    with np.load(path) as file:
        return dict(file)


def score(sums, name, region, band):
    """A score of sums ``(case, region, lead, 2)``, over all cases."""
    return _root(name, _chosen(sums, region, band).sum(axis=0))


def _chosen(sums, region, band):
    """Sums ``(case, 2)`` of a region and of leads."""
    leads = np.isin(study.LEADS, BANDS[band])
    return sums[:, REGIONS.index(region), leads].sum(axis=1)


def _root(name, sums):
    with np.errstate(invalid="ignore", divide="ignore"):
        value = sums[..., 0] / sums[..., 1]
        return np.sqrt(value) if name in ROOTS else value


def change(sums, reference, name, region="arctic", band="3 d", chosen=None, seed=0):
    """How much a score changes from one system to another on the same cases.

    Parameters
    ----------
    sums, reference : (case, region, lead, 2) array
        Of the system and of that with which it is compared.
    name : str
        Of the score.
    region, band : str
    chosen : (case,) bool array, optional
        Cases that count.

    Returns
    -------
    Change
        Both scores are made anew from the sums of the cases in every draw.
    """
    pair = [_chosen(one, region, band) for one in (sums, reference)]
    if chosen is not None:
        pair = [one[chosen] for one in pair]
    count = len(pair[0])

    def relative(parts):
        with np.errstate(invalid="ignore", divide="ignore"):
            return _root(name, parts[0]) / _root(name, parts[1]) - 1.0

    value = relative([one.sum(axis=0) for one in pair])
    if count < 2 * BLOCK:
        return Change(float(value), np.nan, np.nan, np.nan, count)
    drawn = circular_blocks(count, BLOCK, draws=DRAWS, rng=np.random.default_rng([seed, count]))
    draws = relative([one[drawn].sum(axis=1) for one in pair])
    draws = draws[np.isfinite(draws)]
    if not draws.size:
        return Change(float(value), np.nan, np.nan, np.nan, count)
    # Few dates: their draws spread too little, by (n - 1) / n, and their spread is uncertain.
    error = np.std(draws) * np.sqrt(count / (count - 1))
    sure, likely = student.ppf([0.975, 0.8], count - 1)
    draws = value + (draws - value) * np.sqrt(count / (count - 1)) * sure / norm.ppf(0.975)
    low, high = np.quantile(draws, [0.025, 0.975])
    return Change(float(value), float(low), float(high), float((sure + likely) * error), count)


def correlation(sums, reference, name, region, band):
    """Correlation of the difference of consecutive start dates."""
    values = [_root(name, _chosen(one, region, band)) for one in (sums, reference)]
    return lag_one_correlation(values[0] - values[1])


def seasons(starts):
    """Cases of each season."""
    names = season_of(starts)
    return {name: names == name for name in ("winter", "melt", "late summer", "freeze-up")}
