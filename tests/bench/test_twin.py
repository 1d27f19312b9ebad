"""Figures of the twin bench from cycles whose errors are known."""

import numpy as np
import pytest

from floecast.bench import twin
from floecast.core.errors import InputError


def scores(error, spread):
    fields = ("concentration", "ice_volume", "snow_volume", "thickness")
    return {name: {"rmse": error, "spread": spread} for name in fields} | {
        "iiee": error,
        "sps": 1.0,
    }


def rows(error, cost=None):
    """Ten cycles, the first two far worse, and a forecast of each whose error grows."""
    cycles, forecasts = [], []
    minimisation = None if cost is None else {"twice_cost_over_observations": cost}
    for number in range(10):
        now = scores(99.0 if number < 2 else error, 0.5 * error)
        cycles.append(
            {"cycle": number, "analysis": now, "minimisation": minimisation, "seconds": 3.0}
        )
        for day in range(1, 11):
            told = scores(error * day, error)
            forecasts.append({"cycle": number, "lead_hours": 24 * day, **told})
    return cycles, forecasts


def test_figures_are_ratios_of_what_comes_after_the_first_fifth():
    found = twin.figures({"free_run": rows(2.0), "letkf": rows(1.0), "en4dvar": rows(0.5, 0.9)})
    assert found["letkf_thickness_rmse_ratio_to_free_run"] == pytest.approx(0.5)
    assert found["en4dvar_iiee_ratio_to_free_run"] == pytest.approx(0.25)
    assert found["en4dvar_ice_volume_spread_over_rmse"] == pytest.approx(0.5)
    assert found["en4dvar_concentration_day10_rmse_ratio_to_free_run"] == pytest.approx(0.25)
    assert found["en4dvar_twice_cost_over_observations"] == pytest.approx(0.9)
    assert found["letkf_seconds_per_cycle"] == 3.0
    assert "letkf_twice_cost_over_observations" not in found
    assert set(twin.REFERENCE) <= set(found)


def test_intervals_are_of_pairs():
    (one, _), (other, _) = rows(1.0), rows(2.0)
    for number in range(10):
        for cycles in (one, other):
            factor = 1 + 0.3 * np.sin(number)
            cycles[number]["analysis"]["thickness"]["rmse"] *= factor
    # Both have the same ups and downs, so their ratio is known well.
    assert twin.compared(one, other, "thickness") == pytest.approx([0.5, 0.5, 0.5])


def test_too_few_cycles_are_refused():
    with pytest.raises(InputError, match="at least 5"):
        twin.run(cycles=3)
