"""A download that is not complete yet: bytes, and what is known of the file they belong to."""

import json
import os
from contextlib import nullcontext, suppress
from pathlib import Path

from floecast.core.atomic import write_text

# Keys of the notes beside the bytes: which file, its version, its length and the bytes on the disk.
_NOTES = {"address": None, "version": None, "length": None, "saved": 0}


class Partial:
    """Bytes of a file so far, under a hidden name in the folder where it belongs.

    Beside the bytes stands a note of the version that the server gave them, so that after a break
    (kill -9 and power failure included) the rest is asked of the same version, or all is begun
    anew. Only bytes that were flushed to the disk count. `fetch` locks the folder.

    Parameters
    ----------
    path : Path
        Where the complete file will be.
    address : str
        What is fetched; bytes of another address are thrown away.
    flush_bytes : int
        How many bytes may be lost in a break.
    """

    def __init__(self, path, address, flush_bytes):
        self.path = Path(path)
        self.place = self.path.with_name(f".{self.path.name}.partial")
        self._note_place = self.path.with_name(f".{self.path.name}.partial.json")
        self._flush_bytes = flush_bytes
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.place, os.O_RDWR | os.O_CREAT, 0o666)
        # Without a buffer, so that a full disk is felt here and not when the file is closed.
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        self._placed = False
        try:
            notes = self._read_notes()
            on_disk = os.fstat(self._file.fileno()).st_size
            if notes["address"] != address or on_disk < notes["saved"]:
                notes = dict(_NOTES)
            self._notes = notes | {"address": address}
            self._file.truncate(notes["saved"])
            self.position = self._file.seek(notes["saved"])
        except BaseException:
            self._file.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        # On a full disk the bytes that found room are kept, if there is any for the note.
        full = suppress(OSError) if isinstance(error, OSError) else nullcontext()
        with self._file, full:
            if not self._placed:
                self.flush()

    @property
    def version(self):
        """What the server calls the version of the bytes that are here; None if it told none."""
        return self._notes["version"]

    @property
    def length(self):
        """Length of the complete file [bytes]; None as long as it is not known."""
        return self._notes["length"]

    def begin(self, version, length):
        """Throw away what there is and begin with another version of the file."""
        # The note goes first: bytes without a note are begun anew, never the other way round.
        self._notes |= {"version": version, "length": length, "saved": 0}
        self._write_notes()
        self._file.truncate(0)
        self.position = self._file.seek(0)

    def write(self, chunk):
        """Append bytes."""
        left = memoryview(chunk)
        while left:
            written = self._file.write(left)
            self.position += written
            left = left[written:]
        if self.position - self._notes["saved"] >= self._flush_bytes:
            self.flush()

    def flush(self):
        """Wait until all bytes are on the disk, and note that they are."""
        os.fsync(self._file.fileno())
        if self._notes["saved"] != self.position:
            self._notes["saved"] = self.position
            self._write_notes()

    def finish(self):
        """Give the complete file its name."""
        os.fsync(self._file.fileno())
        os.replace(self.place, self.path)
        self._placed = True
        self._note_place.unlink(missing_ok=True)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _read_notes(self):
        try:
            notes = json.loads(self._note_place.read_text())
        except (OSError, ValueError, RecursionError):
            return dict(_NOTES)
        whole = isinstance(notes, dict) and notes.keys() == _NOTES.keys()
        if not (whole and isinstance(notes["saved"], int) and notes["saved"] >= 0):
            return dict(_NOTES)
        return notes

    def _write_notes(self):
        write_text(self._note_place, json.dumps(self._notes))
