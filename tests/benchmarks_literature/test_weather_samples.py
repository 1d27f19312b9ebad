"""Synthetic weather against a real wind analysis, GFS of 20 to 22 November 2016."""

import jax
import numpy as np
import pytest

from floecast.atmosphere.weather import SyntheticWeather
from floecast.core.grid import Grid
from floecast.io.atmosphere import read_surface_forcing
from floecast.io.source import open_source


def statistics(wind, ocean):
    """Median and 95th percentile of speed, std of a component, correlation 200 and 400 km apart."""
    inside = wind[:, ocean]
    wind = np.where(ocean, wind - inside.mean(), np.nan)

    def correlation(cells):
        return np.mean(
            [
                np.nanmean((np.conj(wind[:, :, :-cells]) * wind[:, :, cells:]).real),
                np.nanmean((np.conj(wind[:, :-cells]) * wind[:, cells:]).real),
            ]
        ) / np.nanmean(np.abs(wind) ** 2)

    median, high = np.percentile(np.abs(inside), [50, 95])
    return [median, high, np.sqrt(np.var(inside) / 2), correlation(2), correlation(4)]


def test_wind_over_the_arctic_ocean_is_like_an_analysis(data_folder):
    path = data_folder / "gfs_wind_20161120" / "gfs_1deg_u10v10_20161120_22.nc"
    if not path.is_file():
        pytest.skip(f"{path} does not exist")
    grid = Grid.preset("arctic100")
    ocean = grid.mask_t & (grid.latitude > 65)
    with open_source(path) as source:
        real = read_surface_forcing([source], grid)
    expected = statistics(np.asarray(real.wind_u + 1j * real.wind_v), ocean)

    def look(key):
        weather = SyntheticWeather.draw(key, grid)
        return jax.lax.map(
            lambda t: [f[0] for f in (lambda w: (w.wind_u, w.wind_v))(weather.between(t, t))],
            np.asarray(real.time)[::4],
        )

    rows = []
    for key in jax.random.split(jax.random.key(5), 16):
        u, v = look(key)
        rows.append(statistics(np.asarray(u) + 1j * np.asarray(v), ocean))
    mean, spread = np.mean(rows, axis=0), np.std(rows, axis=0)
    # Of a sample this short; the median of real speeds is low, as strong winds are the stronger.
    assert np.all(np.abs(mean - expected) < 3.5 * spread), (expected, mean, spread)
