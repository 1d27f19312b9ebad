"""Failure lines in a field of deformation: linear kinematic features found, counted, measured.

The steps follow Hutter et al. (2019): logarithm of the rates, difference of two Gaussian filters,
thinning, segments, and joining of the segments that belong together. All limits are in cells, so
compare fields on grids of one spacing only.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter, label, maximum_filter
from scipy.spatial import KDTree

from floecast.core.errors import InputError
from floecast.verification.thinning import AROUND, NEIGHBOURS, neighbour_codes, thin
from floecast.verification.weighting import Array, ratio


class Joining(NamedTuple):
    """When the ends of two segments belong to one line.

    Attributes
    ----------
    distance : largest distance of the ends [cells].
    across : factor on the part of the distance that lies across the segments.
    angle : largest bend from one segment to the other [degrees].
    contrast : largest difference of the decimal logarithm of the mean rates.
    at_junction : only ends at one and the same junction.
    """

    distance: float
    across: float
    angle: float
    contrast: float
    at_junction: bool


JOININGS = (Joining(12.0, 1.0, 50.0, np.inf, True), Joining(4.0, 3.0, 35.0, 0.5, False))
"""First across junctions, which are cut out, then across gaps."""

LEAST_LENGTH = 4
"""Cells of the shortest line that counts, and of the shortest segment beside a junction."""

REACH = 8
"""Cells at the end of a segment that give its direction there."""


class FailureLines(NamedTuple):
    """Lines found in one field.

    Attributes
    ----------
    paths : for every line, its points (n, 2) as row and column, in order along it.
    length : (line,) [m].
    orientation : (line,) of the main axis, counter-clockwise from the x axis, 0 to 180 [degrees].
    rate : (line,) mean total deformation along the line, in the unit of the field.
    area : of the valid cells [m2].
    """

    paths: tuple[NDArray[np.intp], ...]
    length: Array
    orientation: Array
    rate: Array
    area: float

    @property
    def number(self) -> int:
        """How many lines there are."""
        return len(self.paths)

    @property
    def density(self) -> float:
        """Length of all lines over the area [1/m]."""
        return float(ratio(self.length.sum(), self.area))


def find_failure_lines(
    total: ArrayLike,
    *,
    spacing: float,
    threshold: float = 0.2,
    kernels: tuple[float, float] = (2.0, 5.0),
    joinings: tuple[Joining, ...] = JOININGS,
    least_length: int = LEAST_LENGTH,
    least_rate: float = 1e-3,
) -> FailureLines:
    """Linear kinematic features of a field of total deformation.

    Parameters
    ----------
    total : (y, x) total deformation [1/day]; NaN where there is none, such as on land.
    spacing : side of a cell [m].
    threshold : difference of the filtered natural logarithms above which a cell belongs to a
        line [1].
    kernels : sizes of the two filters, twice their standard deviation [cells].
    joinings : rules for joining segments, applied in this order.
    least_length : cells of the shortest line that counts.
    least_rate : rate to which smaller ones are raised before the logarithm, and above which a
        line must lie: differences among smaller ones do not matter [1/day].

    Returns
    -------
    FailureLines

    Raises
    ------
    InputError
        The field is not (y, x), has negative values, or `least_rate` is not positive.

    Notes
    -----
    A ridge of the logarithm with Gaussian profile, of height a and standard deviation s, gives a
    difference of ``a s / sqrt(s^2 + s_1^2) - a s / sqrt(s^2 + s_2^2)`` with s_1 and s_2 half of
    the kernels: with the values above, and s = 1 cell, lines are found where the ice deforms 1.8
    times as much as beside them. The published method equalises the histogram and filters at
    1 cell; here the logarithm itself keeps a meaning to the threshold, and the wider filter keeps
    noise of single cells from making lines. Cells without value are left out of both filters
    (normalised convolution).

    Lengths are measured along the path smoothed over five points, so that the steps of the grid
    do not add to them.

    References
    ----------
    Hutter, N., L. Zampieri and M. Losch (2019): Leads and ridges in Arctic sea ice from RGPS data
    and a new tracking algorithm. The Cryosphere 13, 627-645, doi:10.5194/tc-13-627-2019.
    """
    rates = np.asarray(total, np.float64)
    cells = line_cells(rates, threshold=threshold, kernels=kernels, least_rate=least_rate)
    paths, junctions = trace_segments(thin(cells))
    valid = np.isfinite(rates)
    logarithm = np.log10(np.where(valid, np.maximum(rates, least_rate), least_rate))
    for rule in joinings:
        paths = join_segments(paths, logarithm, junctions, rule)
    kept = tuple(path for path in paths if len(path) >= least_length)
    return FailureLines(
        kept,
        np.array([spacing * _length(path) for path in kept]),
        np.array([_orientation(path) for path in kept]),
        np.array([rates[tuple(path.T)].mean() for path in kept]),
        float(valid.sum() * spacing**2),
    )


def line_cells(
    total: ArrayLike,
    *,
    threshold: float = 0.2,
    kernels: tuple[float, float] = (2.0, 5.0),
    least_rate: float = 1e-3,
) -> NDArray[np.bool_]:
    """Cells that deform more than those around them.

    Parameters
    ----------
    total : (y, x) total deformation [1/day]; NaN where there is none.
    threshold, kernels, least_rate : see `find_failure_lines`.

    Returns
    -------
    (y, x) bool

    Raises
    ------
    InputError
        See `find_failure_lines`.
    """
    rates = np.asarray(total, np.float64)
    valid = np.isfinite(rates)
    if rates.ndim != 2:
        raise InputError(f"total: shape {rates.shape}; expected one field (y, x)")
    if (rates[valid] < 0).any():
        raise InputError("total: negative values; expected total deformation, not divergence")
    if not least_rate > 0:
        raise InputError(f"least_rate: {least_rate}; expected a positive rate per day")
    rates = np.where(valid, rates, 0.0)
    logarithm = np.log(np.maximum(rates, least_rate))
    fine, coarse = (_filtered(logarithm, valid, 0.5 * kernel) for kernel in kernels)
    return valid & (rates > least_rate) & (np.where(valid, fine - coarse, 0.0) > threshold)


def _filtered(field: Array, valid: NDArray[np.bool_], width: float) -> Array:
    """Gaussian mean of the valid cells, cut at two standard deviations."""
    options = {"sigma": width, "mode": "constant", "truncate": 2.0}
    weight = gaussian_filter(valid.astype(np.float64), **options)
    return ratio(gaussian_filter(np.where(valid, field, 0.0), **options), weight)


def trace_segments(
    skeleton: ArrayLike,
) -> tuple[list[NDArray[np.intp]], NDArray[np.intp]]:
    """Cut a skeleton at its junctions and put the cells of every piece in order.

    Parameters
    ----------
    skeleton : (y, x) bool, one cell wide, as from `thin`.

    Returns
    -------
    segments : list of (n, 2) int arrays
        Rows and columns. A closed ring starts anywhere and ends beside its start.
    junctions : (y, x) int array
        Number of the junction that a cell touches, 0 for none. A junction is made of the cells
        with more than two neighbours and of the pieces of less than `LEAST_LENGTH` cells beside
        them: where two lines cross, thinning leaves two forks and a bridge.
    """
    skeleton = np.asarray(skeleton, bool)
    fork = skeleton & (NEIGHBOURS[neighbour_codes(skeleton)] > 2)
    labels, _ = label(skeleton & ~fork, np.ones((3, 3)))
    size = np.bincount(labels.ravel())
    beside = np.zeros(size.size, bool)
    beside[np.unique(labels[NEIGHBOURS[neighbour_codes(fork)] > 0])] = True
    short = (beside & (size < LEAST_LENGTH))[labels] & (labels > 0)
    junctions = maximum_filter(label(fork | short, np.ones((3, 3)))[0], size=3)

    pieces = (labels > 0) & ~short
    ends = NEIGHBOURS[neighbour_codes(pieces)] < 2
    where = np.argwhere(pieces)
    owner = labels[tuple(where.T)]
    where = where[np.argsort(owner, kind="stable")]
    limits = np.cumsum(np.bincount(owner, minlength=1))[:-1]
    segments = [_in_order(piece, ends) for piece in np.split(where, limits) if len(piece)]
    return segments, junctions


def _in_order(piece: NDArray[np.intp], ends: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The cells of a path or a ring, one beside the other."""
    left = {(int(row), int(column)) for row, column in piece}
    first = piece[np.argmax(ends[tuple(piece.T)])]
    cell = (int(first[0]), int(first[1]))
    path = [cell]
    left.remove(cell)
    while left:
        beside = [(cell[0] + row, cell[1] + column) for row, column in AROUND]
        following = [place for place in beside if place in left]
        if not following:
            break
        # Of two neighbours the one across a side is nearer.
        cell = min(following, key=lambda place: abs(place[0] - cell[0]) + abs(place[1] - cell[1]))
        path.append(cell)
        left.remove(cell)
    return np.array(path)


