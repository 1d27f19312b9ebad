"""Training an emulator: data set, stages, validation, model card; resumable at any kill."""

import json
import shlex
import time
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from floecast.core.atomic import write_text
from floecast.core.calendar import HOUR
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.keys import named_key
from floecast.core.variables import STATE
from floecast.dataset_schema import dataset_config
from floecast.emulator.features import fit_scaling
from floecast.emulator.model import Emulator
from floecast.emulator.ocean import OceanClimatology
from floecast.emulator.training import Learner, Stage, batch_sharding, learn, validate
from floecast.io.checkpoint import forget_last, load_last, save_last
from floecast.io.json_lines import add_line, keep_lines
from floecast.io.run_folder import RunFolder, default_folder, read_manifest
from floecast.io.training_archive import read_ocean_climatology, read_training_archive
from floecast.progress import Silent
from floecast.report.model_card import card_page
from floecast.report.training_curves import draw_curves

from .dataset import dataset

_LOOK = {"steps": 4, "pieces": 12, "members": 4}
"""Of the validation while an emulator learns."""
_EXAM = {"pieces": 12, "members": 8}
"""Of the validation of the finished one, over ten days."""
_LOG_EVERY = 10


def train(config, *, out=None, progress=None):
    """Train or go on training.

    Parameters
    ----------
    config : TrainConfig
    out : path-like, optional
        Folder; ``runs/NAME`` if left out.
    progress : optional
        See `progress`.

    Returns
    -------
    RunFolder
        With ``emulator.npz``, ``model_card.json`` and ``.md``, the emulator after each stage, and
        ``metrics.jsonl`` and ``curves.png``, which are kept up to date while it learns.

    Raises
    ------
    InputError
        If the folder holds something else, or the data set does not fit.

    Notes
    -----
    What has been learned is saved after every look at the validation. A killed run goes on from
    there, or from the look before if that file is damaged, and comes to the same weights, to the
    bit on CPUs.
    """
    progress = Silent() if progress is None else progress
    tree = config.model_dump(mode="json") | {"name": config.name}
    folder = RunFolder(default_folder(config.name) if out is None else out, tree)
    data = (
        Path(config.dataset) if config.dataset is not None else _make_data(config, folder, progress)
    )
    training = _Training(config, data, folder)
    for section in config.stages:
        done = folder.done(section.name)
        progress.stage(section.name, "done before" if done else "begun")
        if done:
            continue
        with folder.stage(section.name, [f"{section.name}.npz"]):
            training.go_through(section, progress)
    if not folder.done("card"):
        progress.stage("card", "begun")
        with folder.stage("card", ["emulator.npz", "model_card.json", "model_card.md"]):
            training.finish()
    return folder


def _make_data(config, folder, progress):
    overrides = [f"preset={config.preset}", f"step_hours={min(config.step_hours, 12)}"]
    resolved = dataset_config(None, overrides)
    return dataset(resolved, out=folder.file("dataset"), progress=progress).path


