"""Listings of services, other ways than HTTP, and the clients of Copernicus (here stand-ins)."""

import hashlib
import io
import json
import re
import sys
import zipfile
from datetime import date
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from floecast.core.errors import InputError
from floecast.io.fetching import products
from floecast.io.fetching.fetch import fetch
from floecast.io.fetching.kinds import Folders, Granules, Product, Runs
from floecast.io.fetching.listing import list_items
from floecast.io.fetching.manners import Manners
from floecast.io.fetching.products import PRODUCTS
from floecast.io.fetching.transfer import field_parts

from .fetch_server import reply, serving, serving_ftp

QUICK = Manners(
    stall_seconds=1, attempts=3, first_wait=0.01, longest_wait=0.02, total_seconds=20, interval=0
)


@pytest.fixture(scope="module")
def body(tmp_path_factory):
    """A netCDF file of 60 kB."""
    place = tmp_path_factory.mktemp("body") / "a.nc"
    values = np.random.default_rng(0).normal(size=7000)
    xr.Dataset({"ice": ("x", values)}).to_netcdf(place, engine="netcdf4")
    return place.read_bytes()


@pytest.fixture(autouse=True)
def no_accounts(monkeypatch, tmp_path):
    """Accounts of whoever runs the tests are not used."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("NETRC", "CDSAPI_URL", "CDSAPI_KEY", "CDSAPI_RC"):
        monkeypatch.delenv(name, raising=False)
    for name in ("SERVICE_USERNAME", "SERVICE_PASSWORD", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(f"COPERNICUSMARINE_{name}", raising=False)
    return home


def bring(monkeypatch, where, first, last, folder):
    monkeypatch.setitem(products.PRODUCTS, "test", Product("a test", where, "here"))
    return fetch("test", first, last, folder, manners=QUICK)


ADDRESSES = """
osisaf-concentration 2020-02-29
    ice/conc/2020/02/ice_conc_nh_polstere-100_multi_202002291200.nc
osisaf-concentration-amsr2 2019-11-30
    ice/amsr2_conc/2019/11/ice_conc_nh_polstere-100_amsr2_201911301200.nc
osisaf-concentration-cdr 2020-12-31
    conc_450a1_files/2020/12/ice_conc_nh_ease2-250_cdr-v3p1_202012311200.nc
osisaf-concentration-cdr 2022-10-19
    conc_cra_files/2022/10/ice_conc_nh_ease2-250_icdr-v3p0_202210191200.nc
osisaf-concentration-cdr 2025-10-01
    conc_438_files/2025/10/ice_conc_nh_ease2-250_icdr-v3p0-amsr_202510011200.nc
osisaf-drift 2016-04-16
    merged/2016/04/ice_drift_nh_polstere-625_multi-oi_201604151200-201604171200.nc
osisaf-drift 2017-01-31
    merged/2017/02/ice_drift_nh_polstere-625_multi-oi_201701301200-201702011200.nc
osisaf-drift-cdr 1991-01-02
    drift_455m_files/merged/1991/01/ice_drift_nh_ease2-750_cdr-v1p0_24h-199101021200.nc
amsr2-bremen 2025-07-15
    n3125/netcdf/2025/asi-AMSR2-n3125-20250715-v5.4.nc
cryosat2-thickness 2021-10-01
    v4.0/NH/2021/10/ESACCI-SEAICE-L2P-SITHICK-SIRAL_CRYOSAT2-NH-20211001-fv4p0.nc
