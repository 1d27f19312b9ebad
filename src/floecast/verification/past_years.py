"""Climatology and memory of anomalies from the fields of other years.

What is forecast never enters its own climatology: of a date, only the same days of other years
count, so that no field of the same season is used.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from floecast.core.calendar import DAY, iso, to_datetime64, to_seconds
from floecast.core.errors import InputError
from floecast.verification.weighting import Array, ratio

_FIELDS_KEPT = 400
_DAYS_KEPT = 96
_SAMPLES = range(-30, 31, 5)  # days around the start on which the damping is fitted


def years_later(time: int, years: int) -> int:
    """The same day of another year.

    Parameters
    ----------
    time : [s since 2000-01-01].
    years : number of years, negative for earlier ones.

    Returns
    -------
    int
        [s since 2000-01-01]; 29 February becomes the 28th where there is none.
    """
    stamp = to_datetime64(time).astype("datetime64[s]")
    month = stamp.astype("datetime64[M]")
    into = stamp - month
    shifted = month + np.timedelta64(12 * years, "M")
    following = shifted + np.timedelta64(1, "M")
    last = following.astype("datetime64[D]") - shifted.astype("datetime64[D]")
    day = np.minimum(into.astype("timedelta64[D]"), last - np.timedelta64(1, "D"))
    within = into - into.astype("timedelta64[D]")
    return to_seconds(shifted.astype("datetime64[s]") + day + within)


class PastYears:
    """Fields of many years, read when they are needed.

    Parameters
    ----------
    times : (n,) times of the fields, ascending [s since 2000-01-01].
    read : gives the (y, x) field of an index into `times`, NaN where not observed.
    window_days : days before and after a date that count for its climatology.

    Raises
    ------
    InputError
        The times do not ascend.
    """

    def __init__(
        self, times: ArrayLike, read: Callable[[int], ArrayLike], *, window_days: float = 5
    ):
        self.times = np.asarray(times, np.int64)
        if self.times.ndim != 1 or self.times.size == 0 or np.any(np.diff(self.times) <= 0):
            raise InputError("times of the past years: expected one or more, each after the other")
        self.window = int(window_days * DAY)
        self._field = lru_cache(_FIELDS_KEPT)(lambda i: np.asarray(read(i), np.float32))
        self._by_year = lru_cache(_DAYS_KEPT)(self._sums_by_year)

    def _years(self, time: int) -> range:
        """Numbers of years by which `time` may be moved to come near the fields."""
        year = 365.2425 * DAY
        first = int(np.floor((self.times[0] - time - self.window) / year)) - 1
        last = int(np.ceil((self.times[-1] - time + self.window) / year)) + 1
        return range(first, last + 1)

    def _near(self, time: int) -> NDArray[np.intp]:
        """Indices of the fields within the window about a time."""
        window = np.searchsorted(self.times, [time - self.window, time + self.window + 1])
        return np.arange(*window)

    def _sums_by_year(self, time: int) -> dict[int, tuple[Array, Array]]:
        """Sum and number of the fields about the same day, by the number of years between."""
        found = {}
        for years in self._years(time):
            near = self._near(years_later(time, years))
            if near.size:
                fields = np.stack([self._field(int(i)) for i in near]).astype(np.float64)
                known = np.isfinite(fields)
                found[years] = np.where(known, fields, 0).sum(axis=0), known.sum(axis=0)
        return found

    def field(self, index: int) -> NDArray[np.float32]:
        """The (y, x) field of an index into the times."""
        return self._field(index)

    def knows(self, time: int) -> bool:
        """Whether there is a field about the same day of another year than that of a time."""
        return any(years != 0 for years in self._by_year(int(time)))

    def normal(self, time: int, *, without: Sequence[int] = ()) -> Array:
        """Mean of the days about a date in other years.

        Parameters
        ----------
        time : [s since 2000-01-01].
        without : further years to leave out, as numbers of years after that of `time`.

        Returns
        -------
        (y, x) array
            NaN where never observed.

        Raises
        ------
        InputError
            There is no field of another year.
        """
        mean = self._mean(int(time), without)
        if mean is None:
            raise InputError(
                f"past years: no field within {self.window / DAY:g} days of {iso(time)[5:10]} in "
                f"another year than {iso(time)[:4]}; give fields of more years"
            )
        return mean

    def _mean(self, time: int, without: Sequence[int]) -> Array | None:
        sums = [
            one for years, one in self._by_year(time).items() if years != 0 and years not in without
        ]
        return ratio(sum(one[0] for one in sums), sum(one[1] for one in sums)) if sums else None

    def members(self, time: int) -> Array:
        """The nearest field to the same day in every other year: a climatological ensemble.

        Parameters
        ----------
        time : [s since 2000-01-01].

        Returns
        -------
        (year, y, x) array
            Single days, as sharp as what they are compared with.

        Raises
        ------
        InputError
            There is no field of another year.
        """
        fields = []
        for years in self._years(time):
            target = years_later(time, years)
            near = self._near(target)
            if years != 0 and near.size:
                nearest = near[np.argmin(np.abs(self.times[near] - target))]
                fields.append(self._field(int(nearest)))
        if not fields:
            self.normal(time)  # tells what is missing
        return np.stack(fields).astype(np.float64)

    def damping(self, start: int, lead_seconds: Sequence[int], *, weights: ArrayLike) -> Array:
        """How much of an anomaly is left after each lead, fitted on other years.

        Parameters
        ----------
        start : start date [s since 2000-01-01].
        lead_seconds : (lead,) lead times [s].
        weights : (y, x) cell area times mask [m2].

        Returns
        -------
        (lead,) array
            Factor for `damped_anomaly_persistence`, 0 to 1: the regression of the anomaly at the
            lead on that at the start, over all cells and over every fifth day within 30 days of
            the same date of other years.

        Raises
        ------
        InputError
            Nothing could be fitted for a lead. Two years other than that of `start` are needed, as
            that of a sample is left out of its normal.
        """
        weights = np.asarray(weights, np.float64)
        products = np.zeros((2, len(lead_seconds)))
        for offset in _SAMPLES:
            begin = int(start) + offset * DAY
            for years in self._years(begin):
                anomaly = self._anomaly(begin, years)
                if years == 0 or anomaly is None:
                    continue
                for lead, seconds in enumerate(lead_seconds):
                    later = self._anomaly(begin + int(seconds), years)
                    if later is None:
                        continue
                    known = (weights > 0) & np.isfinite(anomaly) & np.isfinite(later)
                    first = np.where(known, anomaly, 0.0)
                    then = np.where(known, later, 0.0)
                    products[0, lead] += np.sum(weights * first * then)
                    products[1, lead] += np.sum(weights * first**2)
        if not np.all(products[1] > 0):
            raise InputError(
                f"past years: no anomalies about {iso(start)[5:10]} to fit damping on; give fields "
                f"of at least two other years than {iso(start)[:4]}"
            )
        return np.clip(products[0] / products[1], 0.0, 1.0)

    def _anomaly(self, time: int, years: int) -> Array | None:
        """Departure on a day of another year from the years left; None without a field of both."""
        target = years_later(time, years)
        index = np.searchsorted(self.times, target)
        if index == self.times.size or self.times[index] != target:
            return None
        normal = self._mean(time, (years,))
        return None if normal is None else self._field(int(index)) - normal
