"""Where the cells of a weather file lie, and along which axes its wind is given."""

from dataclasses import dataclass

import numpy as np
import pyproj

from .grids import GridDefinition

_AXES = (("latitude", "lat", "yt", "y"), ("longitude", "lon", "xt", "x"))
_UNITS = ("degrees_north", "degrees_east")
_BOUNDS = ((-90, 90), (-180, 360))
# Degrees beyond the grid that interpolation needs.
_MARGIN = 5.0
# A file may place its cells so far from where its projection does, over their spacing.
_MISPLACED = 0.1
# Names and CF standard names of wind along the axes of the file's own grid, and to east and north.
_ALONG_GRID = ("x_wind", "y_wind", "grid_eastward_wind", "grid_northward_wind")
_GEOGRAPHIC = ("eastward_wind", "northward_wind")


@dataclass(frozen=True)
class Layout:
    """Cells of a weather file.

    Parameters
    ----------
    definition : GridDefinition
        Of the part of the file that a grid needs.
    dims : tuple of str
        Dimensions of rows and columns.
    index : dict
        That part, by dimension.
    regular : bool
        Whether rows are parallels and columns meridians.
    angle : float or (y, x) array
        From true east to the direction along the rows, counter-clockwise [rad].
    """

    definition: GridDefinition
    dims: tuple[str, str]
    index: dict
    regular: bool
    angle: float | np.ndarray = 0.0

    def fits(self, other):
        """Whether another file has the same cells."""
        return self.dims == other.dims and self.definition == other.definition

    def spacing(self):
        """Typical distance between neighbours [m]."""
        centres = self.definition.centres
        return float(np.nanmedian(np.hypot(*np.moveaxis(np.diff(centres, axis=1), -1, 0))))


def layout_of(source, grid):
    """Cells of a file, as far as a grid needs them.

    Parameters
    ----------
    source : Source
    grid : Grid

    Returns
    -------
    Layout

    Raises
    ------
    InputError
        If the file does not say where its cells lie, or says it wrongly.
    """
    axes = regular_axes(source)
    if axes is not None:
        dims = tuple(source.variable(name).dims[0] for name in axes)
        return _regular(source, axes, dims, _axis_values(source, axes), grid)
    told = _told_by_grib(source)
    if told is not None:
        return _regular(source, *told, grid)  # type: ignore[call-arg]
    if _has_plane(source):
        return _projected(source)
    return _curvilinear(source)


def regular_axes(source):
    """Names of one-dimensional latitudes and longitudes; None if the file has none."""
    for names in zip(*_AXES[:2], strict=True):
        if source.has(*names) and all(len(source.variable(name).dims) == 1 for name in names):
            units = [source.unit(name) for name in names]
            if names not in (("y", "x"), ("yt", "xt")) or units == list(_UNITS):
                return names
    return None


def is_spatial(source, name):
    """Whether a variable has two dimensions of space."""
    other = ("time", "valid_time", "step", "number", "expver", "buoyID", "ensemble_member")
    dims = [dim for dim in source.variable(name).dims if dim not in other]
    return len([dim for dim in dims if not dim.startswith(("height", "surface"))]) >= 2


def wind_angle(components, layout):
    """Angle from true east to the axis along which the first component of the wind is given [rad].

    Parameters
    ----------
    components : list of (Source, str)
        Files and names of both components.
    layout : Layout

    Raises
    ------
    InputError
        If the rows of the file are no parallels and it does not tell the axes of its wind, or the
        components disagree.
    """
    if layout.regular:
        return 0.0
    told = {_axes_of_wind(source, name) for source, name in components}
    if told == {"grid"}:
        return layout.angle
    if told == {"geographic"}:
        return 0.0
    names = ", ".join(dict.fromkeys(name for _, name in components))
    components[0][0].refuse(
        f"does not tell whether {names} are along the axes of its grid or to the east and north, "
        "expected the attribute standard_name: x_wind, y_wind or eastward_wind, northward_wind"
    )


