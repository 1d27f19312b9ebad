"""`floecast forecast` from an analysis, as a user calls it."""

import json
from types import SimpleNamespace

import pytest

from floecast import cli


@pytest.fixture
def floecast(monkeypatch, capsys):
    """Call the command; gives its return code and what it printed."""

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["floecast", "forecast", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        printed = capsys.readouterr()
        return SimpleNamespace(
            returncode=left.value.code or 0, stdout=printed.out, stderr=printed.err
        )

    return call


@pytest.fixture
def called(monkeypatch, tmp_path):
    """What the command hands on, in place of a forecast."""
    handed = {}

    def ensemble_forecast(config, **options):
        handed.update(config=config, **options)
        return SimpleNamespace(
            path=tmp_path / "out", manifest={"name": config.name}, file=lambda name: tmp_path / name
        )

    monkeypatch.setattr(
        "floecast.experiment.ensemble_forecast.ensemble_forecast", ensemble_forecast
    )
    return handed


def test_an_analysis_is_an_option_or_in_the_configuration(floecast, called, tmp_path):
    result = floecast("--analysis", "runs/x: 1", "--set", "days=3", "--out", "y", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["name"] == "x: 1_forecast"
    assert called["config"].analysis == "runs/x: 1" and called["config"].days == 3
    assert str(called["out"]) == "y"
    file = tmp_path / "forecast.yaml"
    file.write_text("analysis: runs/z\ndrifters:\n  - {name: ship, longitude: 9, latitude: 82}\n")
    for given in ([file], ["--config", file]):
        result = floecast(*given)
        assert "forecast.nc" in result.stdout and called["config"].drifters[0].name == "ship"
    floecast(file, "--analysis", "other")
    assert called["config"].analysis == "other"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--analysis", "nowhere"], "there is no nowhere; name a folder"),
        (["--analysis", "nowhere", "--set", "days=16"], "days: Input should be less than"),
        (["--analysis", "nowhere", "--set", "colour=red"], "colour"),
        (["a.yaml", "--config", "b.yaml"], "name one configuration"),
    ],
)
def test_a_fault_is_one_line(floecast, arguments, words):
    result = floecast(*arguments)
    assert result.returncode == 2 and len(result.stderr.strip().splitlines()) == 1
    assert result.stderr.startswith("floecast: ") and words in result.stderr
