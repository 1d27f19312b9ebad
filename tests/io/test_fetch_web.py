"""Downloads from a server that drops, stalls, truncates and lies."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime

import numpy as np
import pytest
import xarray as xr

from floecast.core.errors import InputError
from floecast.io.fetching import products
from floecast.io.fetching.fetch import fetch
from floecast.io.fetching.kinds import Addresses, Login, Product, Series
from floecast.io.fetching.manners import Manners

from .fetch_server import reply, serving, stall

QUICK = Manners(
    connect_seconds=2,
    stall_seconds=0.3,
    attempts=4,
    first_wait=0.01,
    longest_wait=0.02,
    total_seconds=20,
    interval=0,
    flush_bytes=10_000,
)
PATH = "/20150101.nc"


@pytest.fixture(scope="module")
def bodies(tmp_path_factory):
    """Two netCDF files of 60 kB."""
    folder = tmp_path_factory.mktemp("bodies")
    made = []
    for seed in (0, 1):
        values = np.random.default_rng(seed).normal(size=7000)
        xr.Dataset({"ice": ("x", values)}).to_netcdf(folder / f"{seed}.nc", engine="netcdf4")
        made.append((folder / f"{seed}.nc").read_bytes())
    return made


@pytest.fixture
def server(bodies, monkeypatch):
    with serving() as server:
        server.files[PATH] = bodies[0]
        series = Series(server.address + "/{day:%Y%m%d}.nc")
        row = Product("a test", Addresses((series,)), "here")
        monkeypatch.setitem(products.PRODUCTS, "test", row)
        yield server


def get(folder, manners=QUICK, last="2015-01-01", **given):
    return fetch("test", "2015-01-01", last, folder, manners=manners, **given)


def assert_whole(told, folder, body):
    assert told["fetched"] == ["20150101.nc"] and not told["failed"] + told["missing"]
    assert (folder / "test" / "20150101.nc").read_bytes() == body
    assert sorted(os.listdir(folder / "test")) == [".lock", "20150101.nc", "SHA256SUMS"]


def assert_nothing(told, folder, *words):
    assert [failed["file"] for failed in told["failed"]] == ["20150101.nc"]
    for word in words:
        assert word in told["failed"][0]["reason"]
    assert not (folder / "test" / "20150101.nc").exists()


def test_a_file_comes_once_and_has_its_checksum(server, bodies, tmp_path):
    assert_whole(get(tmp_path), tmp_path, bodies[0])
    headers = server.asked_for(PATH)[0]
    assert headers["User-Agent"].startswith("floecast/") and "Range" not in headers
    sums = (tmp_path / "test" / "SHA256SUMS").read_text()
    assert sums == f"{hashlib.sha256(bodies[0]).hexdigest()}  20150101.nc\n"
    told = get(tmp_path)
    assert told["present"] == ["20150101.nc"] and not told["fetched"]
    assert len(server.asked) == 1


def test_a_damaged_file_is_fetched_again(server, bodies, tmp_path):
    get(tmp_path)
    (tmp_path / "test" / "20150101.nc").write_bytes(bodies[0][:30_000])
    assert_whole(get(tmp_path), tmp_path, bodies[0])


def test_a_dry_run_fetches_nothing(server, tmp_path):
    told = get(tmp_path, dry_run=True)
    assert [one["address"] for one in told["wanted"]] == [server.address + PATH]
    assert not server.asked and not os.listdir(tmp_path)


def test_a_dropped_line_is_resumed_where_it_broke(server, bodies, tmp_path):
    server.misdeeds[PATH] = [
        lambda one, keep=keep: server.answer(one, keep) for keep in (25_000, 9)
    ]
    assert_whole(get(tmp_path), tmp_path, bodies[0])
    asked = server.asked_for(PATH)
    assert [headers.get("Range") for headers in asked] == [None, "bytes=25000-", "bytes=25009-"]
    assert asked[1]["If-Range"] == f'"{hashlib.md5(bodies[0]).hexdigest()}"'


def test_a_later_call_resumes_too(server, bodies, tmp_path):
    server.misdeeds[PATH] = [lambda one: server.answer(one, 25_000)]
    once = Manners(**{**vars(QUICK), "attempts": 1})
    assert_nothing(get(tmp_path, once), tmp_path, "IncompleteRead")
    assert_whole(get(tmp_path), tmp_path, bodies[0])
    assert server.asked_for(PATH)[1]["Range"] == "bytes=25000-"


def test_two_versions_are_never_joined(server, bodies, tmp_path):
    def change(handler):
        server.answer(handler, 25_000)
        server.files[PATH] = bodies[1]
        return True

    server.misdeeds[PATH] = [change]
    assert_whole(get(tmp_path), tmp_path, bodies[1])


def test_a_server_that_forgets_to_compare_versions_is_found_out(server, bodies, tmp_path):
    """It sends the rest of the new file although If-Range names the old one."""

    def careless(handler):
        del handler.headers["If-Range"]
        server.files[PATH] = bodies[1]
        return server.answer(handler)

    server.misdeeds[PATH] = [lambda one: server.answer(one, 25_000), careless]
    assert_whole(get(tmp_path), tmp_path, bodies[1])


@pytest.mark.parametrize("lacking", ["ranges", "tags"])
def test_without_ranges_or_versions_all_of_it_comes_again(server, bodies, tmp_path, lacking):
    setattr(server, lacking, False)
    server.misdeeds[PATH] = [lambda one: server.answer(one, 25_000)]
    assert_whole(get(tmp_path), tmp_path, bodies[0])
    assert len(server.asked_for(PATH)) == 2


def test_a_part_that_was_not_asked_for_is_refused(server, bodies, tmp_path):
    def other(handler):
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes 0-9/{len(bodies[0])}")
        handler.send_header("Content-Length", "10")
        handler.end_headers()
        handler.wfile.write(b"0123456789")
        return True

    server.misdeeds[PATH] = [lambda one: server.answer(one, 25_000), other]
    assert_whole(get(tmp_path), tmp_path, bodies[0])


def test_a_stall_ends_and_is_tried_again(server, bodies, tmp_path):
    server.misdeeds[PATH] = [stall(2, 0), stall(2, 100)]
    began = time.monotonic()
    assert_whole(get(tmp_path), tmp_path, bodies[0])
    assert time.monotonic() - began < 10


def test_a_trickle_does_not_outlast_the_limit(server, tmp_path):
    def trickle(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        handler.close_connection = True
        for _ in range(40):
            handler.wfile.write(b"x")
            time.sleep(0.1)
        return True

    server.misdeeds[PATH] = [trickle]
    brief = Manners(**{**vars(QUICK), "total_seconds": 0.5})
    began = time.monotonic()
    assert_nothing(get(tmp_path, brief), tmp_path, "slower than")
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("claimed", [50_000, 70_000], ids=["too short", "too long"])
def test_a_length_that_is_a_lie_leaves_no_file(server, bodies, tmp_path, claimed):
    server.misdeeds[PATH] = [lambda one: server.answer(one, length=claimed)] * 20
    assert_nothing(get(tmp_path), tmp_path)
    assert len(server.asked_for(PATH)) <= 12


def test_a_file_cut_short_at_the_server_leaves_no_file(server, bodies, tmp_path):
    server.files[PATH] = bodies[0][:40_000]
    assert_nothing(get(tmp_path), tmp_path, "20150101.nc", "damaged or incomplete")
    assert len(server.asked_for(PATH)) == 2


def test_days_that_are_not_there_are_told(server, bodies, tmp_path):
    server.files["/20150104.nc"] = bodies[1]
    told = get(tmp_path, last="2015-01-04")
    assert told["fetched"] == ["20150101.nc", "20150104.nc"] and not told["failed"]
    assert told["missing"] == ["2015-01-02", "2015-01-03"]
    assert len(server.asked_for("/20150102.nc")) == 1


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_respected(server, bodies, tmp_path, form):
    until = datetime.now(UTC) + timedelta(seconds=2)
    told = "1" if form == "seconds" else format_datetime(until, usegmt=True)
    server.misdeeds[PATH] = [lambda one: reply(one, 429, {"Retry-After": told})]
    began = time.monotonic()
    assert_whole(get(tmp_path), tmp_path, bodies[0])
    assert time.monotonic() - began > 0.9


def test_a_wait_beyond_the_limit_is_not_begun(server, tmp_path):
    server.misdeeds[PATH] = [lambda one: reply(one, 503, {"Retry-After": "600"})]
    assert_nothing(get(tmp_path), tmp_path, "503", "600 s")


def test_a_passing_fault_passes_and_a_lasting_one_ends(server, bodies, tmp_path):
    server.misdeeds[PATH] = [lambda one: reply(one, 500)]
    assert_whole(get(tmp_path), tmp_path, bodies[0])
    os.remove(tmp_path / "test" / "20150101.nc")
    server.misdeeds[PATH] = [lambda one: reply(one, 502)] * 9
    assert_nothing(get(tmp_path), tmp_path, "502", "4 attempts")


def test_waits_grow_and_differ():
    waits = [[Manners().wait(failures) for _ in range(20)] for failures in (1, 2, 3, 20)]
    assert all(len(set(same)) > 1 for same in waits)
    for same, longest in zip(waits, (2, 4, 8, 120), strict=True):
        assert longest / 2 <= min(same) and max(same) <= longest


def test_after_three_files_in_a_row_the_server_is_left_alone(server, tmp_path):
    for day in range(1, 7):
        server.misdeeds[f"/2015010{day}.nc"] = [lambda one: reply(one, 500)] * 9
    told = get(tmp_path, last="2015-01-06")
    assert len(told["failed"]) == 6 and "not asked" in told["failed"][3]["reason"]
    assert not server.asked_for("/20150104.nc")


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/x-netcdf"])
def test_a_page_to_log_in_is_never_kept(server, tmp_path, monkeypatch, kind):
    login = Login("netrc", "register at https://example.invalid", "127.0.0.1")
    row = Product("a test", products.PRODUCTS["test"].where, "here", login)
    monkeypatch.setitem(products.PRODUCTS, "test", row)
    netrc = tmp_path / "netrc"
    monkeypatch.setenv("NETRC", str(netrc))
    with pytest.raises(InputError, match="needs an account.*register at"):
        get(tmp_path)
    assert not server.asked
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    page = b"\n<!DOCTYPE html><html><body>Log in</body></html>"
    server.misdeeds["/login"] = [lambda one: reply(one, 200, {"Content-Type": kind}, page)]
    server.misdeeds[PATH] = [lambda one: reply(one, 302, {"Location": "/login"})]
    with pytest.raises(InputError, match="page in place of the data.*register at") as fault:
        get(tmp_path)
    assert "\n" not in str(fault.value) and "secret" not in str(fault.value)
    assert not (tmp_path / "test" / "20150101.nc").exists()
    assert server.asked_for(PATH)[0]["Authorization"].startswith("Basic ")
    server.misdeeds[PATH] = [lambda one: reply(one, 401)]
    with pytest.raises(InputError, match=r"refuses access \(401\)"):
        get(tmp_path)


def test_two_at_once_do_not_mix(server, bodies, tmp_path):
    def meanwhile(handler):
        with pytest.raises(InputError, match="another process"):
            get(tmp_path)
        return False

    server.misdeeds[PATH] = [meanwhile]
    assert_whole(get(tmp_path), tmp_path, bodies[0])
    assert len(server.asked) == 1


def test_bytes_without_their_note_are_not_used(tmp_path):
    from floecast.io.fetching.partial import Partial

    with Partial(tmp_path / "a.nc", "there", 10) as partial:
        partial.begin('"1"', 100)
        partial.write(b"0123456789abc")
    with Partial(tmp_path / "a.nc", "there", 10) as partial:
        assert (partial.position, partial.version, partial.length) == (13, '"1"', 100)
    with Partial(tmp_path / "a.nc", "elsewhere", 10) as partial:
        assert (partial.position, partial.version) == (0, None)
        partial.begin('"1"', 100)
        partial.write(b"0123456789abc")
    for note in ("", "[]", '{"address": "elsewhere"}'):
        (tmp_path / ".a.nc.partial.json").write_text(note)
        with Partial(tmp_path / "a.nc", "elsewhere", 10) as partial:
            assert partial.position == 0


CHILD = """
import sys, resource
from floecast.io.fetching import products
from floecast.io.fetching.fetch import fetch
from floecast.io.fetching.manners import Manners
from floecast.io.fetching.kinds import Addresses, Product, Series
from floecast.core.errors import InputError
series = Series(sys.argv[1] + "/{day:%Y%m%d}.nc")
products.PRODUCTS["test"] = Product("a test", Addresses((series,)), "here")
before = resource.getrlimit(resource.RLIMIT_FSIZE)
if len(sys.argv) > 3:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), before[1]))
try:
    fetch("test", "2015-01-01", "2015-01-01", sys.argv[2], manners=Manners(flush_bytes=10_000))
