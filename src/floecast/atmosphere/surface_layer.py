"""Exchange of air with a mosaic of ice and water by similarity, with the drag of floe edges."""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from floecast.core.parameter import parameter

from .air import (
    GRAVITY,
    KARMAN,
    LAPSE,
    bulk_richardson,
    saturation_over_ice,
    saturation_over_sea,
    viscosity,
)
from .ice_drag import FORM_COEFFICIENT, FORM_EXPONENT, form_drag_per_ice, form_heat_transfer
from .similarity import AbstractSimilarity, Gryanik, roughness_ratios, solve_stability, stretches
from .snow_roughness import SnowRoughness
from .surface import AbstractSurfaceLayer, Conductance, Exchange


class AbstractWaterRoughness(eqx.Module):
    """Roughness of open water."""

    @abc.abstractmethod
    def lengths(self, wind, height, temperature):
        """Roughness lengths for momentum and for heat and vapour [m].

        Parameters
        ----------
        wind : array
            Speed relative to the water, above 0 [m/s].
        height : float
            Of the wind [m].
        temperature : array
            Of the water [K].
        """


class WaveRoughness(AbstractWaterRoughness):
    """Waves by Charnock's relation, and smooth flow in weak wind.

    Parameters
    ----------
    charnock, smooth : float
        ``a`` and ``b`` [1].
    heat_roughness : float
        For heat and vapour [m].

    Notes
    -----
    ``z0 = a u*^2 / g + b nu / u*`` with neutral ``u* = kappa U / ln(z / z0)``. Three substitutions
    from 0.1 mm stand for the root: it is a closed form, and the drag is within 2 % of the root's.
    The length for heat is ``10 m exp(-kappa / 32.7e-3)``, which gives ``C_hN = 32.7e-3 sqrt(C_dN)``
    of Large and Yeager (2004), theirs of unstable air, in all air.

    References
    ----------
    Charnock (1955), doi:10.1002/qj.49708135027; Smith (1988), doi:10.1029/JC093iC12p15467; Large
    and Yeager (2004), NCAR/TN-460+STR.
    """

    charnock: Float[Array, ""] = eqx.field(converter=parameter, default=0.011)
    smooth: Float[Array, ""] = eqx.field(converter=parameter, default=0.11)
    heat_roughness: Float[Array, ""] = eqx.field(converter=parameter, default=4.87e-5)

    def lengths(self, wind, height, temperature):
        """See `AbstractWaterRoughness.lengths`."""
        nu, length = viscosity(temperature), 1e-4
        for _ in range(3):
            friction = KARMAN * wind / jnp.log(height / length)
            length = self.charnock * friction**2 / GRAVITY + self.smooth * nu / friction
        return length, self.heat_roughness * jnp.ones_like(length)


class ConstantRoughness(AbstractWaterRoughness):
    """The same roughness in all winds.

    Parameters
    ----------
    momentum, heat : float
        [m]
    """

    momentum: Float[Array, ""] = eqx.field(converter=parameter, default=2e-4)
    heat: Float[Array, ""] = eqx.field(converter=parameter, default=4.87e-5)

    def lengths(self, wind, height, temperature):
        """See `AbstractWaterRoughness.lengths`."""
        one = jnp.ones_like(wind)
        return self.momentum * one, self.heat * one


