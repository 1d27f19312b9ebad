"""Forecasts from an analysis: the same after a kill, lost members, what is refused."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import floecast as fc
from floecast.assimilation_schema import assimilation_config
from floecast.config import make_config
from floecast.core.calendar import DAY, HOUR, to_datetime64, to_seconds
from floecast.core.ensemble import stack
from floecast.core.errors import FloecastWarning, InputError
from floecast.core.grid import Grid
from floecast.core.keys import named_key
from floecast.emulator.features import Scaling, feature_names
from floecast.emulator.model import Emulator
from floecast.emulator.ocean import OceanClimatology
from floecast.experiment.ensemble_forecast import ensemble_forecast
from floecast.experiment.files import write_states
from floecast.experiment.forecast_start import read_start
from floecast.experiment.twin import Twin
from floecast.forecast_schema import forecast_config, is_of_analysis
from floecast.io.cf import read_dataset
from floecast.io.checkpoint import save_checkpoint
from floecast.io.run_folder import RunFolder

GRID = Grid.preset("arctic100")
MEMBERS, LOST = 5, 2
DRIFTERS = "drifters=[{name: ship, longitude: 150, latitude: 80}]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Folder of an assimilation that was ended after its first cycle, with a small emulator."""
    path = tmp_path_factory.mktemp("forecast")
    scaling = Scaling(
        jnp.zeros(len(feature_names())),
        jnp.full(len(feature_names()), 100.0),
        {name: jnp.asarray(0.05) for name in fc.IceState.__annotations__},
    )
    still = jnp.zeros((5, *GRID.shape))
    ocean = OceanClimatology(still, still, still.at[0].set(272.0))
    emulator = Emulator.untrained(
        GRID, scaling, ocean, key=jax.random.key(3), dt=12 * HOUR, widths=(4, 4)
    )
    emulator.save(path / "emulator.npz")
    given = [f"emulator={path / 'emulator.npz'}", f"members={MEMBERS}", "window_hours=24"]
    config = assimilation_config(None, [*given, "cycles=3"])
    made = RunFolder(path / "run", config.model_dump(mode="json") | {"name": config.name})
    twin = Twin(config.preset, config.twin, 1)
    ensemble = jax.tree.map(  # the five years
        lambda leaf: leaf.astype(jnp.float32), stack([twin.restart(n) for n in twin.numbers])
    )
    lost = jax.tree.map(lambda leaf: leaf.at[LOST].set(jnp.nan), ensemble)
    save_checkpoint(made.file("ensemble.npz"), (lost, 1), config_hash="x")
    time = twin.start + DAY
    write_states(path / "members.nc", ensemble, GRID, time, title="Members", members=True)
    mean = jax.tree.map(lambda leaf: leaf.mean(axis=0), ensemble)
    write_states(path / "analysis.nc", mean, GRID, time, title="Analysis", members=False)
    return path


def config_of(folder, *options, analysis="run"):
    days = [] if any(one.startswith("days=") for one in options) else ["days=1"]
    given = [f"analysis={folder / analysis}", f"emulator={folder / 'emulator.npz'}", *days]
    return forecast_config(None, [*given, *options])


class Killed(Exception):
    pass


class KilledAfter:
    """Progress that ends the run."""

    def __init__(self, times):
        self.times, self.done = times, []

    def stage(self, name, told):
        pass

    def advance(self, done, total):
        self.done.append(done)
        if done == self.times:
            raise Killed


@pytest.fixture(scope="module")
def config(folder):
    return config_of(folder, "every_hours=12", "members=true", DRIFTERS)


@pytest.fixture(scope="module")
def whole(config, folder):
    return ensemble_forecast(config, out=folder / "whole")


