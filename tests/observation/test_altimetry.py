"""Freeboard and thickness of floating ice."""

import numpy as np
import pytest

from floecast.observation.altimetry import DENSITY, freeboard_of, thickness_of

THICKNESS, SNOW = np.array([0.0, 0.5, 2.0, 3.5]), np.array([0.0, 0.1, 0.3, 1.2])


def test_archimedes():
    """What floats displaces its own weight."""
    surface = freeboard_of(THICKNESS, SNOW)
    weight = DENSITY["ice"] * THICKNESS + DENSITY["snow"] * SNOW
    np.testing.assert_allclose(DENSITY["water"] * (THICKNESS - surface), weight, rtol=1e-13)
    np.testing.assert_allclose(freeboard_of(THICKNESS, SNOW, laser=True), surface + SNOW)
    assert surface[-1] < 0


@pytest.mark.parametrize("laser", [False, True])
def test_there_and_back(laser):
    freeboard = freeboard_of(THICKNESS, SNOW, laser=laser)
    np.testing.assert_allclose(thickness_of(freeboard, SNOW, laser=laser), THICKNESS, atol=1e-13)
    # h = 1026/109 f + 330/109 d, with -696 for a laser.
    snow = -696 if laser else 330
    expected = (1026 * 0.2 + snow * 0.1) / 109
    np.testing.assert_allclose(thickness_of(0.2, 0.1, laser=laser), expected)
