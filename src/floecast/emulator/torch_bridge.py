"""Emulators made with PyTorch as models, for forecasts and assimilation."""

from math import isfinite

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from floecast.atmosphere.forcing import FIELDS, check_forcing
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.operators import east, north
from floecast.core.parameter import parameter
from floecast.core.state import IceState, check_state
from floecast.core.variables import STATE, VARIABLES

from .torch_function import TorchFunction

NO_ICE = 1e-5
"""Volume per area [m] or concentration [1] that counts as none."""
NEAR = 0.1
"""Part of a field's distance from its bound that a step leaves untouched by the bound."""
_ENDS = {"start": 0, "end": -1}


class TorchEmulator(eqx.Module):
    """A PyTorch network that obeys `core.model.Model`; `from_torch` makes it and tells more.

    Parameters
    ----------
    grid : Grid
    static : dict of (y, x) arrays
        Input channels that do not change, by name.
    input_mean, input_std : (input, 1, 1) array
        Normalisation of the input channels.
    output_mean, output_std : (output, 1, 1) array
        Normalisation of the output channels.
    function : TorchFunction
        The network.
    inputs, outputs : tuple of str
        Names of the channels.
    increments, bounds : bool
        What the network predicts, and whether bounds are put to it.
    dt : int
        Length of a step [s].
    """

    grid: Grid
    static: dict[str, Float[Array, "y x"]]
    input_mean: Float[Array, "input 1 1"]
    input_std: Float[Array, "input 1 1"]
    output_mean: Float[Array, "output 1 1"]
    output_std: Float[Array, "output 1 1"]
    function: TorchFunction = eqx.field(static=True)
    inputs: tuple[str, ...] = eqx.field(static=True)
    outputs: tuple[str, ...] = eqx.field(static=True)
    increments: bool = eqx.field(static=True)
    bounds: bool = eqx.field(static=True)
    dt: int = eqx.field(static=True)

    @property
    def needs(self):
        """Names of the forcing fields that a step reads."""
        names = (name.partition("@") for name in self.inputs)
        return tuple(dict.fromkeys(name for name, at, _ in names if at))

    def start(self, state, forcing=None):
        """The part of a state that the network steps, as an `IceState`."""
        return IceState(**state.fields())

    def check(self, state, forcing, start, end):
        """Refuse what cannot be stepped, before the first step.

        Parameters
        ----------
        state : IceState
        forcing : forcing
            Its values are looked at if it is a `Forcing`; weather in closed form has none yet.
        start, end : int
            Of the run [s since 2000-01-01].

        Raises
        ------
        InputError
            Naming variable, place and number of bad values, or what the forcing lacks.
        """
        leaves = jax.tree.leaves((state, forcing, start))
        if any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
            return  # inside a compiled function there are no values to look at
        check_state(state, self.grid)
        if self.needs and hasattr(forcing, "time"):
            check_forcing(forcing, self.grid, int(start), int(end), self.needs)

    def step(self, state, forcing, key):
        """State one `dt` later.

        Parameters
        ----------
        state : IceState
            Leaves ``(y, x)``.
        forcing : Forcing
            At the two ends of the step; not read if no input is a field of it.
        key : key
            Of the channels ``noise``; not read if there are none.

        Returns
        -------
        IceState
            In the precision of the given concentration.

        Raises
        ------
        InputError
            If the forcing lacks a field.
        """
        dtype = jnp.asarray(state.concentration).dtype
        before = {name: jnp.asarray(field, dtype) for name, field in state.fields().items()}
        mean, std = self.output_mean.astype(dtype), self.output_std.astype(dtype)
        answer = self.function(self._channels(before, forcing, key)) * std + mean
        after = dict(zip(self.outputs, answer, strict=True))
        if self.increments:
            after = {name: before[name] + change for name, change in after.items()}
        if self.bounds:
            after = {name: within_bounds(before[name], after[name], name) for name in after}
        return IceState(**self._consistent(before | after))

    def _channels(self, state, forcing, key):
        """Normalised input of the network, ``(input, y, x)``, in the precision of the state."""
        dtype = state["concentration"].dtype
        mean, std = self.input_mean.astype(dtype), self.input_std.astype(dtype)
        noises = self.inputs.count("noise")
        noise = iter(jax.random.normal(key, (noises, *self.grid.shape), dtype) if noises else ())
        channels = []
        for number, name in enumerate(self.inputs):
            field, at, end = name.partition("@")
            if name == "noise":
                channels.append(next(noise))
            elif at:
                values = _forcing_field(forcing, field)[_ENDS[end]].astype(dtype)
                known = self.grid.mask_t | jnp.isfinite(values)
                channels.append(jnp.where(known, values, mean[number]))
            elif name in STATE:
                channels.append(jnp.where(self._ocean(name), state[name], 0.0))
            else:
                channels.append(self.static[name].astype(dtype))
        return (jnp.stack(channels) - mean) / std

    def _consistent(self, state):
        """Fields by name without anything on land or where there is no ice."""
        told = [name for name in ("ice_volume", "concentration") if name in self.outputs]
        ice = self.grid.mask_t
        for name in told or ("ice_volume", "concentration"):
            ice = ice & ~(state[name] <= NO_ICE)  # what is not a number stays, and is seen
        there = {"T": ice, "U": ice | east(ice), "V": ice | north(ice)}
        return {
            name: jnp.where(there[VARIABLES[name].point] & self._ocean(name), field, 0.0)
            for name, field in state.items()
        }

    def _ocean(self, name):
        masks = {"T": self.grid.mask_t, "U": self.grid.mask_u, "V": self.grid.mask_v}
        return masks[VARIABLES[name].point]


