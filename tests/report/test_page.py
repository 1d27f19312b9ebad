"""The page of a run: whole, self-contained, safe, the same each time, and made of what there is."""

import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from floecast.core.errors import InputError
from floecast.report.page import write_report

VOID = {"meta", "img", "input", "link", "br"}


class Page(HTMLParser):
    """Elements of a page with their attributes, and whether every tag was closed in order."""

    def __init__(self, text):
        super().__init__()
        self.elements, self._open = [], []
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def all(self, tag, **wanted):
        return [
            attributes
            for name, attributes in self.elements
            if name == tag and all(attributes.get(k) == v for k, v in wanted.items())
        ]


def digests(folder):
    files = [folder / "report.html", *sorted((folder / "figures").iterdir())]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.fixture(scope="module")
def run(tmp_path_factory, make_run):
    """Folder of a twin run with its report."""
    folder = make_run(tmp_path_factory.mktemp("twin"))
    assert write_report(folder) == folder / "report.html"
    return folder


@pytest.fixture(scope="module")
def text(run):
    return (run / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_needs_nothing_from_elsewhere(text, page):
    for tag, attributes in page.elements:
        for name in ("src", "href", "srcset", "action", "data"):
            assert re.match("data:image/png;base64,|#", attributes.get(name, "#")), (tag, name)
    # The name of the SVG elements is an address that nobody fetches.
    loads = text.replace('const SVG = "http://www.w3.org/2000/svg";', "")
    assert not re.search(r"https?://|@import|url\(", loads)
    assert not re.search(r"fetch\(|XMLHttpRequest|WebSocket|sendBeacon|import\(", text)
    assert not page.all("link") and not page.all("iframe")


def test_every_lead_of_every_field_is_there(run, page, text):
    header = json.loads(re.search(r'id="header">(.*?)</script>', text)[1])
    assert header["leads"] == [0, 24, 48] and len(header["valid"]) == 3
    offered = {option["value"] for option in page.all("option")}
    assert offered == {layer["key"] for layer in header["layers"]}
    assert {
        "concentration",
        "thickness",
        "concentration_spread",
        "probability_of_ice",
        "probability_of_pack_ice",
        "probability_of_thickness_class_5",
        "concentration_quantile_0",
        "thickness_quantile_4",
        "truth",
        "truth_thickness",
    } <= offered
    for layer in header["layers"]:
        assert header["entries"][layer["entry"]]["shape"][0] == 3
    for field in ("concentration", "thickness", "probability", "spread", "truth"):
        for hours in (0, 24, 48):
            assert (run / "figures" / f"forecast_{field}_{hours:03d}h.png").stat().st_size > 1000


def test_controls_have_names(page):
    (slider,) = page.all("input", type="range")
    assert (slider["min"], slider["max"], slider["step"]) == ("0", "2", "1")
    labelled = {label.get("for") for label in page.all("label")}
    assert {slider["id"], "layer"} <= labelled
    assert page.all("output", **{"for": slider["id"]})
    assert page.all("button", type="button")
    assert page.all("fieldset") and page.all("legend")
    assert page.all("html")[0]["lang"] == "en"
    assert all(picture["alt"] for picture in page.all("img"))
    assert all(canvas["role"] in ("img", "application") for canvas in page.all("canvas"))
    named = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    assert len(named) == sum("id" in attributes for _, attributes in page.elements)
    assert {link["href"][1:] for link in page.all("a")} <= named
    assert {section["aria-labelledby"] for section in page.all("section")} <= named


def test_without_scripts_there_are_pictures(text, page):
    static = re.search(r"<noscript>(.*?)</noscript>", text, re.S)[1]
    pictures = Page(static).all("img")
    assert len(pictures) == 2 + 2 + 2  # state, changes, leads after the start
    assert {"Map: concentration, 24 hours ahead", "Map: concentration, 48 hours ahead"} <= {
        picture["alt"].split(", valid")[0] for picture in pictures
    }


def test_says_what_matters_first(text):
    parts = (
        "Winter 2015",
        "2015-01-01 00:00 UTC",
        "with an error that grows with lead",
        "2 of 40 members failed",
        "1 of 100 concentration observations rejected (failed gross check)",
        "44 % below the background",
        "State now",
        "Where the analysis changed",
        "Observations of the analysis",
        "The forecast",
        "Outlook",
        "How good it was",
        "numbers of the scorecard",
        "known to the forecast only",
        "ab" * 32,
    )
    places = [text.index(part, text.index("<body>")) for part in parts]
    assert places == sorted(places)


def test_text_of_users_is_escaped(make_run, tmp_path):
    attack = "<script>alert(1)</script>\"'&"
    texts = {"title": attack, "name": attack, "warnings": [attack], "notes": [attack]}
    folder = make_run(tmp_path, days=1, **texts)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["inputs"][0]["path"] = attack
    (folder / "manifest.json").write_text(json.dumps(manifest))
    text = write_report(folder).read_text(encoding="utf-8")
    assert "alert(1)" in text and "<script>alert" not in text
    assert len(Page(text).all("script")) == 3


def test_same_folder_same_bytes_and_no_figure_of_an_earlier_report(run):
    before = digests(run)
    (run / "figures" / "forecast_concentration_240h.png").write_bytes(b"old")
    write_report(run)
    assert digests(run) == before
    assert not [file for file in run.iterdir() if file.name.startswith(".")]


def test_size(run):
    assert (run / "report.html").stat().st_size < 1_500_000
    frames = list((run / "figures").glob("forecast_*.png"))
    assert max(frame.stat().st_size for frame in frames) < 80_000  # 11 leads x 5 fields: below 6 MB


def test_pictures_hold_pixels_only(run):
    for file in (run / "figures").iterdir():
        data, kinds = file.read_bytes()[8:], set()
        while data:
            length = int.from_bytes(data[:4], "big")
            kinds.add(data[4:8])
            data = data[12 + length :]
        assert kinds == {b"IHDR", b"PLTE", b"IDAT", b"IEND"}, file


def test_real_run_has_no_true_fields(make_run, tmp_path):
    folder = make_run(tmp_path, days=1, twin=False)
    text = write_report(folder).read_text(encoding="utf-8")
    assert "Observed concentration" in text and "True concentration" not in text
    assert "twin experiment" not in text
    assert not (folder / "figures" / "score_ice_volume_rmse.png").exists()


def test_bare_run(make_run, tmp_path):
    folder = make_run(tmp_path, days=1, warnings=[], notes=[], inputs=[], stages=[])
    for name in ("observations", "verification", "forecast_members"):
        (folder / f"{name}.nc").unlink()
    (folder / "scorecard.json").unlink()
    text = write_report(folder).read_text(encoding="utf-8")
    page = Page(text)
    assert "1-day forecast, not verified." in text
    for heading in ("Notes", "How good it was", "Does the spread", "Files read", "Stages"):
        assert heading not in text
    assert [option["value"] for option in page.all("option")] == [
        "concentration",
        "thickness",
        "concentration_spread",
        "probability_of_ice",
    ]
    links = {link["href"] for link in page.all("a")}
    assert links == {"#now", "#changes", "#forecast", "#place-head", "#inputs"}


def test_forecast_from_an_analysis(make_run, make_forecast, tmp_path):
    run, folder = tmp_path / "run", tmp_path / "forecast"
    run.mkdir()
    folder.mkdir()
    make_run(run, twin=False)
    make_forecast(folder, run)
    text = write_report(folder).read_text(encoding="utf-8")
    page = Page(text)
    for part in ("Where the analysis changed", "1 of 6 members were lost", "not been verified"):
        assert part in text
    assert "drift with ellipses that hold it, 80 %" in text and "drifters and their members" in text
    assert "ship \\u003c1\\u003e" in text and "ship <1>" not in text
    assert not list((folder / "figures").glob("forecast_thickness_*.png"))
    (run / "analysis_ensemble.nc").write_bytes(b"other members")
    text = write_report(folder).read_text(encoding="utf-8")
    assert "cannot be shown" in text and "Where the analysis changed" not in text
    assert page.all("canvas", id="map")


@pytest.mark.parametrize(
    ("name", "command"), [("analysis.nc", "assimilate"), ("forecast.nc", "forecast")]
)
def test_missing_product(make_run, tmp_path, name, command):
    folder = make_run(tmp_path)
    (folder / name).unlink()
    with pytest.raises(InputError, match=rf"{name} is missing; .*floecast {command} --config"):
        write_report(folder)
    assert not (folder / "report.html").exists() and not (folder / "figures").exists()


def test_not_a_run(tmp_path):
    with pytest.raises(InputError, match="no manifest.json"):
        write_report(tmp_path)


def test_product_without_concentration(make_run, tmp_path):
    folder = make_run(tmp_path)
    (folder / "forecast.nc").write_bytes((folder / "observations.nc").read_bytes())
    with pytest.raises(InputError, match="forecast.nc has no concentration"):
        write_report(folder)
