"""Archives: the same to the bit however often the run was killed; splits do not share weather."""

import io
import os
import shutil
import subprocess
import time

import jax
import numpy as np
import pytest
import xarray as xr

import floecast.experiment.simulate as module
from floecast.atmosphere.forcing import WEATHER
from floecast.core.errors import FloecastWarning, InputError
from floecast.experiment.simulate import simulate
from floecast.io.store import read_dataset
from floecast.progress import PlainProgress
from floecast.simulation_schema import simulation_config

OPTIMISED = True

SHORT = ("preset=arctic100", "rheology=free_drift", "thermodynamics=zero_layer", "transport=upwind")


class Killed(Exception):
    pass


@pytest.fixture(scope="module")
def config():
    return simulation_config(None, [*SHORT, "spin_up_years=0", "block_days=73"])


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory):
    return simulate(config, out=tmp_path_factory.mktemp("whole") / "run")


def contents(folder):
    with read_dataset(folder.file("archive.zarr")) as archive:
        return archive.load()


def test_what_an_archive_holds(whole):
    archive = contents(whole)
    assert archive.sizes["time"] == 1460
    assert archive.time.values[-1] == np.datetime64("2031-01-01T00:00:00")
    for name in ("concentration", "ice_volume", "snow_volume", "u", "v", "damage", "age"):
        assert archive[name].dims == ("time", *archive[name].dims[1:])
    for name in WEATHER:
        assert np.isfinite(archive[name].isel(time=100).values).any()
    assert archive["concentration"].max() <= 1.0


def test_killed_and_called_again(config, whole, tmp_path, monkeypatch):
    out, calls = tmp_path / "run", []
    save = module.save_last

    def dying(path, tree, **options):
        calls.append(path)
        if len(calls) in (1, 4):  # after the archive has its block, before the restart file
            raise Killed
        save(path, tree, **options)

    monkeypatch.setattr(module, "save_last", dying)
    for _ in range(2):
        with pytest.raises(Killed):
            simulate(config, out=out)
    again = simulate(config, out=out)
    xr.testing.assert_identical(contents(again), contents(whole))
    for name in ("spin_up.npz", "restart.npz", "monthly_states.npz"):
        with np.load(again.file(name)) as one, np.load(whole.file(name)) as other:
            assert all(np.array_equal(one[key], other[key]) for key in one.files)


@pytest.fixture
def jumping_clock(monkeypatch):
    """A clock that shows now and a year ahead by turns."""
    clock, calls = time.time, []

    def shown():
        calls.append(1)
        return clock() + 365 * 86400 * (len(calls) % 2)

    monkeypatch.setattr(time, "time", shown)


def test_a_damaged_restart_file_costs_one_block(config, whole, tmp_path, jumping_clock):
    """Under a clock that jumps, with files of the future and of long ago."""
    out = shutil.copytree(whole.path, tmp_path / "run")
    whole_file = (out / "restart.npz").read_bytes()
    (out / "restart.npz").write_bytes(whole_file[: len(whole_file) // 2])
    os.utime(out / "restart.before.npz", (4e9, 4e9))
    os.utime(out / "manifest.json", (0, 0))
    told = io.StringIO()
    with (
        pytest.warns(FloecastWarning, match="restart.npz is damaged.*going on.*restart.before"),
        PlainProgress(told) as progress,
    ):
        again = simulate(config, out=out, progress=progress)
    assert again.file("restart.npz").read_bytes() == whole_file
    xr.testing.assert_identical(contents(again), contents(whole))
    assert all(stage["seconds"] >= 0 for stage in again.manifest["stages"])
    assert told.getvalue() == "spin-up: done before\narchive: begun\n"
    for name in ("restart.npz", "restart.before.npz"):
        (out / name).write_bytes(b"nothing")
    with pytest.raises(InputError, match="delete .*restart.npz and .*before.npz to begin anew"):
        simulate(config, out=out)


@pytest.fixture
def small_disk(whole, tmp_path):
    """A disk with room for the archive and little more."""
    disk = tmp_path / "disk"
    disk.mkdir()
    size = sum(file.stat().st_blocks * 512 for file in whole.path.rglob("*"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size + 2**23}", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_told_and_gone_on_from(config, whole, small_disk):
    out = small_disk / "run"
    shutil.copytree(whole.path, out)
    (out / "restart.npz").unlink()
    with (
        (small_disk / "other").open("wb", buffering=0) as other,
        pytest.raises(OSError, match="No space left"),
    ):
        while True:  # takes what room is left
            other.write(bytes(2**12))
    with pytest.raises(InputError, match=r"cannot write into \S+run: No space left.*make room"):
        simulate(config, out=out)
    os.truncate(small_disk / "other", os.path.getsize(small_disk / "other") - 2**19)
    with (
        pytest.warns(FloecastWarning, match="restart.npz is not there; going on"),
        pytest.raises(OSError, match="No space left") as caught,
    ):
        simulate(config, out=out)
    assert str(out) in caught.value.filename
    with read_dataset(out / "archive.zarr") as archive:
        np.testing.assert_array_equal(archive.time, contents(whole).time[: archive.sizes["time"]])
        assert np.isfinite(archive["age"].isel(time=-1)).any()
    (small_disk / "other").unlink()
    with pytest.warns(FloecastWarning, match="restart.npz is not there; going on"):
        again = simulate(config, out=out)
    xr.testing.assert_identical(contents(again), contents(whole))
    assert again.file("restart.npz").read_bytes() == whole.file("restart.npz").read_bytes()


def test_splits_have_their_own_weather():
    other = simulation_config(
        None, [*SHORT, "spin_up_years=0", "block_days=73", "split=validation"]
    )
    first, second = (
        module._Run(config).weather.pressure(0)
        for config in (simulation_config(None, SHORT), other)
    )
    assert np.corrcoef(np.ravel(first), np.ravel(second))[0, 1] < 0.95


def test_double_precision_that_jax_lacks_is_refused(tmp_path):
    asked = simulation_config(None, [*SHORT, "float64=true"])
    with jax.enable_x64(False), pytest.raises(InputError, match="JAX_ENABLE_X64=1"):
        simulate(asked, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_another_configuration_is_refused(whole):
    folder = whole.path
    before = (folder / "manifest.json").read_bytes()
    with pytest.raises(InputError, match="another configuration"):
        simulate(simulation_config(None, [*SHORT, "seed=3"]), out=folder)
    assert (folder / "manifest.json").read_bytes() == before


@pytest.mark.parametrize("wrong", ["years=0", "preset=arctic7", "split=all", "nonsense=1"])
def test_bad_values_are_refused(wrong):
    with pytest.raises(InputError, match=wrong.partition("=")[0]):
        simulation_config(None, [wrong])


def test_done_is_not_done_again(config, whole):
    copy = whole.path.parent / "copy"
    shutil.copytree(whole.path, copy)
    changed = (copy / "archive.zarr" / "zarr.json").stat().st_mtime_ns
    simulate(config, out=copy)
    assert (copy / "archive.zarr" / "zarr.json").stat().st_mtime_ns == changed
