"""Farms: which tasks there are, what each leaves, and that results are those of the commands."""

import fcntl
import json
import threading

import numpy as np
import pytest
import yaml

import floecast as fc
from floecast import cli
from floecast.core.calendar import DAY, to_seconds
from floecast.core.errors import InputError
from floecast.experiment import farm as module
from floecast.experiment.farm import farm, joined
from floecast.experiment.farm_tasks import perform, sums_of_date
from floecast.experiment.verify_files import verify_files
from floecast.farm_schema import farm_config, tasks_of
from floecast.io.cf import to_dataset, write_netcdf
from floecast.workers import attempt

GRID = fc.Grid.box((6, 8), 50e3)


def config_of(tmp_path, **told):
    file = tmp_path / "farm.yaml"
    file.write_text(yaml.safe_dump(told))
    return farm_config(file)


@pytest.fixture
def here(monkeypatch):
    """Tasks one after the other in this process, in the place of workers."""

    def run_tasks(work, tasks, cluster):
        for name, task in tasks.items():
            yield name, attempt(work, task)

    monkeypatch.setattr(module, "run_tasks", run_tasks)


def test_tasks_are_all_combinations_with_names_of_their_own(tmp_path):
    config = config_of(
        tmp_path,
        task="simulate",
        set={"preset": "arctic100", "rheology": "mevp"},
        over={"seed": "0-2,7", "split": ["training", "test"]},
    )
    tasks = tasks_of(config, tmp_path)
    assert [task.name for task in tasks][:3] == [
        "seed_0_split_training",
        "seed_0_split_test",
        "seed_1_split_training",
    ]
    assert [task.settings["seed"] for task in tasks] == [0, 0, 1, 1, 2, 2, 7, 7]
    assert {task.settings["rheology"] for task in tasks} == {"mevp"}
    assert tasks[-1].out == str(tmp_path / "seed_7_split_test")


