"""Where a forecast comes from, and its totals lead by lead."""

import numpy as np

from floecast.core.variables import ICE_EDGE
from floecast.observation.observations import KINDS
from floecast.report.contents import of_analysis
from floecast.report.members import BAND, cell_area
from floecast.report.summary import Cell, Table, number

WEATHER = {
    "climatology": "drawn for each member from a climatology",
    "forecast": "that of the twin, with an error that grows with lead",
    "file": "from files",
}
METHODS = {"letkf": "LETKF", "en4dvar": "En4DVar"}


def provenance(contents):
    """What a forecast is made of, as terms and texts."""
    config, manifest = contents.config, contents.manifest
    told = []
    if of_analysis(manifest):
        told.append(("Analysis", f"members of {config['analysis']}"))
        told.append(("Model", f"emulator {config.get('emulator') or 'of the analysis'}"))
    else:
        section = config.get("analysis", {})
        window = section.get("window_hours")
        method = section.get("method")
        if method:
            method = METHODS.get(method, method)
            told.append(("Analysis", method + (f", window of {window} h" if window else "")))
        model = config.get("model", {}).get("kind")
        if model:
            told.append(("Model", model.replace("_", " ")))
    count = _members(contents)
    if count:
        told.append(("Members", f"{count}"))
    if contents.weather:
        files = config["weather"].get("file")
        text = WEATHER.get(contents.weather, contents.weather)
        told.append(("Weather", text if not files else f"{text}: {_names(files)}"))
    if contents.observations is not None:
        told.append(("Observations", _observed(contents.observations)))
    if contents.verification is not None:
        told.append(
            (
                "Verified against",
                "the truth of the twin" if contents.twin else "observed concentration",
            )
        )
    version = manifest["versions"].get("floecast")
    made = manifest["created"] + (f", floecast {version}" if version else "")
    return [*told, ("Made", made)]


def observation_table(contents):
    """Observations by kind: how many, what became of them, misfits before and after."""
    data = contents.observations
    if data is None:
        return None
    columns = {name: data[name].values for name in data.data_vars}
    good = columns["flag"] == 0
    used = good & (columns["assimilated"] == 1) if "assimilated" in columns else good
    rows = []
    for index, kind in enumerate(KINDS):
        own = columns["kind"] == index
        if not own.any():
            continue
        cells = [Cell(f"{int(np.sum(own & part)):,}") for part in (used, good & ~used, ~good)]
        unit = {"concentration": "", "drift_u": "m/s", "drift_v": "m/s"}.get(kind, "m")
        departures = []
        for name in ("background", "analysis"):
            if name not in columns:
                departures.append(Cell("–"))
                continue
            misfit = (columns["value"] - columns[name])[own & used]
            misfit = misfit[np.isfinite(misfit)]
            mean, rms = (
                (np.mean(misfit), np.sqrt(np.mean(misfit**2))) if misfit.size else (np.nan,) * 2
            )
            departures.append(
                Cell(
                    f"{number(float(rms), 2)} {unit}".strip(),
                    f"mean {number(float(mean), 2, signed=True)}",
                )
            )
        rows.append((kind.replace("_", " "), *cells, *departures))
    head = ("kind", "used", "withheld", "rejected", "misfit before", "misfit after")
    note = "Misfit: observation minus its equivalent, root mean square of the used ones."
    return Table("Observations of the analysis", note, head, rows) if rows else None


def outlook(contents, view):
    """Extent, volume and width of the edge at each lead; intervals hold 80 % of the members."""
    forecast, totals = view.told.forecast, view.told.totals
    area = cell_area(forecast)
    rows = []
    for place, lead in enumerate(np.array(contents.leads)[view.times]):
        concentration = forecast["concentration"].values[place]
        cells = [
            _total(totals, "extent", place, np.nansum(area * (concentration > ICE_EDGE)) / 1e9)
        ]
        if "ice_volume" in forecast:
            volume = np.nansum(area * forecast["ice_volume"].values[place]) / 1e9
            cells.append(_total(totals, "volume", place, volume))
        cells.append(Cell(number(view.edges[place].width, 3)))
        rows.append((f"{lead / 24:g} d", *cells))
    head = ["lead", "extent [1000 km²]", "volume [km³]", "edge uncertain by [km]"]
    if "ice_volume" not in forecast:
        del head[2]
    note = "Within the map's grid; of the mean"
    note += ", below it where 80 % of the members lie." if totals else "."
    return Table("Outlook", note, tuple(head), rows)


def _total(totals, name, place, mean):
    if name not in totals:
        return Cell(number(float(mean), 3))
    low, high = np.quantile(totals[name][place], BAND, method="median_unbiased")
    return Cell(number(float(mean), 3), f"{number(float(low), 3)} to {number(float(high), 3)}")


def _members(contents):
    if "members" in contents.forecast:
        return int(contents.forecast["members"].values[-1])
    return contents.config.get("ensemble", {}).get("members")


def _observed(data):
    parts = []
    for index, kind in enumerate(KINDS):
        own = data["kind"].values == index
        used = own & (data["flag"].values == 0)
        if "assimilated" in data:
            used &= data["assimilated"].values == 1
        if own.any():
            parts.append(f"{int(used.sum()):,} of {kind.replace('_', ' ')}")
    return ", ".join(parts) or "none"


def _names(files):
    return files if isinstance(files, str) else ", ".join(files)
