"""Data sets: chosen times of simulations, never the same weather twice, resumable at any kill."""

import json

import numpy as np
import pytest
import xarray as xr

import floecast.experiment.dataset as module
from floecast.atmosphere.forcing import WEATHER
from floecast.core.calendar import HOUR, to_seconds
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.variables import STATE
from floecast.dataset_schema import dataset_config
from floecast.experiment import dataset_statistics
from floecast.experiment.dataset import dataset
from floecast.io.cf import to_dataset, write_zarr
from floecast.io.run_folder import read_manifest
from floecast.io.store import read_dataset
from floecast.io.training_archive import read_ocean_climatology, read_training_archive
from floecast.progress import Silent
from floecast.simulator.arctic_ocean import ArcticOcean

GRID = Grid.preset("arctic100")
SMALL = ("concentration", "damage", "humidity", "snowfall")


class Killed(Exception):
    pass


def simulation(folder, *, split="training", seed=0, days=("2031-12-30", "2032-01-03"), **options):
    """A folder like that of `floecast simulate`, with a few days of six-hourly noise."""
    begin, end = (to_seconds(day) for day in days)
    times = np.arange(begin, end, 6 * HOUR) + 6 * HOUR
    generator = np.random.default_rng(seed + len(split))
    fields = {
        name: generator.uniform(0, 0.1 if name in SMALL else 1, (times.size, *GRID.shape))
        for name in (*STATE, *WEATHER)
    }
    fields["concentration"] *= 9 * (GRID.latitude > 80)
    fields["air_temperature"] += 260
    made = to_dataset(fields, GRID, time=times, staggered=True, title="noise")
    write_zarr(made, folder / "archive.zarr")
    config = {"name": "noise", "preset": "arctic100", "split": split, "seed": seed}
    config |= {"first_year": 2031, "years": 2} | options
    manifest = {"config": config, "stages": [{"name": "spin-up"}, {"name": "archive"}]}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="module")
def simulations(tmp_path_factory):
    """Two simulations with weather of their own."""
    place = tmp_path_factory.mktemp("simulations")
    return {
        "training": simulation(place / "one"),
        "validation": simulation(place / "two", split="validation"),
    }


def config_of(training, validation=None, **options):
    archives = {"training": training} | ({"validation": validation} if validation else {})
    given = [f"{key}={value}" for key, value in options.items()]
    text = f"source.archives={json.dumps(archives)}"
    return dataset_config(None, ["preset=arctic100", text, *given])


@pytest.fixture(scope="module")
def whole(simulations, tmp_path_factory):
    config = config_of(
        [str(simulations["training"])], [str(simulations["validation"])], step_hours=6
    )
    return dataset(config, out=tmp_path_factory.mktemp("whole") / "set")


def times_of(folder, split="training"):
    with read_dataset(folder.file(f"{split}.zarr")) as store:
        return store.time.values.astype("datetime64[h]").astype(str).tolist()


def test_splits_hold_the_archives(whole, simulations):
    for split in ("training", "validation"):
        with (
            read_dataset(whole.file(f"{split}.zarr")) as store,
            read_dataset(simulations[split] / "archive.zarr") as archive,
        ):
            assert store.attrs["split"] == split and store.attrs["step_hours"] == 6
            assert store.attrs["Conventions"] == "CF-1.8"
            for name in (*STATE, *WEATHER):
                xr.testing.assert_equal(store[name], archive[name])
                assert store[name].dtype == np.float32
    archive = read_training_archive(whole.file("training.zarr"), GRID)
    assert archive.spacing == 6 * HOUR and len(archive.time) == 16


