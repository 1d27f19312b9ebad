"""Variational analyses of a window: 3D-Var, 4D-Var, 4DEnVar, En4DVar."""

import abc
import dataclasses
from collections.abc import Callable
from functools import partial
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from floecast.core.ensemble import finite, healthy
from floecast.core.errors import InputError
from floecast.core.model import Model, check_run
from floecast.core.rollout import start_of
from floecast.observation.operators import observe

from .analysis import Status
from .bounds import AbstractControl, IceControl
from .cost import (
    Carried,
    Cost,
    EnsembleSlope,
    Propagated,
    background_trajectory,
    cleaned,
    heaviest_cell,
)
from .covariance import (
    AbstractCovariance,
    EnsembleCovariance,
    HybridCovariance,
    need_same_shape,
)
from .estimate import StartCovariance, Variational
from .filter import along
from .members import AbstractMembers, Analysed, Background
from .minimise import Minimiser, minimise
from .misfit import AbstractMisfit, GaussianMisfit
from .posterior import Posterior
from .window import AbstractModelError, Window, free_of, schedule


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
    members : AbstractMembers or None
        With it the members of the background are updated about the analysis; without, only one
        state is found.
    from_ensemble : bool
        Whether the covariance is taken from the members of the background.

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

    members: eqx.AbstractVar[AbstractMembers | None]
    from_ensemble: eqx.AbstractClassVar[bool]

    @abc.abstractmethod
    def _problem(self, free, covariance, plan, run, observations):
        """Window, prediction of the equivalents, and a slope in place of its derivative or None.

        ``run`` is forcing, start and key.
        """

    @property
    def takes_ensemble(self):
        """Whether the background is an ensemble rather than one state."""
        return self.from_ensemble or self.members is not None

    def analyse(self, background, observations, forcing=None, *, start=None, key=None):
        """State at the start of a window given the observations in it.

        Parameters
        ----------
        background : pytree
            At `start`: an ensemble with leaves ``(member, ...)`` for the methods that take their
            covariance from it, and for all with `members`; else one state.
        observations : Observations
            Or anything with ``value``, ``error_std``, ``time``, ``group`` and ``flag``. Those with
            a flag, outside of the window, or not finite are ignored.
        forcing : Forcing or anything with ``between(start, end)``
            Not needed where the window is one instant.
        start : int, optional
            Time of the background [s]; that of the forcing if left out, and 0 without one.
        key : key
            For the model, and for members that draw numbers; not needed where the window is one
            instant and nothing is drawn.

        Returns
        -------
        Variational

        Raises
        ------
        InputError
            If there is no forcing or key where one is needed, background and covariance are not
            of the same shape, or the model refuses its input.
        """
        if self.window and (forcing is None or key is None):
            raise InputError(
                f"{type(self).__name__} runs its model through the window; give analyse a forcing "
                "and a key="
            )
        if key is None and self.members is not None and self.members.draws:
            name = type(self.members).__name__
            raise InputError(f"{name} draws random numbers; give analyse a key=")
        if start is None:
            start = 0 if forcing is None else start_of(forcing)
        plan = schedule(observations, start, self.model.dt, self.window)
        if self.window:
            self._check(background, forcing, start)
        return self._analyse(background, observations, plan, (forcing, jnp.asarray(start), key))

    def _check(self, background, forcing, start):
        """Let the model refuse what it cannot run; states that are not finite are not its care."""
        end = start + self.window * self.model.dt
        if not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(background)):
            good = np.asarray(healthy(background) if self.takes_ensemble else finite(background))
            if not good.any():
                return
            if self.takes_ensemble:
                background = jax.tree.map(lambda leaf: np.asarray(leaf)[good], background)
        check_run(self.model, background, forcing, start, end)

    @eqx.filter_jit
    def _analyse(self, given, observations, plan, run):
        background, free, covariance = self._prior(given)
        need_same_shape(free, covariance)
        window, predict, slope = self._problem(free, covariance, plan, run, observations)

        def cost_of(observations, used):
            return Cost(covariance, window, predict, self.misfit, observations, used, slope)

        cost = cost_of(observations, plan.inside)
        zero, parts = cost.zero()
        before = predict(cost.increments(zero), observations)
        cost = cost_of(*cleaned(observations, plan.inside, before))
        minimum = minimise(cost, self.minimiser)
        status = jnp.where(jnp.any(cost.used), minimum.status, Status.NO_OBSERVATIONS)
        status = jnp.where(finite(free), status, Status.NOT_FINITE)
        if background is not None:
            enough = jnp.sum(background.good) > 1
            status = jnp.where(enough, status, Status.TOO_FEW_MEMBERS)
        unchanged = (
            (status == Status.NO_OBSERVATIONS)
            | (status == Status.TOO_FEW_MEMBERS)
            | (status == Status.NOT_FINITE)
        )
        found = jnp.where(unchanged, 0.0, minimum.control)
        change, errors = cost.increments(found)
        analysed = jax.tree.map(lambda leaf, d: leaf + d.astype(leaf.dtype), free, change)
        # A state that was handed in comes back to the bit.
        old = given if background is None else self.control.to_state(free)
        state = jax.tree.map(
            lambda old, new: jnp.where(unchanged, old, new), old, self.control.to_state(analysed)
        )
        forcing, start, key = run
        _, final = window.run(state, forcing, start, key, lambda state, step: jnp.zeros(()), errors)
        # Where the model fails from the background on, no observation has an equivalent.
        failed = (status == Status.NO_OBSERVATIONS) & ~finite(final)
        status = jnp.where(failed, Status.NOT_FINITE, status)
        ensemble, ritz, member_status = None, minimum.ritz, None
        if background is not None:
            member_status = jnp.where(background.good, Status.GOOD, Status.MEMBER_NOT_FINITE)
        if self.members is not None:
            predictions = partial(self._predictions, covariance, plan, run, observations)
            seen = Analysed(background, cost, minimum, self.minimiser, predictions, key)
            members, good, ritz = self.members.about(analysed, seen, self.control)
            ensemble = jax.tree.map(
                lambda new, old: jnp.where(along(good & ~unchanged, new), new, old), members, given
            )
            lost = background.good & ~good & ~unchanged
            member_status = jnp.where(lost, Status.NOT_FINITE, member_status)
        return Variational(
            state=state,
            background=old,
            final=final,
            control_variables=analysed,
            errors=errors,
            observations=observations,
            used=cost.used,
            equivalents=predict((change, errors), observations),
            background_equivalents=before,
            ensemble=ensemble,
            member_status=member_status,
            status=status,
            minimum=minimum,
            posterior=Posterior(StartCovariance(covariance, parts(zero)[1]), ritz),
            control=self.control,
        )

    def _predictions(self, covariance, plan, run, observations, free, errors, key):
        """`Analysed.predictions`."""
        forcing, start, _ = run
        run = (forcing, start, key)
        _, predict, slope = self._problem(free, covariance, plan, run, observations)
        if errors is not None:
            predict = dataclasses.replace(predict, errors=errors)
        return predict, slope

    def _prior(self, given):
        """Background of an ensemble or None, control variables of the state, their covariance."""
        if not self.takes_ensemble:
            return None, free_of(self.control, given), self.covariance.around(None)
        background, members = Background.of(self.control, given), None
        if self.members is not None:
            background = background.times(jnp.sqrt(self.members.inflation.prior))
        if self.from_ensemble:
            members = background.members()
        return background, background.mean, self.covariance.around(members)


