"""Tables of buoy positions as text: the forms of the International Arctic Buoy Programme."""

import re

import numpy as np
import xarray as xr

from floecast.core.errors import InputError

_WITHOUT_HEADER = (
    "BuoyID",
    "Year",
    "Hour",
    "Min",
    "DOY",
    "POS_DOY",
    "Lat",
    "Lon",
    "BP",
    "Ts",
    "Ta",
)
"""Columns of the daily tables of all buoys, separated by semicolons, that have no header."""

_OTHER_NAMES = {
    "buoy": "buoyid",
    "id": "buoyid",
    "latitude": "lat",
    "longitude": "lon",
    "yr": "year",
    "mm": "month",
    "mon": "month",
    "dd": "day",
    "hr": "hour",
    "minute": "min",
}
_LONGEST = 400  # characters of a line that may be one of a table
_MOST_BYTES = 100_000_000
"""A day of all buoys has a million, a year at full resolution of one some ten millions."""


def looks_like_table(head):
    """Whether the first bytes of a file may be those of a table of buoys."""
    try:
        text = head.decode("ascii")
    except UnicodeDecodeError:
        return False
    line = text.lstrip().partition("\n")[0].strip()
    if not line or len(line) > _LONGEST:
        return False
    words = _split(line)
    if _columns(words) is not None:
        return True
    numbers = all(_number(word) for word in words)
    return numbers and (len(words) == 4 or (";" in line and len(words) == len(_WITHOUT_HEADER)))


def read_table(path):
    """Positions in a table.

    Parameters
    ----------
    path : Path
        One of: full-resolution or 3-hourly files with a header of names (``BuoyID, Year, Hour, Min,
        DOY, POS_DOY, Lat, Lon, ...``, with commas, semicolons or blanks, also with month and day in
        place of DOY); daily tables of the same columns without a header; old 3-hourly files
        (``.ll.pos``) of number, day of year, latitude and longitude, whose year is the name of a
        folder above them.

    Returns
    -------
    xarray.Dataset
        ``BuoyID`` (number), ``POS_TIME`` (time of the position), ``Lat`` and ``Lon`` along ``obs``,
        in the order of the file. Rows with a fill value of -90 or less are left out.

    Raises
    ------
    InputError
        If a row has too few columns or anything but numbers in them.
    """
    if path.stat().st_size > _MOST_BYTES:
        raise InputError(f"{path}: {path.stat().st_size} bytes, expected a table of buoys")
    lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    rows = [_split(line) for line in lines if line.strip()]
    columns, first = _columns(rows[0]), 1
    if columns is None:
        columns, first = _known_columns(path, rows[0]), 0
    rows = rows[first:]
    if not rows:
        raise InputError(f"{path}: holds no position, expected rows below the header")
    least = max(columns.values()) + 1
    short = next((row for row in rows if len(row) < least), None)
    if short is not None:
        raise InputError(f"{path}: has a row of {len(short)} columns, expected at least {least}")
    try:
        values = {
            name: np.array([float(row[column]) for row in rows]) for name, column in columns.items()
        }
    except ValueError as error:
        raise InputError(f"{path}: {error}, expected numbers") from None
    return _dataset(path, values)


def _dataset(path, values):
    year = values["year"] if "year" in values else np.full(len(values["lat"]), _folder_year(path))
    # Years of two digits are of 1960 to 2059.
    year = np.where((year >= 0) & (year < 60), year + 2000, year)
    year = np.where((year >= 60) & (year < 100), year + 1900, year)
    whole = (
        (year > 1960)
        & (year < 2100)
        & (values["lat"] > -89.9)
        & (values["lat"] <= 90)
        & (np.abs(values["lon"]) <= 360)
    )
    if "month" in values:
        whole &= (values["month"] >= 1) & (values["month"] <= 12)
    for name, column in values.items():
        if name.endswith("doy"):
            whole &= (column >= 0) & (column < 400)
    if not whole.any():
        raise InputError(f"{path}: holds no position of a known time, expected some")
    values = {name: column[whole] for name, column in values.items()}
    start = (year[whole].astype(int) - 1970).astype("datetime64[Y]").astype("datetime64[s]")
    days = next((values[name] for name in ("pos_doy", "doy") if name in values), None)
    if days is None:
        start = start.astype("datetime64[M]") + (values["month"].astype(int) - 1)
        start = start.astype("datetime64[s]")
        days = values["day"] + values.get("hour", 0.0) / 24 + values.get("min", 0.0) / 1440
    seconds = np.rint((days - 1) * 86400).astype("timedelta64[s]")
    return xr.Dataset(
        {
            "BuoyID": ("obs", values["buoyid"]),
            "POS_TIME": ("obs", (start + seconds).astype("datetime64[ns]")),
            "Lat": ("obs", values["lat"], {"units": "degrees_north"}),
            "Lon": ("obs", values["lon"], {"units": "degrees_east"}),
        }
    )


def _columns(words):
    """Number of each column that is needed, by name; None where the words are no header."""
    names = [_OTHER_NAMES.get(word.lower(), word.lower()) for word in words]
    found = {name: number for number, name in reversed(list(enumerate(names)))}
    dated = "doy" in found or "pos_doy" in found or {"month", "day"} <= set(found)
    if not ({"buoyid", "lat", "lon", "year"} <= set(found) and dated):
        return None
    wanted = ("buoyid", "year", "month", "day", "hour", "min", "doy", "pos_doy", "lat", "lon")
    return {name: found[name] for name in wanted if name in found}


def _known_columns(path, row):
    if len(row) == 4:
        return {"buoyid": 0, "doy": 1, "lat": 2, "lon": 3}
    if len(row) == len(_WITHOUT_HEADER):
        return _columns(_WITHOUT_HEADER)
    raise InputError(f"{path}: begins with {len(row)} columns without a header, expected 4 or 11")


def _folder_year(path):
    """Year that the folders above an old file are named by."""
    for folder in path.absolute().parents:
        if re.fullmatch(r"(19|20)\d\d", folder.name):
            return int(folder.name)
    raise InputError(f"{path}: holds no year, expected it as the name of a folder above the file")


def _split(line):
    words = re.split("[;,]", line) if re.search("[;,]", line) else line.split()
    return [word.strip() for word in words]


def _number(word):
    try:
        float(word)
    except ValueError:
        return False
    return True
