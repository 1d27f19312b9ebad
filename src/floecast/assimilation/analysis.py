"""What an analysis gives back."""

from enum import IntEnum

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from floecast.core import display


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
        What the observation operator sees of the analysis and of the background, in the units of
        the values.
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

    def __repr__(self):
        return display.text(self)

    def _repr_html_(self):
        return display.page(self)

    def _card(self):
        healthy, flag = np.asarray(self.healthy), np.asarray(self.observations.flag)
        facts = [
            ("status", Status(int(self.status)).name.lower().replace("_", " ")),
            ("members", f"{int(healthy.sum())} of {healthy.size} took part"),
            ("observations", f"{int(np.sum(flag == 0))} of {flag.size} without a flag"),
        ]
        if flag.size:
            good = flag == 0
            for name, seen in (
                ("RMS misfit before", self.background_equivalents),
                ("RMS misfit after", self.equivalents),
            ):
                facts.append((name, self._misfit(np.asarray(seen)[healthy][:, good], good)))
        return display.Card("Analysis", facts)

    def _misfit(self, seen, good):
        """RMS of observation minus ensemble mean over the standard error, as text."""
        if not seen.size:
            return "none"
        departure = np.asarray(self.observations.value)[good] - seen.mean(axis=0)
        scaled = departure / np.asarray(self.observations.error_std)[good]
        return f"{float(np.sqrt(np.mean(scaled**2))):.3g} standard errors"

    def _pictures(self):
        """Mean concentration and the change of the mean volume, where the members are of ice."""
        healthy = np.asarray(self.healthy)
        if not (healthy.any() and hasattr(self.ensemble, "concentration")):
            return []

        def mean(states, name):
            return display.layer(np.asarray(getattr(states, name))[healthy])

        change = mean(self.ensemble, "ice_volume") - mean(self.background, "ice_volume")
        return [
            display.Picture("concentration", mean(self.ensemble, "concentration"), "ice"),
            display.Picture("change of ice_volume [m]", change, "change"),
        ]
