"""Failure lines found in fields whose lines are known."""

import numpy as np
import pytest

from floecast.core.errors import InputError
from floecast.verification.failure_lines import (
    Joining,
    find_failure_lines,
    intersection_angles,
    join_segments,
    line_cells,
    trace_segments,
)

SHAPE = (96, 96)
CENTRE = np.array([48.0, 48.0])
QUIET, BUSY = 0.01, 0.2
Y, X = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)


def ridge(start, end, width=1.0):
    """Gaussian profile around a straight piece, 1 on it; points as x, y [cells]."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    length = np.hypot(*(end - start))
    along = (end - start) / length
    place = np.clip((X - start[0]) * along[0] + (Y - start[1]) * along[1], 0, length)
    distance = np.hypot(X - start[0] - place * along[0], Y - start[1] - place * along[1])
    return np.exp(-(distance**2) / (2 * width**2))


def unit(degrees):
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])


def through_centre(degrees, half=30.0):
    return ridge(CENTRE - half * unit(degrees), CENTRE + half * unit(degrees))


def deformation(*ridges):
    return QUIET + BUSY * np.max(ridges, axis=0)


def noise(seed, strength=0.3):
    return np.exp(np.random.default_rng(seed).normal(0, strength, SHAPE))


def angle_between(one, two):
    return np.abs((one - two + 90) % 180 - 90)


@pytest.mark.parametrize("degrees", [0, 10, 22.5, 30, 45, 60, 80, 90, 135, 160])
@pytest.mark.parametrize("noisy", [False, True])
def test_straight_line(degrees, noisy):
    total = deformation(through_centre(degrees)) * (noise(1) if noisy else 1)
    lines = find_failure_lines(total, spacing=2e3)
    assert lines.number == 1
    # Each end is uncertain by the width of the line.
    assert lines.length[0] == pytest.approx(60 * 2e3, abs=4 * 2e3)
    assert angle_between(lines.orientation[0], degrees) < 1.0
    assert 0.5 * (QUIET + BUSY) < lines.rate[0] < 1.3 * (QUIET + BUSY)
    assert lines.area == 96 * 96 * 4e6
    assert lines.density == pytest.approx(lines.length.sum() / lines.area)
    offset = (lines.paths[0] - CENTRE) @ np.array([np.cos(np.radians(degrees)), -unit(degrees)[1]])
    assert np.abs(offset).max() < 3


def test_parallel_lines():
    total = deformation(*(ridge((10, y), (85, y)) for y in (10, 20, 40, 47)))
    lines = find_failure_lines(total, spacing=1.0)
    assert lines.number == 4
    np.testing.assert_allclose(lines.length, 75, atol=4)
    assert intersection_angles(lines).size == 0


def test_curved_lines():
    arc = np.exp(-((np.hypot(X - 10, Y - 10) - 60) ** 2) / 2)
    lines = find_failure_lines(deformation(arc), spacing=1.0)
    inside = 90 + 2 * np.degrees(np.arcsin(10 / 60))
    assert lines.number == 1
    assert lines.length[0] == pytest.approx(60 * np.radians(inside), abs=4)
    assert angle_between(lines.orientation[0], 135) < 2
    ring = np.exp(-((np.hypot(X - 48, Y - 48) - 30) ** 2) / 2)
    lines = find_failure_lines(deformation(ring), spacing=1.0)
    assert lines.number == 1
    assert lines.length[0] == pytest.approx(60 * np.pi, rel=0.02)


@pytest.mark.parametrize("degrees", [60, 70, 90])
@pytest.mark.parametrize("first", [0, 17])
@pytest.mark.parametrize("noisy", [False, True])
def test_crossing_lines(first, degrees, noisy):
    total = deformation(through_centre(first, 40), through_centre(first + degrees, 40))
    lines = find_failure_lines(total * (noise(2) if noisy else 1), spacing=1.0)
    assert lines.number == 2
    np.testing.assert_allclose(lines.length, 80, atol=4)
    order = np.argsort(angle_between(lines.orientation, first))
    assert angle_between(lines.orientation[order[0]], first) < 2
    assert angle_between(lines.orientation[order[1]], first + degrees) < 2
    assert intersection_angles(lines) == pytest.approx([degrees], abs=5)


def test_meeting_lines_stay_apart():
    lines = find_failure_lines(
        deformation(ridge((10, 48), (85, 48)), ridge((48, 48), (48, 10))), spacing=1.0
    )
    assert sorted(np.round(lines.length / 10)) == [4, 8]
    assert intersection_angles(lines) == pytest.approx([90], abs=3)


def test_narrow_gap_is_closed_and_wide_gap_is_not():
    for gap, number in ((4, 1), (15, 2)):
        total = deformation(ridge((10, 40), (40, 40)), ridge((40 + gap, 40), (80, 40)))
        assert find_failure_lines(total, spacing=1.0).number == number
    # Side by side they do not continue each other.
    total = deformation(ridge((10, 40), (40, 40)), ridge((43, 46), (80, 46)))
    assert find_failure_lines(total, spacing=1.0).number == 2


def test_lines_that_end_at_different_junctions_are_not_joined():
    total = deformation(
        ridge((40, 10), (40, 85)),
        ridge((48, 10), (48, 85)),
        ridge((10, 45), (40, 45)),
        ridge((48, 45), (85, 45)),
    )
    assert find_failure_lines(total, spacing=1.0).number == 4


def row(line, first, last):
    columns = np.arange(first, last)
    return np.stack([np.full(columns.size, line), columns], axis=1)


@pytest.mark.parametrize(
    "second, strength, joined",
    [
        (row(10, 23, 33), 0.0, True),
        (row(10, 24, 34), 0.0, False),  # too far
        (row(11, 21, 31), 0.0, True),
        (row(12, 21, 31), 0.0, False),  # beside, not behind
        (row(10, 23, 33), 0.4, True),
        (row(10, 23, 33), 0.6, False),  # of another strength
        (row(11, 15, 30), 0.0, False),  # ends have passed each other
        (row(10, 23, 33)[:, ::-1] + [[13, -13]], 0.0, False),  # a bend of 90 degrees
    ],
)
def test_joining(second, strength, joined):
    first, logarithm = row(10, 10, 20), np.zeros(SHAPE)
    logarithm[tuple(second.T)] = strength
    rule = Joining(4.0, 3.0, 35.0, 0.5, False)
    junctions = np.zeros(SHAPE, int)
    for one in (first, first[::-1]):
        for two in (second, second[::-1]):
            paths = join_segments([one, two], logarithm, junctions, rule)
            assert len(paths) == (1 if joined else 2)
            if joined:
                assert np.abs(np.diff(paths[0], axis=0)).max() <= 4
                assert len(paths[0]) == len(first) + len(second)


def test_strength_of_a_line():
    """A ridge of the logarithm with unit width is found where it exceeds a factor of 1.8."""
    profile = np.exp(-((Y - 48) ** 2) / 2)
    for factor, found in ((1.75, False), (1.9, True)):
        cells = line_cells(QUIET * np.exp(np.log(factor) * profile))
        assert cells.any() == found


def test_smooth_fields_have_no_lines():
    distance = np.hypot(X - 48, Y - 48)
    for total in (
        np.full(SHAPE, 0.1),
        0.01 + 1e-3 * X + 2e-3 * Y,
        0.01 + np.exp(-(distance**2) / 800),
        np.zeros(SHAPE),
    ):
        lines = find_failure_lines(total, spacing=1.0)
        assert lines.number == 0 and lines.density == 0 and lines.length.shape == (0,)
        assert intersection_angles(lines).shape == (0,)


def test_noise_has_no_lines():
    for seed in range(5):
        assert find_failure_lines(0.05 * noise(seed), spacing=1.0).number == 0


def test_ice_that_hardly_moves_has_no_lines():
    total = 1e-5 * deformation(through_centre(30))
    assert find_failure_lines(total, spacing=1.0).number == 0
    assert find_failure_lines(total, spacing=1.0, least_rate=1e-9).number == 1


def test_land_makes_no_line_and_hides_them():
    total = np.full(SHAPE, 0.05)
    total[:, :20] = np.nan
    total[40:50, 40:60] = np.nan
    assert find_failure_lines(total, spacing=1.0).number == 0
    assert find_failure_lines(100 * total, spacing=1.0).number == 0
    crossed = deformation(ridge((10, 44), (85, 44)))
    crossed[30:60, 40:60] = np.nan
    lines = find_failure_lines(crossed, spacing=1.0)
    assert lines.number == 2
    assert lines.area == 96 * 96 - 600
    np.testing.assert_allclose(np.sort(lines.length), [25, 30], atol=4)
    everywhere = find_failure_lines(np.full(SHAPE, np.nan), spacing=1.0)
    assert everywhere.number == 0 and np.isnan(everywhere.density)


def test_result_turns_with_the_field():
    total = deformation(through_centre(20), ridge((5, 80), (60, 88))) * noise(7)
    one = find_failure_lines(total, spacing=1.0)
    two = find_failure_lines(np.rot90(total), spacing=1.0)
    assert one.number == two.number == 2
    np.testing.assert_allclose(np.sort(one.length), np.sort(two.length), atol=4)
    # Rows ascend northwards, so that this turn is clockwise.
    turned = np.sort((one.orientation - 90) % 180)
    np.testing.assert_allclose(turned, np.sort(two.orientation), atol=2)


def test_segments_of_a_drawn_skeleton():
    skeleton = np.zeros((20, 20), bool)
    skeleton[10, 2:18] = True
    skeleton[11:18, 9] = True
    skeleton[[3, 4, 5, 4], [10, 11, 10, 9]] = True
    segments, junctions = trace_segments(skeleton)
    # The ring, and the three arms without the four cells around the fork.
    assert sorted(len(segment) for segment in segments) == [4, 6, 6, 7]
    for segment in segments:
        steps = np.abs(np.diff(segment, axis=0)).max(axis=1)
        assert (steps == 1).all()
    assert len(np.unique(junctions)) == 2 and junctions[10, 9] == 1
    assert trace_segments(np.zeros((5, 5), bool))[0] == []


def test_refuses():
    with pytest.raises(InputError, match=r"\(y, x\)"):
        find_failure_lines(np.zeros((2, 5, 5)), spacing=1.0)
    with pytest.raises(InputError, match="negative"):
        find_failure_lines(np.full(SHAPE, -0.1), spacing=1.0)
    with pytest.raises(InputError, match="least_rate"):
        find_failure_lines(np.zeros(SHAPE), spacing=1.0, least_rate=0.0)
