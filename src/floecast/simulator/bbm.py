"""Brittle Bingham-Maxwell rheology (BBM): ice is elastic, cracks, flows where cracked, heals."""

from dataclasses import replace
from math import ceil
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from floecast.core.constants import (
    FREEZING_POINT,
    GRAVITY,
    ICE_DENSITY,
    MOVING_WATER_DENSITY,
    SNOW_DENSITY,
)
from floecast.core.errors import InputError
from floecast.core.parameter import bounded, whole_number

from .advection import Mesh, limit_speed
from .bbm_fields import BrittleMemory, Force, around, corner_mesh, from_vectors, to_vectors
from .bbm_kernel import Ground, advance
from .egrid import EGrid
from .interfaces import AbstractRheology
from .momentum import (
    air_stress,
    face_means,
    gradient_at_faces,
    mass_per_area,
    vector_at_faces,
)

LARGEST_ELASTIC_STEP = 0.40
"""Longest substep times elastic wave speed over cell side. Compressional waves, faster than the
shear waves of speed c_E by sqrt(3), bound the forward-backward step at 1 / sqrt(6) = 0.408; above
it damage grows everywhere while thickness, drift and energy look normal."""
STEP_PER_SIDE = 0.072
"""Seconds of the longest step of wind, transport and healing for each metre of a cell's side."""
REST_TEMPERATURE_DIFFERENCE = 23.2
"""Between the bottom and the top of the ice where the forcing has no air temperature [K]."""


