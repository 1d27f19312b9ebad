"""The three days of November 2016: what drives them, the runs, and the observed drift."""

from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import floecast as fc
from floecast.atmosphere.forcing import Forcing
from floecast.core.atomic import replacing
from floecast.core.calendar import DAY, HOUR, to_seconds
from floecast.core.precision import cast
from floecast.core.rollout import rollout
from floecast.core.state import IceState
from floecast.experiment.case import fill
from floecast.io.readers import (
    concentration_field,
    read_forcing,
    read_observations,
    read_thickness_field,
)
from floecast.observation.operators import observe
from floecast.simulator.arctic_ocean import ArcticOcean
from floecast.simulator.bbm import BBM
from floecast.simulator.free_drift import FreeDrift
from floecast.simulator.guard import check_finite
from floecast.simulator.interfaces import NoThermodynamics
from floecast.simulator.mevp import MEVP
from floecast.simulator.model import Simulator
from floecast.simulator.weno import WENO

WIND = "gfs_wind_20161120/gfs_1deg_u10v10_20161120_22.nc"
DRIFT = "kimura_drift_2016/kimura_amsr2_drift_2016.nc"
CONCENTRATION = "nsidc0081_sic/nsidc0081_nh_2016.nc"
THICKNESS = "cs2smos_climatology/cs2smos_v206_daily_climatology.nc"

START = int(to_seconds("2016-11-19"))
WIND_START, WIND_END = (int(to_seconds(day)) for day in ("2016-11-20", "2016-11-22"))
LEAST_THICKNESS = 0.1
"""Where the concentration shows ice that the climatology of thickness does not have [m]."""
PACK = 0.8
"""Least concentration of the points that are scored."""
RHEOLOGIES = {"BBM": BBM, "mEVP": MEVP, "free drift": FreeDrift}


@dataclass(frozen=True)
class Case:
    """Fields of the three days on one grid.

    Parameters
    ----------
    grid : Grid
    wind : Forcing
        From `START`, the first field of the file held until its time.
    state : IceState
        At rest.
    """

    grid: fc.Grid
    wind: Forcing
    state: IceState

    @classmethod
    def read(cls, data, preset):
        """Case from the files below a folder."""
        data, grid = Path(data), fc.Grid.preset(preset)
        wind = read_forcing(data / WIND, grid)
        held = {name: np.concatenate([field[:1], field]) for name, field in wind.fields().items()}
        wind = Forcing(np.append(START, wind.time), **held)
        concentration = fill(concentration_field(data / CONCENTRATION, grid, WIND_START), grid)
        thickness = read_thickness_field(data / THICKNESS, grid, time=WIND_START)
        thickness = np.maximum(fill(thickness, grid), LEAST_THICKNESS)
        state = IceState.at_rest(grid, concentration, thickness)
        return cls(grid, *cast((wind, state), jnp.float32))

    def run(self, work, rheology, **parameters):
        """Hourly mean drift at U and V points from `WIND_START` on, ``(hour, y, x)`` each [m/s].

        Kept below the folder `work` and read from there the next time.
        """
        said = "_".join(f"{name}_{value:.6g}" for name, value in parameters.items())
        name = f"{self.grid.name}_{rheology}_{said or 'default'}.npz".replace(" ", "_")
        file = Path(work) / name
        if not file.exists():
            u, v = self._simulate(RHEOLOGIES[rheology](**parameters))
            with replacing(file) as partial, partial.open("wb") as stream:
                np.savez(stream, u=u, v=v)
        with np.load(file) as saved:
            return saved["u"], saved["v"]

    def _simulate(self, rheology):
        model = Simulator(
            self.grid,
            rheology=rheology,
            thermodynamics=NoThermodynamics(),
            scheme=WENO(),
            ocean=ArcticOcean.of(self.grid),
            dt=HOUR // 2,
        )
        trajectory = rollout(
            model,
            self.state,
            self.wind,
            2 * (WIND_END - START) // HOUR,
            key=jax.random.key(0),
            observe=lambda state: {"u": state.u, "v": state.v},
        )
        time = np.asarray(trajectory.time)
        fields = {name: np.asarray(field) for name, field in trajectory.state.items()}
        check_finite(time, fields, self.grid, model.inner_dt)
        half_hours = [fields[name][time > WIND_START] for name in ("u", "v")]
        return tuple(field.reshape(-1, 2, *self.grid.shape).mean(axis=1) for field in half_hours)


@dataclass(frozen=True)
class Day:
    """Observed drift of one file day at the points in the pack, and when it is taken to be.

    Parameters
    ----------
    begin, end : int
        Of the part of the window that the wind covers [hours after `WIND_START`].
    vectors : Observations
        Of the components x, then of the components y.
    observed, persistence : (point,) complex array
        Drift of the day and of the day before at the same points [m/s].
    """

    begin: int
    end: int
    vectors: fc.Observations
    observed: np.ndarray
    persistence: np.ndarray

    @classmethod
    def read(cls, data, case, day, later):
        """Drift of a file day whose window begins `later` hours after that of the reader."""
        drift = read_observations(
            Path(data) / DRIFT, case.grid, start=f"{day - 1}T12", end=f"{day + 2}T00"
        )
        count = drift.size // 2
        time = np.asarray(drift.time)[:count]
        good = (np.asarray(drift.flag) == 0).reshape(2, count).all(axis=0)
        place = np.asarray(drift.x)[:count] + 1j * np.asarray(drift.y)[:count]
        middle = int(to_seconds(day + 1))
        now, before = (
            {place[i]: i for i in np.flatnonzero(good & (time == when))}
            for when in (middle, middle - DAY)
        )
        both = np.array([(now[p], before[p]) for p in now if p in before])
        cover = np.asarray(
            np.sum(
                np.asarray(case.state.concentration).ravel()[np.asarray(drift.cell)]
                * np.asarray(drift.weight),
                axis=-1,
            )
        )
        both = both[cover[both[:, 0]] > PACK]
        value = np.asarray(drift.value)
        vector = value[:count] + 1j * value[count:]
        chosen = np.concatenate([both[:, 0], both[:, 0] + count])
        begin = (middle - DAY // 2 - WIND_START) // HOUR + later
        last = (WIND_END - WIND_START) // HOUR
        return cls(
            max(begin, 0),
            min(begin + 24, last),
            drift.select(chosen),
            vector[both[:, 0]],
            vector[both[:, 1]],
        )

    def of_model(self, case, u, v):
        """Mean drift of a run over the window at the points, ``(point,)`` complex [m/s]."""
        mean = [np.mean(field[self.begin : self.end], axis=0) for field in (u, v)]
        still = np.zeros_like(mean[0])
        state = IceState(still, still, still, *mean, still)
        seen = np.asarray(observe(state, self.vectors))
        return seen[: seen.size // 2] + 1j * seen[seen.size // 2 :]

    def wind(self, case, begin=None, end=None):
        """Mean wind over the window, or other hours, at the points, ``(point,)`` complex [m/s]."""
        begin = self.begin if begin is None else begin
        end = self.end if end is None else end
        hours = [begin] if begin == end else np.arange(begin, end) + 0.5
        cell, weight = (
            np.asarray(field)[: self.observed.size]
            for field in (self.vectors.cell, self.vectors.weight)
        )
        total = 0.0
        for time in (int(WIND_START + HOUR * hour) for hour in hours):
            wind = case.wind.between(time, time)
            field = np.asarray(wind.wind_u[0]) + 1j * np.asarray(wind.wind_v[0])
            total += np.sum(field.ravel()[cell] * weight, axis=-1)
        return total / len(hours)
