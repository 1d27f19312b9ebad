"""Variational analyses of a window: 3D-Var, 4D-Var, 4DEnVar, En4DVar.

Longer than 400 lines because the four methods differ in a few lines of what they share.
"""

import abc
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from floecast.core.ensemble import healthy
from floecast.core.errors import InputError
from floecast.core.model import Model
from floecast.observation.operators import observe

from .analysis import Status
from .bounds import AbstractControl, IceControl
from .cost import Carried, Cost, EnsembleSlope, Propagated, background_trajectory
from .covariance import AbstractCovariance, EnsembleCovariance, HybridCovariance
from .filter import along
from .minimise import Minimiser, Minimum, minimise
from .misfit import AbstractMisfit, GaussianMisfit
from .posterior import Posterior
from .window import AbstractModelError, Window, free_of, schedule


class Variational(eqx.Module):
    """The most likely state at the start of a window, and what is known of its errors.

    Parameters
    ----------
    state, background : pytree
        At the start of the window. Where `status` says that nothing was analysed both are the same.
    final : pytree
        At the end of the window: the model run from `state`, under `errors`.
    control_variables : pytree
        Those of `state`.
    errors : pytree or None
        Errors of the model that were found, leaves ``(blocks, ...)``.
    observations : Observations
        Those that were handed in.
    used : (p,) bool array
        Which of them counted: inside the window, without a flag, all of them finite.
    equivalents, background_equivalents : (p,) array
    member_status : (member,) int array or None
        `Status` of the members, where an ensemble was handed in.
    status : int
        `Status` of the whole.
    minimum : Minimum
        With the course of the cost.
    posterior : Posterior
        Error covariance of `state` in control variables.
    control : AbstractControl
    """

    state: PyTree
    background: PyTree
    final: PyTree
    control_variables: PyTree
    errors: PyTree
    observations: PyTree
    used: Bool[Array, " p"]
    equivalents: Float[Array, " p"]
    background_equivalents: Float[Array, " p"]
    member_status: Int[Array, " member"] | None
    status: Int[Array, ""]
    minimum: Minimum
    posterior: Posterior
    control: AbstractControl

    def draw(self, key, count):
        """Ensemble ``(count, ...)`` of states at the start, drawn from the posterior."""
        return self.control.to_state(
            jax.tree.map(
                lambda leaf, drawn: leaf[None] + drawn.astype(leaf.dtype),
                self.control_variables,
                self.posterior.draw(key, count),
            )
        )


class StartCovariance(AbstractCovariance):
    """Covariance of the start, seen from a control vector that has errors of the model as well."""

    start: AbstractCovariance
    others: PyTree

    def zero(self):
        """Control vectors of the start and of the errors."""
        return self.start.zero(), self.others

    def root(self, control):
        """Increment of the start."""
        return self.start.root(control[0])

    def variance(self):
        """That of the start."""
        return self.start.variance()


