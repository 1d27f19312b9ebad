"""The ensemble of a variational analysis: its members after the observations of the window.

A variational method finds one state. What it used, the square root of its covariance, its tangent
model and its observation operator along the window, moves the members of the background as well,
so that mean and spread see one covariance and one localisation.
"""

import abc
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, PyTree

from floecast.core.ensemble import healthy
from floecast.core.errors import InputError
from floecast.core.keys import named_key

from .analysis import Status
from .bounds import AbstractControl
from .cost import Cost
from .filter import along, inflation_of, split
from .inflation import Inflation
from .lanczos import Ritz, block_lanczos
from .minimise import Minimiser, Minimum, minimise


class Background(NamedTuple):
    """Control variables of an ensemble about their mean.

    Parameters
    ----------
    mean : pytree
        NaN without good members.
    anomalies : pytree
        Leaves ``(member, ...)``; 0 for members that are left out.
    good : (member,) bool array
    """

    mean: PyTree
    anomalies: PyTree
    good: Bool[Array, " member"]

    @classmethod
    def of(cls, control: AbstractControl, ensemble):
        """Of states ``(member, ...)``; those that are not finite are left out."""
        good = healthy(ensemble)
        members = jax.tree.map(lambda leaf: jnp.where(along(good, leaf), leaf, 0), ensemble)
        free = control.to_control(members)
        pairs = jax.tree.map(lambda leaf: split(leaf, good), free)
        mean, anomalies = jax.tree.transpose(jax.tree.structure(free), None, pairs)
        some = jnp.any(good)
        mean = jax.tree.map(lambda leaf: jnp.where(some, leaf, jnp.nan), mean)
        return cls(mean, anomalies, good)

    def times(self, factor):
        """The same with anomalies times a factor."""
        grown = jax.tree.map(lambda leaf: jnp.asarray(factor, leaf.dtype) * leaf, self.anomalies)
        return self._replace(anomalies=grown)

    def members(self):
        """Control variables of the members, NaN for those left out."""
        return jax.tree.map(
            lambda mean, leaf: jnp.where(along(self.good, leaf), mean[None] + leaf, jnp.nan),
            self.mean,
            self.anomalies,
        )


class Analysed(NamedTuple):
    """A variational analysis, as its members see it.

    Parameters
    ----------
    background : Background
        With anomalies after the prior inflation.
    cost : Cost
    minimum : Minimum
    minimiser : Minimiser
    predictions : callable
        ``predictions(free, errors, key) -> (predict, slope)`` of a `Cost` about another background
        ``free`` with other errors of the model.
    key : key or None
    """

    background: Background
    cost: Cost
    minimum: Minimum
    minimiser: Minimiser
    predictions: Callable
    key: Array | None

    def drawn_errors(self):
        """Errors of the model with the members, leaves ``(member, blocks, ...)`` of mean 0."""
        window, good = self.cost.window, self.background.good
        if window.errors is None:
            return None
        zero, unflatten = window.errors.covariance.flat(window.errors.zero(window.steps))
        noise = jnp.zeros((*good.shape, *zero.shape), zero.dtype)
        if window.steps:  # else no error acts, and there may be no key
            key = named_key(self.key, "errors")
            noise = split(jax.random.normal(key, noise.shape, noise.dtype), good)[1]
        return jax.lax.map(lambda one: window.errors.along(unflatten(one)), noise)


class Update(NamedTuple):
    """Members after an analysis.

    Parameters
    ----------
    anomalies : pytree
        Control variables about the mean, leaves ``(member, ...)``.
    good : (member,) bool array
        Background members for which that succeeded.
    ritz : Ritz
        Pairs of the Hessian as far as they are known now.
    """

    anomalies: PyTree
    good: Bool[Array, " member"]
    ritz: Ritz


