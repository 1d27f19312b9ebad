"""Tridiagonal solves: against dense ones, their derivatives, their signs, other axes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from floecast.atmosphere.tridiagonal import solve_tridiagonal


def system(key, shape):
    """A diagonally dominant system that is not symmetric, and two right-hand sides."""
    keys = jax.random.split(key, 5)
    inner = (shape[0] - 1, *shape[1:])
    lower, upper = (-jax.random.uniform(k, inner) for k in keys[:2])
    diagonal = 2.1 + jax.random.uniform(keys[2], shape)
    return lower, diagonal, upper, tuple(jax.random.normal(k, shape) for k in keys[3:])


@pytest.mark.parametrize("shape", [(2,), (7,), (5, 3), (6, 2, 3)])
def test_agrees_with_dense_solve(key, shape):
    lower, diagonal, upper, right = system(key, shape)
    found = solve_tridiagonal(lower, diagonal, upper, right)
    columns = [np.reshape(part, (len(part), -1)).T for part in (lower, diagonal, upper)]
    for x, b in zip(found, right, strict=True):
        for low, mid, up, mine, known in zip(
            *columns, np.reshape(x, (shape[0], -1)).T, np.reshape(b, (shape[0], -1)).T, strict=True
        ):
            matrix = np.diag(low, -1) + np.diag(mid) + np.diag(up, 1)
            np.testing.assert_allclose(mine, np.linalg.solve(matrix, known), rtol=0, atol=1e-13)


def test_derivatives_of_both_modes(key):
    check_grads(solve_tridiagonal, system(key, (5, 2)), order=2, modes=("fwd", "rev"), rtol=1e-6)


def test_vmap_over_any_axis(key):
    lower, diagonal, upper, (right, _) = system(key, (6, 4))
    whole = solve_tridiagonal(lower, diagonal, upper, right)
    columns = jax.vmap(solve_tridiagonal, in_axes=1, out_axes=1)(lower, diagonal, upper, right)
    np.testing.assert_allclose(columns, whole, rtol=1e-15)


def test_sign_is_kept_to_the_last_bit(key):
    """A diffusion of energy over eight orders of magnitude never gives a negative one."""
    flow = 10.0 ** jax.random.uniform(key, (30, 500), jnp.float32, minval=-4, maxval=4)
    edge = jnp.zeros_like(flow[:1])
    diagonal = 1.0 + jnp.concatenate([flow, edge]) + jnp.concatenate([edge, flow])
    right = 10.0 ** jax.random.uniform(key, diagonal.shape, jnp.float32, minval=-30, maxval=0)
    assert (solve_tridiagonal(-flow, diagonal, -flow, right) > 0).all()
