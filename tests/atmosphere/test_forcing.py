"""Forcing between its samples, and its checks."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from floecast.atmosphere.forcing import Forcing, check_forcing
from floecast.core.errors import InputError
from floecast.core.grid import Grid

GRID = Grid.box((2, 3), 1e4)
TIME = np.array([0, 3600, 10800, 14400])
FIELD = np.random.default_rng(3).normal(size=(4, 2, 3))
FORCING = Forcing(TIME, wind_u=jnp.asarray(FIELD), air_temperature=jnp.asarray(260 + FIELD))


@given(st.integers(-5000, 20000), st.integers(-5000, 20000))
def test_linear_between_samples_and_nearest_outside(start, end):
    found = FORCING.between(start, end)
    for number, time in enumerate((start, end)):
        expected = [np.interp(time, TIME, FIELD[:, j, i]) for j in range(2) for i in range(3)]
        np.testing.assert_allclose(found.wind_u[number].ravel(), expected, rtol=0, atol=1e-14)
    assert found.wind_v is None
    assert (found.start, found.end) == (start, end)


def test_samples_are_kept_to_the_bit():
    found = FORCING.between(3600, 10800)
    np.testing.assert_array_equal(found.wind_u, FIELD[1:3])


def test_one_sample_holds_always():
    found = Forcing(TIME[:1], wind_u=FORCING.wind_u[:1]).between(-10, 99999)
    np.testing.assert_array_equal(found.wind_u, FIELD[[0, 0]])


def test_compiled_and_in_single_precision():
    single = replace(FORCING, wind_u=FORCING.wind_u.astype(jnp.float32))
    found = jax.jit(lambda start: single.between(start, start + 600))(jnp.asarray(5000))
    assert found.wind_u.dtype == jnp.float32 and found.air_temperature.dtype == jnp.float64
    np.testing.assert_allclose(found.wind_u, FORCING.between(5000, 5600).wind_u, rtol=1e-5)


def test_middle_and_fields():
    assert list(FORCING.fields()) == ["wind_u", "air_temperature"]
    np.testing.assert_allclose(FORCING.middle()["wind_u"], FIELD.mean(axis=0), rtol=1e-14)


def test_good_forcing_passes():
    check_forcing(FORCING, GRID, 0, 14400, ("wind_u", "air_temperature"))
    check_forcing(FORCING, GRID, 3600, 7200, ("wind_u",))


def bad_temperature(value):
    field = np.array(FORCING.air_temperature)
    field[2, 1, 0] = value
    return replace(FORCING, air_temperature=field)


@pytest.mark.parametrize(
    ("forcing", "arguments", "message"),
    [
        (FORCING, (0, 3600, ("wind_v",)), "lacks wind_v; it holds wind_u, air_temperature"),
        (FORCING, (-1, 3600, ("wind_u",)), "the run needs 1999-12-31T23:59:59Z"),
        (FORCING, (0, 14401, ("wind_u",)), "covers 2000-01-01T00:00:00Z to 2000-01-01T04:00:00Z"),
        (replace(FORCING, time=TIME[::-1]), (0, 3600, ("wind_u",)), "must ascend"),
        (replace(FORCING, wind_u=FIELD[:, :1]), (0, 3600, ("wind_u",)), "wind_u has shape"),
        (bad_temperature(np.nan), (0, 3600, ("air_temperature",)), "air_temperature is nan K"),
        (
            bad_temperature(-5.0),
            (0, 3600, ("air_temperature",)),
            r"-5 K at 2000-01-01T03:00:00Z, cell \(1, 0\), and bad at 1 places",
        ),
    ],
)
def test_bad_forcing_is_refused(forcing, arguments, message):
    with pytest.raises(InputError, match=message):
        check_forcing(forcing, GRID, *arguments)
