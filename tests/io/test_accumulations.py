"""Sums and running means become rates: known courses of the sun come back."""

import numpy as np
import pytest

from floecast.core.calendar import HOUR
from floecast.io.accumulations import (
    Means,
    at_times,
    hourly_means,
    hourly_sums,
    running_means,
    sums_since_start,
)


def course(hours):
    """Integral over time of a flux of 100 + 20 sin(t) [J m-2], with t in hours."""
    return HOUR * (100.0 * hours + 20.0 * (1.0 - np.cos(hours)))


def cell(values):
    return np.asarray(values, float)[:, None, None]


def mean(begin, end):
    return (course(end) - course(begin)) / (end - begin) / HOUR


def test_sums_of_the_hour_before():
    hours = np.arange(3, 9)
    made = hourly_sums(cell(course(hours) - course(hours - 1)), hours * HOUR)
    np.testing.assert_allclose(made.rate[:, 0, 0], mean(hours - 1, hours), rtol=1e-12)
    np.testing.assert_array_equal(made.begin, (hours - 1) * HOUR)
    same = hourly_means(made.rate, hours * HOUR)
    assert all(np.array_equal(a, b) for a, b in zip(same, made, strict=True))


@pytest.mark.parametrize("hours", [[1, 2, 3], [3, 6, 12], [0, 1, 4]])
def test_sums_since_the_start(hours):
    hours = np.array(hours)
    made = sums_since_start(cell(course(hours)), hours * HOUR, start=0)
    ends = hours[hours > 0]
    begins = np.append(0, ends[:-1])
    np.testing.assert_allclose(made.rate[:, 0, 0], mean(begins, ends), rtol=1e-12)
    np.testing.assert_array_equal(made.end, ends * HOUR)


def test_sums_without_a_start_tell_only_differences():
    hours = np.array([5, 6, 7])
    made = sums_since_start(cell(course(hours)), hours * HOUR)
    np.testing.assert_allclose(made.rate[:, 0, 0], mean(hours[:-1], hours[1:]), rtol=1e-12)
    assert len(sums_since_start(cell([1.0]), np.array([HOUR])).rate) == 0


def test_falling_sums_are_refused():
    with pytest.raises(ValueError, match="falls with time") as caught:
        sums_since_start(cell([0.0, 5e5, 1e5]), HOUR * np.arange(3), start=0)
    assert caught.value.args[1] == 2 * HOUR


@pytest.mark.parametrize("step", [1, 3, 6])
def test_running_means_of_gfs(step):
    hours = np.arange(step, 25, step)
    since = (hours - 1) // 6 * 6
    made = running_means(cell(mean(since, hours)), hours * HOUR)
    np.testing.assert_allclose(made.rate[:, 0, 0], mean(hours - step, hours), rtol=1e-12)
    np.testing.assert_array_equal(made.begin, (hours - step) * HOUR)


def test_a_series_that_starts_between_the_marks():
    hours = np.array([4, 5, 6])
    made = running_means(cell(mean(0, hours)), hours * HOUR)
    np.testing.assert_array_equal(made.begin, [0, 4 * HOUR, 5 * HOUR])
    np.testing.assert_allclose(made.rate[:, 0, 0], mean(made.begin / HOUR, hours), rtol=1e-12)


def test_hourly_means_are_no_running_means():
    hours = np.arange(1, 7)
    with pytest.raises(ValueError, match="no mean since the last 6 h"):
        running_means(cell([0, 300, 400, 0, 0, 0]), hours * HOUR)


def test_times_between_the_centres():
    begin = HOUR * np.arange(6)
    rate = cell(10.0 + begin + HOUR / 2)  # a flux that grows evenly
    time = HOUR * np.arange(7)
    parts = [Means(rate[3:], begin[3:], begin[3:] + HOUR), Means(rate[:3], begin[:3], begin[1:4])]
    made = at_times(parts, time)[:, 0, 0]
    np.testing.assert_allclose(made[1:-1], 10.0 + time[1:-1], rtol=1e-12)
    assert made[0] == rate[0] and made[-1] == rate[-1]
    one = at_times([Means(rate[:1], begin[:1], begin[1:2])], time)
    np.testing.assert_array_equal(one[:, 0, 0], np.full(7, rate[0, 0, 0]))
