"""Transport through the faces of cells: conservative, positive and smooth in every argument."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from floecast.core.operators import east, north, south, west

_STILL = 1e-3
"""Speed below which a flow is smoothed over the two directions, in cells per step [1]."""
_SHARPNESS = 8
"""Of the limiter: the share of a cell that may leave bends to 1 over this power."""


class Faces(eqx.Module):
    """What flows through the four faces of each cell.

    Parameters
    ----------
    to_east, to_west, to_north, to_south : (y, x) array
        Share of the cell's content that leaves through a face in a step, T points [1]; 0 through
        coasts. The four add up to less than 1.
    """

    to_east: Float[Array, "y x"]
    to_west: Float[Array, "y x"]
    to_north: Float[Array, "y x"]
    to_south: Float[Array, "y x"]

    def carry(self, content, area):
        """Content after the step, and its change.

        Parameters
        ----------
        content : (y, x) array
            Per area, T points, not negative.
        area : (y, x) array
            Of the cells [m2].

        Returns
        -------
        (y, x) array
            Not negative; its sum over the area is that of `content`.
        """
        amount = content * area
        left = amount * (1.0 - self.to_east - self.to_west - self.to_north - self.to_south)
        come = (
            west(amount * self.to_east)
            + east(amount * self.to_west)
            + south(amount * self.to_north)
            + north(amount * self.to_south)
        )
        return (left + come) / area


def outflow(content, courant_u, courant_v, excess_u, excess_v, grid):
    """Shares of a tracer that leave each cell.

    Parameters
    ----------
    content : (y, x) array
        Per area, T points, not negative.
    courant_u, courant_v : (y, x) array
        Way of the ice in a step over the side of a cell, U and V points [1].
    excess_u, excess_v : (y, x) array
        Logarithm of a factor on the flux, U and V points [1]: 0 leaves the scheme below.
    grid : Grid

    Returns
    -------
    Faces

    Notes
    -----
    The value at a face is that of the cell the flow comes from plus half of a slope, `_slope`,
    that is 0 at extrema, times 1 - |courant| (Lax and Wendroff 1960): second order
    in space and time in smooth fields. What leaves a cell is divided by (1 + s^8)^(1/8), s its sum
    over the faces as a share of the content, so that no content turns negative.
    """
    first, tiny = jnp.asarray(content), 1e-6
    pieces = []
    for courant, excess, mask, ahead, behind in (
        (courant_u, excess_u, grid.mask_u, east, west),
        (courant_v, excess_v, grid.mask_v, north, south),
    ):
        courant = jnp.where(mask, courant, 0.0)
        size = jnp.sqrt(courant**2 + _STILL**2)
        rise = jnp.where(mask, ahead(first) - first, 0.0)  # across the face ahead
        bend = 0.5 * _slope(behind(rise), rise) / (first + tiny)
        factor = jnp.where(mask, jnp.exp(excess), 0.0)
        shorter = jnp.maximum(1.0 - size, 0.0)
        forward = 0.5 * (size + courant) * factor * (1.0 + shorter * bend)
        backward = behind(0.5 * (size - courant) * factor) * (1.0 - behind(shorter) * bend)
        pieces += [forward, backward]
    total = sum(pieces)
    limit = (1.0 + total**_SHARPNESS) ** (-1.0 / _SHARPNESS)
    return Faces(*(piece * limit for piece in pieces))


def _slope(one, other):
    """Mean of two differences where they are alike, 0 where their signs differ, between smooth.

    With r their ratio it is 2 r^2 (1 + r) / (1 + r^2)^2 of one of them, at most 1.1 of the lesser,
    so that the value at a face is never below 0.
    """
    # The floor is far below what matters, and its powers far above the least of single precision.
    agreement = jnp.maximum(one * other, 0.0) / (one**2 + other**2 + 1e-12)
    return 2.0 * agreement**2 * (one + other)
