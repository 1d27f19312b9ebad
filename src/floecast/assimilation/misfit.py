"""Observation term of a variational cost: how equivalents are held against observations."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp

from floecast.core.errors import InputError


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
        observations : Observations
            Those with a flag have the value of their equivalent, error 1 and group 0; what is
            returned for them is not used.
        """

    @abc.abstractmethod
    def cost(self, residual):
        """Cost ``rho(r)`` of each residual, ``(p,)``."""

    @abc.abstractmethod
    def weight(self, residual):
        """Weight ``rho'(r) / r`` of each residual, ``(p,)``."""

    @abc.abstractmethod
    def noise(self, key, observations):
        """A draw of the error of the observations, ``(p,)``."""


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


def _groups(group):
    """Numbers of the groups from 0, and who is in one."""
    group = jnp.asarray(group)
    _, number = jnp.unique(group, size=group.shape[0], return_inverse=True)
    return number.reshape(group.shape), group > 0


def _group_mean(field, group):
    """Mean and size of the group of each; both 0 for those in none."""
    number, grouped = _groups(group)
    member = grouped.astype(field.dtype)
    total, size = (
        jax.ops.segment_sum(part, number, field.shape[0])[number]
        for part in (field * member, member)
    )
    return jnp.where(grouped, total / jnp.maximum(size, 1), 0.0), jnp.where(grouped, size, 0.0)


def _group_first(group):
    """Index of the first of the group of each, and the size of the group."""
    number, grouped = _groups(group)
    count = number.shape[0]
    first = jax.ops.segment_min(jnp.arange(count), number, count)[number]
    return first, grouped.astype(float)
