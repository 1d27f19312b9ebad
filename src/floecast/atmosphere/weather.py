"""Synthetic Arctic weather in closed form: seeded, of any length, never stored."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from floecast.core.calendar import DAY
from floecast.core.constants import AIR_DENSITY, GRAVITY
from floecast.core.errors import InputError
from floecast.core.grid import EARTH_ROTATION

from . import air_mass
from . import arctic_climate as climate
from .forcing import Aloft, Forcing

WIND_RATIO, WIND_TURNING = 0.65, np.radians(25.0)
"""10 m wind over geostrophic wind [1], and its angle to the left of it, towards low pressure
[rad]; over ice the ratio is 0.6 to 0.7, the angle 15 to 32 degrees (Overland and Davidson 1992,
Tellus 44A, 54-66)."""

PERIOD = 12800e3
"""Of the travelling pressure waves along x and y [m]: twice the Arctic grids."""
WAVES = 24
"""Highest wave number on that period; the shortest wave is about 530 km long."""
OSCILLATIONS = 4
"""Frequencies of each wave."""
PRESSURE_STD = 780.0
"""Standard deviation of sea-level pressure about its seasonal mean [Pa]."""
WAVE_SCALE = 440e3
"""Scale l of the spectrum (1 + k^2 l^2)^-3 of pressure, a kinetic-energy spectrum of k^-3 [m]."""
WAVE_SPEED = 4.0
"""Standard deviation of the phase speeds [m/s]."""
MEMORY = 1.5 * DAY
"""Time in which air takes on the temperature of the place it has come to [s]."""

HALF_SKILL = 6.6 * DAY
"""Lead at which the correlation of a forecast with the truth has halved [s]."""
SKILL_POWER = 2.2
ANALYSIS_CORRELATION = 0.99
"""Correlation of a forecast with the truth up to the time of issue [1]."""
NEVER = np.iinfo(np.int32).max


class SyntheticWeather(eqx.Module):
    """Weather drawn from a seed; make one with `draw`.

    Parameters
    ----------
    x, y : (nx,) array, (ny,) array
        Cell centres on the map [m].
    latitude : (y, x) array
        [degrees]
    scale : (y, x) array
        Scale factor of the map [1].
    winter_temperature, summer_temperature : (y, x) array
        Mean 2 m air temperature of February and July [K].
    centres : float
        1 with the mean highs and lows of the Arctic, 0 without.
    amplitude : (ky, kx) array
        Of each oscillation of a wave [Pa].
    frequency, phase : (3, oscillation, ky, kx) array
        [rad/s] and [rad]; of the weather itself, of the error that the members of one forecast
        share, and of each member's own.
    issued : int
        When the forecast that this is was issued, seconds since 2000-01-01.
    skill : float
        Correlation with the weather itself up to then; 1 for that weather.
    heights : (level,) array, optional
        At which `between` tells what the air is aloft [m]; see `with_aloft`.

    Notes
    -----
    Sea-level pressure is a seasonal mean plus travelling waves, sums of
    ``a cos(kx x + ky y - omega t + phase)`` on a lattice of wave numbers, which makes all fields
    products of small matrices. The geostrophic wind of that pressure, turned and slowed, is the
    10 m wind. Temperature departs from its seasonal mean because air brings the temperature of the
    place it comes from, the displacement of air over `MEMORY` times the mean gradient, and because
    clouds keep the winter's surface warm. Clouds go with the rising air of Ekman pumping, which is
    proportional to the vorticity of the geostrophic wind, the Laplacian of pressure. Humidity,
    radiation and snowfall follow from temperature and cloud. Aloft, the wind changes with height in
    balance with the gradient of the temperature of the air mass: see `air_mass`.
    """

    x: Float[Array, " nx"]
    y: Float[Array, " ny"]
    latitude: Float[Array, "y x"]
    scale: Float[Array, "y x"]
    winter_temperature: Float[Array, "y x"]
    summer_temperature: Float[Array, "y x"]
    centres: Float[Array, ""]
    amplitude: Float[Array, "ky kx"]
    frequency: Float[Array, "3 oscillation ky kx"]
    phase: Float[Array, "3 oscillation ky kx"]
    issued: Int[Array, ""]
    skill: Float[Array, ""]
    heights: Float[Array, " level"] | None = None

    @classmethod
    def draw(cls, key, grid):
        """Weather over a grid; independent keys give independent weathers of one climate.

        Parameters
        ----------
        key : key
        grid : Grid
            A flat box gets the same waves and the temperature of its latitude, but no mean highs
            and lows.

        Returns
        -------
        SyntheticWeather
        """
        winter, summer = climate.seasonal_temperatures(grid)
        frequency, phase = _oscillations(key)
        return cls(
            x=jnp.asarray(grid.x, float),
            y=jnp.asarray(grid.y, float),
            latitude=jnp.asarray(grid.latitude, float),
            scale=jnp.asarray(grid.spacing / grid.dx_t, float),
            winter_temperature=jnp.asarray(winter, float),
            summer_temperature=jnp.asarray(summer, float),
            centres=jnp.asarray(grid.epsg is not None, float),
            amplitude=jnp.asarray(_amplitude(), float),
            frequency=jnp.stack([frequency] * 3),
            phase=jnp.stack([phase] * 3),
            issued=jnp.asarray(NEVER),
            skill=jnp.asarray(1.0, float),
        )

    def with_aloft(self, heights):
        """The same weather, of which `between` also gives the air aloft.

        Parameters
        ----------
        heights : (level,) array
            Above the surface, ascending [m].

        Returns
        -------
        SyntheticWeather

        Raises
        ------
        InputError
            If the heights do not ascend from 0 on.
        """
        values = np.atleast_1d(np.asarray(heights, float))
        if values.ndim > 1 or np.any(values < 0) or np.any(np.diff(values) <= 0):
            raise InputError(f"heights aloft are {heights}, expected a list ascending from 0 m on")
        heights = jnp.asarray(values, self.x.dtype)
        return eqx.tree_at(lambda w: w.heights, self, heights, is_leaf=lambda leaf: leaf is None)

    def forecast(self, key, issued, *, member=0):
        """This weather as a forecast would have it.

        Parameters
        ----------
        key : key
            Of the forecast: its members share an error.
        issued : int
            Seconds since 2000-01-01. Up to then the forecast is as good as an analysis.
        member : int
            Number in the ensemble; may be mapped over.

        Returns
        -------
        SyntheticWeather
            With the same climate and variance, and the correlation `skill_at` with this weather.

        Notes
        -----
        Waves are mixed as ``r truth + sqrt(r (1 - r)) shared + sqrt(1 - r) own`` with r the
        correlation. Two members correlate with each other as each does with the truth, so that the
        truth could be one of them: the ensemble is reliable, and its mean does not know the truth.
        """
        shared = _oscillations(jax.random.fold_in(key, 0))
        own = _oscillations(jax.random.fold_in(jax.random.fold_in(key, 1), member))

        def joined(mine, number):
            return jnp.stack([mine[0], shared[number], own[number]])

        return eqx.tree_at(
            lambda weather: (weather.frequency, weather.phase, weather.issued, weather.skill),
            self,
            (
                joined(self.frequency, 0),
                joined(self.phase, 1),
                jnp.asarray(issued),
                jnp.asarray(ANALYSIS_CORRELATION, float),
            ),
        )

    def skill_at(self, time):
        """Correlation with the weather itself at a time.

        Parameters
        ----------
        time : int
            Seconds since 2000-01-01.

        Returns
        -------
        () array
            [1]
        """
        lead = jnp.where(time > self.issued, time - self.issued, 0) / HALF_SKILL
        return self.skill / (1.0 + lead**SKILL_POWER)

    @jax.jit
    def pressure(self, time):
        """Sea-level pressure at a time.

        Parameters
        ----------
        time : int
            Seconds since 2000-01-01.

        Returns
        -------
        (y, x) array
            [Pa]
        """
        mean, _, _ = climate.mean_pressure(self.x, self.y, self.centres, time)
        return mean + self._waves(self._coefficients(time)[0][None])[0]

    @jax.jit
    def between(self, start, end):
        """Fields at the two ends of a step.

        Parameters
        ----------
        start, end : int
            Seconds since 2000-01-01.

        Returns
        -------
        Forcing
            With two times and all fields; `aloft` if `with_aloft` gave heights.
        """
        time = jnp.stack([jnp.asarray(start), jnp.asarray(end)])
        fields, profiles = jax.tree.map(
            lambda field: field.astype(self.x.dtype), jax.vmap(self._fields)(time)
        )
        aloft = None if profiles is None else Aloft(self.heights, **profiles)
        return Forcing(time, **fields, aloft=aloft)

    def _fields(self, time):
        """All fields of `Forcing` at one time, ``(y, x)`` each, and those aloft or None."""
        pressure, displacement = self._coefficients(time)
        k_x, k_y = _wavenumbers()
        along, across = 1j * k_x[None], 1j * k_y[:, None]
        # Where air rises by one standard deviation.
        rising = (k_x[None] ** 2 + k_y[:, None] ** 2) / _curvature_std()
        factors = (pressure, along * pressure, across * pressure, -rising * pressure)
        waves = self._waves(jnp.stack([*factors, along * displacement, across * displacement]))
        anomaly, anomaly_x, anomaly_y, rising, gathered_x, gathered_y = waves

        mean, mean_x, mean_y = climate.mean_pressure(self.x, self.y, self.centres, time)
        pressure = mean + anomaly
        wind_u, wind_v = self._geostrophic(mean_x + anomaly_x, mean_y + anomaly_y)
        cosine, sine = WIND_RATIO * np.cos(WIND_TURNING), WIND_RATIO * np.sin(WIND_TURNING)
        moved = self._geostrophic(gathered_x, gathered_y)
        mean_temperature, brought = self._brought(*moved, time)
        temperature = climate.surface_temperature(mean_temperature, brought, rising, time)
        cloud = climate.cloud(rising, time)
        humidity = 0.97 * climate.saturation_humidity(temperature, pressure)
        shortwave, longwave = climate.downward_radiation(temperature, cloud, self.latitude, time)
        fields = {
            "wind_u": cosine * wind_u - sine * wind_v,
            "wind_v": cosine * wind_v + sine * wind_u,
            "air_temperature": temperature,
            "humidity": humidity,
            "shortwave": shortwave,
            "longwave": longwave,
            "snowfall": climate.snowfall(temperature, humidity, cloud),
        }
        if self.heights is None:
            return fields, None
        air = air_mass.surface_temperature(mean_temperature, brought)
        slope_y, slope_x = jnp.gradient(air, self.x[1] - self.x[0])
        thermal = self._thermal(self.scale * slope_x, self.scale * slope_y, air)
        near = (fields["wind_u"], fields["wind_v"])
        return fields, air_mass.profiles(
            self.heights, pressure, air, (wind_u, wind_v), thermal, near
        )

    def _coefficients(self, time):
        """Complex amplitudes of pressure and of its integral over `MEMORY`, ``(ky, kx)`` each."""
        skill = self.skill_at(time)
        rest = jnp.maximum(1.0 - skill, 0.0)
        root = jnp.where(rest > 0, jnp.sqrt(jnp.where(rest > 0, rest, 1.0)), 0.0)
        mixture = jnp.stack([skill, jnp.sqrt(skill) * root, root])
        angle = self.phase - self.frequency * time
        wave = jnp.exp(1j * angle) * mixture[:, None, None, None] * self.amplitude[None, None]
        gathered = wave * MEMORY / (1.0 - 1j * MEMORY * self.frequency)
        return jnp.sum(wave, axis=(0, 1)), jnp.sum(gathered, axis=(0, 1))

    def _waves(self, coefficients):
        """Fields of the given complex amplitudes, ``(field, ky, kx)`` to ``(field, y, x)``."""
        k_x, k_y = _wavenumbers()
        waves = jnp.exp(1j * k_x[:, None] * self.x[None])
        along_x = jnp.einsum("fkl,lx->kfx", coefficients, waves).reshape(len(k_y), -1)
        # Real products are several times as fast as complex ones.
        angle = k_y[None] * self.y[:, None]
        product = jnp.cos(angle) @ along_x.real - jnp.sin(angle) @ along_x.imag
        return jnp.moveaxis(product.reshape(len(self.y), len(coefficients), -1), 1, 0)

    def _geostrophic(self, gradient_x, gradient_y):
        """Geostrophic flow of a pressure gradient on the map."""
        factor = self.scale / (AIR_DENSITY * self._coriolis())
        return -factor * gradient_y, factor * gradient_x

    def _thermal(self, slope_x, slope_y, temperature):
        """Change of the geostrophic wind with height by a gradient of temperature [1/s]."""
        factor = GRAVITY / (self._coriolis() * temperature)
        return -factor * slope_y, factor * slope_x

    def _coriolis(self):
        return 2.0 * EARTH_ROTATION * jnp.sin(jnp.radians(self.latitude))

    def _brought(self, moved_x, moved_y, time):
        """Mean temperature and what air that has moved by a displacement [m] brings to it [K]."""
        seasonal_range = self.winter_temperature - self.summer_temperature
        mean = self.summer_temperature + climate.winter(time) * seasonal_range
        slope_y, slope_x = jnp.gradient(mean, self.x[1] - self.x[0])
        return mean, -self.scale * (moved_x * slope_x + moved_y * slope_y)


def _wavenumbers():
    """Wave numbers along x, 0 and more, and along y, of both signs [rad/m]."""
    lowest = 2 * np.pi / PERIOD
    return lowest * np.arange(WAVES + 1), lowest * np.arange(-WAVES, WAVES + 1)


def _variance():
    """Share of each wave in the variance of pressure, ``(ky, kx)``."""
    k_x, k_y = _wavenumbers()
    squared = k_x[None] ** 2 + k_y[:, None] ** 2
    variance = (1.0 + squared * WAVE_SCALE**2) ** -3
    variance[:, 0] /= 2  # the lattice holds these waves twice
    variance[squared == 0] = 0.0
    return variance / variance.sum()


def _amplitude():
    """Amplitude of each oscillation of each wave, ``(ky, kx)`` [Pa]."""
    return PRESSURE_STD * np.sqrt(2.0 * _variance() / OSCILLATIONS)


def _curvature_std():
    """Standard deviation of the Laplacian of pressure [Pa/m2]."""
    k_x, k_y = _wavenumbers()
    squared = k_x[None] ** 2 + k_y[:, None] ** 2
    return PRESSURE_STD * np.sqrt(np.sum(_variance() * squared**2))


@jax.jit
def _oscillations(key):
    """Random frequencies [rad/s] and phases [rad], ``(oscillation, ky, kx)`` each."""
    k_x, k_y = _wavenumbers()
    speed_key, phase_key = jax.random.split(key)
    shape = (OSCILLATIONS, len(k_y), len(k_x))
    speed = WAVE_SPEED * jax.random.normal(speed_key, shape, float)
    frequency = speed * np.hypot(*np.meshgrid(k_x, k_y))[None]
    return frequency, jax.random.uniform(phase_key, shape, float, maxval=2 * np.pi)
