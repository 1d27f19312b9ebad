"""Scaling, distribution and localisation of deformation against fields of known statistics."""

import numpy as np
import pytest

from floecast.core.errors import InputError
from floecast.verification.deformation import SECONDS_PER_DAY, coarse_grain
from floecast.verification.deformation_statistics import (
    localisation,
    moments,
    pdf,
    pdf_edges,
    percentile,
    structure_function,
    tail_exponent,
)

DAY = SECONDS_PER_DAY
SPACING = 1e3


def slip_field(velocity):
    """A square lattice whose ice moves along y with a speed that depends on x alone [m/day].

    The shear of a quadrangle is then the difference of speed over its side, exactly.
    """
    places = np.arange(velocity.size) * SPACING
    start = np.stack(np.meshgrid(places, places), axis=-1)
    end = start.copy()
    end[..., 1] += velocity
    return start, end


def scaling(velocity, steps):
    start, end = slip_field(velocity)
    samples = coarse_grain(start, end, DAY, spacing=SPACING, steps=steps)
    for sample in samples:
        np.testing.assert_allclose(sample.deformation.divergence, 0.0, atol=1e-9)
    values = moments([sample.deformation.total for sample in samples])
    return structure_function([sample.scale for sample in samples], values)


def cascade(weights, levels):
    """Velocity whose increments are a multiplicative cascade: each part in turn is divided so."""
    increments = np.ones(1)
    for _ in range(levels):
        increments = (increments[:, None] * np.asarray(weights)).reshape(-1)
    return np.concatenate([[0.0], np.cumsum(increments)]) * SPACING


def test_uniform_shear_does_not_scale():
    found = scaling(np.linspace(0, 64 * SPACING, 65), (1, 2, 4, 8, 16))
    np.testing.assert_allclose(found.beta, 0.0, atol=1e-12)
    assert (found.curvature, found.slope) == pytest.approx((0, 0), abs=1e-12)


def test_single_line_of_slip():
    # A share side / width of the quadrangles crosses it, each with the rate slip / side.
    velocity = np.where(np.arange(65) > 20, SPACING, 0.0)
    found = scaling(velocity, (1, 2, 4, 8, 16))
    np.testing.assert_allclose(found.beta, [0, 1, 2], atol=1e-12)
    assert found.curvature == pytest.approx(5 / 19)
    assert found.slope == pytest.approx(-2 / 19)


@pytest.mark.parametrize("larger", [0.5, 0.6, 0.7, 0.85])
def test_binomial_cascade(larger):
    found = scaling(cascade([larger, 1 - larger], 8), (1, 2, 4, 8, 16, 32, 64, 128))
    expected = [q - 1 + np.log2(larger**q + (1 - larger) ** q) for q in (1, 2, 3)]
    np.testing.assert_allclose(found.beta, expected, atol=1e-9)
    assert (found.curvature > 1e-3) == (larger > 0.5)


def test_mean_decays_with_scale_only_where_signs_cancel():
    weights = np.array([2, -1, 2]) / 3
    found = scaling(cascade(weights, 5), (1, 3, 9, 27, 81))
    expected = [q - 1 + np.log((np.abs(weights) ** q).sum()) / np.log(3) for q in (1, 2, 3)]
    np.testing.assert_allclose(found.beta, expected, atol=1e-9)
    assert found.beta[0] == pytest.approx(np.log(5 / 3) / np.log(3))
    positive = scaling(cascade(np.abs(weights) / np.abs(weights).sum(), 5), (1, 3, 9, 27, 81))
    assert positive.beta[0] == pytest.approx(0, abs=1e-9)


def test_quadratic_exponents_are_recovered():
    orders, scales = np.array([0.5, 1, 1.5, 2, 3]), 10e3 * 2.0 ** np.arange(7)
    beta = 0.15 * orders**2 + 0.05 * orders
    found = structure_function(scales, 3e-2 * (scales[:, None] / 10e3) ** -beta, orders)
    np.testing.assert_allclose(found.beta, beta)
    assert (found.curvature, found.slope) == pytest.approx((0.15, 0.05))


