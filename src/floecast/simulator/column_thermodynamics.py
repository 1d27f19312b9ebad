"""What the thermodynamics with a column of ice over a mixed layer have in common."""

import abc
from typing import ClassVar

import equinox as eqx
from jaxtyping import Array, Float

from floecast.atmosphere.surface_balance import SurfaceBalance
from floecast.core.constants import MELTING_POINT

from .ice_cover import NEEDS, Cover, advance_cover, read_weather, squared_drift, with_cover
from .interfaces import AbstractThermodynamics
from .mixed_layer import MixedLayer


class AbstractColumnThermodynamics(AbstractThermodynamics):
    """A column of ice and snow under a bulk surface balance, over a slab mixed layer.

    Its memory has at least `surface_temperature` and `mixed_layer_temperature`, ``(y, x)`` [C].

    Attributes
    ----------
    surface : SurfaceBalance
    mixed_layer : MixedLayer
    closing_thickness : float
        Hibler's h0: thickness in which open water freezes over [m].
    """

    surface: eqx.AbstractVar[SurfaceBalance]
    mixed_layer: eqx.AbstractVar[MixedLayer]
    closing_thickness: eqx.AbstractVar[Float[Array, ""]]

    needs: ClassVar[tuple[str, ...]] = NEEDS

    @abc.abstractmethod
    def enthalpies(self, memory):
        """Enthalpy of each layer of ice.

        Parameters
        ----------
        memory : pytree
            `thermodynamics` of a state.

        Returns
        -------
        tuple of (y, x) array
            Per volume of ice [J/m3].
        """

    @abc.abstractmethod
    def remembered(self, cover):
        """The memory that goes with a `Cover`."""

    @abc.abstractmethod
    def new_ice(self, freezing_point):
        """Enthalpies of ice that has just frozen.

        Parameters
        ----------
        freezing_point : (...) array
            [C]

        Returns
        -------
        tuple of (...) array
            Of each layer [J/m3].
        """

    @abc.abstractmethod
    def step_column(self, column, flux, ocean_flux, bottom_temperature, snowfall, dt):
        """Advance the column by one step.

        Parameters
        ----------
        column : Column
        flux : SurfaceFlux
            At the surface temperature of `column`.
        ocean_flux : (...) array
            From the ocean to the ice [W/m2].
        bottom_temperature : (...) array
            [C]
        snowfall : (...) array
            [kg/m2/s]
        dt : float
            [s]

        Returns
        -------
        Column
        ColumnChange
        """

    def surface_temperatures(self, state, weather):
        """See `AbstractThermodynamics.surface_temperatures`."""
        memory = state.thermodynamics
        return (
            memory.surface_temperature + MELTING_POINT,
            memory.mixed_layer_temperature + MELTING_POINT,
        )

    def cover(self, state):
        """What the column sees of a state.

        Parameters
        ----------
        state : SimulatorState

        Returns
        -------
        Cover
        """
        memory = state.thermodynamics
        return Cover(
            concentration=state.concentration,
            ice_volume=state.ice_volume,
            snow_volume=state.snow_volume,
            damage=state.damage,
            age=state.age,
            surface_temperature=memory.surface_temperature,
            enthalpy=self.enthalpies(memory),
            water_temperature=memory.mixed_layer_temperature,
        )

    def advance(self, state, forcing, grid, dt):
        """See `AbstractThermodynamics.advance`; snowfall is read where the forcing has it."""
        return self.advance_with_budget(state, forcing, grid, dt)[0]

    def advance_with_budget(self, state, forcing, grid, dt):
        """`advance`, with what went in and out.

        Parameters
        ----------
        state, forcing, grid, dt
            As in `advance`.

        Returns
        -------
        state : SimulatorState
        budget : Budget
        """
        weather = read_weather(forcing, grid)
        drift = squared_drift(state, weather, grid)
        cover, budget = advance_cover(self.cover(state), weather, drift, dt, self)
        return with_cover(state, cover, self.remembered(cover), grid), budget