class SurfaceLayer(AbstractSurfaceLayer):
    """Monin-Obukhov similarity over ice and over water, and form drag of floe edges.

    Parameters
    ----------
    similarity : AbstractSimilarity
    water_roughness : AbstractWaterRoughness
    heat_ratio : float
        Roughness length of ice for heat and vapour over that for momentum [1].
    form_drag : float
        Coefficient of the drag of floe edges at 10 m [1]; 0 switches it off.
    form_exponent : float
        Of the open water's fraction in it, 1 or more [1].
    gustiness : float
        Added to the relative wind in squares [m/s].
    moist : bool
        Whether humidity counts in the stability.
    snow_roughness : SnowRoughness, optional
        Lengths over ice that depend on the wind, in place of that of the `Surface` and the
        `heat_ratio`, which then holds for the edges of floes only.

    Notes
    -----
    The stress on a cell is that of Luepkes and Gryanik (2015) with their stability functions
    replaced by those of the similarity, ``f = C / C_N`` of the skin of ice (i) and of water (w):

    ``C = A C_i + (1 - A) C_w + C_f (A f_i + (1 - A) f_w)``,
    ``C_f = c A (1 - A)^n (ln(10 / z0f) / ln(z / z0f))^2``

    So the edges follow the same similarity, whichever is chosen, and no second formula of
    stability, whose ends differ, joins in. The conductance of the ice holds ``C_f / A``, which is
    finite where there is no ice; edges exchange heat as they take momentum, `form_heat_transfer`.
    Wind enters as ``sqrt(|u - u_s|^2 + gustiness^2)``. Vapour is exchanged as heat is, but over ice
    with a `snow_roughness`, which has a length of its own for it.

    References
    ----------
    Luepkes and Gryanik (2015), doi:10.1002/2014JD022418; Luepkes et al. (2012),
    doi:10.1029/2012JD017630.
    """

    similarity: AbstractSimilarity = eqx.field(default_factory=Gryanik)
    water_roughness: AbstractWaterRoughness = eqx.field(default_factory=WaveRoughness)
    heat_ratio: Float[Array, ""] = eqx.field(converter=parameter, default=0.2)
    form_drag: Float[Array, ""] = eqx.field(converter=parameter, default=FORM_COEFFICIENT)
    form_exponent: Float[Array, ""] = eqx.field(converter=parameter, default=FORM_EXPONENT)
    gustiness: Float[Array, ""] = eqx.field(converter=parameter, default=0.2)
    moist: bool = eqx.field(static=True, default=True)
    snow_roughness: SnowRoughness | None = None

    def exchange(self, height, wind_u, wind_v, potential_temperature, humidity, surface, pressure):
        """See `AbstractSurfaceLayer.exchange`."""
        air = _along_pairs(wind_u, wind_v, potential_temperature, humidity)
        both = self._both(height, air, _Below.under(surface, pressure), surface.ice_roughness)
        concentration = surface.concentration
        edges = form_drag_per_ice(concentration, height, self.form_drag, self.form_exponent)
        edges_heat = edges * form_heat_transfer(concentration * edges, self.heat_ratio)

        def conductances(transfer, stability, edges):
            mixed = concentration * stability[0] + (1.0 - concentration) * stability[1]
            ice = both.wind[0] * (transfer[0] + edges * mixed)
            return ice, both.wind[1] * transfer[1]

        momentum = conductances(*both.momentum(), edges)
        scalars = [conductances(*one, edges_heat) for one in both.scalars()]
        return Exchange(*(Conductance(*each) for each in zip(momentum, *scalars, strict=True)))

    def profile(
        self, height, level, wind_u, wind_v, potential_temperature, humidity, surface, pressure
    ):
        """See `AbstractSurfaceLayer.profile`; floe edges do not bend the profiles."""
        air = _along_pairs(wind_u, wind_v, potential_temperature, humidity)
        below = _Below.under(surface, pressure)
        both = self._both(level, air, below, surface.ice_roughness)
        momentum, heat, vapour = both.scales(height / level)

        def mean(above, below, scale):
            here = below + scale * (above - below)
            return surface.concentration * here[0] + (1.0 - surface.concentration) * here[1]

        return (
            mean(air[0], below.u, momentum),
            mean(air[1], below.v, momentum),
            mean(air[2], below.temperature, heat) - LAPSE * height,
            mean(air[3], below.humidity, vapour),
        )

    def _both(self, height, air, below, ice_roughness):
        wind_u, wind_v, theta, humidity = air
        squared = (wind_u - below.u) ** 2 + (wind_v - below.v) ** 2
        wind = jnp.sqrt(squared + self.gustiness**2)
        vapour = (humidity, below.humidity) if self.moist else (0.0, 0.0)
        number = bulk_richardson(height, wind, theta, vapour[0], below.temperature, vapour[1])
        water = self.water_roughness.lengths(wind[1], height, below.temperature[1])
        if self.snow_roughness is None:
            ice = ice_roughness, self.heat_ratio * ice_roughness
        else:
            like = wind[0], jnp.broadcast_to(theta[0], wind[0].shape), number[0]
            ice = self.snow_roughness.lengths(height, *like, self.similarity)
            water = *water, water[1]
        lengths = [jnp.stack(pair) for pair in zip(ice, water, strict=True)]
        zeta = solve_stability(number, height, *lengths[:2], self.similarity)
        return _Both(wind, zeta, roughness_ratios(height, *lengths), self.similarity)


def _along_pairs(*fields):
    """Fields with a first axis that broadcasts along ice and water."""
    return [jnp.asarray(field)[None] for field in fields]


class _Below(eqx.Module):
    """Ice and water along a first axis."""

    u: Float[Array, "two ..."]
    v: Float[Array, "two ..."]
    temperature: Float[Array, "two ..."]
    humidity: Float[Array, "two ..."]

    @classmethod
    def under(cls, surface, pressure):
        """Those of a mosaic, each with saturated air on it."""
        ice, water = surface.ice_temperature, surface.water_temperature
        saturated = saturation_over_ice(ice, pressure), saturation_over_sea(water, pressure)
        pairs = (surface.ice_u, surface.water_u), (surface.ice_v, surface.water_v), (ice, water)
        return cls(*(jnp.stack(pair) for pair in (*pairs, saturated)))


class _Both(eqx.Module):
    """Air over ice and over water, along a first axis; two ratios or, with vapour's own, three."""

    wind: Float[Array, "two ..."]
    zeta: Float[Array, "two ..."]
    ratios: list[Float[Array, "two ..."]]
    similarity: AbstractSimilarity

    def scales(self, part):
        """Differences to the surface at a part of the height over those at the height."""
        lower = [jnp.minimum(ratio / part, 1.0) for ratio in self.ratios]
        found, above = self._stretched(self.zeta * part, lower), self._here()
        return [low / high for low, high in zip(found, above, strict=True)]

    def momentum(self):
        """Transfer coefficient and what stability makes of the neutral one."""
        momentum = self._here()[0]
        return (KARMAN / momentum) ** 2, (jnp.log(self.ratios[0]) / momentum) ** 2

    def scalars(self):
        """As `momentum`, of heat and of vapour."""
        momentum, *scalars = self._here()
        found = []
        for ratio, scalar in zip((self.ratios[1], self.ratios[-1]), scalars, strict=True):
            neutral = self.similarity.prandtl * jnp.log(self.ratios[0]) * jnp.log(ratio)
            found.append((KARMAN**2 / (momentum * scalar), neutral / (momentum * scalar)))
        return found

    def _here(self):
        return self._stretched(self.zeta, self.ratios)

    def _stretched(self, zeta, ratios):
        """What the logarithms of neutral air become, for momentum, heat and vapour."""
        momentum, heat = stretches(zeta, *ratios[:2], self.similarity)
        if len(ratios) == 2:
            return momentum, heat, heat
        return momentum, heat, stretches(zeta, ratios[0], ratios[2], self.similarity)[1]
