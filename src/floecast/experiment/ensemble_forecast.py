"""A forecast from the members of an analysis: products time by time, resumable at any kill."""

import hashlib
import json
import shutil
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from floecast.atmosphere.forcing import check_forcing
from floecast.atmosphere.weather import SyntheticWeather
from floecast.core.calendar import DAY, HOUR, iso, to_seconds
from floecast.core.ensemble import count, healthy, stack
from floecast.core.errors import FloecastError, InputError
from floecast.core.grid import PRESETS
from floecast.core.keys import named_key
from floecast.core.precision import cast
from floecast.forecast.dates import Crossings
from floecast.forecast.ice_edge import IceEdge
from floecast.forecast.products import products
from floecast.forecast.streamed import (
    MemberWeather,
    advanced,
    begun,
    check_members,
    chunk,
    member_mesh,
)
from floecast.forecast.trajectories import Following, Spread, ice_of, on_ice, seeded, spread_of
from floecast.io.cf import read_dataset, to_dataset, write_netcdf
from floecast.io.checkpoint import load_last, save_last
from floecast.io.forecast_files import (
    dates_dataset,
    edge_dataset,
    products_dataset,
    trajectories_dataset,
)
from floecast.io.joined import join_netcdf
from floecast.io.readers import check_use, read_forcing
from floecast.io.run_folder import RunFolder, checksum, default_folder, input_record, versions
from floecast.io.weather_files import find_files
from floecast.progress import Silent

from . import report
from .forecast import WEATHER, failures
from .forecast_start import read_start
from .methods import emulator_on

PARTS = "parts"
"""Folder of what is done of a forecast that goes on."""
KEPT = ("concentration", "ice_volume", "snow_volume", "u", "v")
"""Fields of the members that are kept."""
FEWEST = 3
"""Members that the products need."""


def ensemble_forecast(config, *, data=None, out=None, progress=None):
    """Forecast from an analysis, or go on with it.

    Parameters
    ----------
    config : ForecastConfig
    data : path-like, optional
        Folder of the weather files that the configuration names.
    out : path-like, optional
        Folder; ``runs/NAME`` if left out.
    progress : optional
        See `progress`.

    Returns
    -------
    RunFolder
        With ``forecast.nc`` (mean, spread, quantiles, probabilities, drift ellipses),
        ``ice_edge.nc`` (the median edge and its uncertainty), ``ice_dates.nc`` (freeze-up and
        break-up), ``report.html`` and its ``figures/``; with drifters ``trajectories.nc`` and, if
        asked for, ``forecast_members.nc``.

    Raises
    ------
    InputError
        If there is no ensemble or fewer than three members of it are finite, the weather does not
        cover the forecast, or a drifter is not at sea. Nothing has been written then.
    FloecastError
        If fewer than three members stay finite.

    Notes
    -----
    The members advance together from one time to the next, and the products of each time are
    written before that: what is in memory does not grow with the length. State and products of
    each time are on disk before the next begins, so that a killed forecast goes on from there and
    comes to the same bytes. A member that is not finite is left out of the products from then on,
    and of the dates altogether; ``members`` of ``forecast.nc`` counts the others.
    """
    progress = Silent() if progress is None else progress
    run = _Run(config, None if data is None else Path(data))
    told = {"name": config.name, "analysis_sha256": run.start.checksum}
    folder = RunFolder(out or default_folder(config.name), config.model_dump(mode="json") | told)
    progress.stage("forecast", "done before" if folder.done("forecast", data) else "begun")
    if not folder.done("forecast", data):
        with folder.stage("forecast", run.files) as noted:
            run.go(folder, noted, progress)
    shutil.rmtree(folder.file(PARTS), ignore_errors=True)
    report.draw(folder, progress)
    return folder


class _Tracked(eqx.Module):
    """What a forecast has come to; times count from the start."""

    states: tuple  # of the members, and positions (member, drifter, 2) or None
    crossings: Crossings
    alive: np.ndarray  # (time, member)
    trail: np.ndarray  # (time, member, drifter, 2)
    among_ice: np.ndarray  # (time, drifter)


