"""A configuration made into objects: the only place where strings become objects."""

from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from scipy.spatial import cKDTree

from floecast.assimilation.initial import InitialErrors, initial_ensemble
from floecast.atmosphere.forcing import FilledForcing, check_forcing
from floecast.atmosphere.weather import SyntheticWeather
from floecast.config import Config
from floecast.core import calendar
from floecast.core.ensemble import member
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.keys import named_key
from floecast.io.readers import concentration_field, read_forcing
from floecast.io.run_folder import RunFolder, input_record
from floecast.io.weather_files import find_files
from floecast.progress import Silent
from floecast.simulator.free_drift import FreeDrift
from floecast.simulator.model import Simulator
from floecast.simulator.thermodynamics import SimpleFreezing, ocean_heat_flux_beyond_edge
from floecast.simulator.typical_state import typical_state

from .methods import emulator_on


@dataclass(frozen=True)
class Case:
    """What the stages of a run work with.

    Parameters
    ----------
    config : Config
    folder : RunFolder
    data : path or None
        Folder of the real files.
    progress : progress
        As in `floecast.progress`.
    """

    config: Config
    folder: RunFolder
    data: Path | None
    progress: object = field(default_factory=Silent)

    @cached_property
    def grid(self):
        """The grid."""
        return Grid.preset(self.config.grid)

    @property
    def analysis_time(self):
        """Of the analysis [s since 2000-01-01]."""
        return calendar.to_seconds(self.config.analysis_time)

    @property
    def background_time(self):
        """Where the members start [s since 2000-01-01]."""
        if self.config.twin:
            days = timedelta(days=self.config.background.spin_up_days)
            return calendar.to_seconds(self.config.analysis_time - days)
        return calendar.to_seconds(self.config.background.date)

    @property
    def window_start(self):
        """Of the analysis; the time of the analysis where all is of one instant."""
        return self.analysis_time - self.config.analysis.window_hours * calendar.HOUR

    @property
    def background_file(self):
        """Members at the time of the analysis that have not seen the observations."""
        window = self.config.analysis.window_hours
        return "background_at_analysis.nc" if window else "background_ensemble.nc"

    @property
    def leads(self):
        """Valid times of the forecast, the analysis first [s since 2000-01-01]."""
        days = np.arange(self.config.forecast.days + 1)
        return self.analysis_time + calendar.DAY * days

    def key(self, *names):
        """Random key of a named stream of this run."""
        return named_key(self.config.seed, *names)

    def input(self, name, noted=None):
        """Path of a real file; with `noted`, the manifest will tell of it."""
        if self.data is None:
            raise InputError(f"{name} is needed; name its folder by --data or FLOECAST_DATA")
        path = self.data / name
        if not path.is_file():
            raise InputError(f"no file {path}; the README says where to download it")
        if noted is not None:
            noted["inputs"].append(input_record(path, self.data))
        return path

    def inputs(self, names, noted=None):
        """Paths of real files by names and patterns; with `noted`, the manifest tells of them."""
        if self.data is None:
            raise InputError(f"{names} is needed; name its folder by --data or FLOECAST_DATA")
        found = find_files(names, self.data)
        return [self.input(path.relative_to(self.data), noted) for path in found]

    @cached_property
    def initial_concentration(self):
        """Concentration that the ocean is warm beyond: where the members start, gaps filled from
        the nearest cell; in twins the typical one at the analysis [1]."""
        if self.config.twin:
            return np.asarray(typical_state(self.grid, self.analysis_time).concentration)
        path = self.input(self.config.background.concentration)
        return fill(concentration_field(path, self.grid, self.background_time), self.grid)

    def model(self):
        """The forecast model."""
        section = self.config.model
        if section.kind == "emulator":
            weights = self.config.grid if section.weights is None else self.input(section.weights)
            return emulator_on(self.grid, weights)
        return self._model(section.wind_factor, section.turning_angle, self.initial_concentration)

    def truth_model(self):
        """The model that makes the truth of a twin: other drift, and an ocean of its own."""
        section = self.config.background
        other = self.other_state("truth ocean", self.analysis_time).concentration
        return self._model(section.truth_wind_factor, section.truth_turning_angle, other)

    def other_state(self, name, time):
        """A typical state with errors like those of a member, but drawn apart from them."""
        typical = typical_state(self.grid, time)
        drawn = initial_ensemble(
            self.key(name), typical, self.grid, 2, errors=self.initial_errors()
        )
        return member(drawn, 0)

    def _model(self, wind_factor, turning_angle, concentration):
        section = self.config.model
        heat = ocean_heat_flux_beyond_edge(
            concentration,
            self.grid,
            far_away=section.open_water_heat_flux,
            distance=1e3 * section.open_water_distance_km,
        )
        return Simulator(
            self.grid,
            rheology=FreeDrift(wind_factor=wind_factor, turning_angle=turning_angle),
            thermodynamics=SimpleFreezing(ocean_heat_flux=jnp.asarray(heat)),
            dt=round(section.step_hours * calendar.HOUR),
        )

    @cached_property
    def true_weather(self):
        """The weather that the truth of a twin lives through."""
        return SyntheticWeather.draw(self.key("truth", "weather"), self.grid)

    def climatological_weather(self, stage):
        """Weather of each member, drawn without knowledge of the real one.

        Parameters
        ----------
        stage : str
            Members have other weather in each.
        """
        return [
            SyntheticWeather.draw(self.key(stage, "weather", number), self.grid)
            for number in range(self.config.ensemble.members)
        ]

    def forecast_weather(self, noted):
        """Weather of each member in the forecast; a file is named in the manifest."""
        match self.config.weather.knowledge:
            case "climatology":
                return self.climatological_weather("forecast")
            case "forecast":
                key = self.key("forecast", "weather")
                return [
                    self.true_weather.forecast(key, self.analysis_time, member=number)
                    for number in range(self.config.ensemble.members)
                ]
            case "file":
                known = read_forcing(self.inputs(self.config.weather.file, noted), self.grid)
                check_forcing(known, self.grid, self.leads[0], self.leads[-1], known.fields())
                others = self.climatological_weather("forecast")
                return [FilledForcing(known, other) for other in others]

    def initial_errors(self):
        """Errors of the background that the initial ensemble expresses."""
        section = self.config.ensemble
        return InitialErrors(
            displacement=1e3 * section.displacement_km,
            displacement_length=1e3 * section.displacement_length_km,
            thickness_floor=section.thickness_floor,
            thickness_share=section.thickness_share,
            thickness_lengths=tuple(1e3 * length for length in section.thickness_lengths_km),
            concentration=section.concentration,
            concentration_length=1e3 * section.concentration_length_km,
        )


def fill(values, grid):
    """Give ocean cells without a value that of the nearest one with; 0 on land.

    Parameters
    ----------
    values : (y, x) array
        NaN where unknown.
    grid : Grid

    Returns
    -------
    (y, x) array

    Raises
    ------
    InputError
        If no ocean cell has a value.
    """
    values = np.asarray(values)
    known, wanted = grid.mask_t & np.isfinite(values), grid.mask_t & ~np.isfinite(values)
    if not known.any():
        raise InputError("a field to start from has no value on any ocean cell of the grid")
    filled = np.where(known, values, 0.0)
    if wanted.any():
        _, nearest = cKDTree(np.argwhere(known)).query(np.argwhere(wanted))
        filled[wanted] = values[known][nearest]
    return filled