def _axes_of_wind(source, name):
    attributes = source.variable(name).attrs
    if "GRIB_uvRelativeToGrid" in attributes:
        return "grid" if int(attributes["GRIB_uvRelativeToGrid"]) else "geographic"
    standard = attributes.get("standard_name", "")
    if standard in _ALONG_GRID or name.startswith(("x_wind", "y_wind")):
        return "grid"
    return "geographic" if standard in _GEOGRAPHIC else None


def _axis_values(source, names):
    """Values of axes; units may be left out."""
    return [
        source.numbers(name, unit=_unit(source, name, unit), within=bounds)
        for name, unit, bounds in zip(names, _UNITS, _BOUNDS, strict=True)
    ]


def _unit(source, name, unit):
    """The unit that a variable must have; None if it tells none."""
    return unit if "units" in source.variable(name).attrs else None


def _told_by_grib(source):
    """Axes without coordinates, from what conversion from GRIB has left; None if nothing."""
    names = ("latitudeOfFirst", "latitudeOfLast", "longitudeOfFirst", "longitudeOfLast")
    keys = [f"GRIB_{name}GridPointInDegrees" for name in names]
    for dims in zip(*_AXES[:2], strict=True):
        for variable in source.dataset.variables.values():
            if set(dims) <= set(variable.dims) and set(keys) <= set(variable.attrs):
                south, north, west, east = (float(variable.attrs[key]) for key in keys)
                if east < west:
                    east += 360.0
                rows, columns = (variable.sizes[dim] for dim in dims)
                axes = np.linspace(south, north, rows), np.linspace(west, east, columns)
                return dims, dims, axes
    return None


def _regular(source, names, dims, axes, grid):
    latitude, longitude = axes
    longitude = np.unwrap(longitude, period=360.0) if longitude.size > 1 else longitude
    for name, values in zip(names, (latitude, longitude), strict=True):
        steps = np.diff(values)
        if values.size < 2 or not ((steps > 0).all() or (steps < 0).all()):
            source.refuse(f"{name} of {values.size} values does not only ascend or descend")
    if np.ptp(longitude) > 360 + 1e-6:
        source.refuse(f"{names[1]} goes round more than once")
    near = np.flatnonzero(latitude > grid.latitude.min() - _MARGIN)
    if near.size < 2:
        source.refuse(f"{names[0]} ends at {latitude.max():g} N, expected the Arctic")
    rows = slice(near[0], near[-1] + 1)
    definition = source.placed(GridDefinition.latlon, latitude[rows], longitude)
    return Layout(definition, dims, {dims[0]: rows}, True)


def _has_plane(source):
    return source.has("x", "y") and _mapping(source) is not None


def _mapping(source):
    """Variable that describes the projection; None if there is none."""
    for variable in source.dataset.variables.values():
        name = variable.encoding.get("grid_mapping", variable.attrs.get("grid_mapping"))
        if name is not None and source.has(str(name)):
            return source.variable(str(name))
    return None


def _projected(source):
    factors = {"m": 1.0, "km": 1e3}
    plane = []
    for name in ("x", "y"):
        source.variable(name, (name,), tuple(factors))
        factor = factors[source.unit(name)]
        plane.append(factor * source.numbers(name, within=(-2e7 / factor, 2e7 / factor)))
    crs = _crs(source, _mapping(source).attrs)
    x, y = plane
    definition = source.placed(GridDefinition.projected, x, y, crs)
    layout = Layout(definition, ("y", "x"), {}, False, _angle_on_plane(definition))
    names = _places(source)
    if names is not None:
        _compare(source, layout, names)
    return layout


def _crs(source, attributes):
    """Projection by CF, by crs_wkt or, where these are not understood, by a PROJ string."""
    attempts = [lambda: pyproj.CRS.from_cf(dict(attributes))]
    if "proj4" in attributes:
        attempts.append(lambda: pyproj.CRS.from_user_input(str(attributes["proj4"])))
    for attempt in attempts:
        try:
            return attempt().to_wkt()
        except (pyproj.exceptions.CRSError, KeyError, TypeError, ValueError):
            continue
    source.refuse(f"the projection {dict(attributes)} is not understood, expected that of CF")


