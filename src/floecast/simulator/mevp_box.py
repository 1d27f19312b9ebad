"""Closed box under a cyclone that stands still: a published mEVP case, to the last digit.

The case is the `dynamics` preset of Veris 0.2.1 (Geosci. Model Dev. 19, 5225, 2026), with the wind
of the cyclone of Mehlmann et al. (2021), doi:10.1029/2021MS002523. Its numbers depend on its own
discrete choices, which differ from those of `mevp.MEVP`: arrays wrap around and their last row and
column are land, velocities stand on west and south faces, water drag is linear with a least
coefficient, drag goes through the cell centres. `run_published` makes them again; `run` puts `MEVP`
into the same set-up.
"""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from floecast.atmosphere.forcing import Forcing
from floecast.core.grid import Grid
from floecast.core.operators import east, north, south, west
from floecast.core.state import IceState

from .mevp import MEVP
from .state import complete

SIDE = 512e3
"""[m]"""
STEP = 600
"""[s]"""
THICKNESS = 0.3
"""At the start [m]."""
MEVP_PARAMETERS = dict(
    ice_strength=27500.0,
    compactness=20.0,
    eccentricity=2.0,
    least_deformation=2e-9,
    air_drag=1.2e-3,
    water_drag=5.5e-3,
    least_drag=0.25,
    air_density=1.3,
    water_density=1026.0,
    ice_density=900.0,
)
_LEAST_ALPHA, _LEAST_MASS = 5.0, 1e-4
_NO_ICE = 1e-5


class Box(eqx.Module):
    """Fields of the case on ``(n, n)`` arrays that wrap around.

    Parameters
    ----------
    dx : float
        Side of a cell [m].
    sea, mask_u, mask_v : (n, n) array
        1 at cells, west faces and south faces of the sea.
    wind_u, wind_v : (n, n) array
        At cell centres [m/s].
    current_u, current_v : (n, n) array
        At west and south faces [m/s].
    coriolis : (n, n) array
        [1/s]
    """

    dx: float
    sea: np.ndarray
    mask_u: np.ndarray
    mask_v: np.ndarray
    wind_u: np.ndarray
    wind_v: np.ndarray
    current_u: np.ndarray
    current_v: np.ndarray
    coriolis: np.ndarray

    @classmethod
    def of(cls, n):
        """The case on n x n cells, of which the last row and column are land."""
        dx = SIDE / (n - 1)
        centre = (np.arange(n) + 0.5) * dx
        x, y = np.meshgrid(centre, centre)
        sea = np.ones((n, n))
        sea[-1], sea[:, -1] = 0.0, 0.0
        mask_u, mask_v = sea * np.roll(sea, 1, 1), sea * np.roll(sea, 1, 0)
        row = np.arange(n)[:, None] * np.ones((n, n))
        away_x, away_y = x - 0.6875 * SIDE, y - 0.6875 * SIDE
        force = -15.0 * np.exp(-np.hypot(away_x, away_y) / 100e3) / 50e3
        cosine, sine = np.cos(np.radians(72.0)), np.sin(np.radians(72.0))
        return cls(
            dx=dx,
            sea=sea,
            mask_u=mask_u,
            mask_v=mask_v,
            wind_u=force * (cosine * away_x + sine * away_y),
            wind_v=force * (cosine * away_y - sine * away_x),
            current_u=0.01 * (2 * y - SIDE) / SIDE * mask_u,
            current_v=-0.01 * (2 * x - SIDE) / SIDE * mask_v,
            coriolis=1.4604e-4 + row / (n - 1) * (1.4596e-4 + 8e-8 * n - 1.4604e-4),
        )

    def at_rest(self):
        """Compact ice at rest: velocities, three stresses, thickness, concentration."""
        still = jnp.zeros(self.sea.shape)
        return still, still, (still,) * 3, THICKNESS * self.sea, 1.0 * self.sea


def run_published(n, steps, iterations, alpha=None):
    """The case with the discrete choices of its source.

    Parameters
    ----------
    n : int
        Cells along a side.
    steps : int
        Time steps.
    iterations : int
        In a step.
    alpha : float, optional
        Adaptive if left out.

    Returns
    -------
    dict of str to float
        See `figures`.
    """
    return figures(*_run_published(Box.of(n), steps, iterations, alpha))


@eqx.filter_jit
def _run_published(box, steps, iterations, alpha):
    def step(_, now):
        u, v, stress, thickness, concentration = now
        u, v, stress = _solve(u, v, stress, thickness, concentration, box, iterations, alpha)
        return u, v, stress, *carry(thickness, concentration, u, v, box)

    u, v, _, thickness, concentration = jax.lax.fori_loop(0, steps, step, box.at_rest())
    return u, v, thickness, concentration, box.sea


