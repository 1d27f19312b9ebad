"""What can go wrong with one file while the others still come."""

from floecast.core.errors import FloecastError


class NotThere(FloecastError):
    """The server has no such file."""


class NotFetched(FloecastError):
    """The server has it, but it did not come, or not whole."""


class TryAgain(Exception):
    """A fault that may pass.

    Parameters
    ----------
    reason : str
    after : float, optional
        How long the server asks to be left alone [s].
    """

    def __init__(self, reason, after=None):
        super().__init__(reason)
        self.after = after
