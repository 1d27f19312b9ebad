"""Observation term of a variational cost: how equivalents are held against observations."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp

from floecast.core.errors import InputError
from floecast.observation.observations import KINDS

_CONCENTRATION = KINDS.index("concentration")
# Below this the logarithm of the normal distribution is a continued fraction, exact to rounding.
_TAIL, _TERMS = -5.0, 16
# Beyond this a censored residual is below 4e-8, and single precision has no derivative of it.
_FAR = 8.0


class AbstractMisfit(eqx.Module):
    """Residuals r of the equivalents, with the cost ``sum rho(r)`` that they bear.

    The cost is minimised by Gauss-Newton steps with the weights ``rho'(r) / r``: a residual may be
    any smooth function of the equivalents, and errors that are correlated or have long tails go
    into the residual or into the weight.
    """

    @abc.abstractmethod
    def residual(self, equivalents, observations):
        """Residuals ``(p,)`` over their error.

        Parameters
        ----------
        equivalents : (p,) array
            In the units of the values.
        observations : Observations
            Those with a flag have the value of their equivalent, error 1 and group 0; what is
            returned for them is not used.

        Returns
        -------
        (p,) array
            [1]
        """

    @abc.abstractmethod
    def cost(self, residual):
        """Cost ``rho(r)`` of each residual.

        Parameters
        ----------
        residual : (p,) array
            Of `residual` [1].

        Returns
        -------
        (p,) array
            [1]
        """

    @abc.abstractmethod
    def weight(self, residual):
        """Weight ``rho'(r) / r`` of each residual.

        Parameters
        ----------
        residual : (p,) array
            Of `residual` [1].

        Returns
        -------
        (p,) array
            [1]
        """

    @abc.abstractmethod
    def noise(self, key, observations):
        """A draw of the error of the observations.

        Parameters
        ----------
        key : key
        observations : Observations

        Returns
        -------
        (p,) array
            In the units of the values.
        """


class GaussianMisfit(AbstractMisfit):
    """Normal errors, with a part that the observations of one group share.

    Parameters
    ----------
    shared_error : float
        Share of the error variance that observations of one `group` have in common [1].
    huber : float, optional
        Residual from which the cost grows only linearly: gross errors that no check has found then
        pull with a bounded force (variational quality control).

    Raises
    ------
    InputError
        If `shared_error` is outside [0, 1) or `huber` not positive.

    Notes
    -----
    A group of m errors with variance s^2 of which the share q is common has the covariance
    ``s^2 ((1 - q) I + q 1 1')``. Its inverse root divides what differs from the mean of the group
    by ``s sqrt(1 - q)`` and the mean by ``s sqrt(1 - q + q m)``. The cost is ``r^2 / 2``, and
    ``k |r| - k^2 / 2`` beyond k.

    References
    ----------
    Huber, P. J. (1964). Robust estimation of a location parameter. Ann. Math. Statist., 35, 73-101.
    Tavolato, C., and Isaksen, L. (2015). On the use of a Huber norm for observation quality control
    in the ECMWF 4D-Var. Q. J. R. Meteorol. Soc., 141, 1514-1527.
    """

    shared_error: float = 0.0
    huber: float | None = None

    def __check_init__(self):
        if not 0 <= self.shared_error < 1:
            raise InputError(f"shared_error must be in [0, 1), not {self.shared_error}")
        if self.huber is not None and not self.huber > 0:
            raise InputError(f"the Huber limit must be positive, not {self.huber}")

    def residual(self, equivalents, observations):
        """Departures over their error, decorrelated within groups."""
        departure = (equivalents - observations.value) / observations.error_std
        if not self.shared_error:
            return departure
        mean, size = _group_mean(departure, observations.group)
        own = (departure - mean) / jnp.sqrt(1 - self.shared_error)
        common = mean / jnp.sqrt(1 - self.shared_error + self.shared_error * size)
        return jnp.where(size > 0, own + common, departure)

    def cost(self, residual):
        """Half the square, or linear beyond the limit."""
        if self.huber is None:
            return 0.5 * residual**2
        far = self.huber * (jnp.abs(residual) - 0.5 * self.huber)
        return jnp.where(jnp.abs(residual) > self.huber, far, 0.5 * residual**2)

    def weight(self, residual):
        """1, or less beyond the limit."""
        if self.huber is None:
            return jnp.ones_like(residual)
        return self.huber / jnp.maximum(jnp.abs(residual), self.huber)

    def noise(self, key, observations):
        """Own and common parts."""
        own, common = (
            jax.random.normal(one, observations.value.shape) for one in jax.random.split(key)
        )
        if self.shared_error:
            first, size = _group_first(observations.group)
            shared = self.shared_error
            mixed = jnp.sqrt(1 - shared) * own + jnp.sqrt(shared) * common[first]
            own = jnp.where(size > 0, mixed, own)
        return own * observations.error_std


class CensoredMisfit(AbstractMisfit):
    """Concentration that the product clipped to 0..1 as censored; all else as `GaussianMisfit`.

    Parameters
    ----------
    shared_error, huber
        As in `GaussianMisfit`.
    tolerance : float
        Concentrations closer to 0 or 1 stand for all retrievals at or beyond that bound [1].

    Raises
    ------
    InputError
        As by `GaussianMisfit`, or if the tolerance is not in [0, 0.5).

    Notes
    -----
    A retrieval ``min(max(c + e, 0), 1)`` of the concentration c, with e normal of standard
    deviation s, is 0 with the probability Phi(-c/s) and 1 with Phi((c-1)/s), and normal between.
    The cost of an observation at a bound is minus the logarithm of that probability, and its
    residual the root of twice this: it falls smoothly to 0 as c leaves 0..1 on that side, so that
    nothing pulls ice back that the sensor could not see. Taking these observations as normal shifts
    the analysis by up to 0.4 s.

    c is the equivalent before any clipping. `observe` of a state inside its bounds gives none
    beyond 0..1; an observation of 1 then has at best the residual sqrt(2 ln 2) of c = 1, a constant
    that moves no minimum, though it counts in the cost. Values beyond 0 or 1 were not clipped and
    are normal. Censored observations share no error with others.

    `noise` repeats the retrieval from the reported value: concentrations within 0..1 stay there.
    """

    shared_error: float = 0.0
    huber: float | None = None
    tolerance: float = 1e-3

    def __check_init__(self):
        self._normal()
        if not 0 <= self.tolerance < 0.5:
            raise InputError(f"the tolerance must be in [0, 0.5), not {self.tolerance}")

    def residual(self, equivalents, observations):
        """Departures over their error, or the root of twice the cost at the bounds."""
        value = jnp.asarray(observations.value)
        low, high = self._at_bounds(value, observations)
        censored = low | high
        others = eqx.tree_at(
            lambda every: every.group,
            observations,
            jnp.where(censored, 0, jnp.asarray(observations.group)),
        )
        # From the bound itself: the reported value may differ from it by the tolerance.
        side = jnp.where(high, -1.0, 1.0)
        beyond = side * (high - equivalents) / observations.error_std
        root = side * _censored(jnp.where(censored, beyond, 0.0))
        return jnp.where(censored, root, self._normal().residual(equivalents, others))

    def cost(self, residual):
        """Half the square, or linear beyond the limit."""
        return self._normal().cost(residual)

    def weight(self, residual):
        """1, or less beyond the limit."""
        return self._normal().weight(residual)

    def noise(self, key, observations):
        """That of `GaussianMisfit`, with concentrations clipped again."""
        value, noise = jnp.asarray(observations.value), self._normal().noise(key, observations)
        clipped = (observations.kind == _CONCENTRATION) & (value >= 0) & (value <= 1)
        return jnp.where(clipped, jnp.clip(value + noise, 0.0, 1.0) - value, noise)

    def _normal(self):
        return GaussianMisfit(self.shared_error, self.huber)

    def _at_bounds(self, value, observations):
        clipped = jnp.asarray(observations.kind) == _CONCENTRATION
        return clipped & (abs(value) <= self.tolerance), clipped & (
            abs(value - 1) <= self.tolerance
        )


def _censored(beyond):
    """``sqrt(-2 ln Phi(x))``, decreasing and smooth, with finite derivatives everywhere."""
    tail = beyond < _TAIL
    inner = jnp.minimum(jnp.where(tail, 0.0, beyond), _FAR)
    # The smaller of Phi(x) and Phi(-x), so that nothing is lost where the other is near 1.
    size = jnp.where(inner > 0, inner, -inner) / jnp.sqrt(2.0).astype(inner.dtype)
    least = 0.5 * jax.scipy.special.erfc(size)
    logarithm = jnp.where(inner > 0, jnp.log1p(-least), jnp.log(least))
    outer = -jnp.where(tail, beyond, _TAIL)
    # Mills' ratio by Laplace's continued fraction.
    fraction = outer
    for number in range(_TERMS, 0, -1):
        fraction = outer + number / fraction
    twice = outer**2 + 2 * jnp.log(fraction) + jnp.log(2 * jnp.pi)
    return jnp.where(tail, jnp.sqrt(twice), jnp.sqrt(-2 * logarithm))


def group_numbers(group):
    """Numbers of the groups from 0, and who is in one."""
    group = jnp.asarray(group)
    _, number = jnp.unique(group, size=group.shape[0], return_inverse=True)
    return number.reshape(group.shape), group > 0


def _group_mean(field, group):
    """Mean and size of the group of each; both 0 for those in none."""
    number, grouped = group_numbers(group)
    member = grouped.astype(field.dtype)
    total, size = (
        jax.ops.segment_sum(part, number, field.shape[0])[number]
        for part in (field * member, member)
    )
    return jnp.where(grouped, total / jnp.maximum(size, 1), 0.0), jnp.where(grouped, size, 0.0)


def _group_first(group):
    """Index of the first of the group of each, and the size of the group."""
    number, grouped = group_numbers(group)
    count = number.shape[0]
    first = jax.ops.segment_min(jnp.arange(count), number, count)[number]
    return first, grouped.astype(float)
