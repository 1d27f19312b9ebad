"""Cycles of a data assimilation in a twin, resumable at any kill after the truth is there."""

import dataclasses
import hashlib
import json
import time
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp

from floecast.assimilation.asynchronous import Asynchronous
from floecast.assimilation.bounds import IceControl
from floecast.assimilation.covariance import HybridCovariance
from floecast.assimilation.cycle import Recentred, cycle
from floecast.assimilation.diagnostics import innovation_statistics
from floecast.assimilation.filter import along, split
from floecast.assimilation.inflation import Inflation
from floecast.assimilation.kalman import LETKF
from floecast.assimilation.localisation import GaspariCohn
from floecast.assimilation.minimise import Minimiser
from floecast.assimilation.misfit import CensoredMisfit
from floecast.assimilation.modulation import SeparableRoot
from floecast.assimilation.variational import En4DVar, EnVar4D, Var3D, Var4D
from floecast.core.calendar import DAY, HOUR, iso
from floecast.core.ensemble import healthy
from floecast.core.grid import Grid
from floecast.core.keys import named_key
from floecast.forecast.ensemble import forecast
from floecast.io.cf import to_dataset, write_netcdf
from floecast.io.checkpoint import load_last, save_last
from floecast.io.json_lines import add_line, keep_lines
from floecast.io.run_folder import RunFolder, checksum, default_folder, versions
from floecast.observation.errors import error_at_estimate
from floecast.observation.observations import KINDS
from floecast.observation.quality_control import (
    check_departure,
    check_duplicates,
    check_range,
    rejected,
    summary,
)
from floecast.progress import Silent
from floecast.verification.twin_scores import twin_scores

from .methods import (
    APART,
    emulator_on,
    hybrid_covariance,
    minimisation,
    static_covariance,
    without_noise,
)
from .twin import Twin, forcings

KEPT = ("concentration", "ice_volume", "u", "v")
"""Fields of the members of forecasts that are kept."""


def assimilate(config, *, out=None, truth=None, progress=None):
    """Assimilate, or go on assimilating.

    Parameters
    ----------
    config : AssimilationConfig
    out : path-like, optional
        Folder; ``runs/NAME`` if left out.
    truth : path-like, optional
        Truth of another run of the same twin, so that it is simulated once for many methods.
    progress : optional
        See `progress`.

    Returns
    -------
    RunFolder
        With ``truth.npz`` unless one was given, ``cycles.jsonl`` and ``forecasts.jsonl`` with the
        diagnostics and scores of each, ``rejected.jsonl`` with the observations that were not used
        and why, and ``ensemble.npz``, the last one. With `keep_forecasts` also ``truth.nc`` and
        ``forecasts/START.nc``, which ``floecast verify`` reads.

    Notes
    -----
    The ensemble is saved after every cycle. A killed run goes on from there, or from the cycle
    before if that file is damaged, and comes to the same numbers to the bit.
    """
    progress = Silent() if progress is None else progress
    tree = config.model_dump(mode="json") | {"name": config.name}
    run = _Run(config)
    if truth is not None:
        run.twin.read(truth)  # refused before there is a folder
    folder = RunFolder(default_folder(config.name) if out is None else out, tree)
    if truth is None:
        truth = folder.file("truth.npz")
        progress.stage("truth", "done before" if folder.done("truth") else "begun")
        if not folder.done("truth"):
            with folder.stage("truth", ["truth.npz"]):
                run.twin.make(truth, progress.advance)
    progress.stage("cycles", "done before" if folder.done("cycles") else "begun")
    if not folder.done("cycles"):
        with folder.stage(
            "cycles", ["cycles.jsonl", "forecasts.jsonl", "rejected.jsonl", "ensemble.npz"]
        ):
            run.go(folder, truth, progress)
    return folder


