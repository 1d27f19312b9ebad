"""Status flags of products, told apart by their meanings and not by their numbers."""

import re

import numpy as np

from floecast.observation.observations import FLAGS

# The first that fits; what fits none is suspect.
_CLASSES = (
    ("near_coast", r"spill|coastal|close_to_coast"),
    ("interpolated", r"interpolat|_interp$"),
    ("masked", r"climato|max_ice|maximum_ice|valid_ice_mask"),
    ("suspect", r"t2m|temperature|warm|summer|low_quality|unreliable|erroneous|no_input|fail"),
    ("absent", r"no_sea_ice|no_ice|no_data|missing|unclassified|pole|land|lake|coast"),
    ("filtered", r"open_water|weather|owf"),
    ("nothing", r"^no_|nominal|melt|ocean|radiometry|altimetry|quality|good|acceptable|excellent"),
)

CDR_BITS = {
    1: "land",
    2: "lake",
    4: "open_water_filter",
    8: "land_spill_over",
    16: "high_t2m",
    32: "spatial_interpolation",
    64: "temporal_interpolation",
    128: "maximum_ice_climatology",
}
"""Bits of ``status_flag`` of the OSI SAF records (OSI-450, 430, 458) and, since 25 April 2023, of
the daily products (OSI-401-d, 408-a), where a file does not tell them."""

CONFIDENCE = {1: "erroneous", 2: "unreliable"}
"""Values of ``confidence_level`` of the daily OSI SAF products that are not to be used."""


def classes_of(source, name, *, bits=None, values=None, **index):
    """Where a status flag says what.

    Parameters
    ----------
    source : Source
    name : str
        Variable with ``flag_meanings`` and ``flag_masks`` or ``flag_values``, as CF has them.
    bits, values : mapping of int to str, optional
        Meanings where the file does not tell them, of bits or of whole values.
    **index
        Part by dimension.

    Returns
    -------
    dict of str to bool array
        By class: ``near_coast``, ``interpolated``, ``masked`` and ``suspect`` as in `FLAGS`,
        ``filtered`` for values set by a weather filter, ``absent`` for land and the like. A class
        that never occurs is left out.

    Raises
    ------
    InputError
        If the file tells meanings that do not go with their numbers.
    """
    variable = source.variable(name)
    code = source.read(variable, **index)
    if code.dtype.kind not in "iuf":
        source.refuse(f"{name} holds {code.dtype} values, expected flags")
    code = _unsigned(np.nan_to_num(code))
    found = {}
    for mask, number, meaning in _told(source, name) or _assumed(bits, values):
        hit = (code & mask) == number if mask is not None else code == number
        kind = _class(meaning)
        if kind != "nothing" and hit.any():
            found[kind] = found.get(kind, np.zeros(code.shape, bool)) | hit
    return found


def join_classes(found, more):
    """Classes of two flags as one: a cell is of a class where either says so."""
    return found | {kind: found.get(kind, False) | where for kind, where in more.items()}


def our_flags(found, shape):
    """Bits of `FLAGS` for classes of `classes_of`, as an int array of a shape."""
    flag = np.zeros(shape, np.int32)
    for kind, where in found.items():
        if kind in FLAGS:
            flag |= FLAGS[kind] * where.astype(np.int32)
    return flag


def _unsigned(code):
    """Bytes without a sign, which netCDF-3 does not know."""
    code = np.asarray(code).astype(np.int64)
    return np.where((code < 0) & (code >= -128), code + 256, code)


def _class(meaning):
    lower = meaning.lower()
    return next((kind for kind, pattern in _CLASSES if re.search(pattern, lower)), "suspect")


def _told(source, name):
    """Mask, number and meaning of each flag, as the file tells them."""
    attributes = source.dataset.variables[name].attrs
    meanings = str(attributes.get("flag_meanings", "")).replace(",", " ").split()
    masks, numbers = (attributes.get(f"flag_{what}") for what in ("masks", "values"))
    if not meanings or (masks is None and numbers is None):
        return []
    told = []
    for given in (masks, numbers):
        if given is not None and np.asarray(given).dtype.kind not in "iuf":
            source.refuse(f"{name} has flags {given!r}, expected numbers")
        told.append(None if given is None else [_unsigned(one) for one in np.atleast_1d(given)])
    masks, numbers = told
    if any(one is not None and len(one) != len(meanings) for one in told):
        source.refuse(f"{name} has {len(meanings)} flag_meanings that do not go with their numbers")
    if masks is None:
        masks = [None] * len(meanings)
    if numbers is None:
        numbers = masks
    return list(zip(masks, numbers, meanings, strict=True))


def _assumed(bits, values):
    told = [(bit, bit, meaning) for bit, meaning in (bits or {}).items()]
    return told + [(None, value, meaning) for value, meaning in (values or {}).items()]
