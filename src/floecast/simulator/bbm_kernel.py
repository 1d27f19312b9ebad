"""The elastic substeps of the brittle rheology: stress, cracks and velocity on the E grid.

All fields are vectors of an `egrid.Frame`. Velocity is over e, stress times e^2 (see `egrid`).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from floecast.core.materialised import materialised

TINY = 1e-20
"""Keeps quotients of forces finite where there is no ice."""


class Ground(NamedTuple):
    """Coefficients of the stress equations at T or F points, fixed over a step.

    Parameters
    ----------
    stiffness : vector
        E of undamaged ice times thickness, substep and e^2, over the spacing [N s/m2].
    relaxation : vector
        Viscous relaxation time of undamaged ice over the substep [1].
    resistance, cohesion, strength : vector
        Ridging resistance, cohesion and compressive strength, times thickness and e^2 [N/m].
    crossing : vector
        Substep over the time in which a shear wave of undamaged ice crosses the cell [1].
    firm : vector
        1 where there is enough ice to bear stress, 0 elsewhere.
    """

    stiffness: Float[Array, " n"]
    relaxation: Float[Array, " n"]
    resistance: Float[Array, " n"]
    cohesion: Float[Array, " n"]
    strength: Float[Array, " n"]
    crossing: Float[Array, " n"]
    firm: Float[Array, " n"]


class Push(NamedTuple):
    """Forces at U or V points, fixed over a step.

    Parameters
    ----------
    inertia : vector
        Mass over substep [kg/m2/s].
    rotation : vector
        Mass times Coriolis parameter [kg/m2/s].
    from_stress : vector
        Factor on `EGrid.stress_divergence` [1/m].
    x, y : vector
        Force of wind and tilt over e [N/m2].
    water : vector
        Drag of the water over speed, times e [kg/m3].
    current_x, current_y : vector
        Over e [m/s].
    """

    inertia: Float[Array, " n"]
    rotation: Float[Array, " n"]
    from_stress: Float[Array, " n"]
    x: Float[Array, " n"]
    y: Float[Array, " n"]
    water: Float[Array, " n"]
    current_x: Float[Array, " n"]
    current_y: Float[Array, " n"]


class Fields(NamedTuple):
    """What a substep changes.

    Parameters
    ----------
    stress_t, stress_f : tuple of vector
        s11 + s22, s11 - s22 and s12 at T and at F points, times thickness and e^2 [N/m].
    intact_t, intact_f : vector
        1 - damage.
    u_u, v_u, u_v, v_v : vector
        Velocity components at U, then at V points, over e [m/s].
    """

    stress_t: tuple
    stress_f: tuple
    intact_t: Float[Array, " n"]
    intact_f: Float[Array, " n"]
    u_u: Float[Array, " n"]
    v_u: Float[Array, " n"]
    u_v: Float[Array, " n"]
    v_v: Float[Array, " n"]


def advance(fields, rheology, egrid, grounds, pushes, count, nudging):
    """Even number of substeps.

    Parameters
    ----------
    fields : Fields
    rheology : BBM
    egrid : EGrid
    grounds : pair of Ground
        At T and F points.
    pushes : pair of Push
        At U and V points.
    count : int
        Of substeps, even.
    nudging : float
        Part by which one C grid is drawn to the other in a substep.

    Returns
    -------
    fields : Fields
    mean : tuple of vector
        Of `u_u`, `v_u`, `u_v`, `v_v` over the substeps.
    """
    frame = egrid.frame

    @jax.checkpoint
    def pair(carry, _):
        fields, total = carry
        first = _substep(fields, rheology, egrid, grounds, pushes, nudging, True)
        second = _substep(first, rheology, egrid, grounds, pushes, nudging, False)
        margin = 6 * frame.stride
        total = tuple(
            sum_ + frame.take(one, margin) + frame.take(two, margin)
            for sum_, one, two in zip(total, first[4:], second[4:], strict=True)
        )
        widened = jax.tree.map(frame.widen, second)
        # Beyond the frame there is land, whose ice is whole.
        whole = {name: frame.widen(getattr(second, name), 1.0) for name in ("intact_t", "intact_f")}
        return (widened._replace(**whole), total), None

    nothing = jnp.zeros(frame.rows * frame.columns, fields.u_u.dtype)
    (fields, total), _ = jax.lax.scan(pair, (fields, (nothing,) * 4), None, length=count // 2)
    return fields, tuple(component / count for component in total)


def _substep(fields, rheology, egrid, grounds, pushes, nudging, odd):
    """One substep; the vectors come back three strides shorter at both ends."""
    frame = egrid.frame
    margin = (frame.size - fields.u_u.shape[0]) // 2 + frame.stride

    # Vectors are cut within the stages that read them: to cut them before would copy them.
    def cutting(margin):
        return lambda tree: jax.tree.map(lambda vector: frame.take(vector, margin), tree)

    cut, first = cutting(margin), margin
    strain_t = materialised(lambda *v: egrid.strain_rate_t(*v, first))(*fields[4:])
    strain_f = materialised(lambda *v: egrid.strain_rate_f(*v, first))(*fields[4:])
    predict = materialised(lambda *given: _predict(*given, rheology, cut))
    stress_t = predict(fields[0], fields[2], strain_t, grounds[0])
    stress_f = predict(fields[1], fields[3], strain_f, grounds[1])

    margin = margin + frame.stride
    stress_t, stress_f = _nudge(stress_t, stress_f, egrid, nudging, margin, odd)
    cut_next = cutting(margin)
    stress_t, intact_t = _crack(stress_t, fields[2], grounds[0], rheology, cut_next)
    stress_f, intact_f = _crack(stress_f, fields[3], grounds[1], rheology, cut_next)

    margin = margin + frame.stride
    cut = cutting(margin)
    force = egrid.stress_divergence(stress_t, stress_f, margin)
    x_first = odd != rheology.y_first
    velocity_u = _accelerate(fields[4:6], force[:2], pushes[0], x_first, cut)
    velocity_v = _accelerate(fields[6:8], force[2:], pushes[1], x_first, cut)
    return Fields(stress_t, stress_f, intact_t, intact_f, *velocity_u, *velocity_v)


def _invariants(stress):
    """Mean normal stress, tension positive, and largest shear stress."""
    total, difference, shear = stress
    return 0.5 * total, jnp.sqrt(0.25 * difference * difference + shear * shear + TINY)


def _predict(stress, intact, strain, ground, rheology, cut):
    """Stress after elastic loading and viscous relaxation, implicit in the relaxation."""

    def kept(*given):
        """Part of the stress that relaxation leaves."""
        stress, intact, relaxation, resistance = cut(given)
        normal, shear = _invariants(stress)
        # Ridging resistance over pressure, with the reduction by shear multiplied out.
        square = normal * normal + rheology.shear_reduction * shear * shear + TINY
        held = jnp.clip(-resistance * normal / square, 0.0, 1.0)
        time = jnp.maximum(relaxation * intact ** (rheology.damage_exponent - 1), 1.0)
        return time / (time + 1.0 - held)

    part = materialised(kept)(stress, intact, ground.relaxation, ground.resistance)
    stress, intact, stiffness = cut((stress, intact, ground.stiffness))
    load = part * stiffness * intact
    nu = rheology.poisson_ratio
    moduli = (1.0 / (1.0 - nu), 1.0 / (1.0 + nu), 0.5 / (1.0 + nu))
    return tuple(
        part * old + load * (modulus * rate)
        for old, modulus, rate in zip(stress, moduli, strain, strict=True)
    )


def _nudge(stress_t, stress_f, egrid, nudging, margin, odd):
    """Draw one C grid to the other: in odd substeps that centred on F, in even ones that on T."""
    (sum_t, difference_t, shear_t), (sum_f, difference_f, shear_f) = stress_t, stress_f

    @materialised
    def to_f(own, other):
        return (1.0 - nudging) * egrid.frame.take(own, margin) + nudging * egrid.to_f(other, margin)

    @materialised
    def to_t(own, other):
        return (1.0 - nudging) * egrid.frame.take(own, margin) + nudging * egrid.to_t(other, margin)

    # The shear stress at T belongs to the C grid centred on F, that at F to the other.
    if odd:
        return (sum_t, difference_t, to_t(shear_t, shear_f)), (
            to_f(sum_f, sum_t),
            to_f(difference_f, difference_t),
            shear_f,
        )
    return (
        to_t(sum_t, sum_f),
        to_t(difference_t, difference_f),
        shear_t,
    ), (sum_f, difference_f, to_f(shear_f, shear_t))


def _crack(stress, intact, ground, rheology, cut):
    """Damage ice whose stress is outside of the envelope, and take that part of the stress away."""

    def kept(*given):
        """Factor by which cracks reduce stress and intactness."""
        stress, intact, cohesion, strength, crossing = cut(given)
        normal, shear = _invariants(stress)
        coulomb = shear + rheology.friction * normal
        broken = coulomb > cohesion
        excess = jnp.where(broken, 1.0 - cohesion / jnp.where(broken, coulomb, 1.0), 0.0)
        crushed = normal < -strength
        crush = jnp.where(crushed, 1.0 + strength / jnp.where(crushed, normal, -1.0), 0.0)
        excess = jnp.where(crushed, crush, excess)
        return 1.0 - excess * crossing * jnp.sqrt(intact)

    def apply(part, *given):
        stress, intact, firm = cut(given)
        reduced = tuple(component * (part * firm) for component in stress)
        left = jnp.clip(intact * part, rheology.least_intact, 1.0)
        return reduced, jnp.where(firm > 0, left, 1.0)

    part = materialised(kept)(stress, intact, ground.cohesion, ground.strength, ground.crossing)
    return materialised(apply)(part, stress, intact, ground.firm)


def _accelerate(velocity, force, push, x_first, cut):
    """New velocity at U or V: implicit in the drag, each component with the newest of the other."""

    def solve(own, other, force, drive, current, across, sign, push):
        speed = jnp.sqrt((current - own) ** 2 + (across - other) ** 2 + 1e-12)
        drag = push.water * speed
        total = push.inertia * own + push.from_stress * force + drive + drag * current
        total = total + sign * push.rotation * other
        return total / (push.inertia + drag + TINY)

    @materialised
    def along_x(*given):
        x, y, force, push = cut(given)
        return solve(x, y, force, push.x, push.current_x, push.current_y, 1.0, push)

    @materialised
    def along_y(*given):
        x, y, force, push = cut(given)
        return solve(y, x, force, push.y, push.current_y, push.current_x, -1.0, push)

    x, y = velocity
    if x_first:
        x = along_x(x, y, force[0], push)
        return x, along_y(x, y, force[1], push)
    y = along_y(x, y, force[1], push)
    return along_x(x, y, force[0], push), y
