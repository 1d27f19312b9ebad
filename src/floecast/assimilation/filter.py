"""What ensemble filters share: members left out, whitened departures, weights of the members."""

import abc
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from floecast.core.ensemble import healthy
from floecast.core.errors import InputError

from .analysis import Analysis, Status
from .bounds import AbstractControl
from .inflation import Inflation


def inflation_of(given):
    """An `Inflation`, of which a number is the prior factor."""
    return given if isinstance(given, Inflation) else Inflation(given)


class Departures(NamedTuple):
    """What observations say of an ensemble, everything over the error of the observation.

    Parameters
    ----------
    innovation : (p,) array
        Observation minus mean equivalent; 0 where there is a flag.
    anomalies : (p, member) array
        Of the equivalents about their mean; 0 where there is a flag.
    kind : (p,) int array or None
    used : (p,) bool array
        Without a flag, and with finite equivalents.
    """

    innovation: Float[Array, " p"]
    anomalies: Float[Array, "p member"]
    kind: Int[Array, " p"] | None
    used: Float[Array, " p"]


def departures(equivalents, good, observations, kind=None):
    """`Departures` of the equivalents ``(member, p)`` of good members."""
    used = (jnp.asarray(observations.flag) == 0) & jnp.all(jnp.isfinite(equivalents), axis=0)
    error = jnp.where(used, observations.error_std, 1.0)
    mean, anomalies = split(jnp.where(used[None], equivalents, 0.0), good)
    innovation = jnp.where(used, observations.value, 0.0) - mean
    return Departures(innovation / error, anomalies.T / error[:, None], kind, used)


class AbstractFilter(eqx.Module):
    """Analysis of one time: what is done with members before and after the update.

    Attributes
    ----------
    operator : callable
        ``operator(state, observations) -> (p,)``: what would be observed of one member.
    control : AbstractControl
        Variables in which the analysis is linear.
    """

    operator: eqx.AbstractVar[Callable]
    control: eqx.AbstractVar[AbstractControl]

    @abc.abstractmethod
    def _update(self, members, equivalents, good, observations, context):
        """Members after the update, and whether there was anything to update them with.

        Members that are not good are zeros; what comes out for them is thrown away.
        """

    def _context(self, observations, key):
        """What `_update` needs beside the members and the observations."""
        return key

    def analyse_seen(self, ensemble, equivalents, observations, *, key=None):
        """Ensemble given observations whose equivalents are known, of other times for example.

        Parameters
        ----------
        ensemble : pytree
            As in `analyse`; fields may have further axes at their end, such as time.
        equivalents : (member, p) array
        observations : Observations
        key : key, optional
            For filters that draw numbers.

        Returns
        -------
        Analysis
            Without the equivalents of the analysis: those of the background stand in their place.
        """
        need_key(self, key)
        context = self._context(observations, key)
        return jax.block_until_ready(self._analyse(ensemble, observations, context, equivalents))

    @eqx.filter_jit
    def _analyse(self, ensemble, observations, context, equivalents=None):
        good = healthy(ensemble)
        enough = jnp.sum(good) > 1
        observed = jax.vmap(self.operator, in_axes=(0, None))
        if equivalents is not None:

            def observed(members, observations):
                return jnp.where(good[:, None], equivalents, 0.0)

        # Zeros stand in for members that are left out, so that nothing infinite is multiplied.
        members = jax.tree.map(lambda leaf: jnp.where(along(good, leaf), leaf, 0), ensemble)
        before = observed(members, observations)
        updated, some = self._update(members, before, good, observations, context)
        chosen = good & enough & some
        updated = jax.tree.map(
            lambda new, old: jnp.where(along(chosen, new), new, old), updated, ensemble
        )
        healed = jax.tree.map(lambda leaf: jnp.where(along(good, leaf), leaf, 0), updated)
        after = observed(healed, observations)
        status = jnp.where(some, Status.GOOD, Status.NO_OBSERVATIONS)
        return Analysis(
            ensemble=updated,
            background=ensemble,
            observations=observations,
            equivalents=jnp.where(good[:, None], after, jnp.nan),
            background_equivalents=jnp.where(good[:, None], before, jnp.nan),
            member_status=jnp.where(good, Status.GOOD, Status.MEMBER_NOT_FINITE),
            status=jnp.where(enough, status, Status.TOO_FEW_MEMBERS),
        )


