"""Whose product a file is, for the manifest: what a run must cite."""

from floecast.core.errors import InputError

from .products import product_of
from .source import open_source

# Words in the global attributes and variables of weather files, the most special first.
_MARKS = (
    ("carra", ("carra", "no-ar-cw", "no-ar-ce")),
    ("arome_arctic", ("arome",)),
    ("gfs", ("ncep", "national centers for environmental prediction", "ugrd_10maboveground")),
    ("era5", ("era5", "ecmf", "european centre for medium-range weather forecasts")),
)
_WEATHER = ("latlon_forcing", "projected_forcing", "pressure_levels", "wind_series")


def product_in(path):
    """Name of the product in a file, as in `references.PRODUCTS`; None if it is none.

    Weather of different centres has the same layout; who made it is told by the attributes, and
    the name of the layout stays where these say nothing.
    """
    try:
        with open_source(path) as source:
            name = product_of(source).name
            return _maker(source.dataset) or name if name in _WEATHER else name
    except InputError:  # weights, archives and what else a run reads
        return None


def _maker(dataset):
    attributes = [*dataset.attrs.values(), *dataset.variables]
    for variable in dataset.variables.values():
        attributes += [variable.attrs.get("GRIB_centre", ""), variable.attrs.get("GRIB_centreName")]
    text = " ".join(map(str, attributes)).lower()
    return next((maker for maker, marks in _MARKS if any(mark in text for mark in marks)), None)
