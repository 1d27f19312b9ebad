"""Emulators on disk: numbers and a JSON header in a ``.npz`` file, nothing that can run code."""

import json
from importlib.resources import files
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from floecast.core.atomic import replacing
from floecast.core.errors import InputError
from floecast.core.grid import PRESETS, Grid

from .closure import COUNT
from .features import Scaling, feature_names
from .network import UNet
from .ocean import OceanClimatology

VERSION = 1
"""Of the features, the network and the closure: other weights do not fit."""


def save_emulator(emulator, path, card=None):
    """See `Emulator.save`; weights and ocean in half precision where they stay as they are."""
    header = {
        "version": VERSION,
        "grid": emulator.grid.name,
        "dt": emulator.dt,
        "widths": [int(block.scale.shape[0]) for block in emulator.network.down],
        "features": feature_names(),
        "card": card or {},
    }
    arrays = {
        f"network/{number}": np.asarray(leaf, np.float32)
        for number, leaf in enumerate(jax.tree.leaves(emulator.network))
    }
    scaling = emulator.scaling
    arrays |= {"mean": np.asarray(scaling.mean), "deviation": np.asarray(scaling.deviation)}
    arrays |= {f"change/{name}": np.asarray(scaling.change[name]) for name in scaling.change}
    if emulator.ocean is not None:
        arrays |= {
            f"ocean/{name}": np.asarray(field, np.float32)
            for name, field in vars(emulator.ocean).items()
        }
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **arrays)


def load_emulator(kind, name, grid=None):
    """See `Emulator.load`."""
    path = Path(name)
    if str(name) in PRESETS:
        path = files("floecast.emulator") / "assets" / f"{name}.npz"
        if not path.is_file():
            raise InputError(
                f"no weights of {name} ship with floecast; make some with "
                f"`floecast train --preset {name}`"
            )
    elif not path.is_file():
        raise InputError(f"no emulator at {path}, and no preset of that name")
    header, arrays = _read(path)
    if header.get("version") != VERSION or header["features"] != feature_names():
        raise InputError(f"{path} holds an emulator of another version of floecast; train it again")
    if grid is None:
        if header["grid"] not in PRESETS:
            raise InputError(f"{path} was trained on a grid {header['grid']!r}; give grid=")
        grid = Grid.preset(header["grid"])
    shapes = eqx.filter_eval_shape(
        UNet.draw, jax.random.key(0), len(feature_names()), COUNT, tuple(header["widths"])
    )
    leaves, tree = jax.tree.flatten(shapes)
    stored = [arrays.get(f"network/{number}") for number in range(len(leaves))]
    if any(
        array is None or array.shape != leaf.shape
        for array, leaf in zip(stored, leaves, strict=True)
    ):
        raise InputError(f"{path} does not hold the weights its header tells of")
    change = {
        key.removeprefix("change/"): jnp.asarray(array)
        for key, array in arrays.items()
        if key.startswith("change/")
    }
    ocean = None
    if "ocean/current_u" in arrays and arrays["ocean/current_u"].shape[1:] == grid.shape:
        names = ("current_u", "current_v", "ocean_temperature")
        ocean = OceanClimatology(**{n: jnp.asarray(arrays[f"ocean/{n}"]) for n in names})
    return kind(
        grid,
        jax.tree.unflatten(tree, [jnp.asarray(array) for array in stored]),
        Scaling(jnp.asarray(arrays["mean"]), jnp.asarray(arrays["deviation"]), change),
        ocean,
        dt=header["dt"],
    )


def card_of(path):
    """What is told of an emulator's making: the card of its file, as plain values."""
    return _read(Path(path))[0]["card"]


def _read(path):
    """Header and arrays of a file."""
    try:
        with path.open("rb") as file, np.load(file) as stored:
            arrays = {name: stored[name] for name in stored.files}
            return json.loads(arrays.pop("header").tobytes()), arrays
    except (ValueError, KeyError, OSError) as error:
        raise InputError(f"{path} is no emulator of floecast ({error})") from None
