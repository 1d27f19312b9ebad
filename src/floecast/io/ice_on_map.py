"""Thickness of one time from the output of an ice model, such as CMEMS neXtSIM or NEMO-SI3."""

import numpy as np

from floecast.core.calendar import HOUR, iso

from .grids import GridDefinition
from .ice_file import IceFile
from .regrid import regrid
from .source import seconds_of

# A field stands for this long before and after its time [s].
_REACH = 12 * HOUR


def holds(layout):
    """Function that tells whether a file has the concentration or drift of a layout."""

    def recognises(source):
        if layout.name == "nemo_icemod":
            at_home = "time_counter" in source.dataset.dims or source.has("nav_lat")
            names = [name for known in layout.fields.values() for name in known]
            return at_home and any(source.has(name) for name in names)
        return any(source.has(name) for name in layout.fields["concentration"])

    return recognises


def ice_records(source):
    """Begin and end of what each time stands for, ``(time,)`` each [s since 2000-01-01]."""
    time = IceFile(source).time
    reach = min(_REACH, int(np.diff(time).min()) // 2) if time.size > 1 else _REACH
    return time - reach, time + reach


def read_ice(source, grid, time):
    """Thickness of the ice at one time.

    Parameters
    ----------
    source : Source
        Output of neXtSIM, CMEMS neXtSIM or TOPAZ, NEMO-SI3 or NANUQ.
    grid : Grid
    time : time or None
        The nearest within 12 hours; may be left out of a file of one time.

    Returns
    -------
    (y, x) array
        Mean over the ice [m], as of `read_thickness_field`: the mean over the cell, divided by
        the concentration where the file gives a mean over the cell; 0 where there is no ice.

    Raises
    ------
    InputError
        If the file is not as expected or does not hold the time.
    """
    file = IceFile(source)
    number = np.array([_number(source, file, time)])
    cover = np.clip(file.values("concentration", number)[0][0], 0, 1)
    volume = file.values("ice_volume", number)[0][0]
    if file.over_ice("ice_volume"):
        volume = np.where(cover > 0, volume * cover, 0.0)
    known = np.isfinite(cover)
    volume = np.where(known, np.nan_to_num(np.maximum(volume, 0)), np.nan)
    definition = source.placed(GridDefinition.curvilinear, *file.places())
    spacing = np.sqrt(np.median(definition.area.ravel()[definition.usable]))
    method = "conservative" if grid.spacing >= spacing else "bilinear"
    cover, volume = (
        regrid(one, definition, grid, method=method, mask=known) for one in (cover, volume)
    )
    field = np.where(cover > 0, volume / np.where(cover > 0, cover, 1.0), 0.0)
    field = np.where(grid.mask_t & np.isfinite(cover), field, np.nan)
    if not np.isfinite(field).any():
        source.refuse(f"no value lies over the ocean of {grid.name}, expected some")
    return field


def check_ice(source, time):
    """Refuse a time that the file does not hold."""
    _number(source, IceFile(source), time)


def _number(source, file, time):
    """Index of the time nearest to one."""
    if time is None:
        if file.time.size > 1:
            source.refuse(f"holds {file.time.size} times: say which by time")
        return 0
    away = np.abs(file.time - seconds_of(time))
    if away.min() > _REACH:
        first, last = iso(int(file.time.min())), iso(int(file.time.max()))
        source.refuse(f"does not hold {iso(seconds_of(time))}; it covers {first} to {last}")
    return int(away.argmin())
