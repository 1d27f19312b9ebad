"""Synthetic weather looked at where and when the real samples were taken."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from floecast.atmosphere.weather import SyntheticWeather
from floecast.core.calendar import to_seconds

HELD = ("latitude", "scale", "winter_temperature", "summer_temperature")


def draws(grid, number, seed=0):
    """Independent weathers on a grid."""
    keys = jax.random.split(jax.random.key(seed), number)
    return [SyntheticWeather.draw(key, grid) for key in keys]


def part(weather, rows, columns):
    """The same weather on a rectangle of its grid alone."""
    maps = [getattr(weather, name)[rows, columns] for name in HELD]
    return eqx.tree_at(
        lambda w: (w.x, w.y, *(getattr(w, name) for name in HELD)),
        weather,
        (weather.x[columns], weather.y[rows], *maps),
    )


def around(inside):
    """Slices of the smallest rectangle that holds the chosen cells and three on each side."""
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))

    def span(found):
        middle = (found[0] + found[-1]) // 2
        return slice(min(found[0], middle - 1), max(found[-1], middle + 1) + 1)

    return span(rows), span(columns)


@eqx.filter_jit
def _look(weather, times):
    def at(time):
        forcing = weather.between(time, time + 1)
        fields = {name: field[0] for name, field in forcing.fields().items()}
        if forcing.aloft is not None:
            fields |= {f"{n} aloft": f[0] for n, f in forcing.aloft.profiles().items()}
        return fields | {"pressure": weather.pressure(time)}

    return jax.lax.map(at, times)


def look(weather, times):
    """Fields at times: dict of ``(time, y, x)``, with ``pressure`` [Pa] and ``wind`` (complex)."""
    fields = {n: np.asarray(f) for n, f in _look(weather, jnp.asarray(times)).items()}
    return fields | {"wind": fields["wind_u"] + 1j * fields["wind_v"]}


def times_of(start, days, hours):
    """Times from a date on, a number of hours apart [s]."""
    return to_seconds(start) + 3600 * hours * np.arange(int(days * 24 / hours))
