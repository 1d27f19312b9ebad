"""Archives of arrays: nothing in them is run, what they declare is bounded, damage is told."""

import io
import struct
import zipfile

import numpy as np
import pytest

from floecast.core.npz import ALWAYS, read_arrays


def npy(shape, dtype="<f8", data=b""):
    """A member that declares a shape and holds some bytes."""
    head = str({"descr": dtype, "fortran_order": False, "shape": shape}).encode()
    head += b" " * (64 - (len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data


def archive(path, members, how=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", how) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


def test_what_was_written(tmp_path):
    arrays = {"a": np.arange(6.0).reshape(2, 3).T, "b": np.array("text"), "c": np.zeros((0, 5))}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "x.npz", **arrays)
        found = read_arrays(tmp_path / "x.npz")
        assert all(np.array_equal(found[name], arrays[name]) for name in arrays)
    assert list(read_arrays(tmp_path / "x.npz", ["b"])) == ["b"]
    with pytest.raises(ValueError, match="holds no z"):
        read_arrays(tmp_path / "x.npz", ["z"])


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def test_objects_are_never_loaded(tmp_path):
    trap = np.array([Trap(tmp_path / "run")], dtype=object)
    np.savez(tmp_path / "x.npz", weights=trap)
    with pytest.raises(ValueError, match="Python objects, which are never loaded"):
        read_arrays(tmp_path / "x.npz")
    bare = io.BytesIO()
    np.save(bare, trap)
    (tmp_path / "bare.npz").write_bytes(bare.getvalue())
    with pytest.raises(ValueError):
        read_arrays(tmp_path / "bare.npz")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("shape", [(10**12,), (2**40, 2**40), (-1,), (3,)])
def test_shapes_that_the_bytes_do_not_fill(tmp_path, shape):
    path = archive(tmp_path / "x.npz", {"a": npy(shape, data=bytes(16))})
    with pytest.raises(ValueError, match="of shape"):
        read_arrays(path)


def test_a_bomb_is_not_unpacked(tmp_path):
    member = npy((ALWAYS // 4,), data=bytes(2 * ALWAYS))
    path = archive(tmp_path / "x.npz", {"a": member}, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < ALWAYS / 100
    with pytest.raises(ValueError, match="would unpack to"):
        read_arrays(path)
