"""What the Ritz pairs of a variational analysis say of its errors."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from .lanczos import Ritz


class Posterior(eqx.Module):
    """Error covariance of an analysis, as a square root.

    Parameters
    ----------
    prior : AbstractCovariance
        Of the background, with square root U.
    ritz : Ritz
        Pairs of the Hessian in the control vector of `prior`.

    Notes
    -----
    ``P_a = U [I - sum (1 - 1 / value) v v'] U'``, exact where the pairs are all those with a value
    above 1. With fewer pairs the degrees of freedom are underestimated.

    References
    ----------
    Fisher, M., and Courtier, P. (1995). Estimating the covariance matrices of analysis and forecast
    error in variational data assimilation. ECMWF Technical Memorandum 220.
    """

    prior: PyTree
    ritz: Ritz

    @property
    def degrees_of_freedom(self):
        """Degrees of freedom for signal: trace of the gain in observation space."""
        return jnp.sum(1 - 1 / self.ritz.values)

    def apply(self, increment):
        """The covariance times a pytree like the increment."""
        pull, unflatten = self.prior.flat(self.prior.transpose(increment))
        return self.prior.root(unflatten(self.ritz.function(lambda value: 1 / value, pull)))

    def variance(self):
        """Error variance of each control variable, a pytree like the increment.

        That of the prior less what each Ritz pair takes from it; never below 0.
        """
        _, unflatten = self.prior.flat(self.prior.zero())

        def less(variance, pair):
            value, vector = pair
            seen = self.prior.root(unflatten(vector))
            return jax.tree.map(lambda a, b: a - (1 - 1 / value) * b**2, variance, seen), None

        pairs = (self.ritz.values, self.ritz.vectors)
        variance, _ = jax.lax.scan(less, self.prior.variance(), pairs)
        return jax.tree.map(lambda leaf: jnp.maximum(leaf, 0.0), variance)

    def draw(self, key, count):
        """Independent errors of the analysis; leaves ``(count, ...)``."""
        zero, unflatten = self.prior.flat(self.prior.zero())

        def one(key):
            noise = jax.random.normal(key, zero.shape, zero.dtype)
            return self.prior.root(unflatten(self.ritz.function(lambda v: v**-0.5, noise)))

        return jax.lax.map(one, jax.random.split(key, count))
