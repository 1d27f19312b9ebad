"""``floecast fetch`` as a user calls it: what it prints, and its exit codes."""

import json

import pytest

from floecast import cli
from floecast.io.fetching import fetch as fetching
from floecast.io.fetching.products import PRODUCTS


@pytest.fixture
def floecast(monkeypatch, capsys):
    """Call the command; gives its return code, and its output and errors."""
    monkeypatch.delenv("FLOECAST_DATA", raising=False)

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["floecast", "fetch", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        printed = capsys.readouterr()
        return left.value.code or 0, printed.out, printed.err

    return call


def test_without_a_product_all_are_listed(floecast):
    code, out, _ = floecast()
    assert code == 0 and all(f"{name} " in out for name in PRODUCTS)
    assert json.loads(floecast("--json")[1]).keys() == PRODUCTS.keys()


@pytest.mark.parametrize(
    "arguments, word",
    [
        (["era5"], "--from"),
        (["era5", "--from", "2015-01-01", "--to", "2015-01-02"], "--data"),
        (["era6", "--from", "2015-01-01", "--to", "2015-01-02", "--data", "x"], "osisaf-drift"),
        (["gfs", "--from", "2015-01-32", "--to", "2015-02-02", "--data", "x"], "2015-01-32"),
    ],
)
def test_what_cannot_be_fetched_is_one_line(floecast, arguments, word):
    code, out, err = floecast(*arguments)
    assert code == 2 and not out and len(err.strip().splitlines()) == 1 and word in err


def test_a_dry_run_tells_addresses(floecast, tmp_path):
    days = ["--from", "2017-06-01", "--to", "2017-06-02"]
    code, out, _ = floecast("osisaf-drift", *days, "--data", tmp_path, "--dry-run")
    assert code == 0 and out.count("https://thredds.met.no/") == 2 and "2 to come" in out


@pytest.mark.parametrize("place", ["file", "file/below", "data"])
@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_a_file_in_place_of_the_folder_is_refused(floecast, tmp_path, place, more):
    (tmp_path / "file").touch()
    (tmp_path / "data").mkdir()
    (tmp_path / "data/osisaf-drift").touch()
    days = ["--from", "2017-06-01", "--to", "2017-06-02"]
    code, out, err = floecast("osisaf-drift", *days, "--data", tmp_path / place, *more)
    assert code == 2 and not out and "is a file, expected a folder" in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "missing, failed, code", [([], [], 0), (["2015-01-01"], [], 3), (["2015-01-01"], ["a"], 4)]
)
def test_exit_codes(floecast, monkeypatch, tmp_path, missing, failed, code):
    told = {"product": "gfs", "folder": "DIR/gfs", "fetched": ["b"], "present": []}
    told |= {"missing": missing, "failed": [{"file": name, "reason": "why"} for name in failed]}
    monkeypatch.setattr(fetching, "fetch", lambda *given, **more: told)
    days = ["--from", "2015-01-01", "--to", "2015-01-02", "--data", tmp_path]
    found, out, _ = floecast("gfs", *days)
    assert found == code and "1 fetched" in out
    assert all(day in out for day in missing) and ("a: why" in out) == bool(failed)
    assert json.loads(floecast("gfs", *days, "--json")[1]) == told
