"""A configuration made into objects: the only place where strings become objects."""

from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from scipy.spatial import cKDTree

from floecast.assimilation.initial import InitialErrors, initial_ensemble
from floecast.assimilation_schema import TwinSection
from floecast.atmosphere.boundary_layer import BoundaryLayer
from floecast.atmosphere.forcing import FilledForcing, check_forcing
from floecast.atmosphere.levels import Levels
from floecast.atmosphere.weather import NEVER, SyntheticWeather
from floecast.config import Config
from floecast.core import calendar
from floecast.core.ensemble import member
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.keys import named_key
from floecast.emulator.coupled import CoupledEmulator
from floecast.io.readers import concentration_field, read_forcing
from floecast.io.run_folder import RunFolder, input_record
from floecast.io.weather_files import find_files
from floecast.progress import Silent
from floecast.simulator.free_drift import FreeDrift
from floecast.simulator.model import Simulator
from floecast.simulator.restart_states import restart_states
from floecast.simulator.thermodynamics import SimpleFreezing, ocean_heat_flux_beyond_edge
from floecast.simulator.typical_state import typical_state

from .methods import emulator_on
from .simulate import HEIGHTS_ALOFT
from .twin import SPIN_UP, Twin

COLUMN_STEP, COLUMN_LEVELS = 900.0, 25
"""Step, at most [s], and levels of the columns of air above an emulator. Beside 180 s and 40 levels
the ice drifts 1 to 5 % of its speed otherwise, a quarter of the error of the emulator at most."""
SPIN_UP_DAYS = SPIN_UP // calendar.DAY


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
    time : int, optional
        Of the analysis, where it is one of many [s since 2000-01-01]; that of the configuration if
        left out.
    weather : list, optional
        Of each member before the analysis; drawn if left out.
    concentration : (y, x) array, optional
        That the ocean is warm beyond; that of the background if left out [1].
    """

    config: Config
    folder: RunFolder
    data: Path | None
    progress: object = field(default_factory=Silent)
    time: int | None = None
    weather: list | None = None
    concentration: np.ndarray | None = None

    @cached_property
    def grid(self):
        """The grid."""
        return Grid.preset(self.config.grid)

    @property
    def analysis_time(self):
        """Of the analysis [s since 2000-01-01]."""
        if self.time is not None:
            return self.time
        return calendar.to_seconds(self.config.analysis_time)

    @property
    def background_time(self):
        """Where the members start [s since 2000-01-01]."""
        if self.config.simulated:
            return self.simulated.start
        if self.config.twin:
            days = timedelta(days=self.config.background.spin_up_days)
            return calendar.to_seconds(self.config.analysis_time - days)
        return calendar.to_seconds(self.config.background.date)

    @property
    def window_start(self):
        """Of the analysis; the time of the analysis where all is of one instant."""
        return self.analysis_time - self.config.analysis.window_hours * calendar.HOUR

    @cached_property
    def simulated(self):
        """Truth, observations and weather of a twin whose truth is a run of the simulator.

        Raises
        ------
        InputError
            If no simulated states ship of so early or late a time.
        """
        config = self.config
        section = TwinSection(
            seed=config.seed, boundary_layer=config.background.boundary_layer, **self._restart()
        )
        begin = Twin(config.grid, section, 0).start
        return Twin(config.grid, section, (self.leads[-1] - begin) // calendar.DAY)

    def _restart(self):
        """Month and number of the year of the last restart state before the window."""
        times, _ = restart_states(self.grid)
        fitting = times[times + SPIN_UP <= self.window_start]
        if not fitting.size or self.window_start - fitting[-1] > 31 * calendar.DAY + SPIN_UP:
            first, last = (calendar.iso(int(time))[:10] for time in (times[0], times[-1]))
            raise InputError(
                f"analysis_time: the simulated states that ship with floecast are those of "
                f"{first} to {last}; begin the window within a month of one, {SPIN_UP_DAYS} days "
                "after it at least"
            )
        months = calendar.to_datetime64(times).astype("datetime64[M]").astype(int) % 12
        month = months[fitting.size - 1]
        return {"month": month + 1, "year": int(np.sum(months[: fitting.size - 1] == month))}

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
        """Random key of a named stream of this run, or of this analysis of many."""
        own = () if self.time is None else (self.time,)
        return named_key(self.config.seed, *names, *own)

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
        if self.concentration is not None:
            return self.concentration
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

    def forecast_model(self):
        """The model of the forecast: that of the background, under a boundary layer if wanted."""
        model = self.model()
        if not self.config.model.boundary_layer:
            return model
        levels = Levels.stretched(COLUMN_LEVELS)
        return CoupledEmulator(model, BoundaryLayer(levels=levels, longest_step=COLUMN_STEP))

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
        if self.config.simulated:
            return self.simulated.weather
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

    def background_weather(self):
        """Weather of each member before the analysis, as `climatological_weather`, or, where the
        truth is simulated, as analyses know it."""
        if self.weather is not None:
            return self.weather
        if self.config.simulated:
            return self._known(NEVER)
        return self.climatological_weather("background")

    def _known(self, issued):
        """The true weather as each member knows it: analyses up to a time, then forecasts."""
        key = self.key("forecast", "weather")
        return [
            self.true_weather.forecast(key, issued, member=number)
            for number in range(self.config.ensemble.members)
        ]

    def forecast_weather(self, noted):
        """Weather of each member in the forecast; a file is named in the manifest."""
        weathers = self._forecast_weather(noted)
        if self.config.model.boundary_layer:
            return [weather.with_aloft(HEIGHTS_ALOFT) for weather in weathers]
        return weathers

    def _forecast_weather(self, noted):
        match self.config.weather.knowledge:
            case "climatology":
                return self.climatological_weather("forecast")
            case "forecast":
                return self._known(self.analysis_time)
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
