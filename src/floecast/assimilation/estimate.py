"""What a variational analysis gives back."""

import equinox as eqx
import jax
from jaxtyping import Array, Bool, Float, Int, PyTree

from .bounds import AbstractControl
from .covariance import AbstractCovariance
from .minimise import Minimum
from .posterior import Posterior


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
    ensemble : pytree or None
        Members at the start of the window, leaves ``(member, ...)``, where the method updates them:
        their mean in control variables is that of `state`. Members that are not finite are as they
        came, and so are all where nothing was analysed.
    member_status : (member,) int array or None
        `Status` of the members, where an ensemble was handed in.
    status : int
        `Status` of the whole.
    minimum : Minimum
        With the course of the cost.
    posterior : Posterior
        Error covariance of `state` in control variables, by what the minimiser knows of the Hessian
        or, with `ReducedGain`, the members, which is more.
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
    ensemble: PyTree
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
