"""When members freeze up and break up, followed from time to time."""

import equinox as eqx
import numpy as np

from floecast.core.calendar import DAY
from floecast.core.variables import ICE_EDGE

NEVER = np.int32(-1)


class Crossings(eqx.Module):
    """What has happened to each cell of each member; arrays ``(member, y, x)``.

    Parameters
    ----------
    ice : bool array
        Whether there was ice at the last time.
    since : int32 array
        Lead at which that began [s]; -1 where it was so from the start.
    freeze_up, break_up : int32 array
        Leads of the first freeze-up and break-up [s]; -1 where none was seen.

    Notes
    -----
    Freeze-up is the first time at which concentration exceeds 15 % where it did not before, and
    stays above for a spell of some days; break-up is the same the other way. The rule is that of
    the day of advance of Stammerjohn et al. (2008), who ask for five days; their day of retreat
    asks that ice stays away for the rest of the year, which no short forecast can see. A crossing
    in the last days, whose spell ends after the forecast, does not count: what is not seen to stay
    is not told.

    References
    ----------
    Stammerjohn, S. E., D. G. Martinson, R. C. Smith, X. Yuan and D. Rind (2008): Trends in
    Antarctic annual sea ice retreat and advance and their relation to El Nino-Southern Oscillation
    and Southern Annular Mode variability. J. Geophys. Res. 113, C03S90,
    doi:10.1029/2007JC004269.
    """

    ice: np.ndarray
    since: np.ndarray
    freeze_up: np.ndarray
    break_up: np.ndarray

    @classmethod
    def begin(cls, concentration):
        """At the start of a forecast, of the concentration ``(member, y, x)`` then [1]."""
        ice = np.asarray(concentration) > ICE_EDGE
        return cls(ice, *(np.full(ice.shape, NEVER) for _ in range(3)))

    def after(self, concentration, lead, spell_days):
        """What is known one time later.

        Parameters
        ----------
        concentration : (member, y, x) array
            [1]
        lead : int
            Of that time [s].
        spell_days : int
            For which ice has to stay, or to stay away.

        Returns
        -------
        Crossings
        """
        ice = np.asarray(concentration) > ICE_EDGE
        since = np.where(ice != self.ice, np.int32(lead), self.since)
        settled = (since != NEVER) & (lead - since >= spell_days * DAY)
        froze = settled & ice & (self.freeze_up == NEVER)
        broke = settled & ~ice & (self.break_up == NEVER)
        return Crossings(
            ice,
            since,
            np.where(froze, since, self.freeze_up),
            np.where(broke, since, self.break_up),
        )


def date_quantiles(leads, levels):
    """Leads by which a share of the members has had an event.

    Parameters
    ----------
    leads : (member, ...) int array
        [s]; -1 for members without the event.
    levels : (quantile,) array
        Shares in (0, 1].

    Returns
    -------
    (quantile, ...) array
        The first lead by which at least that share of all members has had it [s]; NaN where fewer
        have.
    """
    ordered = np.sort(np.where(np.asarray(leads) == NEVER, np.inf, leads), axis=0)
    rank = np.ceil(np.asarray(levels) * len(ordered) - 1e-9).astype(int) - 1
    found = ordered[np.maximum(rank, 0)]
    return np.where(np.isfinite(found), found, np.nan)
