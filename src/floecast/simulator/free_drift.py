"""Free drift: the ice goes where the wind blows it, but not without limit into compact ice."""

from dataclasses import replace
from math import inf
from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from floecast.core.operators import east, north, t_to_u, t_to_v
from floecast.core.parameter import bounded

from .interfaces import AbstractRheology


class FreeDrift(AbstractRheology):
    """Drift as a fraction of the 10 m wind, turned to its right.

    Parameters
    ----------
    wind_factor : float
        Speed of the ice over speed of the wind [1]. Buoys and satellites give 0.014 to 0.021.
    turning_angle : float
        From the wind to the drift, to the right [degrees]. Buoys and satellites give 18 to 32.
    arrest_thickness : float
        Volume per area of compact ice that halves the drift towards it [m].
    compactness : float
        Decay of that resistance with open water, the C of exp(-C (1 - A)) [1].
    sparse_concentration : float
        Concentration on the scale of which the velocity fades to zero in open water [1].

    Notes
    -----
    ``u = w R(-angle) wind * (1 - exp(-A / A_s)) / (1 + r)``, where r belongs to the cell towards
    which the ice moves: ``r = exp(-C (1 - A)) (V / h_a)^4``. The last factor stands in for the
    internal stress: against a coast, ice thickens to about twice `arrest_thickness` and then
    stops what follows. Ice that moves away from thick ice is not held back. As the flux into a
    cell grows with the ice upwind and falls with the ice downwind, it makes no new extremes of
    its own.

    References
    ----------
    Thorndike and Colony (1982), doi:10.1029/JC087iC08p05845, for the law; Hibler (1979),
    doi:10.1175/1520-0485(1979)009<0815:ADTSIM>2.0.CO;2, for C = 20.
    """

    wind_factor: Float[Array, ""] = bounded(0.016, 0, ends=True)
    turning_angle: Float[Array, ""] = bounded(22.0)
    arrest_thickness: Float[Array, ""] = bounded(3.5, 0)
    compactness: Float[Array, ""] = bounded(20.0, 0, ends=True)
    sparse_concentration: Float[Array, ""] = bounded(0.05, 0)

    needs: ClassVar[tuple[str, ...]] = ("wind_u", "wind_v")

    def velocity(self, state, wind_u, wind_v, grid):
        """Drift under a given wind.

        Parameters
        ----------
        state : IceState
        wind_u, wind_v : (y, x) array
            10 m wind along the grid's axes, T points [m/s].
        grid : Grid

        Returns
        -------
        u : (y, x) array
            U points [m/s]; 0 on coasts and without ice.
        v : (y, x) array
            V points [m/s].
        """
        angle = jnp.radians(self.turning_angle)
        along = self.wind_factor * jnp.cos(angle)
        across = self.wind_factor * jnp.sin(angle)
        u = t_to_u(along * wind_u + across * wind_v, grid)
        v = t_to_v(along * wind_v - across * wind_u, grid)

        open_water = 1.0 - state.concentration
        resistance = jnp.exp(-self.compactness * open_water)
        resistance = resistance * (state.ice_volume / self.arrest_thickness) ** 4
        u = u / (1.0 + jnp.where(u > 0, east(resistance), resistance))
        v = v / (1.0 + jnp.where(v > 0, north(resistance), resistance))
        return (
            u * self._presence(t_to_u(state.concentration, grid)),
            v * self._presence(t_to_v(state.concentration, grid)),
        )

    def _presence(self, concentration):
        return -jnp.expm1(-concentration / self.sparse_concentration)

    def longest_step(self, grid):
        """See `AbstractRheology.longest_step`; there is none."""
        return inf

    def count_substeps(self, grid, dt):
        """See `AbstractRheology.count_substeps`; one, as the law has no time in it."""
        return 1

    def memory(self, state, grid):
        """See `AbstractRheology.memory`; free drift remembers nothing."""
        return None

    def carry(self, before, after, scheme, grid, dt, substeps):
        """See `AbstractRheology.carry`; there is nothing to carry."""
        return after

    def advance(self, state, forcing, grid, dt, substeps):
        """See `AbstractRheology.advance`; damage stays as it is, `dt` does not matter."""
        wind = forcing.middle()
        u, v = self.velocity(state, wind["wind_u"], wind["wind_v"], grid)
        return replace(state, u=u, v=v)
