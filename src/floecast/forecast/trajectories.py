"""Drifters, such as ships beset and buoys, carried along by the ice of every member."""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from floecast.core.calendar import HOUR
from floecast.core.errors import InputError
from floecast.core.model import Model, check_run, started
from floecast.core.projection import EPSG_3413
from floecast.core.variables import ICE_EDGE
from floecast.simulator.drifters import drift

from .ellipses import prediction_ellipse

SUBSTEP = 3 * HOUR
"""Longest step of a drifter [s]."""


class Following(eqx.Module):
    """A model whose state is ``(state, positions)``: drifters go with its ice.

    Parameters
    ----------
    model : Model
        With a grid; its states, or what their method ``ice()`` gives, have `u` and `v`.
    begin : (drifter,) int array
        When each is let go [s since 2000-01-01]; it rests before.

    Notes
    -----
    Over a step of the model the velocity is linear in time between the two states; drifters move
    by the midpoint rule in substeps of three hours at most. Where there is no ice there is no
    motion: open water carries nothing here.
    """

    model: Model
    begin: Int[Array, " drifter"]

    @property
    def grid(self):
        """That of the model."""
        return self.model.grid

    @property
    def dt(self):
        """Step of the model [s]."""
        return self.model.dt

    @property
    def needs(self):
        """Names of the forcing fields that a step reads."""
        return getattr(self.model, "needs", ())

    def start(self, state, forcing=None):
        """The state of the model's own kind, and the positions as they are."""
        state, positions = state
        return started(self.model, state, forcing), positions

    def check(self, state, forcing, start, end):
        """Let the model refuse what it cannot step."""
        check_run(self.model, state[0], forcing, start, end)

    def step(self, state, forcing, key):
        """State and positions one `dt` later.

        Parameters
        ----------
        state : tuple
            Of the model, and positions ``(drifter, 2)`` on the projected plane [m] or None.
        forcing : Forcing
        key : key

        Returns
        -------
        tuple
        """
        before, positions = state
        after = self.model.step(before, forcing, key)
        if positions is None:
            return after, positions
        one, other = ice_of(before), ice_of(after)
        count = -(-self.dt // SUBSTEP)
        length, time = self.dt / count, forcing.time[0]
        waits = (self.begin - time).astype(positions.dtype)[:, None]
        for number in range(count):
            share = (number + 0.5) / count
            u = (1 - share) * one.u + share * other.u
            v = (1 - share) * one.v + share * other.v
            afloat = jnp.clip((number + 1) * length - waits, 0.0, length)
            moved = drift(positions, u, v, self.grid, afloat)
            positions = moved.astype(positions.dtype)
        return after, positions


def ice_of(state):
    """What every model shares of a state."""
    ice = getattr(state, "ice", None)
    return state if ice is None else ice()


def seeded(name, longitude, latitude, grid):
    """Position of a drifter on the grid.

    Parameters
    ----------
    name : str
        For messages.
    longitude, latitude : float
        [degrees]
    grid : Grid
        Of a preset.

    Returns
    -------
    (2,) array
        On the projected plane [m].

    Raises
    ------
    InputError
        If that is outside of the grid or on land.
    """
    if grid.epsg is None:
        raise InputError(f"drifter {name}: the grid {grid.name} has no longitudes and latitudes")
    position = np.array(EPSG_3413.forward(latitude, longitude), float)
    column = np.rint((position[0] - grid.x[0]) / grid.spacing)
    row = np.rint((position[1] - grid.y[0]) / grid.spacing)
    where = f"drifter {name} at {latitude:g} N, {longitude:g} E"
    if not (0 <= row < grid.shape[0] and 0 <= column < grid.shape[1]):
        raise InputError(f"{where} is outside of the grid {grid.name}; give a place on it")
    if not grid.mask_t[int(row), int(column)]:
        raise InputError(f"{where} is on land of the grid {grid.name}; give a place at sea")
    return position


def on_ice(positions, concentration, grid):
    """Whether drifters are among ice, ``(member, drifter)``, of the cells that hold them.

    Parameters
    ----------
    positions : (member, drifter, 2) array
        [m]
    concentration : (member, y, x) array
        [1]
    grid : Grid
    """
    column = np.rint((positions[..., 0] - grid.x[0]) / grid.spacing)
    row = np.rint((positions[..., 1] - grid.y[0]) / grid.spacing)
    column = np.nan_to_num(np.clip(column, 0, grid.shape[1] - 1)).astype(int)
    row = np.nan_to_num(np.clip(row, 0, grid.shape[0] - 1)).astype(int)
    member = np.arange(len(positions))[:, None]
    return np.asarray(concentration)[member, row, column] > ICE_EDGE


class Spread(NamedTuple):
    """Where drifters may be; arrays ``(...)``, true lengths.

    Attributes
    ----------
    x, y : mean position on the projected plane [m].
    spread : root mean square distance of the members from there, divisor N - 1 [m].
    major, minor : semi-axes of the prediction ellipse [m].
    angle : from the x axis of the grid to the major axis, counter-clockwise [degrees].
    """

    x: np.ndarray
    y: np.ndarray
    spread: np.ndarray
    major: np.ndarray
    minor: np.ndarray
    angle: np.ndarray


def spread_of(positions, probability, grid):
    """Mean, spread and prediction ellipse of positions.

    Parameters
    ----------
    positions : (member, ..., 2) array
        On the projected plane [m].
    probability : float
        That the ellipse holds the drifter.
    grid : Grid

    Returns
    -------
    Spread
        See `ellipses.prediction_ellipse`. Lengths on the map are divided by its scale at the mean.
    """
    x, y = positions[..., 0].astype(np.float64), positions[..., 1].astype(np.float64)
    ellipse = prediction_ellipse(x, y, probability)
    scale = 1.0
    if grid.epsg is not None:
        scale = EPSG_3413.scale(EPSG_3413.inverse(ellipse.x, ellipse.y)[0])
    squared = np.var(x, axis=0, ddof=1) + np.var(y, axis=0, ddof=1)
    return Spread(
        ellipse.x,
        ellipse.y,
        np.sqrt(squared) / scale,
        ellipse.major / scale,
        ellipse.minor / scale,
        ellipse.angle,
    )
