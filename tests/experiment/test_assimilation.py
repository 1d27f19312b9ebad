"""Cycles in a twin: restart to the bit, every method made, wrong use refused."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.assimilation.asynchronous import Asynchronous
from floecast.assimilation.bounds import IceControl
from floecast.assimilation.cycle import Recentred
from floecast.assimilation.variational import En4DVar, EnVar4D, Var3D, Var4D
from floecast.assimilation_schema import assimilation_config, is_of_cycles
from floecast.core.calendar import DAY
from floecast.core.errors import FloecastWarning, InputError
from floecast.core.grid import Grid
from floecast.core.state import IceState
from floecast.emulator.model import Emulator
from floecast.experiment.assimilation import (
    assimilate,
    days_of,
    method_of,
    perturbed,
)
from floecast.experiment.methods import static_covariance
from floecast.experiment.twin import EVERY, Twin
from floecast.io.checkpoint import load_checkpoint, read_header, save_checkpoint
from floecast.io.scored_fields import FieldFile

SMALL = ["method=letkf", "members=4", "window_hours=24", "cycles=2", "forecast_every=2"]
SMALL += ["forecast_days=1", "keep_forecasts=true"]


@pytest.fixture(scope="module")
def config():
    return assimilation_config(None, SMALL)


@pytest.fixture(scope="module")
def twin(config):
    return Twin(config.preset, config.twin, days_of(config))


@pytest.fixture(scope="module")
def truth(twin, tmp_path_factory):
    """Ice that rests, so that no simulation is needed."""
    state = twin.restart(twin.numbers[0])
    still = {
        name: np.repeat(np.asarray(field)[None], len(twin.times), axis=0)
        for name, field in state.fields().items()
    }
    path = tmp_path_factory.mktemp("truth") / "truth.npz"
    save_checkpoint(path, IceState(**still), config_hash=twin.mark)
    return path


class Killed(Exception):
    pass


class KilledAfter:
    """Progress that ends the run."""

    def __init__(self, cycles):
        self.cycles = cycles

    def stage(self, name, told):
        pass

    def advance(self, done, total):
        if done == self.cycles:
            raise Killed


def lines(folder, name):
    told = [json.loads(line) for line in folder.file(name).read_text().splitlines()]
    return [{key: value for key, value in one.items() if key != "seconds"} for one in told]


def _kept(run):
    """The one forecast and the truth as files."""
    (forecast,) = run.file("forecasts").iterdir()
    return forecast, run.file("truth.nc")


def _damaged(path):
    """Let a checkpoint of other members, and a log cut in its last line, stand there."""
    header = read_header(path)
    other = IceState(*(np.zeros((3, 2, 2), np.float32) for _ in range(6))), 2
    save_checkpoint(path, other, config_hash=header["config_hash"])
    with path.with_name("cycles.jsonl").open("a") as file:
        file.write('{"cycle": 2, "end":')


def test_killed_after_a_cycle_it_comes_to_the_same_to_the_bit(config, truth, twin, tmp_path):
    whole = assimilate(config, out=tmp_path / "whole", truth=truth)
    with pytest.raises(Killed):
        assimilate(config, out=tmp_path / "cut", truth=truth, progress=KilledAfter(1))
    cut = assimilate(config, out=tmp_path / "cut", truth=truth)
    like = jax.tree.map(lambda leaf: np.zeros((4, *leaf.shape), np.float32), twin.restart(0)), 0
    one, other = (load_checkpoint(run.file("ensemble.npz"), like) for run in (whole, cut))
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        assert (np.asarray(a) == np.asarray(b)).all()
    for name in ("cycles.jsonl", "forecasts.jsonl", "rejected.jsonl"):
        assert lines(whole, name) == lines(cut, name)
    _damaged(cut.file("ensemble.npz"))
    with pytest.warns(FloecastWarning, match="going on from the checkpoint before it"):
        mended = assimilate(config, out=tmp_path / "cut", truth=truth)
    assert mended.file("ensemble.npz").read_bytes() == whole.file("ensemble.npz").read_bytes()
    for name in ("cycles.jsonl", "forecasts.jsonl", "rejected.jsonl"):
        assert lines(whole, name) == lines(mended, name)
    told = lines(whole, "cycles.jsonl")
    assert [row["status"] for row in told] == [0, 0]
    for row in told:
        assert row["analysis"]["ice_volume"]["rmse"] < row["background"]["ice_volume"]["rmse"]
    kept, known = (FieldFile(path) for path in _kept(whole))
    assert kept.start == known.times[0] + 2 * DAY  # issued at the end of the second cycle
    members = kept.at("ice_volume", 1)
    assert members.shape == (4, *twin.grid.shape)
    assert np.nanmax(np.abs(members.mean(axis=0) - known.at("ice_volume", 3))) < 3.0
    assert [path.read_bytes() for path in _kept(whole)] == [
        path.read_bytes() for path in _kept(cut)
    ]
    cover, depth = np.asarray(one[0].concentration), np.asarray(one[0].ice_volume)
    assert cover.min() >= 0 and cover.max() <= 1 and depth.min() >= 0


def test_the_ensemble_does_not_know_the_truth(twin, truth):
    key = jax.random.key(0)
    members = twin.ensemble(key, 8)
    now = twin.at(twin.read(truth), twin.start)
    sea = twin.grid.mask_t
    apart = [np.abs(np.asarray(one) - now.ice_volume)[sea].mean() for one in members.ice_volume]
    assert min(apart) > 0.05
    spread = np.std(np.asarray(members.ice_volume), axis=0, ddof=1)[sea]
    error = (np.mean(np.asarray(members.ice_volume), axis=0) - now.ice_volume)[sea]
    assert 0.5 < np.sqrt(np.mean(spread**2) / np.mean(error**2)) < 2


def test_errors_of_the_model_neither_make_nor_lose_ice(twin):
    number = twin.numbers[0]
    one = twin.restart(number)
    members = jax.tree.map(lambda leaf: np.repeat(np.asarray(leaf)[None], 8, axis=0), one)
    members = jax.tree.map(lambda leaf: leaf.astype(np.float32), members)
    lost = jax.tree.map(lambda leaf: leaf.at[3].set(np.nan), jax.tree.map(jnp.asarray, members))
    covariance = static_covariance(twin.grid, 200e3, 0.06, 0.03)
    sea = twin.grid.area * twin.grid.mask_t

    def total(ensemble, name):
        return np.sum(np.asarray(getattr(ensemble, name), float) * sea, axis=(1, 2))

    moved = lost
    for number in range(5):
        moved = perturbed(moved, covariance, IceControl(), jax.random.key(number))
    good = np.arange(8) != 3
    for name in ("concentration", "ice_volume", "snow_volume"):
        before, after = total(members, name)[0], total(moved, name)[good]
        assert np.isfinite(after).all() and np.isnan(total(moved, name)[3])
        assert abs(after.mean() / before - 1) < 2e-4
        assert after.std() > 1e-4 * before
    cover = np.asarray(moved.concentration)[good]
    assert cover.min() >= 0 and cover.max() <= 1
    assert (cover[:, np.asarray(one.concentration) == 0] == 0).all()


def test_errors_of_cover_take_ice_and_snow_along(twin):
    """As the analysis does: else each cycle makes ice, or loses it."""
    one = twin.restart(twin.numbers[0])
    members = jax.tree.map(lambda leaf: jnp.repeat(jnp.asarray(leaf, float)[None], 6, axis=0), one)
    covariance = static_covariance(twin.grid, 200e3, 0.06, 0.0)
    moved = perturbed(members, covariance, IceControl(), jax.random.key(0))
    cover = np.asarray(moved.concentration)
    ice = (cover > 0.1).all(axis=0)
    assert np.std(cover[:, ice], axis=0).mean() > 1e-3
    for volume in (moved.ice_volume, moved.snow_volume):
        depth = np.asarray(volume)[:, ice] / cover[:, ice]
        np.testing.assert_allclose(depth, depth[:1].repeat(6, axis=0), rtol=1e-6)


def test_what_is_observed_and_when(twin, truth, config):
    key, day = jax.random.key(1), 86400
    winter = twin.observe(twin.read(truth), config.observations, twin.start, twin.start + day, key)
    assert np.bincount(winter.kind).shape == (2,) and (winter.time > twin.start).all()
    summer = Twin("arctic100", config.twin.model_copy(update={"month": 7}), days_of(config))
    resting = IceState(
        *[np.repeat(np.asarray(f)[None], len(summer.times), 0) for f in twin_leaves(summer)]
    )
    seen = summer.observe(resting, config.observations, summer.start, summer.start + day, key)
    assert set(seen.kind) == {0}
    assert np.diff(twin.times).tolist() == [EVERY] * (len(twin.times) - 1)


def twin_leaves(twin):
    return jax.tree.leaves(twin.restart(twin.numbers[0]))


def test_every_method_is_made():
    grid = Grid.preset("arctic100")
    emulator = Emulator.load("arctic100", grid)
    kinds = {"var3d": Var3D, "var4d": Var4D, "envar4d": EnVar4D, "en4dvar": En4DVar}
    for name, kind in kinds.items():
        method = method_of(assimilation_config(None, [f"method={name}"]), grid, emulator)
        assert isinstance(method, Recentred) and isinstance(method.variational, kind)
        assert method.variational.window * method.variational.model.dt == 48 * 3600
        assert float(method.variational.model.noise_scale) == 0 < float(emulator.noise_scale)
    assert isinstance(
        method_of(assimilation_config(None, ["method=letkf"]), grid, emulator), Asynchronous
    )
    assert method_of(assimilation_config(None, ["method=free_run"]), grid, emulator) is None


def test_what_cannot_be_leaves_no_folder(truth, tmp_path):
    for option, words in (
        ("emulator=nowhere.npz", "no emulator at nowhere.npz"),
        ("emulator=arctic50", "arctic50 holds no ocean of arctic100"),
        ("cycles=3", "truth.npz"),  # longer than that truth
    ):
        with pytest.raises(InputError, match=words):
            assimilate(assimilation_config(None, [*SMALL, option]), out=tmp_path / "a", truth=truth)
    assert not (tmp_path / "a").exists()


def test_configurations_of_cycles_are_told_from_those_of_runs(tmp_path):
    (tmp_path / "cycles.yaml").write_text("cycles: 3\nmethod: letkf\n")
    (tmp_path / "run.yaml").write_text("name: one\n")
    assert is_of_cycles(tmp_path / "cycles.yaml") and not is_of_cycles(tmp_path / "run.yaml")
    with pytest.raises(InputError, match="window_hours"):
        assimilation_config(tmp_path / "cycles.yaml", ["window_hours=36"])
    with pytest.raises(InputError, match="method"):
        assimilation_config(tmp_path / "cycles.yaml", ["method=guess"])
