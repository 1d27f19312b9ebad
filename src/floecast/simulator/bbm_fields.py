"""What brittle ice remembers and feels, between the grid and the vectors of the kernel."""

from dataclasses import replace
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .advection import Mesh
from .bbm_kernel import Fields, Push

LEAST_MASS, SPARSE, SPARSE_DRIFT = 1.0, 1e-3, 0.01
"""With less mass [kg/m2] and less concentration than these, ice drifts with a hundredth of the
current, as in SI3."""


class BrittleMemory(eqx.Module):
    """What brittle ice remembers from one step to the next.

    Parameters
    ----------
    stress_centre : (3, y, x) array
        s11 + s22, s11 - s22 and s12 integrated over the thickness, at T points [N/m].
    stress_corner : (3, y + 1, x + 1) array
        The same at the corners of the cells; corner (j, i) is the south-western one of cell (j, i).
    damage_corner : (y + 1, x + 1) array
        [1]
    velocity_u, velocity_v : (2, y, x) array
        Components x and y at the end of the step, at U and at V points [m/s].
    mean_across : (2, y, x) array
        Mean over the step of the component along a face: y at U and x at V points [m/s].
    """

    stress_centre: Float[Array, "*member 3 y x"]
    stress_corner: Float[Array, "*member 3 y1 x1"]
    damage_corner: Float[Array, "*member y1 x1"]
    velocity_u: Float[Array, "*member 2 y x"]
    velocity_v: Float[Array, "*member 2 y x"]
    mean_across: Float[Array, "*member 2 y x"]


class Force(NamedTuple):
    """Forces at U or V points, ``(y, x)`` each.

    Parameters
    ----------
    mass : array
        Of ice and snow [kg/m2].
    concentration : array
        [1]
    x, y : array
        Of wind and tilt of the sea surface [N/m2].
    water : array
        Drag of the water over the square of its speed relative to the ice [kg/m3].
    current_x, current_y : array
        [m/s]
    coriolis : array
        [1/s]
    """

    mass: Float[Array, "y x"]
    concentration: Float[Array, "y x"]
    x: Float[Array, "y x"]
    y: Float[Array, "y x"]
    water: Float[Array, "y x"]
    current_x: Float[Array, "y x"]
    current_y: Float[Array, "y x"]
    coriolis: Float[Array, "y x"]

    def flat(self, frame, square, spacing, time):
        """As vectors for substeps of length `time`; `square` is e^2."""
        sparse = (self.mass <= LEAST_MASS) & (self.concentration <= SPARSE)
        some = self.mass > 0
        # A little ice drifts as ice does that cannot feel the wind: slowly with the water.
        quiet = Force(*(jnp.where(sparse, 0.0, field) for field in self))
        current = [
            jnp.where(some, field, 0.0) * jnp.where(sparse, SPARSE_DRIFT, 1.0)
            for field in (self.current_x, self.current_y)
        ]
        relative = jnp.sqrt(square)
        mass = frame.flatten(quiet.mass)
        return Push(
            inertia=mass / time,
            rotation=mass * frame.flatten(self.coriolis),
            from_stress=jnp.where(mass > 0, 0.5 / (spacing * square * square), 0.0),
            x=frame.flatten(quiet.x) / relative,
            y=frame.flatten(quiet.y) / relative,
            water=frame.flatten(jnp.where(sparse & some, 1.0, quiet.water)) * relative,
            current_x=frame.flatten(current[0]) / relative,
            current_y=frame.flatten(current[1]) / relative,
        )


def to_vectors(state, egrid):
    """Fields of the kernel from the state."""
    frame, memory = egrid.frame, state.rheology
    scale_u, scale_v = jnp.sqrt(egrid.squared_u), jnp.sqrt(egrid.squared_v)
    return Fields(
        stress_t=tuple(frame.flatten(s) / egrid.inverse_t for s in memory.stress_centre),
        stress_f=tuple(frame.flatten(s) / egrid.inverse_f for s in memory.stress_corner),
        intact_t=jnp.where(egrid.mask_t, frame.flatten(1.0 - state.damage, 1.0), 1.0),
        intact_f=frame.flatten(1.0 - memory.damage_corner, 1.0),
        u_u=frame.flatten(memory.velocity_u[0]) / scale_u,
        v_u=frame.flatten(memory.velocity_u[1]) / scale_u,
        u_v=frame.flatten(memory.velocity_v[0]) / scale_v,
        v_v=frame.flatten(memory.velocity_v[1]) / scale_v,
    )


def from_vectors(state, fields, mean, egrid):
    """State with the fields of the kernel."""
    frame = egrid.frame
    scale_u, scale_v = jnp.sqrt(egrid.squared_u), jnp.sqrt(egrid.squared_v)

    def at_faces(vector, scale):
        return frame.cells(vector * frame.take(scale, (frame.size - vector.shape[0]) // 2))

    mean = [
        at_faces(component, scale)
        for component, scale in zip(mean, (scale_u, scale_u, scale_v, scale_v), strict=True)
    ]
    stress_t = [frame.cells(s * egrid.inverse_t) for s in fields.stress_t]
    stress_f = [frame.corners(s * egrid.inverse_f) for s in fields.stress_f]
    memory = BrittleMemory(
        stress_centre=jnp.stack(stress_t),
        stress_corner=jnp.stack(stress_f),
        damage_corner=1.0 - frame.corners(fields.intact_f),
        velocity_u=jnp.stack([at_faces(fields.u_u, scale_u), at_faces(fields.v_u, scale_u)]),
        velocity_v=jnp.stack([at_faces(fields.u_v, scale_v), at_faces(fields.v_v, scale_v)]),
        mean_across=jnp.stack([mean[1], mean[2]]),
    )
    damage = 1.0 - frame.cells(fields.intact_t)
    return replace(state, u=mean[0], v=mean[3], damage=damage, rheology=memory)


def corner_mesh(grid):
    """Cells around the corners, between whose centres the second C grid has its velocity."""
    side = jnp.pad(jnp.asarray(grid.dx_f), ((1, 0), (1, 0)), mode="edge")
    mask = around(jnp.pad(jnp.asarray(grid.mask_t), 1).astype(int)) > 0
    return Mesh(
        area=side**2,
        length_u=jnp.pad(jnp.asarray(grid.dx_v), ((1, 0), (0, 1)), mode="edge"),
        length_v=jnp.pad(jnp.asarray(grid.dx_u), ((0, 1), (1, 0)), mode="edge"),
        open_u=jnp.pad(jnp.asarray(grid.mask_v), ((1, 0), (0, 1))),
        open_v=jnp.pad(jnp.asarray(grid.mask_u), ((0, 1), (1, 0))),
        mask=mask,
    )


def around(cells):
    """Sum of the four cells around each corner, of an array with a ring around the grid."""
    return cells[:-1, :-1] + cells[1:, :-1] + cells[:-1, 1:] + cells[1:, 1:]
