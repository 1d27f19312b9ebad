"""Tridiagonal systems of many columns at once."""

import jax
import jax.numpy as jnp


def solve_tridiagonal(lower, diagonal, upper, right):
    """Solve tridiagonal systems along the first axis, one for each place on the other axes.

    Parameters
    ----------
    diagonal : (level, ...) array
    lower, upper : (level - 1, ...) array
        ``lower[k-1] x[k-1] + diagonal[k] x[k] + upper[k] x[k+1] = right[k]``. The matrix must be
        such that elimination needs no pivoting, as where the diagonal dominates.
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
    lower, diagonal, upper = (jnp.asarray(part) for part in (lower, diagonal, upper))
    right = jax.tree.map(jnp.asarray, right)

    def product(x):
        return jax.tree.map(lambda x: _product(lower, diagonal, upper, x), x)

    def solve(_, b):
        return _eliminate(lower, diagonal, upper, b)

    def transpose_solve(_, b):
        return _eliminate(upper, diagonal, lower, b)

    return jax.lax.custom_linear_solve(product, right, solve, transpose_solve)


def _product(lower, diagonal, upper, x):
    edge = jnp.zeros_like(x[:1])
    below = jnp.concatenate([edge, lower * x[:-1]])
    return below + diagonal * x + jnp.concatenate([upper * x[1:], edge])


def _eliminate(lower, diagonal, upper, right):
    # Rows are overwritten where they stand, which takes half the time of two scans.
    rows, tree = jax.tree.flatten(right)
    count = diagonal.shape[0]

    def at(field, k):
        return jax.lax.dynamic_index_in_dim(field, k, keepdims=False)

    def put(field, row, k):
        return jax.lax.dynamic_update_index_in_dim(field, row, k, 0)

    def forward(k, carry):
        inverse, last, ratios, rows = carry
        low = at(lower, k - 1)
        ratio = at(upper, k - 1) * inverse
        inverse = 1.0 / (at(diagonal, k) - low * ratio)
        last = [(at(row, k) - low * x) * inverse for row, x in zip(rows, last, strict=True)]
        rows = [put(row, x, k) for row, x in zip(rows, last, strict=True)]
        return inverse, last, put(ratios, ratio, k - 1), rows

    def backward(step, carry):
        k = count - 2 - step
        last, rows = carry
        last = [at(row, k) - at(ratios, k) * x for row, x in zip(rows, last, strict=True)]
        return last, [put(row, x, k) for row, x in zip(rows, last, strict=True)]

    inverse = 1.0 / diagonal[0]
    last = [row[0] * inverse for row in rows]
    rows = [put(row, x, 0) for row, x in zip(rows, last, strict=True)]
    start = inverse, last, upper, rows
    _, last, ratios, rows = jax.lax.fori_loop(1, count, forward, start)
    _, rows = jax.lax.fori_loop(0, count - 1, backward, (last, rows))
    return jax.tree.unflatten(tree, rows)
