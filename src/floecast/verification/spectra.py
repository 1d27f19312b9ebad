"""How much variance a field has at each wavelength, in boxes that lie in the sea."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.verification.weighting import Array


class Spectrum(NamedTuple):
    """Isotropic power spectrum.

    Attributes
    ----------
    wavelength : (ring,) from the side of the box down to two cells [m].
    power : (..., ring) mean power of the waves of a ring, in the square of the unit of the field;
        1 everywhere for independent values of variance 1.
    """

    wavelength: Array
    power: Array


def power_spectrum(field: ArrayLike, *, spacing: float) -> Spectrum:
    """Isotropic power spectrum of a square box.

    Parameters
    ----------
    field : (..., n, n) values of a box without gaps.
    spacing : side of a cell [m].

    Returns
    -------
    Spectrum
        Rings 1 to ``n / 2`` of the wave number in units of one wave along the side of the box.

    Raises
    ------
    InputError
        The box is not square, has fewer than four cells along a side, or a value is not finite.

    Notes
    -----
    The plane that fits best is taken off and a Hann window applied in both directions; the power
    is divided by the mean square of the window. A ring holds the waves whose number rounds to it.
    """
    field = np.asarray(field, np.float64)
    if field.ndim < 2 or field.shape[-1] != field.shape[-2] or field.shape[-1] < 4:
        raise InputError(f"field: shape {field.shape}; expected (..., n, n) with n of at least 4")
    if not np.all(np.isfinite(field)):
        raise InputError("field: values that are not finite; choose a box without land or gaps")
    size = field.shape[-1]
    place = (np.arange(size) - (size - 1) / 2) / size
    slope = 1.0 / np.sum(place**2) / size
    plane = field.mean((-2, -1), keepdims=True)
    plane = plane + (slope * (field * place).sum((-2, -1), keepdims=True)) * place
    plane = plane + (slope * (field * place[:, None]).sum((-2, -1), keepdims=True)) * place[:, None]
    window = np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2
    window = window[:, None] * window
    power = np.abs(np.fft.fft2((field - plane) * window)) ** 2 / np.sum(window**2)
    number = np.fft.fftfreq(size, 1.0 / size)
    ring = np.rint(np.hypot(number[:, None], number)).astype(int)
    rings = np.arange(1, size // 2 + 1)
    means = [power[..., ring == one].mean(axis=-1) for one in rings]
    return Spectrum(size * spacing / rings, np.stack(means, axis=-1))


def sea_boxes(grid: Grid, side: int, *, latitude: float = 70.0) -> NDArray[np.intp]:
    """Boxes of the central Arctic without land.

    Parameters
    ----------
    grid : Grid
    side : of a box [cells].
    latitude : of the southernmost cell of a box, at least [degrees].

    Returns
    -------
    (box, 2) int array
        First row and first column of each, a quarter of a side or more apart. All faces east and
        north of its cells lie in the sea.
    """
    good = np.asarray(grid.mask_t & grid.mask_u & grid.mask_v) & (grid.latitude >= latitude)
    if side > min(good.shape):
        return np.zeros((0, 2), int)
    windows = np.lib.stride_tricks.sliding_window_view(good, (side, side)).all((-2, -1))
    boxes = []
    for place in np.argwhere(windows):
        if all(np.abs(place - other).max() >= side / 4 for other in boxes):
            boxes.append(place)
    return np.array(boxes, int).reshape(-1, 2)
