"""`floecast dataset` as a user calls it, within this process."""

import json
from types import SimpleNamespace

import pytest

from floecast import cli
from floecast.io.run_folder import RunFolder


@pytest.fixture
def floecast(monkeypatch, capsys):
    """Call `floecast dataset`; gives its return code and what it printed."""

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["floecast", "dataset", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        printed = capsys.readouterr()
        return SimpleNamespace(
            returncode=left.value.code or 0, stdout=printed.out, stderr=printed.err
        )

    return call


@pytest.fixture
def made(monkeypatch):
    """What `dataset` is called with, in its place."""
    calls = []

    def make(config, *, data, out, progress):
        calls.append((config, data))
        return RunFolder(out, config.model_dump(mode="json") | {"name": config.name, "seed": 0})

    monkeypatch.setattr("floecast.experiment.dataset.dataset", make)
    return calls


def test_options_and_overrides_reach_the_configuration(floecast, made, tmp_path):
    out = tmp_path / "set"
    result = floecast(
        *("--preset", "arctic100", "--set", "step_hours=6", "--set", "source.years.training=5"),
        *("--out", out, "--data", tmp_path, "--json"),
    )
    assert result.returncode == 0
    told = json.loads(result.stdout)
    assert told["folder"] == str(out) and told["config"]["step_hours"] == 6
    ((config, data),) = made
    assert (config.preset, config.source.years.training, data) == ("arctic100", 5, tmp_path)


@pytest.mark.parametrize("option", [[], ["--config"]])
def test_a_file_by_argument_or_by_option(option, floecast, made, tmp_path):
    file = tmp_path / "dataset.yaml"
    file.write_text("preset: arctic25\n")
    result = floecast(*option, file, "--out", tmp_path / "set")
    assert result.stdout == f"data set: {tmp_path / 'set'}\n"
    assert made[0][0].preset == "arctic25"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--preset", "arctic7"], "preset"),
        (["nowhere.yaml"], "no configuration at nowhere.yaml"),
        (["a.yaml", "--config", "b.yaml"], "give the configuration once"),
        (["--set", "source.years.training=none"], "source.simulated.years.training"),
        (["--set", "source.archives={training: [nowhere]}", "--out", "there"], "is not a run"),
    ],
)
def test_faults_are_one_line(arguments, words, floecast):
    result = floecast(*arguments)
    lines = result.stderr.strip().splitlines()
    assert result.returncode == 2 and len(lines) == 1, result.stderr
    assert lines[0].startswith("floecast: ") and words in lines[0]
