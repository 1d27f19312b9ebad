"""Temperature of the surface of ice whose model has none, from its heat balance."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from floecast.atmosphere.surface_balance import SurfaceBalance
from floecast.core.constants import FREEZING_POINT, MELTING_POINT, THIN
from floecast.core.parameter import parameter

_LEAST_COVER = 0.01
"""Cover by which volumes are divided where there is less [1]."""


class Skin(eqx.Module):
    """Surface of ice and snow without heat capacity, between the air and freezing water.

    Parameters
    ----------
    balance : SurfaceBalance
    ice_conductivity, snow_conductivity : float
        [W/m/K]

    Notes
    -----
    ``k (T_f - T) = Q(T)`` with ``k = 1 / (h / k_i + h_s / k_s)`` and the loss of heat Q to the air,
    solved as in the zero-layer model: each call linearises Q about the temperature before,
    ``k (T_f - T) = Q + dQ/dT (T - T_before)``. A surface that would be warmer than melting stays
    there. Shortwave that enters bare ice does not warm its surface.

    References
    ----------
    Semtner (1976), doi:10.1175/1520-0485(1976)006<0379:AMFTTG>2.0.CO;2.
    """

    balance: SurfaceBalance = eqx.field(default_factory=SurfaceBalance)
    ice_conductivity: Float[Array, ""] = eqx.field(converter=parameter, default=2.0334)
    snow_conductivity: Float[Array, ""] = eqx.field(converter=parameter, default=0.31)

    def after(self, temperature, ice, weather):
        """Temperature after the fluxes of an interval have been felt.

        Parameters
        ----------
        temperature : (y, x) array
            Before, with which the fluxes were found [K].
        ice : IceState
        weather : dict of (y, x) array
            shortwave, longwave [W/m2], and the `Contact` of a boundary layer as ``contact``.

        Returns
        -------
        (y, x) array
            [K]
        """
        cover = jnp.maximum(ice.concentration, _LEAST_COVER)
        thickness = jnp.maximum(ice.ice_volume / cover, THIN)
        snow_depth = ice.snow_volume / cover
        contact = weather["contact"]
        weather = weather | {
            name: getattr(contact, name)
            for name in ("wind_u", "wind_v", "air_temperature", "humidity")
        }
        celsius = temperature - MELTING_POINT
        flux = self.balance.over_ice(weather, celsius, thickness, snow_depth)
        passes = thickness / self.ice_conductivity + snow_depth / self.snow_conductivity
        conductance = 1.0 / passes
        gained = conductance * (FREEZING_POINT - temperature) - flux.net
        change = gained / (conductance + flux.slope)
        return jnp.minimum(temperature + change, MELTING_POINT)
