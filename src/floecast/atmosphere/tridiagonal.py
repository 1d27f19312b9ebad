"""Tridiagonal systems of many columns at once."""

import jax
import jax.numpy as jnp


def solve_tridiagonal(lower, diagonal, upper, right):
    """Solve tridiagonal systems along the first axis, one for each place on the other axes.

    Parameters
    ----------
    lower, diagonal, upper : (level, ...) array
        ``lower[k] x[k-1] + diagonal[k] x[k] + upper[k] x[k+1] = right[k]``; ``lower[0]`` and
        ``upper[-1]`` are not read. The matrix must be such that elimination needs no pivoting, as
        where the diagonal dominates.
    right : (level, ...) array or pytree of such arrays
        Right-hand sides that share the matrix.

    Returns
    -------
    array or pytree
        As `right`.

    Notes
    -----
    Thomas algorithm. Derivatives of either mode come from solves with the same or the transposed
    matrix, not from the elimination. For an M-matrix and a right-hand side of one sign nothing
    cancels, and the solution has that sign exactly.
    """
    edge = jnp.zeros_like(diagonal[:1])

    def product(x):
        below = jax.tree.map(lambda field: jnp.concatenate([edge, field[:-1]]), x)
        above = jax.tree.map(lambda field: jnp.concatenate([field[1:], edge]), x)
        return jax.tree.map(lambda d, x, u: lower * d + diagonal * x + upper * u, below, x, above)

    def solve(_, b):
        return _eliminate(lower, diagonal, upper, b)

    def transpose_solve(_, b):
        transposed_lower = jnp.concatenate([edge, upper[:-1]])
        transposed_upper = jnp.concatenate([lower[1:], edge])
        return _eliminate(transposed_lower, diagonal, transposed_upper, b)

    return jax.lax.custom_linear_solve(product, right, solve, transpose_solve)


def _eliminate(lower, diagonal, upper, right):
    def forward(before, row):
        ratio, above = before
        lower, diagonal, upper, right = row
        inverse = 1.0 / (diagonal - lower * ratio)
        ratio = upper * inverse
        above = jax.tree.map(lambda r, s: (r - lower * s) * inverse, right, above)
        return (ratio, above), (ratio, above)

    def backward(after, row):
        ratio, right = row
        x = jax.tree.map(lambda r, s: r - ratio * s, right, after)
        return x, x

    zero = jnp.zeros_like(diagonal[0])
    none = jax.tree.map(lambda field: jnp.zeros_like(field[0]), right)
    _, rows = jax.lax.scan(forward, (zero, none), (lower, diagonal, upper, right))
    return jax.lax.scan(backward, none, rows, reverse=True)[1]
