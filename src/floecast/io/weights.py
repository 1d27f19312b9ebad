"""How much each cell of a source grid weighs in each cell of a target grid."""

from itertools import product

import numpy as np
from scipy import sparse
from scipy.spatial import KDTree

from .grids import polygon_area

_PAIRS_AT_ONCE = 100_000
_CENTRES_AROUND = 9  # whose squares are searched for a place


def _matrix(rows, columns, values, shape):
    return sparse.csr_array(sparse.coo_array((values, (rows, columns)), shape=shape))


def _cells(target, source):
    return int(np.prod(target.shape)), int(np.prod(source.shape))


def conservative(source, target):
    """Share of each target cell that lies in each source cell, a sparse (target, source) array."""
    cells = source.cells
    wanted = target.cells[np.isfinite(target.cells).all(axis=(1, 2))]
    low, high = wanted.min(axis=(0, 1)), wanted.max(axis=(0, 1))
    near = source.usable & ((cells.max(axis=1) > low) & (cells.min(axis=1) < high)).all(axis=1)
    columns, rows = _neighbours(np.flatnonzero(near), source, target)
    area = np.empty(len(rows))
    for first in range(0, len(rows), _PAIRS_AT_ONCE):
        part = slice(first, first + _PAIRS_AT_ONCE)
        area[part] = _shared_area(cells[columns[part]], target.cells[rows[part]])
    real = area > 1e-9 * source.area.ravel()[columns]  # more than the round-off of shared sides
    rows, columns, area = rows[real], columns[real], area[real]
    return _matrix(rows, columns, area / target.area.ravel()[rows], _cells(target, source))


def _neighbours(near, source, target):
    """Pairs of source cells, out of those in `near`, and target cells whose boxes meet."""
    finite = np.flatnonzero(np.isfinite(target.radius))
    if not len(near):
        return np.empty(0, int), np.empty(0, int)
    tree = KDTree(source.centres.reshape(-1, 2)[near])
    reach = target.radius[finite] + source.radius[near].max()
    found = tree.query_ball_point(target.centres.reshape(-1, 2)[finite], reach, return_sorted=False)
    rows = np.repeat(finite, [len(part) for part in found])
    columns = near[np.concatenate(found).astype(int)]
    ours, theirs = source.cells[columns], target.cells[rows]
    meet = (ours.max(axis=1) > theirs.min(axis=1)) & (ours.min(axis=1) < theirs.max(axis=1))
    meet = meet.all(axis=1)
    return columns[meet], rows[meet]


def _shared_area(cells, others):
    """Areas that convex quadrilaterals ``(n, 4, 2)`` share, pair by pair (Sutherland-Hodgman)."""
    part = cells
    for corner in range(4):
        begin = others[:, corner]
        part = _left_of(part, begin, others[:, (corner + 1) % 4] - begin)
    return polygon_area(part)


def _left_of(polygons, origin, direction):
    """What lies left of a line of each convex polygon; the first corner fills spare places."""
    offset = polygons - origin[:, None]
    side = _cross(direction[:, None], offset)
    following, side_there = np.roll(polygons, -1, axis=1), np.roll(side, -1, axis=1)
    inside = side >= 0
    crosses = inside != (side_there >= 0)
    fraction = side / np.where(crosses, side - side_there, 1.0)
    crossing = polygons + fraction[..., None] * (following - polygons)
    corners = np.stack([polygons, crossing], axis=2).reshape(len(polygons), -1, 2)
    kept = np.stack([inside, crosses], axis=2).reshape(len(polygons), -1)
    order = np.argsort(~kept, axis=1, kind="stable")[:, : polygons.shape[1] + 1]
    order = np.where(np.take_along_axis(kept, order, axis=1), order, order[:, :1])
    return np.take_along_axis(corners, order[..., None], axis=1)


def bilinear(source, target):
    """Weights of the four centres around each target centre; three on a curvilinear source."""
    if source.x.ndim == 2:
        return _linear_in_triangles(source, target)
    axis_x, axis_y, joined = source.x, source.y, None
    x, y = (place.ravel() for place in target.seen_from(source))
    if not source.has_map:
        axis_x, axis_y, joined = _join_ends(source)
        west = axis_x.min() - 0.5 * (360 - np.ptp(axis_x))  # cut where the grid is not
        x = west + (x - west) % 360
    column, right, in_x = _along(axis_x, x)
    row, up, in_y = _along(axis_y, y)
    inside = np.flatnonzero(in_x & in_y)
    rows, columns, values = [], [], []
    for step_y, weight_y in ((0, 1 - up), (1, up)):
        for step_x, weight_x in ((0, 1 - right), (1, right)):
            rows.append(inside)
            columns.append(((row + step_y) * len(axis_x) + column + step_x)[inside])
            values.append((weight_y * weight_x)[inside])
    shape = (x.size, len(axis_y) * len(axis_x))
    row, column, value = map(np.concatenate, (rows, columns, values))
    matrix = _matrix(row, column, value, shape)
    return matrix if joined is None else sparse.csr_array(matrix @ joined)


