"""Regridding between any two grids, by sparse weights that know of land and gaps."""

import os
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import sparse

from floecast.core.atomic import replacing
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.npz import read_arrays
from floecast.core.projection import rotate_to_grid

from .grids import GridDefinition
from .weights import bilinear, conservative, nearest

METHODS = {"conservative": conservative, "bilinear": bilinear, "nearest": nearest}

_CACHE_FORMAT = 2  # to be raised when a method gives other weights


@dataclass(frozen=True)
class Weights:
    """Linear map from the cells of one grid to those of another.

    Parameters
    ----------
    matrix : (target cells, source cells) sparse array
        Weight of each source cell; the sum of a row is the share of the target cell that the
        source grid covers.
    source_shape, target_shape : tuple of int
        Rows and columns.
    """

    matrix: sparse.csr_array
    source_shape: tuple[int, int]
    target_shape: tuple[int, int]

    def apply(self, field, *, mask=None, minimum_share=0.5):
        """Regrid a field.

        Parameters
        ----------
        field : (..., y, x) array
            On the source grid; NaN where there is no value.
        mask : (y, x) bool array, optional
            Source cells that count; all if left out.
        minimum_share : float
            Least sum of the weights of valid cells for a target cell to get a value, in (0, 1].

        Returns
        -------
        (..., y, x) array
            Weighted mean of the valid source cells, NaN where they weigh too little; float32 if
            `field` is, else float64.

        Raises
        ------
        InputError
            If the shape of `field` or `mask` is not that of the source grid.
        """
        field = np.asarray(field)
        if field.shape[-2:] != self.source_shape:
            raise InputError(f"the field has shape {field.shape}, its grid {self.source_shape}")
        if mask is not None and np.shape(mask) != self.source_shape:
            raise InputError(f"the mask has shape {np.shape(mask)}, its grid {self.source_shape}")
        lead = field.shape[:-2]
        dtype = field.dtype if field.dtype == np.float32 else np.float64
        out = np.full((int(np.prod(lead)), self.matrix.shape[0]), np.nan, dtype)
        # One level at a time: the memory is that of the result.
        for level, values in zip(out, field.reshape(len(out), self.matrix.shape[1]), strict=True):
            valid = np.isfinite(values)
            if mask is not None:
                valid &= np.ravel(mask)
            share = self.matrix @ valid.astype(float)
            total = self.matrix @ np.where(valid, values, 0.0).astype(float)
            # Weights of a cell that is wholly covered sum to 1 but for round-off.
            enough = share >= minimum_share - 1e-9
            np.divide(total, share, out=level, where=enough & (share > 0), casting="same_kind")
        return out.reshape(*lead, *self.target_shape)


def regrid(field, source, target, *, method="conservative", mask=None, minimum_share=0.5):
    """Bring a field from one grid to another.

    Parameters
    ----------
    field : (..., y, x) array
        On `source`; NaN where there is no value.
    source, target : Grid or GridDefinition
    method : str
        One of `METHODS`: see `weights`.
    mask : (y, x) bool array, optional
        Source cells that count, such as the ocean; all if left out.
    minimum_share : float
        Least share of valid weight for a target cell to get a value.

    Returns
    -------
    (..., y, x) array
        On `target`, NaN where the source has no or too few values. The land of `target` is not
        looked at.

    Raises
    ------
    InputError
        If a shape or the method is wrong.
    """
    return weights(GridDefinition.of(source), GridDefinition.of(target), method).apply(
        field, mask=mask, minimum_share=minimum_share
    )