def _direction(path: NDArray[np.intp]) -> Array:
    """Unit vector out of the path at its last point; 0 for a single point."""
    part = path[-REACH:].astype(np.float64)
    vector = part[-1] - part[0]
    return ratio(vector, np.full(2, np.hypot(*vector))) if len(part) > 1 else np.zeros(2)


def _angle(first: Array, second: Array) -> Array:
    """Angle between unit vectors along the last axis [degrees]; 0 where one of them is 0."""
    cosine = (first * second).sum(axis=-1)
    known = (np.abs(first).sum(axis=-1) > 0) & (np.abs(second).sum(axis=-1) > 0)
    return np.where(known, np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))), 0.0)


def join_segments(
    paths: list[NDArray[np.intp]], logarithm: Array, junctions: NDArray[np.intp], rule: Joining
) -> list[NDArray[np.intp]]:
    """Join the segments whose ends face each other.

    Parameters
    ----------
    paths : segments, (n, 2) each.
    logarithm : (y, x) decimal logarithm of the total deformation.
    junctions : (y, x) from `trace_segments`.
    rule : what belongs together.

    Returns
    -------
    list of (n, 2) int arrays
        The best match of every end is joined first; each end is used once.
    """
    while True:
        matches = _matches(paths, logarithm, junctions, rule)
        if not matches:
            return paths
        paths = _join(paths, matches)


