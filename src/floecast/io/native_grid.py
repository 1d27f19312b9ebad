"""The grid of a product, as its file tells it: axes and projection, positions, or both."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyproj

from floecast.observation.footprint import grid_position

from .grids import GridDefinition
from .source import Source

_LENGTH = {"m": 1.0, "km": 1e3}
_POSITIONS = (("lat", "lon"), ("latitude", "longitude"), ("Latitudes", "Longitudes"))
# Positions that lie farther from the axes belong to another grid [cells]. Some products tell the
# ellipsoid of 1980 with positions of the new one, which is up to 0.15 km.
_FAR = 0.1
_SOUTHERN = 30.0
_EVEN = 2e-3
_EARTH = pyproj.Geod(ellps="WGS84")


@dataclass(frozen=True, eq=False)
class NativeGrid:
    """Cells of a product.

    Parameters
    ----------
    definition : GridDefinition
    spacing : float
        Distance between centres [m].
    meridian : float or None
        That points along the negative y axis of a polar map [degrees east]; None where the file
        tells positions alone.
    """

    definition: GridDefinition
    spacing: float
    meridian: float | None

    @property
    def shape(self):
        """Rows and columns."""
        return self.definition.shape

    @cached_property
    def longitude(self):
        """Longitudes of the centres, ``(y, x)`` [degrees]."""
        return self.definition.longitude

    def on(self, grid):
        """Centres on the projected plane of a `Grid`, ``(y, x)`` each [m]."""
        return grid_position(grid, self.definition.latitude, self.longitude)


def read_grid(source, data, spacings=None):
    """Grid of a variable.

    Parameters
    ----------
    source : Source
    data : str
        Whose last two dimensions are those of the grid.
    spacings : sequence of float, optional
        Distances between cells that the product comes with [m].

    Returns
    -------
    NativeGrid

    Raises
    ------
    InputError
        If the file tells no positions, those it tells disagree, they are not in the north, or the
        cells have another size.
    """
    dims = source.variable(data).dims[-2:]
    if len(dims) < 2:
        source.refuse(f"{data} has dimensions {dims}, expected y and x at the end")
    shape = source.variable(data).shape[-2:]
    if min(shape) < 2:
        source.refuse(f"{data} has {shape} cells, expected a grid")
    axes = [_axis(source, dim) for dim in dims]
    crs, meridian = _projection(source, data)
    places = next((pair for pair in _POSITIONS if source.has(*pair)), None)
    positions = None if places is None else _positions(source, places, dims)
    if crs is not None and axes[0] is not None and axes[1] is not None:
        definition = source.placed(GridDefinition.projected, axes[1], axes[0], crs)
        spacing = abs(float(np.median(np.diff(axes[1]))))
        if positions is not None:
            _agree(source, definition, positions, places, spacing)
    elif positions is not None:
        latitude, longitude = positions
        if np.isnan(latitude).any():
            source.refuse(f"{places[0]} misses values and no axes stand for them")  # type: ignore[index]
        definition = source.placed(GridDefinition.curvilinear, latitude, longitude)
        meridian = None
        spacing = _step(latitude, longitude)
    else:
        source.refuse(
            f"{data} tells no positions: expected axes {' and '.join(dims)} in m or km with a "
            "grid_mapping, or latitude and longitude of each cell"
        )
    northernmost = float(np.nanmax(definition.latitude))
    if northernmost < _SOUTHERN:
        source.refuse(f"lies south of {northernmost:.0f} degrees north, expected the Arctic")
    # True distances differ from those on a map by its scale.
    close = 0.02 if crs is not None else 0.08
    if spacings is not None and not np.isclose(spacing, spacings, rtol=close).any():
        known = ", ".join(f"{one / 1e3:g}" for one in spacings)
        source.refuse(f"cells of {data} are {spacing / 1e3:.3g} km apart, expected {known} km")
    return NativeGrid(definition, spacing, meridian)


def _axis(source, dim):
    """Places along a dimension [m]; None where there are none in m or km."""
    for name in (dim, f"{dim}grid"):
        if source.has(name) and source.variable(name).dims == (dim,):
            if source.unit(name) not in _LENGTH:
                continue
            values = source.numbers(name, within=(-2e7, 2e7)) * _LENGTH[source.unit(name)]
            steps = np.diff(values)
            if np.abs(steps - steps.mean()).max(initial=0) > _EVEN * abs(steps.mean()) + 1:
                source.refuse(f"{name} is not evenly spaced, expected the axis of a map")
            return values
    return None


def _projection(source: Source, data):
    """Projection as pyproj has it and the meridian downwards, None where the file tells none."""
    named = source.variable(data).attrs.get("grid_mapping")
    mapped = [
        name
        for name, variable in source.dataset.variables.items()
        if "grid_mapping_name" in variable.attrs or "proj4_string" in variable.attrs
    ]
    if isinstance(named, str) and named not in source.dataset.variables:
        source.refuse(f"variable {named} is missing, which {data} names as its grid_mapping")
    name = named if isinstance(named, str) else next(iter(mapped), None)
    if name is None:
        return None, None
    told = dict(source.variable(name).attrs)
    try:
        crs = pyproj.CRS.from_cf(_plain(told))
    except (pyproj.exceptions.CRSError, KeyError, TypeError, ValueError):
        crs = None
    if crs is None or not crs.is_projected:
        source.refuse(f"{name} tells no map projection that is known, expected that of {data}")
    parameters = crs.to_cf()
    meridian = parameters.get(
        "straight_vertical_longitude_from_pole", parameters.get("longitude_of_projection_origin")
    )
    return crs.to_wkt(), None if meridian is None else float(meridian)


def _plain(attributes):
    """Attributes without NumPy's scalars; the WKT of some products is not that of their axes."""
    numbers = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in attributes.items()
    }
    return {
        name: value
        for name, value in numbers.items()
        if name not in ("crs_wkt", "spatial_ref") and isinstance(value, (int, float, str))
    }


def _positions(source, names, dims):
    units: tuple[str | None, ...] = ("degrees_north", "degrees_east")
    bounds = (-90, 90), (-360, 720)
    if names[0] == "Latitudes" and source.variable(names[0]).attrs.get("units") is None:
        units = (None, None)  # as in the grid files of Bremen
    return [
        source.numbers(name, dims, unit, within=within, gaps=True)
        for name, unit, within in zip(names, units, bounds, strict=True)
    ]


def _agree(source, definition, positions, names, spacing):
    latitude, longitude = positions
    known = np.isfinite(latitude) & np.isfinite(longitude)
    if known.mean() < 0.5:
        return
    *_, far = _EARTH.inv(
        longitude[known],
        latitude[known],
        definition.longitude[known],
        definition.latitude[known],
    )
    if np.max(far) > _FAR * spacing:
        source.refuse(
            f"{' and '.join(names)} lie up to {np.max(far) / 1e3:.1f} km from the axes and their "
            "projection: the file is mislabelled, expected agreement"
        )


def _step(latitude, longitude):
    """Typical distance between columns [m]."""
    row = latitude.shape[0] // 2
    lat, lon = latitude[row], longitude[row]
    return float(np.median(_EARTH.inv(lon[:-1], lat[:-1], lon[1:], lat[1:])[2]))