except InputError as error:
    sys.exit(str(error))
finally:  # what measures the tests writes when the process ends
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
"""


def test_kill_9_in_the_middle_then_the_same_bytes(server, bodies, tmp_path):
    def half(handler):
        handler.send_response(200)
        handler.send_header("ETag", f'"{hashlib.md5(bodies[0]).hexdigest()}"')
        handler.send_header("Content-Length", str(len(bodies[0])))
        handler.end_headers()
        handler.wfile.write(bodies[0][:35_000])
        time.sleep(30)
        return True

    server.misdeeds[PATH] = [half]
    child = subprocess.Popen([sys.executable, "-c", CHILD, server.address, str(tmp_path)])
    note = tmp_path / "test" / ".20150101.nc.partial.json"
    limit = time.monotonic() + 120
    while not (note.exists() and json.loads(note.read_text())["saved"] >= 20_000):
        assert time.monotonic() < limit and child.poll() is None
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (tmp_path / "test" / "20150101.nc").exists()
    assert_whole(get(tmp_path), tmp_path, bodies[0])
    begin = int(re.fullmatch(r"bytes=(\d+)-", server.asked_for(PATH)[1]["Range"])[1])
    assert 20_000 <= begin <= 35_000


def test_a_full_disk_is_one_line_and_what_came_is_kept(server, bodies, tmp_path):
    command = [sys.executable, "-c", CHILD, server.address, str(tmp_path), "40000"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1 and len(result.stderr.strip().splitlines()) == 1
    assert "cannot write into" in result.stderr and "go on" in result.stderr
    assert not (tmp_path / "test" / "20150101.nc").exists()
    assert_whole(get(tmp_path), tmp_path, bodies[0])
    assert int(server.asked_for(PATH)[1]["Range"][6:-1]) >= 30_000


@pytest.mark.parametrize(
    "first, last, word",
    [("2015-1-1", "2015-01-02", "2015-01-31"), ("2015-01-02", "2015-01-01", "before")],
)
def test_days_that_are_none_are_refused(server, tmp_path, first, last, word):
    with pytest.raises(InputError, match=word):
        fetch("test", first, last, tmp_path)


def test_unknown_product_is_refused(tmp_path):
    with pytest.raises(InputError, match="osisaf-drift"):
        fetch("osisaf", date(2015, 1, 1), date(2015, 1, 1), tmp_path)
