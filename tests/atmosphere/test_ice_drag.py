"""Published transfer coefficients over ice against printed tables and each other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.atmosphere import air, ice_drag
from floecast.bench import bulk

# AeroBulk, 10 m over 258.15 K at 6 m/s: concentration, warmer air [K], 1e3 C_d, 1e3 C_h.
PRINTED_2015 = [
    [1.0, -15.0, 2.1309, 1.9906],
    [1.0, -1.0, 1.8146, 1.5843],
    [1.0, 1.0, 1.5780, 1.2900],
    [1.0, 8.0, 0.9621, 0.6730],
    [0.8, -5.0, 2.3253, 2.1496],
    [0.8, 3.0, 1.5492, 1.2010],
    [0.5, -15.0, 3.0586, 2.9549],
    [0.5, 8.0, 1.3240, 0.9411],
]


def weather(warmer):
    surface = 258.15
    return (
        6.0,
        surface + warmer,
        0.9 * air.saturation_over_ice(surface + warmer, 101000.0),
        surface,
        air.saturation_over_ice(surface, 101000.0),
    )


def test_luepkes_gryanik_printed_values():
    for concentration, warmer, drag, transfer in PRINTED_2015:
        number = air.bulk_richardson(10.0, *weather(warmer))
        found = ice_drag.luepkes_gryanik_2015(number, concentration)
        np.testing.assert_allclose(1e3 * found.momentum, drag, atol=6e-5)
        np.testing.assert_allclose(1e3 * found.heat, transfer, atol=6e-5)


def test_neutral_values():
    for concentration, drag in ((0.5, 2.398404e-3), (0.8, 2.033666e-3), (1.0, 1.742857e-3)):
        found = ice_drag.luepkes_gryanik_2015(0.0, concentration)
        np.testing.assert_allclose(found.momentum, drag, atol=6e-10)
    np.testing.assert_allclose(ice_drag.skin_heat_transfer(10.0), 1.492204e-3, atol=6e-10)
    concentration = jnp.linspace(0, 1, 1001)
    form = concentration * ice_drag.form_drag_per_ice(concentration)
    np.testing.assert_allclose(jnp.max(form), 6.779e-4, atol=6e-8)
    assert abs(concentration[jnp.argmax(form)] - 0.417) <= 1e-3


def test_reference_table(data_folder):
    # Where the printed digits allow no more.
    for name, figure in bulk.run(data_folder).items():
        assert figure < 1e-10, name


def test_form_drag_table(data_folder):
    path = data_folder / "bulk_reference" / "aerobulk_formdrag_reference.csv"
    concentration, _, simple, _, light, _ = np.genfromtxt(path, delimiter=",", skip_header=1).T
    found = ice_drag.luepkes_2012(concentration).momentum - ice_drag.skin_drag(10.0)
    np.testing.assert_allclose(found, simple, rtol=1e-9, atol=1e-15)
    found = concentration * ice_drag.form_drag_per_ice(concentration)
    np.testing.assert_allclose(found, light, rtol=1e-9)


def test_louis_table(data_folder):
    path = data_folder / "bulk_reference" / "aerobulk_louis_reference.csv"
    number, *expected = np.loadtxt(path, delimiter=",", skiprows=1).T
    found = ice_drag.louis(number, 1.4e-3, 10.0, 6.9e-4)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_andreas_depends_on_the_height_of_temperature_only_through_the_profile():
    # Neutral air: both heights see the surface, so temperature changes no coefficient.
    same = ice_drag.andreas_2005(8.0, 250.0, 1e-4, 250.0, 1e-4)
    lower = ice_drag.andreas_2005(8.0, 250.0, 1e-4, 250.0, 1e-4, scalar_height=2.0)
    np.testing.assert_allclose(same.momentum, lower.momentum, rtol=1e-3)


def test_edges_of_heat():
    drag = jnp.array([1e-4, 6.779e-4])
    expected = 1.0 / (1.0 + np.log(5.0) / 0.4 * np.sqrt(drag))
    np.testing.assert_allclose(ice_drag.form_heat_transfer(drag), expected, rtol=1e-5)
    assert ice_drag.form_heat_transfer(0.0) == 1.0


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_slopes_are_finite(dtype):
    concentration = jnp.asarray([0.0, 0.05, 0.5, 0.95, 1.0], dtype)
    for function in (
        ice_drag.form_drag_per_ice,
        lambda a: ice_drag.luepkes_2012(a).momentum,
        lambda a: ice_drag.luepkes_gryanik_2015(jnp.asarray(-0.1, dtype), a).heat,
        lambda a: ice_drag.luepkes_gryanik_2015(jnp.asarray(0.1, dtype), a).heat,
        lambda a: ice_drag.form_heat_transfer(a * ice_drag.form_drag_per_ice(a)),
    ):
        value, slope = jax.vmap(jax.value_and_grad(function))(concentration)
        assert value.dtype == slope.dtype == dtype
        assert np.all(np.isfinite(value)) and np.all(np.isfinite(slope))
    for number in (-1.0, -1e-8, 0.0, 1e-8, 1.0):
        slopes = jax.grad(lambda n: sum(ice_drag.louis(n, 1.4e-3, 10.0, 6.9e-4)))(
            jnp.asarray(number, dtype)
        )
        assert np.isfinite(slopes)
