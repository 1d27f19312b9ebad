"""Checkpoints: any pytree of arrays, to the bit, with a header that is verified before loading.

What goes on after a kill keeps two of them, so that damage to the last one costs one step back.
"""

import json
import warnings
from importlib.metadata import version
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from floecast.core.atomic import replacing
from floecast.core.errors import FloecastWarning, InputError
from floecast.core.npz import read_arrays

_FORMAT = 1


def save_checkpoint(path, tree, *, config_hash="", former=None):
    """Write a pytree, in one step: whole or not at all.

    Parameters
    ----------
    path : str or Path
        A file that stands there is replaced.
    tree : pytree
        Leaves: arrays of JAX or NumPy, random keys, Python numbers.
    config_hash : str
        Fingerprint of the configuration that the tree belongs to.
    former : path-like, optional
        Where a file that stands there is kept.

    Raises
    ------
    TypeError
        If a leaf is something else.

    Notes
    -----
    A ZIP archive in the form of NumPy's ``.npz``: ``header``, which is JSON text, and one array a
    leaf. Structure that is not in leaves, such as static fields of modules, is not kept.
    """
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    described = [_describe(jax.tree_util.keystr(where), leaf) for where, leaf in leaves]
    header = {
        "format": _FORMAT,
        "config_hash": config_hash,
        "floecast": version("floecast"),
        "jax": version("jax"),
        "leaves": described,
    }
    arrays = {f"leaf{number}": _raw(leaf) for number, (_, leaf) in enumerate(leaves)}
    with replacing(path, former) as partial, partial.open("wb") as file:
        np.savez(file, header=np.array(json.dumps(header)), **arrays)


def former_of(path):
    """Where the checkpoint before the one at `path` is kept, such as ``restart.before.npz``."""
    path = Path(path)
    return path.with_name(f"{path.stem}.before{path.suffix}")


def save_last(path, tree, *, config_hash=""):
    """Write a checkpoint to go on from, and keep the one before it; see `save_checkpoint`."""
    save_checkpoint(path, tree, config_hash=config_hash, former=former_of(path))


def load_last(path, like, *, config_hash=None):
    """Read what `save_last` wrote: the last checkpoint, or the one before it if that is damaged.

    Parameters
    ----------
    path, like, config_hash
        As of `load_checkpoint`. A checkpoint of another configuration counts as absent.

    Returns
    -------
    pytree or None
        None where there is no checkpoint.

    Warns
    -----
    FloecastWarning
        If the last one is damaged or gone and the one before it is taken.

    Raises
    ------
    InputError
        If there are checkpoints and none can be read.
    """
    faults = []
    there = [one for one in (Path(path), former_of(path)) if one.is_file()]
    for one in there:
        try:
            if config_hash is not None and read_header(one)["config_hash"] != config_hash:
                continue
            tree = load_checkpoint(one, like, config_hash=config_hash)
        except InputError as fault:
            faults.append(str(fault))
            continue
        if one != Path(path):
            reason = faults[0] if faults else f"{path} is not there"
            warnings.warn(
                f"{reason}; going on from the checkpoint before it, {one}",
                FloecastWarning,
                stacklevel=2,
            )
        return tree
    if faults:
        gone = " and ".join(str(one) for one in there)
        raise InputError(f"{'; '.join(faults)}; delete {gone} to begin anew")
    return None


def forget_last(path):
    """Delete what `save_last` wrote, once it is needed no more."""
    for one in (Path(path), former_of(path)):
        one.unlink(missing_ok=True)


def load_checkpoint(path, like, *, config_hash=None):
    """Read a pytree that `save_checkpoint` wrote.

    Parameters
    ----------
    path : str or Path
    like : pytree
        Of the same structure, shapes and types; values do not matter, and arrays may be
        `jax.ShapeDtypeStruct` (``eqx.filter_eval_shape``).
    config_hash : str, optional
        Fingerprint that the file must carry; not looked at if left out.

    Returns
    -------
    pytree
        Leaves are of JAX, NumPy or Python as those of `like`.

    Raises
    ------
    InputError
        If there is no such file, it is damaged or of another configuration, or a leaf is missing,
        left over, or of another shape or type.
    """
    header = read_header(path)
    if config_hash is not None and header["config_hash"] != config_hash:
        raise InputError(
            f"{path} belongs to another configuration ({header['config_hash']!r}, expected "
            f"{config_hash!r}); start anew or restore that configuration"
        )
    wanted, structure = jax.tree_util.tree_flatten_with_path(like)
    expected = [_describe(jax.tree_util.keystr(where), leaf) for where, leaf in wanted]
    _compare(path, header["leaves"], expected)
    place = {entry["path"]: number for number, entry in enumerate(header["leaves"])}
    numbers = [place[entry["path"]] for entry in expected]
    arrays = _arrays(path, [f"leaf{number}" for number in numbers])
    loaded = []
    for number, (_, leaf) in zip(numbers, wanted, strict=True):
        entry, array = header["leaves"][number], arrays[f"leaf{number}"]
        shape = array.shape[: len(entry["shape"])] if _is_key(leaf) else array.shape
        if list(shape) != entry["shape"]:
            raise _damaged(path, f"leaf {entry['path']} has shape {array.shape}")
        loaded.append(_restored(path, array, entry, leaf))
    return jax.tree.unflatten(structure, loaded)


