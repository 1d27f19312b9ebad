"""What an analysis gives back."""

from enum import IntEnum

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree


class Status(IntEnum):
    """How an analysis, or one member of it, ended."""

    GOOD = 0
    NO_OBSERVATIONS = 1
    """None without a flag: the ensemble is the background."""
    MEMBER_NOT_FINITE = 2
    """The member was left out and handed back as it came."""
    TOO_FEW_MEMBERS = 3
    """Fewer than two members were finite: the ensemble is the background."""
    STOPPED_EARLY = 4
    """The cost fell, but the outer loop reached its last step before it had ended to fall."""
    NO_DESCENT = 5
    """No step along the last direction lowered the cost: the best found so far is handed back."""
    NOT_FINITE = 6
    """The cost of the background is not finite: the ensemble is the background."""


class Analysis(eqx.Module):
    """Ensemble after the observations, with what they saw before and after.

    Parameters
    ----------
    ensemble : pytree
        Leaves ``(member, ...)``.
    background : pytree
        The ensemble that was handed in.
    observations : Observations
        Those that were handed in; flagged ones had no influence.
    equivalents, background_equivalents : (member, p) array
        What the observation operator sees of the analysis and of the background.
    member_status : (member,) int array
        `Status` of each member.
    status : int
        `Status` of the whole.
    """

    ensemble: PyTree
    background: PyTree
    observations: PyTree
    equivalents: Float[Array, "member p"]
    background_equivalents: Float[Array, "member p"]
    member_status: Int[Array, " member"]
    status: Int[Array, ""]

    @property
    def healthy(self):
        """Members that took part, ``(member,)`` bool."""
        return jnp.asarray(self.member_status) == Status.GOOD