class AbstractMembers(eqx.Module):
    """How a variational analysis updates the members of its background.

    Attributes
    ----------
    inflation : Inflation
        The prior factor acts on the members before anything else, and so on the covariance where
        that is taken from them; the rest on the anomalies of the analysis, in control variables at
        the start of the window.
    draws : bool
        Whether random numbers are needed.
    """

    inflation: eqx.AbstractVar[Inflation]
    draws: eqx.AbstractClassVar[bool]

    @abc.abstractmethod
    def update(self, analysed: Analysed) -> Update:
        """Members after the observations, without what the inflation gives back to them.

        Parameters
        ----------
        analysed : Analysed

        Returns
        -------
        Update
        """

    def about(self, centre, analysed, control):
        """Members about an analysis.

        Parameters
        ----------
        centre : pytree
            Control variables of the analysis.
        analysed : Analysed
        control : AbstractControl

        Returns
        -------
        ensemble : pytree
            States, leaves ``(member, ...)``.
        good : (member,) bool array
            Those that were in the background and are finite.
        ritz : Ritz
            Pairs of the Hessian as far as they are known now.
        """
        update = self.update(analysed)
        before = analysed.background.times(1 / jnp.sqrt(self.inflation.prior))
        anomalies = jax.tree.map(self.inflation.restore, update.anomalies, before.anomalies)
        free = jax.tree.map(lambda mean, leaf: mean[None] + leaf, centre, anomalies)
        return control.to_state(free), update.good, update.ritz


class ReducedGain(AbstractMembers):
    """Deterministic update by the gain of an ensemble square root filter, about the analysis.

    Parameters
    ----------
    inflation : Inflation or float
        As in `AbstractMembers`; a number is the prior factor.
    iterations : int
        Block Lanczos steps, each of which applies the Hessian once for each member.
    batch : int
        Members that are pushed through the linear model at a time.

    Raises
    ------
    InputError
        If `iterations` or `batch` is not positive.

    Notes
    -----
    With U the square root of the covariance of the background, H' what the window makes of an
    increment, over the error of the observations, ``G = H' U``, W the weights of the misfit and
    ``A = I + G'WG`` the Hessian at the last linearisation, member k moves by
    ``x_k' <- x_k' - U (A + A^(1/2))^-1 G'W H' x_k'``. That is the reduced gain of Whitaker and
    Hamill (2002) for the whole (hybrid, localised) covariance; where the covariance is that of the
    members the updated anomalies have exactly the covariance ``(I - K H') P``. The function of A
    is taken in the block Krylov space of the right-hand sides of all members together, whose pairs
    then stand for the posterior of the analysis. Under weak constraint each member also has an
    error of the model drawn from its covariance.

    References
    ----------
    Bishop, C. H., Whitaker, J. S., and Lei, L. (2017). Gain form of the ensemble transform Kalman
    filter and its relevance to satellite data assimilation with model space ensemble covariance
    localization. Mon. Weather Rev., 145, 4575-4592.
    Whitaker, J. S., and Hamill, T. M. (2002). Ensemble data assimilation without perturbed
    observations. Mon. Weather Rev., 130, 1913-1924.
    """

    draws: ClassVar[bool] = False

    inflation: Inflation = eqx.field(default=Inflation(), converter=inflation_of)
    iterations: int = eqx.field(static=True, default=10)
    batch: int = eqx.field(static=True, default=8)

    def __check_init__(self):
        if self.iterations < 1 or self.batch < 1:
            raise InputError(
                f"the reduced gain needs iterations ({self.iterations}) and a batch "
                f"({self.batch}) of at least 1"
            )

    def update(self, analysed):
        """Anomalies less what the reduced gain makes of what they look like in the window."""
        cost, background = analysed.cost, analysed.background
        linear = cost.linearise(analysed.minimum.linearised_at)

        def each(function, rows):
            return jax.lax.map(function, rows, batch_size=self.batch)

        def pulled(seen):
            return linear.backward(linear.weight * seen)

        def hessian(rows):
            return rows + each(lambda row: pulled(linear.forward(row)), rows)

        seen = linear.members(
            background.anomalies, analysed.drawn_errors(), background.good, self.batch
        )
        right = each(pulled, seen)
        ritz = block_lanczos(hessian, right, iterations=self.iterations)
        gained = ritz.function(lambda value: 1 / (value + jnp.sqrt(value)), right)
        moves = each(lambda row: cost.increments(row)[0], gained)
        anomalies = jax.tree.map(
            lambda old, move: old - move.astype(old.dtype), background.anomalies, moves
        )
        # Where the Hessian was not finite what the minimiser knows of it is kept.
        known = jnp.all(jnp.isfinite(ritz.values))
        count = max(ritz.values.size, analysed.minimum.ritz.values.size)
        pairs = jax.tree.map(
            lambda new, old: jnp.where(known, new, old),
            ritz.padded(count),
            analysed.minimum.ritz.padded(count),
        )
        return Update(anomalies, background.good & healthy(anomalies), pairs)


