"""Statistics of the synthetic weather beside those of real samples; writes README.md and a figure.

    python validation/weather/make.py --data FOLDER

FOLDER holds gfs_wind_20161120, mosaic_202001, sidex_2021 and era5_eda_20170101. Each statistic is
taken in the same way of the real sample and of synthetic weather at the same places and dates, of
which many draws give the spread that so short a sample has.
"""

import argparse
import time
from datetime import UTC, datetime
from pathlib import Path

import jax
import measures
import numpy as np
import pages
import samples
import synthetic

from floecast.atmosphere import air_mass
from floecast.core.grid import Grid

HERE = Path(__file__).parent
EDGES = np.arange(50e3, 2600e3, 100e3)
"""Classes of distance [m]."""
LEVEL = 1400.0
"""About the height of 850 hPa in winter [m]."""
LEADS = (0, 1, 2, 3, 5, 7, 10)
"""Of forecasts [days]."""


def main():
    """Compute, write, draw."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", required=True, help="folder of the real samples")
    parser.add_argument("--draws", type=int, default=16, help="of synthetic weather")
    arguments = parser.parse_args()
    folder, began = Path(arguments.data), time.time()
    grid = Grid.preset("arctic100")
    weathers = synthetic.draws(grid, arguments.draws)
    tables, curves = {}, {}
    for case in (maps, coast, buoys, station, upper_air):
        real, drawn = case(folder, grid, weathers)
        tables[case.__name__] = (real, drawn)
        print(f"{case.__name__}: {time.time() - began:.0f} s", flush=True)
    real, drawn = tables["maps"]
    curves["space"] = (real.pop("curve"), [row.pop("curve") for row in drawn])
    real, drawn = tables["coast"]
    curves["time"] = (real.pop("curve"), [row.pop("curve") for row in drawn])
    months, net = year(grid, weathers[:4])
    growth = forecasts(grid, weathers)
    text = pages.page(tables, months, net, growth, LEADS, arguments.draws)
    text += f"\nMade on {datetime.now(UTC):%Y-%m-%d} in {(time.time() - began) / 60:.0f} minutes.\n"
    (HERE / "README.md").write_text(text, encoding="utf-8")
    pages.draw(curves, months, net, HERE / "weather.png")


def maps(folder, grid, weathers):
    """10 m wind over the ocean north of 65 N, 20 to 22 November 2016, six-hourly."""
    ocean = grid.mask_t & (grid.latitude > 65)
    x, y = (axis[ocean] for axis in np.meshgrid(grid.x, grid.y))
    middle = slice(12, 52)

    def look(wind):
        inside = wind[:, ocean]
        distance, correlation = measures.spatial_correlation(inside - inside.mean(), x, y, EDGES)
        slope = measures.zonal_spectrum_slope(wind[:, middle, middle], grid.spacing, 550e3, 2000e3)
        return measures.quantiles(np.abs(inside)) | {
            "std of a component": np.sqrt(np.var(inside) / 2),
            "correlation at 200 km": correlation[2],
            "correlation at 400 km": correlation[4],
            "correlation length [km]": measures.e_folding(distance, correlation) / 1e3,
            "spectral slope, 550 to 2000 km": slope,
            "curve": (distance, correlation),
        }

    times, wind = samples.gfs(folder, grid)
    return look(wind), [look(synthetic.look(weather, times)["wind"]) for weather in weathers]


def _of_series(wind, hours, longest=240):
    lag, correlation = measures.autocorrelation(wind, hours, longest)
    return {
        "std of u": np.nanstd(wind.real),
        "std of v": np.nanstd(wind.imag),
        "decorrelation time of wind [h]": measures.e_folding(lag, correlation),
        "curve": (lag, correlation),
    }


def coast(folder, grid, weathers):
    """10 m wind and pressure, mean of the southern Beaufort Sea, November 2020 to May 2021."""
    inside = samples.on_coast(grid)
    rows, columns = synthetic.around(inside)
    mask, turn = inside[rows, columns], np.exp(1j * grid.angle[rows, columns])
    times = synthetic.times_of("2020-11-01", 212, 3)

    def look(wind, pressure):
        lag, correlation = measures.autocorrelation(pressure, 3, 240)
        return (
            measures.quantiles(np.abs(wind))
            | _of_series(wind, 3)
            | {
                "spectral slope of wind, 8 to 72 h": measures.slope(wind, 3, 8, 72),
                "std of pressure [hPa]": pressure.std() / 100,
                "std of its change in 12 h [hPa]": np.std(pressure[4:] - pressure[:-4]) / 100,
                "decorrelation time of pressure [h]": measures.e_folding(lag, correlation),
            }
        )

    def drawn(weather):
        fields = synthetic.look(synthetic.part(weather, rows, columns), times)
        mean = (fields["wind"] * turn)[:, mask].mean(axis=1)
        return look(mean, fields["pressure"][:, mask].mean(axis=1))

    wind, pressure = samples.coast(folder)
    return look(wind[::3], pressure[::3]), [drawn(weather) for weather in weathers]


def buoys(folder, grid, weathers):
    """10 m wind at drifting buoys near 72 N 149 W, March and April 2021."""
    row, column = samples.near(grid, 72.0, -149.5)
    times = synthetic.times_of("2021-03-01", 61, 3)

    def look(wind):
        good = np.abs(wind[np.isfinite(wind)])
        found = measures.quantiles(good) | _of_series(wind, 3)
        found.pop("curve")
        return found

    def drawn(weather):
        part = synthetic.part(weather, slice(row - 1, row + 2), slice(column - 1, column + 2))
        return look(
            synthetic.look(part, times)["wind"][:, 1, 1] * np.exp(1j * grid.angle[row, column])
        )

    return look(samples.buoys(folder)[::3]), [drawn(weather) for weather in weathers]


def station(folder, grid, weathers):
    """A place at 87.7 N 98 E, 15 to 23 January, hourly: synthetic weather of three Januaries."""
    row, column = samples.near(grid, 87.7, 98.0)

    def look(wind, temperature, humidity, pressure):
        found = measures.quantiles(np.abs(wind[np.isfinite(wind)])) | _of_series(wind, 1, 100)
        found.pop("curve")
        lag, correlation = measures.autocorrelation(temperature, 1, 100)
        return found | {
            "mean temperature [C]": np.nanmean(temperature),
            "std of temperature [K]": np.nanstd(temperature),
            "std of its change in 6 h [K]": np.nanstd(temperature[6:] - temperature[:-6]),
            "std of its change in 24 h [K]": np.nanstd(temperature[24:] - temperature[:-24]),
            "decorrelation time of temperature [h]": measures.e_folding(lag, correlation),
            "specific humidity [g/kg]": np.nanmean(humidity),
            "std of pressure [hPa]": np.nanstd(pressure) / 100,
        }

    def drawn(weather, year):
        part = synthetic.part(weather, slice(row - 1, row + 2), slice(column - 1, column + 2))
        fields = synthetic.look(part, synthetic.times_of(f"{year}-01-15", 9, 1))
        names = ("wind", "air_temperature", "humidity", "pressure")
        wind, temperature, humidity, pressure = (fields[name][:, 1, 1] for name in names)
        return look(wind, temperature - 273.15, 1e3 * humidity, pressure)

    rows = [drawn(weather, year) for weather in weathers for year in (2010, 2011, 2012)]
    return look(*samples.station(folder)), rows


def upper_air(folder, grid, weathers):
    """North of 66 N, 1 and 2 January 2017: ERA5 at 850 hPa, synthetic weather at 1400 m."""
    north, centre = grid.latitude > 66, grid.latitude > 80
    x, y = (axis[north] for axis in np.meshgrid(grid.x, grid.y))

    def length(field):
        field = field[0][north]
        return measures.e_folding(
            *measures.spatial_correlation(field[None] - field.mean(), x, y, EDGES)
        )

    def look(height, wind, temperature):
        return {
            "correlation length of height [km]": length(height) / 1e3,
            "std of height over the map [m]": np.std(height[:, north]),
            "std of its change in 12 h [m]": np.std(np.diff(height, axis=0)[:, north]),
            "geostrophic wind, mean [m/s]": np.mean(np.abs(wind[:, north])),
            "geostrophic wind, 95th percentile [m/s]": np.percentile(np.abs(wind[:, north]), 95),
            "correlation length of wind [km]": length(wind) / 1e3,
            "temperature north of 80 N [C]": temperature[:, centre].mean() - 273.15,
            "std of temperature over the map [K]": np.std(temperature[:, north]),
            "std of change of temperature in 12 h [K]": np.std(
                np.diff(temperature, axis=0)[:, north]
            ),
            "correlation length of temperature [km]": length(temperature) / 1e3,
        }

    def drawn(weather):
        weather = weather.with_aloft([0.0, LEVEL])
        fields = synthetic.look(weather, synthetic.times_of("2017-01-01", 2, 12))
        theta = fields["potential_temperature aloft"]
        temperature = air_mass.temperature_at(LEVEL, theta[:, 1])
        # Height of a pressure level near LEVEL: hydrostatic, from that of the surface.
        mean = 0.5 * (theta[:, 0] + temperature)
        height = 287.05 * mean / 9.80665 * np.log(fields["pressure"] / 85000.0)
        height, temperature = samples.sampled(height, grid), samples.sampled(temperature, grid)
        return look(height, samples.geostrophic(height, grid), temperature)

    height, temperature = samples.ensemble(folder, grid)
    wind = samples.geostrophic(height[:, :, 0], grid)
    real = look(height[0, :, 0], wind[0], temperature[0, :, 0])
    spread = np.sqrt(np.mean(np.var(wind, axis=0, ddof=1)[:, north]) / 2)
    real["spread of members, component of wind [m/s]"] = spread
    rows = [drawn(weather) for weather in weathers]
    return real, rows


def year(grid, weathers):
    """Monthly means at 85 N 150 W, dict of (12,), and net longwave of black snow in winter."""
    row, column = samples.near(grid, 85.0, -150.0)
    times = synthetic.times_of("2015-01-01", 365, 6)
    month = times.astype("datetime64[s]") + (
        np.datetime64("2000-01-01") - np.datetime64("1970-01-01")
    )
    month = month.astype("datetime64[M]").astype(int) % 12
    found, net = [], []
    for weather in weathers:
        part = synthetic.part(weather, slice(row - 1, row + 2), slice(column - 1, column + 2))
        fields = {n: f[:, 1, 1] for n, f in synthetic.look(part, times).items()}
        fields["snowfall"] = fields["snowfall"] * 86400 * 365.25 / 12
        fields["air_temperature"] = fields["air_temperature"] - 273.15
        names = ("air_temperature", "shortwave", "longwave", "snowfall")
        found.append([[fields[n][month == m].mean() for m in range(12)] for n in names])
        cold = np.isin(month, (0, 1, 10, 11))
        net.append((fields["longwave"] - 5.67e-8 * (fields["air_temperature"] + 273.15) ** 4)[cold])
    return dict(zip(names, np.mean(found, axis=0), strict=True)), np.concatenate(net)


def forecasts(grid, weathers, members=4):
    """Errors of the 10 m wind north of 65 N against lead: list of (member, mean, std, r)."""
    ocean = grid.mask_t & (grid.latitude > 65)
    issued = synthetic.times_of("2015-02-01", 1, 24)[0]
    times = issued + 86400 * np.array(LEADS)
    errors, products = [], []
    for number, truth in enumerate(weathers):
        key = jax.random.fold_in(jax.random.key(77), number)
        right = synthetic.look(truth, times)["wind"][:, ocean]
        guesses = [
            synthetic.look(truth.forecast(key, issued, member=m), times)["wind"][:, ocean]
            for m in range(members)
        ]
        own = np.mean([np.mean(np.abs(g - right) ** 2, axis=1) for g in guesses], axis=0)
        pair = np.mean(
            [np.mean(np.abs(g - h) ** 2, axis=1) for g in guesses for h in guesses], axis=0
        )
        errors.append((own, own - 0.5 * pair * members / (members - 1)))
        products.append(right)
    own, mean = np.mean(errors, axis=0)
    clim = np.mean(np.abs(np.stack(products) - np.mean(products, axis=0)) ** 2) * len(products)
    clim /= len(products) - 1
    return np.sqrt(own), np.sqrt(np.maximum(mean, 0)), np.sqrt(clim), 1 - own / (2 * clim)


if __name__ == "__main__":
    main()