def from_torch(
    module,
    *,
    grid,
    dt,
    inputs,
    outputs,
    input_mean=0.0,
    input_std=1.0,
    output_mean=0.0,
    output_std=1.0,
    static=None,
    increments=True,
    bounds=True,
):
    """A PyTorch emulator as a model that can be run, differentiated and used in an assimilation.

    Parameters
    ----------
    module : torch.nn.Module
        Maps normalised channels ``(batch, input, y, x)`` to normalised channels
        ``(batch, output, y, x)``. A copy in evaluation mode is kept; the module itself is left
        alone. What else its authors do to the channels, such as padding, belongs into a module
        around it.
    grid : Grid
    dt : int
        Length of a step [s], the one the network was trained for.
    inputs : sequence of str
        The input channels in their order. Each is a field of the state (``"ice_volume"``, see
        `variables.STATE`), a field of the forcing at the start or the end of the step
        (``"wind_u@start"``, ``"wind_u@end"``), a name in `static`, or ``"noise"``: standard normal
        numbers, new at each step, independent between cells and between channels so called.
    outputs : sequence of str
        Fields of the state in the order of the output channels. What is not among them stays as it
        was.
    input_mean, input_std, output_mean, output_std : float or array
        Normalisation, one number for all channels or one for each; an input channel is
        ``(field - mean) / std``, an output ``channel * std + mean``, in the units of `VARIABLES`.
    static : dict of (y, x) arrays, optional
        Input fields that do not change, such as a mask, by names of your choice.
    increments : bool
        True if the outputs are to be added to the state, False if they are the new state.
    bounds : bool
        False leaves the outputs as they are, for networks that keep the bounds of `VARIABLES`.

    Returns
    -------
    TorchEmulator

    Raises
    ------
    InputError
        If PyTorch is not installed, a name is not known, a normalisation does not fit, or a trial
        shows that the module does not; see `TorchFunction`.

    Notes
    -----
    Land: fields of the state are 0 there, in the input as in the result. The forcing passes over
    land as it is; where it is not finite, the channel is 0 after normalisation.

    Bounds: `within_bounds` slows a step down on the last tenth of its way to a bound, where the
    authors of published emulators clip; it is smooth and rises with the output wherever there is
    ice, so that no slope is lost. A step from a bound further outward stays on it, with slope 0:
    there is nothing to take away.

    No ice: where the new ice volume is not above `NO_ICE`, or the new concentration, all fields
    are 0; of the two, those that the network predicts decide. Derivatives are those of either
    side.
    """
    if dt != int(dt) or dt < 1:
        raise InputError(f"dt must be a positive whole number of seconds, not {dt}")
    static = {name: np.asarray(field, float) for name, field in (static or {}).items()}
    inputs, outputs = tuple(inputs), tuple(outputs)
    _check_names(inputs, outputs, static)
    for name, field in static.items():
        if field.shape != grid.shape or not np.all(np.isfinite(field)):
            raise InputError(
                f"static field {name!r} must be finite and of shape {grid.shape}, it has shape "
                f"{field.shape} and {np.sum(~np.isfinite(field))} values that are not finite"
            )
    return TorchEmulator(
        grid=grid,
        static={name: parameter(field) for name, field in static.items()},
        input_mean=_of_channels("input_mean", input_mean, inputs),
        input_std=_of_channels("input_std", input_std, inputs),
        output_mean=_of_channels("output_mean", output_mean, outputs),
        output_std=_of_channels("output_std", output_std, outputs),
        function=TorchFunction(module, len(inputs), len(outputs), grid.shape),
        inputs=inputs,
        outputs=outputs,
        increments=bool(increments),
        bounds=bool(bounds),
        dt=int(dt),
    )


