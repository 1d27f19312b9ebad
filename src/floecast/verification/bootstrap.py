"""Bootstrap intervals over start dates and over blocks of the domain, and effective sample size.

The unit in time is the start date: collapse cells and members of one date into one score, pair
the systems on identical dates, and take squared errors where the score is an RMSE.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from floecast.core.errors import InputError
from floecast.verification.weighting import Array, ratio


class Interval(NamedTuple):
    """A value with its percentile interval."""

    value: float
    low: float
    high: float


class BlockDraws(NamedTuple):
    """Resampled blocks of a domain.

    Attributes
    ----------
    block : (cell,) index of the block of every cell.
    counts : (draw, block) how often every block occurs in a draw.
    """

    block: NDArray[np.intp]
    counts: NDArray[np.int64]


def percentile_interval(value: float | Array, draws: Array, level: float) -> Interval:
    """Interval between percentiles of a score over bootstrap samples.

    Parameters
    ----------
    value : the score itself.
    draws : the score of every sample; those that are not finite are left out.
    level : probability of the interval.

    Returns
    -------
    Interval
        NaN bounds if no sample has a score.

    Raises
    ------
    InputError
        The level is no probability.
    """
    if not 0 < level < 1:
        raise InputError(f"level: {level}; expected a probability between 0 and 1, such as 0.95")
    defined = draws[np.isfinite(draws)]
    if defined.size == 0:
        return Interval(float(value), np.nan, np.nan)
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(value), float(low), float(high))


def circular_blocks(
    count: int, block_length: int, *, draws: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Indices of circular moving-block bootstrap samples of a series.

    Parameters
    ----------
    count : length of the series.
    block_length : consecutive elements kept together, 1 to `count`.
    draws : number of samples.
    rng : generator.

    Returns
    -------
    (draw, count) int
        Indices into the series; blocks that pass its end go on at its start.

    Raises
    ------
    InputError
        The block length does not fit the series.

    References
    ----------
    Politis, D. N. and J. P. Romano (1992): A circular block-resampling procedure for stationary
    data. In: Exploring the Limits of Bootstrap, Wiley, 263-270.
    """
    if not 1 <= block_length <= count:
        raise InputError(
            f"block_length: {block_length}; expected 1 to {count}, the number of dates"
        )
    starts = rng.integers(0, count, size=(draws, -(-count // block_length)))
    indices = (starts[..., None] + np.arange(block_length)) % count
    return indices.reshape(draws, -1)[:, :count]


def _series(name: str, scores: ArrayLike) -> Array:
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 1 or scores.size == 0 or not np.all(np.isfinite(scores)):
        raise InputError(
            f"{name}: expected a series with one finite score for each start date; "
            "leave out the dates without score"
        )
    return scores


def mean_interval(
    scores: ArrayLike,
    *,
    block_length: int,
    rng: np.random.Generator,
    draws: int = 2000,
    level: float = 0.95,
) -> Interval:
    """Mean of a series of scores, or of paired score differences, with its interval.

    Parameters
    ----------
    scores : (date,) one score for each start date; for two systems, the difference on equal dates.
    block_length : dates kept together, at least the decorrelation time of the scores.
    rng : generator.
    draws : number of bootstrap samples.
    level : probability of the interval.

    Returns
    -------
    Interval
        Mean and percentile interval, in the unit of the scores.

    Raises
    ------
    InputError
        The series is empty or not finite, or the block length does not fit it.

    Notes
    -----
    With fewer than about 20 effective dates (`effective_sample_size`) the interval is too narrow.
    """
    scores = _series("scores", scores)
    indices = circular_blocks(scores.size, block_length, draws=draws, rng=rng)
    return percentile_interval(scores.mean(), scores[indices].mean(axis=1), level)


def ratio_interval(
    numerator: ArrayLike,
    denominator: ArrayLike,
    *,
    block_length: int,
    rng: np.random.Generator,
    draws: int = 2000,
    level: float = 0.95,
) -> Interval:
    """Ratio of two mean scores with its interval, the ratio taken anew in every draw.

    Parameters
    ----------
    numerator, denominator : (date,) scores of two systems on the same start dates.
    block_length : dates kept together, at least the decorrelation time of the scores.
    rng : generator.
    draws : number of bootstrap samples.
    level : probability of the interval.

    Returns
    -------
    Interval
        Ratio of the means and percentile interval [1]. For the ratio of two RMSE, give squared
        errors and take the root of all three numbers.

    Raises
    ------
    InputError
        A series is empty or not finite, they differ in length, or the block length does not fit.
    """
    numerator, denominator = _series("numerator", numerator), _series("denominator", denominator)
    if numerator.size != denominator.size:
        raise InputError(
            f"numerator, denominator: {numerator.size} and {denominator.size} dates; "
            "expected the same start dates"
        )
    indices = circular_blocks(numerator.size, block_length, draws=draws, rng=rng)
    drawn = ratio(numerator[indices].mean(axis=1), denominator[indices].mean(axis=1))
    return percentile_interval(ratio(numerator.mean(), denominator.mean()), drawn, level)


def lag_one_correlation(scores: ArrayLike) -> float:
    """Correlation of a series with itself one date later.

    Parameters
    ----------
    scores : (date,) scores at equal spacing in time.

    Returns
    -------
    float
        Lag-1 correlation; NaN for a constant series.

    Raises
    ------
    InputError
        The series is empty or not finite.
    """
    anomaly = _series("scores", scores)
    anomaly = anomaly - anomaly.mean()
    return float(ratio(anomaly[1:] @ anomaly[:-1], anomaly @ anomaly))


def effective_sample_size(count: int, correlation: float) -> float:
    """Number of independent dates worth a correlated series.

    Parameters
    ----------
    count : number of dates.
    correlation : lag-1 correlation, below 1.

    Returns
    -------
    float
        ``n (1 - r) / (1 + r)``; a negative correlation counts as none.
    """
    correlation = max(correlation, 0.0)
    return count * (1 - correlation) / (1 + correlation)


def draw_blocks(labels: ArrayLike, *, draws: int, rng: np.random.Generator) -> BlockDraws:
    """Resample the blocks of a domain with replacement.

    Parameters
    ----------
    labels : (cell,) label of the block in which every cell lies.
    draws : number of bootstrap samples.
    rng : generator.

    Returns
    -------
    BlockDraws
        To be used for all scores and systems on these cells, so that they stay paired.
    """
    names, block = np.unique(np.asarray(labels), return_inverse=True)
    if names.size == 0:
        return BlockDraws(block, np.zeros((draws, 0), dtype=np.int64))
    return BlockDraws(
        block, rng.multinomial(names.size, np.full(names.size, 1 / names.size), size=draws)
    )


def block_interval(
    cells: ArrayLike,
    statistic: Callable[[Array], Array],
    blocks: BlockDraws,
    *,
    level: float = 0.95,
) -> Interval:
    """A score made of sums over cells, with its interval over resampled blocks.

    Parameters
    ----------
    cells : (part, cell) contributions of every cell to the sums.
    statistic : maps sums (part, ...) to the score (...), vectorised.
    blocks : resampled blocks of these cells.
    level : probability of the interval.

    Returns
    -------
    Interval
        Score and percentile interval; draws in which the score is undefined are left out, fewer
        than two blocks give no interval, and no cell gives no score.

    Notes
    -----
    The interval tells how far the score depends on the place. It holds no information on how
    the score varies from one start date to another.
    """
    cells = np.asarray(cells, dtype=np.float64)
    count = blocks.counts.shape[1]
    value = statistic(cells.sum(axis=1)) if count else np.nan
    if count < 2:
        return Interval(float(value), np.nan, np.nan)
    sums = np.array(
        [np.bincount(blocks.block, weights=part, minlength=count) for part in cells],
        dtype=np.float64,
    )
    return percentile_interval(value, statistic(sums @ blocks.counts.T), level)