class PerturbedObservations(AbstractMembers):
    """Ensemble of data assimilations (EDA): each member its own background and observations.

    Parameters
    ----------
    inflation : Inflation or float
        As in `ReducedGain`.

    Notes
    -----
    Member k is the minimum of the cost about its own background, with the same covariance, for
    observations perturbed by a draw of their error, with the outer loops and settings of the
    minimiser of the analysis. Its Ritz pairs are the preconditioner. The mean of the
    perturbations over the members is taken out. A model that draws numbers draws others for each
    member, and under weak constraint each has its own error of the model in its background.

    The mean of these minima is moved to the analysis, which has seen the observations as they are:
    for a linear model and operator the two are the same, else the mean over few perturbed minima
    differs by sampling error. The members keep their differences from one another.

    Each member costs what the analysis costs; for `EnVar4D` that is a run of the whole ensemble for
    each outer loop of each member.

    References
    ----------
    Isaksen, L., et al. (2010). Ensemble of data assimilations at ECMWF. ECMWF Technical Memorandum
    636.
    Houtekamer, P. L., Lefaivre, L., Derome, J., Ritchie, H., and Mitchell, H. L. (1996). A system
    simulation approach to ensemble prediction. Mon. Weather Rev., 124, 1225-1242.
    """

    draws: ClassVar[bool] = True

    inflation: Inflation = eqx.field(default=Inflation(), converter=inflation_of)

    def update(self, analysed):
        """Minima about the members, less their mean."""
        cost, (mean, anomalies, good) = analysed.cost, analysed.background
        # Pairs that are not known well would be a poor preconditioner.
        earlier = analysed.minimum.ritz.converged(1e-2)
        keys = jax.vmap(lambda number: jax.random.fold_in(analysed.key, number))(
            jnp.arange(good.size)
        )

        def noise(key):
            drawn = cost.misfit.noise(named_key(key, "observations"), cost.observations)
            return drawn.astype(cost.observations.value.dtype)

        _, noise = split(jax.vmap(noise)(keys), good)

        def minimum(member):
            anomaly, noise, errors, key = member
            free = jax.tree.map(jnp.add, mean, anomaly)
            predict, slope = analysed.predictions(free, errors, named_key(key, "model"))
            observed = eqx.tree_at(
                lambda every: every.value, cost.observations, cost.observations.value + noise
            )
            own = Cost(
                cost.covariance, cost.window, predict, cost.misfit, observed, cost.used, slope
            )
            found = minimise(own, analysed.minimiser, earlier)
            change, _ = own.increments(found.control)
            moved = jax.tree.map(lambda a, d: a + d.astype(a.dtype), anomaly, change)
            return moved, found.status != Status.NOT_FINITE

        moved, finite = jax.lax.map(minimum, (anomalies, noise, analysed.drawn_errors(), keys))
        good = good & finite & healthy(moved)
        return Update(
            jax.tree.map(lambda leaf: split(leaf, good)[1], moved), good, analysed.minimum.ritz
        )
