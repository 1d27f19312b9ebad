"""What drives the ice from above and from below."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from floecast.core import display
from floecast.core.calendar import iso
from floecast.core.errors import InputError, shown
from floecast.core.variables import VARIABLES

WEATHER = (
    "wind_u",
    "wind_v",
    "air_temperature",
    "humidity",
    "shortwave",
    "longwave",
    "snowfall",
)
OCEAN = ("current_u", "current_v", "sea_surface_height", "ocean_temperature")
FIELDS = WEATHER + OCEAN


class Aloft(eqx.Module):
    """The large-scale air above each cell, which a boundary layer lies under.

    Parameters
    ----------
    height : (level,) array
        Above the surface, ascending [m].
    geostrophic_u, geostrophic_v : (time, level, y, x) array
        Wind in balance with the pressure, along the grid's axes [m/s].
    wind_u, wind_v : (time, level, y, x) array
        Wind of the large scale along the grid's axes [m/s].
    potential_temperature : (time, level, y, x) array
        Relative to the surface pressure [K].
    humidity : (time, level, y, x) array
        Specific [1].
    """

    height: Float[Array, " level"]
    geostrophic_u: Float[Array, "time level y x"]
    geostrophic_v: Float[Array, "time level y x"]
    wind_u: Float[Array, "time level y x"]
    wind_v: Float[Array, "time level y x"]
    potential_temperature: Float[Array, "time level y x"]
    humidity: Float[Array, "time level y x"]

    def profiles(self):
        """The fields by name, without the heights."""
        return {name: field for name, field in vars(self).items() if name != "height"}


class Forcing(eqx.Module):
    """Fields along time at T points; those a source does not have are None.

    Parameters
    ----------
    time : (time,) int array
        Seconds since 2000-01-01, ascending.
    wind_u, wind_v : (time, y, x) array, optional
        10 m wind along the grid's axes [m/s].
    air_temperature : (time, y, x) array, optional
        2 m [K].
    humidity : (time, y, x) array, optional
        Specific, 2 m [1].
    shortwave, longwave : (time, y, x) array, optional
        Downward at the surface [W/m2].
    snowfall : (time, y, x) array, optional
        [kg/m2/s].
    current_u, current_v : (time, y, x) array, optional
        Of the sea surface along the grid's axes [m/s].
    sea_surface_height : (time, y, x) array, optional
        [m].
    ocean_temperature : (time, y, x) array, optional
        To which the mixed layer is drawn [K].
    aloft : Aloft, optional
        What a boundary layer needs.
    contact : Contact, optional
        What a boundary layer does to the surface, held over all times; leaves ``(y, x)``.
    """

    time: Int[Array, " time"]
    wind_u: Float[Array, "time y x"] | None = None
    wind_v: Float[Array, "time y x"] | None = None
    air_temperature: Float[Array, "time y x"] | None = None
    humidity: Float[Array, "time y x"] | None = None
    shortwave: Float[Array, "time y x"] | None = None
    longwave: Float[Array, "time y x"] | None = None
    snowfall: Float[Array, "time y x"] | None = None
    current_u: Float[Array, "time y x"] | None = None
    current_v: Float[Array, "time y x"] | None = None
    sea_surface_height: Float[Array, "time y x"] | None = None
    ocean_temperature: Float[Array, "time y x"] | None = None
    aloft: Aloft | None = None
    contact: eqx.Module | None = None

    @property
    def start(self):
        """First time [s]."""
        return self.time[0]

    @property
    def end(self):
        """Last time [s]."""
        return self.time[-1]

    def between(self, start, end):
        """Fields at the two ends of a step, linear in time between the samples.

        Parameters
        ----------
        start, end : int
            Seconds since 2000-01-01. Times outside of `time` get the nearest sample:
            `check_forcing` refuses a run that would reach them.

        Returns
        -------
        Forcing
            With two times.
        """
        wanted, time = jnp.stack([jnp.asarray(start), jnp.asarray(end)]), jnp.asarray(self.time)
        if time.shape[0] == 1:
            after = before = jnp.zeros(2, int)
        else:
            after = jnp.clip(jnp.searchsorted(time, wanted), 1, time.shape[0] - 1)
            before = after - 1
        span = jnp.maximum(time[after] - time[before], 1)
        fraction = jnp.clip((wanted - time[before]) / span, 0.0, 1.0)

        def sample(field):
            field = jnp.asarray(field)
            weight = fraction.astype(field.dtype).reshape(-1, *[1] * (field.ndim - 1))
            return (1 - weight) * field[before] + weight * field[after]

        return self._mapped(sample, wanted)

    def middle(self):
        """Mean of the fields over the times given, ``(y, x)`` each, by name."""
        return {name: jnp.mean(field, axis=0) for name, field in self.fields().items()}

    def with_absent(self, fields):
        """The same with fields that it lacks.

        Parameters
        ----------
        fields : dict of (time, y, x) array
            By name, in the units of `VARIABLES`; those that are there already are left aside.

        Returns
        -------
        Forcing
        """
        known = fields | self.fields()
        return Forcing(self.time, **known, aloft=self.aloft, contact=self.contact)

    def _mapped(self, function, time):
        """Forcing at other times, each field turned by a function."""
        aloft = self.aloft
        if aloft is not None:
            profiles = {name: function(field) for name, field in aloft.profiles().items()}
            aloft = Aloft(jnp.asarray(aloft.height), **profiles)
        fields = {name: function(field) for name, field in self.fields().items()}
        return Forcing(time, **fields, aloft=aloft, contact=self.contact)

    def fields(self):
        """The fields that are there, by name."""
        return {name: getattr(self, name) for name in FIELDS if getattr(self, name) is not None}

    def __repr__(self):
        return display.text(self)

    def _repr_html_(self):
        return display.page(self)

    def _card(self):
        time, fields = np.asarray(self.time), self.fields()
        facts = [("times", str(time.size))]
        if time.size:
            facts = [("times", f"{time.size}, {iso(time.min())} to {iso(time.max())}")]
        for name, field in fields.items():
            facts.append((name, display.span(field, VARIABLES[name].unit)))
        if self.aloft is not None:
            facts.append(("aloft", display.span(self.aloft.height, "m")))
        lacking = [name for name in WEATHER if name not in fields]
        if lacking:
            facts.append(("without", ", ".join(lacking)))
        return display.Card("Forcing", facts)

    def _pictures(self):
        """Mean speed of the wind, where it lies on a grid."""
        there = self.wind_u is not None and self.wind_v is not None
        if not there or np.ndim(self.wind_u) < 3 or not np.size(self.wind_u):
            return []
        speed = display.layer(np.hypot(np.asarray(self.wind_u), np.asarray(self.wind_v)))
        return [display.Picture("wind speed [m s-1], mean of all times", speed, "amount")]


class FilledForcing(eqx.Module):
    """Forcing whose absent fields come from another source.

    Parameters
    ----------
    known : Forcing
        Of which every field is taken.
    otherwise : forcing
        Gives the fields that `known` does not have.
    """

    known: Forcing
    otherwise: PyTree

    @property
    def start(self):
        """First time of `known` [s]."""
        return self.known.start

    def between(self, start, end):
        """See `Forcing.between`: fields at the two ends of a step."""
        otherwise, known = self.otherwise.between(start, end), self.known.between(start, end)
        aloft = otherwise.aloft if known.aloft is None else known.aloft
        return Forcing(known.time, **otherwise.fields() | known.fields(), aloft=aloft)


def check_forcing(forcing, grid, start, end, needed):
    """Refuse forcing that cannot drive a run.

    Parameters
    ----------
    forcing : Forcing
    grid : Grid
    start, end : int
        Of the run, seconds since 2000-01-01.
    needed : sequence of str
        Fields that the model reads.

    Raises
    ------
    InputError
        If a needed field is absent, has another shape, is not finite or leaves its bounds over the
        ocean, if times are not whole seconds or do not ascend, or the run starts before or ends
        after them.
    """
    time = np.asarray(forcing.time)
    fields = forcing.fields()
    if not time.size or not np.issubdtype(time.dtype, np.integer):
        raise InputError(
            f"the times of the forcing are {time.size} numbers of type {time.dtype}; expected one "
            "or more whole seconds since 2000-01-01, see fc.to_seconds"
        )
    if "aloft" in needed:
        _check_aloft(forcing.aloft, len(time), grid)
        needed = [name for name in needed if name != "aloft"]
    absent = [name for name in needed if name not in fields]
    if absent:
        raise InputError(f"the forcing lacks {', '.join(absent)}; it holds {', '.join(fields)}")
    if np.any(np.diff(time) <= 0):
        raise InputError("the times of the forcing must ascend")
    if start < time[0] or end > time[-1]:
        raise InputError(
            f"the forcing covers {iso(time[0])} to {iso(time[-1])}, "
            f"the run needs {iso(start)} to {iso(end)}"
        )
    for name in needed:
        field, variable = np.asarray(fields[name]), VARIABLES[name]
        if field.shape != (len(time), *grid.shape):
            raise InputError(f"{name} has shape {field.shape}, expected {(len(time), *grid.shape)}")
        good = (field >= variable.lower) & (field <= variable.upper) & np.isfinite(field)
        bad = np.argwhere(~good & grid.mask_t)
        if len(bad):
            when, row, column = (int(i) for i in bad[0])
            value = shown(field[when, row, column])
            raise InputError(
                f"{name} is {value} {variable.unit} at {iso(time[when])}, "
                f"cell ({row}, {column}), and bad at {len(bad)} places; expected a finite value "
                f"in [{variable.lower:g}, {variable.upper:g}]"
            )


def _check_aloft(aloft, times, grid):
    """Refuse air aloft that cannot drive a boundary layer; see `check_forcing`."""
    if aloft is None:
        raise InputError("the forcing lacks `aloft`, the air above, which a boundary layer needs")
    height = np.asarray(aloft.height)
    if np.any(np.diff(height) <= 0) or height[0] < 0:
        raise InputError("the heights of the air aloft must ascend from 0 m or more")
    expected = (times, len(height), *grid.shape)
    for name, field in aloft.profiles().items():
        field = np.asarray(field)
        if field.shape != expected:
            raise InputError(f"{name} aloft has shape {field.shape}, expected {expected}")
        bad = np.argwhere(~np.isfinite(field) & grid.mask_t)
        if len(bad):
            when, level, row, column = (int(i) for i in bad[0])
            raise InputError(
                f"{name} aloft is {field[when, level, row, column]} at {height[level]:g} m, "
                f"time number {when}, cell ({row}, {column}), and bad at {len(bad)} places"
            )
