"""Lanczos iterations with full re-orthogonalisation: solution of A x = b, and Ritz pairs of A.

A is the identity plus a positive semi-definite matrix that is only known by its action, as the
Hessian of a variational cost in control variables is.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
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

    def padded(self, count):
        """With unused places at the end, `count` places in all."""
        more = count - self.values.size
        return Ritz(
            jnp.pad(self.values, (0, more), constant_values=1.0),
            jnp.pad(self.vectors, ((0, more), (0, 0))),
            jnp.pad(self.residuals, (0, more)),
        )

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
    values, rotation = jnp.linalg.eigh(
        jnp.where(finite, matrix, jnp.eye(iterations, dtype=right.dtype))
    )
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


def block_lanczos(apply, right, *, iterations):
    """Ritz pairs of A in the Krylov space of several right-hand sides.

    Parameters
    ----------
    apply : callable
        ``apply(rows) -> rows``, A times each row of a ``(k, n)`` array; symmetric, eigenvalues at
        least 1.
    right : (m, n) array
        Right-hand sides b in rows. They may depend on each other, or be 0.
    iterations : int
        Greatest number of block steps, each of which applies A to ``k = min(m, n)`` rows.

    Returns
    -------
    Ritz
        ``iterations * k`` places. ``ritz.function(f, right)`` is ``f(A) b`` as far as the space
        ``span(b, A b, A^2 b, ...)`` of this many steps knows it, and exact where it is invariant.
        NaN if A times a row is not finite.

    Raises
    ------
    InputError
        If `iterations` is not positive.

    Notes
    -----
    Directions that rounding alone tells from the earlier ones are left out (deflation), and the
    pairs are those of ``Q A Q'`` with Q the orthonormal rows that are left.

    References
    ----------
    Golub, G. H., and Van Loan, C. F. (2013). Matrix Computations, 4th ed., ch. 10.
    Higham, N. J. (2008). Functions of Matrices: Theory and Computation. SIAM, ch. 13.
    """
    if iterations < 1:
        raise InputError(f"the Lanczos iteration needs at least one step, not {iterations}")
    width, size, dtype = min(right.shape), right.shape[1], right.dtype
    rounding = 10 * jnp.finfo(dtype).eps
    largest = jnp.max(jnp.abs(right))
    fine = jnp.isfinite(largest)
    unit = jnp.where(fine, right, 0.0) / jnp.where(fine & (largest > 0), largest, 1.0)
    strength = jnp.linalg.norm(unit)
    block = _independent(unit, rounding * strength)
    basis = jnp.zeros(((iterations + 1) * width, size), dtype).at[:width].set(block)
    matrix = jnp.zeros((basis.shape[0], iterations * width), dtype)

    def unfinished(carry):
        step, *_, alive = carry
        return (step < iterations) & alive

    def advance(carry):
        step, basis, matrix, _, scale, _ = carry
        image = apply(jax.lax.dynamic_slice_in_dim(basis, step * width, width))
        fine = jnp.all(jnp.isfinite(image))
        along = basis @ jnp.where(fine, image, 0.0).T
        rest = jnp.where(fine, image, 0.0) - along.T @ basis
        rest = rest - (rest @ basis.T) @ basis
        scale = jnp.maximum(scale, jnp.max(jnp.abs(along)))
        block = _independent(rest, rounding * scale)
        # What was small and is now of length 1 may again have a part in the earlier directions.
        block = _independent(block - (block @ basis.T) @ basis, 0.5)
        return (
            step + 1,
            jax.lax.dynamic_update_slice_in_dim(basis, block, (step + 1) * width, 0),
            jax.lax.dynamic_update_slice_in_dim(
                matrix, jnp.where(fine, along, jnp.nan), step * width, 1
            ),
            rest @ rest.T,
            scale,
            fine & jnp.any(block != 0),
        )

    carry = (jnp.zeros((), int), basis, matrix, jnp.zeros((width, width), dtype))
    carry = (*carry, jnp.zeros((), dtype), fine & jnp.any(block != 0))
    count, basis, matrix, rest, scale, _ = jax.lax.while_loop(unfinished, advance, carry)
    total = iterations * width
    number = np.arange(total)
    used = (number < count * width) & jnp.any(basis[:total] != 0, axis=1)
    basis, matrix = basis[:total], matrix[:total]
    # Each entry as it was found by the later of its two rows, which knew the earlier one.
    later = number[:, None] // width > number[None] // width
    matrix = jnp.where(later, matrix.T, matrix)
    finite = fine & jnp.all(jnp.isfinite(matrix))
    # Places that are not used, far from the others, so that rounding does not mix them.
    apart = jnp.diag(jnp.where(used, 0.0, -scale))
    values, rotation = jnp.linalg.eigh(
        jnp.where(finite, (matrix + matrix.T) / 2 + apart, jnp.eye(total, dtype=dtype))
    )
    last = jax.lax.dynamic_slice_in_dim(rotation, jnp.maximum(count - 1, 0) * width, width)
    residuals = jnp.sqrt(jnp.maximum(jnp.sum(last * (rest @ last), axis=0), 0.0))
    return Ritz(
        jnp.where(finite, jnp.maximum(values, 1.0), jnp.nan),
        rotation.T @ jnp.where(used[:, None], basis, 0.0),
        residuals,
    )


def _independent(rows, least):
    """Orthonormal rows of the same span, 0 in place of those with a singular value up to `least`.

    There are as many as the smaller side of the matrix has.
    """
    directions, triangle = jnp.linalg.qr(rows.T)
    rotation, strength, _ = jnp.linalg.svd(triangle, full_matrices=False)
    return jnp.where((strength > least)[:, None], (directions @ rotation).T, 0.0)


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