def test_statistics_are_those_of_the_split(whole):
    told = json.loads(whole.file("statistics.json").read_text())
    archive = read_training_archive(whole.file("training.zarr"), GRID)
    assert (told["split"], told["step_hours"], told["times"]) == ("training", 6, 16)
    fields = archive.state.fields() | archive.forcing.fields()
    area = np.broadcast_to(GRID.area, (16, *GRID.shape))
    for name in ("ice_volume", "damage", "air_temperature", "snowfall"):
        values, weights = fields[name][:, GRID.mask_t], area[:, GRID.mask_t]
        mean = np.average(values, weights=weights)
        std = np.sqrt(np.average((values - mean) ** 2, weights=weights))
        assert told["fields"][name]["mean"] == pytest.approx(mean, rel=1e-5)
        assert told["fields"][name]["std"] == pytest.approx(std, rel=1e-4)
    for hours, lag in ((6, 1), (12, 2), (24, 4)):
        change = fields["ice_volume"][lag:] - fields["ice_volume"][:-lag]
        change, weights = change[:, GRID.mask_t], area[lag:, GRID.mask_t]
        std = np.sqrt(
            np.average(change**2, weights=weights) - np.average(change, weights=weights) ** 2
        )
        assert told["change_std"][str(hours)]["ice_volume"] == pytest.approx(std, rel=1e-4)


def test_drift_counts_where_there_is_ice(whole):
    told = json.loads(whole.file("statistics.json").read_text())
    archive = read_training_archive(whole.file("training.zarr"), GRID)
    cover, v = archive.state.concentration, archive.state.v
    ice = (0.5 * (cover + np.roll(cover, -1, 1)) > 0.15) & GRID.mask_v
    weights = np.broadcast_to(GRID.dx_v**2, v.shape)
    mean = np.average(v[ice], weights=weights[ice])
    assert told["fields"]["v"]["mean"] == pytest.approx(mean, rel=1e-5)
    both = ice[4:] & ice[:-4]
    change, weights = (v[4:] - v[:-4])[both], weights[4:][both]
    std = np.sqrt(np.average(change**2, weights=weights) - np.average(change, weights=weights) ** 2)
    assert told["change_std"]["24"]["v"] == pytest.approx(std, rel=1e-4)
    assert 0 < both.sum() < 0.9 * GRID.mask_v.sum() * both.shape[0]


def test_statistics_do_not_depend_on_what_is_read_at_once(whole, monkeypatch):
    monkeypatch.setattr(dataset_statistics, "_TIMES_AT_ONCE", 3)
    told = json.loads(whole.file("statistics.json").read_text())
    again = dataset_statistics.split_statistics(whole.file("training.zarr"), GRID, Silent())
    for hours, changes in told["change_std"].items():
        assert again["change_std"][hours] == pytest.approx(changes, rel=1e-6)
    assert again["fields"]["u"] == pytest.approx(told["fields"]["u"], rel=1e-6)


def test_ocean_is_that_of_the_simulator(whole):
    months = read_ocean_climatology(whole.file("ocean.nc"))
    july = [ArcticOcean.of(GRID).fields(to_seconds(f"2030-07-{day:02d}")) for day in (3, 17, 29)]
    for name, field in months.items():
        near = np.mean([fields[name] for fields in july], axis=0)
        np.testing.assert_allclose(field[6][GRID.mask_t], near[GRID.mask_t], atol=0.15)
        assert field.shape == (12, *GRID.shape) and (field[:, ~GRID.mask_t] == 0).all()
    assert np.ptp(months["ocean_temperature"][:, GRID.mask_t], axis=0).max() > 2


def test_years_are_chosen_and_do_not_join_what_never_followed(simulations, tmp_path):
    """Times of the year itself; where another simulation goes on, one time is left out."""
    one, two = (str(simulations[split]) for split in ("training", "validation"))
    chosen = [{"path": one, "years": [2031]}, {"path": two, "years": [2032]}]
    folder = dataset(config_of(chosen), out=tmp_path / "set")
    assert times_of(folder) == [
        *("2031-12-30T12", "2031-12-31T00", "2031-12-31T12"),
        *("2032-01-01T12", "2032-01-02T00", "2032-01-02T12", "2032-01-03T00"),
    ]


def test_splits_that_touch_are_noted(simulations, tmp_path):
    one = str(simulations["training"])
    config = config_of([{"path": one, "years": [2031]}], [{"path": one, "years": [2032]}])
    folder = dataset(config, out=tmp_path / "set")
    assert times_of(folder, "validation")[0] == "2032-01-01T00"
    (note,) = folder.manifest["notes"]
    assert "validation has 2032, training 2031" in note


