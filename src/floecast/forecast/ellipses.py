"""Ellipses that hold a share of what may come, such as of drift and of positions."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from floecast.verification.drift import ellipse_quantile


class Ellipse(NamedTuple):
    """Ellipses in a plane; arrays of one shape.

    Attributes
    ----------
    x, y : centre, the mean of the members.
    major, minor : semi-axes, in the unit of the members.
    angle : from the x axis to the major axis, counter-clockwise, in (-90, 90] [degrees].
    """

    x: np.ndarray
    y: np.ndarray
    major: np.ndarray
    minor: np.ndarray
    angle: np.ndarray

    def holds(self, x, y):
        """Whether points lie within; shapes broadcast with those of the ellipses."""
        turn = np.radians(self.angle)
        x, y = np.asarray(x) - self.x, np.asarray(y) - self.y
        along = x * np.cos(turn) + y * np.sin(turn)
        across = y * np.cos(turn) - x * np.sin(turn)
        return (along * self.minor) ** 2 + (across * self.major) ** 2 <= (
            self.major * self.minor
        ) ** 2


def prediction_ellipse(x: ArrayLike, y: ArrayLike, probability: float) -> Ellipse:
    """Ellipse that holds one more draw with a given probability.

    Parameters
    ----------
    x, y : (member, ...) array
        Components of the members, such as velocity [m/s] or position on the map [m].
    probability : float
        In (0, 1).

    Returns
    -------
    Ellipse
        Arrays ``(...)``.

    Raises
    ------
    InputError
        With fewer than three members, or a probability outside of (0, 1).

    Notes
    -----
    One more draw from the bivariate normal distribution of the members, with their covariance S of
    divisor N - 1, lies with that probability where ``d' S^-1 d`` is at most
    `floecast.verification.drift.ellipse_quantile`.

    References
    ----------
    Chew, V. (1966): Confidence, prediction, and tolerance regions for the multivariate normal
    distribution. J. Am. Stat. Assoc. 61, 605-617, doi:10.1080/01621459.1966.10480892.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    count = len(x)
    factor = ellipse_quantile(probability, count)
    centre_x, centre_y = x.mean(axis=0), y.mean(axis=0)
    x, y = x - centre_x, y - centre_y
    var_x, var_y = (np.sum(one**2, axis=0) / (count - 1) for one in (x, y))
    cov = np.sum(x * y, axis=0) / (count - 1)
    mean, root = (var_x + var_y) / 2, np.hypot((var_x - var_y) / 2, cov)
    return Ellipse(
        centre_x,
        centre_y,
        np.sqrt(factor * (mean + root)),
        np.sqrt(factor * np.maximum(mean - root, 0.0)),
        np.degrees(np.arctan2(2 * cov, var_x - var_y)) / 2,
    )