def test_settings_below_sections_and_patterns_of_files(tmp_path):
    for name in ("b", "a"):
        (tmp_path / f"run_{name}").mkdir()
    config = config_of(
        tmp_path,
        task="forecast",
        set={"days": 3, "weather.knowledge": "climatology"},
        over={"analysis": str(tmp_path / "run_*")},
    )
    tasks = tasks_of(config, tmp_path / "out", tmp_path)
    assert [task.name for task in tasks] == ["run_a", "run_b"]
    assert tasks[0].settings["analysis"] == str(tmp_path / "run_a")
    assert tasks[0].settings["weather"]["knowledge"] == "climatology"
    assert tasks[0].data == str(tmp_path)


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ({"task": "simulate"}, "over"),
        ({"task": "simulate", "over": {"seed": "nothing*"}}, "no file is nothing"),
        ({"task": "simulate", "over": {"seed": []}}, "over.seed: no values"),
        ({"task": "simulate", "over": {"seed": [1, 1]}}, "two tasks"),
        ({"task": "simulate", "over": {"seed": "0-99999999"}}, "more than 100000"),
        ({"task": "simulate", "over": {"seeds": [1]}}, "did you mean seed"),
        ({"task": "simulate", "over": {"preset": ["arctic7"]}}, "preset"),
        ({"task": "run", "over": {"seed": [1]}}, "config: name the configuration"),
        ({"task": "convert", "config": "x", "over": {"file": ["x"]}}, "under set"),
        ({"task": "verify", "over": {"truth": ["x"]}}, "start dates"),
        ({"task": "sleep"}, "task"),
    ],
)
def test_what_is_wrong_is_refused_before_a_task_begins(tmp_path, told, word):
    with pytest.raises(InputError, match=word):
        farm(config_of(tmp_path, **told), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def weather(folder, name, times, seed, start=None):
    rng = np.random.default_rng(seed)
    members = () if start is None else (4,)
    field = rng.uniform(size=(*members, len(times), *GRID.shape))
    dataset = to_dataset(
        {"concentration": field},
        GRID,
        title="test",
        time=times,
        members=start is not None,
        reference_time=start,
    )
    write_netcdf(dataset, folder / name)
    return folder / name


@pytest.fixture
def case(tmp_path):
    """Forecasts of three start dates, truth and past years in files."""
    starts = to_seconds("2015-03-01") + DAY * np.arange(3)
    for number, start in enumerate(map(int, starts)):
        weather(tmp_path, f"forecast_{number}.nc", start + DAY * np.arange(3), number, start)
    truth = weather(tmp_path, "truth.nc", starts[0] + DAY * np.arange(6), 8)
    past = [to_seconds(f"{year}-02-20") + DAY * np.arange(25) for year in (2012, 2013)]
    weather(tmp_path, "past.nc", np.concatenate(past), 9)
    return tmp_path, {
        "forecasts": sorted(tmp_path.glob("forecast_*.nc")),
        "truth": truth,
        "past": [tmp_path / "past.nc"],
        "errors": {"concentration": 0.1},
        "seed": 3,
    }


def test_verification_on_a_worker_is_that_of_the_command(case):
    """To the bit, with start dates on another process."""
    pytest.importorskip("distributed", reason="needs the extra `cluster`")
    folder, told = case
    expected = verify_files(**told, out=folder / "serial")
    config = config_of(
        folder,
        task="verify",
        set={
            **told,
            "forecasts": [str(folder / "forecast_*.nc")],
            "truth": str(told["truth"]),
            "past": [str(folder / "past.nc")],
        },
        cluster={"workers": 1},
    )
    found = farm(config, out=folder / "farmed")
    assert found == expected | {"folder": str(folder / "farmed")}
    for name in ("scorecard.json", "scorecard.csv", "diagrams.json"):
        serial = (folder / "serial" / name).read_text().replace(str(folder / "serial"), "")
        farmed = (folder / "farmed" / name).read_text().replace(str(folder / "farmed"), "")
        assert farmed == serial


def test_a_start_date_that_fails_is_named(case, here):
    folder, told = case
    weather(folder, "truth.nc", [to_seconds("2015-03-01")], 8)
    files = {"forecasts": [str(folder / "forecast_[12].nc")], "truth": str(told["truth"])}
    with pytest.raises(fc.FloecastError, match="start date 1: .*2015-03-02"):
        farm(config_of(folder, task="verify", set=files), out=folder / "out")


def test_sums_of_dates_are_joined_in_their_order(case):
    folder, told = case
    config = config_of(
        folder,
        task="verify",
        set={"forecasts": [str(folder / "forecast_*.nc")], "truth": str(told["truth"])},
    )
    from floecast.farm_schema import verification_config

    text = verification_config(config).model_dump_json()
    parts = [sums_of_date((text, number)) for number in (0, 1, 2)]
    assert joined(parts).starts == sorted(joined(parts).starts) and len(joined(parts).starts) == 3
    series = next(iter(joined(parts).series.values()))
    assert list(series.dates) == [0, 1, 2]


def test_one_error_leaves_the_others_and_the_exit_code_tells(tmp_path, here, monkeypatch, capsys):
    """Files that are no product are refused by name; what is there is not made again."""
    monkeypatch.setattr("floecast.io.readers.read_observations", read)
    for name in ("good", "other", "bad"):
        (tmp_path / f"{name}.nc").write_bytes(b"")
    told = {"task": "convert", "set": {"preset": "arctic100"}}
    told["over"] = {"file": str(tmp_path / "*.nc")}
    (tmp_path / "farm.yaml").write_text(yaml.safe_dump(told))
    command = ["floecast", "farm", str(tmp_path / "farm.yaml"), "--out", str(tmp_path / "out")]
    for _ in range(2):
        monkeypatch.setattr("sys.argv", command)
        with pytest.raises(SystemExit) as left:
            cli.main()
        assert left.value.code == 1
        printed = capsys.readouterr()
        assert "2 of 3 tasks done" in printed.out
        assert "floecast: bad: bad.nc is damaged" in printed.err
    assert sorted(path.name for path in (tmp_path / "out").glob("*.nc")) == ["good.nc", "other.nc"]
    lines = [json.loads(line) for line in (tmp_path / "out" / "farm.jsonl").open()]
    assert [line.get("status") for line in lines] == [None, "failed", "done", "done"]
    assert READ.count("good.nc") == 1
    other = farm_config(tmp_path / "farm.yaml", ["set.preset=arctic50"])
    with pytest.raises(InputError, match="other tasks"):
        farm(other, out=tmp_path / "out")
    with pytest.raises(InputError, match="not a farm"):
        farm(other, out=tmp_path)


READ = []


def read(path, grid):
    name = path.rpartition("/")[2]
    if name == "bad.nc":
        raise InputError(f"{name} is damaged")
    READ.append(name)
    return fc.Observations(
        value=np.array([0.5]),
        error_std=np.array([0.1]),
        kind=np.array([0]),
        group=np.array([0]),
        x=np.array([0.0]),
        y=np.array([0.0]),
        time=np.array([0]),
        span=np.array([DAY]),
        cell=np.array([[5]]),
        weight=np.array([[1.0]]),
        flag=np.array([0]),
        assumed=np.array([False]),
    )


def _wait(task, done):
    perform(task)
    done.set()


def test_two_do_not_work_on_a_task_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("floecast.io.readers.read_observations", read)
    config = config_of(tmp_path, task="convert", over={"file": ["x/good.nc"]})
    (task,) = tasks_of(config, tmp_path / "out")
    (tmp_path / "out" / ".locks").mkdir(parents=True)

    done = threading.Event()
    with (tmp_path / "out" / ".locks" / "good.nc").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        other = threading.Thread(target=_wait, args=(task, done))
        other.start()
        assert not done.wait(0.3)
    assert done.wait(20)
    other.join()


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("file", "exists and is not a farm"),
        ("file/below", "cannot make the folder"),
        ("deep", "holds a farm of other tasks"),
    ],
)
def test_a_folder_that_is_no_place_for_a_farm_is_refused(tmp_path, out, words):
    (tmp_path / "file").touch()
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/farm.jsonl").write_text("[" * 200_000)
    config = config_of(tmp_path, task="simulate", over={"seed": "0-1"})
    with pytest.raises(InputError, match=words):
        farm(config, out=tmp_path / out)


def test_numbers_of_very_many_digits_are_no_numbers(tmp_path):
    config = config_of(tmp_path, task="simulate", over={"seed": "9" * 5000})
    with pytest.raises(InputError, match="no file is 999"):
        farm(config, out=tmp_path / "x")
