"""Scores of an ensemble whose truth is known everywhere, against sums done by hand."""

import dataclasses

import numpy as np
import pytest

from floecast.core.grid import Grid
from floecast.core.state import IceState
from floecast.verification.twin_scores import FIELDS, twin_scores

GRID = Grid.box((4, 5), 20e3)


def truth():
    ice = np.zeros(GRID.shape)
    ice[:, 2:] = 0.8
    return IceState(ice, 2.0 * ice, 0.2 * ice, 0.1 + 0 * ice, 0 * ice, 0.5 * (ice > 0))


def members(**changes):
    """Three, about the truth where they are not said to be elsewhere."""
    state = truth()
    fields = {name: np.repeat(getattr(state, name)[None], 3, axis=0) for name in FIELDS}
    return IceState(**(fields | changes))


def volumes(*factors):
    return np.stack([factor * truth().ice_volume for factor in factors])


def test_error_and_spread():
    told = twin_scores(members(ice_volume=volumes(1.0, 1.1, 1.2)), truth(), GRID)
    # 1.6 m in three columns of five, a tenth too much.
    assert told["ice_volume"]["rmse"] == pytest.approx(0.16 * np.sqrt(0.6), rel=1e-6)
    assert told["ice_volume"]["bias"] == pytest.approx(0.16 * 0.6, rel=1e-6)
    assert told["ice_volume"]["spread"] == pytest.approx(0.16 * np.sqrt(0.6 * 4 / 3), rel=1e-6)
    assert told["thickness"]["rmse"] == pytest.approx(0.2, rel=1e-6)
    assert max(map(abs, told["concentration"].values())) < 1e-12
    assert told["members"] == 3 and told["out_of_bounds"] == 0


def test_edge():
    ice = np.array(truth().concentration)
    wide = np.array(ice)
    wide[:, 1] = 0.5
    told = twin_scores(members(concentration=np.stack([wide, wide, ice])), truth(), GRID)
    cells = float(np.sum(GRID.area[:, 1])) / 1e12
    assert told["iiee"] == pytest.approx(cells, rel=1e-6)
    # Two of three members have ice there: (2/3)^2, less 2/3 1/3 / 2 for being three.
    assert told["sps"] == pytest.approx(cells / 3, rel=1e-6)


def test_lost_members_are_left_out():
    bad = volumes(1.0, 1.1, np.nan)
    told = twin_scores(members(ice_volume=bad), truth(), GRID)
    assert told["members"] == 2
    assert told["ice_volume"]["bias"] == pytest.approx(0.08 * 0.6, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [("concentration", 1.2, 1), ("concentration", -0.1, 1), ("damage", 0.3, 1), ("u", -3.0, 0)],
)
def test_what_no_ice_can_be_is_counted(name, value, wrong):
    state = members()
    field = np.array(getattr(state, name))
    field[1, 0, 0] = value  # open water in truth
    told = twin_scores(dataclasses.replace(state, **{name: field}), truth(), GRID)
    assert told["out_of_bounds"] == wrong
