"""Stages of a kernel whose results are stored, where the compiler would compute them again."""

import jax
from jax.experimental.xla_metadata import set_xla_metadata


def materialised(stage, policy=None):
    """The stage with its results stored in memory, so that nothing computes them again.

    Parameters
    ----------
    stage : callable
        Of arrays or pytrees of them.
    policy : callable, optional
        Of `jax.checkpoint`: what the reverse pass keeps beside the arguments; nothing if left out.

    Returns
    -------
    callable
        XLA for CPUs otherwise repeats a stage for each neighbour at which the next one reads it:
        the substeps of BBM then take three times as long, WENO half as long again. The reverse
        pass computes the inside again, which is quicker than to store it. On other devices the
        stage is left to the compiler.
    """
    if jax.default_backend() != "cpu":
        return stage

    def whole(*arguments):
        with set_xla_metadata(inlineable="true"):  # of calls within the stage
            return stage(*arguments)

    whole.__name__ = stage.__name__  # in profiles
    compiled = jax.jit(jax.checkpoint(whole, prevent_cse=False, policy=policy))

    def call(*arguments):
        with set_xla_metadata(inlineable="false"):
            return compiled(*arguments)

    return call
