"""BBM under a cyclone: curved failure lines, and combs along the grid without cross-nudging.

Brodeau et al. (2024), doi:10.5194/gmd-17-6051-2024, nudge the two C grids of an E grid towards each
other because they part otherwise. Here on the first 80 minutes of the case of Mehlmann et al.
(2021), doi:10.1029/2021MS002523, at 4 km, when the first lines are there.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import floecast as fc
from floecast.simulator.bbm import BBM
from floecast.simulator.cyclone import BRITTLE, Cyclone, cyclone_grid, start_state
from floecast.simulator.interfaces import NoThermodynamics

CELLS, STEP, STEPS, WALL, COMB = 128, 240, 20, 3, 7


@pytest.fixture(scope="module")
def damage():
    """Damage at T points and the mean of that at the corners around, with and without."""
    grid = cyclone_grid(CELLS, BRITTLE)
    state = jax.tree.map(lambda field: field.astype(jnp.float32), start_state(grid, BRITTLE))

    def run(nudging):
        rheology = BBM(cross_nudging=nudging, air_drag=BRITTLE.air_drag)
        simulator = fc.Simulator(
            grid, rheology=rheology, thermodynamics=NoThermodynamics(), dt=STEP
        )
        options = {"key": jax.random.key(0), "save_every": STEPS}
        final = fc.rollout(simulator, state, Cyclone.on(grid), STEPS, **options).final
        corner = np.asarray(final.rheology.damage_corner, np.float64)
        around = corner[1:, 1:] + corner[:-1, 1:] + corner[1:, :-1] + corner[:-1, :-1]
        inside = (slice(WALL, -WALL),) * 2
        return np.asarray(final.damage, np.float64)[inside], 0.25 * around[inside]

    return {nudging: run(float(nudging)) for nudging in (1, 0)}


def combs(field):
    """Share of rows of `COMB` damaged cells, along x and y, in which the damage zigzags."""
    found = looked_at = 0
    for part in (field, field.T):
        step = np.diff(np.log(np.maximum(1 - part, 1e-6)), axis=1)
        turns, broken = step[:, 1:] * step[:, :-1] < 0, part > 0.5
        for first in range(part.shape[1] - COMB + 1):
            whole = broken[:, first : first + COMB].all(axis=1)
            found += np.count_nonzero(whole & turns[:, first : first + COMB - 2].all(axis=1))
            looked_at += np.count_nonzero(whole)
    return found / looked_at


def test_combs_only_without_cross_nudging(damage):
    # Measured: 0.5 % with, 1.6 % without.
    together, apart = combs(damage[1][0]), combs(damage[0][0])
    assert together < 0.008
    assert apart > 2 * together


def test_the_two_grids_break_in_the_same_places(damage):
    # Measured: correlation 0.993 with, 0.90 without.
    together, apart = (
        np.corrcoef(centre[centre > 0.5], around[centre > 0.5])[0, 1]
        for centre, around in (damage[1], damage[0])
    )
    assert together > 0.98
    assert 1 - apart > 4 * (1 - together)


def test_lines_curve_round_the_centre(damage):
    """Seen from the centre of the square the damage varies along the radius, not along arcs."""
    centre, _ = damage[1]
    middle = (np.arange(centre.shape[0]) - (centre.shape[0] - 1) / 2) * 4.0
    x, y = np.meshgrid(middle, middle)
    radius = np.hypot(x, y)
    slope_y, slope_x = np.gradient(np.log(np.maximum(1 - centre, 1e-6)))
    ring = (radius > 150) & (radius < 210)
    across = (slope_x * x + slope_y * y) / np.maximum(radius, 1.0)
    along = (slope_y * x - slope_x * y) / np.maximum(radius, 1.0)
    # Measured: 7.2; 1 if no direction is preferred.
    assert np.mean(across[ring] ** 2) > 4 * np.mean(along[ring] ** 2)
