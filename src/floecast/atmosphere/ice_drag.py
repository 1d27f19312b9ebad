"""Transfer coefficients over sea ice: its skin, the edges of its floes, their stability."""

import math

import jax.numpy as jnp

_TINY = 1e-9
"""Keeps the derivative of a square root of a drag coefficient finite [1]."""


def form_drag_per_ice(concentration, height, coefficient, exponent, roughness):
    """Neutral drag coefficient of floe edges, per area of ice.

    Parameters
    ----------
    concentration : array
        [1]
    height : float
        Of the wind [m].
    coefficient, exponent : float
        ``c`` and ``n`` [1]; 3.46e-3 and 1.4 in the paper.
    roughness : float
        Of the surface between the edges, ``z0`` [m].

    Returns
    -------
    array
        ``c (1 - A)^n (ln(10 / z0) / ln(z / z0))^2`` [1]: that of the cell over the concentration.

    References
    ----------
    Luepkes and Gryanik (2015), doi:10.1002/2014JD022418.
    """
    factor = (math.log(10.0 / roughness) / jnp.log(height / roughness)) ** 2
    return coefficient * _power(1.0 - concentration, exponent) * factor


def form_heat_transfer(drag, heat_ratio):
    """Neutral transfer of heat by floe edges over their drag, of a cell.

    Parameters
    ----------
    drag : array
        ``C_f``, per area of the cell [1].
    heat_ratio : float
        Roughness length for heat over that for momentum [1].

    Returns
    -------
    array
        ``1 / (1 - ln(heat_ratio) sqrt(C_f) / kappa)`` [1]. The root is smooth at 0.
    """
    root = jnp.sqrt(drag + _TINY) - math.sqrt(_TINY)
    return 1.0 / (1.0 - jnp.log(heat_ratio) * root / 0.4)


def _power(base, exponent):
    """Power of a number from 0 up whose derivatives at 0 are finite."""
    there = base > 0
    return jnp.where(there, jnp.where(there, base, 1.0) ** exponent, 0.0)
