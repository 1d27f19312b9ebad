"""Deformation of sea ice, on model grids and between points that move with the ice.

Rates are per day; `deformation_statistics` makes numbers of them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import map_coordinates

from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.verification.weighting import Array, ratio

SECONDS_PER_DAY = 86400.0


class Deformation(NamedTuple):
    """Invariants of the strain rate.

    Attributes
    ----------
    divergence : rate of change of area over area [1/day].
    shear : root of the squared differences of stretching and of the squared shearing [1/day].
    """

    divergence: Array
    shear: Array

    @property
    def total(self) -> Array:
        """Total deformation, root of the sum of both squares [1/day]."""
        return np.hypot(self.divergence, self.shear)


class Quality(NamedTuple):
    """Limits a quadrangle must keep at the start.

    Attributes
    ----------
    tolerance : largest departure of the root of its area from the nominal side [1].
    smallest_angle, largest_angle : of its corners [degrees].
    side_ratio : largest value of height over width, or width over height, less one [1].
    """

    tolerance: float = 0.025
    smallest_angle: float = 40.0
    largest_angle: float = 140.0
    side_ratio: float = 0.5


MODEL_QUALITY = Quality()
"""For points seeded on a regular lattice, at any scale."""

RGPS_QUALITY = tuple(Quality(part) for part in (0.2, 0.1, 0.125, 0.125, 0.125, 0.125, 0.25))
"""For satellite data at 10, 20, 40, 80, 160, 320 and 640 km."""


class ScaleSample(NamedTuple):
    """Deformation at one scale.

    Attributes
    ----------
    scale : mean root of the area of the quadrangles [m]; NaN if there are none.
    deformation : rates of every quadrangle (n,).
    corners : (n, 4) indices of their points in the lattice read row by row.
    """

    scale: float
    deformation: Deformation
    corners: NDArray[np.intp]


def from_gradients(u_x: ArrayLike, u_y: ArrayLike, v_x: ArrayLike, v_y: ArrayLike) -> Deformation:
    """Invariants of a velocity gradient.

    Parameters
    ----------
    u_x, u_y, v_x, v_y : (...) derivatives of the velocity (u, v) along x and y [1/s].

    Returns
    -------
    Deformation
        Divergence ``u_x + v_y`` and shear ``sqrt((u_x - v_y)^2 + (u_y + v_x)^2)``, in 1/day.
    """
    u_x, u_y, v_x, v_y = (np.asarray(part, np.float64) for part in (u_x, u_y, v_x, v_y))
    return Deformation(
        SECONDS_PER_DAY * (u_x + v_y), SECONDS_PER_DAY * np.hypot(u_x - v_y, u_y + v_x)
    )


def _west(field: Array) -> Array:
    """Value of the western neighbour; 0 west of the domain."""
    return np.pad(field, [(0, 0)] * (field.ndim - 1) + [(1, 0)])[..., :-1]


def _south(field: Array) -> Array:
    """Value of the southern neighbour; 0 south of the domain."""
    return np.pad(field, [(0, 0)] * (field.ndim - 2) + [(1, 0), (0, 0)])[..., :-1, :]


def grid_deformation(u: ArrayLike, v: ArrayLike, grid: Grid) -> Deformation:
    """Deformation of velocities on the C grid.

    Parameters
    ----------
    u, v : (..., y, x) velocity at U and V points [m/s]; what stands on a coast is taken as 0.
    grid : Grid

    Returns
    -------
    Deformation
        (..., y, x) at T points; NaN on land and in cells without a corner in the sea.

    Notes
    -----
    Divergence and stretching are differences across the cell; the shearing is the mean of the
    corners of the cell that lie in the sea, so that no rule for the coast is needed. The metric
    is that of a conformal grid: a rotation of the whole plane about the pole has no shear. All
    is of second order.
    """
    eastward = np.where(grid.mask_u, np.asarray(u, np.float64), 0.0)
    northward = np.where(grid.mask_v, np.asarray(v, np.float64), 0.0)
    flux_x, flux_y = eastward * grid.dx_u, northward * grid.dx_v
    divergence = (flux_x - _west(flux_x) + flux_y - _south(flux_y)) / grid.area
    turn_x, turn_y = eastward / grid.dx_u, northward / grid.dx_v
    stretching = turn_x - _west(turn_x) - turn_y + _south(turn_y)
    shearing = np.zeros_like(turn_x)
    shearing[..., :-1, :-1] = (
        np.diff(turn_x, axis=-2)[..., :-1] + np.diff(turn_y, axis=-1)[..., :-1, :]
    )
    corners = np.asarray(grid.mask_f, np.float64)
    shearing = ratio(_four_corners(shearing * corners), _four_corners(corners))
    nowhere = np.where(grid.mask_t & np.isfinite(shearing), 0.0, np.nan)
    return Deformation(
        SECONDS_PER_DAY * divergence + nowhere,
        SECONDS_PER_DAY * np.hypot(stretching, shearing) + nowhere,
    )


def _four_corners(field: Array) -> Array:
    return field + _west(field) + _south(field) + _west(_south(field))


def follow(points: ArrayLike, u: ArrayLike, v: ArrayLike, grid: Grid, dt: float) -> Array:
    """Carry points with the ice.

    Parameters
    ----------
    points : (..., 2) positions x, y on the plane of the grid [m].
    u, v : (time, y, x) velocity at U and V points, each the mean over one interval [m/s].
    grid : Grid
    dt : length of an interval [s].

    Returns
    -------
    (time + 1, ..., 2) array
        Positions at the start and after every interval [m]; NaN for points that start on land.

    Notes
    -----
    Midpoint rule, bilinear in space with 0 on coasts: of second order away from them.
    """
    x_edges, y_edges = grid.edges()
    origin = np.array([x_edges[0], y_edges[0]])
    size = np.array(grid.shape)
    points = np.asarray(points, np.float64)
    cell = np.floor((points - origin) / grid.spacing)
    with np.errstate(invalid="ignore"):
        column, row = np.nan_to_num(cell[..., 0], nan=-1), np.nan_to_num(cell[..., 1], nan=-1)
    inside = (row >= 0) & (row < size[0]) & (column >= 0) & (column < size[1])
    row, column = (np.where(inside, part, 0).astype(int) for part in (row, column))
    at_sea = inside & np.asarray(grid.mask_t)[row, column]
    points = np.where(at_sea[..., None], points, np.nan)

    # Faces from the western and southern walls on; speed over the plane, not over the Earth.
    speed_u = np.where(grid.mask_u, np.asarray(u) * grid.spacing / grid.dx_u, 0.0)
    speed_v = np.where(grid.mask_v, np.asarray(v) * grid.spacing / grid.dx_v, 0.0)
    speed_u = np.pad(speed_u, [(0, 0), (0, 0), (1, 0)])
    speed_v = np.pad(speed_v, [(0, 0), (1, 0), (0, 0)])

    def velocity(index: int, where: Array) -> Array:
        x, y = np.moveaxis(np.nan_to_num((where - origin) / grid.spacing), -1, 0)
        options = {"order": 1, "mode": "nearest"}
        along_x = map_coordinates(speed_u[index], [y - 0.5, x], **options)
        along_y = map_coordinates(speed_v[index], [y, x - 0.5], **options)
        return np.stack([along_x, along_y], axis=-1)

    track = [points]
    for index in range(len(speed_u)):
        halfway = track[-1] + 0.5 * dt * velocity(index, track[-1])
        track.append(track[-1] + dt * velocity(index, halfway))
    return np.stack(track)


def quad_deformation(start: ArrayLike, end: ArrayLike, interval: ArrayLike) -> Deformation:
    """Deformation of polygons from the displacement of their corners.

    Parameters
    ----------
    start, end : (..., corner, 2) positions, counter-clockwise [m].
    interval : scalar or (..., corner) time between the two positions [s].

    Returns
    -------
    Deformation
        (...) per day.

    Notes
    -----
    Line integrals of the velocity around the polygon, ``u_x = sum (u_k+1 + u_k)
    (y_k+1 - y_k) / 2 A`` and likewise for the other three, with the positions at mid-time, the
    velocity of each corner over its own interval and the area A of the start. A rotation by any
    angle then has no shear and no divergence, and the divergence is the exact change of area
    over A and the interval.
    """
    start, end = np.asarray(start, np.float64), np.asarray(end, np.float64)
    interval = np.broadcast_to(np.asarray(interval, np.float64), start.shape[:-1])
    velocity = (end - start) / interval[..., None]
    middle = 0.5 * (start + end)
    pairs = velocity + np.roll(velocity, -1, axis=-2)
    along = np.roll(middle, -1, axis=-2) - middle
    # integral[..., component of velocity, coordinate]
    integral = np.einsum("...ki,...kj->...ij", pairs, along)
    gradient = ratio(integral, 2 * _area(start)[..., None, None])
    u_x, u_y = gradient[..., 0, 1], -gradient[..., 0, 0]
    v_x, v_y = gradient[..., 1, 1], -gradient[..., 1, 0]
    return from_gradients(u_x, u_y, v_x, v_y)


def _area(corners: Array) -> Array:
    following = np.roll(corners, -1, axis=-2)
    cross = corners[..., 0] * following[..., 1] - corners[..., 1] * following[..., 0]
    return 0.5 * cross.sum(axis=-1)


def good_quads(
    corners: ArrayLike, side: float, quality: Quality = MODEL_QUALITY
) -> NDArray[np.bool_]:
    """Which quadrangles are fit for a scale.

    Parameters
    ----------
    corners : (..., 4, 2) positions at the start, counter-clockwise [m].
    side : nominal root of the area [m].
    quality : limits.

    Returns
    -------
    (...) bool
        False also where a corner is not finite, the order is clockwise or the shape not convex.
    """
    corners = np.asarray(corners, np.float64)
    finite = np.isfinite(corners).all(axis=(-2, -1))
    corners = np.where(finite[..., None, None], corners, 0.0)
    ahead = np.roll(corners, -1, axis=-2) - corners
    behind = np.roll(corners, 1, axis=-2) - corners
    cross = ahead[..., 0] * behind[..., 1] - ahead[..., 1] * behind[..., 0]
    angle = np.degrees(np.arctan2(cross, (ahead * behind).sum(axis=-1))) % 360
    length = np.hypot(ahead[..., 0], ahead[..., 1])
    width, height = length[..., 0] + length[..., 2], length[..., 1] + length[..., 3]
    larger, smaller = np.maximum(width, height), np.minimum(width, height)
    departure = np.abs(np.sqrt(np.maximum(_area(corners), 0.0)) / side - 1)
    # Room for round-off, so that a limit that is met exactly is kept.
    slack = 1e-9
    return (
        finite
        & (departure <= quality.tolerance + slack)
        & (angle.min(axis=-1) >= quality.smallest_angle - slack)
        & (angle.max(axis=-1) <= quality.largest_angle + slack)
        & (larger <= (1 + quality.side_ratio + slack) * smaller)
    )


def lattice_quads(
    shape: tuple[int, int], step: int, *, stride: int | None = None, rotated: bool = False
) -> NDArray[np.intp]:
    """Quadrangles seeded on a lattice of points.

    Parameters
    ----------
    shape : rows and columns of the lattice.
    step : points from one corner to the next, along rows and columns; along diagonals if
        `rotated`.
    stride : points from one quadrangle to the next; `step` if left out, so that they tile.
    rotated : turn the quadrangles by 45 degrees; they are sqrt(2) larger.

    Returns
    -------
    (n, 4) int
        Indices of the corners in the lattice read row by row, counter-clockwise if rows ascend
        with y and columns with x.

    Raises
    ------
    InputError
        A step or stride below 1.
    """
    stride = step if stride is None else stride
    if step < 1 or stride < 1:
        raise InputError(f"step, stride: {step}, {stride}; expected whole numbers of at least 1")
    if rotated:
        corners = step * np.array([[0, 0], [1, 1], [2, 0], [1, -1]])
        room, first = (2 * step, step), step
    else:
        corners = step * np.array([[0, 0], [0, 1], [1, 1], [1, 0]])
        room, first = (step, step), 0
    rows = np.arange(0, shape[0] - room[0], stride)
    columns = np.arange(first, shape[1] - room[1], stride)
    row = rows[:, None, None] + corners[:, 0]
    column = columns[None, :, None] + corners[:, 1]
    return (row * shape[1] + column).reshape(-1, 4)


def coarse_grain(
    start: ArrayLike,
    end: ArrayLike,
    interval: ArrayLike,
    *,
    spacing: float,
    steps: Sequence[int],
    quality: Quality | Sequence[Quality] = MODEL_QUALITY,
    overlapping: bool = False,
    rotated: bool = False,
) -> list[ScaleSample]:
    """Deformation at several scales, each from quadrangles of its own size.

    Parameters
    ----------
    start, end : (row, column, 2) positions of a lattice of points at two times [m]; NaN where a
        point is missing or not wanted, as within 100 km of a coast in satellite data.
    interval : scalar or (row, column) time between the two positions [s].
    spacing : nominal distance of neighbouring points at the start [m].
    steps : the scales in units of `spacing`; 1, 2, 4, ..., 64 for 10 to 640 km from 10 km.
    quality : limits, one for all scales or one for each.
    overlapping : seed a quadrangle at every point in place of a tiling: more of them at coarse
        scales, but not independent, and with more weight on the middle of the lattice.
    rotated : turn the quadrangles by 45 degrees. Exponents depend on the frame (Beaudry and
        Tremblay 2026): give both.

    Returns
    -------
    list of ScaleSample
        One a step.

    Raises
    ------
    InputError
        The two positions differ in shape, or there is not one quality for each scale.

    Notes
    -----
    Only the four corners of a quadrangle are read, as in buoy and satellite data followed at that
    scale; nothing is averaged. What opens and closes between the corners cancels.
    """
    start, end = np.asarray(start, np.float64), np.asarray(end, np.float64)
    if start.shape != end.shape or start.ndim != 3 or start.shape[-1] != 2:
        raise InputError(
            f"start, end: shapes {start.shape} and {end.shape}; expected (row, column, 2) twice"
        )
    qualities = [quality] * len(steps) if isinstance(quality, Quality) else list(quality)
    if len(qualities) != len(steps):
        raise InputError(f"quality: {len(qualities)} for {len(steps)} scales; expected one each")
    shape = start.shape[:2]
    interval = np.broadcast_to(np.asarray(interval, np.float64), shape).reshape(-1)
    start, end = start.reshape(-1, 2), end.reshape(-1, 2)
    samples = []
    for step, limits in zip(steps, qualities, strict=True):
        corners = lattice_quads(shape, step, stride=1 if overlapping else None, rotated=rotated)
        side = step * spacing * (np.sqrt(2) if rotated else 1.0)
        moved = np.isfinite(end[corners]).all(axis=(-2, -1))
        corners = corners[moved & good_quads(start[corners], side, limits)]
        sides = np.sqrt(_area(start[corners]))
        rates = quad_deformation(start[corners], end[corners], interval[corners])
        samples.append(ScaleSample(float(ratio(sides.sum(), sides.size)), rates, corners))
    return samples
