"""How physical parameters are kept, and which values of them are refused."""

import dataclasses
from math import inf
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .errors import InputError


def parameter(value):
    """A physical parameter as an array leaf, so that it can be mapped and differentiated."""
    return jnp.asarray(value, float)


def bounded(default, lower=-inf, upper=inf, *, ends=False) -> Any:
    """Field of a module: a finite parameter between bounds, which `check_parameters` looks at.

    Parameters
    ----------
    default : float or None
        None stays None, for a parameter that may be left out.
    lower, upper : float
    ends : bool
        Whether the bounds themselves are allowed.

    Returns
    -------
    field
    """

    def convert(value):
        return None if value is None and default is None else parameter(value)

    return eqx.field(converter=convert, default=default, metadata={"bounds": (lower, upper, ends)})


def whole_number(value, least=1):
    """Whether a value is an integer, no truth value, and not below `least`."""
    return (
        isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= least)
    )


def check_parameter(name, value, bounds, shape=()):
    """Refuse a parameter that is out of its bounds.

    Parameters
    ----------
    name : str
        For the message.
    value : array
        Not looked at inside a compiled or differentiated function.
    bounds : tuple of (float, float, bool)
        Lower and upper bound, and whether these are allowed.
    shape : tuple of int
        That the value must broadcast to.

    Raises
    ------
    InputError
        Naming the parameter.
    """
    if isinstance(value, jax.core.Tracer):
        return
    value, (lower, upper, ends) = np.asarray(value), bounds
    excess = value.ndim - len(shape)
    if excess > 0 or any(
        own not in (1, there) for own, there in zip(value.shape, shape[-excess:], strict=True)
    ):
        expected = f"one number or an array {shape}" if shape else "one number"
        raise InputError(f"{name} has shape {value.shape}; expected {expected}")
    inside = (value >= lower) & (value <= upper) if ends else (value > lower) & (value < upper)
    good = inside & np.isfinite(value)
    if not np.all(good):
        brackets = "[]" if ends else "()"
        raise InputError(
            f"{name} is {value[~good].flat[0]!s}; expected a finite value in "
            f"{brackets[0]}{lower:g}, {upper:g}{brackets[1]}"
        )


def check_parameters(part, shape):
    """Refuse parameters of a module, or of one inside it, that are out of their bounds.

    Parameters
    ----------
    part : module
        Whose fields are made by `bounded`; others are not looked at.
    shape : tuple of int
        Of the grid: what a parameter that may differ from cell to cell must broadcast to.

    Raises
    ------
    InputError
        Naming the parameter and the class it belongs to.
    """
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if isinstance(value, eqx.Module):
            check_parameters(value, shape)
        elif "bounds" in field.metadata and value is not None:
            by_cell = getattr(field.type, "dim_str", "") == "..."
            name = f"{field.name} of {type(part).__name__}"
            check_parameter(name, value, field.metadata["bounds"], shape if by_cell else ())
