"""Errors of satellite products: what to expect of a value where its file does not say."""

import numpy as np

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
