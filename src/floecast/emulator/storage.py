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
from floecast.core.npz import read_arrays
from floecast.core.variables import STATE

from .closure import COUNT
from .features import Scaling, feature_names
from .network import UNet
from .ocean import OceanClimatology

VERSION = 1
"""Of the features, the network and the closure: other weights do not fit."""
WIDEST, MOST_LEVELS = 4096, 12
"""Channels and levels of a network that are believed."""
_OCEAN = ("current_u", "current_v", "ocean_temperature")


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
    if header.get("version") != VERSION or header.get("features") != feature_names():
        raise InputError(f"{path} holds an emulator of another version of floecast; train it again")
    _check_header(path, header)
    if grid is None:
        if header["grid"] not in PRESETS:
            raise InputError(f"{path} was trained on a grid {header['grid']!r}; give grid=")
        grid = Grid.preset(header["grid"])
    shapes = eqx.filter_eval_shape(
        UNet.draw, jax.random.key(0), len(feature_names()), COUNT, tuple(header["widths"])
    )
    leaves, tree = jax.tree.flatten(shapes)
    wanted = {f"network/{number}": leaf.shape for number, leaf in enumerate(leaves)}
    wanted |= {"mean": (len(feature_names()),), "deviation": (len(feature_names()),)}
    wanted |= {f"change/{name}": () for name in STATE}
    seasons = arrays["ocean/current_u"].shape[:1] if "ocean/current_u" in arrays else None
    if seasons is not None and arrays["ocean/current_u"].shape[1:] == grid.shape:
        wanted |= {f"ocean/{name}": (*seasons, *grid.shape) for name in _OCEAN}
    _check_arrays(path, arrays, wanted)
    stored = [arrays[f"network/{number}"] for number in range(len(leaves))]
    change = {name: jnp.asarray(arrays[f"change/{name}"]) for name in STATE}
    ocean = None
    if f"ocean/{_OCEAN[0]}" in wanted:
        ocean = OceanClimatology(**{n: jnp.asarray(arrays[f"ocean/{n}"]) for n in _OCEAN})
    return kind(
        grid,
        jax.tree.unflatten(tree, [jnp.asarray(array) for array in stored]),
        Scaling(jnp.asarray(arrays["mean"]), jnp.asarray(arrays["deviation"]), change),
        ocean,
        dt=header["dt"],
    )


def _check_header(path, header):
    """Refuse a header that tells of no network of a size that can be meant."""
    widths, dt = header.get("widths"), header.get("dt")
    right = (
        isinstance(header.get("grid"), str)
        and isinstance(widths, list)
        and 1 <= len(widths) <= MOST_LEVELS
        and all(type(width) is int and 1 <= width <= WIDEST for width in widths)
        and type(dt) is int
        and dt > 0
    )
    if not right:
        raise InputError(f"{path} is no emulator of floecast: its header tells no grid, dt, widths")


def _check_arrays(path, arrays, wanted):
    """Refuse weights of other shapes than the header tells of, and such as are no numbers."""
    for name, shape in wanted.items():
        array = arrays.get(name)
        if array is None or array.shape != shape or array.dtype.kind != "f":
            found = "nothing" if array is None else f"{array.dtype} {array.shape}"
            raise InputError(
                f"{path} does not hold the weights its header tells of: {name} is {found}, "
                f"expected numbers {shape}"
            )
        land = name.startswith("ocean/") and np.isfinite(array).any()
        if not land and not np.isfinite(array).all():
            raise InputError(f"{path} holds weights that are not finite: {name}; train it again")


def _read(path):
    """Header and arrays of a file."""
    try:
        arrays = read_arrays(path)
        header = json.loads(arrays.pop("header").tobytes())
    except (ValueError, KeyError, OSError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} is no emulator of floecast ({reason})") from None
    if not isinstance(header, dict):
        raise InputError(f"{path} is no emulator of floecast (a header of {type(header).__name__})")
    return header, arrays
