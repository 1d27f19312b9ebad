"""The E grid: strain rate and stress divergence, each other's adjoint on the Arctic with coasts."""

import jax.numpy as jnp
import numpy as np
import pytest

from floecast.core.grid import Grid
from floecast.simulator.egrid import EGrid


def dense(egrid, vector):
    """Values of a vector in the frame."""
    return np.asarray(egrid.frame.corners(vector))


def draw(egrid, rng, mask):
    return jnp.where(mask, jnp.asarray(rng.normal(size=mask.shape)), 0.0)


def fields(egrid, seed):
    """Random velocities (u and v at U, then at V) and stresses (at T, then at F) on wet points."""
    rng = np.random.default_rng(seed)
    velocity = [draw(egrid, rng, egrid.mask_u) for _ in range(2)]
    velocity += [draw(egrid, rng, egrid.mask_v) for _ in range(2)]
    stress_t = tuple(draw(egrid, rng, egrid.mask_t) for _ in range(3))
    stress_f = tuple(draw(egrid, rng, egrid.mask_f) for _ in range(3))
    return velocity, stress_t, stress_f


def work_of_stress(egrid, velocity, force):
    """Power of the force over the domain, from velocity over e and force times 2 spacing e^3.

    Sum of u F A with A = (e spacing)^2: the factors e cancel.
    """
    return sum(
        0.5 * egrid.spacing * np.sum(dense(egrid, u) * dense(egrid, f))
        for u, f in zip(velocity, force, strict=True)
    )


def work_of_strain(egrid, velocity, stress_t, stress_f):
    """Stress times strain rate over the domain; coastal shear counts for half of its cell."""
    margin, total = egrid.frame.stride, 0.0
    factor = np.maximum(dense(egrid, egrid.shear_factor), 1.0)
    for stress, strain, share in (
        (stress_t, egrid.strain_rate_t(*velocity, margin), 1.0),
        (stress_f, egrid.strain_rate_f(*velocity, margin), factor),
    ):
        divergence, tension, shear = (dense(egrid, rate) for rate in strain)
        sum_, difference, mixed = (dense(egrid, s) for s in stress)
        total += 0.5 * np.sum(sum_ * divergence + difference * tension)
        total += np.sum(mixed * shear / share)
    return egrid.spacing * total


@pytest.mark.parametrize("seed", range(3))
def test_stress_divergence_is_minus_the_adjoint_of_strain_rate(arctic100, seed):
    egrid = EGrid.of(arctic100, jnp.float64)
    velocity, stress_t, stress_f = fields(egrid, seed)
    force = egrid.stress_divergence(stress_t, stress_f, egrid.frame.stride)
    given = work_of_stress(egrid, velocity, force)
    taken = work_of_strain(egrid, velocity, stress_t, stress_f)
    assert abs(given + taken) < 1e-12 * abs(taken)


def test_the_form_without_metric_terms_is_no_adjoint(arctic100):
    """That in use elsewhere: d(e2^2 s11) / e2 + d(e1^2 s12) / e1, over e1 e2."""
    egrid = EGrid.of(arctic100, jnp.float64)
    velocity, stress_t, stress_f = fields(egrid, 0)
    here, east, west, north, south = egrid.frame.around(egrid.frame.stride)
    s11_t, s22_t = (stress_t[0] + stress_t[1]) / 2, (stress_t[0] - stress_t[1]) / 2
    s11_f, s22_f = (stress_f[0] + stress_f[1]) / 2, (stress_f[0] - stress_f[1]) / 2
    # With stress times e^2 the published form has plain differences.
    force = (
        2 * (east(s11_t) - here(s11_t) + here(stress_f[2]) - south(stress_f[2])),
        2 * (here(s22_f) - south(s22_f) + east(stress_t[2]) - here(stress_t[2])),
        2 * (here(s11_f) - west(s11_f) + north(stress_t[2]) - here(stress_t[2])),
        2 * (north(s22_t) - here(s22_t) + here(stress_f[2]) - west(stress_f[2])),
    )
    given = work_of_stress(egrid, velocity, force)
    taken = work_of_strain(egrid, velocity, stress_t, stress_f)
    assert abs(given + taken) > 1e-6 * abs(taken)


def test_uniform_pressure_pushes_nothing_in_the_interior(arctic100):
    egrid = EGrid.of(arctic100, jnp.float64)
    zero = jnp.zeros_like(egrid.inverse_t)
    # Stress is kept times e^2, so that a uniform pressure is -1 / inverse.
    force = egrid.stress_divergence(
        (-1 / egrid.inverse_t, zero, zero), (-1 / egrid.inverse_f, zero, zero), egrid.frame.stride
    )
    for component in force:
        assert np.max(np.abs(dense(egrid, component))) < 1e-12


def test_a_turning_floe_does_not_deform():
    grid = Grid.box((9, 11), 10e3)
    egrid = EGrid.of(grid, jnp.float64)
    frame = egrid.frame
    column, row = np.meshgrid(np.arange(grid.shape[1]), np.arange(grid.shape[0]))
    at_u = (-(row + 0.0), column + 0.5)
    at_v = (-(row + 0.5), column + 0.0)
    velocity = [frame.flatten(jnp.asarray(c, float)) for c in (*at_u, *at_v)]
    for strain in (egrid.strain_rate_t, egrid.strain_rate_f):
        for rate in strain(*velocity, frame.stride):
            inner = dense(egrid, rate)[3:-2, 3:-2]
            assert inner.size and np.max(np.abs(inner)) < 1e-12


def test_means_keep_a_constant_next_to_coasts(arctic100):
    egrid = EGrid.of(arctic100, jnp.float64)
    one_t = egrid.mask_t.astype(float)
    one_f = egrid.mask_f.astype(float)
    margin = egrid.frame.stride
    assert np.allclose(dense(egrid, egrid.to_f(one_t, margin)), dense(egrid, one_f))
    assert np.allclose(dense(egrid, egrid.to_t(one_f, margin)), dense(egrid, one_t))


def test_fields_go_to_vectors_and_back():
    grid = Grid.box((4, 6), 1.0)
    frame = EGrid.of(grid, jnp.float64).frame
    cells, corners = np.random.default_rng(0).normal(size=(2, 5, 7))
    assert np.array_equal(frame.corners(frame.flatten(jnp.asarray(corners))), corners)
    assert np.array_equal(frame.cells(frame.flatten(jnp.asarray(cells[1:, 1:]))), cells[1:, 1:])
