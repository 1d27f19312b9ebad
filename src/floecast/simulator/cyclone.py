"""The cyclone case: a low that crosses a small square of thin ice within two days."""

from dataclasses import dataclass, replace

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from floecast.atmosphere.forcing import Forcing
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.state import IceState

LENGTH = 512e3
"""Side of the square [m]."""

DURATION = 2 * 86400
"""Length of the case [s]."""

RADIUS = 100e3
"""Distance from the centre of the low at which its wind is strongest [m]."""

WIND_RATE = 3e-4
"""Wind over distance from the centre, close to it [1/s]; the wind reaches 30 / e m/s."""

INFLOW_ANGLE = 72.0
"""Between the wind and the direction to the centre [degrees]; 90 is a pure circle."""

CENTRE_START = 256e3
"""Coordinate of the centre at the start, along x and y alike [m]."""

CENTRE_SPEED = 51.2e3 / 86400
"""Speed of the centre along x and y alike [m/s]."""

CURRENT = 0.01
"""Largest component of the ocean current [m/s]."""


@dataclass(frozen=True)
class CycloneSetup:
    """Numbers of a published run of the case.

    Parameters
    ----------
    ice_density, water_density, air_density : float
        [kg/m3]
    air_drag, water_drag : float
        Quadratic drag coefficients, without turning [1].
    coriolis : float
        Coriolis parameter [1/s].
    concentration : float
        At the start [1].
    ice_strength : float
        P* of viscous-plastic ice [Pa].
    least_deformation : float
        Delta_min of viscous-plastic ice [1/s].
    ellipse_ratio : float
        Of the yield ellipse [1].
    iterations : int
        Of a viscous-plastic solver in one step.
    """

    ice_density: float = 900.0
    water_density: float = 1026.0
    air_density: float = 1.3
    air_drag: float = 1.2e-3
    water_drag: float = 5.5e-3
    coriolis: float = 1.46e-4
    concentration: float = 1.0
    ice_strength: float = 27500.0
    least_deformation: float = 2e-9
    ellipse_ratio: float = 2.0
    iterations: int = 100

    def step(self, spacing):
        """Published step for a spacing, 120 s at 2 km, 240 s at 4 km and 600 s at 10 km [s].

        Parameters
        ----------
        spacing : float
            [m]

        Returns
        -------
        int
            Made a divisor of two days, so that whole steps fill the case.
        """
        step = max(1, int(0.06 * spacing + 1e-6))
        while DURATION % step:
            step -= 1
        return step


PLASTIC = CycloneSetup()
"""Viscous-plastic runs of Mehlmann et al. (2021)."""

BRITTLE = CycloneSetup(ice_density=917.0, water_drag=5.2e-3, coriolis=0.0, concentration=0.999999)
"""Brittle runs of NANUQ."""


def cyclone_grid(cells, setup=PLASTIC):
    """Square box of the case.

    Parameters
    ----------
    cells : int
        Along a side: 256, 128 and 64 for 2, 4 and 8 km.
    setup : CycloneSetup, optional
        Of which the Coriolis parameter is taken.

    Returns
    -------
    Grid

    Raises
    ------
    InputError
        If `cells` is not a positive whole number.
    """
    if cells != int(cells) or cells < 1:
        raise InputError(f"the cyclone's square needs a positive number of cells, not {cells}")
    box = Grid.box((int(cells), int(cells)), LENGTH / int(cells))
    return replace(box, name="cyclone", coriolis=np.full(box.shape, setup.coriolis))


def ice_volume(x, y):
    """Ice volume per area at the start [m].

    Parameters
    ----------
    x, y : array
        From the south-west corner of the square [m].

    Returns
    -------
    array
        ``0.3 + 0.005 (sin(6e-5 x) + sin(3e-5 y))``.
    """
    return 0.3 + 0.005 * (jnp.sin(6e-5 * x) + jnp.sin(3e-5 * y))


