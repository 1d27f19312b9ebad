"""Speed of the boundary layer: a step of many columns, and its gradient.

Timings are medians of calls compiled before; on a shared machine they are too long.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from floecast.atmosphere.boundary_layer import BoundaryLayer
from floecast.atmosphere.forcing import Aloft
from floecast.atmosphere.surface import Surface
from floecast.atmosphere.surface_layer import SurfaceLayer

from .machine import seconds_of_pair

OPTIONS = ()
REFERENCE = {"seconds_per_step_16384x40": [0.0, 0.08], "reverse_over_forward": [0.0, 5.0]}
SOURCES = ["reference: targets for 2 free cores in float32"]
COLUMNS = 16384
STEP = 150.0
"""[s]"""


def run():
    """The figures.

    Returns
    -------
    dict of str to float
        ``seconds_per_step_16384x40``: one step, with everything that the surface is told [s].
        ``reverse_over_forward``: value and gradient to the whole state of ten minutes, over the
        value. ``copies_per_step``: the time of a step over that of copying the column's state.
    """
    return figures(COLUMNS)


def figures(columns, repeats=5):
    """The same for another number of columns."""
    with jax.enable_x64(False):
        layer = BoundaryLayer(SurfaceLayer())
        above, below, coriolis = _case(columns)
        column = layer.start(above, below, coriolis)

        @eqx.filter_jit
        def step(column):
            return layer.step(column, above, below, coriolis, STEP)

        def scalar(column):
            after, contact = layer.advance(column, above, below, coriolis, 4 * STEP)
            fields = after.wind_u, after.potential_temperature, contact.stress_ice_u
            return sum(jnp.sum(field**2) for field in fields)

        for _ in range(10):
            column, _ = step(column)
        copy = jax.jit(lambda column: jax.tree.map(lambda leaf: leaf + 1.0, column))
        stepping, copying = seconds_of_pair(step, copy, column, repeats=repeats)
        value, gradient = eqx.filter_jit(scalar), eqx.filter_jit(eqx.filter_value_and_grad(scalar))
        forward, both = seconds_of_pair(value, gradient, column, repeats=repeats)
    return {
        "seconds_per_step_16384x40": stepping * COLUMNS / columns,
        "reverse_over_forward": both / forward,
        "copies_per_step": stepping / copying,
    }


def _case(columns):
    """Winter air over ice and leads, different in every column."""
    random = np.random.default_rng(0)

    def between(low, high):
        return jnp.asarray(random.uniform(low, high, columns), jnp.float32)

    below = Surface(
        concentration=between(0.0, 1.0),
        ice_temperature=between(240.0, 268.0),
        water_temperature=between(271.3, 271.4),
        ice_u=between(-0.2, 0.2),
        ice_v=between(-0.2, 0.2),
        water_u=between(-0.1, 0.1),
        water_v=between(-0.1, 0.1),
        ice_roughness=between(3e-4, 3e-3),
    )
    height = jnp.array([10.0, 50.0, 100.0, 200.0, 400.0, 800.0, 1600.0, 3000.0], jnp.float32)
    one = jnp.ones((len(height), columns), jnp.float32)
    wind_u, wind_v = (one * between(-12.0, 12.0)[None] for _ in range(2))
    warmth = between(250.0, 268.0)[None] + 6e-3 * height[:, None]
    above = Aloft(height, wind_u, wind_v, wind_u, wind_v, warmth, 1e-3 * one)
    return above, below, between(1.3e-4, 1.4e-4)
