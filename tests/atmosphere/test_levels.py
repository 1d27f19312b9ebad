"""Heights of the cells."""

import numpy as np
import pytest

from floecast.atmosphere.levels import Levels
from floecast.core.errors import InputError


@pytest.mark.parametrize("count, top, lowest", [(40, 2000.0, 5.0), (50, 2000.0, 2.0), (20, 1e3, 4)])
def test_stretched(count, top, lowest):
    levels = Levels.stretched(count, top, lowest)
    assert len(levels) == count and levels.top == top and levels.edges[0] == 0.0
    assert levels.edges[1] == pytest.approx(lowest, rel=1e-9)
    assert (np.diff(levels.thickness) > 0).all()
    assert levels.thickness.sum() == pytest.approx(top, rel=1e-12)
    assert levels.spacing.sum() == pytest.approx(levels.centres[-1] - levels.centres[0])


def test_uniform():
    levels = Levels.uniform(64, 400.0)
    np.testing.assert_allclose(levels.centres, 3.125 + 6.25 * np.arange(64))


@pytest.mark.parametrize("edges", [(0.0, 1.0, 2.0), (1.0, 2, 3, 4, 5), (0.0, 2, 1, 4, 5)])
def test_refuses_edges_that_do_not_ascend_from_zero(edges):
    with pytest.raises(InputError, match="ascend from 0"):
        Levels(edges)


def test_refuses_a_lowest_cell_that_is_not_thinner():
    with pytest.raises(InputError, match="thinner than 50 m"):
        Levels.stretched(40, 2000.0, 60.0)
