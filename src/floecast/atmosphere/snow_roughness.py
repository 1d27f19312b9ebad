"""Roughness of snow-covered ice, which drifting snow makes depend on the wind."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name

from .air import KARMAN, viscosity
from .ice_drag import snow_roughness
from .similarity import roughness_ratios, solve_stability, stretches
from .stages import COSTLY

_FIRST_LENGTH = 8e-4
"""Roughness by which the friction velocity is first guessed [m]."""
_LONGEST = 1.0
"""Step of Newton's method for the logarithm of the friction velocity."""
_LEAST_SLOPE = 0.1
_STEPS = {2: 3, 4: 3, 8: 5}
"""Of Newton's method, by the bytes of a number."""


class SnowRoughness(eqx.Module):
    """Lengths over snow-covered ice after Andreas et al. (2005), for `SurfaceLayer`.

    Notes
    -----
    The length for momentum depends on the friction velocity, from smooth flow over a bump by
    drifting snow near 0.18 m/s to a rise with its square; those for heat and for vapour follow by
    the polynomials of Andreas (1987), see `ice_drag.snow_roughness`. Friction velocity, stability
    and lengths belong to each other: ``ln u* + ln M(zeta(u*), z0(u*)) = ln(kappa U)``, with
    ``zeta`` from `solve_stability`, is solved by Newton's method in a fixed number of steps.
    Derivatives are those of the root, by the implicit function theorem, of any order. From 2 m on
    the root is the only one in winds that occur.

    It has no parameter, and the roughness of the `Surface` and the heat ratio of the layer have no
    effect on the skin of the ice.

    References
    ----------
    Andreas, Jordan and Makshtas (2005), doi:10.1007/s10546-004-1414-7; Andreas (1987),
    Boundary-Layer Meteorology 38, 159-184.
    """

    def lengths(self, height, wind, temperature, bulk_richardson, similarity):
        """Roughness lengths for momentum, heat and vapour.

        Parameters
        ----------
        height : float
            Of wind, temperature and Richardson number [m].
        wind : (...) array
            Speed relative to the ice, above 0 [m/s].
        temperature : (...) array
            Of the air [K].
        bulk_richardson : (...) array
            Over the ice [1].
        similarity : AbstractSimilarity

        Returns
        -------
        momentum, heat, vapour : (...) array
            [m]
        """
        nu = viscosity(temperature)
        return _lengths(_solve(jnp.log(wind), nu, bulk_richardson, height, similarity), nu)


def _lengths(log_friction, nu):
    return snow_roughness(jnp.exp(log_friction), nu)


def _residual(log_friction, log_wind, nu, richardson, height, similarity):
    lengths = _lengths(log_friction, nu)[:2]
    zeta = solve_stability(richardson, height, *lengths, similarity)
    momentum, _ = stretches(zeta, *roughness_ratios(height, *lengths), similarity)
    return log_friction + jnp.log(momentum / KARMAN) - log_wind


def _residual_and_slope(log_friction, *arguments):
    one = jnp.ones_like(log_friction)
    found, slope = jax.jvp(lambda s: _residual(s, *arguments), (log_friction,), (one,))
    return found, jnp.maximum(slope, _LEAST_SLOPE)


@jax.custom_jvp
def _solve(log_wind, nu, richardson, height, similarity):
    """``ln u*``."""
    log_wind, nu, richardson = jnp.broadcast_arrays(log_wind, nu, richardson)
    length = jnp.full_like(nu, _FIRST_LENGTH)
    for _ in range(2):
        zeta = solve_stability(richardson, height, length, length, similarity)
        momentum, _ = stretches(zeta, *roughness_ratios(height, length, length), similarity)
        log_friction = log_wind + jnp.log(KARMAN / momentum)
        length = _lengths(log_friction, nu)[0]

    def step(_, log_friction):
        found, slope = _residual_and_slope(
            log_friction, log_wind, nu, richardson, height, similarity
        )
        return log_friction - jnp.clip(found / slope, -_LONGEST, _LONGEST)

    return jax.lax.fori_loop(0, _STEPS[log_friction.dtype.itemsize], step, log_friction)


@_solve.defjvp
def _solve_jvp(primals, tangents):
    log_friction = checkpoint_name(_solve(*primals), COSTLY)
    _, change = jax.jvp(lambda *given: _residual(log_friction, *given), primals, tangents)
    return log_friction, -change / _residual_and_slope(log_friction, *primals)[1]
