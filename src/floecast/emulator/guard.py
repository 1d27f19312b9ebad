"""Refusing what an emulator cannot step."""

import jax

from floecast.atmosphere.forcing import check_forcing
from floecast.core.state import check_state


def check_input(model, state, forcing, start, end):
    """Refuse a state or forcing that cannot be stepped, before the first step.

    Parameters
    ----------
    model : Emulator or CoupledEmulator
    state : pytree
        With the fields of `IceState`.
    forcing : forcing
        One without a time axis, such as `SyntheticWeather`, is looked at over the first step.
        Traced values are not looked at.
    start, end : int
        Of the run [s since 2000-01-01].

    Raises
    ------
    InputError
        Naming variable, place and number of bad values, or the hours that are missing.
    """
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((state, start))):
        return
    check_state(state, model.grid)
    given = forcing
    if getattr(forcing, "time", None) is None:
        given, end = forcing.between(start, start + model.dt), start + model.dt
    if not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(given)):
        check_forcing(given, model.grid, int(start), int(end), model.needs)
