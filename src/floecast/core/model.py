"""What every forecast model is."""

from typing import Protocol, runtime_checkable

from jaxtyping import Array, PyTree


@runtime_checkable
class Model(Protocol):
    """A forecast model: simulator, emulator, or any other.

    Attributes
    ----------
    grid : Grid or None
        Where its state lives.
    dt : int
        Length of a step [s].
    """

    grid: object
    dt: int

    def step(self, state: PyTree, forcing: PyTree, key: Array) -> PyTree:
        """State one `dt` later; pure, so that it can be compiled, mapped and differentiated.

        Parameters
        ----------
        state : pytree
        forcing : pytree
            What `between(start, end)` of the forcing gave for this step.
        key : key
            For models that draw noise.
        """
        ...
