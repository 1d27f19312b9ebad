"""Speed of the simulator: substeps, a year of the Arctic, gradients, use of the memory.

Timings are medians of calls compiled before; on a shared machine they are too long.
"""

import equinox as eqx
import jax
import jax.numpy as jnp

from floecast.atmosphere.weather import SyntheticWeather
from floecast.core.calendar import to_seconds
from floecast.core.errors import FloecastError
from floecast.core.grid import Grid
from floecast.core.keys import named_key
from floecast.core.precision import cast
from floecast.experiment.simulate import STEP, simulator_of
from floecast.simulation_schema import simulation_config
from floecast.simulator.bbm import BBM
from floecast.simulator.bbm_kernel import Fields, Ground, Push
from floecast.simulator.cyclone import BRITTLE, Cyclone, cyclone_grid, start_state
from floecast.simulator.egrid import EGrid
from floecast.simulator.state import complete
from floecast.simulator.typical_state import typical_state

from .machine import seconds_of, seconds_of_pair

OPTIONS = ()
REFERENCE = {
    "ns_per_cell_substep_f32": [52.0, 73.0],
    "ns_per_cell_substep_f64": [90.0, 172.0],
    "gradient_over_forward": 30.0,
}
SOURCES = [
    "reference: Veris 0.2.1, EVP subcycles on 256 x 256 cells and the gradient of one mEVP step on "
    "64 x 64, measured on 2 shared cores"
]
SUBSTEPS = 100
"""In a timed call of the rheology."""
YEAR = 365.2425 * 86400
"""[s]"""
EGRID_READ = ("squared_u", "squared_v", "inverse_t", "inverse_f", "mask_t")
EGRID_READ += ("shear_factor", "wet_share")
"""Fields of the `EGrid` that a substep reads."""


def run():
    """The figures.

    Returns
    -------
    dict of str to float
        ``ns_per_cell_substep_f32``, ``ns_per_cell_substep_f64``: elastic substeps of BBM in a box
        of 256 x 256 cells [ns]. ``cost_256_over_128``: the first over that in 128 x 128 cells.
        ``memory_bandwidth_fraction``: see `substep_seconds`. ``arctic50_year_minutes``: a year
        of what ``floecast simulate`` runs by default, without writing [min].
        ``gradient_over_forward``: value and gradient of one step of 6 h on arctic100 in float32,
        over its value.
    """
    return figures(256, "arctic50", "arctic100")


def figures(cells, year_preset, gradient_preset, repeats=5, year_steps=8):
    """The same on other grids: cells along a side of the box, presets of the two others."""
    with jax.enable_x64(False):
        substep, fraction = substep_seconds(cells, jnp.float32, repeats)
        half, _ = substep_seconds(cells // 2, jnp.float32, repeats)
        minutes = year_minutes(year_preset, year_steps)
        ratio = gradient_over_forward(gradient_preset, repeats)
    with jax.enable_x64(True):
        double, _ = substep_seconds(cells, jnp.float64, repeats)
    return {
        "ns_per_cell_substep_f32": 1e9 * substep / cells**2,
        "ns_per_cell_substep_f64": 1e9 * double / cells**2,
        "arctic50_year_minutes": minutes,
        "gradient_over_forward": ratio,
        "memory_bandwidth_fraction": fraction,
        "cost_256_over_128": substep / half * (cells // 2) ** 2 / cells**2,
    }


def substep_seconds(cells, dtype, repeats):
    """Time of a substep of BBM under a cyclone [s], and how well it uses the memory.

    The second number is the time in which as many bytes as `least_bytes` are copied from array to
    array, over the time of a substep. The ice has moved for one call before, so that it is as
    broken as in a run.
    """
    grid, bbm = cyclone_grid(cells, BRITTLE), BBM(air_drag=BRITTLE.air_drag)
    dt = BRITTLE.step(grid.spacing)
    state = complete(jax.tree.map(jnp.asarray, start_state(grid, BRITTLE)))
    state = eqx.tree_at(lambda s: s.rheology, state, bbm.memory(state, grid), is_leaf=_is_none)
    bbm, grid, state, forcing = cast((bbm, grid, state, Cyclone.on(grid).between(0, dt)), dtype)

    @eqx.filter_jit
    def move(state):
        return bbm.advance(state, forcing, grid, dt, SUBSTEPS)

    state = move(state)
    bytes_moved = least_bytes(grid, dtype)
    arrays = jnp.ones(bytes_moved // 2 // jnp.dtype(dtype).itemsize, dtype)
    copies = jax.jit(lambda a: jax.lax.fori_loop(0, SUBSTEPS, lambda _, a: a + 1, a))
    seconds, copying = seconds_of_pair(move, lambda _: copies(arrays), state, repeats=repeats)
    return seconds / SUBSTEPS, copying / seconds


def _is_none(leaf):
    return leaf is None


def least_bytes(grid, dtype):
    """What a substep must move between memory and processor at least [bytes].

    Each field that changes is read and written once, each coefficient read once. The sums of the
    velocities are read and written in every second substep.
    """
    egrid = jax.eval_shape(lambda: EGrid.of(grid, dtype))
    stress = 2 * 3
    changing = len(Fields._fields) - 2 + stress
    fixed = 2 * len(Ground._fields) + 2 * len(Push._fields)
    item, points = jnp.dtype(dtype).itemsize, egrid.frame.rows * egrid.frame.columns
    metric = sum(getattr(egrid, name).dtype.itemsize for name in EGRID_READ)
    return points * (item * (2 * changing + 4 + fixed) + metric)


def year_minutes(preset, steps):
    """Minutes for a year of the whole simulator with weather and ocean, from some steps in it."""
    step, state = arctic_step(preset)

    @eqx.filter_jit
    def go_on(state):
        return jax.lax.fori_loop(0, steps, lambda _, state: step(state), state)

    return seconds_of(go_on, state, repeats=3) * YEAR / (steps * STEP) / 60


def gradient_over_forward(preset, repeats):
    """Time of value and gradient of a scalar of one step, over that of the value."""
    step, state = arctic_step(preset)

    def scalar(state):
        after = step(state)
        return jnp.sum(after.ice_volume**2) + jnp.sum(after.u**2) + jnp.sum(after.damage**2)

    value = eqx.filter_jit(scalar)
    gradient = eqx.filter_jit(eqx.filter_value_and_grad(scalar))
    if not all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(gradient(state)[1])):
        raise FloecastError("the gradient of a step is not finite; its time would mean nothing")
    forward, both = seconds_of_pair(value, gradient, state, repeats=repeats)
    return both / forward


def arctic_step(preset):
    """One step of the simulator of `floecast simulate` in midwinter, and a state a step later."""
    config = simulation_config(overrides=[f"preset={preset}"])
    grid = Grid.preset(config.preset)
    model = simulator_of(config, grid)
    key = named_key(config.seed, "simulation", config.split)
    weather = cast(SyntheticWeather.draw(key, grid), jnp.float32)
    begin = int(to_seconds(f"{config.first_year}-01-01"))
    state = cast(jax.tree.map(jnp.asarray, typical_state(grid, begin)), jnp.float32)
    state = cast(model.start(state, weather.between(begin, begin + STEP)), jnp.float32)

    def step(state):
        # The weather is made within the step, as in the archive; its time does not change its cost.
        return model.step(state, weather.between(begin, begin + STEP), key)

    return step, eqx.filter_jit(step)(state)
