"""Small chaotic models on which assimilation methods are compared in the literature.

Each is a `Model` whose state is one array, observed at points: the same methods run on them that
run on ice.
"""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from floecast.core.errors import InputError


class Lorenz96(eqx.Module):
    """Waves on a circle of latitude, state ``(..., size)``.

    Parameters
    ----------
    force : float
        Constant forcing F.
    time_step : float
        Of the Runge-Kutta scheme [time units].
    dt : int
        What a step is called in seconds: by default six hours, so that a time unit is five days.

    Notes
    -----
    ``dx_i/dt = (x_{i+1} - x_{i-2}) x_{i-1} - x_i + F`` on a circle, with classical Runge-Kutta
    steps. A `forcing` that is not None is added to F: a scalar, or ``(size,)``.

    References
    ----------
    Lorenz, E. N., and Emanuel, K. A. (1998). Optimal sites for supplementary weather
    observations: simulation with a small model. J. Atmos. Sci., 55, 399-414.
    """

    force: float = 8.0
    time_step: float = eqx.field(static=True, default=0.05)
    dt: int = eqx.field(static=True, default=21600)
    grid: None = None

    def tendency(self, state, forcing=None):
        """Time derivative of the state."""
        x = state
        force = self.force if forcing is None else self.force + forcing
        return (jnp.roll(x, -1, -1) - jnp.roll(x, 2, -1)) * jnp.roll(x, 1, -1) - x + force

    def step(self, state, forcing=None, key=None):
        """State one step later."""
        return runge_kutta(lambda x: self.tendency(x, forcing), state, self.time_step)


class Lorenz63(eqx.Module):
    """Convection in three variables, state ``(..., 3)``.

    Parameters
    ----------
    prandtl, rayleigh, aspect : float
        The parameters sigma, rho and beta.
    time_step : float
        Of the Runge-Kutta scheme [time units].
    dt : int
        What a step is called in seconds.

    Notes
    -----
    ``dx/dt = sigma (y - x)``, ``dy/dt = rho x - y - x z``, ``dz/dt = x y - beta z``, with
    classical Runge-Kutta steps. A `forcing` that is not None is added to the tendency.

    References
    ----------
    Lorenz, E. N. (1963). Deterministic nonperiodic flow. J. Atmos. Sci., 20, 130-141.
    """

    prandtl: float = 10.0
    rayleigh: float = 28.0
    aspect: float = 8 / 3
    time_step: float = eqx.field(static=True, default=0.01)
    dt: int = eqx.field(static=True, default=1)
    grid: None = None

    def tendency(self, state, forcing=None):
        """Time derivative of the state."""
        x, y, z = state[..., 0], state[..., 1], state[..., 2]
        own = jnp.stack(
            [self.prandtl * (y - x), self.rayleigh * x - y - x * z, x * y - self.aspect * z], -1
        )
        return own if forcing is None else own + forcing

    def step(self, state, forcing=None, key=None):
        """State one step later."""
        return runge_kutta(lambda x: self.tendency(x, forcing), state, self.time_step)


def runge_kutta(tendency, state, h):
    """One step of the classical Runge-Kutta scheme.

    Parameters
    ----------
    tendency : callable
        Of the state.
    state : array
    h : float
        Length of the step, in the time unit of the tendency.

    Returns
    -------
    array
    """
    k1 = tendency(state)
    k2 = tendency(state + h / 2 * k1)
    k3 = tendency(state + h / 2 * k2)
    k4 = tendency(state + h * k3)
    return state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


class Unforced(eqx.Module):
    """The forcing of a model that needs none, for `rollout` and the like."""

    start: int = 0

    def between(self, start, end):
        """None."""
        return None


class PointObservations(eqx.Module):
    """Single variables of a state vector, observed; arrays along ``p``.

    Parameters
    ----------
    value, error_std : (p,) array
        What was measured and its standard error.
    index : (p,) int array
        Which variable.
    time : (p,) int array
        Seconds since the start of the run, as the model's `dt` counts them.
    group, flag : (p,) int array
        As in `Observations`.
    """

    value: Float[Array, " p"]
    error_std: Float[Array, " p"]
    index: Int[np.ndarray, " p"]
    time: Int[np.ndarray, " p"]
    group: Int[np.ndarray, " p"]
    flag: Int[np.ndarray, " p"]

    @property
    def size(self):
        """Number of observations."""
        return self.value.shape[0]

    @property
    def position(self):
        """Index of the variable as a place on a line, ``(p, 1)``."""
        return np.asarray(self.index, float)[:, None]

    def replace(self, **fields):
        """The same with other values for some fields."""
        return dataclasses.replace(self, **fields)


def observe_points(state, observations):
    """Equivalents of `PointObservations` in a state vector: the variables themselves, ``(p,)``."""
    return state[observations.index]


def point_observations(value, error_std, index, *, time=0, group=0, flag=0):
    """`PointObservations` of which scalars stand for all.

    Parameters
    ----------
    value, error_std, index, time, group, flag
        As in `PointObservations`; all but `index` may be scalars.

    Returns
    -------
    PointObservations

    Raises
    ------
    InputError
        If an error is not positive.
    """
    index = np.atleast_1d(np.asarray(index, int))

    def along(field, kind):
        return np.broadcast_to(np.asarray(field, kind), index.shape).copy()

    error_std = along(error_std, float)
    if not (error_std > 0).all():
        raise InputError(f"{np.sum(~(error_std > 0))} errors are not positive")
    whole = (along(field, np.int64) for field in (time, group, flag))
    return PointObservations(along(value, float), error_std, index, *whole)


def circle(size):
    """Places of the variables of `Lorenz96`, ``(size, 1)``, to be used with the period `size`."""
    return np.arange(float(size))[:, None]


def initial_ensemble(key, mean, std, members=None):
    """Normal draws about a state.

    Parameters
    ----------
    key : key
    mean : (n,) array
    std : float
    members : int, optional
        One state if left out.

    Returns
    -------
    (members, n) or (n,) array
    """
    mean = jnp.asarray(mean, float)
    shape = mean.shape if members is None else (members, *mean.shape)
    return jnp.broadcast_to(mean, shape) + std * jax.random.normal(key, shape, mean.dtype)
