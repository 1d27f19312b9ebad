"""Localisation: which observations a column of the state sees, and how strongly."""

from collections.abc import Mapping

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from floecast.core.errors import InputError
from floecast.core.shapes import roomy
from floecast.observation.observations import KINDS

PIECE = 512
"""Columns whose distances to the observations are looked at together: bounds memory."""


def gaspari_cohn(ratio):
    """Compactly supported taper of Gaspari and Cohn.

    Parameters
    ----------
    ratio : array
        Distance over the half-width c.

    Returns
    -------
    array
        1 at distance 0, 5/24 at c, 0 from the cut-off 2 c on.

    Notes
    -----
    The curvature at 0 is that of a Gaussian of length 0.548 c.

    References
    ----------
    Gaspari, G., and Cohn, S. E. (1999). Construction of correlation functions in two and three
    dimensions. Q. J. R. Meteorol. Soc., 125, 723-757, eq. 4.10.
    """
    r = jnp.abs(ratio)
    near = 1 + r**2 * (-5 / 3 + r * (5 / 8 + r * (1 / 2 - r / 4)))
    # The second branch as published, with its fourfold root at 2 taken out: never negative.
    safe = jnp.maximum(r, 1.0)
    far = (2 - safe) ** 4 * (safe**2 + 2 * safe - 1 / 2) / (12 * safe)
    return jnp.where(r < 1, near, jnp.where(r < 2, far, 0.0))


class Neighbours(eqx.Module):
    """Local observations of each column.

    Parameters
    ----------
    column : (columns,) int array
        Flat index of the columns that have an observation in reach.
    index : (columns, local) int array
        Observations of each, nearest first; padded with 0.
    taper : (columns, local) array
        Weight of each in [0, 1]; 0 for padding.
    group : (columns, local) int array
        Which of them share an error: numbers from 1 counted anew in each column, 0 for none.
    groups : int
        Greatest of these numbers.
    """

    column: Int[Array, " columns"]
    index: Int[Array, "columns local"]
    taper: Float[Array, "columns local"]
    group: Int[Array, "columns local"]
    groups: int = eqx.field(static=True)

    def roomy(self):
        """The same with sizes rounded up: the first column again, and observations of no weight.

        Of use where one analysis follows another, which is then not compiled anew.
        """
        columns, local = self.index.shape
        if not columns:
            return self
        again = np.concatenate([np.arange(columns), np.zeros(roomy(columns) - columns, int)])

        def wider(field):
            return np.pad(field[again], ((0, 0), (0, roomy(local) - local)))

        parts = (wider(field) for field in (self.index, self.taper, self.group))
        return Neighbours(self.column[again], *parts, roomy(self.groups))