class _Run:
    """Members, model, weather and drifters of a forecast, checked."""

    def __init__(self, config, data):
        self.config, self.start = config, read_start(config.analysis)
        start, self.grid = self.start, self.start.grid
        self.every = config.every_hours * HOUR
        self.end = start.time + config.days * DAY
        self.times = np.arange(start.time, self.end + 1, self.every)
        self.members = count(start.ensemble)
        self.at_once = chunk(self.members, config.at_once)
        self.mesh = member_mesh()
        emulator = config.emulator or start.emulator or self.grid.name
        self.emulator = None if emulator in PRESETS else emulator
        model = emulator_on(self.grid, emulator)
        if self.every % model.dt:
            raise InputError(
                f"every_hours: {config.every_hours} h are no multiple of the step of the emulator, "
                f"{model.dt / HOUR:g} h"
            )
        if np.sum(healthy(start.ensemble)) < FEWEST:
            raise InputError(f"{start.file} has fewer than {FEWEST} members that are finite")
        self.positions, self.begin = self._drifters()
        self.model = Following(model, jnp.asarray(self.begin))
        self.weather, self.inputs = self._weather(data)
        key = named_key(config.seed, "forecast", "model")
        self.keys = jax.vmap(lambda number: jax.random.fold_in(key, number))(
            jnp.arange(self.members)
        )
        drifters = None  # lax.map in chunks takes no empty array
        if config.drifters:
            drifters = jnp.stack([jnp.asarray(self.positions, float)] * self.members)
        self.first = start.ensemble, drifters
        check_members(self.model, self.first, self.weather, start.time, self.end)

    def _drifters(self):
        """Where drifters are let go, and when."""
        positions, begin = np.zeros((0, 2)), []
        for one in self.config.drifters:
            time = self.start.time if one.start is None else to_seconds(one.start)
            if not self.start.time <= time < self.end:
                raise InputError(
                    f"drifter {one.name} starts at {iso(time)}, outside of the forecast from "
                    f"{iso(self.start.time)} to {iso(self.end)}"
                )
            place = seeded(one.name, one.longitude, one.latitude, self.grid)
            positions, begin = np.vstack([positions, place]), [*begin, time]
        return positions, np.asarray(begin, np.int32)

    def _weather(self, data):
        """The weather of each member, and records of the files it comes from."""
        section, start, seed = self.config.weather, self.start, self.config.seed
        if section.knowledge == "forecast":
            if start.truth is None:
                raise InputError(
                    f"weather.knowledge: {start.file} is of no twin whose weather is known; set it "
                    "to climatology, or to file with weather.file"
                )
            issued = jax.vmap(
                lambda number: start.truth.forecast(start.weather_key, start.time, member=number)
            )
            return MemberWeather(issued(jnp.arange(self.members))), []
        drawn = stack(
            [
                SyntheticWeather.draw(named_key(seed, "forecast", "weather", number), self.grid)
                for number in range(self.members)
            ]
        )
        if section.knowledge == "climatology":
            return MemberWeather(drawn), []
        if data is None or not data.is_dir():
            raise InputError("weather.file: name its folder by --data or FLOECAST_DATA")
        try:
            paths = find_files(section.file, data)
            check_use(paths, "read_forcing", start.time, self.end)
            known = read_forcing(paths, self.grid)
            check_forcing(known, self.grid, start.time, self.end, known.fields())
        except InputError as error:
            raise InputError(f"weather.file: {error}") from None
        records = [input_record(path, data) for path in paths]
        return MemberWeather(drawn, cast(known, jnp.float32)), records

    @property
    def files(self):
        """What is written in the end."""
        drifting = ["trajectories.nc"] * bool(self.config.drifters)
        kept = ["forecast_members.nc"] * self.config.members
        return ["forecast.nc", "ice_edge.nc", "ice_dates.nc", *drifting, *kept]

    @property
    def mark(self):
        """Fingerprint of what makes the numbers."""
        parts = [self.config.model_dump(mode="json"), versions(), self.start.checksum, self.inputs]
        if self.emulator is not None:
            parts.append(checksum(self.emulator))
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def go(self, folder, noted, progress):
        """All times, from the last that was saved."""
        parts, mark = folder.file(PARTS), self.mark
        tracked, done, file = self._tracked(), 0, parts / "state.npz"
        last = load_last(file, (tracked, done), config_hash=mark)
        if last is None:
            shutil.rmtree(parts, ignore_errors=True)
        else:
            tracked, done = last
        for number in range(done, len(self.times)):
            tracked = self._at(number, tracked, parts)
            save_last(file, (tracked, number + 1), config_hash=mark)
            progress.advance(number + 1, len(self.times))
        self._finish(folder, tracked)
        noted["inputs"] += self.inputs
        noted["notes"].append(WEATHER[self.config.weather.knowledge])
        noted["warnings"] += failures(tracked.alive[-1], "forecast")

    def _tracked(self):
        """Before the first time."""
        times, drifters = len(self.times), len(self.positions)
        begin = jnp.asarray(self.start.time)
        return _Tracked(
            begun(self.model, self.first, self.weather, begin, self.at_once),
            Crossings.begin(np.asarray(self.start.ensemble.concentration)),
            np.ones((times, self.members), bool),
            np.full((times, self.members, drifters, 2), np.nan),
            np.full((times, drifters), np.nan),
        )

    def _at(self, number, tracked, parts):
        """Go to a time, write what is told of it."""
        config, time = self.config, int(self.times[number])
        states, crossings = tracked.states, tracked.crossings
        if number:
            begin, steps = jnp.asarray(time - self.every), self.every // self.model.dt
            states = advanced(
                self.model, states, self.weather, self.keys, begin, steps, self.at_once, self.mesh
            )
        ice = jax.tree.map(np.asarray, ice_of(states[0]))
        good = tracked.alive[max(number - 1, 0)] & np.asarray(healthy(states))
        if good.sum() < FEWEST:
            raise FloecastError(
                f"{good.sum()} of {self.members} members are finite at {iso(time)}; the products "
                f"need {FEWEST}: look at {self.start.file}"
            )
        if number:
            lead = time - self.start.time
            crossings = crossings.after(ice.concentration, lead, config.spell_days)
        self._write(number, ice, good, parts)
        positions = np.zeros((self.members, 0, 2))
        if states[1] is not None:
            positions = np.asarray(states[1], float)
        let_go = self.begin <= time
        among = on_ice(positions, ice.concentration, self.grid)[good].mean(axis=0)
        alive, trail, among_ice = (
            history.copy() for history in (tracked.alive, tracked.trail, tracked.among_ice)
        )
        alive[number] = good
        trail[number] = np.where((good[:, None] & let_go)[..., None], positions, np.nan)
        among_ice[number] = np.where(let_go, among, np.nan)
        return _Tracked(states, crossings, alive, trail, among_ice)

    def _write(self, number, ice, good, parts):
        """The files of one time."""
        config, time = self.config, int(self.times[number])
        made_with = {
            "levels": config.quantiles,
            "classes": config.thickness_classes,
            "probability": config.ellipse,
        }
        told = products(jax.tree.map(lambda leaf: leaf[good], ice), self.grid, **made_with)
        at = {"time": time, "issued": self.start.time}
        write_netcdf(
            products_dataset(told, self.grid, **at, **made_with), _part(parts, "forecast", number)
        )
        write_netcdf(edge_dataset([(time, told.edge)], self.grid), _part(parts, "ice_edge", number))
        if config.members:
            fields = {name: getattr(ice, name) for name in KEPT}
            fields = {
                name: np.where(good[:, None, None], field, np.nan)[:, None]
                for name, field in fields.items()
            }
            dataset = to_dataset(
                fields,
                self.grid,
                time=np.array([time]),
                members=True,
                reference_time=self.start.time,
                title="Sea-ice ensemble forecast, members",
            )
            write_netcdf(dataset, _part(parts, "forecast_members", number))

    def _finish(self, folder, tracked):
        """The files of the whole forecast, of those of its times."""
        config, parts = self.config, folder.file(PARTS)
        numbers = range(len(self.times))
        for name in ["forecast", *["forecast_members"] * config.members]:
            join_netcdf(
                [_part(parts, name, number) for number in numbers], folder.file(f"{name}.nc")
            )
        edges = [
            (int(self.times[number]), _edge(_part(parts, "ice_edge", number))) for number in numbers
        ]
        write_netcdf(edge_dataset(edges, self.grid), folder.file("ice_edge.nc"))
        alive = tracked.alive[-1]
        dates = dates_dataset(
            jax.tree.map(lambda leaf: leaf[alive], tracked.crossings),
            self.grid,
            issued=self.start.time,
            end=self.end,
            levels=config.quantiles,
            spell_days=config.spell_days,
        )
        write_netcdf(dates, folder.file("ice_dates.nc"))
        if config.drifters:
            spreads = [
                spread_of(trail[alive], config.ellipse, self.grid)
                for trail, alive in zip(tracked.trail, tracked.alive, strict=True)
            ]
            dataset = trajectories_dataset(
                [one.name for one in config.drifters],
                tracked.trail,
                Spread(*(np.stack(values) for values in zip(*spreads, strict=True))),
                tracked.among_ice,
                self.grid,
                time=self.times,
                issued=self.start.time,
                probability=config.ellipse,
            )
            write_netcdf(dataset, folder.file("trajectories.nc"))


def _part(parts, name, number):
    return parts / f"{name}_{number:04d}.nc"


def _edge(path):
    """The edge that a file of one time holds."""
    with read_dataset(path) as dataset:
        return IceEdge(*(dataset[name].values for name in IceEdge._fields))
