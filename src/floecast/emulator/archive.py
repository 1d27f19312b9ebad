"""What an emulator learns from."""

import equinox as eqx
import numpy as np

from floecast.atmosphere.forcing import Forcing
from floecast.core.calendar import HOUR
from floecast.core.errors import InputError
from floecast.core.state import IceState


class Archive(eqx.Module):
    """A trajectory to learn from: states and forcing at the same, ascending times.

    Parameters
    ----------
    state : IceState
        NumPy leaves ``(time, y, x)``.
    forcing : Forcing
        NumPy leaves ``(time, y, x)``; its times are those of the states, with gaps where years do
        not touch.
    """

    state: IceState
    forcing: Forcing

    @property
    def time(self):
        """Times [s since 2000-01-01]."""
        return np.asarray(self.forcing.time)

    @property
    def spacing(self):
        """Between neighbouring times [s]."""
        return int(np.min(np.diff(self.time)))

    def beginnings(self, steps, dt):
        """Where an unbroken piece of the trajectory begins.

        Parameters
        ----------
        steps : int
            Length of the piece.
        dt : int
            Length of a step [s].

        Returns
        -------
        (n,) int array
            Indices of first times; the following ones are `stride(dt)` apart.

        Raises
        ------
        InputError
            If no piece is so long.
        """
        length = steps * self.stride(dt)
        first, last = self.time[: len(self.time) - length], self.time[length:]
        found = np.flatnonzero(last - first == steps * dt)
        if not len(found):
            raise InputError(
                f"the archive holds no unbroken {steps} steps of {dt / HOUR:g} h: "
                f"{len(self.time)} times, {self.spacing / HOUR:g} h apart"
            )
        return found

    def stride(self, dt):
        """Number of times in a step of `dt` seconds; an InputError if it is not whole."""
        if dt < self.spacing or dt % self.spacing:
            raise InputError(
                f"steps of {dt / HOUR:g} h cannot be taken from an archive "
                f"with times {self.spacing / HOUR:g} h apart"
            )
        return dt // self.spacing

    def pieces(self, beginnings, steps, dt):
        """Some pieces of the trajectory.

        Parameters
        ----------
        beginnings : (batch,) int array
            From `beginnings`.
        steps, dt
            As there.

        Returns
        -------
        Archive
            Leaves ``(batch, steps + 1, y, x)``.
        """
        stride = self.stride(dt)
        taken = np.asarray(beginnings)[:, None] + stride * np.arange(steps + 1)
        states = {name: field[taken] for name, field in self.state.fields().items()}
        fields = {name: field[taken] for name, field in self.forcing.fields().items()}
        return Archive(IceState(**states), Forcing(self.time[taken], **fields))
