"""The scorecard and its files."""

import csv
import json
import math
import os

import pytest

from floecast.core.errors import InputError
from floecast.verification import Row, Scorecard

ROWS = [
    Row("floecast", "concentration", "rmse", "arctic", 24.0, 0.1 + 0.2, 0.25, math.nan, 812),
    Row("persistence", "concentration", "rmse", "arctic", 24.0, 0.5, 0.4, 0.6, 812),
    Row("floecast", "concentration", "rmse", "arctic", 120.0, 1 / 3, 0.3, 0.4, 800),
    Row("floecast", "ice_volume", "crps", "arctic", 24.0, math.nan, math.nan, math.nan, 0),
]


@pytest.fixture
def card():
    return Scorecard(ROWS)


def test_round_trip(card, tmp_path):
    card.to_json(tmp_path / "card.json")
    assert str(Scorecard.from_json(tmp_path / "card.json").rows) == str(card.rows)
    assert os.listdir(tmp_path) == ["card.json"]


def test_bytes_do_not_depend_on_the_order(card, tmp_path):
    for suffix in ("json", "csv"):
        for name, rows in (("a", ROWS), ("b", ROWS[::-1])):
            getattr(Scorecard(rows), f"to_{suffix}")(tmp_path / f"{name}.{suffix}")
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


def test_json_content(card, tmp_path):
    card.to_json(tmp_path / "card.json")
    text = (tmp_path / "card.json").read_text()
    assert "NaN" not in text and "0.30000000000000004" in text
    entries = json.loads(text)
    assert list(entries[0]) == [
        "system",
        "variable",
        "score",
        "region",
        "lead_hours",
        "value",
        "low",
        "high",
        "n",
    ]
    assert entries[0]["high"] is None and entries[0]["n"] == 812


def test_csv_content(card, tmp_path):
    card.to_csv(tmp_path / "card.csv")
    with open(tmp_path / "card.csv", newline="") as file:
        entries = list(csv.DictReader(file))
    assert float(entries[0]["value"]) == 0.1 + 0.2
    assert entries[0]["high"] == "" and entries[-1]["value"] == ""


def test_empty_card(tmp_path):
    Scorecard([]).to_json(tmp_path / "card.json")
    assert len(Scorecard.from_json(tmp_path / "card.json")) == 0
    assert Scorecard([]).table().split() == ["variable", "score", "region", "system"]


def test_select(card):
    chosen = card.select(score="rmse", lead_hours=24)
    assert [row.system for row in chosen.rows] == ["floecast", "persistence"]
    assert len(card.select(score="nothing")) == 0
    with pytest.raises(InputError, match="no field lead in a scorecard"):
        card.select(lead=24)


def test_table(card):
    lines = card.table().splitlines()
    assert lines[0].split() == ["variable", "score", "region", "system", "24", "h", "120", "h"]
    assert lines[1].split() == ["concentration", "rmse", "arctic", "floecast", "0.3", "0.3333"]
    assert lines[2].split() == ["concentration", "rmse", "arctic", "persistence", "0.5"]
    assert lines[3].split()[-1] == "-"


def test_failed_write_leaves_the_old_file(card, tmp_path, monkeypatch):
    path = tmp_path / "card.json"
    card.to_json(path)
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        Scorecard([]).to_json(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["card.json"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "not valid JSON"),
        ("{}", "expected a list of scorecard rows, found a dict"),
        ('[{"system": "a"}]', "row 0 is no scorecard row"),
        ('[{"n": 1.5, "value": null}]', "row 0 is no scorecard row"),
    ],
)
def test_bad_files(text, message, tmp_path):
    (tmp_path / "card.json").write_text(text)
    with pytest.raises(InputError, match=message):
        Scorecard.from_json(tmp_path / "card.json")


@pytest.mark.parametrize(
    ("field", "value"), [("n", 1.5), ("n", True), ("system", 3), ("lead_hours", None), ("low", "x")]
)
def test_bad_values(field, value, card, tmp_path):
    path = tmp_path / "card.json"
    card.to_json(path)
    entries = json.loads(path.read_text())
    entries[1][field] = value
    path.write_text(json.dumps(entries))
    with pytest.raises(InputError, match=f"row 1, field {field}"):
        Scorecard.from_json(path)


def test_absent_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        Scorecard.from_json(tmp_path / "card.json")