class AbstractVariational(eqx.Module):
    """What the variational methods share.

    Attributes
    ----------
    model : Model
    covariance : AbstractCovariance
        Of the background, in control variables.
    window : int
        Length in model steps; 0 is one instant.
    operator : callable
        ``operator(state, observations) -> (p,)``.
    control : AbstractControl
        Variables in which the errors of the background are normal.
    misfit : AbstractMisfit
    minimiser : Minimiser
    checkpoint : int
        As in `Window`.

    Notes
    -----
    With U the square root of the covariance the analysis is the minimum of
    ``J(chi) = |chi|^2 / 2 + sum rho(r)``, r the residuals of what would be observed from the
    control variables ``z_b + U chi`` on.
    """

    model: eqx.AbstractVar[Model]
    covariance: eqx.AbstractVar[AbstractCovariance]
    window: eqx.AbstractVar[int]
    operator: eqx.AbstractVar[Callable]
    control: eqx.AbstractVar[AbstractControl]
    misfit: eqx.AbstractVar[AbstractMisfit]
    minimiser: eqx.AbstractVar[Minimiser]
    checkpoint: eqx.AbstractVar[int]

    @abc.abstractmethod
    def _prior(self, background):
        """Control variables of the background, their covariance, flags of good members or None."""

    @abc.abstractmethod
    def _problem(self, free, covariance, plan, run, observations):
        """Window, prediction of the equivalents, and a slope in place of its derivative or None.

        ``run`` is forcing, start and key.
        """

    def analyse(self, background, observations, forcing=None, *, start=0, key=None):
        """State at the start of a window given the observations in it.

        Parameters
        ----------
        background : pytree
            At `start`: one state for the methods with a covariance of their own, an ensemble with
            leaves ``(member, ...)`` for those that take it from there.
        observations : Observations
            Or anything with ``value``, ``error_std``, ``time``, ``group`` and ``flag``. Those with
            a flag, outside of the window, or not finite are ignored.
        forcing : Forcing or anything with ``between(start, end)``
            Not needed where the window is one instant.
        start : int
            Time of the background [s].
        key : key
            For the model; not needed where the window is one instant.

        Returns
        -------
        Variational

        Raises
        ------
        InputError
            If there is no forcing or key where one is needed, or background and covariance are not
            of the same shape.
        """
        if self.window and (forcing is None or key is None):
            raise InputError(
                f"{type(self).__name__} runs its model through the window; give analyse a forcing "
                "and a key="
            )
        plan = schedule(observations, start, self.model.dt, self.window)
        return self._analyse(background, observations, plan, (forcing, jnp.asarray(start), key))

    @eqx.filter_jit
    def _analyse(self, given, observations, plan, run):
        free, covariance, good = self._prior(given)
        _need_same_shape(free, covariance)
        window, predict, slope = self._problem(free, covariance, plan, run, observations)

        def cost_of(observations, used):
            return Cost(covariance, window, predict, self.misfit, observations, used, slope)

        cost = cost_of(observations, plan.inside)
        zero, parts = cost.zero()
        before = predict(cost.increments(zero), observations)
        cost = cost_of(*_cleaned(observations, plan.inside, before))
        minimum = minimise(cost, self.minimiser)
        some = jnp.any(cost.used)
        status = jnp.where(some, minimum.status, Status.NO_OBSERVATIONS)
        if good is not None:
            status = jnp.where(jnp.sum(good) > 1, status, Status.TOO_FEW_MEMBERS)
        unchanged = (
            (status == Status.NO_OBSERVATIONS)
            | (status == Status.TOO_FEW_MEMBERS)
            | (status == Status.NOT_FINITE)
        )
        found = jnp.where(unchanged, 0.0, minimum.control)
        change, errors = cost.increments(found)
        analysed = jax.tree.map(lambda leaf, d: leaf + d.astype(leaf.dtype), free, change)
        # A state that was handed in comes back to the bit.
        background = given if good is None else self.control.to_state(free)
        state = jax.tree.map(
            lambda old, new: jnp.where(unchanged, old, new),
            background,
            self.control.to_state(analysed),
        )
        forcing, start, key = run
        _, final = window.run(state, forcing, start, key, lambda state, step: jnp.zeros(()), errors)
        status_of = None
        if good is not None:
            status_of = jnp.where(good, Status.GOOD, Status.MEMBER_NOT_FINITE)
        return Variational(
            state=state,
            background=background,
            final=final,
            control_variables=analysed,
            errors=errors,
            observations=observations,
            used=cost.used,
            equivalents=predict((change, errors), observations),
            background_equivalents=before,
            member_status=status_of,
            status=status,
            minimum=minimum,
            posterior=Posterior(StartCovariance(covariance, parts(zero)[1]), minimum.ritz),
            control=self.control,
        )

    def _of_state(self, state):
        """`_prior` of one state."""
        return free_of(self.control, state), self.covariance.around(None), None

    def _of_ensemble(self, ensemble):
        """`_prior` of an ensemble: its mean, and the covariance around it."""
        good = healthy(ensemble)
        members = jax.tree.map(lambda leaf: jnp.where(along(good, leaf), leaf, 0), ensemble)
        control = jax.tree.map(
            lambda leaf: jnp.where(along(good, leaf), leaf, jnp.nan),
            self.control.to_control(members),
        )
        mean = jax.tree.map(lambda leaf: jnp.mean(leaf, axis=0, where=along(good, leaf)), control)
        return mean, self.covariance.around(control), good


