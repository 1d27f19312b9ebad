"""Lanczos iteration with full re-orthogonalisation: solution of A x = b, and Ritz pairs of A.

A is the identity plus a positive semi-definite matrix that is only known by its action, as the
Hessian of a variational cost in control variables is.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from floecast.core.errors import InputError


class Ritz(eqx.Module):
    """Approximate eigenpairs of A; A is taken as the identity beyond them.

    Parameters
    ----------
    values : (k,) array
        1 for places that are not used.
    vectors : (k, n) array
        Orthonormal rows; 0 for places that are not used.
    residuals : (k,) array
        Norm of ``A v - value v`` as the iteration estimates it.
    """

    values: Float[Array, " k"]
    vectors: Float[Array, "k n"]
    residuals: Float[Array, " k"]

    @classmethod
    def none(cls, count, size, dtype=float):
        """No pairs known: A is the identity."""
        return cls(jnp.ones(count, dtype), jnp.zeros((count, size), dtype), jnp.zeros(count, dtype))

    def function(self, function, vector):
        """``f(A)`` times a vector, or times each of some rows.

        Parameters
        ----------
        function : callable
            Of the eigenvalues, such as ``lambda value: value**-0.5``.
        vector : (..., n) array
        """
        at_one = function(jnp.ones((), self.values.dtype))
        change = function(self.values) - at_one
        return at_one * vector + (vector @ self.vectors.T) @ (change[:, None] * self.vectors)

    def converged(self, tolerance):
        """Those pairs whose residual is below a share of their value; the others are dropped."""
        keep = self.residuals <= tolerance * self.values
        return Ritz(
            jnp.where(keep, self.values, 1.0),
            jnp.where(keep[:, None], self.vectors, 0.0),
            jnp.where(keep, self.residuals, 0.0),
        )


class Solution(eqx.Module):
    """What the iteration ended with.

    Parameters
    ----------
    vector : (n,) array
        Solution of ``A x = b``.
    ritz : Ritz
        Of A.
    iterations : int
        Applications of A.
    residual : float
        Norm of ``b - A x`` over that of b, in the norm of the preconditioner.
    """

    vector: Float[Array, " n"]
    ritz: Ritz
    iterations: Int[Array, ""]
    residual: Float[Array, ""]


def lanczos(apply, right, *, iterations, tolerance=1e-3, earlier=None):
    """Solve A x = b from x = 0.

    Parameters
    ----------
    apply : callable
        ``apply(v) -> A v`` for a ``(n,)`` array; symmetric, eigenvalues at least 1.
    right : (n,) array
        b.
    iterations : int
        Greatest number of applications of A, and number of vectors of length n kept.
    tolerance : float
        Relative residual at which the iteration ends.
    earlier : Ritz, optional
        Pairs of a similar matrix, as the preconditioner.

    Returns
    -------
    Solution
        The same as by conjugate gradients in exact arithmetic. Traced all through, so it can be
        compiled and mapped. Values that are not finite end the iteration and stay in the solution.

    Raises
    ------
    InputError
        If `iterations` is not positive.

    Notes
    -----
    With the spectral preconditioner ``C = I + sum (1 / value - 1) v v'`` of the earlier pairs the
    iteration runs on ``C^(1/2) A C^(1/2)``, whose pairs are turned into those of A exactly as far
    as either set knows A.

    References
    ----------
    Golub, G. H., and Van Loan, C. F. (2013). Matrix Computations, 4th ed., ch. 10.
    Tshimanga, J., Gratton, S., Weaver, A. T., and Sartenaer, A. (2008). Limited-memory
    preconditioners, with application to incremental four-dimensional variational data
    assimilation. Q. J. R. Meteorol. Soc., 134, 751-769.
    """
    if iterations < 1:
        raise InputError(f"the Lanczos iteration needs at least one step, not {iterations}")

    def root(vector):
        return vector if earlier is None else earlier.function(lambda value: value**-0.5, vector)

    start = root(right)
    norm = jnp.linalg.norm(start)
    basis = jnp.zeros((iterations + 1, right.shape[0]), right.dtype)
    basis = basis.at[0].set(start / jnp.where(norm > 0, norm, 1.0))
    ones, zeros = jnp.ones(iterations, right.dtype), jnp.zeros(iterations, right.dtype)
    rounding = 10 * jnp.finfo(right.dtype).eps

    def unfinished(carry):
        step, _, diagonal, beside, _, _, residual = carry
        last = jnp.maximum(step - 1, 0)
        # Without a next direction all that b reaches is known.
        alive = (step == 0) | (beside[last] > rounding * jnp.max(jnp.abs(diagonal)))
        return (step < iterations) & (residual > tolerance * norm) & alive

    def advance(carry):
        step, basis, diagonal, beside, pivot, pull, _ = carry
        vector = root(apply(root(basis[step])))
        along = basis[step] @ vector
        # Twice is enough: once leaves what rounding left of the earlier directions.
        for _ in range(2):
            vector = vector - (basis @ vector) @ basis
        beyond = jnp.linalg.norm(vector)
        # T = L D L': the last entry of its solution gives the residual without solving.
        before = jnp.where(step > 0, beside[step - 1], 0.0)
        factor = before / pivot
        pivot, pull = along - factor * before, jnp.where(step > 0, -factor * pull, norm)
        return (
            step + 1,
            basis.at[step + 1].set(vector / jnp.where(beyond > 0, beyond, 1.0)),
            diagonal.at[step].set(along),
            beside.at[step].set(beyond),
            pivot,
            pull,
            beyond * jnp.abs(pull / pivot),
        )

    one = jnp.ones((), right.dtype)
    carry = (jnp.zeros((), int), basis, ones, zeros, one, 0 * one, norm)
    count, basis, diagonal, beside, *_, residual = jax.lax.while_loop(unfinished, advance, carry)
    used = jnp.arange(iterations) < count
    last = jnp.where(count > 0, beside[count - 1], 0.0)
    inside = jnp.where(used[1:], beside[:-1], 0.0)
    matrix = jnp.diag(diagonal) + jnp.diag(inside, 1) + jnp.diag(inside, -1)
    # Values that are not finite may not enter the eigenvalue problem, which might not return.
    finite = jnp.all(jnp.isfinite(matrix))
    values, rotation = jnp.linalg.eigh(jnp.where(finite, matrix, jnp.eye(iterations)))
    directions = jnp.where(used[:, None], basis[:-1], 0.0)
    small = rotation @ ((norm * rotation[0]) / values)
    vector = jnp.where(finite, root(small @ directions), jnp.nan)
    residuals = jnp.abs(last * jnp.where(count > 0, rotation[count - 1], 0.0))
    vectors = rotation.T @ directions
    if earlier is None:
        ritz = Ritz(jnp.maximum(values, 1.0), vectors, residuals)
    else:
        ritz = _unpreconditioned(earlier, Ritz(values, vectors, residuals), iterations)
    return Solution(vector, ritz, count, residual / jnp.where(norm > 0, norm, 1.0))


def _unpreconditioned(earlier, found, count):
    """Pairs of A from earlier ones E and those of ``E^(-1/2) A E^(-1/2)``; the largest `count`."""
    both = jnp.concatenate([earlier.vectors, found.vectors])
    basis = jnp.linalg.qr(both.T)[0].T

    def forward(rows):
        rows = earlier.function(jnp.sqrt, rows)
        return earlier.function(jnp.sqrt, found.function(lambda value: value, rows))

    small = basis @ forward(basis).T
    values, rotation = jnp.linalg.eigh((small + small.T) / 2)
    values, rotation = values[-count:], rotation[:, -count:]
    values = jnp.pad(jnp.maximum(values, 1.0), (count - values.size, 0), constant_values=1.0)
    vectors = jnp.pad(rotation.T @ basis, ((count - rotation.shape[1], 0), (0, 0)))
    # What the iteration left open, seen in the directions of the pairs of A.
    open_part = jnp.abs(earlier.function(jnp.sqrt, vectors) @ found.vectors.T) @ found.residuals
    return Ritz(values, vectors, open_part * jnp.sqrt(values))
