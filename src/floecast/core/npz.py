"""Arrays in ``.npz`` files of any origin: nothing in them is run, and memory is bounded."""

import zipfile
from math import prod
from pathlib import Path

import numpy as np

MOST_SHRUNK = 100
"""Bytes of arrays for each byte of a file; more is no data but an attempt to fill the memory."""
ALWAYS = 2**26
"""Bytes of arrays that any file may hold."""

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_arrays(path, names=None):
    """Arrays of an archive in the form of NumPy's ``.npz``.

    Parameters
    ----------
    path : str or Path
    names : sequence of str, optional
        Those wanted; all if left out.

    Returns
    -------
    dict of str to array

    Raises
    ------
    OSError
        If there is no such file or it cannot be read.
    ValueError
        If it is damaged or no such archive, an array is absent or of Python objects, or what is
        declared is more than the file can hold.
    """
    with Path(path).open("rb") as file:
        # The libraries raise errors of a dozen classes at damaged bytes; all inside is reading.
        try:
            with zipfile.ZipFile(file) as archive:
                entries = _entries(archive, Path(path).stat().st_size)
                wanted = entries if names is None else names
                return {name: _array(archive, entries, name) for name in wanted}
        except Exception as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise ValueError(reason) from error


def _entries(archive, size):
    """Members of the archive by the names of their arrays, if they fit into a file of that size."""
    members = archive.infolist()
    if sum(member.compress_size for member in members) > size:
        raise ValueError("its members are larger than the file")
    held = sum(member.file_size for member in members)
    if held > max(ALWAYS, MOST_SHRUNK * size):
        raise ValueError(f"{size} bytes that would unpack to {held}")
    return {member.filename.removesuffix(".npy"): member for member in members}


def _array(archive, entries, name):
    if name not in entries:
        raise ValueError(f"holds no {name}")
    entry = entries[name]
    with archive.open(entry) as member:
        version = np.lib.format.read_magic(member)
        if version not in _HEADERS:
            raise ValueError(f"{name} is of version {version} of the format")
        shape, _, dtype = _HEADERS[version](member)
        if dtype.hasobject:
            raise ValueError(f"{name} holds Python objects, which are never loaded")
        if min(shape, default=0) < 0 or prod(shape) * dtype.itemsize != (
            entry.file_size - member.tell()
        ):
            raise ValueError(f"{name} of shape {shape} does not fit its {entry.file_size} bytes")
    with archive.open(entry) as member:
        array = np.lib.format.read_array(member, allow_pickle=False)
        if member.read(1):  # reading to the end compares the checksum, too
            raise ValueError(f"{name} is followed by something else")
    return array