class GaspariCohn(eqx.Module):
    """Taper by distance, with its own half-width for each kind of observation.

    Parameters
    ----------
    positions : (..., d) array
        Where the columns of the state are, such as ``x, y`` [m].
    half_width : float or (kinds,) sequence
        Half-width c, in the unit of the positions; the cut-off is 2 c. A sequence gives one for
        each `kind` of the observations.
    active : (...) bool array, optional
        Columns to update; all if left out.
    period : float, optional
        Length of a domain that is periodic in every direction.
    most : int
        At most so many observations for a column: those with the greatest weight.

    Raises
    ------
    InputError
        If a half-width or `most` is not positive.
    """

    positions: Float[np.ndarray, "*columns d"]
    half_width: Float[np.ndarray, "..."]
    active: Bool[np.ndarray, "*columns"]
    period: float | None = eqx.field(static=True)
    most: int = eqx.field(static=True)

    def __init__(self, positions, half_width, *, active=None, period=None, most=300):
        self.positions = np.asarray(positions, float)
        self.half_width = np.asarray(half_width, float)
        if not (self.half_width > 0).all():
            raise InputError(f"localisation half-width must be positive, not {half_width}")
        if most < 1:
            raise InputError(f"most local observations must be at least 1, not {most}")
        columns = self.positions.shape[:-1]
        self.active = np.ones(columns, bool) if active is None else np.asarray(active, bool)
        self.period = period
        self.most = most

    @classmethod
    def on_grid(cls, grid, half_width, *, most=300):
        """For the columns of a grid, with distances on its projected plane.

        Parameters
        ----------
        grid : Grid
        half_width : float or mapping of str to float
            Half-width c [m] for all observations, or for each of their `KINDS`.
        most : int
            As in `GaspariCohn`.

        Returns
        -------
        GaspariCohn
            Its columns on land are not active.

        Raises
        ------
        InputError
            If a kind is not one of `KINDS`, or one of them has no half-width.
        """
        if isinstance(half_width, Mapping):
            if set(half_width) != set(KINDS):
                raise InputError(
                    f"localisation half-widths are given for {', '.join(half_width)}; "
                    f"expected {', '.join(KINDS)}"
                )
            half_width = [half_width[kind] for kind in KINDS]
        positions = np.stack(np.meshgrid(grid.x, grid.y), axis=-1)
        return cls(positions, half_width, active=grid.mask_t, most=most)

    @property
    def columns(self):
        """Shape of the columns."""
        return self.active.shape

    def neighbours(self, observations):
        """Find the local observations of every active column.

        Parameters
        ----------
        observations : Observations
            Flagged ones are left out.

        Returns
        -------
        Neighbours
            Only columns with at least one observation in reach.
        """
        used = np.flatnonzero(np.asarray(observations.flag) == 0)
        where = np.asarray(observations.position, float)[used]
        width = (
            np.broadcast_to(self.half_width, used.shape)
            if self.half_width.ndim == 0
            else (self.half_width[np.asarray(observations.kind)[used]])
        )
        kind = np.asarray(getattr(observations, "kind", np.zeros(observations.value.shape, int)))
        column = np.flatnonzero(self.active)
        if not used.size or not column.size:
            nothing = np.zeros((0, 1), int)
            return Neighbours(nothing[:, 0], nothing, nothing.astype(float), nothing, 0)
        points = self.positions.reshape(-1, self.positions.shape[-1])[column]
        found = []
        for tile in self._tiles(points):
            rank, ratio = self._nearest(points[tile], where, width, kind[used])
            found.append((column[tile], used[rank], ratio))
        return _join(found, np.asarray(observations.group))

    def _tiles(self, points):
        """Columns in square tiles as wide as the largest cut-off, large ones in pieces."""
        tile = np.floor(points / (2 * self.half_width.max())).astype(int)
        _, label = np.unique(tile, axis=0, return_inverse=True)
        order = np.argsort(label.ravel(), kind="stable")
        tiles = np.split(order, np.flatnonzero(np.diff(label.ravel()[order])) + 1)
        return [piece for tile in tiles for piece in np.array_split(tile, -(-tile.size // PIECE))]

    def _nearest(self, points, where, width, kind):
        """Ranks and distance ratios of the observations in reach of some columns, nearest first.

        The cap counts each kind by itself, so that a dense kind does not drive out a sparse one.
        """
        centre = points.mean(axis=0)
        reach = np.abs(points - centre).max(axis=0) + 2 * width[:, None]
        candidates = np.flatnonzero((np.abs(self._wrap(where - centre)) <= reach).all(axis=1))
        offset = self._wrap(points[:, None] - where[candidates][None])
        ratio = np.sqrt((offset**2).sum(axis=-1)) / width[candidates]
        kept = [np.zeros((len(points), 0), int)]
        for one in np.unique(kind[candidates]):
            some = np.flatnonzero(kind[candidates] == one)
            most = min(self.most, int((ratio[:, some] < 2).sum(axis=1).max(initial=0)))
            kept.append(some[np.argsort(ratio[:, some], axis=1, kind="stable")[:, :most]])
        nearest = np.concatenate(kept, axis=1)
        order = np.argsort(np.take_along_axis(ratio, nearest, axis=1), axis=1, kind="stable")
        nearest = np.take_along_axis(nearest, order, axis=1)
        return candidates[nearest], np.take_along_axis(ratio, nearest, axis=1)

    def _wrap(self, offset):
        if self.period is None:
            return offset
        return offset - self.period * np.round(offset / self.period)


def _join(found, group):
    """One set of neighbours in the order of the columns, without columns that see nothing."""
    local = max(1, max(index.shape[1] for _, index, _ in found))

    def padded(field, fill):
        return np.pad(field, ((0, 0), (0, local - field.shape[1])), constant_values=fill)

    column = np.concatenate([part[0] for part in found])
    index = np.concatenate([padded(part[1], 0) for part in found])
    taper = np.asarray(gaspari_cohn(np.concatenate([padded(part[2], 2.0) for part in found])))
    order = np.argsort(column)
    order = order[taper[order, 0] > 0]
    index, taper = np.where(taper > 0, index, 0)[order], taper[order]
    return Neighbours(column[order], index, taper, *_counted(np.where(taper > 0, group[index], 0)))


def everywhere(observations):
    """Neighbours of a state that is one column and sees every observation without a flag."""
    used = np.flatnonzero(np.asarray(observations.flag) == 0)
    column = np.arange(min(1, used.size))
    index = used[None][: column.size]
    group = np.asarray(observations.group)[index]
    return Neighbours(column, index, np.ones(index.shape), *_counted(group))


def _counted(group):
    """Positive numbers of each row replaced by 1, 2, ... in their order; and the greatest."""
    order = np.argsort(group, axis=1)
    sorted_group = np.take_along_axis(group, order, axis=1)
    new = np.diff(sorted_group, axis=1, prepend=0) > 0
    counted = np.empty_like(group)
    np.put_along_axis(counted, order, np.cumsum(new, axis=1), axis=1)
    counted = np.where(group > 0, counted, 0)
    return counted, int(counted.max(initial=0))
