"""Thinning of sets of cells to lines one cell wide."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

AROUND = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))
"""Row and column of the neighbours of a cell, counter-clockwise from the east."""


def neighbour_codes(cells: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Which neighbours of every cell are set.

    Parameters
    ----------
    cells : (y, x) bool

    Returns
    -------
    (y, x) uint8
        One bit for each of the eight neighbours, in the order of `AROUND`; beyond the domain
        none is set.
    """
    padded = np.pad(cells, 1).astype(np.uint8)
    rows, columns = cells.shape
    codes = np.zeros(cells.shape, np.uint8)
    for bit, (row, column) in enumerate(AROUND):
        codes |= padded[1 + row : 1 + row + rows, 1 + column : 1 + column + columns] << bit
    return codes


def _tables() -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """By code: whether a cell may go without a change of topology, and its number of neighbours.

    A cell may go if its neighbours form one part (Yokoi's connectivity number is 1) and it is not
    the end of a line.
    """
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    empty = 1 - bits
    parts = sum(
        empty[:, k] - empty[:, k] * empty[:, k + 1] * empty[:, (k + 2) % 8] for k in (0, 2, 4, 6)
    )
    neighbours = bits.sum(axis=1)
    return (parts == 1) & (neighbours >= 2), neighbours


_REMOVABLE, NEIGHBOURS = _tables()
"""`NEIGHBOURS` gives the number of neighbours by their code."""


def thin(cells: ArrayLike) -> NDArray[np.bool_]:
    """Skeleton of a set of cells, one cell wide.

    Parameters
    ----------
    cells : (y, x) bool

    Returns
    -------
    (y, x) bool
        Connected as the cells are, with the same holes.

    Notes
    -----
    Border cells that are neither ends nor needed for connection are taken off, those facing
    north, south, east and west in turn, until none is left.

    References
    ----------
    Rosenfeld, A. (1975): A characterization of parallel thinning algorithms. Inf. Control 29,
    286-291, doi:10.1016/S0019-9958(75)90448-9.
    """
    cells = np.array(cells, bool)
    while True:
        before = np.count_nonzero(cells)
        for side in (2, 6, 0, 4):
            codes = neighbour_codes(cells)
            cells &= ~(_REMOVABLE[codes] & ((codes >> side) & 1 == 0))
        if np.count_nonzero(cells) == before:
            return cells
