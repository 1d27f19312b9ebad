"""Files that are whole or not there: written beside their place, then renamed into it."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def naming(path):
    """Let an error of the system inside the block, such as of a full disk, tell of `path`."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = os.fspath(path)
        raise


@contextmanager
def replacing(path, former=None):
    """Temporary name for a file or folder that takes the place of `path` when the block ends.

    Parameters
    ----------
    path : str or Path
        What to write; folders above it are made. What stands there stays until the new one is
        complete, and if the block raises.
    former : path-like, optional
        Where a file that stands there goes when the new one is complete; it is gone if left out.

    Yields
    ------
    Path
        In the same folder, not yet existing.

    Notes
    -----
    A file is replaced in one step. A folder is renamed aside first, as a full folder cannot be
    replaced: a kill between the two renames leaves it under a name that ends in ``.old``.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with naming(path):
            yield partial
        if partial.is_dir():
            old = path.with_name(f".{path.name}.{os.getpid()}.old")
            if path.exists():
                os.replace(path, old)
            os.replace(partial, path)
            shutil.rmtree(old, ignore_errors=True)
        else:
            _flush(partial)
            if former is not None and path.exists():
                os.replace(path, former)
            os.replace(partial, path)
        _flush(path.parent)
    finally:
        if partial.is_dir():
            shutil.rmtree(partial)
        else:
            partial.unlink(missing_ok=True)


def write_text(path, text):
    """Write a UTF-8 text file whole or not at all."""
    with replacing(path) as partial:
        partial.write_bytes(text.encode())


def _flush(path):
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
