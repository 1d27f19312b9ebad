"""Errors that a user can cause and can mend, and what is told without ending the work."""


class FloecastError(Exception):
    """Base of every error that floecast raises on purpose."""


class InputError(FloecastError):
    """Something handed in is wrong; the message says what, where and what to do (exit code 2)."""


class FloecastWarning(UserWarning):
    """Something was wrong, and what was done instead; the command prints it as one line."""


def shown(value):
    """Text of a refused number: all digits where six of them would show another one."""
    short = f"{value:g}"
    return short if value.dtype.type(short) == value or value != value else str(value)
