"""What a file holds, in numbers and as a map: ``floecast observe``."""

import errno
import itertools
import os
from pathlib import Path

import cmocean
import numpy as np

from floecast.core.atomic import replacing
from floecast.core.calendar import iso, to_seconds
from floecast.core.errors import FloecastError, InputError
from floecast.core.grid import Grid
from floecast.io.products import product_of
from floecast.io.source import open_source, seconds_of
from floecast.observation.observations import FLAGS, KINDS
from floecast.report.drawing import style
from floecast.report.maps import FieldMap, Plane, fraction_scale, positive_scale

_UNITS = {"concentration": "1", "drift_u": "m s-1", "drift_v": "m s-1"}
_LABELS = {
    "concentration": "concentration",
    "thickness": "thickness [m]",
    "freeboard": "freeboard [m]",
    "laser_freeboard": "freeboard with snow [m]",
    "snow_depth": "snow depth [m]",
    "drift_u": "drift [m s⁻¹]",
}
# A climatology is shown on this day.
_TYPICAL_DAY = "2001-03-15"
_MOST_VARIABLES = 14


def observe(files, preset, time, out):
    """What files hold.

    Parameters
    ----------
    files : sequence of Path
    preset : str
        Grid on which observations are counted.
    time : str or None
        Of many records, the one that holds it.
    out : Path or None
        Where maps are drawn.

    Returns
    -------
    found : dict of str to dict
        By file, what `describe` tells, with ``text`` for a terminal and, if drawn, ``pictures``.
    faults : list of str
        A line for each file that could not be read.

    Raises
    ------
    InputError
        If there is no such preset, the time is none, or pictures cannot be written at `out`.
    """
    grid, files = Grid.preset(preset), list(dict.fromkeys(files))
    if time is not None:
        seconds_of(time)
    if out is not None:
        _make_folder(out, len(files) > 1)
    found, faults, drawn = {}, [], set()
    for file in files:
        try:
            told, maps = describe(file, grid, time)
        except FloecastError as error:
            faults.append(str(error))
            continue
        told["text"] = text_of(file, told)
        if out is not None and maps:
            first = told.get("shown") or [(told["times"] or {}).get("first", "")]
            title = f"{told['product']} {first[0][:10]}".rstrip()
            pictures = picture_paths(maps, out, file, len(files) > 1, drawn)
            drawn.update(pictures)
            draw(maps, grid, title, pictures)
            told["pictures"] = [str(path) for path in pictures]
            told["text"] += "\n" + "\n".join(f"  map        {path}" for path in pictures)
        found[str(file)] = told
    return found, faults


def describe(path, grid, time=None):
    """What a file holds.

    Parameters
    ----------
    path : str or Path
        Of any known product.
    grid : Grid
        A preset, on which observations are counted.
    time : str or int, optional
        Of many records, the one that holds this time; the last if left out.

    Returns
    -------
    told : dict
        For JSON: ``product``, ``title``, ``variables``, ``times``, ``read_by``, and where the
        product is one of observations or of thickness, ``shown`` (begin and end of what the numbers
        are of), ``observations`` (a row for each kind) or ``field``, and ``coverage``, the share of
        the ocean cells of the grid that have a value.
    maps : dict of str to (y, x) arrays
        What to draw, by kind; of drift a pair.

    Raises
    ------
    InputError
        If the file is damaged, not known, or does not hold the time.
    """
    with open_source(path) as source:
        product = product_of(source)
        told = {
            "product": product.name,
            "title": product.title,
            "variables": _variables(source),
            "times": _times(source, product),
            "read_by": list(product.doors),
        }
        records = _records(source, product)
        shown = None if records is None else _shown(source, *records, time)  # type: ignore[call-arg]
        maps = {}
        if "read_observations" in product.doors and (records or not product.records):
            read = product.doors["read_observations"].read
            found = read(source, grid, *(shown or (None, None)))
            told |= {"grid": grid.name, "shown": _span(found), "observations": _rows(found)}
            maps = _maps(found, grid)
        elif "read_thickness_field" in product.doors:
            when = None if shown is None else (shown[0] + shown[1]) // 2
            if product.name == "cs2smos_climatology":
                when = seconds_of(time or _TYPICAL_DAY)
            field = product.doors["read_thickness_field"].read(source, grid, when)
            told |= {"grid": grid.name, "field": {"kind": "thickness", **_numbers(field)}}
            if when is not None:
                told["shown"] = [iso(when), iso(when)]
            maps = {"thickness": field}
    if maps:
        seen = np.isfinite(next(iter(maps.values()))).reshape(-1, *grid.shape)[0]
        told["coverage"] = float(seen[grid.mask_t].mean())
    return told, maps


