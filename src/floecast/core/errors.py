"""Errors that a user can cause and can mend."""


class FloecastError(Exception):
    """Base of every error that floecast raises on purpose."""


class InputError(FloecastError):
    """Something handed in is wrong; the message says what, where and what to do (exit code 2)."""
