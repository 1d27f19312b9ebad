"""Strain rate and stress divergence: adjoint of each other, exact where they can be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.core.grid import Grid
from floecast.simulator.strain import (
    Metric,
    Stress,
    across_x,
    across_y,
    inner,
    strain_rate,
    stress_divergence,
    walls,
)

metric_of = jax.jit(Metric.of)
strain_rate = jax.jit(strain_rate)
stress_divergence = jax.jit(stress_divergence)


def random_flow(metric, rng):
    return tuple(
        walls(jnp.where(open_face, rng.normal(size=open_face.shape), 0.0))
        for open_face in (metric.open_u, metric.open_v)
    )


def random_stress(grid, rng):
    ny, nx = grid.shape
    return Stress(*rng.normal(size=(2, ny, nx)), rng.normal(size=(ny + 1, nx + 1)))


def power_of_force(flow, force, metric):
    (u, v), (force_u, force_v) = flow, force
    work_u = inner(u) * force_u * inner(metric.dx_u) ** 2
    work_v = inner(v) * force_v * inner(metric.dx_v) ** 2
    scale = np.sum(np.abs(work_u)) + np.sum(np.abs(work_v))
    return np.sum(work_u) + np.sum(work_v), scale


def power_of_stress(flow, stress, metric):
    divergence, tension, shear = strain_rate(*flow, metric)
    cells = 0.5 * metric.dx_t**2 * (stress.total * divergence + stress.difference * tension)
    corner_area = np.where(metric.slip > 0, metric.dx_f**2 / np.maximum(metric.slip, 1.0), 0.0)
    return np.sum(cells) + np.sum(corner_area * stress.shear * shear)


def flux_form(stress, metric):
    """Divergence of the stress as the brittle solvers of bbm4si3 and NANUQ write it."""
    s11 = 0.5 * (stress.total + stress.difference)
    s22 = 0.5 * (stress.total - stress.difference)
    dx_u, dx_v = inner(metric.dx_u), inner(metric.dx_v)
    shear = metric.dx_f**2 * stress.shear
    along_u = across_x(metric.dx_t**2 * s11) + across_y(shear[:, 1:-1])
    along_v = across_y(metric.dx_t**2 * s22) + across_x(shear[1:-1])
    return along_u / dx_u**3, along_v / dx_v**3


@pytest.mark.parametrize("ocean", ["arctic", "box"])
def test_force_and_strain_are_adjoint(arctic100, ocean):
    rng = np.random.default_rng(3)
    grid = arctic100
    if ocean == "box":
        grid = Grid.box((9, 7), 10e3, ocean=rng.uniform(size=(9, 7)) > 0.2)
    metric = metric_of(grid)
    flow, stress = random_flow(metric, rng), random_stress(grid, rng)
    power, scale = power_of_force(flow, stress_divergence(stress, metric), metric)
    assert abs(power + power_of_stress(flow, stress, metric)) < 1e-13 * scale


def test_flux_form_of_the_force_is_not_adjoint_on_a_curved_grid(arctic100):
    rng = np.random.default_rng(3)
    metric = metric_of(arctic100)
    flow, stress = random_flow(metric, rng), random_stress(arctic100, rng)
    power, scale = power_of_force(flow, flux_form(stress, metric), metric)
    assert abs(power + power_of_stress(flow, stress, metric)) > 1e-6 * scale


def test_uniform_pressure_makes_no_force(arctic100):
    metric = metric_of(arctic100)
    ny, nx = arctic100.shape
    stress = Stress(-1e4 * np.ones((ny, nx)), np.zeros((ny, nx)), np.zeros((ny + 1, nx + 1)))
    for force in stress_divergence(stress, metric):
        np.testing.assert_array_equal(force, 0.0)
    assert np.max(np.abs(flux_form(stress, metric)[0])) > 1e-4


def turning_with_the_earth(grid, rate=1e-6):
    """Rigid rotation about the pole at the inner faces, of all cells whether sea or land."""
    x, y = np.meshgrid(grid.x, grid.y)
    u, v = -rate * y * grid.dx_u / grid.spacing, rate * x * grid.dx_v / grid.spacing
    return walls(u[:, :-1]), walls(v[:-1])


def test_rotation_about_the_pole_is_no_strain():
    error = {}
    for name in ("arctic100", "arctic50"):
        grid = Grid.preset(name)
        metric = metric_of(grid)
        divergence, tension, shear = strain_rate(*turning_with_the_earth(grid), metric)
        assert np.max(np.abs(inner(tension))) < 1e-18
        assert np.max(np.abs(inner(shear))) < 1e-18
        near = np.hypot(grid.x[None, :], grid.y[:, None]) < 2.9e6
        error[name] = np.sqrt(np.mean(np.asarray(divergence)[near] ** 2))
    assert error["arctic100"] < 1e-8
    assert np.log2(error["arctic100"] / error["arctic50"]) == pytest.approx(2.0, abs=0.02)


def test_linear_flow_in_a_box_has_its_own_gradients():
    grid = Grid.box((6, 8), 5e3)
    metric = metric_of(grid)
    x, y = np.meshgrid(grid.x, grid.y)
    u = (2e-6 * (x + 2.5e3) + 3e-6 * y)[:, :-1]
    v = (-5e-6 * x + 7e-6 * (y + 2.5e3))[:-1]
    divergence, tension, shear = strain_rate(walls(u), walls(v), metric)
    np.testing.assert_allclose(inner(divergence), 9e-6, rtol=1e-9)
    np.testing.assert_allclose(inner(tension), -5e-6, rtol=1e-9)
    np.testing.assert_allclose(inner(shear), -2e-6, rtol=1e-9)


def test_ice_does_not_slip_along_any_coast():
    ocean = np.ones((5, 6), bool)
    ocean[2, 3] = False
    grid = Grid.box((5, 6), 10e3, ocean=ocean)
    metric = metric_of(grid)
    u = jnp.where(metric.open_u, 0.1, 0.0)
    still = jnp.zeros(metric.open_v.shape)
    shear = np.asarray(strain_rate(walls(u), walls(still), metric)[2])
    np.testing.assert_allclose(shear[0, 1:-1], 2e-5)  # south wall
    np.testing.assert_allclose(shear[-1, 1:-1], -2e-5)  # north wall
    np.testing.assert_allclose(shear[2, 3:5], -2e-5)  # south side of the island
    np.testing.assert_allclose(shear[3, 3:5], 2e-5)  # north side of the island
    np.testing.assert_array_equal(shear[:, 0], 0.0)
    np.testing.assert_array_equal(shear[[1, 2, 3, 4], 1], 0.0)