def text_of(file, told):
    """The same in lines for a terminal."""
    lines = [str(file), f"  product    {told['product']}: {told['title']}"]
    times = told["times"]
    if times:
        span = times["first"] if times["number"] == 1 else f"{times['first']} to {times['last']}"
        lines.append(f"  times      {times['number']}: {span}")
    names = [
        f"{one['name']}({', '.join(one['dims'])})" + (f" [{one['unit']}]" if one["unit"] else "")
        for one in told["variables"][:_MOST_VARIABLES]
    ]
    more = len(told["variables"]) - len(names)
    lines.append(f"  variables  {', '.join(names)}" + (f" and {more} more" if more else ""))
    lines.append(f"  read by    {', '.join(told['read_by']) or 'nothing here'}")
    if "shown" in told:
        first, last = told["shown"]
        lines.append(f"  shown      {first}" + (f" to {last}" if last != first else ""))
    for row in told.get("observations", []):
        unit = "" if row["unit"] == "1" else f" {row['unit']}"
        lines += [
            f"  {row['kind']:<10} {row['good']} good of {row['total']}: {_range(row)}{unit}",
            f"    error    {_range(row['error'])}",
        ]
        if row["flags"]:
            flags = ", ".join(f"{name} {count}" for name, count in row["flags"].items())
            lines.append(f"    flagged  {flags}")
    if "field" in told:
        lines.append(f"  thickness  {_range(told['field'])} m")
    if "coverage" in told:
        lines.append(
            f"  coverage   {100 * told['coverage']:.3g} % of the ocean cells of {told['grid']}"
        )
    return "\n".join(lines)


def draw(maps, grid, title, paths):
    """Write a picture for each kind.

    Parameters
    ----------
    maps : dict of str to (y, x) arrays
        Of `describe`.
    grid : Grid
    title : str
    paths : sequence of Path
        A PNG file for each, replaced in one step.
    """
    for path, (kind, found) in zip(paths, maps.items(), strict=True):
        with replacing(path) as partial:
            partial.write_bytes(_picture(kind, found, grid, title))


def _picture(kind, found, grid, title):
    drift = None
    if kind == "drift_u":
        u, v = found
        found = np.hypot(u, v)
        drift = u, v, 0.2
    label = _LABELS[kind]
    with style():
        scale = (
            fraction_scale(label)
            if kind == "concentration"
            else positive_scale(label, found, cmocean.cm.dense)
        )
        shown = np.isfinite(found) & (found > 0)
        plane = Plane.around(grid.x, grid.y, shown, grid.epsg is not None)
        return FieldMap(plane, scale, []).draw(found, title, drift=drift)


def _records(source, product):
    """Begin and end of the records of a file, None where it has none or tells no time."""
    undated = not any(one.dtype.kind == "M" for one in source.dataset.variables.values())
    if product.records is None or (undated and "read_thickness_field" in product.doors):
        return None
    return product.records(source)


def _shown(source, begin, stop, time):
    """Begin and end of a moment in the record to look at, the last if no time is given."""
    if time is None:
        number = int(np.argmax(stop))
    else:
        wanted = seconds_of(time)
        number = int(np.argmax((begin <= wanted) & (wanted < stop)))
        if not begin[number] <= wanted < stop[number]:
            source.refuse(
                f"does not hold {iso(wanted)}; it covers {iso(int(begin.min()))} to "
                f"{iso(int(stop.max()))}"
            )
    # Records may overlap, but their centres lie apart.
    centre = int(begin[number] + stop[number]) // 2
    return centre, centre + 1


