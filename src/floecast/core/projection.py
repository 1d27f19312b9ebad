"""North polar stereographic projection of the ellipsoid, and rotation of vectors to its axes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "EPSG_3411",
    "EPSG_3413",
    "PolarStereographic",
    "rotate_to_east_north",
    "rotate_to_grid",
]

FloatArray = NDArray[np.float64]

# The fixed-point iteration for the latitude gains a factor 1/eccentricity^2 (about 150) a turn.
_LATITUDE_ITERATIONS = 10


@dataclass(frozen=True)
class PolarStereographic:
    """Conformal map of the northern hemisphere's ellipsoid, true to scale on one parallel.

    Parameters
    ----------
    latitude_true_scale : float
        Parallel on which the scale factor is one [degrees north].
    central_longitude : float
        Meridian that points along the negative y axis [degrees east].
    semi_major, semi_minor : float
        Axes of the ellipsoid [m].

    Notes
    -----
    The pole is the origin; there is no false easting or northing (variant B). Arguments and
    results of the methods are float64 arrays, broadcast like any NumPy function.

    References
    ----------
    Snyder, J. P. (1987), Map Projections: A Working Manual, US Geological Survey Professional
    Paper 1395, section 21, equations 7-9, 14-15, 15-9, 20-16 to 20-18, 21-30 to 21-34,
    doi:10.3133/pp1395.
    """

    latitude_true_scale: float
    central_longitude: float
    semi_major: float
    semi_minor: float

    @property
    def eccentricity(self) -> float:
        """First eccentricity of the ellipsoid [1]."""
        return float(np.sqrt(1.0 - (self.semi_minor / self.semi_major) ** 2))

    def forward(self, latitude: ArrayLike, longitude: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Projected position of a geographic one.

        Parameters
        ----------
        latitude, longitude : array
            Geodetic latitude [degrees north] and longitude [degrees east], any range.

        Returns
        -------
        x, y : array
            Position on the map [m]; x grows towards ``central_longitude + 90`` degrees.
        """
        colatitude = np.radians(90.0 - np.asarray(latitude, dtype=np.float64))
        turn = self._turn(longitude)
        radius = (
            self._radius_per_tangent() * np.tan(0.5 * colatitude) / self._flattening(colatitude)
        )
        return radius * np.sin(turn), -radius * np.cos(turn)

    def inverse(self, x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Geographic position of a projected one.

        Parameters
        ----------
        x, y : array
            Position on the map [m].

        Returns
        -------
        latitude, longitude : array
            Geodetic latitude [degrees north] and longitude in [-180, 180) [degrees east]; the
            pole is given the central longitude.
        """
        x = np.asarray(x, dtype=np.float64)
        # Adding zero turns -0.0 into 0.0, which would send the pole's longitude half a turn away.
        y_down = 0.0 - np.asarray(y, dtype=np.float64)
        tangent = np.hypot(x, y_down) / self._radius_per_tangent()
        colatitude = 2.0 * np.arctan(tangent)
        for _ in range(_LATITUDE_ITERATIONS):
            colatitude = 2.0 * np.arctan(tangent * self._flattening(colatitude))
        longitude = self.central_longitude + np.degrees(np.arctan2(x, y_down))
        return 90.0 - np.degrees(colatitude), (longitude + 180.0) % 360.0 - 180.0

    def scale(self, latitude: ArrayLike) -> FloatArray:
        """Exact point scale factor: length on the map over length on the ellipsoid.

        Parameters
        ----------
        latitude : array
            Geodetic latitude [degrees north].

        Returns
        -------
        array
            Scale factor [1], the same in every direction, finite at the pole.
        """
        colatitude = np.radians(90.0 - np.asarray(latitude, dtype=np.float64))
        return self._radius_per_tangent() / self.semi_major * self._tangent_per_parallel(colatitude)

    def rotation(self, longitude: ArrayLike) -> FloatArray:
        """Angle from true east to the x axis of the map, counter-clockwise.

        Parameters
        ----------
        longitude : array
            Longitude [degrees east].

        Returns
        -------
        array
            Angle in [-pi, pi) [rad], as :func:`rotate_to_grid` takes it; it depends on the
            longitude alone.
        """
        return (np.pi - self._turn(longitude)) % (2.0 * np.pi) - np.pi

    def _turn(self, longitude: ArrayLike) -> FloatArray:
        """Longitude counted from the central one [rad]."""
        return np.radians(np.asarray(longitude, dtype=np.float64) - self.central_longitude)

    def _flattening(self, colatitude: FloatArray) -> FloatArray:
        """Factor between the half-angle tangents of geodetic and conformal colatitude (15-9)."""
        e_sine = self.eccentricity * np.cos(colatitude)
        return ((1.0 - e_sine) / (1.0 + e_sine)) ** (0.5 * self.eccentricity)

    def _tangent_per_parallel(self, colatitude: FloatArray) -> FloatArray:
        """Snyder's t over m (15-9, 14-15), regular at the pole: their common sine is cancelled."""
        cosine = np.cos(colatitude)
        parallel = np.sqrt(1.0 - (self.eccentricity * cosine) ** 2)
        return parallel / ((1.0 + cosine) * self._flattening(colatitude))

    def _radius_per_tangent(self) -> float:
        """Distance from the pole on the map for a unit of Snyder's t (21-34) [m]."""
        colatitude = np.radians(np.float64(90.0 - self.latitude_true_scale))
        return float(self.semi_major / self._tangent_per_parallel(colatitude))


def rotate_to_grid(
    east: ArrayLike, north: ArrayLike, angle: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Components of a vector along the map's axes from its east and north components.

    Parameters
    ----------
    east, north : array
        Components towards true east and true north, in any unit.
    angle : array
        Angle from true east to the x axis of the map, counter-clockwise [rad].

    Returns
    -------
    u, v : array
        Components along x and y, in the same unit.
    """
    east, north = np.asarray(east), np.asarray(north)
    cosine, sine = np.cos(angle), np.sin(angle)
    return east * cosine + north * sine, north * cosine - east * sine


def rotate_to_east_north(
    u: ArrayLike, v: ArrayLike, angle: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """East and north components of a vector given along the map's axes.

    Parameters
    ----------
    u, v : array
        Components along x and y, in any unit.
    angle : array
        Angle from true east to the x axis of the map, counter-clockwise [rad].

    Returns
    -------
    east, north : array
        Components towards true east and true north, in the same unit.
    """
    return rotate_to_grid(u, v, -np.asarray(angle))


EPSG_3413 = PolarStereographic(70.0, -45.0, 6378137.0, 6378137.0 * (1.0 - 1.0 / 298.257223563))
"""NSIDC Sea Ice Polar Stereographic North on the WGS 84 ellipsoid."""

EPSG_3411 = PolarStereographic(70.0, -45.0, 6378273.0, 6356889.449)
"""NSIDC Sea Ice Polar Stereographic North on the Hughes 1980 ellipsoid."""
