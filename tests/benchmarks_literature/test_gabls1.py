"""GABLS1: the default closure within the spread of large eddies, the calibrated one close."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.atmosphere.gabls1 import TOP, calibrate, gabls1_layer, run_gabls1
from floecast.atmosphere.levels import Levels
from floecast.atmosphere.turbulence import Closure

run = eqx.filter_jit(run_gabls1)


@pytest.fixture(scope="module")
def default():
    """The case with the default closure."""
    return run(gabls1_layer())


def check_spread(found):
    """Within what large eddies of different resolution and subgrid closure give."""
    speed, height = found.jet()
    assert 0.25 <= found.friction_velocity <= 0.28
    assert -0.013 <= found.heat_flux <= -0.010
    assert 9.3 <= speed <= 9.7 and 155 <= height <= 190
    assert 33 <= found.surface_angle <= 36


def test_within_the_spread_of_large_eddies(default):
    check_spread(default)


@pytest.mark.parametrize("levels", [Levels.uniform(128, TOP), Levels.stretched(64, TOP, 2.0)])
def test_finer_levels(levels):
    check_spread(run(gabls1_layer(levels=levels), 60.0))


def test_profiles_near_those_of_large_eddies(default, data_folder):
    path = data_folder / "gabls1" / "gabls1_jaxalfa_LES256_digitized_8-9h.csv"
    if not path.is_file():
        pytest.skip(f"no {path}")
    rows = [line for line in path.read_text().splitlines() if line[:1].isdigit()]
    profiles = np.loadtxt(rows, delimiter=",")[:, :4] - [0.0, 0.0, 0.0, 260.0]
    # The few heights kept in the package tell the same as all.
    np.testing.assert_allclose(default.errors(), default.errors(profiles), rtol=0, atol=0.02)
    calibrated = run(gabls1_layer(Closure.calibrated()))
    assert (calibrated.errors(profiles) <= jnp.array([0.15, 0.15, 0.1])).all()


@pytest.mark.parametrize(
    "closure, ustar, heat_flux, jet",
    [
        (Closure(transport=0.4, shear=0.0), 0.297, -0.0150, 9.59),
        (Closure(transport=0.4, shear=0.15), 0.263, -0.0110, 9.77),
        (Closure(transport=0.4, shear=0.15, pairing="mixing_least"), 0.254, -0.0105, 9.74),
        (Closure.cheng(pairing="mixing_least"), 0.284, -0.0108, 9.85),
    ],
)
def test_agrees_with_another_implementation(closure, ustar, heat_flux, jet):
    """Numbers of a separate code of the same equations, with g / 288 K for the buoyancy."""
    found = run(gabls1_layer(closure))
    assert found.friction_velocity == pytest.approx(ustar, abs=0.004)
    assert found.heat_flux == pytest.approx(heat_flux, abs=3e-4)
    assert found.jet()[0] == pytest.approx(jet, abs=0.03)


@pytest.mark.parametrize("dt", [60.0, 180.0, 600.0])
def test_time_step(default, dt):
    """Steps of 10 to 600 s: heat flux within 8 %, all within the spread of large eddies."""
    found = run(gabls1_layer(), dt)
    assert float(found.heat_flux) == pytest.approx(float(default.heat_flux), rel=0.08)
    check_spread(found)


def test_derivatives_through_nine_hours():
    """Reverse mode against differences, with steps of a minute."""

    @jax.jit
    @jax.value_and_grad
    def friction(constants):
        layer = gabls1_layer(replace(Closure(), shear=constants[0], heat=constants[1]), cells=32)
        return run_gabls1(layer, 60.0).friction_velocity

    point = jnp.array([0.1, 0.1667])
    _, reverse = friction(point)
    for k in range(2):
        change = jnp.zeros(2).at[k].set(1e-6)
        found = (friction(point + change)[0] - friction(point - change)[0]) / 2e-6
        assert float(reverse[k]) == pytest.approx(float(found), rel=1e-3)


def test_calibration_lessens_the_misfit():
    start = Closure(shear=0.15)
    closer = calibrate(start, rounds=2, dt=60.0)
    before, after = (run(gabls1_layer(closure), 60.0).errors() for closure in (start, closer))
    assert (after < 0.8 * before).all()