class Var3D(AbstractVariational):
    """3D-Var with the first guess at the appropriate time (FGAT).

    Observations are held against the background at their own time; the increment is the same
    along the whole window.

    Parameters
    ----------
    model, covariance, window, operator, control, misfit, minimiser, checkpoint
        As in `AbstractVariational`.
    """

    model: Model
    covariance: AbstractCovariance
    window: int = eqx.field(static=True, default=0)
    operator: Callable = observe
    control: AbstractControl = IceControl()
    misfit: AbstractMisfit = GaussianMisfit()
    minimiser: Minimiser = Minimiser()
    checkpoint: int = eqx.field(static=True, default=1)

    def _prior(self, background):
        return self._of_state(background)

    def _problem(self, free, covariance, plan, run, observations):
        window = _window(self)
        trajectory = background_trajectory(window, free, *run)
        return window, Carried(window, trajectory, plan), None


class Var4D(AbstractVariational):
    """4D-Var: the model, its tangent and its adjoint carry the increment along the window.

    Parameters
    ----------
    model, covariance, window, operator, control, misfit, minimiser, checkpoint
        As in `AbstractVariational`.
    errors : AbstractModelError, optional
        Found beside the initial state (weak constraint). Without them the model is taken as
        perfect (strong constraint).

    References
    ----------
    Courtier, P., Thepaut, J.-N., and Hollingsworth, A. (1994). A strategy for operational
    implementation of 4D-Var, using an incremental approach. Q. J. R. Meteorol. Soc., 120,
    1367-1387.
    Tremolet, Y. (2006). Accounting for an imperfect model in 4D-Var. Q. J. R. Meteorol. Soc., 132,
    2483-2504.
    """

    model: Model
    covariance: AbstractCovariance
    window: int = eqx.field(static=True, default=0)
    operator: Callable = observe
    control: AbstractControl = IceControl()
    misfit: AbstractMisfit = GaussianMisfit()
    minimiser: Minimiser = Minimiser()
    checkpoint: int = eqx.field(static=True, default=1)
    errors: AbstractModelError | None = None

    def _prior(self, background):
        return self._of_state(background)

    def _problem(self, free, covariance, plan, run, observations):
        window = _window(self, self.errors)
        return window, Propagated(window, free, plan, *run), None


class En4DVar(AbstractVariational):
    """4D-Var with the covariance of an ensemble, hybrid as a rule, about the ensemble mean.

    The localisation acts at the start of the window and is carried along by the tangent model.

    Parameters
    ----------
    model, covariance, window, operator, control, misfit, minimiser, checkpoint
        As in `AbstractVariational`; the covariance is a `HybridCovariance` as a rule.
    errors : AbstractModelError, optional
        As in `Var4D`.

    References
    ----------
    Buehner, M., et al. (2010). Intercomparison of variational data assimilation and the ensemble
    Kalman filter for global deterministic NWP. Part I. Mon. Weather Rev., 138, 1550-1566.
    """

    model: Model
    covariance: AbstractCovariance = HybridCovariance()
    window: int = eqx.field(static=True, default=0)
    operator: Callable = observe
    control: AbstractControl = IceControl()
    misfit: AbstractMisfit = GaussianMisfit()
    minimiser: Minimiser = Minimiser()
    checkpoint: int = eqx.field(static=True, default=1)
    errors: AbstractModelError | None = None

    def _prior(self, background):
        return self._of_ensemble(background)

    def _problem(self, free, covariance, plan, run, observations):
        window = _window(self, self.errors)
        return window, Propagated(window, free, plan, *run), None