def within_bounds(before, after, name):
    """A predicted field, slowed down on its way to its bounds.

    Parameters
    ----------
    before : array
        The field at the start of the step, within its bounds.
    after : array
        What is predicted for the end of the step.
    name : str
        In `VARIABLES`, where the bounds are.

    Returns
    -------
    array
        Within the bounds; `after` itself as long as a tenth (`NEAR`) of the distance to the bound
        is left.

    Notes
    -----
    With d the distance of `before` from a bound, r = d / 10 and x the distance of `after`, counted
    negative outside, the new distance is x for x >= r and r^2 / (2 r - x) below. Value and slope
    are continuous, the slope is positive, and a field that the network keeps is kept to the bit.
    """
    bounds = (VARIABLES[name].lower, 1.0), (VARIABLES[name].upper, -1.0)
    for bound, inward in bounds:
        if not isfinite(bound):
            continue
        room = NEAR * inward * (before - bound)
        beyond = room - inward * (after - bound)
        near = beyond > 0
        some = room > 1e-9  # less is none: the quotient of the two squares would underflow
        left = jnp.where(some, room**2 / (room + jnp.where(near & some, beyond, 1.0)), 0.0)
        after = jnp.where(near, bound + inward * left, after)
    return after


def _forcing_field(forcing, name):
    """Field of a forcing at the two ends of a step."""
    field = None if forcing is None else forcing.fields().get(name)
    if field is None:
        raise InputError(f"the forcing lacks {name}, which the emulator reads")
    return jnp.asarray(field)


def _check_names(inputs, outputs, static):
    """Refuse names of channels that mean nothing."""
    for name in inputs:
        field, _, end = name.partition("@")
        if name in STATE or name in static or name == "noise":
            continue
        if field in FIELDS and end in _ENDS:
            continue
        hint = (
            f"say {name}@start or {name}@end"
            if name in FIELDS
            else "; ".join(
                (
                    f"fields of the state are {', '.join(STATE)}",
                    f"of the forcing, with @start or @end, {', '.join(FIELDS)}",
                    f"of `static` {', '.join(static) or 'none'}",
                    "and noise",
                )
            )
        )
        raise InputError(f"input channel {name!r} is not known: {hint}")
    for name in static:
        if name not in inputs or name in STATE or name == "noise":
            raise InputError(
                f"static field {name!r} must be an input channel and have a name of its own, "
                f"other than noise and the fields of the state"
            )
    for number, name in enumerate(outputs):
        if name not in STATE or name in outputs[:number]:
            raise InputError(
                f"output channel {name!r} must be a field of the state, and only once: "
                f"{', '.join(STATE)}"
            )
    if not inputs or not outputs:
        raise InputError("`inputs` and `outputs` must each name a channel at least")


def _of_channels(what, values, names):
    """A number for each channel, ``(channel, 1, 1)``."""
    values = np.ravel(np.asarray(values, float))
    if values.size not in (1, len(names)):
        raise InputError(f"{what} has {values.size} numbers for {len(names)} channels")
    if not np.all(np.isfinite(values)) or (what.endswith("std") and np.any(values <= 0)):
        wanted = "finite and positive" if what.endswith("std") else "finite"
        raise InputError(f"{what} must be {wanted}, it is {values}")
    return parameter(np.broadcast_to(values, len(names)).reshape(-1, 1, 1))
