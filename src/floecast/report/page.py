"""The page: all that a forecaster asks of a forecast, in one file that needs no network."""

import base64
import itertools
import json
from pathlib import Path

import jinja2

from floecast.core.atomic import replacing
from floecast.report import pictures, summary
from floecast.report.cautions import cautions
from floecast.report.charts import looks, score_chart
from floecast.report.contents import read_contents
from floecast.report.drawing import style
from floecast.report.overview import observation_table, outlook, provenance
from floecast.report.score_tables import MARKS, in_order, score_tables
from floecast.report.viewer import view_of

MAIN_SCORES = 4
STATIC_LEADS = 3
"""Leads whose maps of concentration are inside of the page for readers without scripts."""


def write_report(folder):
    """Write ``report.html`` and ``figures/`` into the folder of a run or a forecast.

    Parameters
    ----------
    folder : path-like
        Holds ``manifest.json``, ``forecast.nc`` and, but for ``floecast forecast --analysis``,
        ``analysis.nc``; what else there is (members, observations, diagnostics, ice edge, dates,
        trajectories, verification, scorecard) is shown too. A forecast from an analysis shows
        the maps and observations of that as long as its folder is there unchanged.

    Returns
    -------
    Path
        The page, one file with its numbers inside. Equal folders give equal bytes.

    Raises
    ------
    InputError
        If a product that the page cannot do without is missing or damaged.
    """
    folder = Path(folder)
    contents = read_contents(folder)
    with style():
        shown = _pictures(contents)
    html = _environment().get_template("report.html.j2").render(**_told(contents, shown))
    with replacing(folder / "figures") as figures:
        figures.mkdir()
        for picture in _all(shown):
            (figures / f"{picture.name}.png").write_bytes(picture.png)
    page = folder / "report.html"
    with replacing(page) as partial:
        partial.write_text(html, encoding="utf-8")
    return page


def _told(contents, shown):
    """What the template fills in."""
    view = view_of(contents)
    scores = score_tables(contents.scores)
    systems = {name for table in scores for name in table.systems}
    return {
        "contents": contents,
        "manifest": contents.manifest,
        "provenance": provenance(contents),
        "cautions": cautions(contents),
        "verdict": summary.verdict(contents),
        "view": view,
        "layers": view.layers,
        "times": len(view.times),
        "now": _now(contents, view),
        "outlook": outlook(contents, view),
        "change_tables": [
            table
            for table in (observation_table(contents), summary.analysis_table(contents.scores))
            if table is not None
        ],
        "increments": [
            name
            for name in ("concentration", "thickness")
            if contents.analysis is not None and f"{name}_increment" in contents.analysis
        ],
        "static": _static(shown),
        "has": _has(contents, view),
        "ellipse": f"{100 * contents.config.get('ellipse', 0.9):g} %",
        "marks": MARKS,
        "looks": looks(in_order(systems)),
        "interval_note": _INTERVALS[any(" minus " in row.system for row in contents.scores.rows)],
        "main_scores": scores[:MAIN_SCORES],
        "more_scores": scores[MAIN_SCORES:],
        "consistency": [one for one in shown["consistency"] if one.name.startswith("consistency")],
        "scorecard": summary.scorecard_rows(contents.scores),
        "config": json.dumps(contents.config, indent=2, ensure_ascii=False),
        "rounding": "Maps and meteograms are rounded: shares to 0.5 %, thickness to 1 cm, single "
        "members to 1 % and 5 cm.",
    }


_INTERVALS = {
    True: "Marks rest on the intervals of the differences between forecast and baseline.",
    False: "Without intervals of the differences a mark wants intervals that do not meet, which "
    "asks for more than need be.",
}


def _now(contents, view):
    """Maps of the state: layer, and heading, label and caption of each."""
    band = any(edge.band for edge in view.edges[:1])
    width = view.edges[0].width
    caption = "Line: the ice edge (15 %)"
    if band:
        caption = "Line: median ice edge (15 %); shaded: where it may lie, 10 to 90 %"
    caption += f", {width:.0f} km wide on average." if width == width else "."
    words = {
        "concentration": ("Concentration", caption),
        "thickness": (
            "Thickness and drift" if "u" in contents.forecast else "Thickness",
            "Mean over the ice.",
        ),
    }
    keys = {layer.key for layer in view.layers}
    return [
        (name, (head, f"Map of the sea-ice {name} at {contents.issued} with the ice edge", below))
        for name, (head, below) in words.items()
        if name in keys
    ]


def _has(contents, view):
    """Which parts of the viewer there is something for."""
    forecast = view.told.forecast
    return {
        "band": any(edge.band for edge in view.edges),
        "truth": any(layer.key == "truth" for layer in view.layers),
        "drift": {"u", "v"} <= set(forecast),
        "ellipses": "drift_ellipse_major" in forecast,
        "drifters": contents.trajectories is not None,
        "geographic": "latitude" in forecast.coords,
    }


def _static(shown):
    """Some of the figures: state, changes, and concentration at a few leads."""
    frames = next((film.frames for film in shown["films"] if film.key == "concentration"), [])
    last = len(frames) - 1
    chosen = sorted({round(last * (i + 1) / STATIC_LEADS) for i in range(STATIC_LEADS)})
    return [*shown["state"], *shown["increments"], *(frames[number] for number in chosen)]


def _pictures(contents):
    main_curves, more_curves, spread = pictures.curves(contents)
    return {
        "state": pictures.analysis_maps(contents),
        "increments": pictures.increment_maps(contents),
        "films": pictures.films(contents),
        "main_curves": main_curves,
        "more_curves": more_curves,
        "consistency": pictures.consistency(contents) + spread,
    }


def _all(shown):
    for name, group in shown.items():
        if name == "films":
            group = [frame for film in group for frame in film.frames]
        yield from group


def _environment():
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("floecast.report", "assets"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_uri"] = _data_uri
    environment.filters["megabytes"] = lambda size: f"{size / 1e6:,.1f} MB"
    environment.filters["chart"] = score_chart
    environment.filters["groups"] = lambda layers: [
        list(group) for _, group in itertools.groupby(layers, key=lambda layer: layer.group)
    ]
    return environment


def _data_uri(png):
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