def test_killed_after_a_time_it_comes_to_the_same_bytes(config, whole, tmp_path):
    with pytest.raises(Killed):
        ensemble_forecast(config, out=tmp_path / "cut", progress=KilledAfter(2))
    with read_dataset(tmp_path / "cut" / "parts" / "forecast_0001.nc") as part:
        assert part.sizes["time"] == 1  # what is done can be read
    # As if the kill had come while the next time was written.
    (tmp_path / "cut" / "parts" / "forecast_0002.nc").write_bytes(b"half")
    rest = KilledAfter(None)
    cut = ensemble_forecast(config, out=tmp_path / "cut", progress=rest)
    assert rest.done == [3]
    for name in whole.manifest["stages"][0]["files"]:
        assert cut.file(name).read_bytes() == whole.file(name).read_bytes(), name
    assert not cut.file("parts").exists()
    again = KilledAfter(None)
    ensemble_forecast(config, out=tmp_path / "cut", progress=again)
    assert again.done == []


def test_a_damaged_state_costs_one_time(config, whole, tmp_path):
    out = tmp_path / "cut"
    with pytest.raises(Killed):
        ensemble_forecast(config, out=out, progress=KilledAfter(2))
    (out / "parts" / "state.npz").write_bytes(b"")
    with pytest.warns(FloecastWarning, match="going on from the checkpoint before it"):
        cut = ensemble_forecast(config, out=out)
    for name in whole.manifest["stages"][0]["files"]:
        assert cut.file(name).read_bytes() == whole.file(name).read_bytes(), name


def test_a_lost_member_is_told_and_left_out(whole):
    others = [number for number in range(MEMBERS) if number != LOST]
    sea = GRID.mask_t
    with (
        read_dataset(whole.file("forecast.nc")) as told,
        read_dataset(whole.file("forecast_members.nc")) as members,
        read_dataset(whole.file("trajectories.nc")) as drifters,
    ):
        assert told["members"].values.tolist() == [MEMBERS - 1] * 3
        lost = members.isel(realization=LOST)
        assert np.isnan(lost["concentration"]).all()
        kept = members.isel(realization=others).load()
        for name in ("concentration", "u"):
            mean, spread = kept[name].mean("realization"), kept[name].std("realization", ddof=1)
            np.testing.assert_allclose(told[name].values[:, sea], mean.values[:, sea], atol=1e-6)
            np.testing.assert_allclose(
                told[f"{name}_spread"].values[:, sea], spread.values[:, sea], atol=1e-6
            )
        ice = (kept["concentration"] > 0.15).mean("realization")
        np.testing.assert_allclose(told["probability_of_ice"].values[:, sea], ice.values[:, sea])
        at = drifters.isel(drifter=0)
        assert np.isnan(at["drifter_x"].isel(realization=LOST)).all()
        found = at["drifter_x"].isel(realization=others)
        np.testing.assert_allclose(at["drifter_x_mean"], found.mean("realization"))
        assert (at["drifter_among_ice"] == 1).all()
    assert whole.manifest["warnings"] == ["forecast: members 2 are not finite and left out"]


def test_members_go_as_a_forecast_in_memory_does(config, whole):
    start = read_start(config.analysis)
    assert start.time == int(to_seconds("2031-01-06"))  # the fifth day, and a cycle
    good = jax.tree.map(lambda leaf: leaf[:2], start.ensemble)
    weathers = [start.truth.forecast(start.weather_key, start.time, member=n) for n in range(2)]
    run = fc.forecast(
        Emulator.load(config.emulator, GRID),
        good,
        weathers,
        days=1,
        key=named_key(config.seed, "forecast", "model"),
        start=start.time,
    )
    with read_dataset(whole.file("forecast_members.nc")) as members:
        last = members.isel(time=-1, realization=slice(2))
        for name in ("concentration", "ice_volume"):
            expected = np.asarray(getattr(run.ensemble, name))[:, -1]
            sea = np.broadcast_to(GRID.mask_t, expected.shape)
            np.testing.assert_allclose(last[name].values[sea], expected[sea], atol=2e-5)
        assert last["time"].values == to_datetime64(start.time + DAY)