def _solve(u, v, stress, thickness, concentration, box, iterations, alpha):
    p = MEVP_PARAMETERS
    mass = p["ice_density"] * thickness
    mass_u, mass_v = 0.5 * (mass + west(mass)), 0.5 * (mass + south(mass))
    share_u = 0.5 * (concentration + west(concentration)) * box.mask_u
    share_v = 0.5 * (concentration + south(concentration)) * box.mask_v
    strength = p["ice_strength"] * thickness * jnp.exp(-p["compactness"] * (1 - concentration))
    drag = p["air_density"] * p["air_drag"] * jnp.hypot(box.wind_u, box.wind_v)
    tau_u, tau_v = drag * box.wind_u, drag * box.wind_v
    wind_u, wind_v = 0.5 * (tau_u + west(tau_u)), 0.5 * (tau_v + south(tau_v))
    old_u, old_v = u, v

    def iterate(_, now):
        u, v, stress = now
        stress, damping = _relax_stress(u, v, stress, strength, mass, box, alpha)
        s11, s22, s12 = 0.5 * (stress[0] + stress[1]), 0.5 * (stress[0] - stress[1]), stress[2]
        slip_u, slip_v = u - box.current_u, v - box.current_v
        slip = 0.5 * jnp.hypot(slip_u + east(slip_u), slip_v + north(slip_v))
        drag = jnp.maximum(p["water_density"] * p["water_drag"] * slip, p["least_drag"])
        drag_u = 0.5 * (drag + west(drag)) * share_u
        drag_v = 0.5 * (drag + south(drag)) * share_v
        turning = 0.5 * box.coriolis * mass
        turn_u, turn_v = turning * (v + north(v)), turning * (u + east(u))
        force_u = (s11 - west(s11) + north(s12) - s12) / box.dx + wind_u * share_u
        force_v = (s22 - south(s22) + east(s12) - s12) / box.dx + wind_v * share_v
        force_u = force_u + drag_u * box.current_u + 0.5 * (turn_u + west(turn_u))
        force_v = force_v + drag_v * box.current_v - 0.5 * (turn_v + south(turn_v))
        beta_u, beta_v = 0.5 * (damping + west(damping)), 0.5 * (damping + south(damping))
        inertia_u, inertia_v = mass_u / STEP, mass_v / STEP
        new_u = inertia_u * (beta_u * u + old_u) + force_u
        new_v = inertia_v * (beta_v * v + old_v) + force_v
        safe_u = jnp.where(box.mask_u > 0, inertia_u * (beta_u + 1) + drag_u, 1.0)
        safe_v = jnp.where(box.mask_v > 0, inertia_v * (beta_v + 1) + drag_v, 1.0)
        return new_u / safe_u * box.mask_u, new_v / safe_v * box.mask_v, stress

    return jax.lax.fori_loop(0, iterations, iterate, (u, v, stress))


def _relax_stress(u, v, stress, strength, mass, box, alpha):
    dx, sea = box.dx, box.sea
    flattening = MEVP_PARAMETERS["eccentricity"] ** -2
    e11, e22 = (east(u) - u) / dx * sea, (north(v) - v) / dx * sea
    cells = sea + west(sea) + south(sea) + south(west(sea))
    inner = cells == 4
    e12 = jnp.where(inner, 0.5 * (u - south(u) + v - west(v)) / dx, 0.0)
    e12 = e12 + (u + south(u)) / dx * (box.mask_u - south(box.mask_u))
    e12 = e12 + (v + west(v)) / dx * (box.mask_v - west(box.mask_v))
    square = e12**2
    square = 0.25 * (square + east(square) + north(square) + north(east(square)))
    divergence, tension = e11 + e22, e11 - e22
    deformation = jnp.sqrt(divergence**2 + flattening * (tension**2 + 4 * square))
    zeta = 0.5 * strength / (deformation + MEVP_PARAMETERS["least_deformation"])
    zeta_f = zeta + west(zeta) + south(zeta) + south(west(zeta))
    zeta_f = zeta_f / jnp.maximum(cells, 1.0)
    if alpha is None:
        damping = jnp.pi * jnp.sqrt(zeta * STEP / (jnp.maximum(mass, _LEAST_MASS) * dx**2))
        damping = jnp.maximum(damping, _LEAST_ALPHA)
    else:
        damping = jnp.full_like(zeta, alpha)
    damping_f = damping + west(damping)
    damping_f = 0.25 * (damping_f + south(damping_f))
    target = (
        2 * zeta * (divergence - deformation),
        2 * flattening * zeta * tension,
        2 * flattening * zeta_f * e12,
    )
    dampings = (damping, damping, damping_f)
    stress = tuple(((a - 1) * s + t) / a for s, t, a in zip(stress, target, dampings, strict=True))
    return stress, damping