def regrid_vector(
    first,
    second,
    source,
    target,
    *,
    central_longitude=None,
    method="bilinear",
    mask=None,
    minimum_share=0.5,
):
    """Bring a vector field from one grid to another.

    Parameters
    ----------
    first, second : (..., y, x) array
        Components to the east and north, or along x and y of the source's polar projection.
    source, target : Grid or GridDefinition
    central_longitude : float, optional
        Of the source's polar projection, if the components are along its axes [degrees]. Left out:
        along the axes if `source` is a `Grid`, else east and north.
    method, mask, minimum_share
        As in `regrid`.

    Returns
    -------
    u, v : (..., y, x) arrays
        At the cell centres of `target`: along its axes if it is a `Grid`, else east and north.

    Raises
    ------
    InputError
        If a shape or the method is wrong.

    Notes
    -----
    The components are turned to axes that are fixed on a polar plane before the means are taken,
    and to those of the target after, so that the pole and the date line are ordinary places. Any
    azimuthal projection of the north pole turns with the longitude alone.
    """
    from_grid, to_grid = GridDefinition.of(source), GridDefinition.of(target)
    operator = weights(from_grid, to_grid, method)
    if from_grid.crs is not None:
        if central_longitude is not None:
            angle = np.radians(central_longitude - from_grid.longitude)
        else:
            angle = source.angle if isinstance(source, Grid) else 0.0
        # On a plane whose central longitude is 0 the x axis is at minus the longitude from east.
        first, second = rotate_to_grid(first, second, np.radians(-from_grid.longitude) - angle)
    u, v = (
        operator.apply(part, mask=mask, minimum_share=minimum_share) for part in (first, second)
    )
    if to_grid.crs is not None:
        angle = target.angle if isinstance(target, Grid) else 0.0
        u, v = rotate_to_grid(u, v, angle + np.radians(to_grid.longitude))
    return u, v


@lru_cache(maxsize=32)
def weights(source, target, method):
    """Weights between two grids, kept in memory and in the cache folder.

    Parameters
    ----------
    source, target : GridDefinition
    method : str
        ``"conservative"``: mean over the target cell, by shared area (fine to coarse).
        ``"bilinear"``: between the four centres around, or linear in a triangle of three of them
        on a curvilinear grid (coarse to fine).
        ``"nearest"``: the value of the nearest centre.
        The last two give values within the outer cells of the source, too, but not beyond.

    Returns
    -------
    Weights

    Raises
    ------
    InputError
        If the method is unknown, or one grid is a flat box and the other on the Earth.

    Notes
    -----
    Conservative weights are exact areas of the polygons that cells share on the equal-area plane
    (`GridDefinition`), over the area of the target cell.
    """
    if method not in METHODS:
        raise InputError(f"no regridding method {method!r}; there are {', '.join(METHODS)}")
    if (source.crs is None) != (target.crs is None):
        raise InputError("a flat box has no place on the Earth: make both grids flat, or neither")
    path = cache_folder() / f"{method}-{source.digest[:20]}-{target.digest[:20]}.npz"
    matrix = _from_cache(path)
    if matrix is None:
        matrix = METHODS[method](source, target)
        try:
            with replacing(path) as partial, partial.open("wb") as file:
                np.savez(
                    file,
                    format=_CACHE_FORMAT,
                    data=matrix.data,
                    indices=matrix.indices,
                    indptr=matrix.indptr,
                    shape=matrix.shape,
                )
        except OSError as error:
            warnings.warn(f"regridding weights are not kept on disk: {error}", stacklevel=2)
    return Weights(matrix, source.shape, target.shape)


def cache_folder():
    """Folder of regridding weights: in FLOECAST_CACHE, else in the user's cache folder."""
    if "FLOECAST_CACHE" in os.environ:
        root = Path(os.environ["FLOECAST_CACHE"])
    else:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "floecast"
    return root / "weights"


def _from_cache(path):
    """Weights on disk; None if there are none of this format or the file is damaged."""
    try:
        kept = read_arrays(path)
        if kept["format"] != _CACHE_FORMAT:
            return None
        matrix = sparse.csr_array(
            (kept["data"], kept["indices"], kept["indptr"]), shape=tuple(kept["shape"])
        )
        matrix.check_format(full_check=True)
        return matrix
    except (OSError, KeyError, ValueError, TypeError):
        return None
