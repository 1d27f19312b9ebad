"""Monin-Obukhov similarity: profiles near the ground, and the stability that fits a layer."""

import abc
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Float

from floecast.core.parameter import parameter

from .stages import COSTLY

_UNSTABLE = (-100.0, -200.0)
"""Bulk Richardson numbers where the smooth bound begins, and which it never passes."""
_LARGEST_RATIO = 0.2
"""Of a roughness length to the height; larger ones are taken as this."""
_SMALLEST_RATIO = 1e-12
_LONGEST = 2.0
"""Step of Newton's method for ``ln(zeta / Ri)``."""
_LEAST_SLOPE = 0.01
_STEPS = {2: 4, 4: 4, 8: 7}
"""Of Newton's method, by the bytes of a number."""


class AbstractSimilarity(eqx.Module):
    """Gradients and profiles of wind and temperature against ``zeta = z / L``.

    Attributes
    ----------
    prandtl : array
        Turbulent Prandtl number of neutral air [1].

    Notes
    -----
    ``phi`` are the gradients times ``kappa z`` over the scales, ``phi_m(0) = 1`` and ``phi_h(0)``
    the Prandtl number, and ``psi(zeta)`` is the integral of ``(phi(0) - phi) / zeta`` from 0. With

    ``M = ln(z / z0) - psi_m(zeta) + psi_m(zeta z0 / z)`` and
    ``H = Pr ln(z / z0h) - psi_h(zeta) + psi_h(zeta z0h / z)``

    the wind is ``u* M / kappa``, the difference of temperature ``theta* H / kappa``, and the
    transfer coefficients are ``kappa^2 / M^2`` and ``kappa^2 / (M H)``. Unstable air follows
    Businger and Dyer, with 16, for all of them. At neutral the slopes of the two sides differ; the
    derivative there is their mean.

    References
    ----------
    Dyer (1974), doi:10.1007/BF00240838.
    """

    prandtl: eqx.AbstractVar[Float[Array, ""]]

    @abc.abstractmethod
    def _stable(self, zeta):
        """``psi_m`` and ``psi_h`` of stable air."""

    @abc.abstractmethod
    def _stable_slopes(self, zeta):
        """``(phi - phi(0)) / zeta`` of stable air, for momentum and for heat."""

    @abc.abstractmethod
    def _largest(self, ratio, heat_ratio):
        """Bulk Richardson numbers where the smooth bound begins, and which it never passes."""

    @abc.abstractmethod
    def _stable_guess(self, richardson, ratio, heat_ratio):
        """``ln(zeta / Ri)`` roughly, for stable air."""

    def phi_m(self, zeta):
        """Gradient of wind [1]."""
        return 1.0 + zeta * self._slopes(zeta)[0]

    def phi_h(self, zeta):
        """Gradient of temperature and of humidity [1]."""
        return self.prandtl + zeta * self._slopes(zeta)[1]

    def psi_m(self, zeta):
        """Departure of the wind from the logarithm [1]."""
        return self._psi(zeta)[0]

    def psi_h(self, zeta):
        """Departure of temperature and of humidity from the logarithm [1]."""
        return self._psi(zeta)[1]

    def _psi(self, zeta):
        momentum, heat = self._stable(jnp.maximum(zeta, 0.0))
        x = jnp.sqrt(jnp.sqrt(1.0 - 16.0 * jnp.minimum(zeta, 0.0)))
        one = jnp.log(0.5 * (1.0 + x * x))
        turn = jnp.arctan((1.0 - x) / (1.0 + x))  # pi/4 - atan x
        momentum = momentum + one + 2.0 * jnp.log(0.5 * (1.0 + x)) + 2.0 * turn
        return momentum, heat + 2.0 * self.prandtl * one

    def _slopes(self, zeta):
        momentum, heat = self._stable_slopes(jnp.maximum(zeta, 0.0))
        square = jnp.sqrt(1.0 - 16.0 * jnp.minimum(zeta, 0.0))
        x = jnp.sqrt(square)
        stable = zeta > 0
        return (
            jnp.where(stable, momentum, 16.0 / (x * (1.0 + x) * (1.0 + square))),
            jnp.where(stable, heat, 16.0 * self.prandtl / (square * (1.0 + square))),
        )


