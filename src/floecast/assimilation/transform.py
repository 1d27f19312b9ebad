"""Ensemble Kalman filters without localisation: EnKF, DEnKF and the finite-size EnKF-N.

The ensemble transform Kalman filter (ETKF) is `LETKF` without a localisation.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp

from floecast.core.errors import InputError
from floecast.observation.operators import observe

from .bounds import AbstractControl, IceControl
from .filter import AbstractTransformFilter, SpectralWeights, inflation_of, need_key
from .inflation import Inflation


class EnKF(AbstractTransformFilter):
    """Stochastic ensemble Kalman filter: every member sees its own perturbed observations.

    Parameters
    ----------
    operator, inflation, control, rotation
        As in `LETKF`.

    Notes
    -----
    The mean over the members is taken out of the perturbations; their sample covariance, over
    N - 1, is that of the error on average, and the covariance of the analysis the right one.

    References
    ----------
    Burgers, G., van Leeuwen, P. J., and Evensen, G. (1998). Analysis scheme in the ensemble Kalman
    filter. Mon. Weather Rev., 126, 1719-1724.
    """

    operator: Callable = observe
    inflation: Inflation = eqx.field(default=Inflation(), converter=inflation_of)
    control: AbstractControl = IceControl()
    rotation: bool = False

    def analyse(self, ensemble, observations, *, key=None):
        """As of `DEnKF`, but the key is needed."""
        need_key(self, key, drawing=True)
        return self._analyse(ensemble, observations, key)

    def analyse_seen(self, ensemble, equivalents, observations, *, key=None):
        """As of `DEnKF`, but the key is needed."""
        need_key(self, key, drawing=True)
        return self._analyse(ensemble, observations, key, equivalents)

    def weights(self, departures, good, key):
        """Gain in the space of the members, applied to perturbed innovations."""
        anomalies, members = departures.anomalies, jnp.sum(good)
        noise = jax.random.normal(key, anomalies.shape, anomalies.dtype)
        noise = jnp.where(departures.used[:, None] & good[None], noise, 0.0)
        noise = noise - jnp.where(good[None], jnp.sum(noise, axis=1, keepdims=True) / members, 0.0)
        gain = _gain(anomalies, members)
        return gain @ departures.innovation, jnp.eye(len(gain)) + gain @ (noise - anomalies)


class DEnKF(AbstractTransformFilter):
    """Deterministic ensemble Kalman filter: half of the gain for the anomalies.

    Parameters
    ----------
    operator, inflation, control, rotation
        As in `LETKF`.

    Notes
    -----
    ``X <- X - K H X / 2``. The covariance is that of the Kalman filter plus ``K H P H' K' / 4``,
    which is small where observations change little and inflates where they change much.

    References
    ----------
    Sakov, P., and Oke, P. R. (2008). A deterministic formulation of the ensemble Kalman filter: an
    alternative to ensemble square root filters. Tellus A, 60, 361-371.
    """

    operator: Callable = observe
    inflation: Inflation = eqx.field(default=Inflation(), converter=inflation_of)
    control: AbstractControl = IceControl()
    rotation: bool = False

    def weights(self, departures, good, key):
        """Gain in the space of the members, and half of it."""
        gain = _gain(departures.anomalies, jnp.sum(good))
        return (
            gain @ departures.innovation,
            jnp.eye(len(gain)) - 0.5 * gain @ departures.anomalies,
        )


class EnKFN(AbstractTransformFilter):
    """Finite-size ensemble transform Kalman filter (EnKF-N): no inflation to be tuned.

    Parameters
    ----------
    operator, inflation, control, rotation
        As in `LETKF`. Inflation is for errors of the model only.
    certainty : float
        How much the prior of the covariance is believed: 1 for the theory; greater values keep
        the inflation nearer to its mode.

    Raises
    ------
    InputError
        If `certainty` is not positive.

    Notes
    -----
    The covariance of the background is not that of N members, of which it is known only that they
    are draws from it. With Y the anomalies of the equivalents over the error, d the innovation
    over the error and w the weights, the cost is
    ``|d - Y w|**2 / 2 + c / 2 log(e + w'w)``, ``e = 1 + 1/N``, ``c = N``. Its least value is that
    of the dual ``d'(I + Y Y'/z)^-1 d / 2 + e z / 2 + c / 2 log(c / z) - c / 2`` for z in
    (0, c/e], a problem in one variable, and ``(N - 1) / z`` is the factor on the covariance. So
    that observations that tell nothing inflate nothing, e is divided and c multiplied by
    ``m = (e (N - 1) / c) ** (a / 2)``, with a the mean of ``(N - 1) / (s**2 + N - 1)`` over the N
    singular values s of Y; `certainty` multiplies both.

    References
    ----------
    Bocquet, M. (2011). Ensemble Kalman filtering without the intrinsic need for inflation.
    Nonlinear Process. Geophys., 18, 735-750.
    Bocquet, M., Raanes, P. N., and Hannart, A. (2015). Expanding the validity of the ensemble
    Kalman filter without the intrinsic need for inflation. Nonlinear Process. Geophys., 22,
    645-662.
    """

    operator: Callable = observe
    inflation: Inflation = eqx.field(default=Inflation(), converter=inflation_of)
    control: AbstractControl = IceControl()
    rotation: bool = False
    certainty: float = 1.0

    def __check_init__(self):
        if not self.certainty > 0:
            raise InputError(f"certainty must be positive, not {self.certainty}")

    def weights(self, departures, good, key):
        """Symmetric weights under the covariance that the innovations ask for."""
        members = jnp.sum(good)
        spectral = SpectralWeights.of(departures)
        e, c = finite_size(spectral.values, members, self.certainty)
        return spectral.symmetric(least_dual(spectral, e, c), members - 1)


def _gain(anomalies, members):
    """Weights of the members per whitened innovation, ``((N - 1) I + Y'Y)^-1 Y'``."""
    matrix = anomalies.T @ anomalies + (members - 1) * jnp.eye(anomalies.shape[1])
    return jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(matrix), anomalies.T)


def finite_size(values, members, certainty):
    """Constants e and c of the prior of the EnKF-N.

    Parameters
    ----------
    values : (member,) array
        Squares of the singular values of the anomalies of the equivalents over the error.
    members : int
    certainty : float

    Returns
    -------
    e, c : array
        See `EnKFN`.
    """
    mode = (1 + 1 / members) * (members - 1) / members
    # Members that are left out have value 0 and are none of the singular values.
    left_out = values.shape[0] - members
    doubt = (jnp.sum((members - 1) / (values + members - 1)) - left_out) / members
    moved = mode ** (doubt / 2)
    return certainty * (1 + 1 / members) / moved, certainty * members * moved


TRIALS = 64
"""Points at which the dual cost is looked at before its least one is refined."""


def least_dual(spectral, e, c):
    """Precision z at which the dual cost of the EnKF-N is least.

    Parameters
    ----------
    spectral : SpectralWeights
    e, c : array
        See `EnKFN`.

    Returns
    -------
    array
        In (0, c/e].
    """
    square, values = spectral.pull**2, spectral.values

    def twice_cost(log_z):
        z = jnp.exp(log_z)
        # The part of d'(I + Y Y'/z)^-1 d that depends on z.
        fit = -jnp.sum(square[None] / (z[:, None] + values[None]), axis=-1)
        return fit + e * z - c * log_z

    def slope(log_z):
        z = jnp.exp(log_z)
        return z * jnp.sum(square / (z + values) ** 2) + e * z - c

    top = jnp.log(c / e)
    # There may be several minima: the lowest of a coarse search is between its neighbours.
    trial = top + jnp.linspace(-16.0, 0.0, TRIALS)
    best = jnp.argmin(twice_cost(trial))
    low, high = (trial[jnp.clip(best + i, 0, TRIALS - 1)] for i in (-1, 1))

    def halve(_, bracket):
        low, high = bracket
        middle = 0.5 * (low + high)
        rising = slope(middle) > 0
        return jnp.where(rising, low, middle), jnp.where(rising, middle, high)

    low, high = jax.lax.fori_loop(0, 50, halve, (low, high))
    return jnp.exp(0.5 * (low + high))
