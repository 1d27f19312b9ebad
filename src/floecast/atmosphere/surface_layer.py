"""Exchange of air with a mosaic of ice and water by similarity, with the drag of floe edges."""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from floecast.core.errors import InputError
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
    ``z0 = a u*^2 / g + b nu / u*`` with neutral ``u* = kappa U / ln(z / z0)``. Two substitutions
    from 0.1 mm stand for the root: it is a closed form, and the drag is within 2 % of the root's.
    The length for heat is ``10 m exp(-kappa / 32.7e-3)``, which gives ``C_hN = 32.7e-3 sqrt(C_dN)``
    of Large and Yeager (2004), theirs of unstable air, in all air.

    References
    ----------
    Charnock (1955), doi:10.1002/qj.49708135027; Smith (1988), doi:10.1029/JC093iC12p15467; Large
    and Yeager (2004), NCAR/TN-460+STR.
    """

    charnock: Float[Array, ""] = eqx.field(converter=parameter, default=0.018)
    smooth: Float[Array, ""] = eqx.field(converter=parameter, default=0.11)
    heat_roughness: Float[Array, ""] = eqx.field(converter=parameter, default=4.87e-5)

    def lengths(self, wind, height, temperature):
        """See `AbstractWaterRoughness.lengths`."""
        thickness, length = viscosity(temperature), 1e-4
        for _ in range(2):
            friction = KARMAN * wind / jnp.log(height / length)
            length = self.charnock * friction**2 / GRAVITY + self.smooth * thickness / friction
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

    Notes
    -----
    The stress on a cell is that of Luepkes and Gryanik (2015) with their stability functions
    replaced by those of the similarity, ``f = C / C_N`` of the skin of ice (i) and of water (w):

    ``C = A C_i + (1 - A) C_w + C_f (A f_i + (1 - A) f_w)``,
    ``C_f = c A (1 - A)^n (ln(10 / z0f) / ln(z / z0f))^2``

    So the edges follow the same similarity, whichever is chosen, and no second formula of
    stability, whose ends differ, joins in. The conductance of the ice holds ``C_f / A``, which is
    finite where there is no ice; edges exchange heat as they take momentum, `form_heat_transfer`.
    Wind enters as ``sqrt(|u - u_s|^2 + gustiness^2)``. Vapour is exchanged as heat is.

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

    def exchange(self, height, wind_u, wind_v, potential_temperature, humidity, surface, pressure):
        """See `AbstractSurfaceLayer.exchange`."""
        air = wind_u, wind_v, potential_temperature, humidity
        ice, water = self._both(height, air, surface, pressure)
        edges, edges_heat = self._edges(height, surface.concentration)
        mixed = [
            surface.concentration * over_ice + (1.0 - surface.concentration) * over_water
            for over_ice, over_water in zip(ice.stability, water.stability, strict=True)
        ]
        heat = ice.heat + edges_heat * mixed[1]
        return Exchange(
            Conductance(
                ice.wind * (ice.momentum + edges * mixed[0]), ice.wind * heat, ice.wind * heat
            ),
            Conductance(
                water.wind * water.momentum, water.wind * water.heat, water.wind * water.heat
            ),
        )

    def profile(
        self, height, level, wind_u, wind_v, potential_temperature, humidity, surface, pressure
    ):
        """See `AbstractSurfaceLayer.profile`; floe edges do not bend the profiles."""
        if height > level:
            raise InputError(
                f"the height wanted, {height:g} m, lies above the level known, {level:g} m; "
                "interpolate between levels there"
            )
        air = wind_u, wind_v, potential_temperature, humidity
        parts = self._both(level, air, surface, pressure)
        weights = surface.concentration, 1.0 - surface.concentration
        ends = (
            (surface.ice_u, surface.ice_v, surface.ice_temperature),
            (surface.water_u, surface.water_v, surface.water_temperature),
        )
        found = [0.0, 0.0, 0.0, 0.0]
        for part, weight, end in zip(parts, weights, ends, strict=True):
            momentum, heat = part.scaled(height / level, self.similarity)
            for k, (above, below, scale) in enumerate(
                zip(air, (*end, part.humidity), (momentum, momentum, heat, heat), strict=True)
            ):
                found[k] = found[k] + weight * (below + scale * (above - below))
        return found[0], found[1], found[2] - LAPSE * height, found[3]

    def _both(self, height, air, surface, pressure):
        wind_u, wind_v, theta, humidity = air
        below = (
            (surface.ice_u, surface.ice_v, surface.ice_temperature, saturation_over_ice),
            (surface.water_u, surface.water_v, surface.water_temperature, saturation_over_sea),
        )
        parts = []
        for is_ice, (u, v, temperature, saturation) in zip((True, False), below, strict=True):
            wind = jnp.sqrt((wind_u - u) ** 2 + (wind_v - v) ** 2 + self.gustiness**2)
            saturated = saturation(temperature, pressure)
            vapour = (humidity, saturated) if self.moist else (0.0, 0.0)
            richardson = bulk_richardson(height, wind, theta, vapour[0], temperature, vapour[1])
            if is_ice:
                rough = surface.ice_roughness
                lengths = rough, self.heat_ratio * rough
            else:
                lengths = self.water_roughness.lengths(wind, height, temperature)
            parts.append(_over(richardson, height, lengths, wind, saturated, self.similarity))
        return parts

    def _edges(self, height, concentration):
        """Neutral transfer by floe edges per area of ice, of momentum and of heat."""
        momentum = form_drag_per_ice(concentration, height, self.form_drag, self.form_exponent)
        ratio = form_heat_transfer(concentration * momentum, self.heat_ratio)
        return momentum, momentum * ratio


class _Part(eqx.Module):
    """Air over one kind of surface."""

    wind: Float[Array, "..."]
    humidity: Float[Array, "..."]
    zeta: Float[Array, "..."]
    ratios: tuple[Float[Array, "..."], Float[Array, "..."]]
    stretched: tuple[Float[Array, "..."], Float[Array, "..."]]
    stability: tuple[Float[Array, "..."], Float[Array, "..."]]
    momentum: Float[Array, "..."]
    heat: Float[Array, "..."]

    def scaled(self, part, similarity):
        """Differences to the surface at a part of the height over those at the height."""
        lower = [jnp.minimum(ratio / part, 1.0) for ratio in self.ratios]
        found = stretches(self.zeta * part, *lower, similarity)
        return [low / high for low, high in zip(found, self.stretched, strict=True)]


def _over(richardson, height, lengths, wind, saturated, similarity):
    zeta = solve_stability(richardson, height, *lengths, similarity)
    ratios = tuple(roughness_ratios(height, *lengths))
    momentum, heat = stretches(zeta, *ratios, similarity)
    neutral, neutral_heat = (-jnp.log(ratio) for ratio in ratios)
    neutral_heat = similarity.prandtl * neutral_heat
    stability = (neutral / momentum) ** 2, neutral * neutral_heat / (momentum * heat)
    drag, transfer = KARMAN**2 / momentum**2, KARMAN**2 / (momentum * heat)
    return _Part(wind, saturated, zeta, ratios, (momentum, heat), stability, drag, transfer)
