"""Mixing lengths against closed forms and sweeps written out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.atmosphere.levels import Levels
from floecast.atmosphere.mixing_length import limit_lengths, pair_lengths, shear_length
from floecast.atmosphere.turbulence import Closure


def test_shear_length_closed_forms():
    energy, shear_squared, stratification = 0.3, 4e-3, 6e-4
    deardorff = shear_length(energy, shear_squared, stratification, 0.0)
    assert deardorff == pytest.approx(np.sqrt(2 * energy / stratification), rel=1e-12)
    neutral = shear_length(energy, shear_squared, -1.0, 0.15)
    assert neutral == pytest.approx(np.sqrt(energy / shear_squared) / 0.15, rel=1e-6)
    root = np.sqrt(0.15**2 * shear_squared + 2 * stratification)
    both = 2 * np.sqrt(energy) / (0.15 * np.sqrt(shear_squared) + root)
    assert shear_length(energy, shear_squared, stratification, 0.15) == pytest.approx(
        both, rel=1e-8
    )


def test_shear_length_of_still_neutral_air_has_derivatives():
    slopes = jax.grad(shear_length, argnums=(0, 1, 2, 3))(1e-6, 0.0, 0.0, 0.1)
    assert np.isfinite(slopes).all()


def test_limits_are_the_sweeps(key):
    levels = Levels.stretched(20, 1000.0, 5.0)
    height = levels.interfaces[1:-1, None]
    wanted = 10.0 ** jax.random.uniform(key, (19, 50), minval=0, maxval=3)
    up, down = limit_lengths(wanted, height, levels.top, jnp.full(50, 0.3), 1.5)
    last_up, last_down = np.full(50, 1.5), np.full(50, 0.3)
    wanted = np.maximum(wanted, 1.5)
    thickness = levels.thickness
    for k in range(19):
        last_down = np.minimum(last_down + thickness[k], wanted[k])
        np.testing.assert_allclose(down[k], np.maximum(last_down, 1.5), rtol=1e-12)
        last_up = np.minimum(last_up + thickness[19 - k], wanted[18 - k])
        np.testing.assert_allclose(up[18 - k], last_up, rtol=1e-12)


def test_pairings():
    assert pair_lengths(4.0, 9.0, "mixing_mean") == (6.0, 4.0)
    assert pair_lengths(4.0, 9.0, "mixing_least") == (4.0, 6.0)


def test_published_least_and_surface_lengths():
    """Table of constants: Cuxart et al. (2000) and Cheng et al. (2002)."""
    for closure, least, energy, length in (
        (Closure(), 1.499, 4.628, 2.788),
        (Closure.cheng(), 0.794, 3.065, 1.813),
    ):
        assert closure.least_length == pytest.approx(least, abs=5e-4)
        assert closure.surface_energy(1.0) == pytest.approx(energy, abs=5e-4)
        assert closure.surface_length(1.0) == pytest.approx(length, abs=5e-4)
