"""Similarity functions against printed values and their definitions; the stability that fits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.atmosphere.similarity import (
    Grachev,
    Gryanik,
    HoltslagDeBruin,
    LinearSimilarity,
    solve_stability,
    stretches,
)

EVERY = (Gryanik(), Grachev(), LinearSimilarity(), HoltslagDeBruin())
each = pytest.mark.parametrize("similarity", EVERY, ids=lambda s: type(s).__name__)
# Independent integration of phi, at zeta 0.1, 1, 10, 100.
INTEGRATED = {
    Gryanik: (
        [-0.495081702, -4.569644153, -29.370052598, -107.069032620],
        [-0.480453736, -4.121784899, -19.715614427, -45.491257818],
    ),
    Grachev: (
        [-0.489462817, -4.181718613, -21.824473649, -68.818223207],
        [-0.456987715, -2.947572429, -10.254028731, -20.972577475],
    ),
}
# At 10 m over 0.69 and 0.138 mm: Richardson number, zeta, 1e3 C_d, 1e3 C_h.
SOLVED = {
    Gryanik: [
        [0.01, 0.088104, 1.594234, 1.402048],
        [0.05, 0.556046, 1.071507, 0.975154],
        [0.10, 1.620204, 0.577937, 0.562769],
        [0.20, 9.633603, 0.109564, 0.138102],
        [0.30, 37.145591, 0.028831, 0.047921],
        [1.00, 1071.452533, 0.001753, 0.006219],
    ],
    Grachev: [
        [0.01, 0.086374, 1.598291, 1.379762],
        [0.05, 0.555326, 1.097402, 1.009407],
        [0.10, 1.660820, 0.630264, 0.656972],
        [0.20, 8.038767, 0.193767, 0.271031],
        [0.30, 23.423651, 0.081280, 0.143038],
        [1.00, 510.809693, 0.007791, 0.027771],
    ],
}


def richardson_of(zeta, height, roughness, heat_roughness, similarity):
    momentum, heat = stretches(zeta, roughness / height, heat_roughness / height, similarity)
    return zeta * heat / momentum**2


def draw(count, seed, dtype=float):
    """Heights, roughness lengths and Richardson numbers beyond what nature has."""
    rng = np.random.default_rng(seed)
    height = 10 ** rng.uniform(0, 1.5, count)
    rough = np.minimum(10 ** rng.uniform(-5, -0.7, count), height / 10)
    rough_heat = rough * 10 ** rng.uniform(-2, 0, count)
    richardson = rng.choice([-1.0, 1.0], count) * 10 ** rng.uniform(-6, np.log10(0.25), count)
    return [x.astype(dtype) for x in (richardson, height, rough, rough_heat)]


@pytest.mark.parametrize("kind", INTEGRATED, ids=lambda k: k.__name__)
def test_integrated_values(kind):
    zeta = jnp.array([0.1, 1.0, 10.0, 100.0])
    momentum, heat = INTEGRATED[kind]
    np.testing.assert_allclose(kind().psi_m(zeta), momentum, rtol=1e-10, atol=6e-10)
    np.testing.assert_allclose(kind().psi_h(zeta), heat, rtol=1e-10, atol=6e-10)


@each
def test_psi_is_the_integral_of_phi(similarity):
    nodes, weights = np.polynomial.legendre.leggauss(40)
    for end in (-30.0, -2.0, -0.05, 0.05, 0.7, 6.0, 90.0):
        # zeta = end t^4, so that d zeta / zeta = 4 dt / t
        t = 0.5 * (nodes + 1.0)
        for phi, psi in (("phi_m", "psi_m"), ("phi_h", "psi_h")):
            gradient = getattr(similarity, phi)
            rise = gradient(0.0) - gradient(jnp.asarray(end * t**4))
            integral = np.sum(0.5 * weights * 4.0 * rise / t)
            np.testing.assert_allclose(getattr(similarity, psi)(end), integral, rtol=1e-9)


@each
def test_functions_join_at_neutral(similarity):
    for name, value in (("phi_m", 1.0), ("phi_h", similarity.prandtl), ("psi_m", 0), ("psi_h", 0)):
        beside = getattr(similarity, name)(jnp.array([-1e-9, 0.0, 1e-9]))
        np.testing.assert_allclose(beside, value, rtol=0, atol=1e-7)


@pytest.mark.parametrize("kind", SOLVED, ids=lambda k: k.__name__)
def test_solved_values(kind):
    number, zeta, drag, transfer = np.array(SOLVED[kind]).T
    found = solve_stability(number, 10.0, 6.9e-4, 1.38e-4, kind())
    np.testing.assert_allclose(found, zeta, rtol=0, atol=6e-7)
    momentum, heat = stretches(found, 6.9e-5, 1.38e-5, kind())
    np.testing.assert_allclose(160.0 / momentum**2, drag, rtol=0, atol=6e-7)
    np.testing.assert_allclose(160.0 / (momentum * heat), transfer, rtol=0, atol=6e-7)


@each
def test_solution_is_a_root(similarity):
    number, *lengths = draw(4000, 1)
    zeta = solve_stability(number, *lengths, similarity)
    np.testing.assert_allclose(richardson_of(zeta, *lengths, similarity), number, rtol=1e-12)


@pytest.mark.parametrize("similarity", [Gryanik(), Grachev()], ids=lambda s: type(s).__name__)
def test_strongly_stable_solution_is_a_root(similarity):
    _, *lengths = draw(4000, 2)
    number = 10 ** np.random.default_rng(3).uniform(-0.6, 0.3, 4000)
    zeta = solve_stability(number, *lengths, similarity)
    np.testing.assert_allclose(richardson_of(zeta, *lengths, similarity), number, rtol=1e-12)


@each
def test_single_precision(similarity):
    arguments = draw(4000, 4, np.float32)
    single = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), similarity)
    found = solve_stability(*arguments, single)
    assert found.dtype == jnp.float32
    exact = [x.astype(float) for x in arguments]
    expected = solve_stability(*exact, similarity)
    # The equation in float32 is true to round-off; its root where it is well conditioned.
    residual = richardson_of(np.asarray(found, float), *exact[1:], similarity) / exact[0] - 1.0
    assert np.max(np.abs(residual)) < 5e-6
    assert np.quantile(np.abs(found / expected - 1.0), 0.99) < 5e-6


@each
def test_derivatives_by_every_argument(similarity):
    point = *(jnp.asarray(x) for x in (0.0, 8.0, 1e-3, 2e-4)), similarity
    leaves, tree = jax.tree.flatten(point)
    base = jnp.stack(leaves)

    def zeta(values):
        return solve_stability(*jax.tree.unflatten(tree, list(values)))

    points = np.tile(base, (6, 1))
    points[:, 0] = -3.0, -0.05, -1e-7, 1e-7, 0.04, 0.15
    # A step of a ten thousandth of each argument, to fourth order.
    steps = 1e-4 * np.eye(len(base)) * points[:, None, :]
    values, middle = jax.jit(jax.vmap(jax.vmap(zeta))), points[:, None]
    near, far = (values(middle + k * steps) - values(middle - k * steps) for k in (1, 2))
    expected = (8 * near - far) / (12 * np.sum(steps, axis=-1))
    reverse = jax.jit(jax.vmap(jax.grad(zeta)))(points)
    forward = jax.jit(jax.vmap(jax.jacfwd(zeta)))(points)
    np.testing.assert_allclose(reverse, expected, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(forward, reverse, rtol=1e-12, atol=1e-14)


def test_second_derivative():
    def slope(number):
        return jax.grad(solve_stability)(number, 10.0, 1e-3, 2e-4, Gryanik())

    slope, step = jax.jit(slope), 1e-5
    for number in (-0.4, 0.06, 0.5):
        expected = (slope(number + step) - slope(number - step)) / (2 * step)
        np.testing.assert_allclose(jax.grad(slope)(number), expected, rtol=1e-7)


@each
def test_neutral_derivative_is_between_those_of_the_sides(similarity):
    slope = jax.jit(jax.vmap(jax.grad(solve_stability), (0, None, None, None, None)))
    found = slope(jnp.array([-1e-9, 0.0, 1e-9]), 10.0, 1e-3, 2e-4, similarity)
    np.testing.assert_allclose(found, found[1], rtol=1e-6)
    assert solve_stability(0.0, 10.0, 1e-3, 2e-4, similarity) == 0.0


@each
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_nothing_is_infinite(similarity, dtype):
    rng = np.random.default_rng(5)
    similarity = jax.tree.map(lambda leaf: leaf.astype(dtype), similarity)
    size = 10 ** rng.uniform(-30, 8, 3000)
    number = jnp.asarray(np.concatenate([size, -size, np.zeros(3000)]), dtype)
    height, rough, rough_heat = (
        jnp.asarray(10 ** rng.uniform(low, 2, 9000), dtype) for low in (-1, -8, -14)
    )

    def transfer(*arguments):
        found = solve_stability(*arguments, similarity)
        return jnp.exp(-jnp.abs(found)) + found

    both = jax.jit(jax.vmap(jax.value_and_grad(transfer, (0, 1, 2, 3))))
    value, slopes = both(number, height, rough, rough_heat)
    assert np.all(np.isfinite(value)) and all(np.all(np.isfinite(s)) for s in slopes)


@each
def test_more_stable_numbers_give_larger_zeta(similarity):
    number = jnp.concatenate([-jnp.geomspace(1e4, 1e-6, 300), jnp.geomspace(1e-6, 1e4, 300)])
    zeta = solve_stability(number, 10.0, 1e-3, 2e-4, similarity)
    assert np.all(np.diff(zeta) >= -1e-9 * np.abs(zeta[1:]))
    assert np.all(np.isfinite(zeta))