class Gryanik(AbstractSimilarity):
    """Similarity functions of Gryanik et al. (2020), from SHEBA.

    Parameters
    ----------
    prandtl, rise, momentum_bend, heat_bend : float
        ``Pr``, ``a``, ``b_m`` and ``b_h`` [1].

    Notes
    -----
    ``phi_m = 1 + a zeta / (1 + b_m zeta)^(2/3)`` and ``phi_h = Pr (1 + a zeta / (1 + b_h zeta))``.

    References
    ----------
    Gryanik et al. (2020), doi:10.1175/JAS-D-19-0255.1.
    """

    prandtl: Float[Array, ""] = eqx.field(converter=parameter, default=0.98)
    rise: Float[Array, ""] = eqx.field(converter=parameter, default=5.0)
    momentum_bend: Float[Array, ""] = eqx.field(converter=parameter, default=0.3)
    heat_bend: Float[Array, ""] = eqx.field(converter=parameter, default=0.4)

    def _stable(self, zeta):
        root = jnp.exp(jnp.log1p(self.momentum_bend * zeta) / 3.0)
        heat = jnp.log1p(self.heat_bend * zeta) / self.heat_bend
        return (
            -3.0 * self.rise / self.momentum_bend * (root - 1.0),
            -self.prandtl * self.rise * heat,
        )

    def _stable_slopes(self, zeta):
        root = jnp.exp(jnp.log1p(self.momentum_bend * zeta) * (-2.0 / 3.0))
        return self.rise * root, self.prandtl * self.rise / (1.0 + self.heat_bend * zeta)

    def _largest(self, ratio, heat_ratio):
        return 2.0, 5.0

    def _stable_guess(self, richardson, ratio, heat_ratio):
        return _curved_guess(richardson, ratio, heat_ratio, self.prandtl, 1200.0, 0.24)


class Grachev(AbstractSimilarity):
    """Similarity functions of Grachev et al. (2007), from SHEBA.

    References
    ----------
    Grachev et al. (2007), doi:10.1007/s10546-007-9177-6.
    """

    prandtl: Float[Array, ""] = eqx.field(converter=parameter, default=1.0)

    def _stable(self, zeta):
        a, b, root5 = 5.0, 5.0 / 6.5, 5.0**0.5
        x = jnp.exp(jnp.log1p(zeta) / 3.0)
        c = ((1.0 - b) / b) ** (1.0 / 3.0)
        root3 = 3.0**0.5
        turn = jnp.arctan((2.0 * x - c) / (root3 * c)) - jnp.arctan((2.0 - c) / (root3 * c))
        logs = jnp.log(((x + c) / (1.0 + c)) ** 2 * (1.0 - c + c * c) / (x * x - x * c + c * c))
        momentum = -3.0 * a / b * (x - 1.0) + a * c / (2.0 * b) * (logs + 2.0 * root3 * turn)
        heat = -2.5 * jnp.log1p(zeta * (3.0 + zeta))
        ends = (2.0 * zeta + 3.0 - root5) / (2.0 * zeta + 3.0 + root5)
        ends = jnp.log(ends * ((3.0 + root5) / (3.0 - root5)))
        return momentum, self.prandtl * (heat + 2.5 / root5 * ends)

    def _stable_slopes(self, zeta):
        x = jnp.exp(jnp.log1p(zeta) / 3.0)
        heat = 5.0 * (1.0 + zeta) / (1.0 + zeta * (3.0 + zeta))
        return 6.5 * x / (1.3 + zeta), self.prandtl * heat

    def _largest(self, ratio, heat_ratio):
        return 2.0, 5.0

    def _stable_guess(self, richardson, ratio, heat_ratio):
        return _curved_guess(richardson, ratio, heat_ratio, self.prandtl, 600.0, 0.18)