def carry(thickness, concentration, u, v, box):
    """Thickness and concentration after a time step of superbee transport, x before y.

    Parameters
    ----------
    thickness, concentration : (n, n) array
        Cell centres; thickness as volume per area [m].
    u, v : (n, n) array
        West and south faces [m/s].
    box : Box

    Returns
    -------
    thickness, concentration : (n, n) array
    """

    def both(field):
        field = _superbee(field, u, box, west, east, box.mask_u)
        return _superbee(field, v, box, south, north, box.mask_v)

    thickness, concentration = both(thickness), both(concentration)
    thickness = jnp.where(thickness <= _NO_ICE, 0.0, thickness)
    concentration = jnp.where(thickness > 0, jnp.maximum(concentration, _NO_ICE), 0.0)
    return thickness, jnp.minimum(concentration, 1.0)


def _superbee(field, speed, box, before, after, mask):
    """One sweep of the direct space-time scheme with the superbee limiter (Roe 1985)."""
    slope = (field - before(field)) * mask
    upstream = jnp.where(speed > 0, before(slope), after(slope))
    ratio = jnp.where(
        jnp.abs(slope) * 1e6 <= jnp.abs(upstream),
        jnp.sign(upstream) * jnp.where(slope < 0, -1e6, 1e6),
        upstream / jnp.where(slope == 0, 1.0, slope),
    )
    limiter = jnp.maximum(0.0, jnp.maximum(jnp.minimum(1.0, 2 * ratio), jnp.minimum(2.0, ratio)))
    courant = jnp.abs(speed) * STEP / box.dx
    centred = 0.5 * speed * (field + before(field))
    flux = centred - 0.5 * jnp.abs(speed) * (1 - limiter + courant * limiter) * slope
    return field - STEP / box.dx * (after(flux) - flux) * box.sea


def figures(u, v, thickness, concentration, sea):
    """Extremes and root mean squares that the case is known by.

    Returns
    -------
    dict of str to float
        `umax`, `vmax`, `urms`, `vrms` [m/s], `hmin`, `hmax` [m] and `amin`.
    """
    wet = np.asarray(sea) > 0
    thickness, concentration = np.asarray(thickness)[wet], np.asarray(concentration)[wet]
    u, v = np.asarray(u), np.asarray(v)
    return {
        "umax": float(np.max(np.abs(u))),
        "vmax": float(np.max(np.abs(v))),
        "urms": float(np.sqrt(np.mean(u**2))),
        "vrms": float(np.sqrt(np.mean(v**2))),
        "hmin": float(np.min(thickness)),
        "hmax": float(np.max(thickness)),
        "amin": float(np.min(concentration)),
    }


def run(n, steps, **parameters):
    """The case with `MEVP`, carried as in its source.

    Parameters
    ----------
    n, steps : int
        As in `run_published`.
    **parameters
        Of `MEVP`, beside those of the case.

    Returns
    -------
    dict of str to float
        See `figures`.
    """
    box, mevp = Box.of(n), MEVP(**(MEVP_PARAMETERS | parameters))
    sea = (slice(0, n - 1),) * 2
    grid = Grid.box((n - 1, n - 1), box.dx)
    grid = replace(grid, coriolis=box.coriolis[sea])
    # The current across x varies along y alone, so that west faces, centres and east faces agree.
    current_u = np.broadcast_to(box.current_u[:-1, 1:2], grid.shape)
    current_v = np.broadcast_to(box.current_v[1:2, :-1], grid.shape)
    wind = {"wind_u": box.wind_u[sea], "wind_v": box.wind_v[sea]}
    fields = wind | {"current_u": current_u, "current_v": current_v}
    forcing = Forcing(np.array([0]), **{name: field[None] for name, field in fields.items()})
    return figures(*_run(box, mevp, grid, forcing, steps))


@eqx.filter_jit
def _run(box, mevp, grid, forcing, steps):
    ones = jnp.ones(grid.shape)
    state = complete(IceState.at_rest(grid, ones, THICKNESS * ones))
    state = replace(state, rheology=mevp.memory(state, grid))

    def step(_, state):
        state = mevp.advance(state, forcing, grid, STEP, mevp.iterations)
        thickness, concentration = carry(
            *(
                jnp.pad(field, ((0, 1), (0, 1)))
                for field in (state.ice_volume, state.concentration)
            ),
            jnp.pad(state.u, ((0, 1), (1, 0))),
            jnp.pad(state.v, ((1, 0), (0, 1))),
            box,
        )
        return replace(state, ice_volume=thickness[:-1, :-1], concentration=concentration[:-1, :-1])

    state = jax.lax.fori_loop(0, steps, step, state)
    u, v = jnp.pad(state.u, ((0, 1), (1, 0))), jnp.pad(state.v, ((1, 0), (0, 1)))
    pad = ((0, 1), (0, 1))
    return u, v, jnp.pad(state.ice_volume, pad), jnp.pad(state.concentration, pad), box.sea
