"""Errors that a user can cause and can mend, and what is told without ending the work."""


class FloecastError(Exception):
    """Base of every error that floecast raises on purpose."""


class InputError(FloecastError):
    """Something handed in is wrong; the message says what, where and what to do (exit code 2)."""


class FloecastWarning(UserWarning):
    """Something was wrong, and what was done instead; the command prints it as one line."""
