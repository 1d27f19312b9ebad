"""Random keys by name, so that adding a stage shifts no other stream."""

import zlib

import jax
import numpy as np


def named_key(seed, *names):
    """Random key of a named stream.

    Parameters
    ----------
    seed : int or key
        The run's seed, or a key to derive from.
    *names : str or int
        Stage, cycle, member, ...; ``named_key(7, "observations", 3)`` depends on nothing else.

    Returns
    -------
    key

    Notes
    -----
    Each name is folded in (`jax.random.fold_in`) as the CRC-32 of its text, which is the same on
    every machine and in every process.
    """
    key = jax.random.key(seed) if isinstance(seed, int | np.integer) else seed
    for name in names:
        name = int(name) if isinstance(name, np.integer) else name
        key = jax.random.fold_in(key, zlib.crc32(f"{type(name).__name__}:{name}".encode()))
    return key
