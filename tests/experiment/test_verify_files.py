"""Forecasts in files against a truth in a file."""

import csv
import json

import numpy as np
import pytest
from scipy.signal import lfilter

import floecast as fc
from floecast import cli
from floecast.core.calendar import DAY, to_seconds
from floecast.core.errors import InputError
from floecast.experiment.verify_files import verify_as_told, verify_files
from floecast.io.cf import to_dataset, write_netcdf
from floecast.verification import Scorecard, ice_edge
from floecast.verification.baselines import damped_anomaly_persistence

GRID = fc.Grid.box((10, 14), 50e3)
STARTS = to_seconds("2015-03-01") + DAY * np.arange(4)
LEADS = np.arange(4)


def weather(times, seed=7):
    """A ramp of ice whose edge swings with the season and with slow anomalies."""
    rng = np.random.default_rng(seed)
    wave = lfilter([1.0], [1.0, -0.9], rng.normal(0, 0.05, 8000))
    days = np.asarray(times) // DAY
    shift = 0.3 * np.cos(2 * np.pi * days / 365.25) + wave[days % 8000]
    column = np.linspace(1.4, -0.4, GRID.shape[1])
    rows = np.linspace(-0.1, 0.1, GRID.shape[0])[:, None]
    return (column + rows + shift[:, None, None]).clip(0, 1)


def write(path, times, members=None, start=None, **fields):
    dataset = to_dataset(
        fields,
        GRID,
        title="test",
        time=np.asarray(times),
        members=members is not None,
        reference_time=start,
    )
    write_netcdf(dataset, path)
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    rng, forecasts, others = np.random.default_rng(1), [], []
    for start in map(int, STARTS):
        times = start + DAY * LEADS
        truth = weather(times)
        growing = 0.03 * (1 + LEADS)[:, None, None]
        ensemble = (truth + growing * rng.normal(size=(5, *truth.shape))).clip(0, 1)
        name = f"{(start - STARTS[0]) // DAY}.nc"
        forecasts.append(write(folder / f"f{name}", times, 5, start, concentration=ensemble))
        others.append(write(folder / f"o{name}", times, None, start, concentration=1 - truth))
    span = np.arange(STARTS[0], STARTS[-1] + 5 * DAY, DAY)
    u = 0.1 * np.ones((span.size, *GRID.shape))
    truth = write(folder / "truth.nc", span, concentration=weather(span), u=u, v=u)
    first, last = (to_seconds(f"{year}-01-01") for year in (2011, 2016))
    years = np.arange(first, last, DAY)
    past = write(folder / "past.nc", years, concentration=weather(years))
    return {"forecasts": forecasts, "truth": truth, "others": others, "past": past}


def row(card, system, score, lead, region="arctic"):
    (found,) = card.select(system=system, score=score, region=region, lead_hours=float(lead)).rows
    return found


def test_the_whole_chain(files, tmp_path):
    told = verify_files(
        files["forecasts"],
        files["truth"],
        systems={"upside down": files["others"]},
        past=[files["past"]],
        block_days=2,
        out=tmp_path,
    )
    card = Scorecard.from_json(tmp_path / "scorecard.json")
    assert told["dates"] == 4 and told["block_dates"] == 2 and told["rows"] == len(card)
    assert told["systems"] == sorted(
        [
            "forecast",
            "upside down",
            "persistence",
            "observed persistence",
            "climatology",
            "past years",
            "damped anomaly persistence",
            "observed damped anomaly persistence",
        ]
    )
    with (tmp_path / "scorecard.csv").open() as table:
        assert len(list(csv.DictReader(table))) == len(card)
    weights = GRID.area
    errors = []
    for start in STARTS:
        now, later = weather([start])[0], weather([start + 2 * DAY])[0]
        errors.append(ice_edge.iiee(now, later, weights=weights).iiee / 1e9)
    found = row(card, "observed persistence", "iiee", 48)
    assert found.value == pytest.approx(np.mean(errors), abs=1e-3) and found.n == 4
    assert found.low <= found.value <= found.high
    worse = row(card, "forecast minus upside down", "rmse", 48)
    assert worse.high < 0
    kinds = {
        one["kind"] for one in json.loads((tmp_path / "diagrams.json").read_text())["diagrams"]
    }
    assert kinds == {"ranks", "spread", "reliability_15", "reliability_80"}
    # The year that is forecast is in the file of past years and must not help.
    climatology = row(card, "climatology", "rmse", 0)
    assert climatology.value > 0.01
    damped = row(card, "observed damped anomaly persistence", "rmse", 0)
    assert damped.value == pytest.approx(0, abs=1e-6)  # all of the anomaly is left at lead 0


