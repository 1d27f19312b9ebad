"""Errors of satellite products: what to expect of a value where its file does not say."""

from typing import NamedTuple

import numpy as np

from floecast.core.errors import InputError

from .altimetry import DENSITY, thickness_of
from .observations import KINDS

PACK_ERROR = 0.05
"""Concentration error in closed pack and over open water [1]."""

MARGINAL_ERROR = 0.15
"""Concentration error at half cover, in the marginal zone and among melt ponds [1]."""

THICKNESS_ERROR = 0.35
"""Error of a CryoSat-2 cell of 50 km [m]."""

SHARED_VARIANCE = 0.5
"""Part of the thickness error variance that the observations of one group share [1]."""

BLOCK = 100e3
"""Side of the blocks within which the thickness error is shared [m]."""

# Blocks repeat after 10000 km, farther than any grid is wide.
_BLOCKS_A_SIDE = 100


def concentration_error(concentration):
    """Standard error of a passive-microwave concentration.

    Parameters
    ----------
    concentration : (...,) array
        [1].

    Returns
    -------
    (...,) array
        [1].

    Notes
    -----
    A parabola from `PACK_ERROR` at 0 and 1 to `MARGINAL_ERROR` at 0.5. The documentation of the
    NASA Team product gives about 5 % in winter pack and 15 % in the marginal zone and in summer.

    References
    ----------
    Cavalieri, D. J. et al. (1992), NASA Technical Memorandum 104559.
    Maslanik, J. and J. Stroeve (1999), NSIDC-0081, doi:10.5067/U8C09DWVX9LM.
    """
    concentration = np.asarray(concentration)
    parabola = 4.0 * concentration * (1.0 - concentration)
    return PACK_ERROR + (MARGINAL_ERROR - PACK_ERROR) * parabola


def error_at_estimate(observations, equivalents):
    """Observations of concentration with the error of what is likely, not of what was reported.

    An error that follows from the reported value is smaller for a value that came out too near
    to 0 or 1 than for one that came out too far away, and an analysis that believes it has too
    much ice in the pack.

    Parameters
    ----------
    observations : Observations
        Those that are `assumed` have errors by `concentration_error`, or in proportion to it where
        they were joined from several; all others stay.
    equivalents : (member, p) array
        What the background shows of each; members that are NaN are left out.

    Returns
    -------
    Observations

    Notes
    -----
    The error is that of ``c = b + (y - b) s^2 / (s^2 + e(b)^2)``, with y the value, b and s mean
    and spread of the equivalents and e `concentration_error`. Errors that do not follow from the
    observation alone are the idea of Geer and Bauer (2011), who take the mean of both sides.

    References
    ----------
    Geer, A. J., and Bauer, P. (2011). Observation errors in all-sky data assimilation. Q. J. R.
    Meteorol. Soc., 137, 2024-2037.
    """
    members = np.asarray(equivalents)
    members = members[np.isfinite(members).all(axis=1)]
    if len(members) < 2:
        return observations
    mean, variance = np.clip(members.mean(axis=0), 0, 1), members.var(axis=0, ddof=1)
    gain = variance / (variance + concentration_error(mean) ** 2)
    likely = np.clip(mean + gain * (np.asarray(observations.value) - mean), 0, 1)
    chosen = np.asarray(observations.kind) == KINDS.index("concentration")
    chosen &= np.asarray(observations.assumed)
    value = np.clip(np.asarray(observations.value), 0, 1)
    factor = concentration_error(likely) / concentration_error(value)
    error = np.asarray(observations.error_std)
    return observations.replace(error_std=np.where(chosen, factor * error, error))


def block_group(x, y, period):
    """Number of the group whose observations share an error: one block of 100 km and one period.

    Snow depth and density enter a thickness retrieval as fields that are smooth over such a
    distance and a month, so their errors do not average out between neighbours.

    Parameters
    ----------
    x, y : (p,) array
        Position on the projected plane [m].
    period : int or (p,) int array
        Number of the month or week.

    Returns
    -------
    (p,) int array
        Positive, and different for different blocks or periods.
    """
    column, row = (np.floor(np.asarray(z) / BLOCK).astype(int) % _BLOCKS_A_SIDE for z in (x, y))
    return 1 + (np.asarray(period) * _BLOCKS_A_SIDE + row) * _BLOCKS_A_SIDE + column


class ThicknessError(NamedTuple):
    """Standard error of a thickness that was made from a freeboard.

    Parameters
    ----------
    own : (...,) array
        Part that differs from one value to the next: of the freeboard [m].
    shared : (...,) array
        Part that neighbours have in common: of snow depth and densities [m].
    """

    own: np.ndarray
    shared: np.ndarray

    @property
    def total(self):
        """Of both, which is the `error_std` of an observation [m]."""
        return np.hypot(self.own, self.shared)

    @property
    def share(self):
        """Share of the variance that is common, as `GaussianMisfit` takes it [1]."""
        return self.shared**2 / self.total**2