"""
WORDS = ADDRESSES.split()


@pytest.mark.parametrize(
    "name, day, expected", list(zip(WORDS[::3], WORDS[1::3], WORDS[2::3], strict=True))
)
def test_addresses_are_those_of_the_services(name, day, expected):
    row = PRODUCTS[name]
    (item,) = list_items(row.where, [date.fromisoformat(day)], None, None)
    assert item.address.endswith(expected) and item.address.startswith("https://")
    assert re.search(r"seen 20\d\d-\d\d-\d\d", row.seen)


def test_days_before_a_product_began_are_missing(tmp_path):
    told = fetch("osisaf-drift-cdr", "1990-12-30", "1990-12-31", tmp_path, manners=QUICK)
    assert told["missing"] == ["1990-12-30", "1990-12-31"]


def granule(server, name, body, **checksum):
    file = {"Name": name, "SizeInBytes": len(body), **checksum}
    return {
        "umm": {
            "RelatedUrls": [
                {"URL": f"s3://bucket/{name}", "Type": "GET DATA VIA DIRECT ACCESS"},
                {"URL": f"{server.address}/data/{name}", "Type": "GET DATA"},
                {"URL": f"{server.address}/data/../{name}.png", "Type": "GET DATA"},
            ],
            "DataGranule": {"ArchiveAndDistributionInformation": [file]},
        }
    }


def test_catalogue_of_nasa_in_pages_with_checksums(monkeypatch, tmp_path, body):
    with serving() as server:
        names = [f"NSIDC0081_SEAICE_PS_N25km_2015010{day}_v2.0.nc" for day in (1, 2, 3)]
        right = {"Algorithm": "MD5", "Value": hashlib.md5(body).hexdigest()}
        wrong = {"Algorithm": "SHA-256", "Value": "0" * 64}
        pages = [
            [granule(server, names[0], body, Checksum=right)],
            [granule(server, names[1], body, Checksum=wrong), granule(server, names[2], body)],
        ]
        server.files |= {f"/data/{name}": body for name in names}

        def page(handler):
            number = 1 if handler.headers.get("CMR-Search-After") == "here" else 0
            more = {} if number else {"CMR-Search-After": "here"}
            return reply(handler, 200, more, json.dumps({"items": pages[number]}).encode())

        where = Granules(server.address + "/list", "X", "2", PRODUCTS["nsidc-0081"].where.name)
        path = "/list?short_name=X&version=2&temporal=2015-01-01T00%3A00%3A00Z%2C2015-01-04T23%3A59%3A59Z&page_size=2000"  # noqa: E501
        server.misdeeds[path] = [page, page]
        told = bring(monkeypatch, where, "2015-01-01", "2015-01-04", tmp_path)
    assert told["fetched"] == [names[0], names[2]] and told["missing"] == ["2015-01-04"]
    (failed,) = told["failed"]
    assert failed["file"] == names[1] and "sha256" in failed["reason"]
    assert not (tmp_path / "test" / names[1]).exists()


def test_ftp_is_listed_resumed_and_checked(monkeypatch, tmp_path, body):
    stem = "W_XX-ESA,SMOS_CS2,NH_25KM_EASE2_"
    names = [f"{stem}2022040{day}_202204{day + 6:02d}_r_v206_01_l4sit.nc" for day in (1, 2)]
    early = f"{stem}20220401_20220407_o_v206_01_l4sit.nc"
    files = {f"/sea/2022/04/{name}": body for name in (*names, early, "README")}
    with serving_ftp(files, cut=[20_000, 0]) as (address, log):
        where = Folders(address + "/sea/{month:%Y/%m}", PRODUCTS["cs2smos"].where.name)
        told = bring(monkeypatch, where, "2022-04-04", "2022-04-06", tmp_path)
    assert told["fetched"] == names and told["missing"] == ["2022-04-06"]
    assert all((tmp_path / "test" / name).read_bytes() == body for name in names)
    assert [line for line in log if line.startswith("REST")] == ["REST 20000", "REST 20000"]


LIST = """1:0:d=2015010100:PRMSL:mean sea level:3 hour fcst:
2:100:d=2015010100:PRATE:surface:3 hour fcst:
3:200:d=2015010100:PRATE:surface:0-3 hour ave fcst:
4:300:d=2015010100:UGRD:10 m above ground:3 hour fcst:
5:400:d=2015010100:UGRD:100 m above ground:3 hour fcst:
6:500:d=2015010100:DLWRF:surface:0-3 hour ave fcst:
"""


def message(number):
    """A GRIB message of 100 bytes: its head, nothing, and its end."""
    body = bytes([number]) * 80
    return b"GRIB\0\0\0\2" + (100).to_bytes(8, "big") + body + b"7777"


def test_fields_out_of_a_forecast(monkeypatch, tmp_path):
    fields = PRODUCTS["gfs"].where.fields
    assert field_parts(LIST, fields) == [(0, 100), (200, 400), (500, None)]
    messages = [message(number) for number in range(6)]
    with serving() as server:
        where = Runs(server.address + "/{run:%Y%m%d%H}/{lead}", fields, short=True)
        runs = [(f"{day}{hour:02d}", lead) for day, hour, lead in [
            ("20141231", 18, 6), ("20150101", 0, 3), ("20150101", 0, 6), ("20150101", 6, 3),
            ("20150101", 6, 6), ("20150101", 12, 3), ("20150101", 12, 6), ("20150101", 18, 3)
        ]]  # fmt: skip
        for run, lead in runs:
            server.files[f"/{run}/{lead}"] = b"".join(messages)
            server.files[f"/{run}/{lead}.idx"] = LIST.encode()
        server.misdeeds["/2015010100/3"] = [lambda one: server.answer(one, 30)]
        del server.files["/2015010118/3.idx"]
        told = bring(monkeypatch, where, "2015-01-01", "2015-01-01", tmp_path)
        assert told["missing"] == ["2015-01-01"] and len(told["fetched"]) == 7, told
        assert told["fetched"][:2] == ["gfs_20141231_18_f006.grib2", "gfs_20150101_00_f003.grib2"]
        wanted = b"".join(messages[number] for number in (0, 2, 3, 5))
        for name in told["fetched"]:
            assert (tmp_path / "test" / name).read_bytes() == wanted
        ranges = [headers["Range"] for headers in server.asked_for("/2015010100/3")]
        assert ranges == ["bytes=0-99", "bytes=30-99", "bytes=200-399", "bytes=500-"]
        server.files["/2015010118/3.idx"] = LIST.encode()
        server.files["/2015010118/3"] = b"".join(messages)[:-1] + b"8"
        told = bring(monkeypatch, where, "2015-01-01", "2015-01-01", tmp_path)
        assert "has no end" in told["failed"][0]["reason"] and len(told["present"]) == 7


def test_fields_are_not_joined_without_versions(monkeypatch, tmp_path):
    with serving() as server:
        server.tags = False
        server.files |= {"/24": b"".join(map(message, range(6))), "/24.idx": LIST.encode()}
        where = Runs(server.address + "/24", PRODUCTS["gfs"].where.fields, short=False)
        told = bring(monkeypatch, where, "2015-01-01", "2015-01-01", tmp_path)
    assert "no versions" in told["failed"][0]["reason"] and not told["fetched"]


def test_a_forecast_is_that_of_one_run():
    items = list_items(
        PRODUCTS["gfs-forecast"].where, [date(2026, 1, 1), date(2026, 1, 2)], None, None
    )
    assert [item.name[-10:-6] for item in items] == [f"f{lead:03d}" for lead in range(3, 48, 3)]
    assert all("gfs.20260101/00/atmos/gfs.t00z.pgrb2.0p25.f" in item.address for item in items)


@pytest.mark.parametrize("name, module", [("era5", "cdsapi"), ("cmems-arctic", "copernicusmarine")])
def test_a_missing_package_or_account_is_one_line(monkeypatch, tmp_path, name, module):
    monkeypatch.setattr("importlib.util.find_spec", lambda wanted: None if wanted == module else 1)
    with pytest.raises(InputError, match=r"floecast\[data\]"):
        fetch(name, "2015-01-01", "2015-01-01", tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda wanted: 1)
    with pytest.raises(InputError, match="needs an account.*register at https://") as fault:
        fetch(name, "2015-01-01", "2015-01-01", tmp_path)
    assert "\n" not in str(fault.value)


@pytest.fixture
def store(monkeypatch, no_accounts, body):
    """A stand-in for the Climate Data Store that keeps what it was asked for."""
    (no_accounts / ".cdsapirc").write_text("url: https://example.invalid\nkey: secret\n")
    asked, answers = [], []

    class Client:
        def __init__(self, **given):
            assert given["quiet"]

        def retrieve(self, dataset, request, target):
            asked.append((dataset, request))
            answer = answers.pop(0) if answers else body
            if isinstance(answer, Exception):
                raise answer
            with open(target, "wb") as file:
                file.write(answer)

    monkeypatch.setitem(sys.modules, "cdsapi", SimpleNamespace(Client=Client, __spec__=1))
    return SimpleNamespace(asked=asked, answers=answers)


def test_era5_comes_by_months_and_only_the_days_that_are_not_there(store, tmp_path):
    told = fetch("era5", "2015-01-30", "2015-02-02", tmp_path, manners=QUICK)
    assert told["fetched"] == [
        f"era5_{part}_{span}.nc"
        for part in ("values", "sums")
        for span in ("20150130-20150131", "20150201-20150202")
    ]
    dataset, request = store.asked[0]
    assert dataset == "reanalysis-era5-single-levels" and len(request["time"]) == 24
    assert (request["year"], request["month"], request["day"]) == ("2015", "01", ["30", "31"])
    told = fetch("era5", "2015-01-29", "2015-02-01", tmp_path, manners=QUICK)
    assert [request["day"] for _, request in store.asked[4:]] == [["29"], ["29"]]
    assert len(told["fetched"]) == 2 and len(told["present"]) == 4


def test_an_archive_of_one_file_is_opened(store, tmp_path, body):
    place = tmp_path / "came.zip"
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr("../../outside.nc", body)
    store.answers.append(place.read_bytes())
    told = fetch("carra-west", "2015-01-01", "2015-01-01", tmp_path, manners=QUICK)
    assert told["fetched"] == ["carra_analysis_west_20150101-20150101.nc"]
    assert (tmp_path / "carra-west" / told["fetched"][0]).read_bytes() == body
    assert not list(tmp_path.parent.glob("outside.nc"))


def zipped(body, told=None):
    """An archive of one file, which says that the file has another length."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("field.nc", body)
    packed = bytearray(made.getvalue())
    if told is not None:
        place = packed.rindex(b"PK\x01\x02") + 24
        packed[place : place + 4] = told.to_bytes(4, "little")
    return bytes(packed)