def test_damping_is_that_of_the_baseline(files, tmp_path):
    from floecast.verification.past_years import PastYears

    verify_files(files["forecasts"][:1], files["truth"], past=[files["past"]], out=tmp_path)
    card = Scorecard.from_json(tmp_path / "scorecard.json")
    first, last = (to_seconds(f"{year}-01-01") for year in (2011, 2016))
    times = np.arange(first, last, DAY)
    past = PastYears(times, weather(times).__getitem__)
    start = int(STARTS[0])
    damping = past.damping(start + 14 * DAY, LEADS * DAY, weights=GRID.area)
    assert 0 < damping[3] < 1
    expected = damped_anomaly_persistence(
        weather([start])[0],
        normal_start=past.normal(start),
        normal_leads=np.stack([past.normal(start + int(lead) * DAY) for lead in LEADS]),
        correlation=damping,
        lower=0,
        upper=1,
    )
    error = expected[3] - weather([start + 3 * DAY])[0]
    found = row(card, "observed damped anomaly persistence", "rmse", 72)
    assert found.value == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-4)
    assert np.isnan(found.low)  # one start date has no interval


def test_as_the_command_says(files, tmp_path):
    told = verify_as_told(
        [*files["forecasts"], files["truth"]],
        {
            "system": [f"upside down={file}" for file in files["others"]],
            "error": ["concentration=0.05"],
            "block-days": 3.0,
        },
        out=tmp_path,
    )
    assert told["block_days"] == 3 and "upside down" in told["systems"]


def test_the_command(files, tmp_path, monkeypatch, capsys):
    words = ["verify", files["forecasts"][0], files["truth"], "--out", tmp_path, "--json"]
    monkeypatch.setattr("sys.argv", ["floecast", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        cli.main()
    told = json.loads(capsys.readouterr().out)
    assert not left.value.code and told["dates"] == 1 and told["folder"] == str(tmp_path)
    assert len(Scorecard.from_json(tmp_path / "scorecard.json")) == told["rows"] > 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"error": ["concentration"]}, "error 'concentration'"),
        ({"error": ["concentration=much"]}, "concentration=much"),
        ({"error": ["depth=1"]}, "depth"),
        ({"error": ["concentration=inf"]}, "concentration=inf"),
        ({"error": ["ice_volume=1"]}, "variables that are scored, concentration"),
        ({"region": ["here=1,2,3"]}, "here=1,2,3"),
        ({"region": ["here=70,80,0,30"]}, "no projection"),
        ({"region": ["sea"]}, "region 'sea'"),
        ({"system": ["nowhere.nc"]}, "NAME=FILE"),
        ({"system": ["persistence=nowhere.nc"]}, "taken"),
        ({"system": ["free run=nowhere.nc"]}, "nowhere.nc does not exist"),
        ({"block-days": -1.0}, "block_days"),
    ],
)
def test_what_the_command_says_wrongly(files, tmp_path, change, words):
    with pytest.raises(InputError, match=words):
        verify_as_told([*files["forecasts"][:1], files["truth"]], change, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_files_that_do_not_fit(files, tmp_path):
    twice = [files["forecasts"][0]] * 2
    with pytest.raises(InputError, match="the start 2015-03-01"):
        verify_files(twice, files["truth"], out=tmp_path)
    with pytest.raises(InputError, match="'other' has no forecast that starts 2015-03-02"):
        verify_files(files["forecasts"][:2], files["truth"], systems={"other": files["others"][:1]})
    elsewhen = write(tmp_path / "elsewhen.nc", [DAY], None, None, concentration=weather([DAY]))
    with pytest.raises(InputError, match="no value at the times"):
        verify_files(files["forecasts"][:1], elsewhen, out=tmp_path)
    longer = int(STARTS[1]) + DAY * np.arange(5)
    long = write(tmp_path / "long.nc", longer, None, int(STARTS[1]), concentration=weather(longer))
    with pytest.raises(InputError, match="other lead times"):
        verify_files([files["forecasts"][0], long], files["truth"], out=tmp_path)
    for out in (elsewhen, elsewhen / "below"):
        with pytest.raises(InputError, match="elsewhen.nc is no folder"):
            verify_files(files["forecasts"][:1], files["truth"], out=out)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(InputError, match="is a run"):
        verify_files(files["forecasts"][:1], files["truth"], out=tmp_path)
