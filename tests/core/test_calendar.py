"""Seconds since 2000-01-01 and back."""

from datetime import UTC, datetime

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from floecast.core import calendar
from floecast.core.errors import InputError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2000-01-01", 0),
        ("2000-01-01T00:00:01", 1),
        ("1999-12-31T12:00", -43200),
        ("2000-03-01", 60 * calendar.DAY),  # 2000 was a leap year
        ("2001-01-01", 366 * calendar.DAY),
        ("2015-01-01", 473385600),
        ("2016-02-29T06:00", 473385600 + (365 + 59) * calendar.DAY + 6 * calendar.HOUR),
    ],
)
def test_known_times(text, seconds):
    assert calendar.to_seconds(text) == seconds
    assert isinstance(calendar.to_seconds(text), int)
    assert calendar.to_datetime64(seconds) == np.datetime64(text, "ns")


@given(st.integers(-(2**31), 2**31 - 1))
def test_round_trip(seconds):
    stamp = calendar.to_datetime64(seconds)
    assert stamp.dtype == np.dtype("datetime64[ns]")
    assert calendar.to_seconds(stamp) == seconds
    assert calendar.to_seconds(calendar.iso(seconds)[:-1]) == seconds


def test_kinds_of_times():
    moment = datetime(2015, 1, 1, 12)
    assert calendar.to_seconds(moment) == calendar.to_seconds("2015-01-01T12:00")
    array = np.array(["2015-01-01", "2015-01-02"], "datetime64[D]")
    seconds = calendar.to_seconds(array)
    assert seconds.dtype == np.int64 and np.diff(seconds) == calendar.DAY
    np.testing.assert_array_equal(calendar.to_datetime64(seconds), array)
    assert calendar.iso(473385600) == "2015-01-01T00:00:00Z"


@pytest.mark.parametrize(
    "time",
    ["yesterday", "2015-13-01", np.datetime64("NaT"), datetime(2015, 1, 1, tzinfo=UTC)],
)
def test_what_is_no_time(time):
    with pytest.raises(InputError):
        calendar.to_seconds(time)


@pytest.mark.parametrize("year", ["1677", "2262", "99999999999"])
def test_times_that_nanoseconds_do_not_hold_are_refused(year):
    with pytest.raises(InputError, match=f"{year}-06-01T00:00:00 is outside of the years"):
        calendar.to_seconds(f"{year}-06-01")
    with pytest.raises(InputError, match="outside of the years"):
        calendar.to_seconds(np.array(["2015-01-01", f"{year}-06-01"], "datetime64[D]"))


def test_year_fraction_follows_the_calendar():
    days = np.arange("1979-01-01", "2068-01-01", dtype="datetime64[D]")
    start, after = days.astype("datetime64[Y]"), days.astype("datetime64[Y]") + 1
    in_year = (days - start) / (after.astype("datetime64[D]") - start.astype("datetime64[D]"))
    fraction = calendar.year_fraction(calendar.to_seconds(days))
    assert np.all((fraction >= 0) & (fraction < 1))
    away = np.abs((fraction - in_year + 0.5) % 1 - 0.5)
    assert away.max() * 365.2425 < 1.5
    traced = jax.jit(calendar.year_fraction)(jnp.asarray(calendar.to_seconds("2015-07-02T12:00")))
    assert float(traced) == pytest.approx(0.5, abs=0.003)