def test_the_same_weather_in_two_splits_is_refused(simulations, tmp_path):
    one, copy = simulations["training"], tmp_path / "copy"
    simulation(copy)
    for training, validation in (
        ([str(one)], [{"path": str(one), "years": [2032]}]),
        ([str(one)], [str(copy)]),
    ):
        with pytest.raises(InputError, match="weather of training, seed 0.* is in training and"):
            dataset(config_of(training, validation), out=tmp_path / "set")
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"years": [2033]}, "does not hold 2033; it holds 2031 to 2032"),
        ({"preset": "arctic50"}, "is on arctic50, expected arctic100"),
        ({"stages": []}, "is not finished"),
        ({"lacking": "wind_u"}, "lacks wind_u"),
        ({"path": "nowhere"}, "nowhere is not a run"),
        ({"twice": True}, "overlap in time"),
    ],
)
def test_wrong_archives_are_refused_before_work(change, message, tmp_path):
    folder = simulation(tmp_path / "one")
    manifest = read_manifest(folder)
    manifest["stages"] = change.get("stages", manifest["stages"])
    manifest["config"]["preset"] = change.get("preset", "arctic100")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    if "lacking" in change:
        write_zarr(
            xr.open_zarr(folder / "archive.zarr", consolidated=False)
            .load()
            .drop_vars(change["lacking"]),
            folder / "archive.zarr",
        )
    choice = {"path": change.get("path", str(folder)), "years": change.get("years")}
    with pytest.raises(InputError, match=message):
        dataset(config_of([choice] * (2 if "twice" in change else 1)), out=tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_values_that_cannot_be_are_refused(tmp_path):
    folder = simulation(tmp_path / "one")
    with read_dataset(folder / "archive.zarr") as archive:
        archive = archive.load()
    archive["concentration"][3, 32, 32] = 1.5
    write_zarr(archive, folder / "archive.zarr")
    with pytest.raises(InputError, match=r"concentration is 1.5 1 at 2031-12-31T00:00:00Z, cell"):
        dataset(config_of([str(folder)]), out=tmp_path / "set")
    assert not (tmp_path / "set" / "training.zarr").exists()


def dying(function, call):
    """The same function, which dies when it is called the n-th time."""
    calls = []

    def called(*arguments, **options):
        calls.append(arguments)
        if len(calls) == call:
            raise Killed
        return function(*arguments, **options)

    return called


def test_killed_and_called_again(tmp_path, monkeypatch):
    """Every stage is gone on with; what is finished is not made anew."""
    config = dataset_config(None, ["preset=arctic100", "step_hours=6", "source.seeds.validation=4"])
    simulated = []

    def few_days(config, *, out, progress):
        simulated.append((config.split, config.years, config.spin_up_years, config.seed))
        if not (out / "manifest.json").exists():
            simulation(out, split=config.split, seed=config.seed)

    monkeypatch.setattr(module, "simulate", few_days)
    monkeypatch.setattr(module, "TIMES_PER_CHUNK", 10)
    whole = dataset(config, out=tmp_path / "whole")
    assert simulated == [("training", 3, 1, 0), ("validation", 1, 1, 4)]
    out, writer = tmp_path / "killed", module.ZarrWriter
    for place, name, call, expected in (
        (writer, "append", 2, ["training"]),
        (writer, "append", 3, ["training", "validation"]),
        (module, "split_statistics", 1, ["validation"]),
        (module, "monthly_ocean", 1, []),
    ):
        simulated.clear()
        with monkeypatch.context() as patch:
            patch.setattr(place, name, dying(getattr(place, name), call))
            with pytest.raises(Killed):
                dataset(config, out=out)
        assert [split for split, *_ in simulated] == expected
    written = (out / "training.zarr" / "zarr.json").stat().st_mtime_ns
    again = dataset(config, out=out)
    assert (out / "training.zarr" / "zarr.json").stat().st_mtime_ns == written
    for name in ("training.zarr", "validation.zarr", "ocean.nc"):
        with read_dataset(again.file(name)) as one, read_dataset(whole.file(name)) as other:
            xr.testing.assert_identical(one.load(), other.load())
    assert again.file("statistics.json").read_text() == whole.file("statistics.json").read_text()
    assert not list(out.glob(".*"))


def test_another_configuration_is_refused(whole, simulations):
    config = config_of([str(simulations["training"])])
    with pytest.raises(InputError, match="another configuration"):
        dataset(config, out=whole.path)
