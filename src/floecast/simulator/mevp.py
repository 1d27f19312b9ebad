"""Viscous-plastic ice by modified elastic-viscous-plastic iterations (mEVP), fixed or adaptive."""

from dataclasses import replace
from math import isqrt
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from floecast.core.constants import (
    AIR_DENSITY,
    GRAVITY,
    ICE_DENSITY,
    MOVING_WATER_DENSITY,
    SNOW_DENSITY,
)
from floecast.core.errors import InputError
from floecast.core.parameter import bounded, whole_number
from floecast.core.precision import cast

from .advection import MAX_SPEED
from .interfaces import AbstractRheology
from .strain import (
    Metric,
    Stress,
    across_x,
    across_y,
    inner,
    mean_x,
    mean_y,
    strain_rate,
    stress_divergence,
    sum_to_corners,
    walls,
)

LEAST_MASS, LEAST_CONCENTRATION = 1.0, 1e-3
"""Mass per area [kg/m2] and concentration below which inertia and water drag diminish no more."""
LONGEST_STEP = 3600.0
"""[s]; see `MEVP.longest_step`."""
_LEAST_STRAIN = 1e-12
_LEAST_SPEED = 1e-6


class MEVP(AbstractRheology):
    """Hibler's viscous-plastic rheology with an elliptic yield curve, solved by mEVP iterations.

    Parameters
    ----------
    ice_strength : float
        P*, compressive strength of compact ice over its thickness [Pa].
    compactness : float
        C in the strength ``P = P* V exp(-C (1 - A))`` [1].
    eccentricity : float
        Axis ratio e of the yield ellipse [1].
    least_deformation : float
        Dmin, added to the deformation rate in the viscosity [1/s].
    alpha : float, optional
        Damping of stress and velocity in the iterations [1]. If left out it adapts to the
        viscosity in each cell and iteration.
    least_alpha : float
        Lower bound of an adaptive `alpha` [1].
    air_drag, water_drag : float
        Drag coefficients of 10 m wind and surface current [1].
    least_drag : float
        Water drag over slip of compact ice is not less than this [kg/m2/s]; 0.25 in MITgcm and
        Veris.
    turning_angle : float
        From the motion of the water against the ice to its drag on the ice, counter-clockwise
        [degrees].
    air_density, water_density, ice_density, snow_density : float
        [kg/m3]
    iterations : int
        A step.

    Notes
    -----
    Per area of the cell, with the mass ``m = rho_i V + rho_s V_s`` and the stress S::

        m du/dt = div S + A rho_a C_a |W| W + A rho_w C_w |u_o - u| R (u_o - u) - m f k x u
                  - m g grad(sea-surface height),

    backward in time for the stress and the water drag. Iteration p relaxes the stress towards the
    rheology of ``u^p`` and the velocity towards the balance of forces (Bouillon et al. 2013)::

        S <- S + (S(u^p) - S) / alpha,
        u^{p+1} = [beta u^p + u^n + (dt / m)(forces + D u_o)] / (beta + 1 + (dt / m) D).

    Both components are taken from iterate p, which keeps the symmetry of x and y. Adaptive:
    ``alpha = max(least_alpha, pi sqrt(zeta dt / (m area)))`` at T points, their means at corners
    and faces (beta), after Kimmritz et al. (2016); this needs fewer iterations than a fixed value.
    ``zeta = P / (2 (Delta + Dmin))`` with the replacement pressure ``2 zeta Delta``, so that ice
    at rest has no stress.

    Space: C grid, `strain_rate` and its exact adjoint `stress_divergence`; viscosity at corners
    as the mean over sea cells; shear in Delta as the mean of its squares at the four corners;
    Coriolis force through T points, where it does no work. No slip along coasts.

    Where ice vanishes, mass and drag keep least values while the wind's force goes to 0, so the
    velocity passes to that of the water; faces with no ice at all are given 0. The velocity of a
    step is the one at its end, which VP models also carry the ice with.

    In the Arctic at 100 km, 120 adaptive iterations leave the velocity 1e-5 m/s from the solution
    where a fixed `alpha` of 500 leaves 8e-3 m/s, and 1e-4 m/s remain with 60.

    Gradients go through the iterations. The reverse pass of a step holds about
    ``40 sqrt(iterations)`` fields, 440 for 120 iterations, and takes seven times as long as the
    step.

    References
    ----------
    Hibler (1979), doi:10.1175/1520-0485(1979)009<0815:ADTSIM>2.0.CO;2; Hunke and Dukowicz (2002),
    doi:10.1175/1520-0493(2002)130<1848:TEVPSI>2.0.CO;2; Bouillon et al. (2013),
    doi:10.1016/j.ocemod.2013.05.013; Kimmritz et al. (2016), doi:10.1016/j.ocemod.2016.03.004.
    """

    ice_strength: Float[Array, ""] = bounded(27500.0, 0, ends=True)
    compactness: Float[Array, ""] = bounded(20.0, 0, ends=True)
    eccentricity: Float[Array, ""] = bounded(2.0, 0)
    least_deformation: Float[Array, ""] = bounded(2e-9, 0)
    alpha: Float[Array, ""] | None = bounded(None, 0)
    least_alpha: Float[Array, ""] = bounded(50.0, 0)
    air_drag: Float[Array, ""] = bounded(1.2e-3, 0, ends=True)
    water_drag: Float[Array, ""] = bounded(5.5e-3, 0, ends=True)
    least_drag: Float[Array, ""] = bounded(0.0, 0, ends=True)
    turning_angle: Float[Array, ""] = bounded(0.0)
    air_density: Float[Array, ""] = bounded(AIR_DENSITY, 0)
    water_density: Float[Array, ""] = bounded(MOVING_WATER_DENSITY, 0)
    ice_density: Float[Array, ""] = bounded(ICE_DENSITY, 0)
    snow_density: Float[Array, ""] = bounded(SNOW_DENSITY, 0, ends=True)
    iterations: int = eqx.field(static=True, default=120)

    needs: ClassVar[tuple[str, ...]] = ("wind_u", "wind_v")

    def memory(self, state, grid):
        """Stress of ice at rest: none."""
        still = jnp.zeros_like(state.ice_volume)
        *members, ny, nx = still.shape
        return Stress(still, still, jnp.zeros((*members, ny + 1, nx + 1), still.dtype))

    def longest_step(self, grid):
        """Longest time step [s].

        Notes
        -----
        Adaptive iterations allow any step; what limits it is that the strength is that of the
        start of the step. In an hour, convergence at 1e-5 1/s, which is a strong deformation
        of a cell, closes 4 % of the area and doubles the strength of nearly compact ice. On fine
        grids ice at `MAX_SPEED` must not cross more than half a cell.
        """
        return min(LONGEST_STEP, 0.5 * float(np.min(grid.dx_t[grid.mask_t])) / MAX_SPEED)

    def count_substeps(self, grid, dt):
        """See `AbstractRheology.count_substeps`; the iterations, whatever the step.

        Raises
        ------
        InputError
            If there are none, or no whole number of them.
        """
        if not whole_number(self.iterations):
            raise InputError(
                f"iterations of MEVP must be a whole number, 1 or more, not {self.iterations!r}"
            )
        return self.iterations

    def carry(self, before, after, scheme, grid, dt, substeps):
        """See `AbstractRheology.carry`; stress belongs to places, not to ice."""
        return after

    def advance(self, state, forcing, grid, dt, substeps):
        """See `AbstractRheology.advance`; moves the velocity and the stress of the ice."""
        fields = forcing.middle() | {"contact": forcing.contact}
        this, grid, fields = cast((self, grid, fields), state.ice_volume.dtype)
        metric = Metric.of(grid)
        forces = _Forces.of(this, state, fields, grid, metric, dt)
        u = jnp.where(metric.open_u, state.u[:, :-1], 0.0)
        v = jnp.where(metric.open_v, state.v[:-1], 0.0)
        u, v, stress = _iterate(
            lambda now: this._iteration(now, (u, v), forces, metric, dt),
            (walls(u), walls(v), state.rheology),
            substeps,
        )
        u = jnp.where(forces.u.ice, inner(u), 0.0)
        v = jnp.where(forces.v.ice, inner(v), 0.0)
        return replace(
            state,
            u=jnp.pad(u, ((0, 0), (0, 1))),
            v=jnp.pad(v, ((0, 1), (0, 0))),
            rheology=stress,
        )

    def _iteration(self, now, old, forces, metric, dt):
        u, v, stress = now
        stress, alpha = self._relax_stress(u, v, stress, forces, metric)
        force_u, force_v = stress_divergence(stress, metric)
        u_t, v_t = mean_x(u[1:-1]), mean_y(v[:, 1:-1])
        slip_u, slip_v = mean_x(v_t - forces.current_v), mean_y(u_t - forces.current_u)
        coriolis_u = mean_x(forces.coriolis * v_t) / inner(metric.dx_u) ** 2
        coriolis_v = -mean_y(forces.coriolis * u_t) / inner(metric.dx_v) ** 2
        sine = jnp.sin(jnp.radians(self.turning_angle))
        u = _balance(inner(u), old[0], slip_u, force_u + coriolis_u, mean_x(alpha), forces.u, sine)
        v = _balance(inner(v), old[1], slip_v, force_v + coriolis_v, mean_y(alpha), forces.v, -sine)
        return walls(u), walls(v), stress

    def _relax_stress(self, u, v, stress, forces, metric):
        divergence, tension, shear = strain_rate(u, v, metric)
        flattening = self.eccentricity**-2
        square = divergence**2 + flattening * (tension**2 + mean_y(mean_x(shear**2)))
        deformation = jnp.sqrt(square + _LEAST_STRAIN**2)
        zeta = 0.5 * forces.strength / (deformation + self.least_deformation)
        if self.alpha is None:
            # The guard inside the root keeps its slope finite where there is no ice.
            alpha = jnp.sqrt(zeta * forces.stiffness + 1e-6)
            alpha = jnp.maximum(alpha, self.least_alpha)
        else:
            alpha = jnp.broadcast_to(self.alpha, zeta.shape)
        zeta_f = sum_to_corners(zeta) / metric.wet
        alpha_f = jnp.maximum(sum_to_corners(alpha * metric.sea) / metric.wet, 1.0)
        total = 2.0 * zeta * (divergence - deformation)
        difference = 2.0 * flattening * zeta * tension
        return Stress(
            stress.total + (total - stress.total) / alpha,
            stress.difference + (difference - stress.difference) / alpha,
            stress.shear + (flattening * zeta_f * shear - stress.shear) / alpha_f,
        ), alpha


