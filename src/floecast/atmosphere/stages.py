"""What a step of the column keeps for its derivatives, and what it computes again."""

from floecast.core.materialised import materialised

COSTLY = "costly"
"""Name of results that are kept where `costly` is the policy of a checkpoint."""


def costly(primitive, *_, **parameters):
    """Policy of `jax.checkpoint`: keep solutions of linear systems and what is named `COSTLY`."""
    if primitive.name == "name":
        return parameters["name"] == COSTLY
    return primitive.name == "custom_linear_solve"


def stage(function):
    """A part of a step that keeps little for reverse mode and shares nothing with other parts.

    Parameters
    ----------
    function : callable
        Of arrays or pytrees of them.

    Returns
    -------
    callable
        The same. Reverse mode keeps its arguments and what is `costly`, and computes again what is
        not, which takes less time than to store it; see also `materialised`.
    """
    return materialised(function, policy=costly)
