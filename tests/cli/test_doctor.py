"""The examination of an installation, sound and with faults."""

import json
import tomllib
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from floecast import cli, cli_doctor

ROOT = Path(__file__).parents[2]


@pytest.fixture
def doctor(monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["floecast", "doctor", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return SimpleNamespace(code=left.value.code or 0, out=capsys.readouterr().out)

    return call


def told(doctor, *arguments):
    result = doctor("--json", *arguments)
    return result.code, json.loads(result.out)


def test_sound_installation(doctor, tmp_path):
    code, found = told(doctor, "--data", tmp_path)
    assert (code, found["faults"]) == (0, [])
    for name in ("python", "jax", "devices", "float64", "cores", "memory_gib", "assets"):
        assert found[name], name
    assert found["memory_gib"] > 0.5 and "GiB free" in found["run folder"]
    extras = metadata.metadata("floecast").get_all("Provides-Extra")
    assert set(found["extras"]) >= set(extras)
    assert "(NVIDIA GPUs)" in found["extras"]["cuda12"]
    assert f"no netCDF file in {tmp_path}" in found["hints"]


def test_text_tells_the_same(doctor, tmp_path):
    result = doctor("--data", tmp_path / "none")
    assert result.code == 1
    lines = result.out.splitlines()
    assert f"jax            {metadata.version('jax')}" in lines
    assert lines[-1].startswith("FAULT") and str(tmp_path / "none") in lines[-1]


def test_every_extra_is_explained():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(cli_doctor.EXTRAS) == set(project["optional-dependencies"])


@pytest.mark.parametrize(
    ("requirement", "words"),
    [
        ("jax>=9999", ["jax", "is installed: pip install 'jax>=9999'"]),
        ("no-such-package>=1", ["no-such-package is not installed"]),
    ],
)
def test_unmet_requirements_are_faults(doctor, monkeypatch, requirement, words):
    real = metadata.requires("floecast")
    monkeypatch.setattr(cli_doctor.metadata, "requires", {"floecast": [*real, requirement]}.get)
    code, found = told(doctor)
    assert code == 1 and all(word in " ".join(found["faults"]) for word in words)


def test_a_missing_extra_is_no_fault(doctor, monkeypatch):
    lines = ["jax", "no-such-package; extra == 'torch'"]
    monkeypatch.setattr(cli_doctor.metadata, "requires", {"floecast": lines}.get)
    code, found = told(doctor)
    assert code == 0 and found["extras"]["torch"].startswith("absent")


def test_an_extra_needs_the_extras_of_its_packages(doctor, monkeypatch):
    lists = {"floecast": ["jax[gpu]; extra == 'cuda12'"], "jax": ["no-plugin; extra == 'gpu'"]}
    monkeypatch.setattr(cli_doctor.metadata, "requires", lists.get)
    assert told(doctor)[1]["extras"]["cuda12"].startswith("absent")


def test_wrong_python_is_a_fault(doctor, monkeypatch):
    monkeypatch.setattr(cli_doctor.platform, "python_version", lambda: "3.9.1")
    code, found = told(doctor)
    assert code == 1 and "3.9.1: floecast needs" in found["faults"][0]


def test_a_folder_that_cannot_be_written_is_a_fault(doctor, monkeypatch, tmp_path):
    gone = tmp_path / "gone"
    monkeypatch.setattr(cli_doctor.tempfile, "gettempdir", lambda: str(gone))
    code, found = told(doctor)
    assert code == 1 and found["temporary"] == "not writable"
    assert found["faults"] == [
        f"{gone}: No such file or directory; set TMPDIR to a folder that is writable"
    ]


def test_a_device_that_computes_wrongly_is_a_fault(doctor, monkeypatch):
    import jax

    monkeypatch.setattr(jax, "jit", lambda function: lambda x: 7.0)
    code, found = told(doctor)
    assert code == 1 and "computes 7.0" in found["faults"][0]


def test_a_device_that_cannot_be_reached_is_a_fault(doctor, monkeypatch):
    import jax

    def absent():
        raise RuntimeError("Unknown backend\n 'tpu'")

    monkeypatch.setattr(jax, "devices", absent)
    code, found = told(doctor)
    assert code == 1 and "Unknown backend 'tpu'; check JAX_PLATFORMS" in found["faults"][0]


def test_missing_assets_are_a_fault(doctor, monkeypatch):
    monkeypatch.setattr(cli_doctor, "ASSETS", ("core/assets/none.npz",))
    code, found = told(doctor)
    assert code == 1 and "none.npz did not come with floecast" in found["faults"][0]


def test_little_memory_is_a_hint(doctor, monkeypatch):
    monkeypatch.setattr(cli_doctor, "SMALL_MEMORY", 2**60)
    code, found = told(doctor)
    assert code == 0 and any("little memory" in hint for hint in found["hints"])
