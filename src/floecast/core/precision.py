"""In which precision a model computes."""

import jax
import jax.numpy as jnp


def cast(tree, dtype):
    """The same tree with its real arrays in `dtype`; integers and masks stay."""

    def convert(leaf):
        return leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.inexact) else leaf

    return jax.tree.map(convert, tree)