def test_from_a_file_of_members_in_drawn_weather(folder, tmp_path, monkeypatch):
    row, column = np.argwhere(GRID.mask_t & (GRID.latitude > 85))[0]

    def opening(model, states, *rest):
        """Ice that rests, and opens in three of the members."""
        ice, drifters = states
        cover = ice.concentration.at[:3, row, column].set(0.0)
        return eqx.tree_at(lambda s: s.concentration, ice, cover), drifters

    monkeypatch.setattr("floecast.experiment.ensemble_forecast.advanced", opening)
    options = ["weather.knowledge=climatology", "days=3", "spell_days=2", "quantiles=[0.5, 0.9]"]
    config = config_of(folder, *options, analysis="members.nc")
    assert config.name == "members_forecast"
    made = ensemble_forecast(config, out=tmp_path / "out")
    with read_dataset(made.file("forecast.nc")) as told:
        assert told["members"].values.tolist() == [MEMBERS] * 4
        assert told["forecast_period"].values.tolist() == [0, 24, 48, 72]
    with read_dataset(made.file("ice_dates.nc")) as dates:
        assert np.isnat(dates["freeze_up"].values).all()
        opened = dates.isel(y=row, x=column)
        assert opened["probability_of_break_up"].item() == pytest.approx(0.6)
        assert opened["break_up"].values[0] == np.datetime64("2031-01-07")
        assert np.isnat(opened["break_up"].values[1])
        assert dates["probability_of_break_up"].sum().item() == pytest.approx(0.6)
    with pytest.raises(InputError, match="analysis_sha256"):  # of another analysis
        RunFolder(made.path, made.manifest["config"] | {"analysis_sha256": "0"})


def test_from_a_run_of_a_twin_its_weather_is_known_and_from_files_not(folder, tmp_path):
    for name, given in (
        ("twin", {"background": {"source": "twin"}, "observations": {}}),
        (
            "files",
            {
                "background": {
                    "source": "files",
                    "thickness": "a.nc",
                    "concentration": "b.nc",
                    "date": "2031-01-05",
                },
                "observations": [{"file": "b.nc", "start": "2031-01-05", "end": "2031-01-06"}],
            },
        ),
    ):
        weather = {"knowledge": "climatology"}
        tree = {"name": name, "analysis_time": "2031-01-06", "weather": weather} | given
        config = make_config(tree)
        run = RunFolder(tmp_path / name, config.model_dump(mode="json"))
        run.file("analysis_ensemble.nc").write_bytes((folder / "members.nc").read_bytes())
        start = read_start(run.path)
        assert (start.truth is not None) == (name == "twin")
        assert start.grid.name == "arctic100" and start.time == to_seconds("2031-01-06")
    with pytest.raises(InputError, match="no members .*; .*analysis_ensemble.nc does"):
        beside = tmp_path / "twin" / "analysis.nc"
        beside.write_bytes((folder / "analysis.nc").read_bytes())
        read_start(beside)


def refused(folder, words, *options, analysis="run", data=None):
    with pytest.raises(InputError, match=words):
        ensemble_forecast(
            config_of(folder, *options, analysis=analysis), data=data, out=folder / "never"
        )
    assert not (folder / "never").exists()