def _matches(
    paths: list[NDArray[np.intp]], logarithm: Array, junctions: NDArray[np.intp], rule: Joining
) -> list[tuple[int, int]]:
    """Pairs of ends to join; end 2 i is the last point of path i, end 2 i + 1 the first."""
    if len(paths) < 2:
        return []
    both = [side for path in paths for side in (path, path[::-1])]
    place = np.array([side[-1] for side in both], np.float64)
    outward = np.array([_direction(side) for side in both])
    values = np.array([logarithm[tuple(path.T)].mean() for path in paths]).repeat(2)
    pairs = KDTree(place).query_pairs(rule.distance + 1e-9, output_type="ndarray")
    pairs = pairs[pairs[:, 0] // 2 != pairs[:, 1] // 2]
    if rule.at_junction:
        number = np.array([junctions[tuple(side[-1])] for side in both])[pairs]
        pairs = pairs[(number[:, 0] == number[:, 1]) & (number[:, 0] > 0)]
    if not len(pairs):
        return []
    one, two = pairs.T
    gap = place[two] - place[one]
    width = np.hypot(gap[:, 0], gap[:, 1])
    axis = outward[one] - outward[two]
    axis = ratio(axis, np.broadcast_to(np.hypot(*axis.T)[:, None], axis.shape))
    axis = np.where(np.isfinite(axis), axis, ratio(gap, width[:, None] + np.zeros(2)))
    along = np.abs((gap * axis).sum(axis=1))
    across = np.sqrt(np.maximum(width**2 - along**2, 0.0))
    distance = np.hypot(along, rule.across * across)
    bend = _angle(outward[one], -outward[two])
    # Ends that have passed each other do not face each other.
    facing = (gap * outward[one]).sum(axis=1) > -1e-9
    facing &= (gap * outward[two]).sum(axis=1) < 1e-9
    contrast = np.abs(values[one] - values[two])
    fit = (distance <= rule.distance) & (bend <= rule.angle) & (contrast <= rule.contrast) & facing
    badness = (distance / rule.distance) ** 2 + (bend / rule.angle) ** 2
    badness = badness + (contrast / rule.contrast) ** 2
    used: set[int] = set()
    chosen = []
    for index in np.argsort(badness, kind="stable"):
        first, second = int(one[index]), int(two[index])
        if fit[index] and not {first // 2, second // 2} & used:
            chosen.append((first, second))
            used |= {first // 2, second // 2}
    return chosen


def _join(paths: list[NDArray[np.intp]], matches: list[tuple[int, int]]) -> list[NDArray[np.intp]]:
    """Every matched pair of paths made one."""
    joined = []
    for first, second in matches:
        ahead = paths[first // 2][:: 1 if first % 2 == 0 else -1]
        after = paths[second // 2][:: -1 if second % 2 == 0 else 1]
        joined.append(np.concatenate([ahead, after]))
    gone = {end // 2 for match in matches for end in match}
    return [path for index, path in enumerate(paths) if index not in gone] + joined


def intersection_angles(lines: FailureLines, distance: float = 4.0) -> Array:
    """Angles at which lines meet or cross.

    Parameters
    ----------
    lines : from `find_failure_lines`.
    distance : how near two lines must come [cells].

    Returns
    -------
    (pair,) array
        The smaller angle between the two, where they are nearest, 0 to 90 [degrees]; one for each
        pair of lines.
    """
    if lines.number < 2:
        return np.zeros(0)
    points = np.concatenate(lines.paths).astype(np.float64)
    owner = np.repeat(np.arange(lines.number), [len(path) for path in lines.paths])
    first = np.cumsum([0, *(len(path) for path in lines.paths)])
    pairs = KDTree(points).query_pairs(distance, output_type="ndarray")
    pairs = pairs[owner[pairs[:, 0]] != owner[pairs[:, 1]]]
    apart = np.hypot(*(points[pairs[:, 0]] - points[pairs[:, 1]]).T)
    pairs = pairs[np.argsort(apart, kind="stable")]
    _, nearest = np.unique(np.sort(owner[pairs], axis=1), axis=0, return_index=True)

    def direction(point: int) -> float:
        place = point - first[owner[point]]
        return _orientation(lines.paths[owner[point]][max(0, place - REACH) : place + REACH + 1])

    turn = np.array([direction(one) - direction(two) for one, two in pairs[nearest]])
    return np.abs((turn + 90) % 180 - 90)


def _length(path: NDArray[np.intp]) -> float:
    """Length along a path [cells]; its points stand for the middle of cells."""
    points = path.astype(np.float64)
    smooth = points.copy()
    for index in range(1, len(points) - 1):
        half = min(2, index, len(points) - 1 - index)
        smooth[index] = points[index - half : index + half + 1].mean(axis=0)
    return float(np.hypot(*np.diff(smooth, axis=0).T).sum())


def _orientation(path: NDArray[np.intp]) -> float:
    """Direction of the main axis of the points [degrees]."""
    y, x = (path - path.mean(axis=0)).T
    return float(np.degrees(0.5 * np.arctan2(2 * (x * y).sum(), (x**2 - y**2).sum())) % 180)
