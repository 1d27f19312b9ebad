"""What a rheology and a thermodynamics are to the simulator, and how their parameters are kept."""

import abc
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp

from floecast.core.constants import FREEZING_POINT, MELTING_POINT


class AbstractRheology(eqx.Module):
    """How fast the ice moves.

    Attributes
    ----------
    needs : tuple of str
        Names of the forcing fields read.
    """

    needs: eqx.AbstractClassVar[tuple[str, ...]]

    @abc.abstractmethod
    def longest_step(self, grid):
        """Longest step of dynamics and transport that this rheology takes.

        Parameters
        ----------
        grid : Grid
            Of NumPy arrays.

        Returns
        -------
        float
            [s]
        """

    @abc.abstractmethod
    def count_substeps(self, grid, dt):
        """Substeps, or iterations, of a step.

        Parameters
        ----------
        grid : Grid
            Of NumPy arrays.
        dt : float
            Length of the step [s].

        Returns
        -------
        int

        Raises
        ------
        InputError
            If those the user asked for are too few; it names the admissible ones.
        """

    @abc.abstractmethod
    def memory(self, state, grid):
        """What the rheology remembers, at the start of a run.

        Parameters
        ----------
        state : IceState
        grid : Grid

        Returns
        -------
        pytree or None
            None if nothing.
        """

    @abc.abstractmethod
    def advance(self, state, forcing, grid, dt, substeps):
        """Move the velocity, and what else the rheology owns, over one step.

        Parameters
        ----------
        state : SimulatorState
            At the start of the step. Fields that are not the rheology's own pass unchanged.
        forcing : Forcing
            At the two ends of the step.
        grid : Grid
        dt : float
            Length of the step [s].
        substeps : int
            From `count_substeps`.

        Returns
        -------
        state
            With `u` and `v` as means over the step, because they carry the ice through it; with
            the new `damage` and memory of rheologies that break the ice.
        """

    @abc.abstractmethod
    def carry(self, before, after, scheme, grid, dt, substeps):
        """Carry what the rheology owns with the flow.

        Parameters
        ----------
        before, after : SimulatorState
            Before and after the transport of the ice, which has carried `damage` by ice volume.
        scheme : AbstractScheme
        grid : Grid
        dt : float
            [s]
        substeps : int
            Of the scheme.

        Returns
        -------
        state
            `after`, with the rheology's own fields carried.
        """


class AbstractThermodynamics(eqx.Module):
    """How ice and snow grow and melt.

    Attributes
    ----------
    needs : tuple of str
        Names of the forcing fields read.
    """

    needs: eqx.AbstractClassVar[tuple[str, ...]]

    @abc.abstractmethod
    def memory(self, state, fields, grid):
        """What the thermodynamics remembers, at the start of a run.

        Parameters
        ----------
        state : IceState
        fields : dict
            Forcing fields ``(y, x)`` by name at that time; may be empty.
        grid : Grid

        Returns
        -------
        pytree or None
            None if nothing.
        """

    def surface_temperatures(self, state, weather):
        """Skin of the ice and of the water, as the air feels them.

        Parameters
        ----------
        state : SimulatorState
        weather : dict of (y, x) array
            Forcing fields by name.

        Returns
        -------
        ice, water : (y, x) array
            [K]. For a thermodynamics that knows of none the ice is as warm as the 2 m air of the
            forcing, at most at melting, and the water is freezing.
        """
        water = jnp.full_like(state.concentration, FREEZING_POINT)
        return jnp.minimum(weather.get("air_temperature", water), MELTING_POINT), water

    @abc.abstractmethod
    def contents(self, state):
        """What travels with the ice volume, such as enthalpies.

        Parameters
        ----------
        state : SimulatorState

        Returns
        -------
        tuple of (y, x) array
            Per volume of ice, such as [J/m3].
        """

    @abc.abstractmethod
    def with_contents(self, state, contents):
        """The state with contents as they are after transport.

        Parameters
        ----------
        state : SimulatorState
        contents : tuple of (y, x) array
            As `contents` gives them.

        Returns
        -------
        SimulatorState
        """

    @abc.abstractmethod
    def advance(self, state, forcing, grid, dt):
        """Grow and melt ice and snow over one step.

        Parameters
        ----------
        state : SimulatorState
            After transport.
        forcing : Forcing
            At the two ends of the step.
        grid : Grid
        dt : float
            Length of the step [s].

        Returns
        -------
        state
            With new `concentration`, `ice_volume` and `snow_volume`, inside their bounds.
        """


class NoThermodynamics(AbstractThermodynamics):
    """Neither freezes nor melts: for idealised cases of dynamics."""

    needs: ClassVar[tuple[str, ...]] = ()

    def memory(self, state, fields, grid):
        """See `AbstractThermodynamics.memory`; nothing."""
        return None

    def contents(self, state):
        """See `AbstractThermodynamics.contents`; none."""
        return ()

    def with_contents(self, state, contents):
        """See `AbstractThermodynamics.with_contents`."""
        return state

    def advance(self, state, forcing, grid, dt):
        """See `AbstractThermodynamics.advance`; the state itself."""
        return state
