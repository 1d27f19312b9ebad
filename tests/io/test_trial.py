"""Files that take the process with them."""

import os
import subprocess

import numpy as np
import pytest
import xarray as xr

from floecast.io import trial
from floecast.io.trial import lost_on


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "good.nc"
    xr.Dataset({"a": ("x", np.arange(3.0))}).to_netcdf(path, engine="netcdf4")
    return path


def test_good_and_plainly_bad_files_are_not_lost(good, tmp_path):
    short = tmp_path / "short.nc"
    short.write_bytes(good.read_bytes()[:100])
    page = tmp_path / "page.nc"
    page.write_text("<html>")
    assert lost_on([good, short, page, tmp_path / "none.nc"]) == {}
    assert lost_on([]) == {}


def test_one_that_never_opens_costs_its_time_alone(good, tmp_path):
    endless = tmp_path / "endless.nc"
    os.mkfifo(endless)  # whoever opens it waits for a writer
    found = lost_on([good, endless, good], seconds=3)
    assert found == {endless: "it could not be opened in 3 s"}


def test_one_that_ends_the_process(good, monkeypatch):
    monkeypatch.setattr(trial, "_CHILD", "import os; input(); os.abort()")
    assert lost_on([good]) == {good: "opening it ended the process"}


def test_no_process_is_left(good, tmp_path, monkeypatch):
    started, real = [], subprocess.Popen

    def kept(*args, **options):
        started.append(real(*args, **options))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", kept)
    endless = tmp_path / "endless.nc"
    os.mkfifo(endless)
    lost_on([endless, good], seconds=2)
    assert len(started) == 2 and all(one.poll() is not None for one in started)
