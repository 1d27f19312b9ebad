"""The elastic substeps of the brittle rheology: stress, cracks and velocity on the E grid.

All fields are vectors of an `egrid.Frame`. Velocity is over e, stress times e^2 (see `egrid`).
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from floecast.core.materialised import materialised

from .slopes import by_slopes

TINY_STRESS = 1e-8
"""Added to squares of stress [N2/m2]."""
TINY_DRAG = 1e-15
"""Added to what a force is divided by [kg/m2/s]. Both keep quotients finite where there is no ice,
and the squares of their divisors above the least number of float32, as derivatives need."""


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
        # Beyond the frame there is land, which stays as it was.
        return (jax.tree.map(frame.renew, fields, second), total), None

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
    stress_t = _predict(fields[0], fields[2], strain_t, grounds[0], rheology, cut)
    stress_f = _predict(fields[1], fields[3], strain_f, grounds[1], rheology, cut)

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


def _normal_and_square(total, difference, shear):
    """Mean normal stress, tension positive, and the square of the largest shear stress."""
    return 0.5 * total, 0.25 * difference * difference + shear * shear + TINY_STRESS


def _predict(stress, intact, strain, ground, rheology, cut):
    """Stress after elastic loading and viscous relaxation, implicit in the relaxation."""
    power = rheology.damage_exponent - 1
    part = by_slopes(partial(_unrelaxed, power), partial(_unrelaxed_slopes, power), cut)(
        *stress, intact, ground.relaxation, ground.resistance, rheology.shear_reduction
    )

    @materialised
    def load(part, *given):
        stress, intact, stiffness, strain, nu = given
        stress, intact, stiffness = cut((stress, intact, stiffness))
        load = part * stiffness * intact
        moduli = (1.0 / (1.0 - nu), 1.0 / (1.0 + nu), 0.5 / (1.0 + nu))
        return tuple(
            part * old + load * (modulus * rate)
            for old, modulus, rate in zip(stress, moduli, strain, strict=True)
        )

    return load(part, stress, intact, ground.stiffness, strain, rheology.poisson_ratio)


def _unrelaxed(power, total, difference, shear, intact, relaxation, resistance, reduction):
    """Part of the stress that relaxation leaves, and parts of its slopes."""
    normal, shear_square = _normal_and_square(total, difference, shear)
    # Ridging resistance over pressure, with the reduction by shear multiplied out.
    square = normal * normal + reduction * shear_square + TINY_STRESS
    over_square = 1.0 / square
    ratio = -resistance * normal * over_square
    held = jnp.clip(ratio, 0.0, 1.0)
    firmness = intact**power
    time = jnp.maximum(relaxation * firmness, 1.0)
    over = 1.0 / (time + 1.0 - held)

    by_time = jnp.where(time > 1.0, (1.0 - held) * over * over, 0.0)
    by_ratio = jnp.where((ratio > 0.0) & (ratio < 1.0), time * over * over, 0.0)
    by_square = -by_ratio * ratio * over_square
    by_normal = 2.0 * normal * by_square - by_ratio * resistance * over_square
    return time * over, (by_time, by_normal, by_square, -by_ratio * normal * over_square)


def _unrelaxed_slopes(power, _, kept, given):
    by_time, by_normal, by_square, by_resistance = kept
    total, difference, shear, intact, relaxation, _, reduction = given
    by_shear = 2.0 * reduction * by_square  # over the component
    return (
        0.5 * by_normal,
        0.25 * difference * by_shear,
        shear * by_shear,
        by_time * relaxation * power * intact ** (power - 1),
        by_time * intact**power,
        by_resistance,
        by_square * _normal_and_square(total, difference, shear)[1],
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

    @materialised
    def apply(part, *given):
        stress, intact, firm = cut(given)
        reduced = tuple(component * (part * firm) for component in stress)
        left = jnp.clip(intact * part, rheology.least_intact, 1.0)
        return reduced, jnp.where(firm > 0, left, 1.0)

    part = by_slopes(_unbroken, _unbroken_slopes, cut)(
        *stress, intact, ground.cohesion, ground.strength, ground.crossing, rheology.friction
    )
    return apply(part, stress, intact, ground.firm)


def _unbroken(total, difference, shear, intact, cohesion, strength, crossing, friction):
    """Factor by which cracks reduce stress and intactness, and parts of its slopes."""
    normal, square = _normal_and_square(total, difference, shear)
    largest = jnp.sqrt(square)
    coulomb = largest + friction * normal
    crushed = normal < -strength
    broken = crushed | (coulomb > cohesion)
    bound = jnp.where(crushed, strength, cohesion)
    over = 1.0 / jnp.where(crushed, -normal, jnp.where(broken, coulomb, 1.0))
    excess = jnp.where(broken, 1.0 - bound * over, 0.0)
    root = jnp.sqrt(intact)

    by_bound = jnp.where(broken, crossing * root * over, 0.0)
    by_stress = -by_bound * bound * over  # of the criterion that is not met
    by_component = jnp.where(crushed, 0.0, by_stress) / largest
    kept = by_bound, by_stress, by_component, -0.5 * excess * crossing / root, -excess * root
    return 1.0 - excess * crossing * root, kept


def _unbroken_slopes(_, kept, given):
    by_bound, by_stress, by_component, by_intact, by_crossing = kept
    total, difference, shear, _, _, strength, _, friction = given
    crushed = 0.5 * total < -strength
    return (
        0.5 * jnp.where(crushed, -by_stress, friction * by_stress),
        0.25 * difference * by_component,
        shear * by_component,
        by_intact,
        jnp.where(crushed, 0.0, by_bound),
        jnp.where(crushed, by_bound, 0.0),
        by_crossing,
        jnp.where(crushed, 0.0, by_stress) * 0.5 * total,
    )


def _accelerate(velocity, force, push, x_first, cut):
    """New velocity at U or V: implicit in the drag, each component with the newest of the other."""
    fixed = push.inertia, push.from_stress, push.water

    def along_x(x, y):
        turning = push.rotation, push.x, push.current_x, push.current_y
        return by_slopes(partial(_solve, 1.0), partial(_solve_slopes, 1.0), cut)(
            x, y, force[0], *fixed, *turning
        )

    def along_y(x, y):
        turning = push.rotation, push.y, push.current_y, push.current_x
        return by_slopes(partial(_solve, -1.0), partial(_solve_slopes, -1.0), cut)(
            y, x, force[1], *fixed, *turning
        )

    x, y = velocity
    if x_first:
        x = along_x(x, y)
        return x, along_y(x, y)
    y = along_y(x, y)
    return along_x(x, y), y


def _solve(sign, own, other, force, inertia, from_stress, water, rotation, drive, current, across):
    """New component of the velocity, and parts of its slopes."""
    slip, slip_across = current - own, across - other
    speed = jnp.sqrt(slip * slip + slip_across * slip_across + 1e-12)
    drag = water * speed
    over = 1.0 / (inertia + drag + TINY_DRAG)
    total = inertia * own + from_stress * force + drive + drag * current
    new = (total + sign * rotation * other) * over

    return new, (over, speed, (current - new) * over * water / speed)


def _solve_slopes(sign, new, kept, given):
    over, speed, by_slip = kept
    own, other, force, inertia, from_stress, water, rotation, _, current, across = given
    slip, slip_across = current - own, across - other
    return (
        inertia * over - by_slip * slip,
        sign * rotation * over - by_slip * slip_across,
        from_stress * over,
        (own - new) * over,
        force * over,
        (current - new) * over * speed,
        sign * other * over,
        over,
        water * speed * over + by_slip * slip,
        by_slip * slip_across,
    )
