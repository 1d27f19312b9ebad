"""Area weights: a cell of zero weight never enters a score, whatever it holds."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from floecast.core.errors import InputError

Array = NDArray[np.float64]


def prepare(weights: ArrayLike, **fields: ArrayLike) -> tuple[Array, ...]:
    """Bring weights and fields to float64 with zeros in the cells that do not count.

    Parameters
    ----------
    weights : (..., y, x) cell area times mask [m2]; zero or NaN leaves the cell out.
    **fields : (..., y, x) fields by name; the name is used in the error message.

    Returns
    -------
    tuple of arrays
        The weights, then the fields in the order given.

    Raises
    ------
    InputError
        A weight is negative, or a field is not finite in a cell of positive weight.
    """
    weights = np.asarray(weights, dtype=np.float64)
    if np.any(weights < 0):
        raise InputError(
            "weights: negative values; expected cell area times mask, zero where masked"
        )
    used = weights > 0
    clean = [np.where(used, weights, 0.0)]
    for name, values in fields.items():
        field = np.where(used, np.asarray(values, dtype=np.float64), 0.0)
        bad = np.count_nonzero(~np.isfinite(field))
        if bad:
            raise InputError(
                f"{name}: {bad} values inside the mask are not finite; expected numbers wherever "
                "the weight is positive; set the weight of those cells to zero"
            )
        clean.append(field)
    return tuple(clean)


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> Array:
    """Quotient that is NaN (undefined, not zero) where the denominator is zero.

    Parameters
    ----------
    numerator, denominator : arrays of one shape.

    Returns
    -------
    array or scalar
        The quotient.
    """
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    out = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=out, where=denominator != 0)
    return out[()]


def weighted_sum(cells: ArrayLike, weights: ArrayLike) -> Array:
    """Sum of weight times value over the last two axes.

    Parameters
    ----------
    cells : (..., y, x) values as returned by `prepare`.
    weights : (..., y, x) weights as returned by `prepare` [m2].

    Returns
    -------
    (...) array or scalar
        The sum, in the unit of the cells times m2.
    """
    return (np.asarray(cells) * weights).sum(axis=(-2, -1))


def weighted_mean(cells: ArrayLike, weights: ArrayLike) -> Array:
    """Mean over the last two axes; NaN where no cell counts.

    Parameters
    ----------
    cells : (..., y, x) values as returned by `prepare`.
    weights : (..., y, x) weights as returned by `prepare` [m2].

    Returns
    -------
    (...) array or scalar
        The mean, in the unit of the cells.
    """
    total = np.sum(weights, axis=(-2, -1))
    return ratio(weighted_sum(cells, weights), total)