class _FaceForces(eqx.Module):
    """What the velocity at the inner faces of one direction feels, constant in a step."""

    fixed: Array  # wind stress and tilt [N/m2]
    drag: Array  # A rho_w C_w [kg/m3]
    least: Array  # drag over slip that it does not fall below [kg/m2/s]
    cosine: Array  # of the turning angle
    response: Array  # dt / m [m2 s/kg]
    current: Array  # [m/s]
    open: Array  # bool: not a coast
    ice: Array  # bool: beside ice


class _Forces(eqx.Module):
    """What the ice feels, constant in a step."""

    u: _FaceForces
    v: _FaceForces
    current_u: Array  # T points [m/s]
    current_v: Array
    strength: Array  # T points [N/m]
    stiffness: Array  # T points: alpha^2 over zeta [s/kg]
    coriolis: Array  # T points, times mass and area [kg/s]

    @classmethod
    def of(cls, mevp, state, fields, grid, metric, dt):
        sea = jnp.asarray(grid.mask_t)

        def at_sea(name):
            field = fields.get(name)
            return jnp.zeros_like(state.ice_volume) if field is None else jnp.where(sea, field, 0.0)

        if fields["contact"] is None:
            wind_u, wind_v = at_sea("wind_u"), at_sea("wind_v")
            speed = jnp.sqrt(wind_u**2 + wind_v**2 + _LEAST_SPEED**2)
            pull = mevp.air_density * mevp.air_drag * speed
            stress_u, stress_v = pull * wind_u, pull * wind_v
        else:
            stress_u = jnp.where(sea, fields["contact"].stress_ice_u, 0.0)
            stress_v = jnp.where(sea, fields["contact"].stress_ice_v, 0.0)
        height, current_u, current_v = map(at_sea, ("sea_surface_height", "current_u", "current_v"))
        area_fraction = jnp.where(sea, state.concentration, 0.0)
        volume = jnp.where(sea, state.ice_volume, 0.0)
        mass = mevp.ice_density * volume + mevp.snow_density * jnp.where(
            sea, state.snow_volume, 0.0
        )
        angle = jnp.radians(mevp.turning_angle)

        def face(mean, difference, dx, stress, current, is_open):
            m, a = mean(mass), mean(area_fraction)
            tilt = GRAVITY * m * difference(height) / dx
            cover = jnp.maximum(a, LEAST_CONCENTRATION)
            return _FaceForces(
                fixed=a * mean(stress) - tilt,
                drag=mevp.water_density * mevp.water_drag * cover,
                least=mevp.least_drag * cover,
                cosine=jnp.cos(angle),
                response=dt / jnp.maximum(m, LEAST_MASS),
                current=mean(current),
                open=is_open,
                ice=is_open & (m > 0),
            )

        return cls(
            u=face(mean_x, across_x, inner(metric.dx_u), stress_u, current_u, metric.open_u),
            v=face(mean_y, across_y, inner(metric.dx_v), stress_v, current_v, metric.open_v),
            current_u=current_u,
            current_v=current_v,
            strength=mevp.ice_strength
            * volume
            * jnp.exp(-mevp.compactness * (1.0 - area_fraction)),
            stiffness=np.pi**2 * dt / (jnp.maximum(mass, LEAST_MASS) * metric.dx_t**2),
            coriolis=jnp.asarray(grid.coriolis) * mass * metric.dx_t**2,
        )


def _balance(speed, old, slip, force, beta, forces, sine):
    """Next iterate of the velocity at the faces of one direction; `slip` is the other one's."""
    drag = forces.drag * jnp.sqrt((speed - forces.current) ** 2 + slip**2 + _LEAST_SPEED**2)
    drag = jnp.maximum(drag, forces.least)
    drag_along = forces.cosine * drag
    force = force + forces.fixed + drag_along * forces.current + sine * drag * slip
    new = beta * speed + old + forces.response * force
    new = new / (beta + 1.0 + forces.response * drag_along)
    return jnp.where(forces.open, new, 0.0)


def _iterate(step, state, count):
    """Repeat `step`; the reverse pass keeps states between blocks and details within one."""

    def run(state, length):
        return jax.lax.scan(lambda now, _: (step(now), None), state, length=length)[0]

    # An iteration has about six times as many fields inside as it hands on.
    length = max(1, isqrt(count // 6))
    block = jax.checkpoint(lambda now, _: (run(now, length), None))
    state, _ = jax.lax.scan(block, state, length=count // length)
    return run(state, count % length) if count % length else state
