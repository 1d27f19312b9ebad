"""The page: everything a forecaster asks of a run, in one file that opens without a network."""

import base64
import json
from pathlib import Path

import jinja2

from floecast.core.atomic import replacing
from floecast.report import pictures, summary
from floecast.report.contents import read_contents
from floecast.report.drawing import style


def write_report(folder):
    """Write ``report.html`` and ``figures/`` into the folder of a run.

    Parameters
    ----------
    folder : path-like
        Holds ``manifest.json``, ``analysis.nc`` and ``forecast.nc``; what else the run has made
        (observations, verification, scorecard) is shown too.

    Returns
    -------
    Path
        The page, one file with its pictures inside. Equal folders give equal bytes.

    Raises
    ------
    InputError
        If a product that the page cannot do without is missing or damaged.
    """
    folder = Path(folder)
    contents = read_contents(folder)
    with style():
        shown = _pictures(contents)
    html = (
        _environment()
        .get_template("report.html.j2")
        .render(
            contents=contents,
            manifest=contents.manifest,
            verdict=summary.verdict(contents),
            tables=_tables(contents.scores),
            scorecard=summary.scorecard_rows(contents.scores),
            config=json.dumps(contents.manifest["config"], indent=2, ensure_ascii=False),
            **shown,
        )
    )
    with replacing(folder / "figures") as figures:
        figures.mkdir()
        for picture in _all(shown):
            (figures / f"{picture.name}.png").write_bytes(picture.png)
    page = folder / "report.html"
    with replacing(page) as partial:
        partial.write_text(html, encoding="utf-8")
    return page


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


def _tables(card):
    tables = [summary.analysis_table(card)]
    tables += [summary.lead_table(card, score) for score in ("iiee", "rmse")]
    return [table for table in tables if table is not None]


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
    return environment


def _data_uri(png):
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
