"""What all figures share: their style, and how they become small files."""

import io
from typing import Any

import matplotlib as mpl
import numpy as np
from PIL import Image

STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 13.5,
    "axes.titlesize": 14.5,
    "figure.dpi": 100,
    "axes.edgecolor": "#5b6770",
    "axes.labelcolor": "#1d2a33",
    "text.color": "#1d2a33",
    "xtick.color": "#1d2a33",
    "ytick.color": "#1d2a33",
    "axes.linewidth": 0.8,
}
PALETTE_COLOURS = 64


def png(figure):
    """Palette PNG of a drawn figure, without metadata.

    Flat colours, such as land and the steps of a scale, enter the palette as they are, so that they
    look the same in every picture; the many blends on smoothed lines become the nearest of it.
    """
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(np.int32)
    packed = pixels @ (1 << 16, 1 << 8, 1)
    codes, index, count = np.unique(packed, return_inverse=True, return_counts=True)
    colours = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=-1)
    palette, nearest = _palette(colours, count)
    image = Image.fromarray(nearest[index].reshape(packed.shape))
    image.putpalette(colours[palette].astype(np.uint8).tobytes())
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def _palette(colours, count):
    """Indices of the colours to keep, and for every colour the nearest of these.

    Each choice is the colour that the palette so far serves worst: pixels times distance squared.
    """
    palette, nearest = [], np.zeros(len(colours), np.uint8)
    distance = np.full(len(colours), 3 * 255**2)
    while len(palette) < PALETTE_COLOURS and distance.any():
        palette.append(np.argmax(count * distance))
        new = np.square(colours - colours[palette[-1]]).sum(axis=-1)
        nearest[new < distance] = len(palette) - 1
        distance = np.minimum(distance, new)
    return palette, nearest


def style():
    """Context in which figures are made: fonts and colours of the report."""
    return mpl.rc_context(STYLE)
