"""Numbers of the page in a small space: bytes, differenced in time, compressed, base64."""

import base64
import zlib

import numpy as np

MISSING = {"u1": 255, "u2": 65535}
"""What stands for a missing value; the number below it for all values that are too great."""
STEPS = 250
"""Values of a field are told to its range over this, or finer."""
BREAK = -32768
"""Ends a line among the points of lines."""


class Pack:
    """Arrays one behind the other, and what the page has to know to take them out.

    Attributes
    ----------
    entries : dict
        Name to place [bytes], count, type and shape; of fields also `step` and `offset`:
        a value is ``offset + step * byte``.
    """

    def __init__(self):
        self.entries, self._parts, self._size = {}, [], 0

    @property
    def size(self):
        """Bytes of all arrays before they are compressed."""
        return self._size

    def add(self, name, array, kind, **about):
        """Add an array of type `kind` (``u1``, ``i2`` or ``u2``), as it is."""
        array = np.ascontiguousarray(array, "<" + kind)
        padding = -self._size % array.itemsize
        self._parts += [b"\0" * padding, array.tobytes()]
        self._size += padding
        self.entries[name] = {"at": self._size, "kind": kind, "shape": list(array.shape), **about}
        self._size += array.nbytes

    def add_field(self, name, values, *, step=None, kind="u1"):
        """Add values ``(time, ..., cell)``, each time as its difference to the one before.

        Values are rounded to `step`, or to a round part of their range: 1/250 of it or less.
        """
        known = np.isfinite(values)
        lower = np.min(values, initial=0.0, where=known)
        upper = np.max(values, initial=0.0, where=known)
        if step is None:
            step = round_step((2 * max(upper, -lower) if lower < 0 else upper) / STEPS)
        missing = MISSING[kind]
        offset = -(missing // 2) * step if lower < 0 else 0.0
        index = np.rint((np.where(known, values, 0.0) - offset) / step)
        coded = np.where(known, np.clip(index, 0, missing - 1), missing).astype(kind)
        # Wraps round, in the page too.
        coded[1:] = np.diff(coded, axis=0)
        self.add(name, coded, kind, step=step, offset=offset, delta=True)

    def add_lines(self, name, lines, unit):
        """Add lines, ``(point, 2)`` each [m], in whole `unit`; equal neighbours are left out."""
        told = []
        for line in lines:
            points = np.rint(np.asarray(line, float) / unit)
            points = np.clip(points, BREAK + 1, -BREAK - 1)
            new = np.append(True, np.any(np.diff(points, axis=0) != 0, axis=1))
            told += [points[new], np.full((1, 2), BREAK)]
        # All x, then all y: that compresses better than pairs.
        self.add(name, np.concatenate([np.zeros((0, 2)), *told]).T, "i2", lines=True)

    def text(self):
        """Everything, compressed, as base64."""
        return base64.b64encode(zlib.compress(b"".join(self._parts), 9)).decode("ascii")


def round_step(least):
    """The next of 1, 2 and 5 times a power of ten; 1 for 0."""
    if not least > 0:
        return 1.0
    power = np.floor(np.log10(least) + 1e-9)
    shares = np.array([1, 2, 5, 10])
    share = shares[np.searchsorted(shares, least / 10.0**power * (1 - 1e-9))]
    # By way of text, so that the page reads 0.02 and not 0.020000000000000004.
    return float(f"{share}e{int(power)}")
