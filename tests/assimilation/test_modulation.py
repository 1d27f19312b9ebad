"""Roots of a localisation: the localised covariance is the Schur product, with exact adjoint."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.assimilation.localisation import GaspariCohn, gaspari_cohn
from floecast.assimilation.modulation import EigenRoot, SeparableRoot
from floecast.core.errors import InputError
from floecast.core.grid import Grid

RNG = np.random.default_rng(2)
GRID = Grid.box((4, 5), 50e3, ocean=np.arange(20).reshape(4, 5) != 7)
ROUND = GaspariCohn.on_grid(GRID, 90e3)
ROOTS = {
    "eigen": EigenRoot.of_taper(ROUND, kept=1.0),
    "separable": SeparableRoot.on_grid(GRID, 90e3, kept=1.0),
}
each = pytest.mark.parametrize("root", ROOTS.values(), ids=ROOTS)


def taper(name):
    x, y = (np.ravel(axis) for axis in np.meshgrid(GRID.x, GRID.y))
    dx, dy = (axis[:, None] - axis for axis in (x, y))
    if name == "eigen":
        whole = gaspari_cohn(np.hypot(dx, dy) / 90e3)
    else:
        whole = gaspari_cohn(dx / 90e3) * gaspari_cohn(dy / 90e3)
    sea = GRID.mask_t.ravel()
    return np.where(sea[:, None] & sea, whole, 0.0)


@pytest.mark.parametrize("name", ROOTS)
def test_square_is_the_taper(name):
    modes = ROOTS[name].modes().reshape(ROOTS[name].rank, -1)
    np.testing.assert_allclose(modes.T @ modes, taper(name), atol=1e-12)


@each
def test_modulated_ensemble_is_the_schur_product(root):
    ensemble = {"a": RNG.normal(size=(3, 4, 5)), "b": RNG.normal(size=(3, 4, 5, 2))}
    modulated = root.modulate(ensemble)
    assert modulated["b"].shape == (3 * root.rank, 4, 5, 2)
    modes = root.modes().reshape(root.rank, -1)
    a, b = ensemble["a"].reshape(3, -1), ensemble["b"][..., 1].reshape(3, -1)
    found = jnp.einsum(
        "ki,kj->ij", modulated["a"].reshape(-1, 20), modulated["b"][..., 1].reshape(-1, 20)
    )
    np.testing.assert_allclose(found, (a.T @ b) * (modes.T @ modes), atol=1e-12)


@each
def test_combination_and_its_adjoint(root):
    ensemble = {"a": RNG.normal(size=(3, 4, 5)), "b": RNG.normal(size=(3, 4, 5, 2))}
    weights = RNG.normal(size=(3, root.rank))
    whole = root.combine(ensemble, weights)
    expected = jax.tree.map(
        lambda leaf: jnp.tensordot(weights.ravel(), leaf, 1), root.modulate(ensemble)
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-12), whole, expected)
    forces = jax.tree.map(lambda leaf: RNG.normal(size=leaf.shape), whole)
    (back,) = jax.vjp(lambda w: root.combine(ensemble, w), jnp.asarray(weights))[1](forces)
    forward = sum(jnp.vdot(whole[name], forces[name]) for name in whole)
    np.testing.assert_allclose(jnp.vdot(back, weights), forward, rtol=1e-12)


def test_cut_root_keeps_the_variance():
    places = np.arange(40.0)[:, None]
    root = EigenRoot.of_taper(GaspariCohn(places, 8.0, period=40.0), kept=0.95)
    modes = np.asarray(root.modes())
    assert root.rank < 15
    np.testing.assert_allclose((modes**2).sum(axis=0), 1.0, atol=1e-12)
    distance = np.abs(places - places.T)
    wanted = gaspari_cohn(np.minimum(distance, 40 - distance) / 8.0)
    assert np.abs(modes.T @ modes - wanted).max() < 0.1


def test_refusals():
    with pytest.raises(InputError, match="keep"):
        EigenRoot.of_taper(ROUND, kept=0.0)
    with pytest.raises(InputError, match="half-width"):
        EigenRoot.of_taper(GaspariCohn(np.zeros((1, 2)), [1.0, 2.0]))
    with pytest.raises(InputError, match="positive"):
        SeparableRoot.on_grid(GRID, -1.0)
