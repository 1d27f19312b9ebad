"""A month of daily operation with all that goes wrong in one; killed processes; two at once."""

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import jax
import pytest
import yaml

from floecast.config import make_config
from floecast.core.calendar import to_seconds
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.cycle_schema import CycleConfig
from floecast.experiment import daily_steps
from floecast.experiment.daily import Code, catch_up
from floecast.experiment.daily_archive import Archive, locked
from floecast.experiment.daily_inputs import Inputs
from tests.io import layouts

from .daily_case import SETTINGS, Place, day, quickened

LAST = 29


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Footprints of the same cells found once, and a report that is not drawn."""
    with quickened():
        yield


@contextmanager
def full_disk():
    """No file may become larger than what pages and logs need."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def read_only():
    """No file may be opened for writing, as on a disk that is mounted read-only."""
    opened = Path.open

    def refusing(self, mode="r", *rest, **options):
        if set("wax+") & set(mode):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))
        return opened(self, mode, *rest, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", refusing)
        yield


def status(place):
    return json.loads((place.out / "status.json").read_text())


def harm(path):
    path.write_bytes(path.read_bytes()[:-40] + b"harm" * 10)


@pytest.fixture(scope="module")
def month(tmp_path_factory):
    """The month, and what each day came to."""
    place, told = Place(tmp_path_factory.mktemp("month")), {}
    place.begin()
    place.thickness(0)
    for number in range(LAST + 1):
        path = place.concentration(number)
        match number:
            case 1:
                (place.data / "sic/copy.nc").write_bytes(path.read_bytes())
            case 2:
                whole = path.read_bytes()
                path.write_bytes(whole[: len(whole) // 2])
            case 3:
                place.data.joinpath(f"sic/{day(2)}.nc").write_bytes(whole)
                place.thickness(3, bad=1e20)
            case 4:
                place.thickness(4, bad=-999.0)
            case 5 | 9:
                path.rename(place.data / f"late_{number}")
            case 6:
                place.concentration(6, units="%")
            case 10:
                place.thickness(10)
            case 12:
                place.data.joinpath("late_9").rename(place.data / f"sic/{day(9)}.nc")
            case 15:  # a file that grows
                path.unlink()
                place.concentration(14, 15)
            case 18:
                with locked(place.out) as free:
                    assert free
                    told["two"] = place.go(number)
            case 20:
                told["back"] = place.go(number - 10), status(place)
            case 21:
                told["ahead"] = place.go(number + 300), status(place)
            case 22:
                with read_only():
                    told["read only"] = place.go(number)
            case 24:
                with full_disk():
                    told["full"] = place.go(number), status(place)
            case 26:
                harm(place.analysis(25) / "analysis_ensemble.nc")
            case 29:
                place.data.joinpath("late_5").rename(place.data / f"sic/{day(5)}.nc")
        told[number] = place.go(number), status(place)
        if number == 4:
            told["products"] = place.products(range(5))
    return place, told


def made(told, number):
    return told[number][0].analyses


def test_each_day_ends_in_an_analysis_and_a_forecast(month):
    place, told = month
    missing = {2, 3, 5, 6, 9}
    for number in range(LAST + 1):
        outcome = told[number][0]
        expected = Code.OBSERVATIONS_MISSING if number in missing else Code.DONE
        assert outcome.code == expected, (number, outcome.text)
        assert place.time_of(number) == outcome.analyses[-1]
        assert outcome.forecast.name == f"{day(number).replace('-', '')}T1200"
        assert (outcome.forecast / "forecast.nc").is_file()
    assert len(list((place.out / "analyses").iterdir())) == LAST + 1
    lines = [json.loads(line) for line in (place.out / "diagnostics.jsonl").open()]
    assert [line["time"] for line in lines] == [place.time_of(n) for n in range(LAST + 1)]
    assert lines[5]["missing"] == ["nsidc0081"] and lines[5]["status"] == "NO_OBSERVATIONS"
    assert lines[4]["innovations"]["concentration"]["chi2"] > 0


def test_what_comes_late_is_taken_from_its_day_on(month):
    place, told = month
    assert made(told, 3) == [place.time_of(2), place.time_of(3)]
    assert made(told, 12) == [place.time_of(number) for number in range(9, 13)]
    assert any("late data" in one for one in told[12][1]["warnings"])
    others = set(range(LAST + 1)) - {3, 12, 26}
    assert all(len(made(told, number)) == 1 for number in others)


def test_a_copy_of_a_file_counts_once(month):
    place, _ = month
    counts = [
        json.loads((place.analysis(number) / "manifest.json").read_text())["config"]["cycle"]
        for number in (0, 1)
    ]
    assert counts[0]["counts"]["nsidc0081"] == counts[1]["counts"]["nsidc0081"] > 0
    assert len(counts[1]["files"]) == 2


def test_values_that_are_none_are_not_used(month):
    place, told = month
    lines = [json.loads(line) for line in (place.out / "diagnostics.jsonl").open()]
    assert lines[3]["counts"]["cs2smos"] == 0 < lines[0]["counts"]["cs2smos"]
    assert any("thickness" in one for one in told[3][1]["warnings"])
    assert 0 < lines[4]["counts"]["cs2smos"] < lines[0]["counts"]["cs2smos"]
    assert any("'%'" in one for one in told[6][1]["warnings"])
    truncated = f"{day(2)}.nc"
    assert any(truncated in one for one in told[2][1]["warnings"])
    assert not any(truncated in one for one in told[3][1]["warnings"])


def test_thickness_is_missed_in_its_months_only(month):
    _, told = month
    missing = {number: told[number][1]["analyses"][-1]["missing"] for number in (3, 8, 20)}
    assert missing == {3: ["cs2smos"], 8: [], 20: []}


def test_two_at_once_are_not(month):
    _, told = month
    assert told["two"].code == Code.LOCKED


def test_a_clock_that_jumps_changes_nothing(month):
    place, told = month
    outcome, page = told["back"]
    assert outcome.code == Code.NOTHING_TO_DO
    assert any("the clock shows" in one for one in page["warnings"])
    assert page["last_analysis"] == place.time_of(19)
    outcome, page = told["ahead"]
    assert outcome.code == Code.FAILED and "--until" in outcome.text
    assert page["last_analysis"] == place.time_of(20)


def test_without_room_or_leave_to_write_the_last_good_products_stay(month):
    place, told = month
    assert told["read only"].code == Code.FAILED and "cannot write" in told["read only"].text
    outcome, page = told["full"]
    assert outcome.code == Code.FAILED
    assert page["last_analysis"] == place.time_of(23)
    assert outcome.forecast.name == f"{day(23).replace('-', '')}T1200"
    assert not list((place.out / "analyses").glob(".*"))


def test_damaged_members_are_made_again_from_those_before(month):
    place, told = month
    assert made(told, 26) == [place.time_of(25), place.time_of(26)]
    assert any("is damaged" in one for one in told[26][1]["warnings"])


def test_old_members_go_and_the_rest_stays(month):
    place, told = month
    kept = [(place.analysis(n) / "analysis_ensemble.nc").exists() for n in range(LAST + 1)]
    assert kept == [number >= LAST - 12 for number in range(LAST + 1)]
    assert all((place.analysis(n) / "analysis.nc").exists() for n in range(LAST + 1))
    assert made(told, 29) == [place.time_of(29)]  # too late for what came of day 5


def test_status_tells_ages_and_what_comes_next(month):
    place, told = month
    page = told[LAST][1]
    assert page["next_expected"] == place.time_of(LAST + 1)
    ages = {one["product"]: one["age_hours"] for one in page["products"]}
    assert ages["nsidc0081"] == -6.0 and ages["cs2smos"] > 24 * 14
    html = (place.out / "status.html").read_text()
    assert page["last_analysis"] in html and "report.html" in html


def test_nothing_new_is_nothing_to_do(month):
    place, _ = month
    before = {path: path.stat().st_mtime_ns for path in (place.out / "analyses").rglob("*")}
    assert place.go(LAST).code == Code.NOTHING_TO_DO
    assert {p: p.stat().st_mtime_ns for p in (place.out / "analyses").rglob("*")} == before


def test_another_configuration_is_refused(month):
    place, _ = month
    other = Place(place.out.parent, seed=3)
    with pytest.raises(InputError, match="seed is 0 there and 3 here"):
        other.go(LAST)


def test_killed_in_cron_it_goes_on_to_the_same_bits(month, tmp_path):
    """Without terminal or home, killed in an analysis.

    What comes of it is what came of days on which a file was cut short first, and read again.
    """
    place, told = month
    config = tmp_path / "daily.yaml"
    config.write_text(yaml.safe_dump(SETTINGS))
    out = tmp_path / "out"
    options = ["--data", str(place.data), "--out", str(out), "--until", day(4)]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "JAX_ENABLE_X64": "1",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        "JAX_COMPILATION_CACHE_DIR": jax.config.jax_compilation_cache_dir,
        "XLA_FLAGS": os.environ.get("XLA_FLAGS", ""),
        "FLOECAST_CACHE": str(tmp_path / "cache"),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "floecast.cli", "cycle", str(config), *options],
        cwd="/",
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    while process.poll() is None and not list(out.glob("analyses/.20150416T1200.*")):
        time.sleep(0.005)
    process.kill()
    printed = process.communicate()[1]
    assert process.returncode == -signal.SIGKILL, printed
    assert list(out.glob("analyses/.20150416T1200.*"))
    assert "INFO analysis of 2015-04-15T12:00:00Z" in (out / "cycle.log").read_text()
    other = Place(tmp_path)
    other.data = place.data
    assert other.go(4).code == Code.DONE
    assert other.products(range(5)) == told["products"]
    assert not list(out.rglob(".*.partial"))


def test_what_a_killed_process_left_is_taken_away_and_what_it_replaced_given_back(tmp_path):
    place = Place(tmp_path)
    analyses = place.out / "analyses"
    for name in ("20150415T1200", ".20150416T1200.9.old", ".20150416T1200.9.partial"):
        (analyses / name).mkdir(parents=True)
    (analyses / ".20150416T1200.9.old/old").touch()
    (analyses / ".20150415T1200.8.old").mkdir()
    (place.out / ".status.json.9.partial").touch()
    Archive(place.out, place.config)
    assert {path.name for path in analyses.iterdir()} == {"20150415T1200", "20150416T1200"}
    assert (analyses / "20150416T1200/old").exists()
    assert {path.name for path in place.out.iterdir()} == {"analyses", "operation.json"}


def archive_of_one(tmp_path):
    """An archive with the manifest of one analysis, and what the manifest holds."""
    place = Place(tmp_path)
    archive = Archive(place.out, place.config)
    cycle = {"previous": None, "files": {"a.nc": "1"}, "counts": {}, "digest": "2", "missing": []}
    stage = {"name": "analysis", "files": {"analysis_ensemble.nc": "3"}}
    told = {"config": {"cycle": cycle}, "stages": [stage], "created": "now", "warnings": []}
    place.analysis(0).mkdir(parents=True)
    (place.analysis(0) / "manifest.json").write_text(json.dumps(told))
    return archive, place.analysis(0), told


@pytest.mark.parametrize(
    "where, value",
    [
        ("cycle", 1),
        ("cycle previous", 3),
        ("cycle files", ["a.nc"]),
        ("cycle files", {"a.nc": {}}),
        ("cycle counts", []),
        ("cycle digest", None),
        ("cycle missing", "nsidc0081"),
        ("created", 2015),
        ("warnings", [{}]),
        ("stages", []),
        ("stages", [{"name": "analysis"}]),
    ],
)
def test_a_manifest_that_does_not_tell_of_an_analysis_is_as_if_it_were_not_there(
    tmp_path, where, value
):
    archive, folder, told = archive_of_one(tmp_path)
    assert len(archive.entries()) == 1
    *above, last = where.split()
    place = told["config"] if where.startswith("cycle") else told
    for name in above:
        place = place[name]
    place[last] = value
    (folder / "manifest.json").write_text(json.dumps(told))
    assert not archive.entries()


@pytest.mark.parametrize("text", ["{", "{}", "null", "[[]]", "[1]", "[" * 9999, "\udcff"])
def test_damaged_notes_of_files_that_tell_nothing_new_are_made_again(tmp_path, text):
    archive, folder, _ = archive_of_one(tmp_path)
    (entry,) = archive.entries().values()
    (folder / "alike.json").write_bytes(text.encode(errors="surrogateescape"))
    assert archive.alike(entry) == []
    archive.note_alike(entry, ["b", "a"])
    assert archive.alike(entry) == ["a", "b"]


@pytest.mark.parametrize("text", ["[]", "[" * 9999, "{"])
def test_damaged_settings_of_an_operation_are_refused(tmp_path, text):
    place = Place(tmp_path)
    place.out.mkdir()
    (place.out / "operation.json").write_text(text)
    with pytest.raises(InputError, match="operation"):
        Archive(place.out, place.config)


@pytest.mark.parametrize("text", ["[]", "[" * 9999, "{", None])
def test_damaged_diagnostics_are_named(tmp_path, text):
    archive, folder, _ = archive_of_one(tmp_path)
    steps = daily_steps.Steps.__new__(daily_steps.Steps)
    if text is not None:
        (folder / "diagnostics.json").write_text(text)
    with pytest.raises(InputError, match="diagnostics.json is damaged .* delete .*20150415T1200"):
        archive.write_lines(steps.line_of)


def weather(path, *hours, wind=3.0):
    made = layouts.weather(values=(wind, 0.0), hours=hours)
    return layouts.write(made, path)


def test_weather_is_that_of_files_as_long_as_they_last(tmp_path):
    place = Place(tmp_path, weather={"files": ["weather/*.nc"]})
    (place.data / "weather").mkdir(parents=True)
    begin = to_seconds("2016-11-20")
    weather(place.data / "weather/first.nc", *range(0, 49, 6))
    weather(place.data / "weather/second.nc", *range(24, 73, 6), wind=4.0)
    inputs = Inputs(place.config, place.data, tmp_path / "inputs.json")
    inputs.look()
    grid, noted = Grid.preset("arctic100"), {"warnings": []}
    for first, last, expected in (
        (0, 24, ("first",)),
        (24, 48, ("second",)),
        (48, 72, ("second",)),
        (72, 96, ("second",)),
    ):
        span = begin + first * 3600, begin + last * 3600
        names = inputs.weather(*span)
        assert names == tuple(f"weather/{name}.nc" for name in expected)
        found = inputs.read_weather(names, grid, *span, noted)
        assert (found is None) == (last > 72)
        if found is not None:
            assert (found.time[0], found.time[-1]) == span
    assert len(noted["warnings"]) == 1 and "each member draws its own" in noted["warnings"][0]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"observations": [{"product": "nothing", "files": ["*"]}]}, "no product nothing"),
        ({"observations": [{"product": "nextsim", "files": ["*"]}]}, "no product nextsim"),
    ],
)
def test_a_product_that_is_none_is_refused(month, tmp_path, change, fault):
    place, _ = month
    other = Place(tmp_path, **change)
    other.data = place.data
    with pytest.raises(InputError, match=fault):
        other.go(0)