def _times(source, product):
    records = _records(source, product)
    if records is not None:
        begin, stop = records
        first, last, number = begin.min(), stop.max(), np.unique(begin).size
    else:
        stamps = [
            variable
            for variable in source.dataset.variables.values()
            if variable.dtype.kind == "M" and variable.ndim < 2 and variable.size
        ]
        if not stamps:
            return None
        known = np.unique(source.read(stamps[0]))
        known = known[~np.isnat(known)]
        if not known.size:
            return None
        first, last, number = to_seconds(known[0]), to_seconds(known[-1]), known.size
    return {"first": iso(int(first)), "last": iso(int(last)), "number": int(number)}


def _variables(source):
    return [
        {
            "name": str(name),
            "dims": [str(dim) for dim in variable.dims],
            "shape": list(variable.shape),
            "unit": str(variable.attrs.get("units", variable.encoding.get("units", ""))),
        }
        for name, variable in source.dataset.variables.items()
    ]


def _rows(found):
    rows = []
    for number, kind in enumerate(KINDS):
        chosen = found.select(np.asarray(found.kind) == number)
        if not chosen.size:
            continue
        flag = np.asarray(chosen.flag)
        good = chosen.good()
        rows.append(
            {
                "kind": kind,
                "unit": _UNITS.get(kind, "m"),
                "total": int(chosen.size),
                "good": int(good.size),
                "flags": {
                    name: int(np.sum(flag & bit > 0))
                    for name, bit in FLAGS.items()
                    if np.any(flag & bit)
                },
                **_numbers(good.value),
                "error": _numbers(good.error_std),
            }
        )
    return rows


def _numbers(values):
    values = np.asarray(values)[np.isfinite(values)]
    if not values.size:
        return {"min": None, "mean": None, "max": None}
    return {name: float(getattr(np, name)(values)) for name in ("min", "mean", "max")}


def _range(numbers):
    if numbers["mean"] is None:
        return "no value"
    return f"{numbers['min']:.3g} to {numbers['max']:.3g}, mean {numbers['mean']:.3g}"


def _span(found):
    half = np.asarray(found.span) // 2
    return [iso(int(np.min(found.time - half))), iso(int(np.max(found.time + half)))]


def _maps(found, grid):
    """Mean of the good observations that see each cell, by kind."""
    good, maps = found.good(), {}
    for number, kind in enumerate(KINDS):
        chosen = good.select(np.asarray(good.kind) == number)
        if chosen.size:
            cell, weight = np.asarray(chosen.cell).ravel(), np.asarray(chosen.weight)
            weighted = (weight * np.asarray(chosen.value)[:, None]).ravel()
            total = np.bincount(cell, weights=weight.ravel(), minlength=grid.mask_t.size)
            mean = np.bincount(cell, weights=weighted, minlength=grid.mask_t.size)
            with np.errstate(invalid="ignore"):
                maps[kind] = np.where(total > 0, mean / total, np.nan).reshape(grid.shape)
    if "drift_v" in maps:
        maps["drift_u"] = np.stack([maps["drift_u"], maps.pop("drift_v")])
    return maps


def picture_paths(kinds, out, file, several, taken=()):
    """Where the pictures of a file go.

    Parameters
    ----------
    kinds : collection of str
        One picture each; where there is more than one, its name ends in the kind.
    out : Path
        A folder, or a name that ends in ``.png`` for one file.
    file : Path
    several : bool
        Whether there are other files.
    taken : collection of Path
        Pictures of other files, which keep their names: this one gets a number behind its name.

    Returns
    -------
    list of Path
    """
    stem = out.with_suffix("") if _is_picture(out, several) else out / Path(file).stem
    endings = [f"_{kind}.png" for kind in kinds] if len(kinds) > 1 else [".png"]
    for number in itertools.count(1):
        name = stem.name if number == 1 else f"{stem.name}-{number}"
        paths = [stem.with_name(name + ending) for ending in endings]
        if not any(path in taken for path in paths):
            return paths


def _is_picture(out, several):
    return out.suffix == ".png" and not several


def _make_folder(out, several):
    single = _is_picture(out, several)
    try:
        (out.parent if single else out).mkdir(parents=True, exist_ok=True)
        if single and out.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    except OSError as error:
        raise InputError(
            f"cannot draw into {out}: {error.strerror}; choose another --out"
        ) from None