def _angle_on_plane(definition):
    """Angle of the x axis, by the azimuth from a point half a cell to the left to one right."""
    crs = pyproj.CRS(definition.crs)
    x, y = np.meshgrid(definition.x, definition.y)
    half = 0.5 * abs(definition.x[1] - definition.x[0])
    project = pyproj.Proj(crs)
    ends = [project(x + shift, y, inverse=True) for shift in (-half, half)]
    geod = crs.get_geod() or pyproj.Geod(ellps="WGS84")
    forth, back, _ = geod.inv(*ends[0], *ends[1])
    return np.radians(90.0 - _mean_azimuth(forth, back + 180.0))


def _curvilinear(source):
    names = _places(source)
    if names is None:
        source.refuse(_lacking(source))
    dims = source.variable(names[0]).dims
    latitude, longitude = (
        source.numbers(name, dims, _unit(source, name, unit), within=bounds)
        for name, unit, bounds in zip(names, _UNITS, _BOUNDS, strict=True)
    )
    definition = source.placed(GridDefinition.curvilinear, latitude, longitude)
    return Layout(definition, dims, {}, False, _angle_on_earth(latitude, longitude))


def _angle_on_earth(latitude, longitude):
    """Angle of the rows by the azimuths to the neighbours on both sides."""
    geod = pyproj.Geod(ellps="sphere")
    forth, back, _ = geod.inv(
        longitude[:, :-1], latitude[:, :-1], longitude[:, 1:], latitude[:, 1:]
    )
    start, end = forth, back + 180.0  # at the left and the right point of each pair
    azimuth = np.empty(latitude.shape)
    azimuth[:, 0], azimuth[:, -1] = start[:, 0], end[:, -1]
    azimuth[:, 1:-1] = _mean_azimuth(end[:, :-1], start[:, 1:])
    return np.radians(90.0 - azimuth)


def _mean_azimuth(first, second):
    """Direction half way between two, of which one may be beyond 360 degrees."""
    return first + 0.5 * ((second - first + 180.0) % 360.0 - 180.0)


def _places(source):
    """Names of two-dimensional latitudes and longitudes; None if the file has none."""
    for names in (("latitude", "longitude"), ("lat", "lon"), ("nav_lat", "nav_lon")):
        if source.has(*names):
            dims = {source.variable(name).dims for name in names}
            if len(dims) == 1 and len(dims.pop()) == 2:
                return names
    return None


def _compare(source, layout, names):
    """Refuse places that are not where the projection puts them."""
    latitude, longitude = (
        source.numbers(name, layout.dims, within=bounds)
        for name, bounds in zip(names, _BOUNDS, strict=True)
    )
    definition = layout.definition
    told = GridDefinition.curvilinear(latitude, longitude).centres
    apart = np.hypot(*np.moveaxis(told - definition.centres, -1, 0)).max() / layout.spacing()
    if not apart < _MISPLACED:
        source.refuse(
            f"{names[0]}, {names[1]} lie up to {apart:.2g} cells from where x, y and the "
            "projection put them, expected one place for each cell"
        )


def _lacking(source):
    """What a file without places lacks, in words."""
    dims = set(source.dataset.dims)
    for pair in zip(*_AXES, strict=True):
        if set(pair) <= dims:
            absent = [name for name in pair if not source.has(name)]
            if absent:
                return (
                    f"the dimensions {', '.join(pair)} have no coordinates {', '.join(absent)}, "
                    "expected the latitudes [degrees_north] and longitudes [degrees_east] of the "
                    "cells, or x and y with their projection (grid_mapping)"
                )
    return (
        "does not tell where its cells lie, expected latitudes and longitudes, or x and y with a "
        f"projection (grid_mapping); it holds {source.listing()}"
    )
