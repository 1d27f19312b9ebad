"""Arrays over the devices of one process or of many."""

import jax
import numpy as np


def placed(tree, sharding):
    """A pytree that every process holds whole, on the devices of a sharding.

    Parameters
    ----------
    tree : pytree
        Arrays of NumPy or JAX, random keys; the same in every process.
    sharding : jax.sharding.Sharding or None
        None leaves it where it is.

    Returns
    -------
    pytree
    """
    if sharding is None:
        return tree
    if sharding.is_fully_addressable:
        return jax.device_put(tree, sharding)

    def of_all(leaf):
        if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(
                of_all(jax.random.key_data(leaf)), impl=jax.random.key_impl(leaf)
            )
        # Each process gives the part of its own devices, and nothing is sent.
        leaf = np.asarray(leaf)
        return jax.make_array_from_callback(leaf.shape, sharding, leaf.__getitem__)

    return jax.tree.map(of_all, tree)
