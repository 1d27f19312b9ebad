"""Logs that a kill or a full disk cut in their last line."""

import errno

import pytest

from floecast.core.errors import InputError
from floecast.io.json_lines import add_line, keep_lines, read_lines


def test_a_line_that_was_cut_is_left_out_and_written_again(tmp_path):
    path = tmp_path / "log.jsonl"
    assert read_lines(path) == []
    for number in range(3):
        add_line(path, {"cycle": number})
    whole = path.read_bytes()
    for end in range(len(whole) // 3 * 2 + 1, len(whole)):
        path.write_bytes(whole[:end])
        keep_lines(path, lambda line: line["cycle"] < 9)
        assert read_lines(path) == [{"cycle": 0}, {"cycle": 1}]
    add_line(path, {"cycle": 2})
    assert path.read_bytes() == whole
    keep_lines(path, lambda line: line["cycle"] != 1)
    assert read_lines(path) == [{"cycle": 0}, {"cycle": 2}]


@pytest.mark.parametrize("line", [b'{"cycle": 1', b"[1]", b"\xff", b"[" * 100_000, b""])
def test_other_damage_is_told_with_its_line(tmp_path, line):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"cycle": 0}\n' + line + b'\n{"cycle": 2}\n')
    with pytest.raises(InputError, match=r"log.jsonl is damaged in line 2"):
        read_lines(path)


def test_a_full_disk_names_the_log():
    with pytest.raises(OSError) as caught:
        add_line("/dev/full", {"cycle": 0})
    assert caught.value.errno == errno.ENOSPC and caught.value.filename == "/dev/full"
