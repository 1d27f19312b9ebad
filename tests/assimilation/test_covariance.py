"""Square roots of covariances: exact transposes, and products that are what they should be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.assimilation.covariance import (
    EnsembleCovariance,
    HybridCovariance,
    MatrixCovariance,
    SumCovariance,
)
from floecast.assimilation.diffusion import DiffusionCovariance
from floecast.assimilation.localisation import GaspariCohn, gaspari_cohn
from floecast.assimilation.modulation import EigenRoot
from floecast.core.errors import InputError
from floecast.core.grid import Grid

SIZE, MEMBERS = 12, 5
RNG = np.random.default_rng(8)
PLACES = np.arange(float(SIZE))[:, None]
TAPER = np.asarray(gaspari_cohn(np.abs(PLACES - PLACES.T) / 3.0))
ENSEMBLE = {"a": RNG.normal(size=(MEMBERS, SIZE)), "b": RNG.normal(size=(MEMBERS, SIZE))}
LOCAL = EigenRoot.of_taper(GaspariCohn(PLACES, 3.0), kept=1.0)
STATIC = MatrixCovariance.of(np.exp(-np.abs(PLACES - PLACES.T) / 2.0))

# An island between two basins, of which one is a single cell wide.
OCEAN = np.ones((9, 11), bool)
OCEAN[:, 7] = False
OCEAN[2:5, 2:4] = False
GRID = Grid.box((9, 11), 10e3, ocean=OCEAN)


def close(actual, expected, tolerance):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)


def dense(covariance):
    """U as a matrix."""
    flat, unflatten = covariance.flat(covariance.zero())
    return np.asarray(
        jax.jit(
            jax.vmap(
                lambda row: jnp.concatenate(
                    [leaf.ravel() for leaf in jax.tree.leaves(covariance.root(unflatten(row)))]
                ),
                out_axes=1,
            )
        )(jnp.eye(flat.size))
    )


def check_transpose(covariance, key):
    """Dot product, and symmetry and positive diagonal by random increments."""
    one, other, control = (jax.random.fold_in(key, i) for i in range(3))
    one, other = covariance.draw(one), covariance.draw(other)
    control = jax.tree.map(lambda z: jax.random.normal(control, z.shape), covariance.zero())

    def dot(a, b):
        return sum(
            np.vdot(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
        )

    left = dot(covariance.root(control), one)
    assert abs(left - dot(control, covariance.transpose(one))) < 1e-12 * (1 + abs(left))
    left = dot(covariance.apply(one), other)
    assert abs(left - dot(one, covariance.apply(other))) < 1e-12 * (1 + abs(left))
    assert dot(one, covariance.apply(one)) > 0
    zero = jax.tree.map(jnp.zeros_like, one)
    assert all((leaf == 0).all() for leaf in jax.tree.leaves(covariance.apply(zero)))


def test_localised_ensemble_is_the_schur_product(key):
    covariance = EnsembleCovariance(ENSEMBLE, LOCAL)
    root = dense(covariance)
    sample = np.cov(np.concatenate([ENSEMBLE["a"], ENSEMBLE["b"]], axis=1).T)
    close(root @ root.T, sample * np.tile(TAPER, (2, 2)), 1e-12)
    close(np.diag(sample)[:SIZE], covariance.variance()["a"], 1e-12)
    check_transpose(covariance, key)


def test_blocks_have_no_covariance_between_them():
    covariance = EnsembleCovariance(ENSEMBLE, LOCAL, {"a": 0, "b": 1}, inflation=1.5)
    root = dense(covariance)
    sample = 1.5 * np.cov(np.concatenate([ENSEMBLE["a"], ENSEMBLE["b"]], axis=1).T)
    close(root @ root.T, sample * np.kron(np.eye(2), TAPER), 1e-12)


def test_blocks_with_a_localisation_each(key):
    near = EigenRoot.of_taper(GaspariCohn(PLACES, 1.0), kept=1.0)
    covariance = EnsembleCovariance(ENSEMBLE, {0: LOCAL, 1: near}, {"a": 0, "b": 1})
    root = dense(covariance)
    tapers = [np.asarray(one.vectors @ one.vectors.T) for one in (LOCAL, near)]
    sample = np.cov(np.concatenate([ENSEMBLE["a"], ENSEMBLE["b"]], axis=1).T)
    none = np.zeros_like(tapers[0])
    close(root @ root.T, sample * np.block([[tapers[0], none], [none, tapers[1]]]), 1e-12)
    close(np.diag(sample), np.concatenate([*covariance.variance().values()]), 1e-12)
    check_transpose(covariance, key)
    recipe = HybridCovariance(
        localisation={0: GaspariCohn(PLACES, 3.0), 1: near}, blocks={"a": 0, "b": 1}
    )
    assert isinstance(recipe.around(ENSEMBLE).taper(0), EigenRoot)
    with pytest.raises(InputError, match=r"the blocks \[0\]; the blocks are \[0, 1\]"):
        EnsembleCovariance(ENSEMBLE, {0: LOCAL}, {"a": 0, "b": 1})


def test_without_localisation_the_sample_covariance_of_good_members():
    bad = {name: np.append(field, field[:1] * np.nan, 0) for name, field in ENSEMBLE.items()}
    root = dense(EnsembleCovariance(bad))
    assert root.shape[1] == MEMBERS + 1
    sample = np.cov(np.concatenate([ENSEMBLE["a"], ENSEMBLE["b"]], axis=1).T)
    close(root @ root.T, sample, 1e-12)


def test_hybrid_is_the_weighted_sum(key):
    ensemble = ENSEMBLE["a"]
    recipe = HybridCovariance(STATIC, localisation=GaspariCohn(PLACES, 3.0), weight=0.7)
    covariance = recipe.around(ensemble)
    root = dense(covariance)
    # Of the taper 99 % of the trace are kept.
    expected = 0.3 * STATIC.matrix @ STATIC.matrix.T + 0.7 * np.cov(ensemble.T) * TAPER
    close(root @ root.T, expected, 0.1)
    close(covariance.variance(), np.diag(expected), 1e-12)
    check_transpose(covariance, key)
    own = HybridCovariance(STATIC, ensemble, GaspariCohn(PLACES, 3.0), weight=0.7)
    close(dense(own), root, 0)
    alone = HybridCovariance(localisation=LOCAL).around(ensemble)
    assert isinstance(alone, EnsembleCovariance)
    with pytest.raises(InputError, match="needs an ensemble"):
        recipe.zero()


def test_randomisation(key):
    covariance = SumCovariance((STATIC, EnsembleCovariance(ENSEMBLE["a"], LOCAL)), (0.5, 0.5))
    draws = np.asarray(jax.vmap(covariance.draw)(jax.random.split(key, 4000)))
    root = dense(covariance)
    close(np.cov(draws.T), root @ root.T, 6 * np.sqrt(2 / 4000) * np.max(root @ root.T))


def test_diffusion_has_unit_variance_and_stops_at_coasts(key):
    std = {"thickness": 0.5, "drift": 0.0, "snow": np.linspace(0.1, 0.2, 99).reshape(9, 11)}
    covariance = DiffusionCovariance(GRID, std, 20e3)
    root = dense(covariance)
    matrix = root @ root.T
    variance = np.concatenate(
        [np.ravel(covariance.variance()[name]) for name in ("drift", "snow", "thickness")]
    )
    close(np.diag(matrix), variance, 1e-7)
    assert variance[:99].sum() == 0
    assert (variance[198:].reshape(9, 11) == np.where(OCEAN, 0.25, 0)).all()
    thickness = matrix[198:, 198:].reshape(9, 11, 9, 11)
    assert (thickness[4, 6, :, 8:] == 0).all() and (thickness[:, :, ~OCEAN] == 0).all()
    assert thickness.min() >= 0
    close(matrix[99:198, 198:], 0, 0)
    check_transpose(covariance, key)


def test_diffusion_is_nearly_gaussian_in_open_sea():
    grid = Grid.box((1, 61), 10e3)
    covariance = DiffusionCovariance(grid, jnp.asarray(1.0), 50e3)
    root = dense(covariance)
    correlation = (root @ root.T)[30]
    close(correlation, np.exp(-(((np.arange(61) - 30) / 5.0) ** 2) / 2), 0.01)


def test_balance_ties_variables_and_keeps_their_variance():
    grid = Grid.box((3, 4), 10e3)
    covariance = DiffusionCovariance(grid, [2.0, 0.5], 15e3, balance=[[1.0, 0.0], [0.75, 1.0]])
    root = dense(covariance)
    matrix = root @ root.T
    close(np.diag(matrix), np.repeat([4.0, 0.25], 12), 1e-7)
    close(np.diag(matrix[:12, 12:]), 2.0 * 0.5 * 0.6, 1e-7)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DiffusionCovariance(GRID, {"a": 1.0}, 0.0), "length must be positive"),
        (lambda: DiffusionCovariance(GRID, {"a": 0.0}, 1e4), "no variable has errors"),
        (lambda: DiffusionCovariance(GRID, {"a": -1.0}, 1e4), "negative"),
        (lambda: DiffusionCovariance(GRID, {"a": 1.0}, 1e4, [[0.0]]), "row of the balance"),
        (lambda: DiffusionCovariance(GRID, {"a": 1.0}, 1e4, np.eye(2)), "shape"),
        (lambda: MatrixCovariance.of(-np.eye(2)), "eigenvalue"),
        (lambda: MatrixCovariance(np.ones(3)), "matrix"),
        (lambda: HybridCovariance(weight=1.2), "weight"),
        (lambda: EnsembleCovariance(np.ones((3, 4)), LOCAL), "columns"),
        (lambda: EnsembleCovariance(ENSEMBLE, LOCAL, {"a": 1}), "block numbers"),
    ],
)
def test_refuses(make, message):
    with pytest.raises(InputError, match=message):
        make()
