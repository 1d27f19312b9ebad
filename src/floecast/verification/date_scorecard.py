"""From the sums of many start dates to scores with intervals, differences and diagrams."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from floecast.core.calendar import DAY
from floecast.core.errors import InputError
from floecast.verification.bootstrap import (
    Interval,
    circular_blocks,
    effective_sample_size,
    lag_one_correlation,
    percentile_interval,
)
from floecast.verification.dates import DateSums, Key, Series
from floecast.verification.regions import season_of
from floecast.verification.reliability import (
    classes_of_sums,
    rank_unevenness,
    reliability_of_sums,
)
from floecast.verification.scorecard import Row, Scorecard
from floecast.verification.weighting import Array, ratio

BLOCK_DAYS = 15.0
"""Length of the blocks of consecutive start dates that the bootstrap keeps together [days]."""

_AT_ONCE = 64  # scores that are resampled together

_NOT_COMPARED = ("bias", "spread_skill", "turning", "capture_", "overestimate", "underestimate")
_NOT_COMPARED += ("signed_displacement", "ellipse_area_", "useful_scale_")


class Comparison(NamedTuple):
    """Two systems on the same start dates; the row is called ``system minus reference``."""

    system: str
    reference: str

    @property
    def name(self) -> str:
        """Name of the system in the rows."""
        return f"{self.system} minus {self.reference}"


def is_compared(score: str) -> bool:
    """Whether the difference of a score between two systems tells which is better."""
    return not any(part in score for part in _NOT_COMPARED)


def block_length(starts: Sequence[int], block_days: float = BLOCK_DAYS) -> int:
    """Number of consecutive start dates in a block.

    Parameters
    ----------
    starts : start dates [s since 2000-01-01].
    block_days : length of a block [days]; at least the time over which the scores are correlated,
        10 to 20 days for daily starts of forecasts of 10 days.

    Returns
    -------
    int
        1 or more.

    Raises
    ------
    InputError
        The length is not positive.
    """
    if not block_days > 0:
        raise InputError(f"block_days: {block_days}; expected a positive number of days")
    if len(starts) < 2:
        return 1
    spacing = np.median(np.diff(np.sort(starts))) / DAY
    return max(1, int(np.ceil(block_days / spacing)))


class _Draws:
    """Bootstrap samples of dates: the same for all scores that have the same number of dates."""

    def __init__(self, block: int, draws: int, level: float, seed: int):
        self.block, self.draws, self.level, self.seed = block, draws, level, seed
        self._counts: dict[int, Array | None] = {}

    def counts(self, dates: int) -> Array | None:
        """How often each date is drawn, (draw, date); None with fewer than two blocks."""
        if dates not in self._counts:
            self._counts[dates] = None
            if dates >= 2 * self.block:
                rng = np.random.default_rng([self.seed, dates])
                drawn = circular_blocks(dates, self.block, draws=self.draws, rng=rng)
                counts = np.zeros((self.draws, dates))
                np.add.at(counts, (np.arange(self.draws)[:, None], drawn), 1.0)
                self._counts[dates] = counts
        return self._counts[dates]

    def intervals(self, entries: Sequence["_Entry"]) -> Iterator[Interval]:
        """Of the score of each entry; all are on the same dates and drawn together."""
        counts = self.counts(len(entries[0].sums[0]))
        every = np.concatenate([part for entry in entries for part in entry.sums], axis=1)
        drawn, total = None if counts is None else (counts @ every).T, every.sum(axis=0)
        first = 0
        for entry in entries:
            ends = first + np.cumsum([0, *(part.shape[1] for part in entry.sums)])
            first = ends[-1]
            value = entry.score([total[a:b, None] for a, b in itertools.pairwise(ends)])[0]
            if drawn is None:
                yield Interval(float(value), np.nan, np.nan)
            else:
                draws = entry.score([drawn[a:b] for a, b in itertools.pairwise(ends)])
                yield percentile_interval(value, draws, self.level)


class _Entry(NamedTuple):
    """One row to come: its names, and the (date, part) sums of one system or of two."""

    system: str
    key: Key
    series: tuple[Series, ...]
    sums: list[Array]

    def score(self, sums: Sequence[Array]) -> Array:
        """The score of sums (part, ...), or the difference of the scores of both systems."""
        values = [one.statistic(part) for one, part in zip(self.series, sums, strict=True)]
        return values[0] - values[1] if len(values) > 1 else values[0]


def _in_order(kept: DateSums) -> NDArray[np.intp]:
    """Place of each date in the order of time."""
    return np.argsort(np.argsort(kept.starts))


def _on_dates(series: Series, order: NDArray, chosen: NDArray[np.bool_]) -> tuple[NDArray, Array]:
    """Places in time of the chosen dates that have the score, ascending, and their sums."""
    dates = np.array(series.dates, dtype=int)
    place = order[dates]
    rank = np.argsort(place)
    rank = rank[chosen[dates[rank]]]
    return place[rank], series.sums[rank]


def _seasons(starts: Sequence[int]) -> dict[str, NDArray[np.bool_]]:
    """Dates by what is added to the name of a region: nothing for all, then each season."""
    found = {"": np.ones(len(starts), bool)}
    names = season_of(starts)
    if len(set(names)) > 1:
        found |= {f", {name}": names == name for name in sorted(set(names))}
    return found


def _pairs(
    kept: DateSums, comparisons: Iterable[Comparison]
) -> Iterator[tuple[str, Key, tuple[Series, ...]]]:
    """Every score of every system, then of every comparison, with the name for the row."""
    for key, series in kept.series.items():
        yield key.system, key, (series,)
    for comparison in comparisons:
        for key, series in kept.series.items():
            other = kept.series.get(key._replace(system=comparison.reference))
            if key.system == comparison.system and other is not None and is_compared(key.score):
                yield comparison.name, key, (series, other)


def _common(
    series: Sequence[Series], order: NDArray, chosen: NDArray[np.bool_]
) -> tuple[NDArray, list[Array]]:
    """Places of the dates that all series have, and their sums on them."""
    found = [_on_dates(one, order, chosen) for one in series]
    places = found[0][0]
    for other, _ in found[1:]:
        places = np.intersect1d(places, other, assume_unique=True)
    return places, [sums[np.isin(place, places)] for place, sums in found]


def date_scorecard(
    kept: DateSums,
    *,
    comparisons: Iterable[Comparison] = (),
    block_days: float = BLOCK_DAYS,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Scorecard:
    """Scores over all start dates and over those of each season, with intervals.

    Parameters
    ----------
    kept : sums of the dates, by `verify_dates`.
    comparisons : pairs of systems of which differences are told.
    block_days : consecutive start dates kept together by the bootstrap [days].
    draws : number of bootstrap samples.
    level : probability of the intervals.
    seed : of the bootstrap.

    Returns
    -------
    Scorecard
        `n` is the number of start dates. With dates of several seasons, each region comes also as
        ``region, season`` by the start date. A difference is that of two systems on the dates both
        have, drawn together, such as of two RMSE; below zero the first has the smaller score.

    Raises
    ------
    InputError
        The length of the blocks or the level is out of range.

    Notes
    -----
    A circular block bootstrap over start dates: squares, areas and ensembles are summed first and
    made a score in every draw. With fewer dates than two blocks there is no interval. With fewer
    than about 20 effective dates (`effective_dates`) intervals are still too narrow. Dates of a
    season in different years count as consecutive.
    """
    order = _in_order(kept)
    sample = _Draws(block_length(kept.starts, block_days), draws, level, seed)
    seasons = _seasons(kept.starts)
    comparisons = list(comparisons)
    rows = []
    for ending, chosen in seasons.items():
        for dates, entries in _batches(kept, comparisons, order, chosen):
            for entry, interval in zip(entries, sample.intervals(entries), strict=True):
                key = entry.key
                place = (key.variable, key.score, key.region + ending, key.lead_hours)
                rows.append(Row(entry.system, *place, *interval, dates))
    return Scorecard(rows)


def _batches(
    kept: DateSums, comparisons: Iterable[Comparison], order: NDArray, chosen: NDArray[np.bool_]
) -> Iterator[tuple[int, list[_Entry]]]:
    """Entries that are on the same dates, some at a time, with the number of these dates."""
    waiting: dict[bytes, list[_Entry]] = {}
    for system, key, series in _pairs(kept, comparisons):
        places, sums = _common(series, order, chosen)
        if places.size:
            batch = waiting.setdefault(places.tobytes(), [])
            batch.append(_Entry(system, key, series, sums))
            if len(batch) == _AT_ONCE:
                yield places.size, waiting.pop(places.tobytes())
    for batch in waiting.values():
        yield len(batch[0].sums[0]), batch


def effective_dates(kept: DateSums, key: Key, reference: str) -> float:
    """Number of independent start dates that the difference of two systems rests on.

    Parameters
    ----------
    kept : sums of the dates, by `verify_dates`.
    key : score and system.
    reference : system it is compared with.

    Returns
    -------
    float
        ``n (1 - r) / (1 + r)`` with r the correlation of the differences of consecutive dates; NaN
        if they do not vary.

    Raises
    ------
    InputError
        One of the systems has no such score.
    """
    other = key._replace(system=reference)
    for one in (key, other):
        if one not in kept.series:
            raise InputError(f"effective_dates: no score {tuple(one)}")
    pair = kept.series[key], kept.series[other]
    _, sums = _common(pair, _in_order(kept), np.ones(len(kept.starts), bool))
    values = [one.statistic(part.T) for one, part in zip(pair, sums, strict=True)]
    difference = values[0] - values[1]
    difference = difference[np.isfinite(difference)]
    if not difference.size:
        return np.nan
    return float(effective_sample_size(difference.size, lag_one_correlation(difference)))


def diagrams(kept: DateSums) -> list[dict[str, Any]]:
    """The diagrams over all start dates, ready for JSON.

    Parameters
    ----------
    kept : sums of the dates, by `verify_dates`.

    Returns
    -------
    list of dict
        Each with ``system``, ``variable``, ``kind``, ``region``, ``lead_hours``, ``members`` and:
        of kind ``ranks`` the ``counts`` of the ranks, the ``tied_fraction`` of the cells that are
        left out and the ``unevenness`` (`rank_unevenness`); of kind ``reliability_15`` and others
        the fields of `ReliabilityDiagram` for that threshold in percent; of kind ``spread`` those
        of `SpreadClasses`. Numbers that are not defined are None.
    """
    found = []
    for key, sums in sorted(kept.diagrams.items()):
        if key.kind == "ranks":
            counts, (tied, total) = sums[:-2], sums[-2:]
            drawn: Mapping[str, Any] = {
                "counts": counts.astype(int),
                "tied_fraction": ratio(tied, total),
                "unevenness": rank_unevenness(counts),
            }
        elif key.kind == "spread":
            drawn = classes_of_sums(sums)._asdict()
        else:
            drawn = reliability_of_sums(sums)._asdict()
        found.append(key._asdict() | {name: _plain(values) for name, values in drawn.items()})
    return found


def _plain(values):
    """Numbers as JSON has them."""
    if np.ndim(values):
        return [_plain(value) for value in values]
    number = float(values)
    if not np.isfinite(number):
        return None
    return int(number) if isinstance(values, int | np.integer) else number
