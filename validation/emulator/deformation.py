"""Deformation of truth and members at the end of the forecasts."""

import numpy as np

from floecast.verification.bootstrap import mean_interval
from floecast.verification.deformation import coarse_grain, follow, grid_deformation
from floecast.verification.deformation_statistics import (
    localisation,
    moments,
    percentile,
    structure_function,
    tail_exponent,
)
from floecast.verification.failure_lines import find_failure_lines

PACK = 0.8
"""Concentration of the truth from which a cell counts."""
LEAST = 100
"""Cells of pack from which a date counts."""
STEPS = (1, 2, 4, 8)
"""Sides of the quadrangles of the structure functions [cells]."""
INTERVAL = 6 * 3600
"""For which points are followed [s]."""
TAIL = 0.9
"""Quantile of the truth's rates, all dates, above which the tail begins."""
ROWS = {
    "p90": "90th percentile of total deformation [1/day]",
    "mean": "its mean [1/day]",
    "tail": "exponent of the tail of its distribution",
    "localisation": "share of it in the tenth of the cells that deforms most",
    "beta2": "exponent of the structure function of order 2",
    "beta3": "of order 3",
    "lines": "length of failure lines over the area [1/1000 km]",
}


def pack(case, grid):
    """Cells away from coasts that pack ice covers at the end of the truth."""
    inner = np.asarray(grid.mask_t).copy()
    for axis in (0, 1):
        for shift in (-1, 1):
            inner &= np.roll(grid.mask_t, shift, axis)
    return inner & (case.truth.concentration[-1] > PACK)


def measure(measured):
    """Rates, and statistics of each date, of truth and members.

    Returns
    -------
    rates : dict
        ``"truth"`` and ``"members"``: all rates of total deformation [1/day].
    table : dict
        By row of `ROWS`: mean of the truth over dates, low and high end of its interval, mean of
        the members.
    """
    grid = measured.truth.grid
    dates = [
        (case, last, pack(case, grid))
        for case, last in zip(measured.cases, measured.last, strict=True)
    ]
    dates = [one for one in dates if np.count_nonzero(one[2]) >= LEAST]
    true = [_total(case.truth.u[-1], case.truth.v[-1], ice, grid)[None] for case, _, ice in dates]
    told = [_total(last.u, last.v, ice, grid) for _, last, ice in dates]
    rates = {
        "truth": np.concatenate([one[np.isfinite(one)] for one in true]),
        "members": np.concatenate([one[np.isfinite(one)] for one in told]),
    }
    lower = float(np.quantile(rates["truth"], TAIL))
    rows = {"truth": [], "members": []}
    for number, (case, last, ice) in enumerate(dates):
        velocities = (case.truth.u[-1:], case.truth.v[-1:])
        rows["truth"].append(_statistics(true[number], *velocities, ice, grid, lower))
        rows["members"].append(_statistics(told[number], last.u, last.v, ice, grid, lower))
    table = {}
    for place, name in enumerate(ROWS):
        truth, members = (np.array(rows[which])[:, place] for which in ("truth", "members"))
        good = np.isfinite(truth) & np.isfinite(members)
        rng = np.random.default_rng(0)
        interval = mean_interval(truth[good], block_length=1, rng=rng)
        table[name] = (*interval, float(np.mean(members[good])))
    return rates, table


def _total(u, v, ice, grid):
    return np.where(ice, grid_deformation(u, v, grid).total, np.nan)


def _statistics(total, u, v, ice, grid, lower):
    """Of one date, means over the fields ``(field, y, x)``, in the order of `ROWS`."""
    return np.nanmean(
        [
            (
                percentile(field, least=LEAST),
                np.nanmean(field),
                tail_exponent(field[np.isfinite(field)], lower),
                localisation(field),
                *_exponents(one_u, one_v, ice, grid),
                1e6 * find_failure_lines(field, spacing=grid.spacing).density,
            )
            for field, one_u, one_v in zip(total, u, v, strict=True)
        ],
        axis=0,
    )


def _exponents(u, v, ice, grid):
    """Exponents of the structure functions of orders 2 and 3."""
    x, y = np.meshgrid(grid.x, grid.y)
    points = np.where(ice[..., None], np.stack([x, y], axis=-1), np.nan)
    start, end = follow(points, u[None], v[None], grid, INTERVAL)
    samples = coarse_grain(
        start, end, INTERVAL, spacing=grid.spacing, steps=STEPS, overlapping=True
    )
    rates = moments([sample.deformation.total for sample in samples])
    beta = structure_function([sample.scale for sample in samples], rates).beta
    return beta[1], beta[2]
