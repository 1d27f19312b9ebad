"""From a configuration to a finished run."""

from .run import run

__all__ = ["run"]