def _join_ends(source):
    """Axes of a regular latitude-longitude grid that goes round and over the north pole.

    Returns
    -------
    x, y : array
        Longitudes with the first one again at the end, and latitudes with the pole, where the
        grid comes within a cell of them.
    matrix : (cells of these axes, source cells) sparse array
        The pole is the mean of the northernmost row.
    """
    x, y = source.x, source.y
    around = sparse.eye_array(len(x))
    step = (x[-1] - x[0]) / (len(x) - 1)
    if abs(x[-1] + step - x[0]) > 359.99:
        x, around = np.append(x, x[-1] + step), sparse.vstack([around, around.tocsr()[:1]])
    matrix = sparse.kron(sparse.eye_array(len(y)), around)
    top = np.argmax(y)
    if y[top] < 90 <= y[top] + abs(y[1] - y[0]):
        mean = np.full((len(x), len(source.x)), 1 / len(source.x))
        northernmost = sparse.coo_array(([1.0], ([0], [top])), shape=(1, len(y)))
        pole = sparse.kron(northernmost, sparse.coo_array(mean))
        y = np.append(y, 90.0) if top else np.append(90.0, y)
        matrix = sparse.vstack([matrix, pole] if top else [pole, matrix])
    return x, y, matrix.tocsr()


def _along(axis, places):
    """Index of the centre before each place, fraction of the way on, and whether it is inside."""
    order = np.argsort(axis)
    ordered = axis[order]
    index = np.interp(places, ordered, order)
    first = np.clip(np.floor(index).astype(int), 0, len(axis) - 2)
    # Half a cell beyond the outer centres, and a hair for the round-off of projections.
    low = ordered[0] - 0.500001 * (ordered[1] - ordered[0])
    high = ordered[-1] + 0.500001 * (ordered[-1] - ordered[-2])
    return first, index - first, (places >= low) & (places <= high)


def _linear_in_triangles(source, target):
    """Linear between the centres of a curvilinear grid, each square of which is cut in two."""
    rows, columns = source.shape
    centres, places = source.centres.reshape(-1, 2), target.centres.reshape(-1, 2)
    usable = np.flatnonzero(source.usable)
    left = np.flatnonzero(np.isfinite(places).all(axis=1))
    around = np.full((len(places), _CENTRES_AROUND), -1)
    _, found = KDTree(centres[usable]).query(places[left], _CENTRES_AROUND)
    around[left] = usable[found]
    parts = [(np.empty(0, int), np.empty((0, 3), int), np.empty((0, 3)))]
    for number, up, right, cut in product(range(_CENTRES_AROUND), (-1, 0), (-1, 0), (0, 1)):
        row, column = np.divmod(around[left, number], columns)
        row, column = row + up, column + right
        there = (row >= 0) & (row < rows - 1) & (column >= 0) & (column < columns - 1)
        corner = (row * columns + column)[there]
        third = corner + (columns if cut else 1)
        corners = np.stack([corner, corner + columns + 1, third], axis=1)
        share = _barycentric(places[left[there]], centres[corners])
        inside = (share >= -1e-9).all(axis=1) & source.usable[corners].all(axis=1)
        parts.append((left[there][inside], corners[inside], share[inside]))
        left = np.delete(left, np.flatnonzero(there)[inside])
    done, corners, share = map(np.concatenate, zip(*parts, strict=True))
    linear = _matrix(np.repeat(done, 3), corners.ravel(), share.ravel(), _cells(target, source))
    elsewhere = np.ones(len(places))
    elsewhere[done] = 0.0
    return sparse.csr_array(linear + sparse.diags_array(elsewhere) @ nearest(source, target))


def _barycentric(places, triangles):
    """Shares of the corners ``(n, 3, 2)`` in places ``(n, 2)``, NaN in a triangle without area."""
    origin = triangles[:, 0]
    first, second, place = triangles[:, 1] - origin, triangles[:, 2] - origin, places - origin
    area = _cross(first, second)
    area = np.where(area == 0, np.nan, area)
    one, two = _cross(place, second) / area, _cross(first, place) / area
    return np.stack([1 - one - two, one, two], axis=1)


def _cross(one, other):
    return one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0]


def nearest(source, target):
    """Weight 1 of the nearest centre, where it is no farther than the corners of its cell."""
    places = target.centres.reshape(-1, 2)
    usable = np.flatnonzero(source.usable)
    known = np.flatnonzero(np.isfinite(places).all(axis=1))
    distance, index = KDTree(source.centres.reshape(-1, 2)[usable]).query(places[known])
    index = usable[index]
    inside = distance <= source.radius[index]
    shape = _cells(target, source)
    return _matrix(known[inside], index[inside], np.ones(inside.sum()), shape)
