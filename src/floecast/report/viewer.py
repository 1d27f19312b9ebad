"""Everything that the script of the page draws from, as a header and packed numbers."""

import json
from dataclasses import dataclass

import numpy as np
from matplotlib.path import Path as Outline

from floecast.core.grid import PRESETS, Grid
from floecast.core.land import land_polygons
from floecast.core.variables import ICE_EDGE
from floecast.observation.observations import FLAGS, KINDS
from floecast.report.edges import forecast_edges, lines
from floecast.report.layers import ICE_SHOWN, Layer, class_names, layers
from floecast.report.maps import Plane, graticule, graticule_labels, symmetric_scale
from floecast.report.members import BAND, with_members
from floecast.report.packed import Pack

MOST_TIMES = 31
"""Of longer series every second, third ... time is shown."""
MOST_MEMBERS = 20
"""Members whose curves the meteograms show."""
USED, WITHHELD, REJECTED = range(3)
REACH = {"concentration": 150.0, "thickness": 400.0}
"""Distance within which an observation counts as near, where the run does not tell [km]."""


@dataclass(frozen=True)
class View:
    """What the page holds for its script, and what its text tells of it.

    Parameters
    ----------
    header : str
        JSON that stands safely inside of HTML.
    numbers : str
        base64 of the packed arrays.
    layers : list of Layer
    told : Told
    edges : list of Edge
    times : list of int
        Numbers of the times shown.
    """

    header: str
    numbers: str
    layers: list
    told: object
    edges: list
    times: list


def view_of(contents):
    """The view of a run or a forecast.

    Parameters
    ----------
    contents : Contents

    Returns
    -------
    View
    """
    times = _times(contents)
    told = with_members(contents.forecast, contents.members, times, MOST_MEMBERS, _grid(contents))
    forecast = told.forecast
    ocean = np.isfinite(forecast["concentration"].values).any(axis=0)
    pack = Pack()
    plane = _plane(contents, forecast, ocean, pack)
    shown, arrays = layers(contents, told)
    for name, (values, packed) in arrays.items():
        pack.add_field(name, values[..., ocean], **packed)
    for name in ("u", "v"):
        if name in forecast:
            pack.add_field(name, forecast[name].values[:, ocean])
    _ellipses(forecast, ocean, pack)
    for name, values in told.members.items():
        step = {"concentration": 0.01, "thickness": 0.05}[name]
        pack.add_field(f"members_{name}", values[..., ocean], step=step)
    edges = forecast_edges(contents, told, times)
    _edges(contents, forecast, edges, plane, pack)
    header = {
        "plane": plane,
        "leads": [contents.leads[number] for number in times],
        "valid": [contents.valid_times[number] for number in times],
        "layers": [layer.plain() for layer in shown],
        "increments": _increments(contents, ocean, pack),
        "observations": _observations(contents, plane, pack),
        "drifters": _drifters(contents, times, plane, pack),
        "quantiles": _levels(forecast, "quantile"),
        "classes": class_names(forecast["thickness_class"].values)
        if "thickness_class" in forecast
        else [],
        "widths": [round(edge.width, 1) if np.isfinite(edge.width) else None for edge in edges],
        "truth": "true" if contents.twin else "observed",
        "place": _most_uncertain(forecast, ocean, plane["window"]),
        "iceShown": ICE_SHOWN,
        "iceEdge": ICE_EDGE,
        "band": BAND,
        "entries": pack.entries,
        "bytes": pack.size,
    }
    return View(_in_html(header), pack.text(), shown, told, edges, times)


