"""The numbers and sentences taken from a scorecard, and the classes of misfit."""

from dataclasses import dataclass
from math import nan

import numpy as np
import pytest

from floecast.report.curves import (
    binned_misfit,
    score_curves,
    score_label,
    score_unit,
)
from floecast.report.drawing import style
from floecast.report.summary import (
    analysis_table,
    number,
    score_groups,
    scorecard_rows,
    verdict,
)
from floecast.verification.scorecard import Row, Scorecard

WITHHELD = "withheld cells"


def row(system, value, lead=0.0, variable="thickness", score="rmse", region=WITHHELD, low=nan):
    return Row(system, variable, score, region, lead, value, low, 1.1 * value, 12)


def edge(system, value, day):
    return row(system, value, 24.0 * day, "concentration", "iiee", "arctic")


@dataclass
class Run:
    scores: Scorecard
    leads = (0, 24, 48)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.31, "0.310"),
        (12.345, "12.3"),
        (314.7, "315"),
        (98765.4, "98,765"),
        (-0.05, "−0.0500"),
        (0.0, "0.00"),
        (nan, "–"),
    ],
)
def test_number(value, text):
    assert number(value) == text


def test_signed_number():
    assert number(0.31, 2, signed=True) == "+0.31"


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ([], "2-day forecast, not verified."),
        (
            [row("analysis", 0.3), row("background", 0.4)],
            "Thickness error of the analysis on withheld cells 0.300 m, 25 % below the background.",
        ),
        (
            [row("analysis", 0.5), row("background", 0.4)],
            "Thickness error of the analysis on withheld cells 0.500 m, 25 % above the background.",
        ),
        (
            [row("analysis", 0.4), row("background", 0.4)],
            "Thickness error of the analysis on withheld cells 0.400 m, "
            "the same as the background.",
        ),
        (
            [
                edge("forecast", 80, 1),
                edge("persistence", 70, 1),
                edge("forecast", 90, 2),
                edge("persistence", 120, 2),
            ],
            "Ice-edge error below persistence at 1 of 2 leads "
            "(−25 % at day 2; intervals overlap at every lead).",
        ),
        ([edge("forecast", 80, 1)], "2-day forecast, not verified."),
    ],
)
def test_verdict(rows, line):
    assert verdict(Run(Scorecard(rows))) == line


def test_analysis_table():
    card = Scorecard(
        [
            row("background", 0.55, low=0.5),
            row("analysis", 0.31),
            row("analysis", -0.02, score="bias"),
            row("analysis", 9.0, region="assimilated"),
        ]
    )
    table = analysis_table(card)
    assert [line[0] for line in table.rows] == ["analysis", "background"]
    assert [cell.value for cell in table.rows[0][1:]] == ["0.310", "−0.0200"]
    assert [cell.value for cell in table.rows[1][1:]] == ["0.550", "–"]
    assert table.rows[1][1].interval == "0.50 to 0.61"
    assert table.note == "withheld cells, n = 12"
    assert analysis_table(Scorecard([row("background", 0.5)])) is None


def test_curves_need_two_leads_and_finite_values():
    rows = [edge("forecast", 80, 1), edge("forecast", nan, 2), row("analysis", 0.3)]
    assert score_groups(Scorecard(rows)) == []
    rows += [edge("forecast", 90, 3), row("forecast", 0.1, 24.0), row("forecast", 0.1, 48.0)]
    groups = score_groups(Scorecard(rows))
    assert [(variable, score, region) for variable, score, region, _ in groups] == [
        ("concentration", "iiee", "arctic"),
        ("thickness", "rmse", "withheld cells"),
    ]
    assert [entry.value for entry in groups[0][3]] == [80, 90]


def test_unknown_names_are_shown_as_they_are():
    assert score_label("my_score") == "my score"
    assert score_unit("my_variable", "my_score") == ""
    rows = [row("my_system", 1.0, lead, "my_variable", "my_score") for lead in (24.0, 48.0)]
    with style():
        assert score_curves(rows, "my_variable", "my_score").startswith(b"\x89PNG")


def test_scorecard_puts_the_forecast_first():
    card = Scorecard([edge("climatology", 3, 1), edge("persistence", 2, 1), edge("forecast", 1, 1)])
    assert [line[4] for line in scorecard_rows(card)] == ["forecast", "persistence", "climatology"]


def test_classes_of_misfit():
    rng = np.random.default_rng(3)
    expected = np.repeat([0.1, 0.4], 2000)
    misfit = expected * rng.standard_normal(4000)
    classes, actual = binned_misfit(misfit, expected, classes=2)
    assert classes == pytest.approx([0.1, 0.4])
    assert actual == pytest.approx([0.1, 0.4], rel=0.1)
    assert len(binned_misfit(misfit[:60], expected[:60])[0]) == 2
    classes, actual = binned_misfit(np.array([3.0, -4.0]), np.array([1.0, 1.0]))
    assert (classes, actual) == (pytest.approx([1.0]), pytest.approx([np.sqrt(12.5)]))
