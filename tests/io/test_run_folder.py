import json
import os
from pathlib import Path

import pytest

from floecast.core.atomic import write_text
from floecast.core.errors import InputError
from floecast.io.run_folder import RunFolder, input_record, read_manifest

CONFIG = {"name": "case", "seed": 1, "analysis": {"half_width_km": 300.0}}


def finish(folder, stage="first", text="product", note=None):
    with folder.stage(stage, ["a.txt"]) as noted:
        write_text(folder.file("a.txt"), text)
        if note:
            noted["notes"].append(note)


def test_a_finished_stage_is_done_and_remembered(tmp_path):
    finish(RunFolder(tmp_path / "run", CONFIG))
    again = RunFolder(tmp_path / "run", CONFIG)
    assert again.done("first") and not again.done("second")


def test_a_stage_that_fails_is_not_done_and_the_manifest_stays(tmp_path):
    folder = RunFolder(tmp_path / "run", CONFIG)
    before = (tmp_path / "run" / "manifest.json").read_bytes()
    with pytest.raises(RuntimeError), folder.stage("first", ["a.txt"]):
        raise RuntimeError
    assert not folder.done("first")
    assert (tmp_path / "run" / "manifest.json").read_bytes() == before


@pytest.mark.parametrize("harm", ["change", "delete"])
def test_harmed_products_are_not_done(tmp_path, harm):
    folder = RunFolder(tmp_path / "run", CONFIG)
    finish(folder)
    product = folder.file("a.txt")
    product.write_text("other") if harm == "change" else product.unlink()
    assert not RunFolder(tmp_path / "run", CONFIG).done("first")


def test_another_configuration_is_refused_by_key(tmp_path):
    finish(RunFolder(tmp_path / "run", CONFIG))
    other = {**CONFIG, "analysis": {"half_width_km": 200.0}}
    with pytest.raises(InputError, match="analysis.half_width_km is 300.0 there and 200.0 here"):
        RunFolder(tmp_path / "run", other)


def test_a_run_without_a_finished_stage_takes_another_configuration(tmp_path):
    folder = RunFolder(tmp_path / "run", CONFIG)
    with pytest.raises(RuntimeError), folder.stage("first", ["a.txt"]):
        raise RuntimeError
    other = CONFIG | {"name": "other", "seed": 2}
    folder = RunFolder(tmp_path / "run", other)
    manifest = read_manifest(tmp_path / "run")
    assert (manifest["config"], manifest["name"], manifest["seed"]) == (other, "other", 2)
    finish(folder)
    with pytest.raises(RuntimeError), folder.stage("first", ["a.txt"]):  # done once, then again
        raise RuntimeError
    with pytest.raises(InputError, match="another configuration"):
        RunFolder(tmp_path / "run", CONFIG)


def test_a_folder_that_is_no_run_is_left_alone(tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(InputError, match="is not a run"):
        RunFolder(tmp_path, CONFIG)
    assert [file.name for file in tmp_path.iterdir()] == ["precious.txt"]


def test_notes_of_a_stage_done_again_replace_the_old_ones(tmp_path):
    folder = RunFolder(tmp_path / "run", CONFIG)
    finish(folder, note="old")
    finish(folder, note="new")
    finish(folder, stage="second", note="new")
    assert read_manifest(folder.path)["notes"] == ["new"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        json.dumps({"name": "x"}),
        json.dumps({"config": "x", "stages": []}),
        json.dumps({"config": {}, "stages": {}}),
        json.dumps({"config": {}, "stages": ["background"]}),
    ],
)
def test_damaged_manifest_is_named(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(InputError, match="manifest.json"):
        read_manifest(tmp_path)


def test_inputs_are_named_below_the_data_folder(tmp_path):
    file = tmp_path / "product" / "file.nc"
    file.parent.mkdir()
    file.write_bytes(b"abc")
    record = input_record(file, tmp_path)
    assert record["path"] == "product/file.nc" and record["bytes"] == 3
    assert record["sha256"].startswith("ba7816bf")


def test_a_stage_that_begins_takes_those_after_it_back(tmp_path):
    folder = RunFolder(tmp_path / "run", CONFIG)
    finish(folder, "first")
    finish(folder, "second")
    with pytest.raises(RuntimeError), folder.stage("first", ["a.txt"]):
        raise RuntimeError
    again = RunFolder(tmp_path / "run", CONFIG)
    assert not again.done("first") and not again.done("second")


def test_another_input_or_version_is_a_reason_to_do_a_stage_again(tmp_path, monkeypatch):
    (tmp_path / "in.nc").write_bytes(b"first")
    folder = RunFolder(tmp_path / "run", CONFIG)
    with folder.stage("first", ["a.txt"]) as noted:
        noted["inputs"].append(input_record(tmp_path / "in.nc", tmp_path))
        write_text(folder.file("a.txt"), "product")
    assert folder.done("first", tmp_path)
    monkeypatch.setattr("floecast.io.run_folder.versions", lambda: {"jax": "0"})
    assert not folder.done("first", tmp_path)
    monkeypatch.undo()
    (tmp_path / "in.nc").write_bytes(b"other")
    assert not folder.done("first", tmp_path)


def test_leftovers_of_a_killed_run_are_swept_away(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / ".manifest.json.123.partial").write_text("{")
    (run / ".figures.123.old").mkdir()
    RunFolder(run, CONFIG)
    assert [file.name for file in run.iterdir()] == ["manifest.json"]


OUTSIDE = ["../other.txt", "/etc/other.txt", "a/../../other.txt", "", "a\0b", 3]


@pytest.mark.parametrize("name", OUTSIDE)
def test_names_that_lead_out_of_the_folder_are_refused(tmp_path, name):
    folder = RunFolder(tmp_path / "run", CONFIG)
    finish(folder)
    with pytest.raises(InputError, match="no name of a file of this run"):
        folder.file(name)
    file = folder.file("manifest.json")
    manifest = json.loads(file.read_text())
    harm = {"inputs": [{"path": name, "sha256": "0"}]} if name == 3 else {"files": {name: "0"}}
    file.write_text(json.dumps(manifest | {"stages": [manifest["stages"][0] | harm]}))
    with pytest.raises(InputError, match="is not a manifest of a run"):
        read_manifest(tmp_path / "run")


def test_a_folder_that_cannot_be_written_into_is_refused_before_work(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "run", Path("/proc/self/run")):
        with pytest.raises(InputError, match=r"cannot make the folder .*choose another --out"):
            RunFolder(place, CONFIG)
    RunFolder(tmp_path / "run", CONFIG)
    if os.geteuid() == 0:  # whom permissions do not bind: a system of files that nobody writes to
        monkeypatch.setattr("tempfile.TemporaryFile", lambda dir: open(Path("/proc/x"), "wb"))
    else:
        (tmp_path / "run").chmod(0o500)
    with pytest.raises(InputError, match=r"cannot write into .*run: .*choose another --out"):
        RunFolder(tmp_path / "run", CONFIG)
