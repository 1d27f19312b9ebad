"""Published transfer coefficients over sea ice: skin, edges of floes, stability, Andreas' snow."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .air import GRAVITY, KARMAN, VIRTUAL_FACTOR, viscosity
from .similarity import HoltslagDeBruin

SKIN_ROUGHNESS = 6.9e-4
"""Of level ice without edges [m]; Luepkes et al. (2012)."""
FORM_ROUGHNESS = 4.54e-4
"""Of what lies between the edges, whose wind they see [m]; Luepkes and Gryanik (2015)."""
FORM_COEFFICIENT, FORM_EXPONENT = 3.46e-3, 1.4
"""Of the drag of floe edges at 10 m in Luepkes and Gryanik (2015) [1]."""
_HEAT_RATIO = 0.2
_TINY = 1e-9
"""Keeps the derivative of a square root of a drag coefficient finite [1]."""


class Transfer(eqx.Module):
    """Transfer coefficients at the height of the wind.

    Parameters
    ----------
    momentum, heat, moisture : array
        [1]
    """

    momentum: Float[Array, "..."]
    heat: Float[Array, "..."]
    moisture: Float[Array, "..."]


def skin_drag(height, roughness=SKIN_ROUGHNESS):
    """Neutral drag coefficient of a surface, ``(kappa / ln(z / z0))^2`` [1], from lengths [m]."""
    return (KARMAN / jnp.log(height / roughness)) ** 2


def skin_heat_transfer(height, roughness=SKIN_ROUGHNESS, heat_ratio=_HEAT_RATIO):
    """Neutral transfer of heat, ``kappa^2 / (ln(z / z0) ln(z / z0h))`` [1].

    Parameters
    ----------
    height, roughness : float or array
        ``z`` and ``z0`` [m].
    heat_ratio : float
        ``z0h / z0`` [1].
    """
    return KARMAN**2 / (jnp.log(height / roughness) * jnp.log(height / (heat_ratio * roughness)))


def form_drag_per_ice(
    concentration,
    height=10.0,
    coefficient=FORM_COEFFICIENT,
    exponent=FORM_EXPONENT,
    roughness=FORM_ROUGHNESS,
):
    """Neutral drag coefficient of floe edges, per area of ice.

    Parameters
    ----------
    concentration : array
        [1]
    height : float
        Of the wind [m].
    coefficient, exponent : float
        ``c`` and ``n`` [1].
    roughness : float
        ``z0`` [m]

    Returns
    -------
    array
        ``c (1 - A)^n (ln(10 / z0) / ln(z / z0))^2`` [1], finite where there is no ice. Times the
        concentration it is the coefficient of the cell.

    References
    ----------
    Luepkes and Gryanik (2015), doi:10.1002/2014JD022418.
    """
    factor = (math.log(10.0 / roughness) / jnp.log(height / roughness)) ** 2
    return coefficient * _power(1.0 - concentration, exponent) * factor


def form_heat_transfer(drag, heat_ratio=_HEAT_RATIO):
    """Neutral transfer of heat by floe edges over their drag.

    Parameters
    ----------
    drag : array
        ``C_f``, per area of the cell [1].
    heat_ratio : float
        Roughness length for heat over that for momentum [1].

    Returns
    -------
    array
        ``1 / (1 - ln(heat_ratio) sqrt(C_f) / kappa)`` [1], with ``sqrt(C_f)`` made smooth at 0 over
        ``C_f`` of some 1e-9.

    References
    ----------
    Luepkes and Gryanik (2015), doi:10.1002/2014JD022418.
    """
    root = drag / jnp.sqrt(drag + _TINY)
    return 1.0 / (1.0 - jnp.log(heat_ratio) * root / KARMAN)


def luepkes_2012(concentration, height=10.0):
    """Neutral transfer over ice with edges, per area of ice, in the simplest form of the paper.

    Parameters
    ----------
    concentration : array
        [1]
    height : float
        Of the skin's coefficient; the edges have that at 10 m [m].

    Returns
    -------
    Transfer
        ``C_skin + 2.23e-3 (1 - A)^(1 + 1/14)``, the same for heat; level 4 with ``mu = nu = 1`` and
        ``beta = 1.4``.

    References
    ----------
    Luepkes et al. (2012), doi:10.1029/2012JD017630.
    """
    both = skin_drag(height) + 2.23e-3 * _power(1.0 - concentration, 1.0 + 1.0 / 14.0)
    return Transfer(both, both, both)


def louis(richardson, drag, height, roughness):
    """Stability functions of Louis in the form of Luepkes and Gryanik (2015).

    Parameters
    ----------
    richardson : array
        Bulk number [1].
    drag : array
        Neutral coefficient that they multiply [1].
    height, roughness : float or array
        [m]

    Returns
    -------
    momentum, heat : array
        ``1 / (1 + c Ri / sqrt(1 + Ri))`` in stable air,
        ``1 - c Ri / (1 + 75 C_N sqrt(-Ri (z / z0 + 1)))`` in unstable, ``c`` 10 and 15 [1].
    """
    above, below = jnp.maximum(richardson, 0.0), jnp.maximum(-richardson, 0.0)
    stable = above / jnp.sqrt(1.0 + above)
    depth = below * (height / roughness + 1.0)
    root = jnp.sqrt(jnp.where(depth > 0, depth, 1.0))
    unstable = below / (1.0 + 75.0 * drag * jnp.where(depth > 0, root, 0.0))
    # One of the two is zero.
    return tuple(1.0 / (1.0 + c * stable) + c * unstable for c in (10.0, 15.0))


def luepkes_gryanik_2015(richardson, concentration, height=10.0):
    """Transfer over ice with edges, with the stability functions of Louis, as models code it.

    Parameters
    ----------
    richardson : array
        Bulk number over the ice [1].
    concentration : array
        [1]
    height : float
        Of wind and temperature [m].

    Returns
    -------
    Transfer
        ``C_s f(C_s) + C_f f(C_f)``. The drag of the edges ``C_f`` is per area of the cell here,
        that of the skin ``C_s`` per area of ice: the paper gives a cell the mean
        ``A C_s f_i + C_f (A f_i + (1 - A) f_w) + (1 - A) C_w f_w``.

    References
    ----------
    Luepkes and Gryanik (2015), doi:10.1002/2014JD022418.
    """
    skin, form = skin_drag(height), concentration * form_drag_per_ice(concentration, height)
    skin_m, skin_h = louis(richardson, skin, height, SKIN_ROUGHNESS)
    form_m, form_h = louis(richardson, form, height, FORM_ROUGHNESS)
    root = jnp.sqrt(jnp.where(form > 0, form, 1.0))
    form_heat = form / (1.0 - math.log(_HEAT_RATIO) * jnp.where(form > 0, root, 0.0) / KARMAN)
    heat = skin_heat_transfer(height) * skin_h + form_heat * form_h
    return Transfer(skin * skin_m + form * form_m, heat, heat)


def snow_roughness(friction, air_viscosity):
    """Roughness lengths of snow on ice; Andreas et al. (2005).

    Parameters
    ----------
    friction : array
        Friction velocity, above 0 [m/s].
    air_viscosity : array
        Kinematic viscosity of the air [m2/s].

    Returns
    -------
    momentum, heat, moisture : array
        [m]

    Notes
    -----
    The three polynomials of Andreas (1987) in the logarithm of the roughness Reynolds number change
    where they cross, within 0.2 % of the printed limits 0.135 and 2.5, so that nothing jumps.

    References
    ----------
    Andreas, Jordan and Makshtas (2005), doi:10.1007/s10546-004-1414-7; Andreas (1987),
    Boundary-Layer Meteorology 38, 159-184.
    """
    drift = 5.0 * jnp.exp(-(((friction - 0.18) / 0.1) ** 2)) + 1.0
    momentum = 0.135 * air_viscosity / friction + 0.035 * friction**2 / GRAVITY * drift
    logarithm = jnp.log(friction * momentum / air_viscosity)

    def scalar(smooth, middle, rough):
        middle, rough = (c[0] + c[1] * logarithm + c[2] * logarithm**2 for c in (middle, rough))
        rougher = jnp.where(logarithm > 0, rough, smooth)
        return momentum * jnp.exp(jnp.minimum(middle, rougher))

    heat = scalar(1.25, (0.149, -0.55, 0.0), (0.317, -0.565, -0.183))
    moisture = scalar(1.61, (0.351, -0.628, 0.0), (0.396, -0.512, -0.18))
    return momentum, heat, moisture


def andreas_2005(
    wind,
    potential_temperature,
    humidity,
    surface_temperature,
    surface_humidity,
    height=10.0,
    scalar_height=10.0,
    iterations=50,
):
    """Transfer over snow-covered ice after a number of substitutions, as models code it.

    Parameters
    ----------
    wind : array
        Speed, above 0 [m/s].
    potential_temperature, humidity : array
        Of the air at `scalar_height` [K], [1].
    surface_temperature, surface_humidity : array
        [K], [1]
    height, scalar_height : float or array
        Of the wind; of temperature and humidity [m].
    iterations : int
        In stable air the result depends on it, in weak wind by up to 83 % between 5 and 50.

    Returns
    -------
    Transfer
        At `height`.

    Notes
    -----
    To compare with other codes, not for models: the profiles leave out the stability correction at
    the roughness length, and stable air has the functions of Holtslag and De Bruin with rounded
    constants, by which coefficients jump a little at neutral. `SurfaceLayer` solves to the root.

    References
    ----------
    Andreas, Jordan and Makshtas (2005), doi:10.1007/s10546-004-1414-7.
    """
    nu = viscosity(potential_temperature)

    def friction_of(momentum, psi=0.0):
        return KARMAN * wind / (jnp.log(height / momentum) - psi)

    def differences(theta, q):
        return (
            _kept_from_zero(theta - surface_temperature, 1e-6),
            _kept_from_zero(q - surface_humidity, 1e-9),
        )

    def scales_of(rises, lengths, psi=0.0):
        return tuple(
            KARMAN * rise / (jnp.log(height / length) - psi)
            for rise, length in zip(rises, lengths, strict=True)
        )

    def substitute(_, known):
        friction, scales, theta, q = known
        moist = 1.0 + VIRTUAL_FACTOR * q
        buoyancy = GRAVITY * KARMAN * (scales[0] * moist + VIRTUAL_FACTOR * theta * scales[1])
        inverse = jnp.clip(buoyancy / jnp.maximum(friction**2 * theta * moist, 1e-9), -200, 200)
        psi_m, psi_h = _printed_psi(height * inverse)
        momentum, *scalar = snow_roughness(friction, nu)
        scales = scales_of(differences(theta, q), scalar, psi_h)
        lift = jnp.log(scalar_height / height) + psi_h - _printed_psi(scalar_height * inverse)[1]
        theta = potential_temperature - scales[0] / KARMAN * lift
        q = jnp.maximum(humidity - scales[1] / KARMAN * lift, 0.0)
        return friction_of(momentum, psi_m), scales, theta, q

    friction = 0.035 * wind * math.log(10.0 / 8e-4) / jnp.log(height / 8e-4)
    for _ in range(2):
        friction = friction_of(snow_roughness(friction, nu)[0])
    start = differences(potential_temperature, humidity)
    scales = scales_of(start, snow_roughness(friction, nu)[1:])
    known = friction, scales, potential_temperature, humidity
    friction, scales, theta, q = jax.lax.fori_loop(0, iterations, substitute, known)
    rises = differences(theta, q)
    heat, moisture = (friction * s / (wind * d) for s, d in zip(scales, rises, strict=True))
    return Transfer((friction / wind) ** 2, heat, moisture)


def _printed_psi(zeta):
    """Of momentum and of heat, within 50 of neutral, with constants rounded as printed."""
    zeta = jnp.clip(zeta, -50.0, 50.0)
    above = jnp.maximum(zeta, 0.0)
    stable = -(0.7 * above + 0.75 * (above - 14.3) * jnp.exp(-0.35 * above) + 10.7)
    similarity = HoltslagDeBruin()
    return tuple(
        jnp.where(zeta > 0, stable, psi(zeta)) for psi in (similarity.psi_m, similarity.psi_h)
    )


def _kept_from_zero(value, least):
    return jnp.where(value < 0, -1.0, 1.0) * jnp.maximum(jnp.abs(value), least)


def _power(base, exponent):
    """Power of a number from 0 up, with finite derivatives where it is 0."""
    there = base > 0
    return jnp.where(there, jnp.where(there, base, 1.0) ** exponent, 0.0)
