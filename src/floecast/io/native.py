"""The polar-stereographic grids that satellite products come on, known by heart and checked."""

from dataclasses import dataclass

import numpy as np

from floecast.core.projection import EPSG_3411, PolarStereographic
from floecast.observation.footprint import grid_position

from .grids import GridDefinition

_LENGTH = {"m": 1.0, "km": 1e3}
_NEAR = 1.0  # [m]; products print the axes of the ellipsoid with 3 to 5 decimals


@dataclass(frozen=True, eq=False)
class PolarGrid:
    """Grid of a product.

    Parameters
    ----------
    name : str
        For messages.
    projection : PolarStereographic
    x, y : (nx,), (ny,) array
        Cell centres as the files order them [m].
    """

    name: str
    projection: PolarStereographic
    x: np.ndarray
    y: np.ndarray

    @property
    def shape(self):
        """Rows and columns."""
        return len(self.y), len(self.x)

    @property
    def spacing(self):
        """Distance between centres [m]."""
        return float(abs(self.x[1] - self.x[0]))

    def geographic(self):
        """Latitude and longitude of the centres, ``(y, x)`` [degrees]."""
        return self.projection.inverse(*np.meshgrid(self.x, self.y))

    @property
    def definition(self):
        """The same for regridding."""
        crs = (
            f"+proj=stere +lat_0=90 +lat_ts={self.projection.latitude_true_scale} "
            f"+lon_0={self.projection.central_longitude} +a={self.projection.semi_major} "
            f"+b={self.projection.semi_minor} +units=m"
        )
        return GridDefinition.projected(self.x, self.y, crs)

    def on(self, grid):
        """Centres on the projected plane of a `Grid`, ``(y, x)`` each [m]."""
        return grid_position(grid, *self.geographic())

    def check(self, source, data, axis_x, axis_y):
        """Refuse a file whose axes, projection or positions are not those of this grid.

        Parameters
        ----------
        source : Source
        data : str
            A data variable, which names the grid mapping.
        axis_x, axis_y : str
            Names of the axes. Positions ``lat``, ``lon`` are checked where the file has them.

        Raises
        ------
        InputError
        """
        for name, expected in ((axis_x, self.x), (axis_y, self.y)):
            axis = source.variable(name, (name,), tuple(_LENGTH), expected.shape)
            values = source.read(axis).astype(float) * _LENGTH[source.unit(name)]
            if not np.allclose(values, expected, rtol=0, atol=_NEAR):
                source.refuse(
                    f"{name} runs from {values[0]:.0f} to {values[-1]:.0f} m, expected "
                    f"{expected[0]:.0f} to {expected[-1]:.0f} m in steps of {self.spacing:.0f} m: "
                    f"{self.name}"
                )
        self._check_projection(source, data)
        if source.has("lat", "lon"):
            self._check_positions(source, (axis_y, axis_x))

    def _check_projection(self, source, data):
        mapping = source.variable(data).attrs.get("grid_mapping")
        if not isinstance(mapping, str):
            source.refuse(f"{data} does not name its projection, expected grid_mapping")
        found = source.variable(mapping).attrs
        expected = {
            "latitude_of_projection_origin": 90.0,
            "straight_vertical_longitude_from_pole": self.projection.central_longitude,
            "standard_parallel": self.projection.latitude_true_scale,
            "semi_major_axis": self.projection.semi_major,
            "semi_minor_axis": self.projection.semi_minor,
        }
        for name, value in expected.items():
            given = found.get(name)
            if name.startswith("straight") and isinstance(given, (float, int, np.number)):
                given = (given + 180) % 360 - 180
            if not (isinstance(given, (float, int, np.number)) and abs(given - value) < _NEAR / 10):
                source.refuse(f"{mapping} has {name} {given}, expected {value}: {self.name}")

    def _check_positions(self, source, dims):
        latitude = source.numbers("lat", dims, "degrees_north", within=(0, 90))
        longitude = source.numbers("lon", dims, "degrees_east", within=(-180, 360))
        x, y = self.projection.forward(latitude, longitude)
        distance = np.hypot(x - self.x, y - self.y[:, None]).max()
        if distance > 0.05 * self.spacing:
            source.refuse(
                f"lat, lon lie up to {distance / 1e3:.1f} km from {' and '.join(dims)}: the file "
                f"is mislabelled, expected agreement on {self.name}"
            )


def _axis(first, step, number):
    return first + step * np.arange(number)


NSIDC_25KM = PolarGrid(
    "the NSIDC polar-stereographic grid of 25 km (EPSG:3411)",
    EPSG_3411,
    _axis(-3837500.0, 25e3, 304),
    _axis(5837500.0, -25e3, 448),
)
NSIDC_6KM = PolarGrid(
    "the NSIDC polar-stereographic grid of 6.25 km (EPSG:3411)",
    EPSG_3411,
    _axis(-3846875.0, 6250.0, 1216),
    _axis(5846875.0, -6250.0, 1792),
)
NSIDC_3KM = PolarGrid(
    "the NSIDC polar-stereographic grid of 3.125 km (EPSG:3411)",
    EPSG_3411,
    _axis(-3848437.5, 3125.0, 2432),
    _axis(5848437.5, -3125.0, 3584),
)
OSISAF_62KM = PolarGrid(
    "the OSI SAF polar-stereographic grid of 62.5 km (EPSG:3411)",
    EPSG_3411,
    _axis(-3750e3, 62.5e3, 119),
    _axis(5750e3, -62.5e3, 177),
)
# Geometry inferred from the data, which come without any: a fraction of a cell is uncertain.
KIMURA_60KM = PolarGrid(
    "the polar-stereographic grid of 60 km of the Kimura drift (central meridian 0)",
    PolarStereographic(70.0, 0.0, EPSG_3411.semi_major, EPSG_3411.semi_minor),
    _axis(4320e3, -60e3, 145),
    _axis(-4320e3, 60e3, 145),
)