class LinearSimilarity(AbstractSimilarity):
    """Gradients linear in ``zeta``, by default those prescribed for GABLS1.

    Parameters
    ----------
    momentum, heat : float
        Factors of ``zeta`` [1].

    Notes
    -----
    No stability fits a bulk Richardson number above about ``heat / momentum^2``: from 0.8 of it
    on, the number is bent so that it stays below 0.98 of it.

    References
    ----------
    Beare et al. (2006), doi:10.1007/s10546-004-2820-6.
    """

    momentum: Float[Array, ""] = eqx.field(converter=parameter, default=4.8)
    heat: Float[Array, ""] = eqx.field(converter=parameter, default=7.8)
    prandtl: Float[Array, ""] = eqx.field(converter=parameter, default=1.0)

    def _stable(self, zeta):
        return -self.momentum * zeta, -self.heat * zeta

    def _stable_slopes(self, zeta):
        return self.momentum * jnp.ones_like(zeta), self.heat * jnp.ones_like(zeta)

    def _rises(self, ratio, heat_ratio):
        return self.momentum * (1.0 - ratio), self.heat * (1.0 - heat_ratio)

    def _largest(self, ratio, heat_ratio):
        a, b = self._rises(ratio, heat_ratio)
        critical = b / a**2
        return 0.8 * critical, 0.98 * critical

    def _stable_guess(self, richardson, ratio, heat_ratio):
        a, b = self._rises(ratio, heat_ratio)
        wind, warmth = -jnp.log(ratio), -self.prandtl * jnp.log(heat_ratio)
        return _linear_guess(richardson, wind, warmth, a, b)


class HoltslagDeBruin(AbstractSimilarity):
    """Similarity of Holtslag and De Bruin (1988), the same for momentum and heat.

    Notes
    -----
    ``psi = -(0.7 zeta + 0.75 (zeta - 5 / 0.35) exp(-0.35 zeta) + 0.75 5 / 0.35)``, with fractions
    where the papers print rounded numbers, so that it vanishes at neutral. As for
    `LinearSimilarity`, bulk Richardson numbers are bounded, here from 0.6 to below 0.9.

    References
    ----------
    Holtslag and De Bruin (1988), doi:10.1175/1520-0450(1988)027<0689:AMOTNS>2.0.CO;2.
    """

    prandtl: Float[Array, ""] = eqx.field(converter=parameter, default=1.0)

    def _stable(self, zeta):
        fall = 0.75 * jnp.expm1(-0.35 * zeta)
        both = -(0.7 * zeta + 0.75 * zeta * jnp.exp(-0.35 * zeta) - 5.0 / 0.35 * fall)
        return both, self.prandtl * both

    def _stable_slopes(self, zeta):
        slope = 0.7 + 0.75 * jnp.exp(-0.35 * zeta) * (6.0 - 0.35 * zeta)
        return slope, self.prandtl * slope

    def _largest(self, ratio, heat_ratio):
        return 0.6, 0.9

    def _stable_guess(self, richardson, ratio, heat_ratio):
        # Two straight lines, which meet at 10.7 / 4.5.
        wind, warmth = -jnp.log(ratio), -self.prandtl * jnp.log(heat_ratio)
        weak = _linear_guess(jnp.minimum(richardson, 0.15), wind, warmth, 5.2, 5.2)
        shifted = wind + 10.7, warmth + 10.7
        strong = _linear_guess(richardson, *shifted, 0.7, 0.7)
        return jnp.where(richardson * jnp.exp(weak) < 2.4, weak, strong)


def stretches(zeta, ratio, heat_ratio, similarity):
    """What the logarithms of neutral air become: ``M`` and ``H`` of `AbstractSimilarity`.

    Parameters
    ----------
    zeta : array
        Height over Obukhov length [1].
    ratio, heat_ratio : array
        Roughness lengths over the height [1].
    similarity : AbstractSimilarity

    Returns
    -------
    momentum, heat : array
        [1]
    """
    momentum, heat = similarity._psi(zeta)
    return (
        similarity.psi_m(zeta * ratio) - momentum - jnp.log(ratio),
        similarity.psi_h(zeta * heat_ratio) - heat - similarity.prandtl * jnp.log(heat_ratio),
    )


def roughness_ratios(height, *lengths):
    """Roughness lengths over the height, kept between 1e-12 and 0.2 so that any input is sane."""
    return [jnp.clip(length / height, _SMALLEST_RATIO, _LARGEST_RATIO) for length in lengths]