class BBM(AbstractRheology):
    """Brittle Bingham-Maxwell rheology on the E grid.

    Parameters
    ----------
    elasticity : float
        Young's modulus E0 of undamaged compact ice [Pa].
    relaxation_time : float
        Of viscous stress in undamaged compact ice, lambda0 [s].
    damage_exponent : float
        Viscosity falls as (1 - damage) to this power.
    compactness : float
        C of the factor exp(-C (1 - A)) on stiffness.
    poisson_ratio, friction : float
        nu and the internal friction mu of the Mohr-Coulomb criterion.
    cohesion, compressive_strength : float
        At the laboratory scale `reference_length` [Pa]; both fall with the root of the cell side.
    reference_length : float
        [m]
    ridging_resistance : float
        P0 of the pressure P0 h^(3/2) exp(-C (1 - A)) up to which ice resists convergence
        elastically [Pa].
    shear_reduction : float
        c of the factor 1 / (1 + c (sII / sI)^2) on it: full resistance in pure compression only;
        0 leaves it whatever the shear.
    healing : float
        Time to heal times the temperature difference across the ice [K s].
    least_concentration : float
        Below it ice has neither stress nor damage.
    least_intact : float
        1 - damage is never less.
    cross_nudging : float
        How far the two C grids are drawn together in a step.
    air_drag, water_drag : float
        Drag coefficients [1]; under a boundary layer that of the air is not used.
    ice_density, snow_density : float
        [kg/m3]
    substeps : int or None
        Elastic substeps in a step, even; if None as many as are needed.
    y_first : bool
        Order of the components in the first substep; it alternates. For tests of symmetry.

    Notes
    -----
    With expC = exp(-C (1 - A)): E = E0 (1 - d) expC, relaxation time
    lambda0 ((1 - d) expC)^(damage_exponent - 1); stress relaxes only in tension, or in compression
    beyond the ridging resistance. Stress outside of the Mohr-Coulomb envelope or the compressive
    cap damages the ice and relaxes in the time a shear wave needs to cross the cell. Two C grids
    are advanced at once and nudged towards each other, one in odd and one in even substeps.
    Reverse mode keeps the 16 fields of the carry for every second substep: at 128 x 128 cells in
    float32 and 100 substeps, 52 MB for each member while a step is differentiated.

    References
    ----------
    Olason et al. (2022), doi:10.1029/2021MS002685, for the rheology; Dansereau et al. (2016),
    doi:10.5194/tc-10-1339-2016; Plante and Tremblay (2021), doi:10.5194/tc-15-5623-2021, for the
    return to the yield curve; Brodeau et al. (2024), doi:10.5194/gmd-17-6051-2024, for the E grid,
    with the curvilinear stress divergence of Hunke and Dukowicz (2002) in place of theirs, which
    is not the adjoint of the strain rate.
    """

    elasticity: Float[Array, ""] = bounded(5.9605e8, 0)
    relaxation_time: Float[Array, ""] = bounded(1e7, 0)
    damage_exponent: int = eqx.field(static=True, default=5)
    compactness: Float[Array, ""] = bounded(20.0, 0, ends=True)
    poisson_ratio: Float[Array, ""] = bounded(1.0 / 3.0, -1, 1)
    friction: Float[Array, ""] = bounded(0.7, 0, ends=True)
    cohesion: Float[Array, ""] = bounded(2e6, 0, ends=True)
    compressive_strength: Float[Array, ""] = bounded(1e10, 0, ends=True)
    reference_length: Float[Array, ""] = bounded(0.1, 0)
    ridging_resistance: Float[Array, ""] = bounded(1e4, 0, ends=True)
    shear_reduction: Float[Array, ""] = bounded(0.1, 0, ends=True)
    healing: Float[Array, ""] = bounded(25.92e6, 0)
    least_concentration: Float[Array, ""] = bounded(0.01, 0, 1, ends=True)
    least_intact: Float[Array, ""] = bounded(1e-6, 0, 1)
    cross_nudging: Float[Array, ""] = bounded(1.0, 0, ends=True)
    air_drag: Float[Array, ""] = bounded(1.6e-3, 0, ends=True)
    water_drag: Float[Array, ""] = bounded(5.2e-3, 0, ends=True)
    ice_density: Float[Array, ""] = bounded(ICE_DENSITY, 0)
    snow_density: Float[Array, ""] = bounded(SNOW_DENSITY, 0, ends=True)
    substeps: int | None = eqx.field(static=True, default=None)
    y_first: bool = eqx.field(static=True, default=False)

    needs: ClassVar[tuple[str, ...]] = ("wind_u", "wind_v")

    def wave_speed(self):
        """Speed of elastic shear waves in undamaged ice [m/s]."""
        stretch = 2.0 * (1.0 + self.poisson_ratio) * self.ice_density
        return jnp.sqrt(self.elasticity / stretch)

    def longest_step(self, grid):
        """See `AbstractRheology.longest_step`; 60 s for each kilometre, with a margin for 70 N."""
        return STEP_PER_SIDE * grid.spacing

    def count_substeps(self, grid, dt):
        """See `AbstractRheology.count_substeps`.

        Raises
        ------
        InputError
            If `substeps` is no whole even number, or gives substeps longer than
            `LARGEST_ELASTIC_STEP` allows, or one of them would nudge by more than all.
        """
        if not whole_number(self.damage_exponent):
            raise InputError(
                f"damage_exponent of BBM is {self.damage_exponent!r}; expected 1 or a greater "
                "whole number"
            )
        side = float(np.min(np.asarray(grid.dx_t)[np.asarray(grid.mask_t)], initial=np.inf))
        longest = LARGEST_ELASTIC_STEP * side / float(self.wave_speed())
        needed = max(2, 2 * ceil(dt / longest / 2))
        count = needed if self.substeps is None else self.substeps
        if not whole_number(count, needed) or count % 2:
            raise InputError(
                f"substeps of BBM is {self.substeps!r} in a step of {dt:g} s; elastic waves on wet "
                f"cells of {side / 1e3:.4g} km admit substeps of {longest:.4g} s at most, so "
                f"that it must be even and at least {needed}"
            )
        if not isinstance(self.cross_nudging, jax.core.Tracer) and self.cross_nudging > count:
            raise InputError(
                f"cross_nudging of BBM is {float(self.cross_nudging):g}; expected at most the "
                f"number of substeps, {count}"
            )
        return count

    def memory(self, state, grid):
        """Stress-free ice that moves as `state` does."""
        still = jnp.zeros_like(state.concentration)
        rows, columns = grid.shape
        corners = jnp.zeros((rows + 1, columns + 1), still.dtype)
        return BrittleMemory(
            stress_centre=jnp.stack([still] * 3),
            stress_corner=jnp.stack([corners] * 3),
            damage_corner=corners,
            velocity_u=jnp.stack([jnp.where(grid.mask_u, state.u, 0.0), still]),
            velocity_v=jnp.stack([still, jnp.where(grid.mask_v, state.v, 0.0)]),
            mean_across=jnp.stack([still, still]),
        )

    def advance(self, state, forcing, grid, dt, substeps):
        """See `AbstractRheology.advance`; damage heals and grows but is not carried here."""
        weather = forcing.middle()
        stress_u, stress_v = air_stress(forcing, self.air_drag, grid)
        if "current_u" in weather:
            current_u, current_v = vector_at_faces(weather["current_u"], weather["current_v"], grid)
        else:
            current_u = current_v = (jnp.zeros_like(state.u),) * 2
        mass = mass_per_area(state, self.ice_density, self.snow_density)
        if "sea_surface_height" in weather:
            tilt_u, tilt_v = gradient_at_faces(weather["sea_surface_height"], grid)
        else:
            tilt_u = tilt_v = (jnp.zeros_like(state.u),) * 2
        force_u, force_v = (
            self._force(mass_at, cover, stress, current, tilt, coriolis)
            for mass_at, cover, stress, current, tilt, coriolis in zip(
                face_means(mass, grid),
                face_means(state.concentration, grid),
                (stress_u, stress_v),
                (current_u, current_v),
                (tilt_u, tilt_v),
                face_means(jnp.asarray(grid.coriolis, mass.dtype), grid),
                strict=True,
            )
        )
        cold = self._temperature_difference(state, weather)
        return self.move(state, force_u, force_v, cold, grid, dt, substeps)

    def _force(self, mass, concentration, stress, current, tilt, coriolis):
        """Forces at one kind of faces."""
        weight = mass * GRAVITY
        return Force(
            mass=mass,
            concentration=concentration,
            x=concentration * stress[0] - weight * tilt[0],
            y=concentration * stress[1] - weight * tilt[1],
            current_x=current[0],
            current_y=current[1],
            water=MOVING_WATER_DENSITY * self.water_drag * concentration,
            coriolis=coriolis,
        )

    def _temperature_difference(self, state, weather):
        """Between the bottom of the ice and its top, below the snow, T points [K]."""
        if "air_temperature" not in weather:
            return jnp.full_like(state.concentration, REST_TEMPERATURE_DIFFERENCE)
        volume = jnp.where(state.ice_volume > 1e-6, state.ice_volume, 1.0)
        # Snow conducts a sixth as well as ice.
        shelter = 1.0 + 6.5 * jnp.where(state.ice_volume > 1e-6, state.snow_volume, 0.0) / volume
        return jnp.maximum(FREEZING_POINT - weather["air_temperature"], 0.0) / shelter

    def move(self, state, force_u, force_v, temperature_difference, grid, dt, count):
        """One step of stress, damage and velocity under given forces.

        Parameters
        ----------
        state : SimulatorState
        force_u, force_v : Force
            At U and V points.
        temperature_difference : (y, x) array
            Across the ice, T points [K]; heals it.
        grid : Grid
        dt : float
            [s]
        count : int
            Of substeps, from `count_substeps`.

        Returns
        -------
        SimulatorState
        """
        egrid = EGrid.of(grid, state.concentration.dtype)
        frame, time = egrid.frame, dt / count
        # What stands on land is not read.
        volume, concentration, healed = (
            frame.flatten(jnp.where(grid.mask_t, field, 0.0))
            for field in (
                state.ice_volume,
                state.concentration,
                dt * temperature_difference / self.healing,
            )
        )
        # The ice of a corner is the mean of that around it: so is what it needs to heal.
        volume_f, concentration_f, healed_f = (
            frame.widen(egrid.to_f(field, frame.stride))
            for field in (volume, concentration, healed)
        )
        grounds = (
            self._ground(volume, concentration, egrid.mask_t, egrid.inverse_t, grid, time),
            self._ground(volume_f, concentration_f, egrid.mask_f, egrid.inverse_f, grid, time),
        )
        pushes = tuple(
            push.flat(frame, square, grid.spacing, time)
            for push, square in ((force_u, egrid.squared_u), (force_v, egrid.squared_v))
        )
        fields = to_vectors(state, egrid)
        fields = fields._replace(
            intact_t=jnp.minimum(fields.intact_t + healed, 1.0),
            intact_f=jnp.minimum(fields.intact_f + healed_f, 1.0),
        )
        nudging = self.cross_nudging / count
        fields, mean = advance(fields, self, egrid, grounds, pushes, count, nudging)
        return from_vectors(state, fields, mean, egrid)

    def _ground(self, volume, concentration, mask, inverse, grid, time):
        """Coefficients of the stress equations at T or F; `inverse` is 1 / e^2."""
        square = 1.0 / inverse
        length = grid.spacing * jnp.sqrt(square)
        compact = jnp.exp(-self.compactness * (1.0 - concentration))
        firm = mask & (concentration >= self.least_concentration)
        # Where there is no ice every coefficient is zero, but not its derivative.
        some = jnp.where(volume > 0, volume, 1.0)
        scale = jnp.sqrt(self.reference_length / length)
        pressure = jnp.where(volume > 0, some**2.5, 0.0)
        speed = self.wave_speed() * jnp.sqrt(compact)
        return Ground(
            stiffness=time * self.elasticity / grid.spacing * volume * compact * square,
            relaxation=self.relaxation_time / time * compact ** (self.damage_exponent - 1),
            resistance=self.ridging_resistance * pressure * compact * square,
            cohesion=self.cohesion * scale * volume * square,
            strength=self.compressive_strength * scale * volume * square,
            crossing=time * speed / length,
            firm=firm.astype(volume.dtype),
        )

    def carry(self, before, after, scheme, grid, dt, substeps):
        """See `AbstractRheology.carry`; 1 - damage travels as a density on both C grids."""

        def intact(damage, u, v, mesh):
            none = jnp.zeros((0, *damage.shape), damage.dtype)
            density = (1.0 - damage)[None]
            density, _ = scheme.carry(density, none, u, v, mesh, dt, substeps)
            return jnp.clip(density[0], self.least_intact, 1.0)

        memory = after.rheology
        v_u, u_v = (limit_speed(component) for component in memory.mean_across)
        centre = intact(before.damage, after.u, after.v, Mesh.of(grid))
        corner = intact(
            memory.damage_corner,
            jnp.pad(u_v, ((1, 0), (0, 1))),
            jnp.pad(v_u, ((0, 1), (1, 0))),
            corner_mesh(grid),
        )
        wet = jnp.pad(jnp.asarray(grid.mask_t, centre.dtype), 1)
        cover = around(jnp.pad(after.concentration, 1) * wet)
        firm = after.concentration >= self.least_concentration
        firm_corner = cover >= self.least_concentration * jnp.maximum(around(wet), 1.0)
        damage_corner = jnp.where(firm_corner, 1.0 - corner, 0.0)
        return replace(
            after,
            damage=jnp.where(firm, 1.0 - centre, 0.0),
            rheology=replace(memory, damage_corner=damage_corner),
        )