def read_header(path):
    """What a checkpoint holds: ``config_hash``, versions, and path, shape and type of each leaf.

    Raises
    ------
    InputError
        If there is no such file, or it is damaged or no checkpoint.
    """
    if not Path(path).is_file():
        raise InputError(f"{path} does not exist; expected a checkpoint of floecast")
    text = str(_arrays(path, ["header"])["header"])
    try:
        header = json.loads(text)
        if header["format"] != _FORMAT:
            raise ValueError(f"format {header['format']}, expected {_FORMAT}")
        parts = [header["config_hash"]]
        parts += [entry[key] for entry in header["leaves"] for key in ("path", "dtype")]
        if not all(isinstance(part, str) for part in parts):
            raise ValueError("the header tells no leaves")
        if not all(isinstance(entry["shape"], list) for entry in header["leaves"]):
            raise ValueError("the header tells no shapes")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(path, error) from error
    return header


def _is_key(leaf):
    return hasattr(leaf, "dtype") and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _describe(where, leaf):
    """Path, shape and type of a leaf, as plain JSON values."""
    if isinstance(leaf, bool | int | float | complex) and not isinstance(leaf, np.generic):
        return {"path": where, "shape": [], "dtype": f"python {type(leaf).__name__}"}
    if not hasattr(leaf, "dtype") or leaf.dtype == object:
        raise TypeError(f"leaf {where} is no array but {type(leaf).__name__}; take it out first")
    described = {"path": where, "shape": list(leaf.shape), "dtype": str(leaf.dtype)}
    if _is_key(leaf) and isinstance(leaf, jax.Array):
        described["generator"] = str(jax.random.key_impl(leaf))
    return described


def _raw(leaf):
    """A leaf as an array of a type that NumPy can write."""
    array = np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)
    if np.dtype(array.dtype.str) != array.dtype:  # bfloat16 and the like
        return array.view(f"u{array.dtype.itemsize}")
    return array


def _restored(path, array, entry, leaf):
    """A leaf from what is in the file, of JAX, NumPy or Python as `leaf` is."""
    if not hasattr(leaf, "dtype"):
        return type(leaf)(array.item())
    if _is_key(leaf):
        try:
            return jax.random.wrap_key_data(jnp.asarray(array), impl=entry["generator"])
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(path, error) from error
    if array.dtype.itemsize != leaf.dtype.itemsize:
        raise _damaged(path, f"leaf {entry['path']} is {array.dtype}")
    array = array.view(leaf.dtype)
    if isinstance(leaf, np.ndarray | np.generic):
        return array if isinstance(leaf, np.ndarray) else array[()]
    restored = jnp.asarray(array)
    if restored.dtype != leaf.dtype:
        raise InputError(f"leaf {entry['path']} is {leaf.dtype}: needs jax_enable_x64 to be loaded")
    return restored


def _compare(path, stored, expected):
    """Refuse a file whose leaves are not those expected, naming the first that differs."""
    stored, expected = ({entry["path"]: entry for entry in side} for side in (stored, expected))
    for where in [*expected, *stored]:
        if where not in stored:
            raise InputError(f"{path} lacks the leaf {where}; it was written by another model")
        if where not in expected:
            raise InputError(f"{path} has a leaf {where} too many; it was written by another model")
        for what in ("shape", "dtype"):
            found, wanted = stored[where][what], expected[where][what]
            if found != wanted:
                raise InputError(f"{path}: leaf {where} has {what} {found}, expected {wanted}")


def _arrays(path, names):
    try:
        return read_arrays(path, names)
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error


def _damaged(path, reason):
    reason = " ".join(str(reason).split())
    return InputError(f"{path} is damaged or no checkpoint of floecast: {reason}")
