"""Heights of the cells of a column of air."""

import equinox as eqx
import numpy as np

from floecast.core.errors import InputError


class Levels(eqx.Module):
    """Cells of a column; fields lie at their centres, turbulence at the interfaces between them.

    Parameters
    ----------
    edges : tuple of float
        Heights of the interfaces above the surface, ascending from 0 to the top [m].
    """

    edges: tuple[float, ...] = eqx.field(static=True, converter=lambda z: tuple(map(float, z)))

    def __check_init__(self):
        rising = all(low < high for low, high in zip(self.edges, self.edges[1:], strict=False))
        if len(self.edges) < 5 or self.edges[0] != 0.0 or not rising:
            raise InputError("levels: edges must ascend from 0 and bound at least four cells")

    @classmethod
    def uniform(cls, count, top):
        """Cells of one thickness.

        Parameters
        ----------
        count : int
            Number of cells.
        top : float
            [m]

        Returns
        -------
        Levels
        """
        return cls(np.linspace(0.0, top, count + 1))

    @classmethod
    def stretched(cls, count=40, top=2000.0, lowest=5.0):
        """Cells that thicken upward from the lowest one.

        Parameters
        ----------
        count : int
            Number of cells.
        top : float
            [m]
        lowest : float
            Thickness of the lowest cell, less than ``top / count`` [m].

        Returns
        -------
        Levels

        Raises
        ------
        InputError
            If the lowest cell is not thinner than the mean one.

        Notes
        -----
        ``z = H sinh(theta s) / sinh(theta)`` with s from 0 to 1, and theta such that the first
        interface lies at `lowest`: cells of nearly one thickness near the surface, each the same
        factor thicker than the last near the top.
        """
        if not 0.0 < lowest < top / count:
            raise InputError(
                f"levels: the lowest of {count} cells up to {top:g} m must be thinner than "
                f"{top / count:g} m, not {lowest:g} m"
            )
        low, high = 1e-6, 50.0
        for _ in range(100):
            theta = 0.5 * (low + high)
            thick = np.sinh(theta / count) / np.sinh(theta) > lowest / top
            low, high = (theta, high) if thick else (low, theta)
        edges = top * np.sinh(theta * np.linspace(0.0, 1.0, count + 1)) / np.sinh(theta)
        return cls([0.0, *edges[1:-1], top])

    def __len__(self):
        return len(self.edges) - 1

    @property
    def top(self):
        """Height of the upper end [m]."""
        return self.edges[-1]

    @property
    def interfaces(self):
        """Heights of the interfaces, ``(level + 1,)`` NumPy array [m]."""
        return np.array(self.edges)

    @property
    def centres(self):
        """Heights of the cell centres, ``(level,)`` NumPy array [m]."""
        edges = self.interfaces
        return 0.5 * (edges[1:] + edges[:-1])

    @property
    def thickness(self):
        """Of the cells, ``(level,)`` NumPy array [m]."""
        return np.diff(self.interfaces)

    @property
    def spacing(self):
        """Between neighbouring centres, ``(level - 1,)`` NumPy array [m]."""
        return np.diff(self.centres)


def along_levels(values, like):
    """A vector over levels with the type of an array and room for its other axes.

    Parameters
    ----------
    values : (n,) array
    like : (level, ...) array

    Returns
    -------
    (n, 1, ...) array
    """
    values = np.asarray(values)
    return values.astype(like.dtype).reshape(values.shape + (1,) * (like.ndim - 1))
