"""GABLS1: a stable boundary layer over ice that cools, and the large eddies that go with it."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .boundary_layer import BoundaryLayer
from .column import ColumnState
from .forcing import Aloft
from .levels import Levels
from .similarity import LinearSimilarity
from .surface import Surface
from .surface_layer import SurfaceLayer
from .turbulence import Closure

HOUR = 3600
GEOSTROPHIC = 8.0
"""[m/s]"""
CORIOLIS = 1.39e-4
"""At 73 degrees north [1/s]."""
ROUGHNESS = 0.1
"""Of momentum and of heat [m]."""
WARMTH = 265.0
"""Of the surface at the start, and of the air up to 100 m [K]."""
COOLING = 0.25 / HOUR
"""Of the surface [K/s]."""
TOP = 400.0
"""[m]"""
PRESSURE = 101320.0
"""[Pa]"""
DENSITY = 1.3223
"""Of the case, for its fluxes in W/m2 [kg/m3]."""
LARGE_EDDIES = np.array(
    [
        # height, u, v, potential temperature - 260 K
        (2.0, 1.63, 1.11, 3.119),
        (6.0, 2.58, 1.74, 3.232),
        (10.0, 3.01, 1.99, 3.296),
        (18.0, 3.55, 2.29, 3.386),
        (30.0, 4.18, 2.56, 3.478),
        (50.0, 5.07, 2.86, 3.608),
        (70.0, 5.91, 3.02, 3.735),
        (90.0, 6.71, 3.04, 3.866),
        (122.0, 7.97, 2.78, 4.100),
        (150.0, 8.98, 2.15, 4.373),
        (162.0, 9.32, 1.72, 4.517),
        (174.0, 9.55, 1.15, 4.702),
        (182.0, 9.56, 0.71, 4.861),
        (190.0, 9.39, 0.27, 5.053),
        (202.0, 8.77, -0.13, 5.426),
        (218.0, 8.01, -0.01, 6.097),
        (250.0, 7.99, 0.0, 6.487),
        (300.0, 8.0, 0.0, 7.0),
    ]
)
"""Profiles of hours 8 to 9 of a simulation with 256^3 points, read off its published figures.