@pytest.mark.parametrize("until", ["2015-04-14", "2068-01-20", "99999-01-01"])
def test_a_last_day_that_cannot_be_is_refused(month, tmp_path, until):
    other = Place(tmp_path)
    other.data = month[0].data
    with pytest.raises(InputError, match="expected a day from 2015-04-15|outside of the years"):
        other.go(0, until=until)
    assert not other.out.exists()


def test_a_folder_that_cannot_be_made_is_refused(month, tmp_path):
    other = Place(tmp_path)
    other.data = month[0].data
    other.out.write_text("a file")
    with pytest.raises(InputError, match="cannot make the folder .*; choose another --out"):
        other.go(0)


def test_weights_that_are_not_there_are_refused(month, tmp_path):
    other = Place(tmp_path, model={"kind": "emulator", "weights": "none.npz"})
    other.data = month[0].data
    with pytest.raises(InputError, match=r"model\.weights: no file .*none\.npz"):
        other.go(0)
    assert not other.out.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_log_that_cannot_be_written_is_an_outcome_and_no_trace(month, tmp_path, capfd):
    other = Place(tmp_path)
    other.data = month[0].data
    other.out.mkdir()
    (other.out / "cycle.log").symlink_to("/dev/full")
    outcome = other.go(0)
    assert outcome.code == Code.FAILED and "No space left" in outcome.text
    assert capfd.readouterr().err == ""