class _Training:
    """Emulator and data of a training."""

    def __init__(self, config, data, folder):
        self.config, self.folder = config, folder
        self.grid = Grid.preset(config.preset)
        self.training = read_training_archive(data / "training.zarr", self.grid)
        held = data / "validation.zarr"
        if not held.exists():
            raise InputError(f"{data} has no validation split; an emulator needs one to stop on")
        self.validation = read_training_archive(held, self.grid)
        self.ocean = None
        if (data / "ocean.nc").exists():
            self.ocean = OceanClimatology.fit(read_ocean_climatology(data / "ocean.nc"))
        self.source = read_manifest(data)["config"]
        self.untrained = self._untrained()

    def _untrained(self):
        config, dt = self.config, self.config.step_hours * HOUR
        dtype = None if config.precision == "float32" else config.precision
        if config.start_from is not None:
            known = Emulator.load(config.start_from, self.grid)
            network, scaling = known.network, known.scaling
        else:
            key = named_key(config.seed, "scaling")
            scaling = fit_scaling(self.training, self.ocean, self.grid, dt, key=key)
            key = named_key(config.seed, "network")
            network = Emulator.untrained(self.grid, scaling, key=key, widths=config.widths).network
        return Emulator(self.grid, network, scaling, self.ocean, dt=dt, network_dtype=dtype)

    def go_through(self, section, progress):
        """A stage, from its checkpoint if there is one."""
        config, stage = self.config, Stage(**section.model_dump())
        emulator = self._before(section)
        file = self.folder.file(f"{stage.name}_unfinished.npz")
        learner = Learner.of(emulator.network, stage)
        best = (jnp.asarray(jnp.inf), emulator.network, jnp.zeros((), int))
        learner, best = load_last(file, (learner, best)) or (learner, best)
        metrics = _Metrics(self.folder.file("metrics.jsonl"), stage.name, int(learner.update))
        sharding = _over_devices(stage)
        steps = learn(
            emulator, self.training, stage, seed=config.seed, learner=learner, sharding=sharding
        )
        for learner, losses in steps:
            update = int(learner.update)
            looks = update % config.validate_every == 0 or update == stage.updates
            if looks or update % _LOG_EVERY == 0:
                metrics.add(update, loss={name: float(losses[name]) for name in losses})
                progress.advance(update, stage.updates)
            if not looks:
                continue
            best = self._look(emulator, learner, best, stage, metrics)
            save_last(file, (learner, best))
            draw_curves(self.folder.file("metrics.jsonl"), self.folder.file("curves.png"))
            if int(best[2]) >= config.patience:
                break
        eqx.tree_at(_network, emulator, best[1]).save(self.folder.file(f"{stage.name}.npz"))
        forget_last(file)

    def _look(self, emulator, learner, best, stage, metrics):
        """Least loss of the validation, weights that had it, and looks since."""
        members = 1 if stage.members == 1 else _LOOK["members"]
        skill = validate(
            eqx.tree_at(_network, emulator, learner.average),
            self.validation,
            **_LOOK | {"members": members},
            seed=self.config.seed,
        )
        score = float(np.mean([skill[name][:, 3] for name in STATE]))
        told = {name: np.round(skill[name][:, 0], 4).tolist() for name in STATE}
        metrics.add(int(learner.update), error_over_persistence=told, score=round(score, 5))
        if score < float(best[0]):
            return jnp.asarray(score), learner.average, jnp.zeros((), int)
        return best[0], best[1], best[2] + 1

    def _before(self, section):
        """The emulator as the stage before left it."""
        names = [one.name for one in self.config.stages]
        number = names.index(section.name)
        if number == 0:
            return self.untrained
        known = Emulator.load(self.folder.file(f"{names[number - 1]}.npz"), self.grid)
        return eqx.tree_at(_network, self.untrained, known.network)

    def finish(self):
        """The emulator with its card."""
        last = self.config.stages[-1].name
        emulator = Emulator.load(self.folder.file(f"{last}.npz"), self.grid)
        steps = 240 // self.config.step_hours
        skill = validate(emulator, self.validation, steps=steps, **_EXAM, seed=self.config.seed)
        card = {
            "training": _without_places(self.config.model_dump(mode="json")),
            "command": _command(self.config),
            "data": _without_places(self.source),
            "parameters": int(sum(leaf.size for leaf in jax.tree.leaves(emulator.network))),
            "machine": self.folder.manifest["machine"],
            "devices": [str(device) for device in jax.devices()],
            "hours": {
                one["name"]: round(one["seconds"] / 3600, 3)
                for one in self.folder.manifest["stages"]
            },
            "validation": {
                "forecasts": _EXAM["pieces"],
                "members": _EXAM["members"],
                "lead_hours": [self.config.step_hours * (n + 1) for n in range(steps)],
                "error_over_persistence": _rounded(skill, 0),
                "spread_over_error": _rounded(skill, 1),
                "error": _rounded(skill, 2),
            },
        }
        write_text(self.folder.file("model_card.json"), json.dumps(card, indent=1) + "\n")
        write_text(self.folder.file("model_card.md"), card_page(card, self.config.name))
        emulator.save(self.folder.file("emulator.npz"), card)


def _network(emulator):
    return emulator.network


def _command(config):
    """What a terminal would be given for the same settings, whoever called."""
    told = _without_places(config.model_dump(mode="json", exclude_defaults=True))
    told.pop("preset", None)
    words = ["floecast", "train", "--preset", config.preset]
    for key, value in told.items():
        words += ["--set", f"{key}={value if isinstance(value, str) else json.dumps(value)}"]
    return shlex.join(words)


def _without_places(tree):
    """The same settings with the names of files and folders, but not where they lay."""
    if isinstance(tree, dict):
        return {key: _without_places(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_without_places(value) for value in tree]
    return Path(tree).name if isinstance(tree, str) else tree


def _rounded(skill, column):
    return {name: [float(f"{x:.4g}") for x in table[:, column]] for name, table in skill.items()}


def _over_devices(stage):
    """Sharding of a batch over all devices, or None where there is one."""
    devices = jax.devices()
    if len(devices) == 1:
        return None
    if stage.batch % len(devices):
        raise InputError(
            f"stage {stage.name}: a batch of {stage.batch} cannot be shared by "
            f"{len(devices)} devices"
        )
    return batch_sharding(len(devices))


class _Metrics:
    """Lines of JSON, of which those after a checkpoint are written again."""

    def __init__(self, path, stage, update):
        self.path, self.stage, self.began = path, stage, time.monotonic()
        keep_lines(path, lambda one: one["stage"] != stage or one["update"] <= update)

    def add(self, update, **told):
        """Append a line."""
        seconds = round(time.monotonic() - self.began, 1)
        line = {"stage": self.stage, "update": update, "seconds": seconds, **told}
        add_line(self.path, line)
