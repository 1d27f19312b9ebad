"""Inflation: what keeps an ensemble from trusting itself too much."""

import equinox as eqx
import jax.numpy as jnp

from floecast.core.errors import InputError

from .analysis import Status


class Inflation(eqx.Module):
    """Multiplicative inflation before and after the analysis, and relaxation to the prior.

    Parameters
    ----------
    prior : float
        Factor on the background covariance where there are observations; 1 is none. At the rim
        of the localisation it fades to 1 with the greatest local weight.
    relaxation : float
        Share a in [0, 1] of the lost spread that is given back (RTPS); 0 is none.
    perturbations : float
        Share in [0, 1] of the background's anomalies in those of the analysis (RTPP); 0 is none.
    posterior : float
        Factor on the anomalies of the analysis, not on their covariance, after the relaxations;
        1 is none. It fades as `prior` does.
    relaxations : mapping of str to float
        Relaxation of some fields of the state in place of `relaxation`, for a `LETKF`: fields with
        dense observations lose more spread than error, and need more of it back.

    Raises
    ------
    InputError
        If `prior` or `posterior` is below 1, or a share outside [0, 1]; on use, if there are
        `relaxations` and the method has no fields by name.

    References
    ----------
    Zhang, F., Snyder, C., and Sun, J. (2004). Impacts of initial estimate and observation
    availability on convective-scale data assimilation with an ensemble Kalman filter. Mon.
    Weather Rev., 132, 1238-1253 (RTPP).
    """

    prior: float = 1.0
    relaxation: float = 0.0
    perturbations: float = 0.0
    posterior: float = 1.0
    relaxations: tuple = eqx.field(
        static=True, default=(), converter=lambda named: tuple(sorted(dict(named).items()))
    )

    def __check_init__(self):
        for name in ("prior", "posterior"):
            if not getattr(self, name) >= 1:
                raise InputError(f"{name} inflation must be at least 1, not {getattr(self, name)}")
        for name, share in self.relaxations:
            if not 0 <= share <= 1:
                raise InputError(f"relaxations: that of {name} must be in [0, 1], not {share}")
        for name in ("relaxation", "perturbations"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} must be in [0, 1], not {getattr(self, name)}")

    def restore(self, anomalies, prior_anomalies, strength=1.0, field=None):
        """Anomalies of an analysis with what is given back to them.

        Parameters
        ----------
        anomalies, prior_anomalies : (member, ...) array
            Of the analysis and of the background, about their means, in the unit of the field.
        strength : float
            Greatest local weight of an observation, in [0, 1].
        field : str, optional
            Name of the field of the state; needed where there are `relaxations`.

        Returns
        -------
        (member, ...) array
            In the same unit.

        Raises
        ------
        InputError
            If there are relaxations by field and no field is named.
        """
        if self.perturbations:
            share = self.perturbations
            anomalies = (1 - share) * anomalies + share * prior_anomalies
        if self.relaxations and field is None:
            raise InputError("relaxations by field are for a LETKF; give one relaxation=")
        relaxation = dict(self.relaxations).get(field, self.relaxation)
        if relaxation:
            anomalies = relax_to_prior_spread(anomalies, prior_anomalies, relaxation)
        if self.posterior != 1:
            anomalies = (1 + (self.posterior - 1) * strength) * anomalies
        return anomalies


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


class AdaptiveInflation(eqx.Module):
    """Prior inflation that follows the innovations from cycle to cycle.

    Parameters
    ----------
    factor : float
        Factor on the background covariance.
    variance : float
        Of the error of that factor.
    growth : float
        What this variance is multiplied by from one cycle to the next: how fast old innovations
        are forgotten.

    Raises
    ------
    InputError
        If the factor is below 1, the variance not positive or the growth below 1.

    Notes
    -----
    With d and Y the innovation and the ensemble's anomalies over the observation error, p
    observations and ``t = tr(Y Y') / (N - 1)``, the factor that explains this cycle's innovations
    is ``(d'd - p) / t``, and the variance of that estimate ``2 / p ((f t + p) / t)**2``. It is
    averaged with the earlier factor f by their variances.

    References
    ----------
    Li, H., Kalnay, E., and Miyoshi, T. (2009). Simultaneous estimation of covariance inflation
    and observation errors within an ensemble Kalman filter. Q. J. R. Meteorol. Soc., 135,
    523-533. Miyoshi, T. (2011). The Gaussian approach to adaptive covariance inflation and its
    implementation with the local ensemble transform Kalman filter. Mon. Weather Rev., 139,
    1519-1535.
    """

    factor: float = 1.0
    variance: float = 0.01
    growth: float = 1.03

    def __check_init__(self):
        if not (self.factor >= 1 and self.variance > 0 and self.growth >= 1):
            raise InputError(
                "adaptive inflation needs a factor of at least 1, a positive variance and a growth "
                f"of at least 1, not {self.factor}, {self.variance} and {self.growth}"
            )

    def within(self, method):
        """A filter with this factor as the prior of its inflation.

        Parameters
        ----------
        method : AbstractFilter
            Whose inflation has a prior.

        Returns
        -------
        AbstractFilter
        """
        return eqx.tree_at(
            lambda method: method.inflation.prior, method, jnp.asarray(self.factor, float)
        )

    def after(self, analysis):
        """The same after the innovations of an analysis; no change where it had none.

        Parameters
        ----------
        analysis : Analysis
            Of a filter with this inflation.

        Returns
        -------
        AdaptiveInflation
        """
        members = jnp.where(analysis.healthy[:, None], analysis.background_equivalents, 0.0)
        count = jnp.maximum(jnp.sum(analysis.healthy), 2)
        used = (jnp.asarray(analysis.observations.flag) == 0) & jnp.isfinite(members).all(axis=0)
        error = jnp.where(used, analysis.observations.error_std, 1.0)
        members = jnp.where(used[None], members, 0.0)
        mean = jnp.sum(members, axis=0) / count
        anomalies = jnp.where(analysis.healthy[:, None], members - mean[None], 0.0)
        innovation = jnp.where(used, analysis.observations.value - mean, 0.0) / error
        number = jnp.sum(used)
        total = jnp.sum((anomalies / error[None]) ** 2) / (count - 1)
        known = (number > 0) & (total > 0) & (analysis.status == Status.GOOD)
        number, total = (jnp.where(known, x, 1.0) for x in (number, total))
        found = (jnp.sum(innovation**2) - number) / total
        doubt = 2 / number * ((self.factor * total + number) / total) ** 2
        share = self.variance / (self.variance + doubt)
        factor = jnp.maximum(1.0, (1 - share) * self.factor + share * found)
        variance = self.growth * (1 - share) * self.variance
        return eqx.tree_at(
            lambda own: (own.factor, own.variance),
            self,
            (jnp.where(known, factor, self.factor), jnp.where(known, variance, self.variance)),
        )
