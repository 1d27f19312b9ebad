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

    Notes
    -----
    A model that remembers more than the shared state has a method ``start(state, forcing)`` too,
    which makes its own state of a shared one; see `started`. One that can tell bad input has
    ``check(state, forcing, start, end)``, which raises an InputError before the first step.
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


def started(model, state, forcing=None):
    """The state that a model steps, of one that every model shares.

    Parameters
    ----------
    model : Model
    state : pytree
    forcing : Forcing, optional
        Around the start of the run.

    Returns
    -------
    pytree
        ``model.start(state, forcing)`` where the model has that method, else `state`.
    """
    start = getattr(model, "start", None)
    return state if start is None else start(state, forcing)


def check_run(model, state, forcing, start, end):
    """Let the model refuse what it cannot step; see `Model`."""
    check = getattr(model, "check", None)
    if check is not None:
        check(state, forcing, start, end)
