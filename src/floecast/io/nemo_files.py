"""What is NEMO's own: the mesh mask, and drift on the faces of its cells."""

import numpy as np

from .source import open_source

_PLACES = (("gphit", "glamt"), ("nav_lat", "nav_lon"))


def read_mesh(path):
    """Places and ocean of a mesh mask.

    Parameters
    ----------
    path : path-like
        ``mesh_mask.nc``: `gphit`, `glamt` and `tmask`, and `tmaskutil` where cells stand twice.

    Returns
    -------
    latitude, longitude : (y, x) array
        T points [degrees].
    ocean : (y, x) bool array
        Of the surface.

    Raises
    ------
    InputError
        If something is missing or the shapes differ.
    """
    with open_source(path) as source:
        names = next((pair for pair in _PLACES if source.has(*pair)), _PLACES[0])
        latitude = _surface(source, names[0], (-90, 90))
        longitude = _surface(source, names[1], (-360, 720))
        ocean = _surface(source, "tmask", (0, 1)) > 0.5
        if source.has("tmaskutil"):
            ocean &= _surface(source, "tmaskutil", (0, 1)) > 0.5
        for name, field in ((names[1], longitude), ("tmask", ocean)):
            if field.shape != latitude.shape:
                source.refuse(f"{name} has shape {field.shape}, expected {latitude.shape}")
    return latitude, longitude, ocean


def _surface(source, name, within):
    """First entry along all dimensions but the last two."""
    dims = source.variable(name).dims
    if len(dims) < 2:
        source.refuse(f"{name} has dimensions {dims}, expected y and x at the end")
    first = {dim: 0 for dim in dims[:-2]}
    return source.numbers(name, within=within, **first)


def faces_to_centres(u, v):
    """Components at the centres of cells, from those at their east and north faces.

    Parameters
    ----------
    u, v : (..., y, x) array
        U(j, i) on the east face of T(j, i), V(j, i) on its north face; NaN on a coast, where
        nothing moves.

    Returns
    -------
    u, v : (..., y, x) array
        Means of the two faces; that of the one there is in the first column and row.
    """
    u, v = np.nan_to_num(u), np.nan_to_num(v)
    before_u = np.concatenate([u[..., :, :1], u[..., :, :-1]], axis=-1)
    before_v = np.concatenate([v[..., :1, :], v[..., :-1, :]], axis=-2)
    return 0.5 * (u + before_u), 0.5 * (v + before_v)