def wind(x, y, time):
    """10 m wind of the low.

    Parameters
    ----------
    x, y : array
        From the south-west corner of the square [m].
    time : int or array
        Since the start [s].

    Returns
    -------
    wind_u, wind_v : array
        Along x and y [m/s].

    Notes
    -----
    With (X, Y) the vector from the centre and r its length, the wind is
    ``-w exp(-r / R) (cos a X + sin a Y, -sin a X + cos a Y)``: counter-clockwise and inwards. Its
    speed is ``w r exp(-r / R)``.
    """
    centre = CENTRE_START + CENTRE_SPEED * time
    east, north = x - centre, y - centre
    # Guarded twice, so that its derivative is finite in the centre.
    square = east**2 + north**2
    distance = jnp.sqrt(jnp.where(square > 0, square, 1.0)) * (square > 0)
    rate = -WIND_RATE * jnp.exp(-distance / RADIUS)
    cos, sin = np.cos(np.radians(INFLOW_ANGLE)), np.sin(np.radians(INFLOW_ANGLE))
    return rate * (cos * east + sin * north), rate * (cos * north - sin * east)


def current(x, y):
    """Steady anticyclonic ocean current, without divergence.

    Parameters
    ----------
    x, y : array
        From the south-west corner of the square [m].

    Returns
    -------
    current_u, current_v : array
        ``c (2 y / L - 1)`` and ``c (1 - 2 x / L)`` [m/s].
    """
    return CURRENT * (2 * y / LENGTH - 1), CURRENT * (1 - 2 * x / LENGTH)


class Cyclone(eqx.Module):
    """What drives the case; the closed form at the very times asked for.

    Parameters
    ----------
    x, y : (nx,), (ny,) array
        Cell centres from the south-west corner of the square [m].
    start : int
        When the case begins, seconds since 2000-01-01.

    References
    ----------
    Mehlmann, C., et al. (2021): Simulating linear kinematic features in viscous-plastic sea ice
    models on quadrilateral and triangular grids with different variable staggering. J. Adv.
    Model. Earth Syst. 13, e2021MS002523, doi:10.1029/2021MS002523.
    """

    x: np.ndarray
    y: np.ndarray
    start: int = eqx.field(static=True, default=0)

    @classmethod
    def on(cls, grid, start=0):
        """The case on the T points of a grid.

        Parameters
        ----------
        grid : Grid
            A box; `cyclone_grid` makes the published one.
        start : int, optional
            Seconds since 2000-01-01.

        Returns
        -------
        Cyclone
        """
        return cls(np.asarray(grid.x), np.asarray(grid.y), int(start))

    @property
    def end(self):
        """When the two days are over, seconds since 2000-01-01."""
        return self.start + DURATION

    def between(self, start, end):
        """Wind and current at the two ends of a step.

        Parameters
        ----------
        start, end : int
            Seconds since 2000-01-01; the same time twice holds the wind of that time.

        Returns
        -------
        Forcing
            With two times.
        """
        time = jnp.stack([jnp.asarray(start), jnp.asarray(end)])
        x, y = jnp.asarray(self.x)[None, None, :], jnp.asarray(self.y)[None, :, None]
        since = (time - self.start).astype(x.dtype)[:, None, None]
        shape = (2, self.y.shape[0], self.x.shape[0])
        fields = (*wind(x, y, since), *current(x, y))
        names = ("wind_u", "wind_v", "current_u", "current_v")
        fields = {
            name: jnp.broadcast_to(field, shape) for name, field in zip(names, fields, strict=True)
        }
        return Forcing(time, **fields)


def start_state(grid, setup=PLASTIC):
    """Unbroken ice at rest.

    Parameters
    ----------
    grid : Grid
        From `cyclone_grid`.
    setup : CycloneSetup, optional
        Of which the concentration is taken.

    Returns
    -------
    IceState
        No snow; `ice_volume` as given by the function of that name, whatever the concentration.
    """
    volume = ice_volume(np.asarray(grid.x)[None, :], np.asarray(grid.y)[:, None])
    concentration = jnp.full(grid.shape, setup.concentration)
    return IceState.at_rest(grid, concentration, volume / concentration)
