"""Marks of the score tables say what is certain, and no more."""

from math import nan

import pytest

from floecast.report.charts import round_ticks, score_chart
from floecast.report.score_tables import comparison, score_tables
from floecast.verification.scorecard import Row, Scorecard


def row(system, day, value, low=nan, high=nan, score="rmse"):
    return Row(system, "concentration", score, "arctic", 24.0 * day, value, low, high, 12)


def verdicts(*rows, score="rmse", baseline="persistence"):
    card = Scorecard(rows)
    return [pair.verdict for pair in comparison(card, "concentration", score, baseline)]


def pair(day, forecast, other, half, score="rmse"):
    return [
        row(name, day, value, value - half, value + half, score)
        for name, value in (("forecast", forecast), ("persistence", other))
    ]


def test_intervals_that_meet_are_no_difference():
    rows = [*pair(1, 1.0, 2.0, 0.4), *pair(2, 1.0, 2.0, 0.6), *pair(3, 2.0, 1.0, 0.4)]
    assert verdicts(*rows) == ["better", "equal", "worse"]


def test_the_interval_of_the_difference_counts_where_there_is_one():
    rows = [*pair(1, 1.0, 2.0, 0.6), *pair(2, 1.0, 2.0, 0.4)]
    told = [
        row("forecast minus persistence", 1, -1.0, -1.5, -0.5),
        row("forecast minus persistence", 2, -1.0, -2.5, 0.5),
    ]
    assert verdicts(*rows) == ["equal", "better"]
    assert verdicts(*rows, *told) == ["better", "equal"]


def test_without_intervals_nothing_is_certain():
    rows = [
        row(name, day, day * f)
        for name, f in (("forecast", 1), ("persistence", 2))
        for day in (1, 2)
    ]
    assert verdicts(*rows) == ["equal", "equal"]


def test_what_is_better_depends_on_the_score():
    rows = [*pair(1, 0.9, 0.5, 0.1, "correlation"), *pair(2, 0.9, 0.5, 0.1, "correlation")]
    assert verdicts(*rows, score="correlation") == ["better", "better"]
    rows = [*pair(1, -0.1, 0.5, 0.1, "bias"), *pair(2, 0.1, -0.5, 0.1, "bias")]
    assert verdicts(*rows, score="bias") == ["better", "better"]


def test_table_leaves_out_systems_of_the_start_alone():
    rows = [*pair(0, 0.5, 0.0, 0.1), *pair(1, 1.0, 2.0, 0.4), row("background", 0, 0.7)]
    rows += [row("climatology", 1, 3.0), row("climatology", 2, 3.0), *pair(2, 1.0, 2.0, 0.6)]
    (table,) = score_tables(Scorecard(rows))
    assert table.systems == ["forecast", "persistence", "climatology"]
    assert [lead for lead, _ in table.rows] == ["0 d", "1 d", "2 d"]
    forecast, persistence, climatology = table.rows[1][1]
    assert (forecast.value, forecast.interval, forecast.verdict) == ("1.00", "0.60 to 1.4", "")
    assert (persistence.value, persistence.change, persistence.verdict) == (
        "2.00",
        "−50 %",
        "better",
    )
    assert (climatology.interval, climatology.verdict) == ("", "equal")
    assert table.rows[0][1][1].verdict == "" and table.rows[0][1][2] is None


def test_chart_has_a_line_and_points_for_each_system():
    rows = [row("<my> model", day, 1.0 + day, 0.5, 3.5) for day in (1, 2, 3)]
    (table,) = score_tables(Scorecard([*rows, *pair(1, 1.0, 2.0, 0.4), *pair(2, 1.0, 2.0, 0.4)]))
    drawn = score_chart(table)
    assert drawn.count("<circle") == 3 + 2 + 2
    assert "&lt;my&gt; model, day 3: 4" in drawn and "<my>" not in drawn


@pytest.mark.parametrize(
    ("lower", "upper", "ticks"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]), (-3, 4, [-4, -2, 0, 2, 4]), (2, 2, [2.0, 2.5])],
)
def test_round_ticks(lower, upper, ticks):
    assert round_ticks(lower, upper)[0] == pytest.approx(ticks[0])
    made = round_ticks(lower, upper)
    assert made[0] <= lower and made[-1] >= upper and 2 <= len(made) <= 7
    if lower != upper:
        assert made == pytest.approx(ticks)
