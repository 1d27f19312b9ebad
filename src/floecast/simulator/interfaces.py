"""What a rheology and a thermodynamics are to the simulator, and how their parameters are kept."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp


class AbstractRheology(eqx.Module):
    """How fast the ice moves.

    Attributes
    ----------
    needs : tuple of str
        Names of the forcing fields read.
    """

    needs: eqx.AbstractClassVar[tuple[str, ...]]

    @abc.abstractmethod
    def advance(self, state, forcing, grid, dt):
        """Move the velocity, and what else the rheology carries, over one step.

        Parameters
        ----------
        state : IceState, or a state with the same fields and more
            At the start of the step. Fields that are not the rheology's own pass unchanged.
        forcing : Forcing
            At the two ends of the step.
        grid : Grid
        dt : int
            Length of the step [s].

        Returns
        -------
        state
            With `u` and `v` as means over the step, because they carry the ice through it; with
            the new `damage` and internal fields of rheologies that break the ice.
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
    def advance(self, state, forcing, grid, dt):
        """Grow and melt ice and snow over one step.

        Parameters
        ----------
        state : IceState, or a state with the same fields and more
            After transport.
        forcing : Forcing
            At the two ends of the step.
        grid : Grid
        dt : int
            Length of the step [s].

        Returns
        -------
        state
            With new `concentration`, `ice_volume` and `snow_volume`, inside their bounds.
        """


def parameter(value):
    """A physical parameter as an array leaf, so that it can be mapped and differentiated."""
    return jnp.asarray(value, float)


def cast(tree, dtype):
    """The same tree with its real arrays in `dtype`; integers and masks stay."""

    def convert(leaf):
        return leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.inexact) else leaf

    return jax.tree.map(convert, tree)