class AbstractTransformFilter(AbstractFilter):
    """Filter whose members are combinations of the anomalies, the same everywhere.

    Attributes
    ----------
    inflation : Inflation
    rotation : bool
        Whether the anomalies are rotated at random after the analysis, see `random_rotation`.
    """

    inflation: eqx.AbstractVar[Inflation]
    rotation: eqx.AbstractVar[bool]

    @abc.abstractmethod
    def weights(self, departures, good, key):
        """Weights w of the mean and W of the anomalies.

        Member k of the analysis is the mean plus the anomalies times ``w + W[:, k]``.

        Parameters
        ----------
        departures : Departures
            With anomalies after the prior inflation, those of bad members 0.
        good : (member,) bool array
        key : key or None

        Returns
        -------
        mean : (member,) array
            [1]
        anomalies : (member, member) array
            [1]
        """

    def analyse(self, ensemble, observations, *, key=None):
        """Ensemble given the observations.

        Parameters
        ----------
        ensemble : pytree
            Leaves ``(member, ...)``.
        observations : Observations
            Or anything with ``value``, ``error_std`` and ``flag``.
        key : key, optional
            For filters that draw numbers.

        Returns
        -------
        Analysis
            Members that are not finite come back as they were, and so does the whole ensemble
            where all observations have a flag.

        Raises
        ------
        InputError
            If there is no key where one is needed.
        """
        need_key(self, key)
        return self._analyse(ensemble, observations, key)

    def _update(self, members, equivalents, good, observations, key):
        seen = departures(equivalents, good, observations)
        root = jnp.sqrt(self.inflation.prior)
        draw, turn = (None, None) if key is None else jax.random.split(key)
        seen = seen._replace(anomalies=root * seen.anomalies)
        shift, transform = self.weights(seen, good, draw)
        rotation = random_rotation(turn, good) if self.rotation else None

        def moved(leaf):
            mean, anomalies = split(leaf.reshape(leaf.shape[0], -1), good)
            new = self.inflation.restore(root * transform.T @ anomalies, anomalies)
            if rotation is not None:
                new = rotation @ new
            new = (mean + root * shift @ anomalies)[None] + new
            return new.reshape(leaf.shape).astype(leaf.dtype)

        control = jax.tree.map(moved, self.control.to_control(members))
        return self.control.to_state(control), jnp.any(seen.used)


class SpectralWeights(NamedTuple):
    """Eigenvalues and vectors of Y'Y, and Y'd, with Y the anomalies and d the innovation."""

    values: Float[Array, " member"]
    vectors: Float[Array, "member member"]
    pull: Float[Array, " member"]

    @classmethod
    def of(cls, seen):
        """From `Departures`."""
        values, vectors = jnp.linalg.eigh(seen.anomalies.T @ seen.anomalies)
        pull = seen.anomalies.T @ seen.innovation
        return cls(jnp.maximum(values, 0.0), vectors, vectors.T @ pull)

    def symmetric(self, precision, scale):
        """Weights of mean and anomalies, the latter by the symmetric root.

        Parameters
        ----------
        precision : array
            Of the weights before the observations: N - 1 for N members without inflation.
        scale : array
            Square of the norm of the anomalies' weights without observations: N - 1.
        """
        gain = 1 / (precision + self.values)
        root = (self.vectors * jnp.sqrt(scale * gain)[None]) @ self.vectors.T
        return self.vectors @ (gain * self.pull), root


def along(good, leaf):
    """Flags of members with the axes of a leaf."""
    return good.reshape(-1, *(1,) * (leaf.ndim - 1))


def split(members, good):
    """Mean and anomalies over good members; the anomalies of the others are 0."""
    flags = along(good, members)
    mean = jnp.sum(jnp.where(flags, members, 0.0), axis=0) / jnp.maximum(jnp.sum(good), 1)
    return mean, jnp.where(flags, members - mean[None], 0.0)


def need_key(method, key, drawing=False):
    """Refuse an analysis without a key by a filter that draws numbers."""
    if key is None and (drawing or method.rotation):
        raise InputError(f"{type(method).__name__} draws random numbers; give analyse a key=")


def random_rotation(key, good):
    """Orthogonal matrix that keeps the mean over good members and leaves the others alone.

    Parameters
    ----------
    key : key
    good : (member,) bool array

    Returns
    -------
    (member, member) array
        Uniform over the rotations and reflections of the anomalies.

    Notes
    -----
    The anomalies keep their covariance, but no member stays an outlier for ever, as one can under
    the symmetric root.
    """
    size = good.shape[0]
    first = jnp.arange(size) == jnp.argmax(good)
    free = good & ~first
    normal = jax.random.normal(key, (size, size))
    block = jnp.where(free[:, None] & free[None], normal, jnp.eye(size))
    turn, upper = jnp.linalg.qr(block)
    # With positive diagonal of the triangle the distribution is uniform, and identity stays so.
    turn = turn * jnp.where(jnp.diagonal(upper) < 0, -1.0, 1.0)[None]
    # The reflection that swaps the first good member with the direction of the mean.
    mean = jnp.where(good, 1 / jnp.sqrt(jnp.maximum(jnp.sum(good), 1)), 0.0)
    normal = first - mean
    square = normal @ normal
    normal = normal / jnp.sqrt(jnp.where(square > 0, square, 1.0))

    def reflected(matrix):
        return matrix - 2 * jnp.outer(normal, normal @ matrix)

    return reflected(reflected(turn).T).T
