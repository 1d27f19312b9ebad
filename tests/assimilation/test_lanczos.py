"""The Lanczos iteration against dense algebra."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.assimilation.covariance import MatrixCovariance
from floecast.assimilation.lanczos import Ritz, lanczos
from floecast.assimilation.posterior import Posterior
from floecast.core.errors import InputError

SIZE, COUNT = 30, 9
RNG = np.random.default_rng(3)
SENSE = RNG.normal(size=(COUNT, SIZE)) * np.geomspace(0.1, 10, COUNT)[:, None]
MATRIX = np.eye(SIZE) + SENSE.T @ SENSE
RIGHT = RNG.normal(size=SIZE)


@partial(jax.jit, static_argnames="iterations")
def compiled(matrix, right, tolerance, earlier, iterations):
    options = {"iterations": iterations, "tolerance": tolerance, "earlier": earlier}
    return lanczos(lambda v: matrix @ v, right, **options)


def solved(matrix=MATRIX, right=RIGHT, iterations=30, tolerance=1e-3, earlier=None):
    return compiled(jnp.asarray(matrix), jnp.asarray(right), tolerance, earlier, iterations)


def close(actual, expected, tolerance):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)


def test_solution_and_pairs_are_those_of_dense_algebra():
    found = solved(tolerance=1e-13)
    close(found.vector, np.linalg.solve(MATRIX, RIGHT), 1e-12)
    # The identity and ten other eigenvalues: the right side sees no more directions.
    assert found.iterations <= COUNT + 2
    values = np.linalg.eigvalsh(MATRIX)[-COUNT:]
    close(np.sort(found.ritz.values)[-COUNT:], values, 1e-9)
    ritz = found.ritz
    close(ritz.residuals, 0, 1e-8)
    close(ritz.function(lambda value: value, jnp.eye(SIZE)), MATRIX, 1e-9)
    used = np.asarray(ritz.vectors)[np.asarray(ritz.values) > 1 + 1e-6]
    close(used @ used.T, np.eye(len(used)), 1e-12)


def test_ends_where_the_true_residual_is_small_enough():
    for tolerance in (1e-1, 1e-4):
        found = solved(tolerance=tolerance)
        true = np.linalg.norm(RIGHT - MATRIX @ found.vector) / np.linalg.norm(RIGHT)
        assert true <= tolerance
        close(found.residual, true, 1e-10)


def test_residuals_of_unfinished_pairs_are_true():
    ritz = solved(iterations=5).ritz
    true = np.linalg.norm(ritz.vectors @ MATRIX - ritz.values[:, None] * ritz.vectors, axis=1)
    close(ritz.residuals, true, 1e-9)
    assert true.max() > 1e-3
    kept = ritz.converged(1e-3)
    assert ((np.asarray(kept.values) == 1) | (true <= 1e-3 * np.asarray(ritz.values))).all()


def test_no_ghosts_in_many_iterations():
    """Eigenvalues far apart make an iteration without re-orthogonalisation find copies of them."""
    rotation = np.linalg.qr(RNG.normal(size=(SIZE, SIZE)))[0]
    values = np.append(np.linspace(1.0, 2.0, SIZE - 1), 1e8)
    found = solved((rotation * values) @ rotation.T, tolerance=0.0)
    assert (np.asarray(found.ritz.values) > 10).sum() == 1
    close(Posterior(None, found.ritz).degrees_of_freedom, np.sum(1 - 1 / values), 1e-6)


def test_known_pairs_leave_nothing_to_do():
    first = solved(tolerance=1e-13)
    again = solved(right=RNG.normal(size=SIZE), earlier=first.ritz, tolerance=1e-9)
    assert again.iterations <= 2
    assert again.residual < 1e-9


def test_preconditioned_by_pairs_of_a_similar_matrix():
    sense = SENSE + 0.01 * RNG.normal(size=SENSE.shape)
    earlier = solved(np.eye(SIZE) + sense.T @ sense, tolerance=1e-13).ritz
    assert solved(earlier=earlier, tolerance=0.05).iterations < solved(tolerance=0.05).iterations
    found = solved(earlier=earlier, tolerance=0.0)
    close(found.vector, np.linalg.solve(MATRIX, RIGHT), 1e-11)
    close(found.ritz.function(lambda value: value, jnp.eye(SIZE)), MATRIX, 1e-6)


def test_nothing_to_solve():
    found = solved(right=np.zeros(SIZE))
    assert found.iterations == 0 and (np.asarray(found.vector) == 0).all()
    assert (np.asarray(found.ritz.values) == 1).all()


def test_not_finite_ends():
    assert np.isnan(solved(matrix=np.full((SIZE, SIZE), np.nan)).vector).all()


def test_refuses_no_iterations():
    with pytest.raises(InputError, match="at least one step"):
        solved(iterations=0)


def test_posterior_is_the_kalman_covariance(key):
    root = RNG.normal(size=(SIZE, SIZE)) / 5
    prior = MatrixCovariance(root)
    hessian = np.eye(SIZE) + root.T @ SENSE.T @ SENSE @ root
    posterior = Posterior(prior, solved(hessian, tolerance=1e-13).ritz)
    exact = np.linalg.inv(np.linalg.inv(root @ root.T) + SENSE.T @ SENSE)
    close(np.stack([posterior.apply(row) for row in jnp.eye(SIZE)]), exact, 1e-8)
    close(posterior.variance(), np.diag(exact), 1e-8)
    gain = exact @ SENSE.T
    close(posterior.degrees_of_freedom, np.trace(SENSE @ gain), 1e-8)
    draws = np.asarray(posterior.draw(key, 4000))
    close(np.cov(draws.T), exact, 0.12 * np.abs(exact).max())


def test_without_pairs_the_posterior_is_the_prior():
    prior = MatrixCovariance(np.eye(4))
    posterior = Posterior(prior, Ritz.none(3, 4))
    assert (posterior.variance() == 1).all() and posterior.degrees_of_freedom == 0