def heaviest_cell(observations):
    """Cell with the largest share in the footprint of each observation, ``(p,)``."""
    weight = jnp.asarray(observations.weight)
    return jnp.take_along_axis(
        jnp.asarray(observations.cell), jnp.argmax(weight, axis=1)[:, None], axis=1
    )[:, 0]


class EnVar4D(AbstractVariational):
    """4DEnVar: runs of the ensemble stand in for the tangent and the adjoint of the model.

    Parameters
    ----------
    model, covariance, window, operator, control, misfit, minimiser, checkpoint
        As in `AbstractVariational`; the covariance is that of the ensemble alone, with one block.
    place : callable
        ``place(observations) -> (p,)``: column at which the localisation of each observation is
        taken, as a flat index.
    batch : int
        Members run at a time.

    Raises
    ------
    InputError
        On use, if the covariance has another part than the ensemble or more than one block.

    References
    ----------
    Liu, C., Xiao, Q., and Wang, B. (2008). An ensemble-based four-dimensional variational data
    assimilation scheme. Part I. Mon. Weather Rev., 136, 3363-3373.
    """

    model: Model
    covariance: AbstractCovariance = HybridCovariance()
    window: int = eqx.field(static=True, default=0)
    operator: Callable = observe
    control: AbstractControl = IceControl()
    misfit: AbstractMisfit = GaussianMisfit()
    minimiser: Minimiser = Minimiser()
    checkpoint: int = eqx.field(static=True, default=1)
    place: Callable = heaviest_cell
    batch: int = eqx.field(static=True, default=8)

    def _prior(self, background):
        return self._of_ensemble(background)

    def _problem(self, free, covariance, plan, run, observations):
        if not isinstance(covariance, EnsembleCovariance) or len({*covariance.blocks}) > 1:
            raise InputError(
                "4DEnVar takes the covariance of an ensemble alone, of one block; use En4DVar for "
                "others"
            )
        window = _window(self)
        predict = Propagated(window, free, plan, *run)
        place = jnp.zeros(np.shape(observations.value), int)
        if covariance.localisation is not None:
            place = self.place(observations)
        return window, predict, EnsembleSlope(predict, covariance, place, self.batch)


def _window(method, errors=None):
    return Window(
        method.model, method.operator, method.control, method.window, method.checkpoint, errors
    )


def _cleaned(observations, inside, equivalents):
    """Observations of which those that do not count do no harm, and which ones count."""
    value, error = jnp.asarray(observations.value), jnp.asarray(observations.error_std)
    used = inside & (jnp.asarray(observations.flag) == 0) & jnp.isfinite(equivalents)
    used = used & jnp.isfinite(value) & jnp.isfinite(error) & (error > 0)
    if not used.size:
        return observations, used
    # In place of the others stands one that counts: operators may have no finite derivative there.
    source = jnp.where(used, jnp.arange(used.size), jnp.argmax(used))
    cleaned = eqx.tree_at(
        lambda every: (every.value, every.error_std, every.group),
        jax.tree.map(lambda field: jnp.asarray(field)[source], observations),
        (
            jnp.where(used, value, jnp.nan_to_num(equivalents)),
            jnp.where(used, error, 1.0),
            jnp.where(used, jnp.asarray(observations.group), 0),
        ),
    )
    return cleaned, used


def _need_same_shape(free, covariance):
    made = jax.eval_shape(covariance.root, covariance.zero())
    shapes = [[leaf.shape for leaf in jax.tree.leaves(tree)] for tree in (free, made)]
    if shapes[0] != shapes[1]:
        raise InputError(
            f"the background has fields of shape {shapes[0]} and the covariance of {shapes[1]}; "
            "they must be those of one state"
        )
