"""A box of winter ice under changing weather whose drift tells what the air and the water do."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from floecast.atmosphere.boundary_layer import BoundaryLayer
from floecast.atmosphere.forcing import Aloft, Forcing
from floecast.atmosphere.levels import Levels
from floecast.core.grid import Grid
from floecast.core.rollout import rollout
from floecast.core.state import IceState
from floecast.simulator.interfaces import NoThermodynamics
from floecast.simulator.mevp import MEVP
from floecast.simulator.model import Simulator

HOUR, DAY = 3600, 86400
HEIGHTS = np.array([0.0, 100.0, 250.0, 600.0, 1200.0, 2000.0])
PARAMETERS = {
    "roughness": lambda m: m.ice_roughness,
    "shear constant": lambda m: m.boundary_layer.closure.shear,
    "water drag": lambda m: m.rheology.water_drag,
    "heat constant": lambda m: m.boundary_layer.closure.heat,
    "momentum constant": lambda m: m.boundary_layer.closure.momentum,
    "dissipation constant": lambda m: m.boundary_layer.closure.dissipation,
    "floe edges": lambda m: m.boundary_layer.surface_layer.form_drag,
    "heat roughness": lambda m: m.boundary_layer.surface_layer.heat_ratio,
    "ice strength": lambda m: m.rheology.ice_strength,
}
"""Where each parameter lies in the simulator."""


def simulator(shape=(10, 10), levels=25, iterations=100, thermodynamics=None):
    """Simulator of a box with cells of 25 km."""
    return Simulator(
        Grid.box(shape, 25e3, latitude=85.0),
        rheology=MEVP(iterations=iterations),
        thermodynamics=NoThermodynamics() if thermodynamics is None else thermodynamics,
        boundary_layer=BoundaryLayer(levels=Levels.stretched(levels), longest_step=600.0),
        ice_roughness=1e-3,
        dt=HOUR,
    )


def weather(grid, days):
    """Wind aloft and air and surface temperature that change over the box and from day to day.

    Parameters
    ----------
    grid : Grid
        A box.
    days : float

    Returns
    -------
    Forcing
        Every three hours. The geostrophic wind turns once in 5 days and its speed is between 4 and
        17 m/s; the surface is up to 14 K colder and up to 6 K warmer than the air at 100 m.
    """
    time = np.arange(0, round(days * DAY) + 1, 3 * HOUR)
    hours = time[:, None, None] / 3600.0
    east, north = np.meshgrid(np.linspace(-1, 1, grid.shape[1]), np.linspace(-1, 1, grid.shape[0]))
    speed = 10.0 + 4.5 * np.sin(2 * np.pi * hours / 40.0 + 0.8 * east) + 2.0 * north
    angle = 2 * np.pi * hours / 120.0 + 0.5 * east
    air = 252.0 + 4.0 * np.sin(2 * np.pi * hours / 90.0) + 1.0 * north
    colder = 4.0 + 8.0 * np.sin(2 * np.pi * hours / 55.0 + 1.0 * east - 0.7 * north) + 2.0 * north
    rise = np.interp(HEIGHTS, [0.0, 150.0, 2000.0], [0.0, 0.0, 12.0])[None, :, None, None]
    shape = (len(time), len(HEIGHTS), *grid.shape)

    def at_all(field):
        return np.broadcast_to(field[:, None], shape).copy()

    u, v = at_all(speed * np.cos(angle)), at_all(speed * np.sin(angle))
    warmth = at_all(air) + rise
    aloft = Aloft(HEIGHTS, u, v, u, v, warmth, np.full(shape, 5e-4))
    still = np.zeros_like(air)
    sky = {"longwave": still + 170.0, "shortwave": still, "snowfall": still}
    return Forcing(time, air_temperature=air - colder, aloft=aloft, **sky)


def ice(grid):
    """Ice of 75 to 85 % and 1 to 1.6 m, at rest."""
    row, column = np.indices(grid.shape)
    cover = 0.8 + 0.05 * np.sin(1.3 * row + 0.4) * np.cos(0.9 * column)
    still = np.zeros(grid.shape)
    thickness = 1.3 + 0.3 * np.sin(0.7 * row - 0.5 * column)
    fields = {"concentration": cover, "ice_volume": cover * thickness, "snow_volume": 0.1 * cover}
    state = IceState(u=still, v=still, damage=still, **fields)
    return jax.tree.map(jnp.asarray, state)


def with_parameters(model, names, values):
    """The simulator with other values of some of `PARAMETERS`."""
    where = [PARAMETERS[name] for name in names]
    return eqx.tree_at(lambda m: [at(m) for at in where], model, list(values))


def values_of(model, names):
    """Values of some of `PARAMETERS`, ``(parameter,)``."""
    return jnp.stack([PARAMETERS[name](model) for name in names])


def drift(model, forcing, days, every=6):
    """Drift at the inner faces every few hours [m/s], all in one vector."""
    grid = model.grid
    run = rollout(
        model,
        ice(grid),
        forcing,
        round(24 * days),
        key=jax.random.key(0),
        start=0,
        save_every=every,
        observe=lambda state: (state.u[:, :-1], state.v[:-1]),
    )
    return jnp.concatenate([component.ravel() for component in run.state])


class Twin:
    """The drift as a function of the logarithms of parameters, and its derivatives.

    Parameters
    ----------
    model : Simulator
        The truth.
    names : sequence of str
        Parameters to vary.
    days : int
    """

    def __init__(self, model, names, days):
        self.model, self.names, self.days = model, tuple(names), days
        self.forcing = jax.tree.map(jnp.asarray, weather(model.grid, days))
        self.truth = jnp.log(values_of(model, names))
        self.drift = jax.jit(self._drift)
        self.slopes = jax.jit(self._slopes)

    def _drift(self, logarithms):
        model = with_parameters(self.model, self.names, jnp.exp(logarithms))
        return drift(model, self.forcing, self.days)

    def _slopes(self, logarithms):
        # One tangent after the other: mapped over all at once the same takes six times as long.
        def along(tangent):
            return jax.jvp(self._drift, (logarithms,), (tangent,))[1]

        return jax.lax.map(along, jnp.eye(len(logarithms))).T


def calibrate(twin, observed, guess, noise, rounds=8):
    """Levenberg-Marquardt in logarithms.

    Parameters
    ----------
    twin : Twin
    observed : (n,) array
        Drift [m/s].
    guess : (parameter,) array
        Logarithms.
    noise : float
        Standard deviation of the observations [m/s].
    rounds : int
        At most.

    Returns
    -------
    path : list of (parameter,) array
        Logarithms after each round, the guess first.
    costs : list of float
        Mean square misfit over that of the noise.
    covariance : (parameter, parameter) array
        Of the logarithms, from the derivatives in the last round.
    """
    at, damping = guess, 1e-3
    misfit = (observed - twin.drift(at)) / noise
    path, costs = [at], [float(jnp.mean(misfit**2))]
    for _ in range(rounds):
        matrix = twin.slopes(at) / noise
        curvature = matrix.T @ matrix
        for _ in range(5):
            damped = curvature + damping * jnp.diag(jnp.diag(curvature))
            trial = at + jnp.clip(jnp.linalg.solve(damped, matrix.T @ misfit), -0.7, 0.7)
            tried = (observed - twin.drift(trial)) / noise
            if jnp.sum(tried**2) <= jnp.sum(misfit**2):
                damping = 0.1 * damping
                break
            damping = 10.0 * damping
        else:
            break
        moved = float(jnp.max(jnp.abs(trial - at)))
        at, misfit = trial, tried
        path.append(at)
        costs.append(float(jnp.mean(misfit**2)))
        if moved < 1e-3:
            break
    return path, costs, jnp.linalg.inv(curvature)


def error_of_drift(model, forcing, days, size):
    """Mean square drift error against a given one as a function of parameters, for derivatives.

    Parameters
    ----------
    model : Simulator
    forcing : Forcing
    days : int
    size : (2,) array
        Factors of the roughness of the ice and of the wind aloft.

    Returns
    -------
    float
        Of the drift at the end of each day from 10 cm/s along x [m2/s2].
    """
    aloft = forcing.aloft
    names = "geostrophic_u", "geostrophic_v", "wind_u", "wind_v"
    aloft = replace(aloft, **{name: getattr(aloft, name) * size[1] for name in names})
    model = with_parameters(model, ["roughness"], [model.ice_roughness * size[0]])
    found = drift(model, replace(forcing, aloft=aloft), days, every=24)
    return jnp.mean((found - 0.05) ** 2)
