"""Mixing lengths of turbulence, from stratification and shear."""

import jax
import jax.numpy as jnp

from .bounds import larger, smaller

_TINY = 1e-12
"""Least squared shear and stratification [1/s2], below which a length has no bound but height."""
PAIRINGS = ("mixing_mean", "mixing_least")
"""Which of the two lengths mixes: the geometric mean of up and down, or the smaller of them."""


def shear_length(energy, shear_squared, stratification, weight):
    """Distance that an eddy can travel against stratification and shear.

    Parameters
    ----------
    energy : array
        Turbulent kinetic energy e [m2/s2].
    shear_squared : array
        S^2 [1/s2].
    stratification : array
        N^2; has no effect where negative [1/s2].
    weight : float
        c_0 of the shear; 0 gives the length of Deardorff (1980), ``sqrt(2 e / N^2)`` [1].

    Returns
    -------
    array
        ``2 sqrt(e) / (c_0 S + sqrt(c_0^2 S^2 + 2 N^2))`` [m].

    References
    ----------
    Rodier et al. (2017), doi:10.1007/s10546-017-0272-3.
    """
    shear_squared = shear_squared + _TINY
    stable = 2.0 * larger(stratification, _TINY)
    sheared = weight * jnp.sqrt(shear_squared)
    return 2.0 * jnp.sqrt(energy) / (sheared + jnp.sqrt(weight**2 * shear_squared + stable))


def limit_lengths(length, height, top, surface_length, least_length):
    """Lengths upward and downward, which may not change faster than height.

    Parameters
    ----------
    length : (level, ...) array
        Wanted, at interfaces between the surface and the top [m].
    height : (level, 1, ...) array
        Of the interfaces [m].
    top : float
        Height where the length upward is `least_length` [m].
    surface_length : (...) array
        Length downward at the surface [m].
    least_length : float
        [m]

    Returns
    -------
    up, down : (level, ...) array
        ``min over j >= k of (l_j + z_j) - z_k`` and ``min over j <= k of (l_j - z_j) + z_k``,
        which is what sweeps from above and from below leave; not less than `least_length` [m].
    """
    length = larger(length, least_length)
    up = _running_minimum(length + height, least_length + top, reverse=True) - height
    down = _running_minimum(length - height, surface_length, reverse=False) + height
    return larger(up, least_length), larger(down, least_length)


def pair_lengths(up, down, pairing):
    """Lengths of mixing and of dissipation.

    Parameters
    ----------
    up, down : array
        [m]
    pairing : str
        One of `PAIRINGS`.

    Returns
    -------
    mixing, dissipation : array
        ``sqrt(up down)`` and ``min(up, down)`` for "mixing_mean", the other way round for
        "mixing_least" [m].
    """
    mean, least = jnp.sqrt(up * down), smaller(up, down)
    return (mean, least) if pairing == "mixing_mean" else (least, mean)


def _running_minimum(field, first, reverse):
    def step(least, row):
        least = smaller(row, least)
        return least, least

    first = jnp.broadcast_to(jnp.asarray(first, field.dtype), field.shape[1:])
    return jax.lax.scan(step, first, field, reverse=reverse)[1]
