"""The emulator: features, network and closure put together as a `Model`."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from floecast.atmosphere.forcing import WEATHER
from floecast.core import display
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.precision import cast
from floecast.core.state import IceState

from .closure import COUNT, Budget, Outputs, close
from .features import OCEAN, Scaling, feature_names, features
from .guard import check_input
from .network import WIDTHS, Masks, UNet
from .ocean import OceanClimatology
from .storage import load_emulator, save_emulator
from .torch_bridge import from_torch


class Advanced(NamedTuple):
    """A step of the emulator and what it did."""

    state: IceState
    budget: Budget


class Emulator(eqx.Module):
    """Neural emulator that obeys `core.model.Model`; each step with a new key is one sample.

    Parameters
    ----------
    grid : Grid
        Rows and columns are multiples of eight.
    network : UNet
    scaling : Scaling
        Of what it learned from.
    ocean : OceanClimatology or None
        What the forcing lacks of currents and ocean temperature.
    dt : int
        Length of a step [s].
    noise_scale : () array
        Of the noise; 1 as trained, 0 for the deterministic form [1].
    network_dtype : str or None
        In which the network computes, such as ``"bfloat16"``; as everything else if None.

    Notes
    -----
    A step shows the network the state, the forcing at both ends, the ocean, place and season. It
    answers with velocities, factors on the fluxes through faces, and rates of growth and melt;
    `closure.close` makes the next state of these, within its bounds and with a closed budget
    whatever the network says. It computes in the precision of the state's concentration.
    """

    grid: Grid
    masks: Masks
    network: UNet
    scaling: Scaling
    ocean: OceanClimatology | None
    noise_scale: Float[Array, ""]
    dt: int = eqx.field(static=True)
    network_dtype: str | None = eqx.field(static=True)

    def __init__(
        self,
        grid,
        network,
        scaling,
        ocean=None,
        *,
        dt=43200,
        noise_scale=1.0,
        network_dtype=None,
    ):
        if dt != int(dt) or dt < 1:
            raise InputError(f"dt must be a positive whole number of seconds, not {dt}")
        self.grid = grid
        self.masks = Masks.of(grid, network.levels)
        self.network = network
        self.scaling = scaling
        self.ocean = ocean
        self.noise_scale = jnp.asarray(noise_scale, float)
        self.dt = int(dt)
        self.network_dtype = network_dtype

    @classmethod
    def untrained(cls, grid, scaling, ocean=None, *, key, dt=43200, widths=WIDTHS):
        """An emulator with random weights: free of noise it carries the ice and little else.

        Parameters
        ----------
        grid : Grid
        scaling : Scaling
        ocean : OceanClimatology, optional
        key : key
        dt : int
            [s]
        widths : sequence of int
            Channels of the levels of the network.

        Returns
        -------
        Emulator
        """
        network = UNet.draw(key, len(feature_names()), COUNT, widths)
        return cls(grid, network, scaling, ocean, dt=dt)

    @classmethod
    def load(cls, name, grid=None):
        """An emulator from disk.

        Parameters
        ----------
        name : str or path
            Name of a preset whose weights ship with floecast, or a file of `save`.
        grid : Grid, optional
            To run on in place of the preset it was trained on: the same network on other cells.

        Returns
        -------
        Emulator

        Raises
        ------
        InputError
            If there is no such file, or it is of another version.
        """
        return load_emulator(cls, name, grid)

    @staticmethod
    def from_torch(module, **described):
        """A PyTorch emulator as a `Model` with exact derivatives; see `torch_bridge.from_torch`.

        Parameters
        ----------
        module : torch.nn.Module
            Maps normalised channels ``(batch, input, y, x)`` to ``(batch, output, y, x)``.
        **described
            Grid, step, channels and normalisation, as in `torch_bridge.from_torch`.

        Returns
        -------
        TorchEmulator

        Raises
        ------
        InputError
            If PyTorch is not installed, or the module is not as described.
        """
        return from_torch(module, **described)

    def save(self, path, card=None):
        """Write to a ``.npz`` file in one step.

        Parameters
        ----------
        path : path-like
        card : dict, optional
            How it was made, as plain JSON values.
        """
        save_emulator(self, path, card)

    @property
    def needs(self):
        """Names of the forcing fields that a step reads."""
        return WEATHER if self.ocean is not None else WEATHER + OCEAN

    def check(self, state, forcing, start, end):
        """Refuse what cannot be stepped, before the first step.

        Parameters
        ----------
        state, forcing, start, end
            As in `guard.check_input`.

        Raises
        ------
        InputError
            Naming variable, place and number of bad values, or the hours that are missing.
        """
        check_input(self, state, forcing, start, end)

    def with_ocean(self, forcing):
        """Forcing of a step with what it lacks of currents and ocean temperature.

        Parameters
        ----------
        forcing : Forcing
            At the two ends of a step.

        Returns
        -------
        Forcing
        """
        if self.ocean is None:
            return forcing
        return forcing.with_absent(self.ocean.between(*forcing.time))

    def draw(self, key):
        """Noise of a step: standard normal fields, one for each level of the network.

        In single precision, so that a key stands for the same noise in a run of either precision.

        Parameters
        ----------
        key : key

        Returns
        -------
        tuple of (y, x, channel) arrays
            [1]
        """
        shapes = self.network.noise_shapes(self.grid.shape)
        keys = jax.random.split(key, len(shapes))
        return tuple(
            jax.random.normal(one, shape, jnp.float32)
            for one, shape in zip(keys, shapes, strict=True)
        )

    def step(self, state, forcing, key):
        """One sample of the state one `dt` later.

        Parameters
        ----------
        state : IceState
            Leaves ``(y, x)``.
        forcing : Forcing
            At the two ends of the step.
        key : key
            Of the noise.

        Returns
        -------
        IceState
        """
        return self.advance(state, forcing, self.draw(key)).state

    def advance(self, state, forcing, noise):
        """The step for given noise, with its budget.

        Parameters
        ----------
        state, forcing
            As in `step`.
        noise : tuple of (y, x, channel) arrays or None
            From `draw` [1]; none for the deterministic form.

        Returns
        -------
        state : IceState
        budget : Budget
        """
        dtype = state.concentration.dtype
        model, forcing, noise = cast((self, forcing, noise), dtype)
        forcing = cast(model.with_ocean(forcing), dtype)
        shown = features(state, forcing, model.grid)
        shown = model.scaling.apply(shown, model.masks.sea[0])
        if noise is not None:
            noise = tuple(model.noise_scale * field for field in noise)
        given = model.network, shown, model.masks, noise
        if self.network_dtype is not None:
            given = cast(given, self.network_dtype)
        network, *given = given
        outputs = Outputs.of(network(*given).astype(dtype))
        snowfall = jnp.mean(forcing.snowfall, axis=0)
        return Advanced(*close(state, snowfall, outputs, model.scaling.change, model.grid, self.dt))

    def __repr__(self):
        return display.text(self)

    def _repr_html_(self):
        return display.page(self)

    def _card(self):
        weights = sum(leaf.size for leaf in jax.tree.leaves(self.network))
        noise = float(self.noise_scale)
        facts = [
            ("on", f"{self.grid.name}, {display.shape_text(self.grid.shape)}"),
            ("step", f"{self.dt / 3600:g} h"),
            (
                "network",
                f"{self.network.levels} levels, {weights} weights",
            ),
            ("computes in", self.network_dtype or "the precision of the state"),
            ("noise", "none, deterministic" if noise == 0 else f"scale {noise:g}"),
            ("ocean", "that of the forcing" if self.ocean is None else "own climatology"),
        ]
        return display.Card("Emulator", facts)