@pytest.mark.parametrize("told", [None, 2_000_000_000, 59_000, 61_000])
def test_an_archive_that_is_too_large_or_lies_is_not_unpacked(store, tmp_path, body, told):
    store.answers.append(zipped(body[:60_000], told) if told else zipped(bytes(3_000_000)))
    result = fetch("carra-west", "2015-01-01", "2015-01-01", tmp_path, manners=QUICK)
    (failed,) = result["failed"]
    large = told in (None, 2_000_000_000)
    assert ("over 100 times" if large else "archive is damaged") in failed["reason"]
    assert [one.name for one in (tmp_path / "carra-west").iterdir()] == [".lock"]


@pytest.mark.parametrize(
    "answer, kind, word",
    [
        (Exception("403 Client Error: required licences not accepted"), InputError, "accept its"),
        (Exception("401 Client Error: authentication failed"), InputError, "register at"),
        (Exception("None of the data you have requested is available yet"), "missing", "01-01"),
        (Exception("queue is full"), "failed", "queue is full"),
        (b"\x89HDF\r\n\x1a\nand no more", "failed", "damaged"),
        (b"<html>", "failed", "netCDF"),
    ],
)
def test_what_the_store_answers_is_told(store, tmp_path, answer, kind, word):
    store.answers.append(answer)
    if kind is InputError:
        with pytest.raises(InputError, match=word):
            fetch("carra-east", "2015-01-01", "2015-01-01", tmp_path, manners=QUICK)
    else:
        told = fetch("carra-east", "2015-01-01", "2015-01-01", tmp_path, manners=QUICK)
        assert word in str(told[kind]) and not told["fetched"]
    assert not list((tmp_path / "carra-east").glob("*.nc"))