def test_moments_and_scales_without_quads():
    values = moments([[1.0, -3.0], [], [0.0, 2.0]])
    np.testing.assert_allclose(values[0], [2, 5, 14])
    assert np.isnan(values[1]).all()
    found = structure_function([10.0, 20.0, 40.0], values)
    np.testing.assert_allclose(found.beta, np.log(values[0] / values[2]) / np.log(4))
    with pytest.raises(InputError, match="at least two"):
        structure_function([10.0, 20.0], values[:2])
    with pytest.raises(InputError, match="at least two"):
        structure_function([10.0, 20.0], np.zeros((2, 3)))


def test_bins_of_the_protocol():
    edges = pdf_edges(10e3)
    widths = np.diff(edges)
    assert edges[0] == 1e-3 and edges[-2] < 0.5 <= edges[-1]
    np.testing.assert_allclose(widths, 5e-4 * np.exp(0.4 * np.arange(widths.size)))
    factors = [np.diff(pdf_edges(scale * 1e3))[0] / 5e-4 for scale in (20, 40, 80, 160, 320, 640)]
    np.testing.assert_allclose(factors, [1, 1.5, 2, 4, 6, 8])


def test_density_of_a_power_law():
    rng = np.random.default_rng(3)
    edges = pdf_edges(10e3)
    rates = 1e-3 * (1 - rng.random(400_000)) ** (-1 / 2)  # density ~ rate^-3
    found = pdf(np.concatenate([rates, -rates, [np.nan, 1e-9]]), edges)
    assert found.values == 2 * np.count_nonzero((rates >= edges[0]) & (rates <= edges[-1]))
    assert (found.density * np.diff(edges)).sum() == pytest.approx(1)
    inside = (edges[:-1] ** -2 - edges[1:] ** -2) / (edges[0] ** -2 - edges[-1] ** -2)
    expected = inside / np.diff(edges)
    well_filled = inside > 1e-3
    np.testing.assert_allclose(found.density[well_filled], expected[well_filled], rtol=0.1)
    assert found.centres[0] == pytest.approx(1.25e-3)
    assert np.isnan(pdf([], edges).density).all()


@pytest.mark.parametrize("exponent", [-3.0, -2.0, -4.5])
def test_tail_exponent_of_a_power_law(exponent):
    rng = np.random.default_rng(4)
    decay = -exponent - 1
    rates = 0.01 * (1 - rng.random(50_000)) ** (-1 / decay)
    error = 4 * decay / np.sqrt(rates.size)
    assert tail_exponent(rates, 0.01) == pytest.approx(exponent, abs=error)
    # Without knowing of the cut the estimate is too steep.
    cut = rates[rates < 0.03]
    assert tail_exponent(cut, 0.01, 0.03) == pytest.approx(exponent, abs=3 * error)
    assert tail_exponent(cut, 0.01) < exponent - 3 * error


def test_tail_exponent_of_flat_and_rising_densities():
    uniform = np.linspace(1, 2, 100_001)
    assert tail_exponent(uniform, 1, 2) == pytest.approx(0, abs=1e-3)
    log_uniform = np.exp(np.linspace(0, 3, 100_001))
    assert tail_exponent(log_uniform, 1, np.exp(3)) == pytest.approx(-1, abs=1e-6)
    assert tail_exponent(np.sqrt(np.linspace(1, 4, 100_001)), 1, 2) == pytest.approx(1, abs=1e-3)
    assert np.isnan(tail_exponent([0.1, 0.1], 0.01)) and np.isnan(tail_exponent([], 0.01))


def test_percentile():
    rates = np.append(np.linspace(0, 1, 1001), np.nan)
    assert percentile(rates) == pytest.approx(0.9)
    assert percentile(rates, 95) == pytest.approx(0.95)
    assert np.isnan(percentile(rates[:999]))
    assert percentile(rates[:11], least=10) == pytest.approx(0.009)


def test_localisation():
    assert localisation(np.full(1000, 0.3)) == pytest.approx(0.1)
    line = np.zeros((20, 20))
    line[:, 7] = -0.5
    assert localisation(line) == pytest.approx(1)
    assert localisation(line, 0.025) == pytest.approx(0.5)
    assert np.isnan(localisation(np.zeros(5))) and np.isnan(localisation([]))
    # Rates of an exponential law: the largest tenth holds 0.1 (1 + ln 10).
    exponential = -np.log((np.arange(100_000) + 0.5) / 100_000)
    assert localisation(exponential) == pytest.approx(0.1 * (1 + np.log(10)), rel=1e-4)
