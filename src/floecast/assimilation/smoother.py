"""Iterative ensemble Kalman smoother (IEnKS)."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from floecast.core.ensemble import healthy
from floecast.core.errors import InputError
from floecast.core.model import Model
from floecast.core.rollout import rollout
from floecast.observation.operators import observe

from .analysis import Analysis, Status
from .bounds import AbstractControl, IceControl
from .filter import (
    SpectralWeights,
    along,
    departures,
    inflation_of,
    need_key,
    random_rotation,
    split,
)
from .inflation import Inflation
from .transform import finite_size

BUNDLE = 1e-4
"""Size of the anomalies of the bundle in units of those of the ensemble."""


class Smoothed(eqx.Module):
    """What the observations at the end of a window say of its start and of its end.

    Parameters
    ----------
    start : pytree
        Ensemble at the start of the window: run forward, the background of the next one.
    analysis : Analysis
        At the end, with the ensemble run from the start as background.
    weights : (member,) array
        Of the anomalies at the start, for the mean.
    iterations : int array
        Runs of the ensemble through the window.
    converged : bool array
        Whether the weights came to rest before the runs were used up.
    """

    start: PyTree
    analysis: Analysis
    weights: Float[Array, " member"]
    iterations: Int[Array, ""]
    converged: Bool[Array, ""]


class _Iterate(eqx.Module):
    """Weights, and the run they were found with."""

    shift: Float[Array, " member"]
    transform: Float[Array, "member member"]
    inverse: Float[Array, "member member"]
    step: Float[Array, " member"]
    before: Float[Array, "member member"]
    end: PyTree
    background: PyTree
    count: Int[Array, ""]


class IEnKS(eqx.Module):
    """Iterative ensemble Kalman smoother: observations at the end correct the start of a window.

    Parameters
    ----------
    model : Model
        Taken as perfect and the same for all members: each run through a window draws the same
        random numbers.
    steps : int
        Of the model from the start of the window to the observations; 0 gives the iterated ETKF.
    operator
        As in `LETKF`.
    inflation : Inflation or float
        As in `LETKF`; acts at the start of the window.
    control
        As in `LETKF`.
    iterations : int
        Runs of the ensemble through the window at most.
    tolerance : float
        It stops when the norm of the change of the weights is less.
    bundle : bool
        Whether the model is linearised by small differences about the mean, rather than by the
        ensemble with its spread. The first run has the spread in any case.
    certainty : float, optional
        With it the prior is that of the EnKF-N, see `EnKFN`.
    rotation
        As in `LETKF`.

    Raises
    ------
    InputError
        If `steps` is negative, or `iterations`, `tolerance` or `certainty` not positive.

    Notes
    -----
    Gauss-Newton iterations in the weights w of the anomalies X at the start. Each runs the
    ensemble ``mean + X (w + e T)`` through the window, with e = 1 and T the transform of the
    iteration before, or a small e. With Y the anomalies of what is observed of it, over the error,
    times ``T^-1 / e``, and d the innovation, ``w <- w + (Y'Y + z I)^-1 (Y'd - z w)`` and
    ``T = (N - 1)^(1/2) (Y'Y + z I)^(-1/2)``; z is N - 1, or with `certainty`
    ``c / (e_N + w'w)``. The ensemble at the end is the last run moved by the last change of the
    weights, which saves another run; one iteration over 0 steps is the ETKF.

    References
    ----------
    Bocquet, M., and Sakov, P. (2014). An iterative ensemble Kalman smoother. Q. J. R. Meteorol.
    Soc., 140, 1521-1535.
    """

    model: Model
    steps: int = eqx.field(static=True)
    operator: Callable = observe
    inflation: Inflation = eqx.field(default=Inflation(), converter=inflation_of)
    control: AbstractControl = IceControl()
    iterations: int = eqx.field(static=True, default=10)
    tolerance: float = 1e-3
    bundle: bool = False
    certainty: float | None = None
    rotation: bool = False

    def __check_init__(self):
        if self.steps < 0 or self.iterations < 1 or not self.tolerance > 0:
            raise InputError(
                "an IEnKS needs steps of at least 0, iterations of at least 1 and a positive "
                f"tolerance, not {self.steps}, {self.iterations} and {self.tolerance}"
            )
        if self.certainty is not None and not self.certainty > 0:
            raise InputError(f"certainty must be positive, not {self.certainty}")

    def analyse(self, ensemble, observations, forcing=None, *, start=0, key=None):
        """Ensembles at the start and at the end of a window given the observations at its end.

        Parameters
        ----------
        ensemble : pytree
            At the start of the window, leaves ``(member, ...)``.
        observations : Observations
            Or anything with ``value``, ``error_std`` and ``flag``.
        forcing : Forcing or anything with ``between(start, end)``
            Not needed where there are no steps.
        start : int
            Time of the ensemble [s].
        key : key
            For the model and for the rotation; not needed without both.

        Returns
        -------
        Smoothed
            Members that are not finite come back as they were.

        Raises
        ------
        InputError
            If there is no forcing or key where one is needed.
        """
        need_key(self, key, drawing=self.steps > 0)
        if forcing is None and self.steps:
            raise InputError("an IEnKS runs its model through the window; give analyse a forcing")
        return self._analyse(ensemble, observations, forcing, start, key)

    @eqx.filter_jit
    def _analyse(self, ensemble, observations, forcing, start, key):
        good = healthy(ensemble)
        runs, turning = (None, None) if key is None else jax.random.split(key)
        members = jax.tree.map(lambda leaf: jnp.where(along(good, leaf), leaf, 0), ensemble)
        control = self.control.to_control(members)

        def run(shift, transform):
            return self._run(combined(control, shift, transform, good), forcing, start, runs)

        last = self._iterate(run, good, observations)
        root = jnp.sqrt(self.inflation.prior)
        turn = random_rotation(turning, good) if self.rotation else None
        smooth = combined(control, last.shift, last.transform, good, self.inflation, root, turn)
        # In terms of the anomalies of the last run.
        shift, transform = last.before @ last.step, last.before @ last.transform
        filtered = (
            combined(self.control.to_control(last.end), shift, transform, good, turn=turn)
            if self.steps
            else smooth
        )
        return Smoothed(
            start=_kept(self.control.to_state(smooth), ensemble, good),
            analysis=self._analysed(
                self.control.to_state(filtered), last.background, good, observations
            ),
            weights=last.shift,
            iterations=last.count,
            converged=jnp.linalg.norm(last.step) < self.tolerance,
        )

    def _run(self, control, forcing, start, key):
        """Ensemble at the end of the window, of control variables at its start."""
        members = self.control.to_state(control)
        if not self.steps:
            return members

        def forward(member):
            return rollout(
                self.model, member, forcing, self.steps, key=key, start=start, save_every=self.steps
            ).final

        return jax.vmap(forward)(members)

    def _iterate(self, run, good, observations):
        """Last iterate of the Gauss-Newton method."""
        size = good.shape[0]
        members, scale = jnp.sum(good), BUNDLE if self.bundle else 1.0
        root = jnp.sqrt(self.inflation.prior)
        observed = jax.vmap(self.operator, in_axes=(0, None))

        def iterate(last):
            end = run(root * last.shift, root * scale * last.transform)
            seen = departures(observed(end, observations), good, observations)
            # What leads from the anomalies of this run to those of the ensemble.
            before = last.inverse / scale
            spectral = SpectralWeights.of(seen._replace(anomalies=seen.anomalies @ before))
            precision = members - 1.0
            if self.certainty is not None:
                e, c = finite_size(spectral.values, members, self.certainty)
                precision = c / (e + last.shift @ last.shift)
            vectors, values = spectral.vectors, spectral.values
            force = spectral.pull - precision * (vectors.T @ last.shift)
            step = vectors @ (force / (precision + values))
            stretch = jnp.sqrt((members - 1) / (precision + values))
            return _Iterate(
                shift=last.shift + step,
                transform=(vectors * stretch[None]) @ vectors.T,
                inverse=(vectors / stretch[None]) @ vectors.T,
                step=step,
                before=before,
                end=end,
                background=jax.tree.map(
                    lambda new, old: jnp.where(last.count == 0, new, old), end, last.background
                ),
                count=last.count + 1,
            )

        zero, one = jnp.zeros(size), jnp.eye(size)
        shape = jax.eval_shape(run, zero, one)
        empty = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shape)
        first = _Iterate(
            shift=zero,
            transform=one / scale,  # the first run is that of the background
            inverse=one * scale,
            step=jnp.full(size, jnp.inf),
            before=one,
            end=empty,
            background=empty,
            count=jnp.array(0),
        )

        def moving(last):
            return (last.count < self.iterations) & (jnp.linalg.norm(last.step) >= self.tolerance)

        return jax.lax.while_loop(moving, iterate, first)

    def _analysed(self, filtered, background, good, observations):
        observed = jax.vmap(self.operator, in_axes=(0, None))
        alive = good & healthy(background)
        before = observed(background, observations)
        used = (jnp.asarray(observations.flag) == 0) & jnp.isfinite(before).all(axis=0)
        status = jnp.where(jnp.any(used), Status.GOOD, Status.NO_OBSERVATIONS)
        ensemble = _kept(filtered, background, alive & jnp.any(used))
        return Analysis(
            ensemble=ensemble,
            background=background,
            observations=observations,
            equivalents=jnp.where(alive[:, None], observed(ensemble, observations), jnp.nan),
            background_equivalents=jnp.where(alive[:, None], before, jnp.nan),
            member_status=jnp.where(alive, Status.GOOD, Status.MEMBER_NOT_FINITE),
            status=jnp.where(jnp.sum(good) > 1, status, Status.TOO_FEW_MEMBERS),
        )


def combined(control, shift, transform, good, inflation=None, root=1.0, turn=None):
    """Control variables of the mean plus the anomalies times weights.

    Parameters
    ----------
    control : pytree
        Leaves ``(member, ...)``.
    shift : (member,) array
    transform : (member, member) array
        Member k gets ``shift + transform[:, k]``, both times `root`.
    good : (member,) bool array
    inflation : Inflation, optional
    root : float
        Root of the prior inflation.
    turn : (member, member) array, optional
        Rotation of the members.

    Returns
    -------
    pytree
    """

    def moved(leaf):
        mean, anomalies = split(leaf.reshape(leaf.shape[0], -1), good)
        new = root * transform.T @ anomalies
        if inflation is not None:
            new = inflation.restore(new, anomalies)
        if turn is not None:
            new = turn @ new
        new = (mean + root * shift @ anomalies)[None] + new
        return new.reshape(leaf.shape).astype(leaf.dtype)

    return jax.tree.map(moved, control)


def _kept(new, old, good):
    return jax.tree.map(lambda new, old: jnp.where(along(good, new), new, old), new, old)