Basu, S.: JAX-ALFA, example SBL_GABLS1, LASDD-SM; +-0.03 m/s and +-0.015 K. At 300 m the air is as
at the start.
"""
LOWEST_COMPARED, HIGHEST_COMPARED = 8.0, 300.0
"""Heights between which profiles are compared [m]."""


class Gabls1(eqx.Module):
    """Means of hours 8 to 9.

    Parameters
    ----------
    height : (level,) array
        [m]
    wind_u, wind_v, potential_temperature : (level,) array
        [m/s], [K].
    stress_u, stress_v : array
        Kinematic, on the surface [m2/s2].
    heat_flux : array
        ``w'theta'`` at the surface, upward [K m/s].
    """

    height: Float[Array, " level"]
    wind_u: Float[Array, " level"]
    wind_v: Float[Array, " level"]
    potential_temperature: Float[Array, " level"]
    stress_u: Float[Array, ""]
    stress_v: Float[Array, ""]
    heat_flux: Float[Array, ""]

    @property
    def friction_velocity(self):
        """u* [m/s]."""
        return jnp.sqrt(jnp.hypot(self.stress_u, self.stress_v))

    @property
    def surface_angle(self):
        """Of the stress to the left of the geostrophic wind [degrees]."""
        return jnp.degrees(jnp.arctan2(self.stress_v, self.stress_u))

    def jet(self):
        """Greatest speed [m/s] and its height [m], by a parabola through three levels."""
        speed = jnp.hypot(self.wind_u, self.wind_v)
        at = jnp.clip(jnp.argmax(speed), 1, len(speed) - 2)
        below, here, above = speed[at - 1], speed[at], speed[at + 1]
        bend = below - 2.0 * here + above
        shift = 0.5 * (below - above) / bend
        spacing = 0.5 * (self.height[at + 1] - self.height[at - 1])
        return here - 0.25 * (below - above) * shift, self.height[at] + shift * spacing

    def errors(self, profiles=LARGE_EDDIES):
        """Root mean square differences from large eddies between 8 and 300 m.

        Parameters
        ----------
        profiles : (n, 4) array
            Height [m], u, v [m/s], potential temperature less 260 K, ascending.

        Returns
        -------
        (3,) array
            Of u, v [m/s] and potential temperature [K].
        """
        return jnp.sqrt(jnp.mean(self.differences(profiles) ** 2, axis=1))

    def differences(self, profiles=LARGE_EDDIES):
        """Differences from large eddies every 4 m, ``(3, n)``; see `errors`."""
        profiles = np.asarray(profiles)
        height = np.arange(LOWEST_COMPARED, HIGHEST_COMPARED + 1.0, 4.0)
        mine = self.wind_u, self.wind_v, self.potential_temperature - 260.0
        return jnp.stack(
            [
                jnp.interp(height, self.height, field) - np.interp(height, profiles[:, 0], known)
                for field, known in zip(mine, profiles.T[1:], strict=True)
            ]
        )


def gabls1_layer(closure=None, cells=64, **options):
    """Boundary layer with the surface layer that the case prescribes.

    Parameters
    ----------
    closure : Closure, optional
    cells : int
        Of one thickness, up to 400 m.
    **options
        Of `BoundaryLayer`, `levels` among them.

    Returns
    -------
    BoundaryLayer
    """
    surface_layer = SurfaceLayer(
        similarity=LinearSimilarity(4.8, 7.8),
        heat_ratio=1.0,
        form_drag=0.0,
        gustiness=1e-3,
        moist=False,
    )
    case = {
        "levels": Levels.uniform(cells, TOP),
        "relaxation_above": np.inf,
        "moist": False,
        "pressure": PRESSURE,
    }
    closure = Closure() if closure is None else closure
    return BoundaryLayer(surface_layer, closure=closure, **case | options)


def run_gabls1(layer, dt=10.0):
    """Run the case.

    Parameters
    ----------
    layer : BoundaryLayer
        From `gabls1_layer`.
    dt : float
        A part of an hour [s].

    Returns
    -------
    Gabls1

    References
    ----------
    Beare et al. (2006), doi:10.1007/s10546-004-2820-6; Cuxart et al. (2006),
    doi:10.1007/s10546-005-3780-1.
    """
    levels = layer.levels
    height = jnp.asarray(levels.centres, float)
    still = jnp.zeros_like(height)
    warmth = WARMTH + 0.01 * jnp.maximum(height - 100.0, 0.0)
    wind = GEOSTROPHIC + still
    aloft = Aloft(height, wind, still, wind, still, warmth, still)
    fade = jnp.maximum(1.0 - jnp.asarray(levels.interfaces, float) / 250.0, 0.0)
    energy = jnp.maximum(0.4 * fade**3, layer.closure.least_energy)
    coriolis, depth = jnp.asarray(CORIOLIS, float), jnp.asarray(250.0, float)
    column = ColumnState(wind, still, warmth, still, energy, depth)

    def step(column, time):
        column, contact = layer.step(column, aloft, surface_at(time + dt), coriolis, dt)
        heat = contact.exchange.ice.heat
        flux = heat * (surface_at(time + dt).ice_temperature - contact.lowest_potential_temperature)
        kinematic = contact.stress_ice_u / contact.density, contact.stress_ice_v / contact.density
        fields = column.wind_u, column.wind_v, column.potential_temperature
        return column, (*fields, *kinematic, flux)

    def hour(column, start):
        times = start + dt * jnp.arange(round(HOUR / dt))
        column, series = jax.lax.scan(jax.checkpoint(step), column, times)
        return column, [field.mean(axis=0) for field in series]

    _, means = jax.lax.scan(hour, column, HOUR * jnp.arange(9.0))
    return Gabls1(height, *(mean[-1] for mean in means))


def calibrate(closure, names=("shear", "heat"), *, rounds=8, profiles=LARGE_EDDIES, dt=10.0):
    """Constants of a closure for which the case comes closest to the large eddies.

    Parameters
    ----------
    closure : Closure
        To start from.
    names : tuple of str
        Of the constants to change, all positive.
    rounds : int
        Steps of the search.
    profiles : (n, 4) array
        See `Gabls1.errors`.
    dt : float
        [s]

    Returns
    -------
    Closure

    Notes
    -----
    Levenberg-Marquardt for the logarithms of the constants, with derivatives in forward mode
    through the nine hours. Misfits of wind count over 0.15 m/s, of temperature over 0.1 K.
    """
    scale = jnp.array([[0.15], [0.15], [0.1]])

    def with_constants(logarithms):
        return replace(closure, **dict(zip(names, jnp.exp(logarithms), strict=True)))

    def misfit(logarithms):
        result = run_gabls1(gabls1_layer(with_constants(logarithms)), dt)
        differences = jnp.ravel(result.differences(profiles) / scale)
        return differences, differences

    # With its value: to compile a second function would take longer than to compute more here.
    both = jax.jit(jax.jacfwd(misfit, has_aux=True))
    at = jnp.log(jnp.stack([getattr(closure, name) for name in names]))
    (matrix, found), damping = both(at), 1e-2
    for _ in range(rounds):
        curvature, downhill = matrix.T @ matrix, -matrix.T @ found
        for _ in range(6):
            damped = curvature + damping * jnp.diag(jnp.diag(curvature))
            trial = at + jnp.clip(jnp.linalg.solve(damped, downhill), -1.0, 1.0)
            slopes, tried = both(trial)
            if jnp.sum(tried**2) < jnp.sum(found**2):
                at, matrix, found, damping = trial, slopes, tried, 0.3 * damping
                break
            damping = 4.0 * damping
    return with_constants(at)


def surface_at(time):
    """Surface of the case at a time from its start [s]."""
    skin = WARMTH - COOLING * time
    rest = jnp.zeros_like(skin)
    return Surface(
        concentration=jnp.ones_like(skin),
        ice_temperature=skin,
        water_temperature=skin,
        ice_u=rest,
        ice_v=rest,
        water_u=rest,
        water_v=rest,
        ice_roughness=ROUGHNESS + rest,
    )
