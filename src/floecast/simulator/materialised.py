"""Stages of a kernel whose results are stored, where the compiler would compute them again."""

import jax
from jax.experimental.xla_metadata import set_xla_metadata


def materialised(stage):
    """The stage with its results stored in memory, so that nothing computes them again.

    Parameters
    ----------
    stage : callable
        Of arrays or pytrees of them.

    Returns
    -------
    callable
        XLA for CPUs otherwise repeats a stage for each neighbour at which the next one reads it:
        the substeps of BBM then take three times as long, WENO half as long again. On other
        devices the stage is left to the compiler.
    """
    if jax.default_backend() != "cpu":
        return stage
    # The reverse pass gets the arguments and computes the inside again: quicker than to store it.
    compiled = jax.jit(jax.checkpoint(stage, prevent_cse=False))

    def call(*arguments):
        with set_xla_metadata(inlineable="false"):
            return compiled(*arguments)

    return call
