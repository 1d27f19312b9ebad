"""Bootstrap intervals and effective sample size."""

import numpy as np
import pytest

from floecast.core.errors import InputError
from floecast.verification import bootstrap


def autoregressive(correlation, count, rng, series=1):
    noise = rng.normal(size=(series, count))
    values = np.empty_like(noise)
    values[:, 0] = noise[:, 0]
    for t in range(1, count):
        values[:, t] = correlation * values[:, t - 1] + np.sqrt(1 - correlation**2) * noise[:, t]
    return values


def test_blocks_are_consecutive_and_circular():
    indices = bootstrap.circular_blocks(10, 4, draws=500, rng=np.random.default_rng(0))
    assert indices.shape == (500, 10)
    for start in (0, 4, 8):
        steps = np.diff(indices[:, start : start + 4], axis=1) % 10
        assert (steps == 1).all()
    frequency = np.bincount(indices.ravel(), minlength=10) / indices.size
    np.testing.assert_allclose(frequency, 0.1, atol=0.02)


@pytest.mark.parametrize(
    ("correlation", "block_length", "published"),
    [(0.0, 1, 0.945), (0.5, 1, 0.733), (0.5, 10, 0.920), (0.8, 1, 0.455), (0.8, 20, 0.853)],
)
def test_coverage_of_autoregressive_scores(correlation, block_length, published):
    rng = np.random.default_rng(7)
    hits = [
        interval.low <= 0 <= interval.high
        for scores in autoregressive(correlation, 200, rng, series=400)
        for interval in [
            bootstrap.mean_interval(scores, block_length=block_length, rng=rng, draws=400)
        ]
    ]
    assert np.mean(hits) == pytest.approx(published, abs=0.06)


def test_ratio_is_taken_anew_in_every_draw():
    rng = np.random.default_rng(0)
    reference = rng.gamma(2.0, size=60)
    options = {"block_length": 5, "level": 0.9}
    exact = bootstrap.ratio_interval(0.7 * reference, reference, rng=rng, **options)
    np.testing.assert_allclose(exact, 0.7)
    # With a constant denominator the ratio is the mean.
    ratio = bootstrap.ratio_interval(
        reference, np.full(60, 2.0), rng=np.random.default_rng(1), **options
    )
    mean = bootstrap.mean_interval(reference / 2, rng=np.random.default_rng(1), **options)
    np.testing.assert_allclose(ratio, mean)
    assert ratio.low < ratio.value < ratio.high


def test_same_generator_same_interval():
    scores = np.random.default_rng(0).normal(size=30)
    first, second = (
        bootstrap.mean_interval(scores, block_length=3, rng=np.random.default_rng(5))
        for _ in range(2)
    )
    assert first == second


def test_effective_sample_size():
    assert bootstrap.effective_sample_size(90, 0.8) == pytest.approx(10)
    assert bootstrap.effective_sample_size(200, 0.5) == pytest.approx(66.7, abs=0.05)
    assert bootstrap.effective_sample_size(50, -0.3) == 50
    series = autoregressive(0.8, 20_000, np.random.default_rng(0))[0]
    assert bootstrap.lag_one_correlation(series) == pytest.approx(0.8, abs=0.02)
    assert np.isnan(bootstrap.lag_one_correlation(np.ones(5)))


def test_bad_series_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="block_length: 6; expected 1 to 5"):
        bootstrap.mean_interval(np.ones(5), block_length=6, rng=rng)
    with pytest.raises(InputError, match="scores: expected a series"):
        bootstrap.mean_interval([1.0, np.nan], block_length=1, rng=rng)
    with pytest.raises(InputError, match="5 and 4 dates"):
        bootstrap.ratio_interval(np.ones(5), np.ones(4), block_length=1, rng=rng)
    with pytest.raises(InputError, match="level: 95"):
        bootstrap.mean_interval(np.ones(5), block_length=1, rng=rng, level=95)


def test_interval_over_blocks_of_equal_cells_equals_plain_bootstrap():
    rng = np.random.default_rng(0)
    per_block = rng.normal(size=40)
    labels = np.repeat(np.arange(40), 6)
    blocks = bootstrap.draw_blocks(labels, draws=4000, rng=rng)
    assert (blocks.counts.sum(axis=1) == 40).all()
    cells = np.stack([np.repeat(per_block, 6), np.ones(240)])
    interval = bootstrap.block_interval(cells, lambda s: s[0] / s[1], blocks)
    assert interval.value == pytest.approx(per_block.mean())
    half_width = (interval.high - interval.low) / 2
    assert half_width == pytest.approx(1.96 * per_block.std() / np.sqrt(40), rel=0.06)


def test_one_block_gives_no_interval_and_no_cell_no_score():
    def first(sums):
        return sums[0]

    rng = np.random.default_rng(0)
    one = bootstrap.draw_blocks(np.zeros(3, int), draws=5, rng=rng)
    interval = bootstrap.block_interval(np.ones((1, 3)), first, one)
    assert interval.value == 3 and np.isnan(interval[1:]).all()
    none = bootstrap.draw_blocks(np.zeros(0, int), draws=5, rng=rng)
    assert np.isnan(bootstrap.block_interval(np.ones((1, 0)), first, none)).all()
