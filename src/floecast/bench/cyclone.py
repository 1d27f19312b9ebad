"""Deformation and failure lines under the cyclone of Mehlmann et al. (2021), BBM and mEVP."""

import jax
import jax.numpy as jnp
import numpy as np

from floecast.core.errors import InputError
from floecast.core.precision import cast
from floecast.core.rollout import rollout
from floecast.simulator.bbm import BBM
from floecast.simulator.cyclone import (
    BRITTLE,
    DURATION,
    LENGTH,
    PLASTIC,
    Cyclone,
    cyclone_grid,
    start_state,
)
from floecast.simulator.guard import check_finite
from floecast.simulator.interfaces import NoThermodynamics
from floecast.simulator.mevp import MEVP
from floecast.simulator.model import Simulator
from floecast.simulator.weno import WENO
from floecast.verification.deformation import coarse_grain, follow, grid_deformation
from floecast.verification.deformation_statistics import moments, percentile, structure_function
from floecast.verification.failure_lines import find_failure_lines

OPTIONS = ("spacing_km",)
REFERENCE = {}
SOURCES = [
    "reference: none published in these measures; the case of doi:10.1029/2021MS002523 after 48 h"
]
SPACINGS = (8, 4, 2)
"""Sides of a cell [km]; in float64 at 8 km, in float32 at the others."""
WALL = 3
"""Cells beside the walls that are left out: there the slip along them is no failure line."""
LARGEST_SCALE = 128e3
"""Of the structure functions [m]."""


def run(spacing_km=8):
    """Figures after 48 hours, from the mean velocity of the last step.

    Parameters
    ----------
    spacing_km : int
        One of `SPACINGS`.

    Returns
    -------
    dict of str to float
        With the prefixes ``bbm_`` and ``mevp_``: 90th percentile of the total deformation of the
        cells [1/day]; exponents of its structure functions of orders 2 and 3 from 1 cell to
        `LARGEST_SCALE`, quadrangles followed for one step; number of failure lines.
    """
    if spacing_km not in SPACINGS:
        known = ", ".join(map(str, SPACINGS))
        raise InputError(f"spacing of the cyclone is {spacing_km:g} km; expected one of {known}")
    double = spacing_km == SPACINGS[0]
    with jax.enable_x64(double):
        return figures(round(LENGTH / 1e3 / spacing_km), jnp.float64 if double else jnp.float32)


def figures(cells, dtype, duration=DURATION):
    """The same for any number of cells along a side and any length of the case [s]."""
    rheologies = {
        "bbm": (BRITTLE, BBM(air_drag=BRITTLE.air_drag)),
        "mevp": (PLASTIC, _plastic()),
    }
    found = {}
    for name, (setup, rheology) in rheologies.items():
        u, v, grid, dt = _velocity(setup, rheology, cells, dtype, duration)
        found |= {f"{name}_{key}": value for key, value in _statistics(u, v, grid, dt).items()}
    return found


def _plastic():
    return MEVP(
        ice_strength=PLASTIC.ice_strength,
        eccentricity=PLASTIC.ellipse_ratio,
        least_deformation=PLASTIC.least_deformation,
        air_drag=PLASTIC.air_drag,
        water_drag=PLASTIC.water_drag,
        air_density=PLASTIC.air_density,
        water_density=PLASTIC.water_density,
        ice_density=PLASTIC.ice_density,
        iterations=PLASTIC.iterations,
    )


def _velocity(setup, rheology, cells, dtype, duration):
    """Mean velocity of the last step, NumPy arrays at U and V points [m/s]."""
    grid = cyclone_grid(cells, setup)
    dt = setup.step(grid.spacing)
    model = Simulator(
        grid, rheology=rheology, thermodynamics=NoThermodynamics(), scheme=WENO(5), dt=dt
    )
    state = cast(jax.tree.map(jnp.asarray, start_state(grid, setup)), dtype)
    weather, steps = cast(Cyclone.on(grid), dtype), duration // dt
    key = jax.random.key(0)  # the simulator draws nothing
    final = rollout(model, state, weather, steps, key=key, start=0, save_every=steps).final
    fields = {name: np.asarray(field)[None] for name, field in final.fields().items()}
    check_finite(np.array([duration]), fields, grid, model.inner_dt)
    return fields["u"][0], fields["v"][0], grid, dt


def _statistics(u, v, grid, dt):
    total = grid_deformation(u, v, grid).total
    inner = np.full_like(total, np.nan)
    inside = (slice(WALL, -WALL),) * 2
    inner[inside] = total[inside]
    x, y = np.meshgrid(grid.x[inside[0]], grid.y[inside[0]])
    start, end = follow(np.stack([x, y], axis=-1), u[None], v[None], grid, dt)
    largest = min(LARGEST_SCALE / grid.spacing, (len(x) - 1) / 2)
    steps = 2 ** np.arange(int(np.log2(largest)) + 1)
    samples = coarse_grain(start, end, dt, spacing=grid.spacing, steps=steps, overlapping=True)
    rates = moments([sample.deformation.total for sample in samples])
    beta = structure_function([sample.scale for sample in samples], rates).beta
    return {
        "p90_deformation_per_day": percentile(inner, least=1),
        "structure_beta2": beta[1],
        "structure_beta3": beta[2],
        "failure_lines": find_failure_lines(inner, spacing=grid.spacing).number,
    }
