"""The `dynamics` preset of Veris 0.2.1: its printed figures and the house's own solver beside."""

import numpy as np
import pytest

from floecast.simulator.mevp_box import Box, carry, run, run_published

OPTIMISED = True

CONVERGED = (0.156654, 0.156607, 0.066767, 0.067072, 0.288659, 0.306125, 0.962197)
ROWS = {
    "adaptive": (
        (64, 10, 120),
        (0.156657, 0.156630, 0.066776, 0.067080, 0.288553, 0.306046, 0.961843),
    ),
    "fixed": (
        (64, 10, 120, 500.0),
        (0.159727, 0.159341, 0.068895, 0.069276, 0.287379, 0.305801, 0.957930),
    ),
    "converged": ((64, 10, 1500, 500.0), CONVERGED),
    "long": (
        (64, 100, 120),
        (0.169150, 0.166637, 0.067454, 0.068364, 0.200348, 0.351334, 0.667825),
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_published_figures(row):
    case, figures = ROWS[row]
    np.testing.assert_allclose(list(run_published(*case).values()), figures, rtol=0, atol=6e-7)


def test_mevp_agrees_with_the_converged_row():
    found = run(64, 10, iterations=120)
    np.testing.assert_allclose(list(found.values()), CONVERGED, rtol=5e-4)


def test_superbee_keeps_the_volume_and_its_bounds():
    box = Box.of(32)
    rng = np.random.default_rng(2)
    u, v = (rng.uniform(-1, 1, box.sea.shape) * mask for mask in (box.mask_u, box.mask_v))
    thickness = rng.uniform(0.5, 1.0, box.sea.shape) * box.sea
    after, concentration = carry(thickness, 0.5 * box.sea, u, v, box)
    assert float(np.sum(after)) == pytest.approx(np.sum(thickness), rel=1e-14)
    assert np.min(after) >= 0 and np.max(concentration) <= 1