def _times(contents):
    count = len(contents.leads)
    return list(range(0, count, -(-count // MOST_TIMES)))


def _grid(contents):
    """The preset of a run; None where its configuration names none."""
    name = contents.config.get("grid")
    return Grid.preset(name) if name in PRESETS else None


def _plane(contents, forecast, ocean, pack):
    """Cells, window, land and graticule."""
    x, y = forecast["x"].values, forecast["y"].values
    concentration = np.nan_to_num(forecast["concentration"].values).max(axis=0)
    window = Plane.around(x, y, concentration > ICE_SHOWN, contents.polar).window
    unit = float(max(np.abs(x).max(), np.abs(y).max()) * 1.2 / 32000)
    pack.add("ocean", np.packbits(ocean), "u1")
    for name in ("latitude", "longitude"):
        if name in forecast.coords:
            values = np.rint(100 * forecast[name].values[ocean]).astype(np.int16)
            values[1:] = np.diff(values)
            pack.add(name, values, "i2", delta=True, step=0.01, offset=0.0)
    if contents.polar:
        tolerance = (window[1] - window[0]) / 2500
        pack.add_lines("land", [_simpler(ring, tolerance) for ring in land_polygons()], unit)
        pack.add_lines("graticule", graticule(), unit)
    return {
        "nx": len(x),
        "ny": len(y),
        "x0": float(x[0]),
        "y0": float(y[0]),
        "dx": float(x[1] - x[0]),
        "dy": float(y[1] - y[0]),
        "window": window,
        "polar": contents.polar,
        "unit": unit,
        "labels": graticule_labels(window) if contents.polar else [],
    }


def _simpler(ring, tolerance):
    """A ring with fewer points that stays within a distance of the old one [m]."""
    outline = Outline(ring / tolerance)
    outline.simplify_threshold = 1.0
    return np.asarray(outline.cleaned(simplify=True).vertices)[:-1] * tolerance


def _ellipses(forecast, ocean, pack):
    if "drift_ellipse_major" in forecast:
        for name in ("major", "minor", "angle"):
            pack.add_field(f"ellipse_{name}", forecast[f"drift_ellipse_{name}"].values[:, ocean])


def _edges(contents, forecast, edges, plane, pack):
    """Median edge and band of each time; edge at the start, and the true one."""
    x, y, unit = forecast["x"].values, forecast["y"].values, plane["unit"]
    for number, edge in enumerate(edges):
        pack.add_lines(f"edge_{number}", edge.median, unit)
        pack.add_lines(f"band_{number}", edge.band, unit)
        pack.add_lines(f"limits_{number}", edge.limits, unit)
    if contents.verification is not None:
        truth = contents.verification["concentration"].sel(time=forecast["time"].values).values
        for number, field in enumerate(truth):
            pack.add_lines(f"truth_{number}", lines(x, y, field, ICE_EDGE), unit)
    if contents.analysis is not None and "concentration_background" in contents.analysis:
        for name, field in (("analysed", ""), ("background", "_background")):
            values = contents.analysis[f"concentration{field}"].values
            pack.add_lines(f"{name}_edge", lines(x, y, values, ICE_EDGE), unit)


def _increments(contents, ocean, pack):
    """Layers of the changes that the analysis made."""
    analysis, told = contents.analysis, []
    if analysis is None:
        return told
    for name, unit in (("concentration", ""), ("thickness", "m")):
        if f"{name}_increment" not in analysis:
            continue
        increment = analysis[f"{name}_increment"].values
        ice = analysis["concentration"].values > ICE_EDGE
        if "concentration_background" in analysis:
            ice |= analysis["concentration_background"].values > ICE_EDGE
        shown = np.where(ice, increment, np.where(np.isfinite(increment), 0, np.nan))
        if name == "concentration":
            shown = increment
        legend = "analysis minus background" + (f" [{unit}]" if unit else "")
        pack.add_field(f"{name}_increment", shown[None][..., ocean])
        layer = Layer(
            key=name,
            label=f"Change of {name}",
            group="Changes",
            entry=f"{name}_increment",
            index=None,
            unit=unit,
            digits=2,
            scale=symmetric_scale(legend, shown),
        )
        told.append(layer.plain())
    return told


def _observations(contents, plane, pack):
    """Places, kinds, fate and departure of the observations; None where there are none."""
    data = contents.observations
    if data is None or not data.sizes["obs"]:
        return None
    flag = data["flag"].values
    used = data["assimilated"].values == 1 if "assimilated" in data else flag == 0
    state = np.where(flag != 0, REJECTED, np.where(used, USED, WITHHELD))
    lowest = flag & -flag
    reason = np.array([0, *FLAGS.values()])
    reason = np.where(flag == 0, 0, np.searchsorted(reason, np.minimum(lowest, reason[-1])))
    places = np.column_stack([data["x"].values, data["y"].values]) / plane["unit"]
    pack.add("obs_place", np.clip(np.rint(places), -32767, 32767).T, "i2")
    pack.add("obs_kind", data["kind"].values, "u1")
    pack.add("obs_state", state, "u1")
    pack.add("obs_reason", reason, "u1")
    pack.add_field("obs_value", data["value"].values[None], step=0.01, kind="u2")
    if "background" in data:
        departure = data["value"].values - data["background"].values
        pack.add_field("obs_departure", departure[None], step=0.001, kind="u2")
    section = contents.config.get("analysis")
    section = section if isinstance(section, dict) else {}
    reach = {kind: section.get(f"{kind}_half_width_km", REACH.get(kind, 300.0)) for kind in KINDS}
    return {
        "kinds": [kind.replace("_", " ") for kind in KINDS],
        "reach": [reach[kind] for kind in KINDS],
        "reasons": ["", *(name.replace("_", " ") for name in FLAGS)],
    }


def _drifters(contents, times, plane, pack):
    """Names of the drifters; their places are packed ``(2, time, drifter, member)``."""
    data = contents.trajectories
    if data is None:
        return []
    order = ("time", "drifter", "realization")
    part = data.isel(time=times)
    places = np.stack([part[f"drifter_{n}"].transpose(*order).values for n in "xy"])
    mean = np.stack([part[f"drifter_{n}_mean"].transpose(*order[:2]).values for n in "xy"])
    for name, values in (("drifter_members", places), ("drifter_mean", mean)):
        coded = np.where(np.isfinite(values), np.rint(values / plane["unit"]), -32768)
        pack.add(name, coded, "i2")
    return [str(name) for name in data["drifter_name"].values]


def _levels(forecast, name):
    return [float(level) for level in forecast[name].values] if name in forecast.coords else []


def _most_uncertain(forecast, ocean, window):
    """Number among the ocean cells of that whose concentration is least certain on average."""
    if "concentration_spread" not in forecast:
        return 0
    spread = np.nan_to_num(forecast["concentration_spread"].values).mean(axis=0)
    west, east, south, north = window
    margin = 0.1 * (east - west)
    x, y = forecast["x"].values, forecast["y"].values[:, None]
    inside = (x > west + margin) & (x < east - margin) & (y > south + margin) & (y < north - margin)
    return int(np.argmax(np.where(inside, spread, 0.0)[ocean]))


def _in_html(header):
    """JSON in which no end of an element can stand."""
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
