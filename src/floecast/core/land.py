"""The ocean masks and the coastline that ship inside the package (see assets/README.md)."""

from importlib.resources import files
from math import isqrt

import numpy as np

from .errors import InputError

__all__ = ["coastline", "land_polygons", "ocean_mask"]

_MASK_PREFIX = "ocean_"


def ocean_mask(preset_name):
    """Ocean cells of a preset grid.

    Parameters
    ----------
    preset_name : str
        ``"arctic100"``, ``"arctic50"``, ``"arctic25"`` or ``"arctic12"``.

    Returns
    -------
    array of bool (ny, nx)
        True at T points in the ocean; row 0 is the smallest y, column 0 the smallest x.

    Raises
    ------
    InputError
        If there is no preset of that name.

    Notes
    -----
    A cell is ocean where less than half of it is land and where a path through cell sides joins
    it to the main ocean, so that the mask is one connected piece. In the two coarse presets the
    straits into Baffin Bay and the White Sea are opened by hand (Nares Strait at 50 km only).
    Seas that meet the main ocean only outside the square, such as the Baltic, count as land.
    """
    arrays = _read("land.npz")
    key = _MASK_PREFIX + str(preset_name)
    if key not in arrays:
        known = ", ".join(name.removeprefix(_MASK_PREFIX) for name in arrays)
        raise InputError(f"grid preset {preset_name!r} does not exist; use one of {known}")
    bits = np.unpackbits(arrays[key])
    side = isqrt(bits.size)
    return bits.reshape(side, side).astype(bool)


def coastline():
    """Coastline north of 40 degrees north on the map of EPSG:3413.

    Returns
    -------
    x, y : float32 arrays of one length
        Points of the coast [m]; NaN in both ends one line and begins the next.
    """
    arrays = _read("coastline.npz")
    return arrays["x"], arrays["y"]


def land_polygons():
    """Outlines of the land of the preset grids and a margin of 400 km, for filling a map.

    Returns
    -------
    list of float32 arrays (n, 2)
        Closed rings of x, y in EPSG:3413 [m]; none lies inside another.
    """
    arrays = _read("coastline.npz")
    points = np.column_stack([arrays["polygon_x"], arrays["polygon_y"]])
    gaps = np.flatnonzero(np.isnan(points[:, 0]))
    starts, ends = np.append(0, gaps + 1), np.append(gaps, len(points))
    return [points[start:end] for start, end in zip(starts, ends, strict=True)]


def _read(name):
    """Arrays of one of the packaged archives."""
    with files(__package__).joinpath("assets", name).open("rb") as file:
        return dict(np.load(file, allow_pickle=False))
