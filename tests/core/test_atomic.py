import pytest

from floecast.core.atomic import replacing, write_text


def test_a_file_appears_whole_and_alone(tmp_path):
    write_text(tmp_path / "new" / "a.txt", "whole\n")
    assert (tmp_path / "new" / "a.txt").read_bytes() == b"whole\n"
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_what_was_there_stays_when_writing_fails(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(RuntimeError), replacing(tmp_path / "a.txt") as partial:
        partial.write_text("half of the n")
        raise RuntimeError
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_a_folder_takes_the_place_of_another(tmp_path):
    for name in ("first", "second"):
        with replacing(tmp_path / "figures") as partial:
            partial.mkdir()
            (partial / name).write_text(name)
    assert [file.name for file in (tmp_path / "figures").iterdir()] == ["second"]
    assert [file.name for file in tmp_path.iterdir()] == ["figures"]