def thickness_error(
    freeboard, snow_depth, freeboard_error, snow_error, density_error, *, laser=False
):
    """Error of the thickness of floating ice from those of what it is made of.

    Parameters
    ----------
    freeboard, snow_depth : (...,) array
        [m]
    freeboard_error, snow_error : (...,) array
        Their standard errors [m].
    density_error : mapping of str to float
        Standard errors of the densities of ``ice`` and ``snow`` [kg/m3]; what is absent is taken as
        known.
    laser : bool
        As in `freeboard_of`.

    Returns
    -------
    ThicknessError

    Raises
    ------
    InputError
        If an error is negative, that of the freeboard not positive, or of another density.

    Notes
    -----
    First-order propagation through `thickness_of` of independent errors: with b = rho_w - rho_i the
    slopes are rho_w / b for the freeboard, rho_s / b for the snow depth, or (rho_s - rho_w) / b
    under a laser, d / b for the density of the snow and h / b for that of the ice. Retrievals of
    snow depth and density come from climatologies or wide footprints, so that their errors do not
    average out between neighbours. Alexandrov et al. (2010) give 36 kg/m3 for first-year and 23 for
    older ice.

    References
    ----------
    Ricker, R., Hendricks, S., Helm, V., Skourup, H., and Davidson, M. (2014). Sensitivity of
    CryoSat-2 Arctic sea-ice freeboard and thickness on radar-waveform interpretation. Cryosphere,
    8, 1607-1622.
    """
    unknown = sorted(set(density_error) - {"ice", "snow"})
    if unknown:
        raise InputError(f"no error of the density of {unknown[0]!r}; give 'ice' and 'snow'")
    if not np.all(np.asarray(freeboard_error) > 0):
        raise InputError("the error of the freeboard must be positive")
    for name, error in {"snow depth": snow_error, **density_error}.items():
        if not np.all(np.asarray(error) >= 0):
            raise InputError(f"the error of {name} must not be negative")
    buoyancy = DENSITY["water"] - DENSITY["ice"]
    thickness = thickness_of(np.asarray(freeboard), snow_depth, laser=laser)
    snow = DENSITY["snow"] - float(laser) * DENSITY["water"]
    shared = (
        snow * np.asarray(snow_error),
        np.asarray(snow_depth) * density_error.get("snow", 0.0),
        thickness * density_error.get("ice", 0.0),
    )
    own = DENSITY["water"] * np.asarray(freeboard_error) / buoyancy
    square = sum(np.square(part) for part in shared)
    return ThicknessError(*np.broadcast_arrays(own, np.sqrt(square) / buoyancy))


def representativeness_error(product_spacing, grid_spacing, variability, *, exponent=0.5):
    """Error of comparing a product with a grid that is coarser than its resolution.

    Parameters
    ----------
    product_spacing, grid_spacing : float
        Side of what one value of the product stands for, and of a grid cell [m].
    variability : (...,) array
        Standard deviation of the field within one grid cell, in its unit.
    exponent : float
        Growth of that with the side of the area, in (0, 1].

    Returns
    -------
    (...,) array
        Standard error, to be added in quadrature to that of the product; 0 for products as coarse
        as the grid or coarser, whose footprint the operator takes the mean over.

    Raises
    ------
    InputError
        If a spacing is not positive, the variability negative or the exponent outside of (0, 1].

    Notes
    -----
    An assumption: the variance within an area of side L grows as L^(2 a), as in a field with the
    spectrum k^-(1 + 2 a). The product sees what the cell has and itself averages over its own area,
    so the variance is ``variability^2 (1 - (d / D)^(2 a))``. The default a = 1/2 is the spectrum
    k^-2 of fields with sharp edges, such as those of ice.

    References
    ----------
    Janjic, T., et al. (2018). On the representation error in data assimilation. Q. J. R. Meteorol.
    Soc., 144, 1257-1278.
    """
    variability = np.asarray(variability)
    if not (product_spacing > 0 and grid_spacing > 0 and np.all(variability >= 0)):
        raise InputError(
            "a representativeness error needs positive spacings and a variability of at least 0, "
            f"not {product_spacing}, {grid_spacing} and {np.min(variability)}"
        )
    if not 0 < exponent <= 1:
        raise InputError(f"the exponent of the variability must be in (0, 1], not {exponent}")
    ratio = min(product_spacing / grid_spacing, 1.0)
    return variability * np.sqrt(1.0 - ratio ** (2 * exponent))


def overlap_inflation(span, interval):
    """Factor on the error of products whose spans overlap, when all of them are used.

    Parameters
    ----------
    span, interval : float
        Length of the mean, and time from one file to the next, in the same unit.

    Returns
    -------
    float
        ``sqrt(span / interval)``, at least 1: sqrt(7) for daily files of a mean of 7 days.

    Raises
    ------
    InputError
        If one of them is not positive.

    Notes
    -----
    Every measurement stands in span / interval files. With the variance multiplied by as much and
    the errors taken as independent, all files together weigh as much as the measurements do.
    """
    if not (span > 0 and interval > 0):
        raise InputError(f"span and interval must be positive, not {span} and {interval}")
    return float(np.sqrt(max(span / interval, 1.0)))