def test_before_a_look_nothing_has_come(tmp_path):
    inputs = Inputs(Place(tmp_path).config, tmp_path, tmp_path / "inputs.json")
    assert inputs.last("nsidc0081") is None  # the status page of a call that broke off asks


def test_wrong_settings_are_named():
    for change, fault in (
        ({"first_analysis": "2015-04-15T06:00:00"}, "whole days after background.date"),
        ({"analysis": {"window_hours": 12}}, "window_hours"),
        ({"observations": [*SETTINGS["observations"]] * 2}, "two sections of one product"),
        ({"cycle_hour": 24}, "did you mean cycle_hours"),
        *(
            ({"observations": [{"product": "nsidc0081", "files": [name]}]}, "files.0: must be the")
            for name in ("**foo", "a/b**", ".", "a\0b")
        ),
    ):
        with pytest.raises(InputError, match=fault):
            make_config(SETTINGS | change, schema=CycleConfig)


def test_real_days_are_analysed(tmp_path, data_folder):
    place = Place(
        tmp_path,
        first_analysis="2015-01-02T12:00:00",
        background={
            "thickness": "nextsim_20150101/nextsim_sit_20150101T03.nc",
            "concentration": "nsidc0081_sic/nsidc0081_nh_2015.nc",
            "date": "2015-01-01T12:00:00",
        },
        observations=[{"product": "nsidc0081", "files": ["nsidc0081_sic/*.nc"]}],
    )
    options = {"data": data_folder, "out": place.out, "until": "2015-01-04"}
    outcome = catch_up(place.config, **options)
    assert outcome.code == Code.DONE and len(outcome.analyses) == 3
    lines = [json.loads(line) for line in (place.out / "diagnostics.jsonl").open()]
    for line in lines:
        told = line["innovations"]["concentration"]
        assert told["residual_rms"] < 0.9 * told["innovation_rms"] < 0.2
    assert catch_up(place.config, **options).code == Code.NOTHING_TO_DO
