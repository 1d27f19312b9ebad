"""The command as a user calls it, within this process."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from floecast import cli

ROOT = Path(__file__).parents[2]


@pytest.fixture
def floecast(monkeypatch, capsys):
    """Call the command; gives its return code and what it printed."""

    def call(*arguments):
        monkeypatch.chdir(ROOT)
        monkeypatch.setattr("sys.argv", ["floecast", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        printed = capsys.readouterr()
        return SimpleNamespace(
            returncode=left.value.code or 0, stdout=printed.out, stderr=printed.err
        )

    return call


def refused(result, *words):
    lines = result.stderr.strip().splitlines()
    assert result.returncode == 2 and len(lines) == 1, result.stderr
    assert lines[0].startswith("floecast: ")
    for word in words:
        assert word in lines[0]


def test_help_lists_the_commands(floecast):
    result = floecast("--help")
    assert result.returncode == 0
    for verb in (
        "run",
        "assimilate",
        "forecast",
        "verify",
        "report",
        "observe",
        "config",
        "doctor",
        "cite",
    ):
        assert verb in result.stdout


def test_config_show_fills_in_defaults(floecast):
    result = floecast("config", "show", "examples/twin.yaml", "--set", "forecast.days=3")
    resolved = yaml.safe_load(result.stdout)
    assert resolved["forecast"]["days"] == 3 and resolved["ensemble"]["members"] >= 3


def test_config_init_writes_what_run_accepts_and_never_overwrites(floecast, tmp_path):
    file = tmp_path / "mine.yaml"
    assert floecast("config", "init", file).returncode == 0
    assert floecast("config", "show", file).returncode == 0
    before = file.read_bytes()
    refused(floecast("config", "init", file), "mine.yaml")
    assert file.read_bytes() == before


def test_config_schema_is_json(floecast):
    assert "analysis_time" in json.loads(floecast("config", "schema").stdout)["properties"]


def test_doctor_and_cite(floecast):
    told = json.loads(floecast("doctor", "--json").stdout)
    assert told["jax"] and told["devices"]
    assert "@software{floecast" in floecast("cite").stdout


def test_missing_configuration_is_one_line(floecast):
    refused(floecast("run", "nowhere.yaml"), "nowhere.yaml")


def test_missing_data_folder_is_one_line_and_nothing_is_written(floecast, tmp_path):
    out = tmp_path / "run"
    result = floecast(
        "run", "examples/january_2015.yaml", "--data", tmp_path / "none", "--out", out
    )
    refused(result, "none")
    assert not out.exists()


def test_a_folder_that_is_no_run_is_refused_and_untouched(floecast, tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    refused(floecast("run", "examples/twin.yaml", "--out", tmp_path), "not a run")
    assert [file.name for file in tmp_path.iterdir()] == ["precious.txt"]


@pytest.mark.parametrize("content", [b"", b"no netCDF at all", b"\x89HDF\r\n\x1a\n" + b"\0" * 64])
def test_observe_refuses_what_is_no_product(floecast, tmp_path, content):
    file = tmp_path / "strange.nc"
    file.write_bytes(content)
    refused(floecast("observe", file), "strange.nc")


def test_report_of_no_run_is_refused(floecast, tmp_path):
    refused(floecast("report", tmp_path), "manifest.json")


def test_version(floecast):
    assert re.fullmatch(r"floecast \d+\.\d+\.\d+\S*\n", floecast("--version").stdout)
