"""How patient and how polite a download is."""

import random
import time
from dataclasses import dataclass

from .errors import NotFetched, TryAgain


@dataclass(frozen=True)
class Manners:
    """Limits of a download, the same for every service.

    Parameters
    ----------
    connect_seconds, stall_seconds : float
        How long a server may take to answer, and to send the next bytes [s].
    attempts : int
        Attempts in a row that bring nothing new.
    first_wait, longest_wait : float
        Before the second attempt, doubled before each one after it [s]; a random part of the second
        half is left off, so that many users do not come back at once.
    total_seconds : float
        For one file, with all attempts and waits [s].
    interval : float
        Between two requests [s].
    flush_bytes : int
        Bytes between two flushes to the disk.
    """

    connect_seconds: float = 30
    stall_seconds: float = 60
    attempts: int = 6
    first_wait: float = 2
    longest_wait: float = 120
    total_seconds: float = 3600
    interval: float = 0.5
    flush_bytes: int = 4 * 2**20

    def wait(self, failures):
        """Seconds to wait after so many failures in a row."""
        longest = min(self.first_wait * 2 ** (failures - 1), self.longest_wait)
        return longest * random.uniform(0.5, 1)


def insist(attempt, manners, progress=lambda: 0):
    """Call a function until it does not raise `TryAgain` any more.

    Parameters
    ----------
    attempt : function of a float
        Called with the time of `time.monotonic` at which it has to end.
    manners : Manners
    progress : function
        How much is there; attempts that make it grow are not counted as failures.

    Raises
    ------
    NotFetched
        If too many attempts failed, or there is no time left.
    """
    deadline = time.monotonic() + manners.total_seconds
    furthest, failures = progress(), 0
    while True:
        try:
            return attempt(deadline)
        except TryAgain as fault:
            failures = 1 if progress() > furthest else failures + 1
            furthest = max(furthest, progress())
            wait = max(manners.wait(failures), fault.after or 0)
            if failures >= manners.attempts:
                raise NotFetched(f"{fault} ({failures} attempts)") from None
            if time.monotonic() + wait > deadline:
                asked = f"; asked to come back in {fault.after:.0f} s" if fault.after else ""
                raise NotFetched(f"{fault} (after {manners.total_seconds:.0f} s{asked})") from None
        time.sleep(wait)
