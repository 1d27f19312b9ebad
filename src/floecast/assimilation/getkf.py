"""Gain-form ensemble transform filter with a modulated ensemble (GETKF)."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp

from floecast.core.errors import InputError
from floecast.observation.operators import observe

from .bounds import AbstractControl, IceControl
from .filter import (
    AbstractFilter,
    along,
    departures,
    inflation_of,
    need_key,
    random_rotation,
    split,
)
from .inflation import Inflation
from .modulation import AbstractLocalisationRoot


class GETKF(AbstractFilter):
    """Ensemble filter whose localised covariance is that of a variational analysis.

    Parameters
    ----------
    root : AbstractLocalisationRoot
        Square root of the localisation of the background covariance.
    operator : callable
        ``operator(state, observations) -> (p,)``; linearised at the mean of the ensemble.
    inflation, control, rotation
        As in `LETKF`.

    Notes
    -----
    With Z the anomalies modulated by the root, over the root of N - 1, and
    ``Y = R^(-1/2) H Z = F G^(1/2) E'``, the mean moves by ``Z Y' F (I + G)^-1 F' d`` and the
    anomalies by ``- Z Y' F [(I + G + (I + G)^(1/2))^-1] F' R^(-1/2) H X``, the reduced gain of an
    ensemble square root filter with the covariance Z Z'. Without localisation this is the ensemble
    transform Kalman filter. The modulated ensemble is seen through the observation operator, but
    never kept as states.

    References
    ----------
    Bishop, C. H., Whitaker, J. S., and Lei, L. (2017). Gain form of the ensemble transform Kalman
    filter and its relevance to satellite data assimilation with model space ensemble covariance
    localization. Mon. Weather Rev., 145, 4575-4592.
    Lei, L., Whitaker, J. S., and Bishop, C. H. (2018). Improving assimilation of radiance
    observations by implementing model space localization in an ensemble Kalman filter. J. Adv.
    Model. Earth Syst., 10, 3221-3232.
    """

    root: AbstractLocalisationRoot
    operator: Callable = observe
    inflation: Inflation = eqx.field(default=Inflation(), converter=inflation_of)
    control: AbstractControl = IceControl()
    rotation: bool = False

    def analyse(self, ensemble, observations, *, key=None):
        """Ensemble given the observations.

        Parameters
        ----------
        ensemble : pytree
            Leaves ``(member, *columns, ...)``, with the columns of the root.
        observations : Observations
            Or anything with ``value``, ``error_std`` and ``flag``.
        key : key, optional
            For the rotation.

        Returns
        -------
        Analysis
            Members that are not finite come back as they were, and so does the whole ensemble
            where all observations have a flag.

        Raises
        ------
        InputError
            If the leaves do not have the columns of the root, or there is no key where one is
            needed.
        """
        need_key(self, key)
        columns = tuple(self.root.columns)
        for leaf in jax.tree.leaves(ensemble):
            if leaf.shape[1 : 1 + len(columns)] != columns:
                raise InputError(
                    f"a field of the ensemble has shape {leaf.shape}; expected the members and "
                    f"then the columns {columns} of the root of the localisation"
                )
        return self._analyse(ensemble, observations, key)

    def analyse_seen(self, ensemble, equivalents, observations, *, key=None):
        """Refused: this filter needs the derivative of what was seen, not the equivalents alone.

        Raises
        ------
        InputError
            Always.
        """
        raise InputError(
            "GETKF sees one instant; along a window use En4DVar with members=ReducedGain()"
        )

    def _update(self, members, equivalents, good, observations, key):
        seen = departures(equivalents, good, observations)
        pairs = jax.tree.map(lambda leaf: split(leaf, good), self.control.to_control(members))
        mean, anomalies = jax.tree.transpose(jax.tree.structure(members), None, pairs)
        error = jnp.where(seen.used, observations.error_std, 1.0)

        def whitened(control):
            equivalents = self.operator(self.control.to_state(control), observations)
            return jnp.where(seen.used, equivalents, 0.0) / error

        linear = jax.linearize(whitened, mean)[1]
        scale = jnp.sqrt(self.inflation.prior / jnp.maximum(jnp.sum(good) - 1, 1))
        modes = self.root.modes()

        def observed_modes(anomaly):
            return jax.vmap(linear)(self.root.modulate(jax.tree.map(lambda a: a[None], anomaly)))

        modulated = scale * jax.lax.map(observed_modes, anomalies)
        own = jax.vmap(linear)(anomalies)
        targets = jnp.concatenate([seen.innovation[None], -own])
        weights = _weights(modulated.reshape(-1, seen.used.size), targets)
        weights = scale * weights.reshape(len(targets), len(own), len(modes))
        moves = jax.lax.map(lambda each: self.root.combine(anomalies, each), weights)
        root = jnp.sqrt(self.inflation.prior)
        turn = random_rotation(key, good) if self.rotation else None

        def moved(mean, anomalies, moves):
            new = root * jnp.where(along(good, anomalies), anomalies + moves[1:], 0.0)
            new = self.inflation.restore(new, anomalies)
            if turn is not None:
                new = jnp.tensordot(turn, new, 1)
            return (mean + moves[0])[None] + new

        control = jax.tree.map(moved, mean, anomalies, moves)
        return self.control.to_state(control), jnp.any(seen.used)


def _weights(modulated, targets):
    """Weights of the modulated anomalies: by the gain for the first target, else the reduced one.

    Parameters
    ----------
    modulated : (m, p) array
        Modulated anomalies of the equivalents, over the error.
    targets : (t, p) array

    Returns
    -------
    (t, m) array
    """
    few = modulated.shape[1] <= modulated.shape[0]
    square = modulated.T @ modulated if few else modulated @ modulated.T
    values, vectors = jnp.linalg.eigh(square)
    whole = 1 + jnp.maximum(values, 0.0)
    first = jnp.arange(len(targets))[:, None] == 0
    gain = jnp.where(first, 1 / whole[None], 1 / (whole + jnp.sqrt(whole))[None])
    if few:
        return ((targets @ vectors) * gain) @ vectors.T @ modulated.T
    return ((targets @ modulated.T @ vectors) * gain) @ vectors.T
