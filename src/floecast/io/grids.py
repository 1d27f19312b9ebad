"""Where the cells of a source or target of regridding lie, on any grid of the Arctic."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyproj

from floecast.core.errors import InputError

_EQUAL_AREA = pyproj.Proj("+proj=laea +lat_0=90 +lon_0=0 +ellps=WGS84")


@dataclass(frozen=True, eq=False)
class GridDefinition:
    """Cells of a grid; make it with `projected`, `latlon`, `curvilinear` or `of`.

    Parameters
    ----------
    x, y : (nx,) and (ny,) array, or both (ny, nx)
        Cell centres: projected [m], or longitude and latitude [degrees].
    crs : str or None
        Projection of `x` and `y` as pyproj takes it; ``"latlon"`` for longitude and latitude;
        None for the flat plane of a box.

    Notes
    -----
    Geometry is done on one plane, the Lambert azimuthal equal-area map of the north pole (EASE-Grid
    2.0, EPSG:6931), where the pole and the date line are ordinary places and the area of a polygon
    is that on the ellipsoid. The sides of cells are taken as straight there. Latitudes of other
    ellipsoids and of spheres are taken as they are, without a change of datum.
    """

    x: np.ndarray
    y: np.ndarray
    crs: str | None

    @classmethod
    def projected(cls, x, y, crs):
        """Rectangular grid on a map.

        Parameters
        ----------
        x, y : (nx,), (ny,) array
            Centres [m], ascending or descending.
        crs : str or int
            ``"EPSG:3411"``, 3411, a PROJ string or WKT.

        Raises
        ------
        InputError
            If an axis is not monotonic or the projection is unknown.
        """
        try:
            known = pyproj.CRS.from_user_input(crs)
        except pyproj.exceptions.CRSError as error:
            reason = str(error).partition("\n")[0]
            raise InputError(f"projection {crs!r} is not understood: {reason}") from None
        if not known.is_projected:
            raise InputError(f"{crs!r} is no map projection; use latlon or curvilinear")
        return cls(_axis(x, "x"), _axis(y, "y"), known.to_wkt())

    @classmethod
    def latlon(cls, latitude, longitude):
        """Regular grid of ``(nlat,)`` latitudes and ``(nlon,)`` longitudes [degrees].

        Raises
        ------
        InputError
            If an axis is not monotonic.
        """
        return cls(_axis(longitude, "longitude"), _axis(latitude, "latitude"), "latlon")

    @classmethod
    def curvilinear(cls, latitude, longitude):
        """Grid of rows and columns with centres at ``(ny, nx)`` `latitude`, `longitude` [degrees].

        Raises
        ------
        InputError
            If the two differ in shape or are not two-dimensional.
        """
        latitude, longitude = np.asarray(latitude, float), np.asarray(longitude, float)
        if latitude.shape != longitude.shape or latitude.ndim != 2 or min(latitude.shape) < 2:
            raise InputError(
                f"latitude {latitude.shape} and longitude {longitude.shape} must be (ny, nx) alike"
            )
        return cls(longitude, latitude, "latlon")

    @classmethod
    def of(cls, grid):
        """Cells of a `Grid`; a `GridDefinition` is given back."""
        if isinstance(grid, cls):
            return grid
        if grid.epsg is None:
            return cls(_axis(grid.x, "x"), _axis(grid.y, "y"), None)
        return cls.projected(grid.x, grid.y, grid.epsg)

    @property
    def shape(self):
        """Rows and columns."""
        return self.x.shape if self.x.ndim == 2 else (len(self.y), len(self.x))

    @property
    def has_map(self):
        """Whether `x` and `y` are axes on a plane, projected or flat."""
        return self.crs != "latlon"

    @cached_property
    def longitude(self):
        """Longitudes of the centres, ``(ny, nx)`` [degrees]."""
        return self._geographic(*self._mesh())[0]

    @cached_property
    def latitude(self):
        """Latitudes of the centres, ``(ny, nx)`` [degrees]."""
        return self._geographic(*self._mesh())[1]

    @cached_property
    def centres(self):
        """Centres on the equal-area plane, ``(ny, nx, 2)`` [m]."""
        return self._plane(*self._mesh())

    @cached_property
    def corners(self):
        """Corners of the cells on the equal-area plane, ``(ny + 1, nx + 1, 2)`` [m]."""
        if self.x.ndim == 2:
            # Half way between four centres; those of the outer cells by extrapolation.
            padded = self.centres
            for axis in (0, 1):
                padded = np.moveaxis(padded, axis, 0)
                outer = 2 * padded[[0, -1]] - padded[[1, -2]]
                padded = np.moveaxis(np.concatenate([outer[:1], padded, outer[1:]]), 0, axis)
            return (padded[1:, 1:] + padded[1:, :-1] + padded[:-1, 1:] + padded[:-1, :-1]) / 4
        y = _edges(self.y)
        if not self.has_map:
            y = np.clip(y, -90, 90)
        return self._plane(*np.meshgrid(_edges(self.x), y))

    @cached_property
    def cells(self):
        """Corners of each cell, counter-clockwise on the plane, ``(ny * nx, 4, 2)`` [m]."""
        c = self.corners
        cells = np.stack([c[:-1, :-1], c[:-1, 1:], c[1:, 1:], c[1:, :-1]], axis=2).reshape(-1, 4, 2)
        clockwise = polygon_area(cells) < 0
        cells[clockwise] = cells[clockwise, ::-1]
        return cells

    @cached_property
    def radius(self):
        """Distance from the centre of a cell to its farthest corner, ``(ny * nx,)`` [m]."""
        offset = self.cells - self.centres.reshape(-1, 1, 2)
        return np.hypot(offset[..., 0], offset[..., 1]).max(axis=1)

    @cached_property
    def usable(self):
        """Cells ``(ny * nx,)`` with a place, not torn apart as unused ones of model grids are."""
        return self.radius <= 10 * np.nanmedian(self.radius)

    @cached_property
    def area(self):
        """True areas of the cells, ``(ny, nx)`` [m2]."""
        return polygon_area(self.cells).reshape(self.shape)

    @cached_property
    def digest(self):
        """Fingerprint of the definition."""
        text = hashlib.sha256(repr((self.crs, self.x.shape, self.y.shape)).encode())
        for array in (self.x, self.y):
            text.update(np.ascontiguousarray(array).tobytes())
        return text.hexdigest()

    def __eq__(self, other):
        return isinstance(other, GridDefinition) and self.digest == other.digest

    def __hash__(self):
        return hash(self.digest)

    def seen_from(self, other):
        """Own centres in the coordinates of `other`: x, y ``(ny, nx)``."""
        if self.crs == other.crs:
            return self._mesh()
        if not other.has_map:
            return self.longitude, self.latitude
        return pyproj.Proj(other.crs)(self.longitude, self.latitude)

    def _mesh(self):
        return (self.x, self.y) if self.x.ndim == 2 else np.meshgrid(self.x, self.y)

    def _geographic(self, x, y):
        if self.crs is None:
            raise InputError("a flat box has no longitudes and latitudes; both grids must be flat")
        return (x, y) if self.crs == "latlon" else pyproj.Proj(self.crs)(x, y, inverse=True)

    def _plane(self, x, y):
        if self.crs is not None:
            x, y = _EQUAL_AREA(*self._geographic(x, y))
        places = np.stack([x, y], axis=-1)
        return np.where(np.isfinite(places), places, np.nan)  # the antipode is at infinity


def polygon_area(polygons):
    """Areas of polygons ``(n, k, 2)``, positive if their corners run counter-clockwise."""
    x, y = np.moveaxis(polygons - polygons[:, :1], -1, 0)
    return 0.5 * np.sum(x * np.roll(y, -1, axis=1) - np.roll(x, -1, axis=1) * y, axis=1)


def _axis(values, name):
    values = np.asarray(values, float)
    steps = np.diff(values)
    if values.ndim != 1 or len(values) < 2 or not ((steps > 0).all() or (steps < 0).all()):
        raise InputError(
            f"the axis {name} of shape {values.shape} must hold at least two values that only "
            "ascend or only descend"
        )
    return values


def _edges(centres):
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate(
        [[1.5 * centres[0] - 0.5 * centres[1]], middle, [1.5 * centres[-1] - 0.5 * centres[-2]]]
    )
