"""Lists of services that are something else than lists."""

import json
import re
from datetime import date

import pytest

from floecast.core.errors import InputError
from floecast.io.fetching import products, web
from floecast.io.fetching.copernicus import days_here
from floecast.io.fetching.fetch import fetch
from floecast.io.fetching.kinds import Folders, Granules, Product, Runs
from floecast.io.fetching.products import PRODUCTS

from .fetch_server import reply, serving, serving_ftp
from .test_fetch_services import QUICK

NAME = "NSIDC0081_SEAICE_PS_N25km_20150101_v2.0.nc"


def listed(*, link="http://x/" + NAME, size=1, **checksum):
    file = {"Name": NAME, "SizeInBytes": size, **checksum}
    umm = {
        "RelatedUrls": [{"URL": link, "Type": "GET DATA"}],
        "DataGranule": {"ArchiveAndDistributionInformation": [file]},
    }
    return json.dumps({"items": [{"umm": umm}]}).encode()


def bring(monkeypatch, where, folder):
    monkeypatch.setitem(products.PRODUCTS, "test", Product("a test", where, "here"))
    return fetch("test", "2015-01-01", "2015-01-01", folder, manners=QUICK, dry_run=True)


def catalogue(monkeypatch, folder, *pages, mark=None):
    """What a catalogue with these pages leads to, and how often it was asked."""
    with serving() as server:
        where = Granules(server.address + "/list", "X", "2", PRODUCTS["nsidc-0081"].where.name)
        left = list(pages)

        def page(handler):
            more = {} if mark is None else {"CMR-Search-After": mark}
            return reply(handler, 200, more, left.pop(0))

        span = "2015-01-01T00%3A00%3A00Z%2C2015-01-01T23%3A59%3A59Z"
        path = f"/list?short_name=X&version=2&temporal={span}&page_size=2000"
        server.misdeeds[path] = [page] * len(pages)
        return bring(monkeypatch, where, folder), len(server.asked)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b"[]",
        b'{"items": [1]}',
        b'{"items": [{"umm": "text"}]}',
        b'{"items": 3}',
        listed(link=7),
        listed(size=float("inf")),
        listed(Checksum=4),
    ],
)
def test_what_is_no_catalogue_is_one_line(monkeypatch, tmp_path, body):
    with pytest.raises(InputError, match="is no list of granules") as fault:
        catalogue(monkeypatch, tmp_path, body)
    assert "\n" not in str(fault.value)


def test_a_catalogue_ends_at_an_empty_page(monkeypatch, tmp_path):
    told, asked = catalogue(monkeypatch, tmp_path, listed(), b'{"items": []}', mark="more")
    assert asked == 2 and [one["file"] for one in told["wanted"]] == [NAME]


def test_a_catalogue_without_end_is_not_kept_in_memory(monkeypatch, tmp_path):
    monkeypatch.setattr(web, "_MOST_BYTES", 1 << 20)
    with pytest.raises(InputError, match="sent more than 1 MiB"):
        catalogue(monkeypatch, tmp_path, b" " * (2 << 20))


def test_a_folder_whose_names_hold_no_days_is_one_line(monkeypatch, tmp_path):
    name = "W_XX-ESA,SMOS_CS2,NH_25KM_EASE2_20159901_20159907_r_v206_01_l4sit.nc"
    with serving_ftp({f"/sea/2015/01/{name}": b""}) as (address, _):
        where = Folders(address + "/sea/{month:%Y/%m}", PRODUCTS["cs2smos"].where.name)
        with pytest.raises(InputError, match="its name holds no days"):
            bring(monkeypatch, where, tmp_path)


def test_a_name_of_ftp_that_is_no_text_is_one_line(monkeypatch, tmp_path):
    with serving_ftp({"/sea/2015/01/\udcff": b""}) as (address, _):
        where = Folders(address + "/sea/{month:%Y/%m}", PRODUCTS["cs2smos"].where.name)
        with pytest.raises(InputError, match="decode byte 0xff.*3 attempts"):
            bring(monkeypatch, where, tmp_path)


def test_a_list_of_fields_without_numbers_is_one_line(monkeypatch, tmp_path):
    with serving() as server:
        server.files["/x.idx"] = b"1:many:d=2015010100:UGRD:10 m above ground:3 hour fcst:\n"
        where = Runs(server.address + "/x", PRODUCTS["gfs"].where.fields, short=False)
        monkeypatch.setitem(products.PRODUCTS, "test", Product("a test", where, "here"))
        told = fetch("test", "2015-01-01", "2015-01-01", tmp_path, manners=QUICK)
    assert not told["fetched"] and "is no list of fields" in told["failed"][0]["reason"]


@pytest.mark.parametrize("name", ["osisaf-drift", "gfs", "cs2smos"])
@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_days_at_the_ends_of_the_calendar_are_refused(tmp_path, name, day):
    with pytest.raises(InputError, match=re.escape(f"{day}: expected a day from 1900-01-01")):
        fetch(name, day, day, tmp_path, manners=QUICK, dry_run=True)


def test_files_with_impossible_days_are_left_aside(tmp_path):
    for name in ("era5_values_20159901-20159902.nc", "era5_values_20150101-20150102.nc"):
        (tmp_path / name).write_bytes(b"")
    held = days_here(tmp_path, "era5_values")
    assert held == {
        (date(2015, 1, 1), date(2015, 1, 2)): "era5_values_20150101-20150102.nc",
    }
