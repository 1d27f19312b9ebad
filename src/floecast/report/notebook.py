"""Maps for notebooks: one picture of one variable, drawn as in the report."""

from pathlib import Path

import cmocean
import numpy as np

from floecast.core.atomic import replacing
from floecast.core.variables import ICE_EDGE
from floecast.report.contents import time_text
from floecast.report.drawing import style
from floecast.report.maps import (
    ANALYSIS_EDGE,
    FieldMap,
    Line,
    Plane,
    fraction_scale,
    positive_scale,
    symmetric_scale,
)

ICE_SHOWN = 0.01


class MapPicture:
    """A map that a notebook shows.

    Parameters
    ----------
    png : bytes
    alt : str
        For readers who do not see it.
    """

    def __init__(self, png, alt):
        self.png, self.alt = png, alt

    def __repr__(self):
        return f"MapPicture({self.alt})"

    def _repr_png_(self):
        return self.png

    def save(self, path):
        """Write the PNG to a file, whole or not at all.

        Parameters
        ----------
        path : path-like
        """
        with replacing(Path(path)) as partial:
            partial.write_bytes(self.png)


def draw_map(dataset, field):
    """Map of a variable of a dataset.

    Parameters
    ----------
    dataset : xarray.Dataset
        Its ``concentration`` along y and x, if it has one, gives the ice edge and the window.
    field : (y, x) xarray.DataArray
        Of a dataset with ``x`` and ``y`` [m]; the scale follows from its unit and its values.

    Returns
    -------
    MapPicture
    """
    values = np.asarray(field.values, np.float64)
    concentration = _concentration(dataset, field)
    edges = []
    if concentration is not None:
        look = ANALYSIS_EDGE.colour, ANALYSIS_EDGE.dash, ANALYSIS_EDGE.width
        edges = [(Line("ice edge (15 %)", *look), concentration)]
    shown = np.isfinite(values) if concentration is None else concentration > ICE_SHOWN
    polar = "crs" in dataset.variables and field["x"].size > 1
    plane = Plane.around(field["x"].values, field["y"].values, shown, polar)
    title = str(field.name).replace("_", " ")
    if "time" in field.coords and field["time"].ndim == 0:
        title += f", {time_text(field['time'].values)}"
    with style():
        drawing = FieldMap(plane, _scale(field, values), [line for line, _ in edges])
        png = drawing.draw(values, title, edges=edges)
    return MapPicture(png, f"map of {title}")


def _concentration(dataset, field):
    """Concentration beside a field; None if the dataset has none at the same time and cells."""
    if "concentration" not in dataset:
        return None
    concentration = dataset["concentration"].squeeze(drop=True)
    if set(concentration.dims) != {"y", "x"} or concentration.shape != field.shape:
        return None
    concentration = concentration.transpose("y", "x").values
    passes = np.nanmin(concentration, initial=1) < ICE_EDGE < np.nanmax(concentration, initial=0)
    return concentration if passes else None


def _scale(field, values):
    unit = field.attrs.get("units", "1")
    label = field.attrs.get("long_name", str(field.name)) + (f" [{unit}]" if unit != "1" else "")
    known = values[np.isfinite(values)]
    if known.size and known.min() < 0:
        return symmetric_scale(label, values)
    if unit == "1" and known.max(initial=0.0) <= 1.0 and not str(field.name).endswith("_spread"):
        return fraction_scale(label)
    return positive_scale(label, values, cmocean.cm.dense)
