"""The command as a user calls it, within this process."""

import errno
import json
import os
import re
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from floecast import cli
from floecast.core.errors import FloecastWarning
from floecast.io.run_folder import RunFolder, read_manifest

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


@pytest.mark.parametrize(
    ("code", "file", "words"),
    [
        (errno.ENOSPC, "runs/x/archive.zarr", ("cannot write runs/x/archive.zarr: No space",)),
        (errno.EROFS, "runs/x", ("cannot write runs/x: Read-only", "give the same command again")),
        (errno.EIO, None, ("Input/output error", "what was finished is kept")),
    ],
)
def test_a_failing_disk_is_told_in_one_line(floecast, monkeypatch, code, file, words):
    def fail(*_, **__):
        raise OSError(code, os.strerror(code), file)

    monkeypatch.setattr(cli, "app", fail)
    refused(floecast("run"), *words)


def test_a_fault_of_our_own_keeps_its_trace(monkeypatch):
    def fail(*_, **__):
        raise FileNotFoundError(errno.ENOENT, "no such file", "x")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(FileNotFoundError):
        cli.main()


def test_what_floecast_warns_of_is_one_line(floecast, monkeypatch):
    def warn(*_, **__):
        warnings.warn("going on from x", FloecastWarning, stacklevel=1)
        return 0

    monkeypatch.setattr(cli, "app", warn)
    assert floecast("run").stderr == "floecast: going on from x\n"


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
        "fetch",
        "config",
        "bench",
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
    refused(floecast("config", "init", file / "below.yaml"), "below.yaml", "choose another name")


def test_config_schema_is_json(floecast):
    assert "analysis_time" in json.loads(floecast("config", "schema").stdout)["properties"]


def test_doctor_and_cite(floecast):
    told = json.loads(floecast("doctor", "--json").stdout)
    assert told["jax"] and told["devices"]
    assert "@software{floecast" in floecast("cite").stdout


def test_missing_configuration_is_one_line(floecast):
    refused(floecast("run", "nowhere.yaml"), "nowhere.yaml")


@pytest.mark.parametrize("verb", ["run", "assimilate", "forecast", "verify"])
def test_a_configuration_is_an_argument_or_an_option(floecast, verb):
    refused(floecast(verb, "nowhere.yaml"), "no configuration at nowhere.yaml")
    refused(floecast(verb, "--config", "nowhere.yaml"), "no configuration at nowhere.yaml")
    refused(floecast(verb), "name one configuration")
    refused(floecast(verb, "nowhere.yaml", "--config", "nowhere.yaml"), "name one configuration")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["forcast"], ["No such command 'forcast'", "see floecast --help"]),
        (["run", "--colour"], ["No such option: --colour", "see floecast run --help"]),
        (["run", "a.yaml", "b.yaml"], ["b.yaml"]),
        (["observe"], ["Missing argument"]),
        (["run", "--out"], ["--out"]),
    ],
)
def test_wrong_usage_is_one_line(floecast, arguments, words):
    refused(floecast(*arguments), *words)


@pytest.mark.parametrize("arguments", [[], ["config"]])
def test_without_a_command_the_help_is_shown(floecast, arguments):
    result = floecast(*arguments)
    assert "Usage" in result.stdout and result.stderr == ""


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
    result = floecast("observe", file)
    refused(result, "strange.nc")
    assert result.stdout == ""


def test_report_of_no_run_is_refused(floecast, tmp_path):
    refused(floecast("report", tmp_path), "manifest.json")


def test_report_finds_a_run_by_its_configuration(floecast, tmp_path):
    file = tmp_path / "never_run.yaml"
    twin = (ROOT / "examples" / "twin.yaml").read_text()
    file.write_text(twin.replace("name: twin", "name: never_run"))
    refused(floecast("report", "--config", file, "--out", tmp_path), f"{tmp_path} is not a run")
    refused(floecast("report", "--config", file), "runs/never_run is not a run")
    refused(floecast("report", tmp_path, "--config", file), "name one folder of a run")
    refused(floecast("report", tmp_path, "--out", tmp_path), "--out goes with --config")
    refused(floecast("report"), "name one folder of a run")


def test_a_page_drawn_before_the_scores_does_not_stand_for_the_stage(
    floecast, tmp_path, monkeypatch
):
    page = "floecast.report.page.write_report"
    monkeypatch.setattr(page, lambda folder: (Path(folder) / "report.html").write_text("page"))
    for stages, expected in ((["forecast"], 1), (["forecast", "verification"], 3)):
        folder = RunFolder(tmp_path / "-".join(stages), {"name": "case", "seed": 1})
        for stage in stages:
            with folder.stage(stage, []):
                pass
        assert floecast("report", folder.path).returncode == 0
        assert len(read_manifest(folder.path)["stages"]) == expected


def test_version(floecast):
    assert re.fullmatch(r"floecast \d+\.\d+\.\d+\S*\n", floecast("--version").stdout)


def test_verify_takes_files_or_a_configuration(floecast, tmp_path):
    refused(floecast("verify", "a.nc", "b.nc"), "b.nc does not exist")
    refused(floecast("verify", "a.nc", "b.nc", "--config", "c.yaml"), "--config and --set")
    refused(floecast("verify", "a.nc"), "a.nc: expected FORECAST and TRUTH")
    refused(floecast("verify", "a.yaml", "--past", "b.nc"), "--past goes with FORECAST and TRUTH")
    refused(floecast("verify", "a.yaml", "--block-days", "0"), "--block-days goes with")
