"""How physical parameters are kept."""

import jax.numpy as jnp


def parameter(value):
    """A physical parameter as an array leaf, so that it can be mapped and differentiated."""
    return jnp.asarray(value, float)
