"""Bias correction of observations that learns from the innovations."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from floecast.core.errors import InputError
from floecast.observation.observations import KINDS

from .analysis import Status
from .misfit import group_numbers


class BiasCorrection(eqx.Module):
    """Biases of some kinds of observations, followed from cycle to cycle.

    Parameters
    ----------
    prior : mapping of str to float
        Kinds that are corrected, each with the standard deviation that its bias had before any
        observation, in its unit. The other kinds are taken as free of bias: they are the anchors.
    memory : float
        Correlation in (0, 1] of a bias with itself one cycle later; 1 is a bias that never changes.
    shared_error : float
        As in `GaussianMisfit`.
    regions : (y, x) int array, optional
        Number of a region from 0 for each cell of the grid; each has a bias of its own.

    Attributes
    ----------
    bias : (b,) array
        Value minus truth of each corrected kind in each region, in its unit; regions last.
    covariance : (b, b) array
        Of the error of `bias`, in the products of the units.

    Raises
    ------
    InputError
        If a kind is unknown, no standard deviation positive, the memory or the shared error out of
        range, or the regions not whole numbers from 0.

    Notes
    -----
    A Kalman filter for the biases beside that for the state. Its observations are the mean
    innovations d of all kinds and regions, anchors included, weighted by their errors. With C the
    covariance of the means among the members of the background, R the error variances of the means
    and H that picks the corrected kinds, the gain is ``P H' (C + R + H P H')^-1``. Through C an
    anchor that sees the same error of the background takes it out of what is called bias. Between
    cycles a bias is multiplied by the memory m, and its variance tends to the prior one:
    ``m^2 P + (1 - m^2) P_0``.

    Without an anchor that covaries with a corrected kind, a bias of the model cannot be told from
    one of the sensor: in the long run the correction follows the model. The same holds, in part,
    where the spread of the background is too small beside the error of the anchors, as that error
    of the background then is taken for noise. Errors of the background are taken as independent
    from cycle to cycle, so the variance of the bias comes out too small; a memory below 1 keeps it
    from vanishing.

    A corrected concentration is no longer 0 or 1 where the product clipped it, so that
    `CensoredMisfit` takes it as normal.

    References
    ----------
    Dee, D. P. (2005). Bias and data assimilation. Q. J. R. Meteorol. Soc., 131, 3323-3343.
    """

    kinds: tuple = eqx.field(static=True)
    prior: Float[Array, " b"]
    bias: Float[Array, " b"]
    covariance: Float[Array, "b b"]
    memory: float
    shared_error: float
    regions: Int[np.ndarray, "y x"] | None
    count: int = eqx.field(static=True)

    def __init__(self, prior, *, memory=1.0, shared_error=0.0, regions=None):
        unknown = [kind for kind in prior if kind not in KINDS]
        if unknown:
            raise InputError(
                f"no observations of kind {unknown[0]!r}; there are {', '.join(KINDS)}"
            )
        if not prior or not all(std > 0 for std in prior.values()):
            raise InputError(
                "a bias correction needs kinds, each with a positive standard deviation of its "
                f"bias, not {dict(prior)}"
            )
        if not (0 < memory <= 1 and 0 <= shared_error < 1):
            raise InputError(
                "a bias correction needs a memory in (0, 1] and a shared error in [0, 1), not "
                f"{memory} and {shared_error}"
            )
        if regions is not None:
            regions = np.asarray(regions)
            if regions.dtype.kind not in "iu" or regions.min() < 0:
                raise InputError("regions must be whole numbers from 0, one for each cell")
        self.kinds = tuple(prior)
        self.count = 1 if regions is None else int(regions.max()) + 1
        self.prior = jnp.repeat(jnp.asarray(list(prior.values()), float), self.count)
        self.bias = jnp.zeros_like(self.prior)
        self.covariance = jnp.diag(self.prior**2)
        self.memory, self.shared_error, self.regions = memory, shared_error, regions

    def of(self, kind):
        """Bias of a kind and its standard deviation.

        Parameters
        ----------
        kind : int
            One of `kinds`.

        Returns
        -------
        bias, std : (region,) array
            In the unit of the kind.
        """
        some = slice(self.kinds.index(kind) * self.count, (self.kinds.index(kind) + 1) * self.count)
        return self.bias[some], jnp.sqrt(jnp.diagonal(self.covariance)[some])

    def apply(self, observations):
        """Observations without the bias known so far.

        Parameters
        ----------
        observations : Observations

        Returns
        -------
        Observations
        """
        correction = jnp.zeros(len(KINDS) * self.count, self.bias.dtype)
        correction = correction.at[self._picked()].set(self.bias)
        value = jnp.asarray(observations.value)
        return observations.replace(
            value=value - correction[self._place(observations)].astype(value.dtype)
        )

    def after(self, analysis):
        """The same one cycle later, with the innovations of an analysis.

        Parameters
        ----------
        analysis : Analysis
            Of observations that this correction was applied to.

        Returns
        -------
        BiasCorrection
        """
        innovation, error, spread, seen = self._means(analysis)
        picked = self._picked()
        known = (analysis.status == Status.GOOD) & seen
        both = known[:, None] & known[None]
        pick = jnp.where(known[:, None], jnp.eye(known.size, dtype=error.dtype)[:, picked], 0.0)
        own = jnp.where(known, error, 1.0)
        total = jnp.where(both, spread, 0.0) + jnp.diag(own) + pick @ self.covariance @ pick.T
        # Kinds differ in unit, so that what is solved for is over the expected size.
        size = jnp.sqrt(jnp.diagonal(total))
        cross = (pick @ self.covariance) / size[:, None]
        gain = jnp.linalg.solve(total / size[:, None] / size[None], cross).T / size[None]
        bias = self.bias + gain @ jnp.where(known, innovation, 0.0)
        rest = jnp.eye(bias.size, dtype=gain.dtype) - gain @ pick
        # This form stays positive under rounding.
        noise = total - pick @ self.covariance @ pick.T
        covariance = rest @ self.covariance @ rest.T + gain @ noise @ gain.T
        forgotten = (1 - self.memory**2) * jnp.diag(self.prior**2)
        changed = self.memory * bias, self.memory**2 * covariance + forgotten
        return eqx.tree_at(
            lambda own: (own.bias, own.covariance),
            self,
            tuple(field.astype(self.bias.dtype) for field in changed),
        )

    def _picked(self):
        """Numbers ``(b,)`` of the corrected kinds and regions among all."""
        kinds = np.array([KINDS.index(kind) for kind in self.kinds])
        return (kinds[:, None] * self.count + np.arange(self.count)).reshape(-1)

    def _place(self, observations):
        """Number of kind and region of each observation, ``(p,)``."""
        place = jnp.asarray(observations.kind) * self.count
        if self.regions is None:
            return place
        heaviest = jnp.argmax(jnp.asarray(observations.weight), axis=1)[:, None]
        cell = jnp.take_along_axis(jnp.asarray(observations.cell), heaviest, axis=1)[:, 0]
        return place + jnp.asarray(self.regions).reshape(-1)[cell]

    def _means(self, analysis):
        """Of each kind and region: innovation, its error variance, spread ``(r, r)``, any seen."""
        observations, good = analysis.observations, analysis.healthy
        place, number = self._place(observations), len(KINDS) * self.count
        members = jnp.where(good[:, None], analysis.background_equivalents, 0.0)
        used = (jnp.asarray(observations.flag) == 0) & jnp.isfinite(members).all(axis=0)
        error = jnp.where(used, observations.error_std, 1.0)

        def total(values):
            return jax.ops.segment_sum(values, place, number)

        share = jnp.where(used, error**-2, 0.0)
        share = share / jnp.where(used, total(share)[place], 1.0)
        members = jnp.where(used[None], members, 0.0)
        among = jnp.maximum(jnp.sum(good), 2)
        mean = jnp.sum(members, axis=0) / among
        innovation = jnp.where(used, observations.value - mean, 0.0)
        anomalies = jnp.where(good[:, None], members - mean[None], 0.0)
        seen = jax.vmap(lambda one: total(share * one))(anomalies)
        group, grouped = group_numbers(observations.group)
        part = share * error
        alike = jnp.where(grouped, part, 0.0)
        together = jax.ops.segment_sum(alike, group, group.shape[0])[group]
        own = part**2 + self.shared_error * (alike * together - alike**2)
        return (
            total(share * innovation),
            total(own),
            seen.T @ seen / (among - 1),
            total(used.astype(int)) > 0,
        )