def days_of(config):
    """Length of the truth that a configuration needs [days]."""
    longest = config.forecast_days if config.forecast_every else 0
    return -(-config.cycles * config.window_hours // 24) + longest


def method_of(config, grid, emulator):
    """The method of a configuration, None for a free run.

    Parameters
    ----------
    config : AssimilationConfig
    grid : Grid
    emulator : Emulator
        That carries the members.

    Returns
    -------
    Asynchronous, Recentred or None
    """
    steps = config.window_hours * HOUR // emulator.dt
    section, given = config.covariance, config.observations
    inflation = Inflation(
        prior=config.inflation,
        relaxation=config.relaxation,
        relaxations={"concentration": config.relaxation_concentration},
    )
    half_width = 1e3 * section.localisation_km
    half_widths = dict.fromkeys(KINDS, half_width)
    if not section.coupled:
        half_widths["concentration"] = 1e3 * section.concentration_localisation_km
    if config.method == "free_run":
        return None
    local = LETKF(
        localisation=GaspariCohn.on_grid(grid, half_widths),
        inflation=inflation,
        shared_error=given.shared_error,
        updates={} if section.coupled else APART,
    )
    members = Asynchronous(local, emulator, steps)
    if config.method == "letkf":
        return members
    shared = {
        "model": without_noise(emulator),
        "window": steps,
        "misfit": CensoredMisfit(shared_error=given.shared_error),
        "minimiser": Minimiser(outer=config.outer, inner=config.inner),
    }
    root = SeparableRoot.on_grid(grid, half_width)
    if config.method == "envar4d":
        return Recentred(EnVar4D(covariance=HybridCovariance(localisation=root), **shared), members)
    static = static_covariance(
        grid,
        1e3 * section.static_length_km,
        section.static_concentration,
        section.static_thickness,
    )
    if config.method == "en4dvar":
        near = None if section.coupled else half_widths["concentration"]
        hybrid = hybrid_covariance(grid, static, section.ensemble_weight, half_width, near)
        return Recentred(En4DVar(covariance=hybrid, **shared), members)
    kind = {"var3d": Var3D, "var4d": Var4D}[config.method]
    return Recentred(kind(covariance=static, **shared), members)


@eqx.filter_jit
def perturbed(ensemble, covariance, control, key):
    """Members with errors of the model over a window (additive inflation).

    Parameters
    ----------
    ensemble : IceState
        Leaves ``(member, y, x)``; members that are not finite stay as they are.
    covariance : AbstractCovariance
        Of the errors of concentration and thickness, in control variables.
    control : IceControl
    key : key

    Returns
    -------
    IceState

    Notes
    -----
    A change of concentration takes its share of ice and snow along, as divergence does and as the
    analysis takes it: thickness errors are others. No cell has more or less of anything on average
    over the members than before; open water stays open.
    """
    good = healthy(ensemble)
    members = jax.tree.map(lambda leaf: jnp.where(along(good, leaf), leaf, 0), ensemble)
    drawn = jax.lax.map(covariance.draw, jax.random.split(key, good.size))
    free = control.to_control(members)

    def mean(field):
        return split(field, good)[0][None]

    def moved(bound, at, errors):
        return bound.to_value(at + split(errors, good)[1])

    def same_mean(new, old):
        """New values with the mean of the old ones, by a factor."""
        wanted, found = mean(old), mean(new)
        return new * jnp.where(found > 0, wanted / jnp.where(found > 0, found, 1.0), 1.0)

    old = members.concentration
    new = moved(control.concentration, free.concentration, drawn.concentration)
    new = jnp.where(old > 0, new, 0.0)
    # What is open is scaled where ice would have to grow beyond the whole cell.
    less = mean(new) < mean(old)
    new = jnp.where(less, 1.0 - same_mean(1.0 - new, 1.0 - old), same_mean(new, old))
    new = jnp.where(old > 0, new, 0.0)

    def volume(name, bound):
        at, amount = getattr(free, name), getattr(members, name)
        before = bound.to_value(at)
        depth = moved(bound, at, getattr(drawn, name)) / jnp.where(before > 0, before, 1.0)
        cover = new / jnp.where(old > 0, old, 1.0)
        return same_mean(amount * cover * jnp.where(before > 0, depth, 1.0), amount)

    changed = dataclasses.replace(
        members,
        concentration=new,
        ice_volume=volume("ice_volume", control.thickness),
        snow_volume=volume("snow_volume", control.snow_depth),
    )
    return jax.tree.map(
        lambda new, old: jnp.where(along(good, new), new, old).astype(old.dtype), changed, ensemble
    )


class _Run:
    """A twin, an emulator and a method."""

    def __init__(self, config):
        self.config = config
        self.grid = Grid.preset(config.preset)
        self.emulator = emulator_on(self.grid, config.emulator or config.preset)
        self.twin = Twin(config.preset, config.twin, days_of(config))
        self.method = method_of(config, self.grid, self.emulator)
        section = config.covariance
        self.model_error = None
        sizes = section.model_concentration, section.model_thickness, section.model_snow
        if any(sizes):
            length = 1e3 * section.static_length_km
            self.model_error = static_covariance(self.grid, length, *sizes)

    def key(self, *names):
        return named_key(self.config.seed, "assimilation", *names)

    def go(self, folder, path, progress):
        """All cycles, from the last that was saved of the same configuration and truth."""
        config, window = self.config, self.config.window_hours * HOUR
        truth, file = self.twin.read(path), folder.file("ensemble.npz")
        if config.keep_forecasts:
            self._write_truth(truth, folder.file("truth.nc"))
        parts = [config.model_dump(mode="json"), versions(), checksum(path)]
        if config.emulator is not None and Path(config.emulator).is_file():
            parts.append(checksum(config.emulator))
        mark = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
        ensemble = self.twin.ensemble(self.key("ensemble"), config.members)
        ensemble = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), ensemble)
        last = load_last(file, (ensemble, 0), config_hash=mark)
        ensemble, done = (ensemble, 0) if last is None else last
        cycles, forecasts, refused = (
            _Lines(folder.file(f"{name}.jsonl"), done)
            for name in ("cycles", "forecasts", "rejected")
        )
        for number in range(done, config.cycles):
            start = self.twin.start + number * window
            ensemble, told, checked = self._cycle(ensemble, truth, number, start)
            cycles.add({"cycle": number, "end": iso(start + window), **told})
            for row in rejected(checked):
                refused.add({"cycle": number, **row})
            if config.forecast_every and (number + 1) % config.forecast_every == 0:
                run = self._forecast(ensemble, number, start + window)
                for row in self._scores(run, truth):
                    forecasts.add({"cycle": number, **row})
                if config.keep_forecasts:
                    self._write_forecast(run, folder.file("forecasts"))
            save_last(file, (ensemble, number + 1), config_hash=mark)
            progress.advance(number + 1, config.cycles)

    def _cycle(self, ensemble, truth, number, start):
        config, dt, began = self.config, self.emulator.dt, time.perf_counter()
        end = start + config.window_hours * HOUR
        steps = (end - start) // dt
        seen = self.twin.observe(truth, config.observations, start, end, self.key("observations"))
        weathers = self.twin.forecasters(self.key("weather"), config.members)
        each, mean = forcings(weathers, start, steps, dt)
        if self.model_error is not None:
            key = self.key("model error", number)
            ensemble = perturbed(ensemble, self.model_error, IceControl(), key)
        found = cycle(
            self.method,
            self.emulator,
            ensemble,
            seen,
            each,
            start=start,
            steps=steps,
            key=self.key("cycle", number),
            control_forcing=mean,
            check=self._check,
        )
        analysis = jax.block_until_ready(found.analysis)
        now = self.twin.at(truth, end)
        told = {
            "start": iso(start),
            "seconds": round(time.perf_counter() - began, 2),
            "status": int(analysis.status),
            "quality_control": summary(analysis.observations),
            "innovations": innovation_statistics(analysis),
            "minimisation": minimisation(found.variational),
            "background": twin_scores(analysis.background, now, self.grid),
            "analysis": twin_scores(analysis.ensemble, now, self.grid),
        }
        return analysis.ensemble, told, analysis.observations

    def _check(self, observations, equivalents):
        limit = self.config.observations.gross_check
        checked = error_at_estimate(check_duplicates(check_range(observations)), equivalents)
        return check_departure(checked, equivalents, factor=limit)

    def _dataset(self, fields, time, issued=None):
        """Fields of members of a forecast, or of the truth."""
        title = "Truth of a twin" if issued is None else "Sea-ice ensemble forecast, members"
        members = issued is not None
        return to_dataset(
            fields, self.grid, time=time, members=members, reference_time=issued, title=title
        )

    def _write_forecast(self, run, folder):
        fields = {name: getattr(run.ensemble, name)[run.healthy] for name in KEPT}
        folder.mkdir(exist_ok=True)
        path = folder / f"{iso(run.issued)[:13]}.nc"
        write_netcdf(self._dataset(fields, run.time, run.issued), path)

    def _write_truth(self, truth, path):
        daily = self.twin.times % DAY == self.twin.start % DAY
        fields = {name: getattr(truth, name)[daily] for name in KEPT}
        write_netcdf(self._dataset(fields, self.twin.times[daily]), path)

    def _forecast(self, ensemble, number, start):
        """Members in weather that is known less and less."""
        config, dt = self.config, self.emulator.dt
        weathers = self.twin.forecasters(self.key("weather"), config.members, issued=start)
        each, _ = forcings(weathers, start, config.forecast_days * DAY // dt, dt)
        return forecast(
            self.emulator,
            ensemble,
            each,
            days=config.forecast_days,
            key=self.key("forecast", number),
            start=start,
        )

    def _scores(self, run, truth):
        """Of each day."""
        for lead in range(1, self.config.forecast_days + 1):
            members = jax.tree.map(lambda leaf, lead=lead: leaf[:, lead], run.ensemble)
            now = self.twin.at(truth, run.issued + lead * DAY)
            yield {"lead_hours": 24 * lead, **twin_scores(members, now, self.grid)}


class _Lines:
    """Lines of JSON, of which those of cycles after the last saved one are written again."""

    def __init__(self, path, done):
        self.path = path
        keep_lines(path, lambda one: one["cycle"] < done)

    def add(self, line):
        """Append a line."""
        add_line(self.path, line)
