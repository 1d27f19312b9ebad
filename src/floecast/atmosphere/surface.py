"""What lies under the air, a mosaic of ice and water, and how well air and surface exchange."""

import abc

import equinox as eqx
from jaxtyping import Array, Float


class Surface(eqx.Module):
    """Ice and open water of grid cells, all leaves of one shape.

    Parameters
    ----------
    concentration : (...) array
        Of the ice [1].
    ice_temperature, water_temperature : (...) array
        Of the skin [K].
    ice_u, ice_v, water_u, water_v : (...) array
        Velocities at the points and along the axes of the wind [m/s].
    ice_roughness : (...) array
        Length for momentum of level ice, without the edges of floes [m].
    """

    concentration: Float[Array, "..."]
    ice_temperature: Float[Array, "..."]
    water_temperature: Float[Array, "..."]
    ice_u: Float[Array, "..."]
    ice_v: Float[Array, "..."]
    water_u: Float[Array, "..."]
    water_v: Float[Array, "..."]
    ice_roughness: Float[Array, "..."]


class Conductance(eqx.Module):
    """Transfer coefficient times relative wind, per area of the surface it belongs to.

    Parameters
    ----------
    momentum, heat, moisture : array
        ``C_d |U|``, ``C_h |U|``, ``C_e |U|`` [m/s].
    """

    momentum: Float[Array, "..."]
    heat: Float[Array, "..."]
    moisture: Float[Array, "..."]


class Exchange(eqx.Module):
    """How a mosaic of ice and water exchanges with the air at one height.

    Parameters
    ----------
    ice, water : Conductance
        The stress on a cell is ``rho (A K_ice (u - u_ice) + (1 - A) K_water (u - u_water))``, and
        so for heat and moisture.
    """

    ice: Conductance
    water: Conductance


class AbstractSurfaceLayer(eqx.Module):
    """The lowest metres of air, where fluxes do not change with height."""

    @abc.abstractmethod
    def exchange(self, height, wind_u, wind_v, potential_temperature, humidity, surface, pressure):
        """Conductances between the air at a height and the surface below.

        Parameters
        ----------
        height : float
            Of the air [m].
        wind_u, wind_v : array
            [m/s]
        potential_temperature : array
            Relative to the surface pressure, so that it equals the temperature there [K].
        humidity : array
            Specific [1].
        surface : Surface
        pressure : float or array
            At the surface [Pa].

        Returns
        -------
        Exchange
            With finite derivatives at concentration 0 and 1 and in calm air.
        """

    @abc.abstractmethod
    def profile(
        self, height, level, wind_u, wind_v, potential_temperature, humidity, surface, pressure
    ):
        """Wind, temperature and humidity at a height below a level where they are known.

        Parameters
        ----------
        height : float
            Wanted, such as 2 or 10 [m].
        level : float
            Known, `height` or more [m].
        wind_u, wind_v, potential_temperature, humidity : array
            At `level`; see `exchange`.
        surface : Surface
        pressure : float or array
            [Pa]

        Returns
        -------
        wind_u, wind_v, temperature, humidity : array
            Means over the mosaic at `height`: relative winds and differences from each surface are
            scaled by the similarity profiles. `temperature` is not potential [K].
        """
