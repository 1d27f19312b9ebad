"""Training from a data set to an emulator with its card: resumable to the bit, refusals."""

import json
import shlex
from pathlib import Path

import jax
import numpy as np
import pytest

import floecast.experiment.train as module
from floecast.atmosphere.forcing import WEATHER
from floecast.core.calendar import DAY
from floecast.core.errors import FloecastWarning, InputError
from floecast.core.grid import Grid
from floecast.core.variables import STATE
from floecast.emulator.model import Emulator
from floecast.experiment.train import train
from floecast.io.cf import to_dataset, write_netcdf
from floecast.io.store import write_zarr
from floecast.io.training_archive import OCEAN_CLIMATOLOGY
from floecast.train_schema import train_config

STAGES = (
    "stages=[{name: one, updates: 4, learning_rate: 1e-3, members: 1, batch: 2},"
    " {name: two, updates: 2, learning_rate: 1e-3, members: 2, batch: 1}]"
)
SMALL = ["preset=arctic100", "step_hours=24", "widths=[4]", "validate_every=2", STAGES]


class Killed(Exception):
    pass


@pytest.fixture(scope="module", autouse=True)
def short_looks():
    with pytest.MonkeyPatch.context() as patch:
        # As long as the last look of all, which shares its compiled function then.
        patch.setattr(module, "_LOOK", {"steps": 10, "pieces": 2, "members": 2})
        patch.setattr(module, "_EXAM", {"pieces": 2, "members": 2})
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Thirteen days of noise within bounds, twice, and an ocean at rest."""
    folder, grid = tmp_path_factory.mktemp("data"), Grid.preset("arctic100")
    random, time = np.random.default_rng(0), 900_028_800 + DAY * np.arange(13)
    low_high = {"air_temperature": (250, 270), "longwave": (200, 300), "wind_u": (-9, 9)}
    low_high |= {"wind_v": (-9, 9), "humidity": (0, 0.003), "snowfall": (0, 1e-5)}
    for split in ("training", "validation"):
        fields = {
            name: random.uniform(*low_high.get(name, (0.0, 0.5)), (13, *grid.shape))
            for name in (*STATE, *WEATHER)
        }
        dataset = to_dataset(fields, grid, time=time, staggered=True, title="noise", source="test")
        write_zarr(dataset.astype(np.float32), folder / f"{split}.zarr")
    ocean = {name: (("month", "y", "x"), np.zeros((12, 64, 64))) for name in OCEAN_CLIMATOLOGY}
    import xarray as xr

    write_netcdf(xr.Dataset(ocean), folder / "ocean.nc")
    (folder / "manifest.json").write_text(json.dumps({"config": {"name": "noise"}, "stages": []}))
    return folder


@pytest.fixture(scope="module")
def config(data):
    return train_config(None, [*SMALL, f"dataset={data}"])


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory):
    return train(config, out=tmp_path_factory.mktemp("whole") / "run")


def weights(folder):
    network = Emulator.load(folder.file("emulator.npz")).network
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(network)])


def lines(folder):
    return [json.loads(line) for line in folder.file("metrics.jsonl").read_text().splitlines()]


def test_what_a_training_leaves(config, whole):
    card = json.loads(whole.file("model_card.json").read_text())
    assert card["data"] == {"name": "noise"} and card["parameters"] > 1000
    assert card["validation"]["lead_hours"][-1] == 240
    assert len(card["validation"]["error_over_persistence"]["ice_volume"]) == 10
    page = whole.file("model_card.md").read_text()
    assert "two: 2 updates of 1 pieces, chains of 1, 2 members" in page
    # The line of the settings, given to the command, comes to the same settings.
    command = shlex.split(card["command"])
    assert card["command"] in page and command[:4] == "floecast train --preset arctic100".split()
    assert train_config(None, ["preset=arctic100", *command[5::2]]) == config.model_copy(
        update={"dataset": Path(config.dataset).name}
    )
    assert "| ice volume [m] |" in page and "| 24 h | 72 h | 120 h | 240 h |" in page
    assert [one["update"] for one in lines(whole) if "score" in one] == [2, 4, 2]
    assert whole.file("curves.png").stat().st_size > 10_000
    assert not list(whole.path.glob("*_unfinished.npz"))
    emulator = Emulator.load(whole.file("emulator.npz"))
    assert emulator.grid.name == "arctic100" and emulator.dt == DAY and emulator.ocean is not None


def test_killed_and_called_again(config, whole, tmp_path, monkeypatch):
    out, calls = tmp_path / "run", []
    save = module.save_last

    def dying(path, tree, **options):
        calls.append(path)
        if len(calls) == 2:
            raise Killed
        save(path, tree, **options)

    monkeypatch.setattr(module, "save_last", dying)
    with pytest.raises(Killed):
        train(config, out=out)
    folder = train(config, out=out)
    assert np.array_equal(weights(folder), weights(whole))

    def same(folder):
        return [{k: v for k, v in one.items() if k != "seconds"} for one in lines(folder)]

    assert same(folder) == same(whole)


def test_damaged_weights_of_an_unfinished_stage_cost_one_look(config, whole, tmp_path, monkeypatch):
    out, calls = tmp_path / "run", []
    save = module.save_last

    def dying(path, tree, **options):
        save(path, tree, **options)
        calls.append(path)
        if len(calls) == 2:
            raise Killed

    monkeypatch.setattr(module, "save_last", dying)
    with pytest.raises(Killed):
        train(config, out=out)
    content = bytearray(calls[-1].read_bytes())
    content[len(content) // 2] ^= 1
    calls[-1].write_bytes(content)
    with pytest.warns(FloecastWarning, match="is damaged.*going on from the checkpoint before"):
        folder = train(config, out=out)
    assert np.array_equal(weights(folder), weights(whole))
    assert not list(out.glob("*_unfinished*.npz"))


def test_data_set_without_validation_is_refused(config, data, tmp_path):
    other = tmp_path / "data"
    other.mkdir()
    for name in ("training.zarr", "manifest.json", "ocean.nc"):
        (other / name).symlink_to(data / name)
    with pytest.raises(InputError, match="no validation split"):
        train(config.model_copy(update={"dataset": str(other)}), out=tmp_path / "run")


def test_missing_data_set_is_refused(config, tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        train(config.model_copy(update={"dataset": "nowhere"}), out=tmp_path / "run")


def test_wrong_configuration_names_the_key():
    with pytest.raises(InputError, match="step_hours"):
        train_config(None, ["step_hours=5"])
    with pytest.raises(InputError, match="stages"):
        train_config(None, ["stages=[]"])
