"""The status of a daily operation: a page for people and the same as JSON for programs."""

import json

import jinja2

from floecast.core.atomic import write_text
from floecast.core.calendar import HOUR, iso
from floecast.io.run_folder import versions

SHOWN = 14
"""Analyses on the page."""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="300">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ name }}: {{ outcome }}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 0.5rem 0 1.5rem; }
th, td { text-align: left; padding: 0.3rem 0.8rem 0.3rem 0; border-bottom: 1px solid #ccd; }
.outcome { padding: 0.6rem 1rem; border-left: 0.5rem solid #2a7; background: #eef8f2; }
.warn { border-color: #d90; background: #fff6e5; }
.bad { border-color: #c22; background: #fdecec; }
</style>
</head>
<body>
<h1>{{ title or name }}</h1>
<p class="outcome {{ {0: '', 3: '', 4: 'warn'}.get(code, 'bad') }}">{{ text }} ({{ outcome }},
{{ time }})</p>
<table>
<tr><th>Last good analysis</th><td>{{ last_analysis or "none" }}</td></tr>
<tr><th>Last good forecast</th><td>
{%- if forecast %}<a href="{{ forecast }}/report.html">{{ forecast }}</a>{% else %}none{% endif -%}
</td></tr>
<tr><th>Next expected</th><td>{{ next_expected or "none" }}</td></tr>
</table>
{% if warnings %}<h2>Warnings</h2><ul>{% for one in warnings %}<li>{{ one }}</li>{% endfor %}</ul>
{% endif %}<h2>Products</h2>
<table><tr><th>Product</th><th>Last record ends</th><th>Age [h]</th></tr>
{% for one in products %}<tr><td>{{ one.product }}</td><td>{{ one.last or "nothing has come" }}</td>
<td>{{ "" if one.age_hours is none else one.age_hours }}</td></tr>
{% endfor %}</table>
<h2>Last analyses</h2>
<table><tr><th>Analysis</th><th>Came</th><th>Missing</th><th>Made</th></tr>
{% for one in analyses %}<tr><td>{{ one.time }}</td>
<td>{{ one.came or "nothing" }}</td><td>{{ one.missing }}</td><td>{{ one.made }}</td></tr>
{% endfor %}</table>
</body>
</html>
"""


def write_status(run, outcome):
    """Write ``status.json`` and ``status.html``.

    Parameters
    ----------
    run : object
        With ``config``, ``archive``, ``inputs``, ``now`` and ``warnings``.
    outcome : Outcome
    """
    told = _told(run, outcome)
    folder = run.archive.folder
    write_text(folder / "status.json", json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    page = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    analyses = [
        one
        | {
            "came": ", ".join(f"{name} {n}" for name, n in one["counts"].items() if n),
            "missing": ", ".join(one["missing"]),
        }
        for one in reversed(told["analyses"])
    ]
    write_text(
        folder / "status.html",
        page.from_string(_PAGE).render(told | {"analyses": analyses}) + "\n",
    )


def _told(run, outcome):
    entries = list(run.archive.entries().values())
    last = entries[-1].time if entries else None
    following = run.archive.first if last is None else last + run.archive.every
    forecast = outcome.forecast
    return {
        "name": run.config.name,
        "title": run.config.title,
        "time": iso(run.now),
        "code": int(outcome.code),
        "outcome": outcome.code.name.lower().replace("_", " "),
        "text": outcome.text,
        "made": outcome.analyses,
        "last_analysis": None if last is None else iso(last),
        "forecast": None if forecast is None else f"forecasts/{forecast.name}",
        "next_expected": iso(following),
        "products": [_product(run, section) for section in run.config.observations],
        "analyses": [
            {
                "time": iso(entry.time),
                "counts": entry.cycle["counts"],
                "missing": entry.cycle["missing"],
                "made": entry.manifest["created"],
            }
            for entry in entries[-SHOWN:]
        ],
        "warnings": run.warnings + (entries[-1].manifest["warnings"] if entries else []),
        "versions": versions(),
    }


def _product(run, section):
    last = run.inputs.last(section.product)
    return {
        "product": section.product,
        "last": None if last is None else iso(last),
        "age_hours": None if last is None else round((run.now - last) / HOUR, 1),
    }
