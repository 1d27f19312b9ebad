"""Inflation: what keeps an ensemble from trusting itself too much."""

import equinox as eqx
import jax.numpy as jnp

from floecast.core.errors import InputError


class Inflation(eqx.Module):
    """Multiplicative inflation of the prior and relaxation to the prior spread.

    Parameters
    ----------
    prior : float
        Factor on the background covariance where there are observations; 1 is none. At the rim
        of the localisation it fades to 1 with the greatest local weight.
    relaxation : float
        Share a in [0, 1] of the lost spread that is given back; 0 is none.

    Raises
    ------
    InputError
        If `prior` is below 1 or `relaxation` outside [0, 1].
    """

    prior: float = 1.0
    relaxation: float = 0.0

    def __check_init__(self):
        if not self.prior >= 1:
            raise InputError(f"prior inflation must be at least 1, not {self.prior}")
        if not 0 <= self.relaxation <= 1:
            raise InputError(f"relaxation must be in [0, 1], not {self.relaxation}")


def relax_to_prior_spread(anomalies, prior_anomalies, amount):
    """Give a share of the lost spread back (RTPS).

    Parameters
    ----------
    anomalies, prior_anomalies : (member, ...) array
        Of the analysis and of the background, about their means.
    amount : float
        Share a of the difference.

    Returns
    -------
    (member, ...) array
        Anomalies with spread ``(1 - a) s_analysis + a s_background``; unchanged where the
        analysis has no spread.

    References
    ----------
    Whitaker, J. S., and Hamill, T. M. (2012). Evaluating methods to account for system errors in
    ensemble data assimilation. Mon. Weather Rev., 140, 3078-3089.
    """
    spread, prior = (
        jnp.sqrt(jnp.sum(field**2, axis=0, keepdims=True)) for field in (anomalies, prior_anomalies)
    )
    some = spread > 0
    ratio = jnp.where(some, (prior - spread) / jnp.where(some, spread, 1.0), 0.0)
    return anomalies * (1 + amount * ratio)
