"""Twin: roughness, a constant of the turbulence and the drag of the water from drift alone."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from floecast.atmosphere.boundary_layer import BoundaryLayer
from floecast.atmosphere.forcing import Aloft, Forcing
from floecast.atmosphere.levels import Levels
from floecast.core.grid import Grid
from floecast.core.state import IceState
from floecast.simulator.interfaces import NoThermodynamics
from floecast.simulator.mevp import MEVP
from floecast.simulator.model import Simulator

HOUR, HOURS, NOISE = 3600, 48, 0.005
GRID = Grid.box((6, 6), 25e3, latitude=85.0)
TRUTH = np.array([1e-3, 0.1, 5.5e-3])
GUESS = TRUTH * [1.5, 0.6, 1.4]


def simulator(parameters):
    """Box under a boundary layer with given roughness, shear constant and drag of the water."""
    layer = BoundaryLayer(levels=Levels.stretched(20), longest_step=900.0, corrections=0)
    model = Simulator(
        GRID,
        rheology=MEVP(iterations=60),
        thermodynamics=NoThermodynamics(),
        boundary_layer=layer,
        dt=HOUR,
    )
    return eqx.tree_at(
        lambda m: [m.ice_roughness, m.boundary_layer.closure.shear, m.rheology.water_drag],
        model,
        list(parameters),
    )


def weather():
    """Wind that turns and grows, over a surface that is colder than the air, then warmer."""
    time = np.arange(0, HOURS * HOUR + 1, 3 * HOUR)
    hours = time[:, None, None] / 3600.0
    along, across = np.meshgrid(np.linspace(-1, 1, 6), np.linspace(-1, 1, 6))
    speed = 10.0 + 5.0 * np.sin(2 * np.pi * hours / 30.0 + 0.8 * along) + 2.0 * across
    angle = 2 * np.pi * hours / 60.0 + 0.5 * along
    colder = 4.0 + 8.0 * np.sin(2 * np.pi * hours / 40.0 + along)
    height = np.array([0.0, 150.0, 2000.0])
    shape = (len(time), 3, *GRID.shape)
    u, v = (np.broadcast_to((speed * f(angle))[:, None], shape) for f in (np.cos, np.sin))
    rise = np.array([0.0, 0.0, 12.0])[None, :, None, None]
    warmth = np.broadcast_to(252.0 + rise, shape)
    aloft = Aloft(height, u, v, u, v, warmth, np.full(shape, 5e-4))
    surface = 252.0 - colder + np.zeros((1, *GRID.shape))
    return jax.tree.map(jnp.asarray, Forcing(time, air_temperature=surface, aloft=aloft))


def drift(logarithms, forcing, ice):
    """Drift at the inner faces every 6 h [m/s]."""
    model = simulator(jnp.exp(logarithms))

    def step(state, time):
        return model.step(state, forcing.between(time, time + HOUR), None), (state.u, state.v)

    times = HOUR * jnp.arange(HOURS + 1)
    _, (u, v) = jax.lax.scan(jax.checkpoint(step), model.start(ice, forcing), times)
    return jnp.concatenate([u[6::6, :, :-1].ravel(), v[6::6, :-1].ravel()])


def test_parameters_are_found_from_drift_alone():
    row, column = np.indices(GRID.shape)
    ice = IceState.at_rest(
        GRID, 0.8 + 0.05 * np.sin(1.3 * row + 0.9 * column), 1.3 + 0.3 * np.sin(0.7 * row)
    )
    ice, forcing = jax.tree.map(jnp.asarray, ice), weather()

    @jax.jit
    def value_and_slopes(logarithms):
        def along(tangent):
            return jax.jvp(lambda at: drift(at, forcing, ice), (logarithms,), (tangent,))

        values, slopes = jax.lax.map(along, jnp.eye(3))
        return values[0], slopes.T

    seen, _ = value_and_slopes(jnp.log(TRUTH))
    at = jnp.log(GUESS)
    for _ in range(6):  # Gauss and Newton
        found, slopes = value_and_slopes(at)
        change = jnp.linalg.lstsq(slopes, seen - found)[0]
        at = at + jnp.clip(change, -0.7, 0.7)
    np.testing.assert_allclose(np.exp(at) / TRUTH, 1.0, rtol=0, atol=0.01)

    # By the last derivatives, what noise makes each wrong by in two days of so small a box.
    noise = NOISE * np.random.default_rng(0).normal(size=(200, seen.size))
    wrong = np.linalg.lstsq(slopes, noise.T, rcond=None)[0]
    assert np.all(wrong.std(axis=1) < [0.07, 0.06, 0.02])