def solve_stability(bulk_richardson, height, roughness, heat_roughness, similarity):
    """Stability ``zeta = height / L`` of a layer whose bulk Richardson number is known.

    Parameters
    ----------
    bulk_richardson : array
        Between the surface and `height` [1].
    height : float or array
        [m]
    roughness, heat_roughness : array
        Of the surface [m]; see `roughness_ratios` for their limits.
    similarity : AbstractSimilarity

    Returns
    -------
    array
        The root of ``Ri = zeta H / M^2`` [1]; see `AbstractSimilarity`. Numbers outside of what
        nature has, or a similarity can reach, are bent smoothly towards a bound first: below -100
        and, in Gryanik's and Grachev's functions, above 2.

    Notes
    -----
    Newton's method for ``w = ln(zeta / Ri)``, which has no singularity in neutral air, in a fixed
    number of steps of bounded length from a guess within a fifth or so of the root: four in
    float32, seven in float64. Derivatives are those of the root, by the implicit function theorem,
    in forward and in reverse mode and of any order.
    """
    ratio, heat_ratio = roughness_ratios(height, roughness, heat_roughness)
    start, end = similarity._largest(ratio, heat_ratio)
    bent = _bend(_bend(bulk_richardson, start, end), *_UNSTABLE)
    return bent * jnp.exp(_solve(bent, ratio, heat_ratio, similarity))


def _bend(value, start, end):
    """The value up to `start`, and beyond it smoothly never past `end`."""
    room = end - start
    beyond = jnp.maximum((value - start) / room, 0.0)
    return jnp.where(beyond > 0, start + room * jnp.tanh(beyond), value)


def _neutral(ratio, heat_ratio, prandtl):
    wind, warmth = jnp.log(ratio), -prandtl * jnp.log(heat_ratio)
    return jnp.log(wind**2 / warmth)


def _curved_guess(richardson, ratio, heat_ratio, prandtl, size, bend):
    """``ln(zeta / Ri)`` within a fifth or so, of functions that rise less and less."""
    wind, warmth = -jnp.log(ratio), -prandtl * jnp.log(heat_ratio)
    part = wind / warmth
    weak = jnp.minimum(part, 1.0)
    weak = 5.0 * richardson * weak * (2.0 - weak)
    square = (richardson * part) ** 2
    strong = size / wind * richardson * jnp.sqrt(richardson) * square / (square + bend**2)
    return jnp.log(wind * part * (1.0 + weak + strong))


def _linear_guess(richardson, wind, warmth, a, b):
    """``ln(zeta / Ri)`` of gradients linear in ``zeta``, where it exists.

    Root of ``(b - Ri a^2) zeta^2 + (H0 - 2 Ri M0 a) zeta - Ri M0^2 = 0``.
    """
    linear = warmth - 2.0 * richardson * wind * a
    square = b - richardson * a**2
    root = jnp.sqrt(jnp.maximum(linear**2 + 4.0 * square * richardson * wind**2, 0.0))
    low = linear >= 0
    one = 2.0 * wind**2 / jnp.where(low, linear + root, 1.0)
    other = (root - linear) / jnp.where(low, 1.0, 2.0 * square * richardson)
    return jnp.log(jnp.where(low, one, other))


def _residual(w, richardson, ratio, heat_ratio, similarity):
    zeta = richardson * jnp.exp(w)
    momentum, heat = stretches(zeta, ratio, heat_ratio, similarity)
    return w + jnp.log(heat / momentum**2)


def _residual_and_slope(w, richardson, ratio, heat_ratio, similarity):
    zeta = richardson * jnp.exp(w)
    momentum, heat = stretches(zeta, ratio, heat_ratio, similarity)
    here = similarity._slopes(zeta)
    wind = zeta * (here[0] - ratio * similarity._slopes(zeta * ratio)[0])
    warmth = zeta * (here[1] - heat_ratio * similarity._slopes(zeta * heat_ratio)[1])
    slope = 1.0 + warmth / heat - 2.0 * wind / momentum
    return w + jnp.log(heat / momentum**2), jnp.maximum(slope, _LEAST_SLOPE)


@jax.custom_jvp
def _solve(richardson, ratio, heat_ratio, similarity):
    """``ln(zeta / Ri)``."""
    arguments = richardson, ratio, heat_ratio, similarity
    stable = similarity._stable_guess(jnp.maximum(richardson, 0.0), ratio, heat_ratio)
    w = jnp.where(richardson > 0, stable, _neutral(ratio, heat_ratio, similarity.prandtl))

    def step(_, w):
        residual, slope = _residual_and_slope(w, *arguments)
        return w - jnp.clip(residual / slope, -_LONGEST, _LONGEST)

    return jax.lax.fori_loop(0, _STEPS[w.dtype.itemsize], step, w)


@_solve.defjvp
def _solve_jvp(primals, tangents):
    w = checkpoint_name(_solve(*primals), COSTLY)
    _, change = jax.jvp(partial(_residual, w), primals, tangents)
    return w, -change / _residual_and_slope(w, *primals)[1]