@pytest.mark.parametrize(
    ("analysis", "words"),
    [
        ("nowhere", "there is no .*nowhere; name a folder of floecast assimilate"),
        (".", "holds no ensemble: expected ensemble.npz"),
        ("analysis.nc", "holds no members"),
        ("emulator.npz", "emulator.npz is not netCDF"),
    ],
)
def test_no_ensemble_there(folder, analysis, words):
    refused(folder, words, analysis=analysis)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d * np.nan, "fewer than 3 members that are finite"),
        (lambda d: d.assign(concentration=100 * d.concentration), "m.nc: concentration is .* cell"),
        (
            lambda d: d.assign(u=d.u.assign_attrs(units="km/d")),
            "m.nc: u is in km/d, expected m s-1",
        ),
        (
            lambda d: d.assign(v=d.v.assign_attrs(comment="mean of the two faces of the cell")),
            "m.nc: v is at the centres",
        ),
    ],
)
def test_members_of_a_file_that_are_no_ice(folder, change, words):
    with read_dataset(folder / "members.nc") as members, xr.set_options(keep_attrs=True):
        change(members.load()).to_netcdf(folder / "m.nc")
    refused(folder, words, "weather.knowledge=climatology", analysis="m.nc")


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("drifters=[{name: x, longitude: -42, latitude: 75}]", "drifter x at .* is on land"),
        ("drifters=[{name: x, longitude: 0, latitude: 20}]", "drifter x at .* is outside"),
        (
            "drifters=[{name: x, longitude: 0, latitude: 85, start: 2031-02-01}]",
            "drifter x starts at 2031-02-01T00:00:00Z, outside of the forecast from 2031-01-06",
        ),
        ("every_hours=6", "every_hours: 6 h are no multiple of .* 12 h"),
        ("emulator=nowhere.npz", "no emulator at nowhere.npz"),
        ("emulator=arctic50", "arctic50 holds no ocean of arctic100"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(folder, option, words):
    refused(folder, words, option)


def test_weather_of_no_twin(folder):
    refused(folder, "weather.knowledge: .* of no twin", analysis="members.nc")


def write_wind(path, hours, speed):
    """Wind on latitudes and longitudes, six-hourly from the analysis of `folder` on."""
    time = to_datetime64(to_seconds("2031-01-06") + HOUR * np.arange(0, hours + 1, 6))
    latitude, longitude = np.arange(90.0, 29.0, -2.0), np.arange(0.0, 360.0, 4.0)
    shape = len(time), len(latitude), len(longitude)
    wind = ("time", "latitude", "longitude"), np.full(shape, speed, "f4"), {"units": "m s**-1"}
    places = {
        "latitude": ("latitude", latitude, {"units": "degrees_north"}),
        "longitude": ("longitude", longitude, {"units": "degrees_east"}),
    }
    xr.Dataset({"u10": wind, "v10": wind}, {"time": time} | places).to_netcdf(path)


FROM_FILE = "weather={knowledge: file, file: w.nc}"


def test_weather_that_ends_early(folder, tmp_path):
    write_wind(tmp_path / "w.nc", 18, 1.0)
    refused(folder, "weather.file: .*2031-01-06T18:00:00Z", FROM_FILE, data=tmp_path)
    refused(folder, "name its folder by --data", FROM_FILE)


def test_weather_of_a_file_is_told_and_a_new_file_is_a_new_forecast(folder, tmp_path, monkeypatch):
    known = []

    def resting(model, states, weather, *rest):
        known.append(float(weather.member(1).between(0, 0).wind_u[0].max()))
        return states

    monkeypatch.setattr("floecast.experiment.ensemble_forecast.advanced", resting)
    config = config_of(folder, FROM_FILE, analysis="members.nc")
    for speed in (3.0, 3.0, 5.0):
        write_wind(tmp_path / "w.nc", 24, speed)
        made = ensemble_forecast(config, data=tmp_path, out=tmp_path / "out")
        assert [one["path"] for one in made.manifest["inputs"]] == ["w.nc"]
    np.testing.assert_allclose(known, [3 * 2**0.5, 5 * 2**0.5], rtol=0.01)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("days=16", "days: .*less than or equal to 15"),
        ("quantiles=[0.9, 0.1]", "quantiles must ascend"),
        ("thickness_classes=[1, 1]", "thickness_classes must ascend"),
        ("weather.knowledge=file", "knowledge: file and file go together"),
        (
            "drifters=[{name: x, longitude: 0, latitude: 8}, {name: x, longitude: 9, latitude: 8}]",
            "two have the same name",
        ),
        ("colour=red", "colour"),
    ],
)
def test_a_wrong_configuration(folder, option, words):
    with pytest.raises(InputError, match=words):
        config_of(folder, option)


def test_a_configuration_is_of_an_analysis_or_of_a_run(tmp_path):
    (tmp_path / "run.yaml").write_text("analysis: {inflation: 1.1}\n")
    (tmp_path / "forecast.yaml").write_text("analysis: runs/x\n")
    assert not is_of_analysis(tmp_path / "run.yaml")
    assert is_of_analysis(tmp_path / "forecast.yaml")
    assert forecast_config(tmp_path / "forecast.yaml").name == "x_forecast"
