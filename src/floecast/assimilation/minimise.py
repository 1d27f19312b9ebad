"""Gauss-Newton minimisation of a variational cost, one outer loop for all methods."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from floecast.core.errors import InputError

from .analysis import Status
from .lanczos import Ritz, lanczos


class Minimiser(eqx.Module):
    """Outer and inner loop.

    Parameters
    ----------
    outer : int
        Greatest number of linearisations.
    inner : int
        Greatest number of Lanczos steps for each.
    tolerance : float
        Relative residual at which the inner loop ends.
    decrease : float
        Fall of the cost, relative to it, below which the outer loop has converged.
    halvings : int
        How often a step that does not lower the cost is halved.
    reuse : bool
        Precondition with the Ritz pairs of the linearisation before. These pairs become those of
        the whole Hessian as far as both know it.

    Raises
    ------
    InputError
        If a number of steps is not positive, or `halvings` negative.
    """

    outer: int = eqx.field(static=True, default=3)
    inner: int = eqx.field(static=True, default=40)
    tolerance: float = 1e-3
    decrease: float = 1e-3
    halvings: int = eqx.field(static=True, default=6)
    reuse: bool = eqx.field(static=True, default=False)

    def __check_init__(self):
        if self.outer < 1 or self.inner < 1 or self.halvings < 0:
            raise InputError(
                f"the minimiser needs at least one outer ({self.outer}) and inner ({self.inner}) "
                f"step, and halvings ({self.halvings}) of at least 0"
            )


class History(eqx.Module):
    """Course of a minimisation; NaN or -1 for steps that were not taken.

    Parameters
    ----------
    background, observation : (outer + 1,) array
        Terms of the nonlinear cost, at first those of the background.
    step : (outer,) array
        Share of each Gauss-Newton step that was taken; 0 if none lowered the cost.
    inner : (outer,) int array
        Lanczos steps.
    residual : (outer,) array
        Relative residual that each inner loop ended with.
    """

    background: Float[Array, " outer+1"]
    observation: Float[Array, " outer+1"]
    step: Float[Array, " outer"]
    inner: Int[Array, " outer"]
    residual: Float[Array, " outer"]

    @property
    def cost(self):
        """Whole cost, ``(outer + 1,)``."""
        return self.background + self.observation

    @property
    def last(self):
        """Cost at the end."""
        return jnp.nanmin(self.cost)


class Minimum(eqx.Module):
    """Where a minimisation ended.

    Parameters
    ----------
    control : (n,) array
    linearised_at : (n,) array
        Control vector of the last linearisation, whose Hessian the pairs belong to.
    ritz : Ritz
    status : int
        GOOD, STOPPED_EARLY, NO_DESCENT or NOT_FINITE of `Status`.
    history : History
    """

    control: Float[Array, " n"]
    linearised_at: Float[Array, " n"]
    ritz: Ritz
    status: Int[Array, ""]
    history: History


def minimise(cost, settings, earlier=None):
    """Minimise a cost from the background.

    Parameters
    ----------
    cost : Cost
    settings : Minimiser
    earlier : Ritz, optional
        Pairs of a similar problem, to precondition with.

    Returns
    -------
    Minimum

    Notes
    -----
    Each outer step solves ``(I + G'WG) d = -chi - G'W r`` and goes along d as far as the nonlinear
    cost falls: the whole way, or a half, a quarter and so on. A quadratic model that promises a
    smaller fall than `decrease` ends the loop, as does a step after which the cost fell by less.

    References
    ----------
    Courtier, P., Thepaut, J.-N., and Hollingsworth, A. (1994). A strategy for operational
    implementation of 4D-Var, using an incremental approach. Q. J. R. Meteorol. Soc., 120,
    1367-1387.
    Gratton, S., Lawless, A. S., and Nichols, N. K. (2007). Approximate Gauss-Newton methods for
    nonlinear least squares problems. SIAM J. Optim., 18, 106-132.
    """
    zero, _ = cost.zero()
    outer = settings.outer
    none = Ritz.none(settings.inner, zero.size, zero.dtype)
    first = cost.parts(zero)
    blank = jnp.full(outer, jnp.nan, zero.dtype)
    history = History(
        jnp.append(first[0], blank),
        jnp.append(first[1], blank),
        blank,
        jnp.full(outer, -1),
        blank,
    )
    finite = jnp.isfinite(first[0] + first[1])
    status = jnp.where(finite, Status.STOPPED_EARLY, Status.NOT_FINITE)

    def step(number, minimum):
        linear, solution, promised = _inner(cost, settings, minimum, earlier)
        now = minimum.history.cost[number]
        size, (background, observed) = _descend(
            cost, minimum.control, solution.vector, now, settings.halvings
        )
        fallen = size > 0
        fall = jnp.where(fallen, now - background - observed, 0.0)
        # A promise below rounding cannot be kept.
        small = (promised <= settings.decrease * now) | (
            promised <= 100 * jnp.finfo(zero.dtype).eps * now
        )
        converged = small | (fallen & (fall <= settings.decrease * now))
        status = jnp.where(fallen, Status.STOPPED_EARLY, Status.NO_DESCENT)
        direction = jnp.where(fallen, solution.vector, 0.0)
        old = minimum.history
        history = History(
            old.background.at[number + 1].set(
                jnp.where(fallen, background, old.background[number])
            ),
            old.observation.at[number + 1].set(
                jnp.where(fallen, observed, old.observation[number])
            ),
            old.step.at[number].set(size),
            old.inner.at[number].set(solution.iterations),
            old.residual.at[number].set(solution.residual),
        )
        usable = jnp.all(jnp.isfinite(solution.vector))
        ritz = jax.tree.map(lambda a, b: jnp.where(usable, a, b), solution.ritz, minimum.ritz)
        return Minimum(
            minimum.control + size * direction,
            minimum.control,
            ritz,
            jnp.where(converged, Status.GOOD, status),
            history,
        )

    def unfinished(carry):
        number, minimum = carry
        return (number < outer) & (minimum.status == Status.STOPPED_EARLY)

    start = Minimum(zero, zero, none, status, history)
    _, minimum = jax.lax.while_loop(
        unfinished, lambda carry: (carry[0] + 1, step(*carry)), (jnp.zeros((), int), start)
    )
    return minimum


def _inner(cost, settings, minimum, earlier):
    """Linearisation, solution of the quadratic problem, and the fall of cost that it promises."""
    linear = cost.linearise(minimum.control)

    def hessian(vector):
        return vector + linear.backward(linear.weight * linear.forward(vector))

    right = -minimum.control - linear.backward(linear.weight * linear.residual)
    known = earlier
    if settings.reuse:
        # Pairs that are not yet known well would spoil what they are to improve.
        known = minimum.ritz.converged(1e-2)
        if earlier is not None:
            begun = minimum.history.inner[0] >= 0
            known = jax.tree.map(lambda a, b: jnp.where(begun, a, b), known, earlier)
    solution = lanczos(
        hessian, right, iterations=settings.inner, tolerance=settings.tolerance, earlier=known
    )
    return linear, solution, 0.5 * right @ solution.vector


def _descend(cost, control, direction, now, halvings):
    """Greatest of the steps 1, 1/2, 1/4, ... that lowers the cost, 0 if none; and the cost."""

    def higher(carry):
        halved, _, parts = carry
        return ~(parts[0] + parts[1] < now) & (halved < halvings)

    def halve(carry):
        halved, size, _ = carry
        return halved + 1, size / 2, cost.parts(control + size / 2 * direction)

    one = jnp.ones((), control.dtype)
    start = (jnp.zeros((), int), one, cost.parts(control + direction))
    _, size, parts = jax.lax.while_loop(higher, halve, start)
    return jnp.where(parts[0] + parts[1] < now, size, 0.0), parts
