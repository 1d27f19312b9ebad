"""Slab of sea water under the ice: its heat, and what it passes to the ice."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from floecast.core.constants import MELTING_POINT, WATER_DENSITY, WATER_HEAT_CAPACITY
from floecast.core.parameter import bounded

_DAY = 86400.0


def freezing_temperature(salinity):
    """Freezing point of sea water at the surface.

    Parameters
    ----------
    salinity : array or float
        Practical [1].

    Returns
    -------
    array
        [C], Unesco (1983), Technical Papers in Marine Science 44.
    """
    root = jnp.sqrt(salinity)
    return salinity * (-0.0575 + 1.710523e-3 * root - 2.154996e-4 * salinity)


class MixedLayer(eqx.Module):
    """Ocean mixed layer of fixed depth and salinity.

    Parameters
    ----------
    depth : float or (y, x) array
        [m]
    salinity : float or (y, x) array
        Practical [1]. It does not change: melt and freezing move heat only.
    heat_transfer : float
        Stanton number of the exchange with the ice, on the friction speed [1].
    least_friction_speed : float
        Of the water under the ice [m/s].
    water_drag : float
        Drag coefficient between ice and water [1].
    relaxation_time : float
        In which the layer follows `ocean_temperature` of the forcing [s].

    Notes
    -----
    Heat to the ice: ``rho c C_h u* (T - T_f)`` (McPhee 1992, Maykut and McPhee 1995) with
    ``u*^2 = C_w |u_i - u_o|^2 + u*_min^2`` and C_h = 0.006, u*_min = 5 mm/s as in CICE. A bound of
    the friction speed makes still ice melt in warm water; its form keeps gradients smooth. The
    flux is the mean over a layer that cools exponentially during the step, so that no step, however
    long, takes the water past freezing.

    References
    ----------
    McPhee (1992), doi:10.1029/92JC00239; Maykut and McPhee (1995), J. Geophys. Res. 100, 24691.
    """

    depth: Float[Array, "..."] = bounded(30.0, 0)
    salinity: Float[Array, "..."] = bounded(32.0, 0, ends=True)
    heat_transfer: Float[Array, ""] = bounded(0.006, 0, ends=True)
    least_friction_speed: Float[Array, ""] = bounded(0.005, 0)
    water_drag: Float[Array, ""] = bounded(5.5e-3, 0, ends=True)
    relaxation_time: Float[Array, ""] = bounded(30 * _DAY, 0)

    @property
    def freezing_point(self):
        """Of the water [C]."""
        return freezing_temperature(self.salinity)

    @property
    def heat_capacity(self):
        """Of the layer [J/m2/K]."""
        return WATER_DENSITY * WATER_HEAT_CAPACITY * self.depth

    def heat(self, temperature):
        """Heat content against water at its freezing point [J/m2]."""
        return self.heat_capacity * (temperature - self.freezing_point)

    def basal_flux(self, temperature, concentration, squared_speed, dt):
        """Mean heat flux to the ice over a step.

        Parameters
        ----------
        temperature : (y, x) array
            Of the layer [C].
        concentration : (y, x) array
            [1]
        squared_speed : (y, x) array
            Of the ice relative to the water [m2/s2].
        dt : float
            [s]

        Returns
        -------
        (y, x) array
            Per area of ice [W/m2].
        """
        friction = jnp.sqrt(self.water_drag * squared_speed + self.least_friction_speed**2)
        exchange = WATER_DENSITY * WATER_HEAT_CAPACITY * self.heat_transfer * friction
        # exp(-x) is how much of the warmth is left; (1 - exp(-x)) / x tends to 1 without ice.
        decay = concentration * exchange * dt / self.heat_capacity
        some = decay > 1e-4
        safe = jnp.where(some, decay, 1.0)
        mean = jnp.where(some, -jnp.expm1(-safe) / safe, 1.0 - 0.5 * decay)
        return exchange * (temperature - self.freezing_point) * mean

    def relaxation(self, temperature, target, dt):
        """Heat gained by following a given temperature over a step.

        Parameters
        ----------
        temperature : (y, x) array
            Of the layer [C].
        target : (y, x) array or None
            `ocean_temperature` of the forcing [K]; None for no relaxation. Below the freezing
            point it counts as the freezing point.
        dt : float
            [s]

        Returns
        -------
        (y, x) array
            [J/m2]
        """
        if target is None:
            return jnp.zeros_like(temperature)
        target = jnp.maximum(target - MELTING_POINT, self.freezing_point)
        part = -jnp.expm1(-dt / self.relaxation_time)
        return self.heat_capacity * (target - temperature) * part

    def advance(self, temperature, heat):
        """Warm or cool the layer.

        Parameters
        ----------
        temperature : (y, x) array
            [C]
        heat : (y, x) array
            Gained in all [J/m2].

        Returns
        -------
        temperature : (y, x) array
            Never below freezing [C].
        to_freeze : (y, x) array
            Heat that freezing has to give, not negative [J/m2].
        """
        temperature = temperature + heat / self.heat_capacity
        freezing = self.freezing_point
        to_freeze = self.heat_capacity * jnp.maximum(freezing - temperature, 0.0)
        return jnp.maximum(temperature, freezing), to_freeze
