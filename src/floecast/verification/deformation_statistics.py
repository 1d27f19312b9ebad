"""Statistics of deformation rates: spatial scaling, distribution, tail, localisation.

Rates are per day and are pooled: join the dates before the statistics are taken. None of these
numbers is to be judged alone: smooth fields can meet observed exponents because gradients of
either sign cancel (Beaudry and Tremblay 2026).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from floecast.core.errors import InputError
from floecast.verification.weighting import Array, ratio

ORDERS = (1.0, 2.0, 3.0)
"""Orders of the moments in common use."""

PDF_RANGE = (1e-3, 0.5)
"""Rates between which distributions are drawn [1/day]."""

NARROWEST_BIN = 5e-4
"""Width of the first bin of a distribution at 10 and 20 km [1/day]."""

BIN_GROWTH = 0.4
"""Logarithm of the width of a bin over that of the one before."""

WIDER_BINS = {40e3: 1.5, 80e3: 2.0, 160e3: 4.0, 320e3: 6.0, 640e3: 8.0}
"""Factor on the width of the bins by scale [m]."""

LEAST_QUADS = 1000
"""Values below which a percentile of one date is not given."""


class StructureFunction(NamedTuple):
    """Spatial scaling ``<rate^q> ~ scale^(-beta(q))``.

    Attributes
    ----------
    orders : (order,) the orders q.
    beta : (order,) exponents.
    curvature, slope : a and b of ``beta(q) = a q^2 + b q``; a > 0 tells multifractal scaling, but
        see `structure_function`.
    """

    orders: Array
    beta: Array
    curvature: float
    slope: float


class Distribution(NamedTuple):
    """Probability density of deformation rates.

    Attributes
    ----------
    edges : (bin + 1,) [1/day].
    density : (bin,) probability over width [day]; the integral over the bins is 1.
    values : number of rates inside the bins.
    """

    edges: Array
    density: Array
    values: int

    @property
    def centres(self) -> Array:
        """Middle of the bins [1/day]."""
        return 0.5 * (self.edges[1:] + self.edges[:-1])


def moments(rates: Sequence[ArrayLike], orders: ArrayLike = ORDERS) -> Array:
    """Mean powers of deformation rates.

    Parameters
    ----------
    rates : for every scale, the rates (n,) of its quadrangles; signs do not count.
    orders : (order,) powers q.

    Returns
    -------
    (scale, order) array
        ``<|rate|^q>`` [day^-q]; NaN for a scale without quadrangles.
    """
    powers = np.asarray(orders, np.float64)
    sums = [(np.abs(np.asarray(rate))[:, None] ** powers).sum(axis=0) for rate in rates]
    counts = np.array([np.size(rate) for rate in rates], np.float64)
    return ratio(np.array(sums), np.broadcast_to(counts[:, None], (len(sums), powers.size)))


def structure_function(
    scales: ArrayLike, moments: ArrayLike, orders: ArrayLike = ORDERS
) -> StructureFunction:
    """Exponents of the spatial scaling and their quadratic fit.

    Parameters
    ----------
    scales : (scale,) sides [m]; lengths of time, for the scaling in time.
    moments : (scale, order) from `moments`; scales with a value that is not positive are left out.
    orders : (order,) powers q.

    Returns
    -------
    StructureFunction

    Raises
    ------
    InputError
        Fewer than two scales are left.

    Notes
    -----
    Straight lines through the logarithms, then ``beta(q) = a q^2 + b q``, both by least squares.
    One straight line of slip has ``beta(q) = q - 1``, which is not multifractal, and yet the fit
    over q = 1, 2, 3 gives a = 5 / 19: never judge by the curvature alone.

    References
    ----------
    Marsan, D., et al. (2004): Scale dependence and localization of the deformation of Arctic sea
    ice. Phys. Rev. Lett. 93, 178501, doi:10.1103/PhysRevLett.93.178501.
    Rampal, P., et al. (2019): On the multi-fractal scaling properties of sea ice deformation.
    The Cryosphere 13, 2457-2474, doi:10.5194/tc-13-2457-2019.
    """
    scales, values = np.asarray(scales, np.float64), np.asarray(moments, np.float64)
    powers = np.asarray(orders, np.float64)
    good = np.isfinite(scales) & (np.isfinite(values) & (values > 0)).all(axis=1)
    if np.count_nonzero(good) < 2:
        raise InputError(
            f"moments: {np.count_nonzero(good)} scales with deformation; expected at least two"
        )
    beta = -np.polyfit(np.log(scales[good]), np.log(values[good]), 1)[0]
    (curvature, slope), *_ = np.linalg.lstsq(np.stack([powers**2, powers], axis=1), beta)
    return StructureFunction(powers, beta, float(curvature), float(slope))


def pdf_edges(scale: float, limits: tuple[float, float] = PDF_RANGE) -> Array:
    """Edges of bins that widen geometrically.

    Parameters
    ----------
    scale : nominal side of the quadrangles [m]; fewer of them at coarse scales ask for wider bins.
    limits : lowest and highest rate [1/day].

    Returns
    -------
    (bin + 1,) array
        From the lowest rate on, the last at or beyond the highest [1/day].
    """
    factor = 1.0
    for coarser, wider in WIDER_BINS.items():
        # Between two scales the border is their geometric mean.
        factor = wider if scale >= coarser / np.sqrt(2) else factor
    edges = [limits[0]]
    while edges[-1] < limits[1]:
        width = factor * NARROWEST_BIN * np.exp(BIN_GROWTH * (len(edges) - 1))
        edges.append(edges[-1] + width)
    return np.array(edges)


def pdf(rates: ArrayLike, edges: ArrayLike) -> Distribution:
    """Probability density of rates inside given bins.

    Parameters
    ----------
    rates : (...) [1/day]; signs do not count, so pass convergence and divergence apart.
    edges : (bin + 1,) from `pdf_edges` [1/day].

    Returns
    -------
    Distribution
        Of the values within the bins; NaN densities if there are none.
    """
    edges = np.asarray(edges, np.float64)
    rates = np.abs(np.asarray(rates, np.float64))
    counts = np.histogram(rates[np.isfinite(rates)], edges)[0]
    total = int(counts.sum())
    density = ratio(counts, np.full(counts.shape, float(total))) / np.diff(edges)
    return Distribution(edges, density, total)


def tail_exponent(rates: ArrayLike, lower: float, upper: float = np.inf) -> float:
    """Exponent of the power law that fits the density of large rates best.

    Parameters
    ----------
    rates : (...) [1/day]; signs do not count.
    lower, upper : rates between which the law is fitted [1/day].

    Returns
    -------
    float
        The exponent p of ``density ~ rate^p``, about -3 in satellite data; NaN with fewer than two
        different values between the limits.

    Notes
    -----
    Maximum likelihood, for a law cut off at `upper` if that is finite: unlike a line through the
    logarithms of a histogram, it does not depend on bins.

    References
    ----------
    Clauset, A., C. R. Shalizi and M. E. J. Newman (2009): Power-law distributions in empirical
    data. SIAM Rev. 51, 661-703, doi:10.1137/070710111.
    """
    rates = np.abs(np.asarray(rates, np.float64))
    rates = rates[(rates >= lower) & (rates <= upper)]
    if np.unique(rates).size < 2:
        return np.nan
    mean = float(np.log(rates / lower).mean())
    if not np.isfinite(upper):
        return -1.0 - 1.0 / mean
    width = np.log(upper / lower)

    def excess(decay: float) -> float:
        """Mean logarithm under the law with exponent -1 - decay, less the one observed."""
        if abs(decay * width) < 1e-4:
            return width / 2 - decay * width**2 / 12 - mean
        # Written for either sign of the decay without overflow.
        product = decay * width
        if product > 0:
            return 1 / decay - width * np.exp(-product) / -np.expm1(-product) - mean
        return 1 / decay - width / np.expm1(product) - mean

    # Beyond these the mean logarithm is that of a law without the other limit.
    steepest = 2.0 / mean
    flattest = -2.0 / (width - mean)
    return -1.0 - float(brentq(excess, flattest, steepest))


def percentile(rates: ArrayLike, level: float = 90.0, least: int = LEAST_QUADS) -> float:
    """Percentile of the rates of one date.

    Parameters
    ----------
    rates : (...) [1/day]; NaN are left out.
    level : [%].
    least : number of values below which none is given.

    Returns
    -------
    float
        [1/day]; NaN with fewer values than `least`.
    """
    all_rates = np.asarray(rates, np.float64)
    known = all_rates[np.isfinite(all_rates)]
    return float(np.percentile(known, level)) if known.size >= max(least, 1) else np.nan


def localisation(rates: ArrayLike, fraction: float = 0.1) -> float:
    """Share of the deformation that happens in the cells which deform most.

    Parameters
    ----------
    rates : (...) of cells of one size [1/day]; NaN are left out, signs do not count.
    fraction : of the cells [1].

    Returns
    -------
    float
        `fraction` if all deform alike, 1 if no others deform; NaN without deformation.
    """
    rates = np.abs(np.asarray(rates, np.float64))
    ordered = np.sort(rates[np.isfinite(rates)])[::-1]
    share = np.concatenate([[0.0], np.cumsum(ordered)])
    part = np.interp(fraction * ordered.size, np.arange(share.size), share)
    return float(ratio(part, share[-1]))