def test_marine_files_are_listed_then_fetched_in_their_newest_issue(
    monkeypatch, no_accounts, tmp_path, body
):
    account = no_accounts / ".copernicusmarine"
    account.mkdir()
    (account / ".copernicusmarine-credentials").write_text("secret")
    stem = "_hr-nersc-MODEL-nextsimf-ARC-b"
    there = [
        f"{day}{stem}{issue}-fv00.0.nc"
        for day, issue in [
            ("20240101", "20231231"),
            ("20240101", "20240102"),
            ("20240102", "20240102"),
            ("20240105", "20240102"),
        ]
    ]
    calls = []

    def get(dataset_id, disable_progress_bar, regex=None, file_list=None, dry_run=False, **given):
        calls.append(given)
        if dry_run:
            names = [name for name in there if re.search(regex, f"/native/2024/01/{name}")]
        else:
            names = [file_list.read_text().strip().rpartition("/")[2]]
            with open(f"{given['output_directory']}/{names[0]}", "wb") as file:
                file.write(body if "20240101" in names[0] else body[:-1000])
        size = len(body) / 2**20
        files = [
            SimpleNamespace(filename=name, s3_url=f"s3://x/{name}", file_size=size)
            for name in names
        ]
        return SimpleNamespace(files=files)

    monkeypatch.setitem(sys.modules, "copernicusmarine", SimpleNamespace(get=get, __spec__=1))
    told = fetch("cmems-arctic", "2024-01-01", "2024-01-03", tmp_path, manners=QUICK)
    assert told["fetched"] == [there[1]] and told["missing"] == ["2024-01-03"]
    assert [failed["file"] for failed in told["failed"]] == [there[2]]
    assert (tmp_path / "cmems-arctic" / there[1]).read_bytes() == body
    assert sorted(path.name for path in (tmp_path / "cmems-arctic").iterdir()) == [
        ".lock",
        there[1],
        "SHA256SUMS",
    ]