class Var3D(AbstractVariational):
    """3D-Var with the first guess at the appropriate time (FGAT).

    Observations are held against the background at their own time; the increment is the same
    along the whole window.

    Parameters
    ----------
    model, covariance, window, operator, control, misfit, minimiser, checkpoint, members
        As in `AbstractVariational`.
    """

    from_ensemble: ClassVar[bool] = False
    model: Model
    covariance: AbstractCovariance
    window: int = eqx.field(static=True, default=0)
    operator: Callable = observe
    control: AbstractControl = IceControl()
    misfit: AbstractMisfit = GaussianMisfit()
    minimiser: Minimiser = Minimiser()
    checkpoint: int = eqx.field(static=True, default=1)
    members: AbstractMembers | None = None

    def _problem(self, free, covariance, plan, run, observations):
        window = _window(self)
        trajectory = background_trajectory(window, free, *run)
        return window, Carried(window, trajectory, plan), None


class Var4D(AbstractVariational):
    """4D-Var: the model, its tangent and its adjoint carry the increment along the window.

    Parameters
    ----------
    model, covariance, window, operator, control, misfit, minimiser, checkpoint, members
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

    from_ensemble: ClassVar[bool] = False
    model: Model
    covariance: AbstractCovariance
    window: int = eqx.field(static=True, default=0)
    operator: Callable = observe
    control: AbstractControl = IceControl()
    misfit: AbstractMisfit = GaussianMisfit()
    minimiser: Minimiser = Minimiser()
    checkpoint: int = eqx.field(static=True, default=1)
    members: AbstractMembers | None = None
    errors: AbstractModelError | None = None

    def _problem(self, free, covariance, plan, run, observations):
        window = _window(self, self.errors)
        return window, Propagated(window, free, plan, *run), None


class En4DVar(AbstractVariational):
    """4D-Var with the covariance of an ensemble, hybrid as a rule, about the ensemble mean.

    The localisation acts at the start of the window and is carried along by the tangent model.

    Parameters
    ----------
    model, covariance, window, operator, control, misfit, minimiser, checkpoint, members
        As in `AbstractVariational`; the covariance is a `HybridCovariance` as a rule.
    errors : AbstractModelError, optional
        As in `Var4D`.

    References
    ----------
    Buehner, M., et al. (2010). Intercomparison of variational data assimilation and the ensemble
    Kalman filter for global deterministic NWP. Part I. Mon. Weather Rev., 138, 1550-1566.
    """

    from_ensemble: ClassVar[bool] = True
    model: Model
    covariance: AbstractCovariance = HybridCovariance()
    window: int = eqx.field(static=True, default=0)
    operator: Callable = observe
    control: AbstractControl = IceControl()
    misfit: AbstractMisfit = GaussianMisfit()
    minimiser: Minimiser = Minimiser()
    checkpoint: int = eqx.field(static=True, default=1)
    members: AbstractMembers | None = None
    errors: AbstractModelError | None = None

    def _problem(self, free, covariance, plan, run, observations):
        window = _window(self, self.errors)
        return window, Propagated(window, free, plan, *run), None


class EnVar4D(AbstractVariational):
    """4DEnVar: runs of the ensemble stand in for the tangent and the adjoint of the model.

    Parameters
    ----------
    model, covariance, window, operator, control, misfit, minimiser, checkpoint, members
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

    from_ensemble: ClassVar[bool] = True
    model: Model
    covariance: AbstractCovariance = HybridCovariance()
    window: int = eqx.field(static=True, default=0)
    operator: Callable = observe
    control: AbstractControl = IceControl()
    misfit: AbstractMisfit = GaussianMisfit()
    minimiser: Minimiser = Minimiser()
    checkpoint: int = eqx.field(static=True, default=1)
    members: AbstractMembers | None = None
    place: Callable = heaviest_cell
    batch: int = eqx.field(static=True, default=8)

    def _problem(self, free, covariance, plan, run, observations):
        if not isinstance(covariance, EnsembleCovariance) or len({*covariance.blocks}) > 1:
            raise InputError(
                "4DEnVar takes the covariance of an ensemble alone, of one block; use En4DVar for "
                "others"
            )
        window = _window(self)
        predict = Propagated(window, free, plan, *run)
        place = jnp.zeros(np.shape(observations.value), int)
        if covariance.taper(covariance.blocks[0]) is not None:
            place = self.place(observations)
        return window, predict, EnsembleSlope(predict, covariance, place, self.batch)


def _window(method, errors=None):
    return Window(
        method.model, method.operator, method.control, method.window, method.checkpoint, errors
    )
