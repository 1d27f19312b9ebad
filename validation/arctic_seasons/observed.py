"""Print the observed figures that a run of several Arctic years is set beside.

    python validation/arctic_seasons/observed.py --data DATA

DATA holds the folders `sea_ice_index`, `nsidc0081_sic`, `kimura_drift_2016`, `osisaf405_drift`,
`sidex_2021`, `mosaic_202001` and `cs2smos_climatology`. The tables are those of observed.md.
"""

import argparse
from pathlib import Path

import numpy as np
import xarray as xr

from floecast.core.grid import Grid
from floecast.core.projection import EPSG_3411

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
REGIONS = {
    "Central Arctic": (1,),
    "Beaufort Sea": (2,),
    "Chukchi Sea": (3,),
    "East Siberian Sea": (4,),
    "Laptev Sea": (5,),
    "Kara Sea": (6,),
    "Barents Sea": (7,),
    "Greenland Sea": (8,),
    "Baffin Bay": (9,),
    "Canadian Archipelago": (12,),
    "Arctic Basin (first five)": (1, 2, 3, 4, 5),
}
# Numbers as in the region mask NSIDC-0780; from 19 on land, coast and lakes.
SEA = 18
POLE, CODED = 251, 250
LARGE_HOLES = (
    "2015-04-15", "2015-05-19", "2015-08-05", "2015-08-06", "2015-08-18", "2016-04-14",
    "2016-09-09", "2017-03-19",
)  # fmt: skip
FASTEST = 60.0
"""Satellite vectors above this are taken as errors [cm/s]."""


def main():
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", required=True, help="folder of the real files")
    data = Path(parser.parse_args().data)
    static = xr.open_dataset(data / "nsidc0081_sic" / "psn25_grid.nc").load()
    monthly = monthly_concentration(data)
    for table in (
        extent(data),
        domain_extent(monthly, static),
        drift_speed(data, static),
        fram_export(data, monthly),
        drift_law(data),
        thickness(data, static),
    ):
        print("\n".join(table) + "\n")


def row(*cells):
    """One line of a table in Markdown."""
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def header(*cells):
    """The first two lines of a table."""
    return [row(*cells), "|" + "---|" * len(cells)]


def extent(data):
    """Monthly mean extent of the hemisphere [1e6 km2], its spread and trend."""
    file = data / "sea_ice_index" / "sea_ice_index_v3_nh_daily_extent.nc"
    daily = xr.open_dataset(file).extent
    months = daily.resample(time="MS").mean()
    whole = months.sel(time=slice("1979-01", "2022-08"))
    lines = ["Extent [1e6 km2], monthly means; trend per decade over 1979-2022", ""]
    lines += header("month", "1979-2022", "2010-2022", "s.d. 2010-2022", "trend")
    for month in range(1, 13):
        series = whole[whole.time.dt.month == month].dropna("time")
        late = series[series.time.dt.year >= 2010]
        trend = 10 * np.polyfit(series.time.dt.year, series, 1)[0]
        lines.append(
            row(
                MONTHS[month - 1],
                f"{float(series.mean()):.2f}",
                f"{float(late.mean()):.2f}",
                f"{float(late.std(ddof=1)):.2f}",
                f"{trend:+.2f}",
            )
        )
    return lines


def monthly_concentration(data):
    """Mean concentration of each month of NSIDC-0081 by (year, month); NaN on land and lakes."""
    total = {}
    for name in ("2015", "2016", "20170101_20170731"):
        file = data / "nsidc0081_sic" / f"nsidc0081_nh_{name}.nc"
        codes = xr.open_dataset(file, mask_and_scale=False).icecon.values
        times = xr.open_dataset(file).time.values.astype("datetime64[D]")
        for day, code in zip(times, codes, strict=True):
            if str(day) in LARGE_HOLES:
                continue
            ice = np.where(code == POLE, 1.0, code / CODED)
            good = code <= POLE
            key = (int(str(day)[:4]), int(str(day)[5:7]))
            value, count = total.get(key, (0.0, 0))
            total[key] = (value + np.where(good, ice, 0.0), count + good)
    return {
        key: np.where(count > 0, value / np.maximum(count, 1), np.nan)
        for key, (value, count) in total.items()
    }


def domain_extent(monthly, static):
    """Extent of 2015-2017 on the cells of the presets' domain and of the hemisphere."""
    grid = Grid.preset("arctic25")
    cells = satellite_cells(grid.latitude, grid.longitude)
    sea, area = static.region.values <= SEA, static.cell_area_km2.values / 1e6
    lines = ["Extent 2015-2017 [1e6 km2] of the monthly mean concentration, NSIDC-0081", ""]
    lines += header("month", "hemisphere", "domain of the presets (arctic25 cells)")
    for month in range(1, 13):
        years = [value for (_, number), value in monthly.items() if number == month]
        whole = np.mean([area[(value > 0.15) & sea].sum() for value in years])
        part = [
            grid.area[(value[cells] > 0.15) & sea[cells] & grid.mask_t].sum() for value in years
        ]
        lines.append(row(MONTHS[month - 1], f"{whole:.2f}", f"{np.mean(part) / 1e12:.2f}"))
    return lines


def satellite_cells(latitude, longitude):
    """Rows and columns of the 25 km satellite grid that hold given places."""
    x, y = EPSG_3411.forward(latitude, longitude)
    rows = np.clip(np.rint((5837500.0 - y) / 25e3), 0, 447).astype(int)
    columns = np.clip(np.rint((x + 3837500.0) / 25e3), 0, 303).astype(int)
    return rows, columns


def drift_speed(data, static):
    """Monthly mean of the daily and two-daily drift speed [cm/s]."""
    kimura = xr.open_dataset(data / "kimura_drift_2016" / "kimura_amsr2_drift_2016.nc")
    products = {
        "daily 2016 (Kimura)": (kimura, np.hypot(kimura.vx.values, kimura.vy.values)),
    }
    for label, name in (("2017", "20170601_20170831"), ("2019-2023", "windows_2019_2023")):
        file = xr.open_dataset(data / "osisaf405_drift" / f"osi405_nh_48h_{name}.nc")
        speed = np.hypot(file.dX.values, file.dY.values) * 1e5 / (48 * 3600.0)
        products[f"48 h {label} (OSI-405)"] = (file, speed)
    regions = {
        "central": REGIONS["Central Arctic"],
        "basin": REGIONS["Arctic Basin (first five)"],
    }
    titles = [f"{product}, {region}" for product in products for region in regions]
    lines = ["Mean drift speed [cm/s] of all vectors over ice", ""]
    lines += header("month", *titles)
    means = []
    for file, speed in products.values():
        numbers = static.region.values[satellite_cells(file.lat.values, file.lon.values)]
        true = speed / EPSG_3411.scale(np.nan_to_num(file.lat.values, nan=90.0))
        true[true > FASTEST] = np.nan
        month = file.time.dt.month.values
        for wanted in regions.values():
            inside = true[:, np.isin(numbers, wanted)]
            series = [inside[month == number] for number in range(1, 13)]
            means.append([np.nanmean(part) if part.size else np.nan for part in series])
    for number in range(12):
        cells = [f"{mean[number]:.1f}" if np.isfinite(mean[number]) else "" for mean in means]
        lines.append(row(MONTHS[number], *cells))
    cells = [f"{np.mean(mean):.1f}" if np.isfinite(mean).all() else "" for mean in means]
    lines.append(row("year", *cells))
    return lines


def fram_export(data, monthly):
    """Ice area that left through Fram Strait along 79.5 N in 2016 [1000 km2]."""
    file = xr.open_dataset(data / "kimura_drift_2016" / "kimura_amsr2_drift_2016.nc").sortby("x")
    latitude, longitude = 79.5, np.arange(-18.0, 10.1, 0.5)
    # The product's plane: the same as EPSG:3411 but turned so that 0 E points down.
    x, y = EPSG_3411.forward(latitude, longitude - 45.0)
    place = {"x": xr.DataArray(x, dims="gate"), "y": xr.DataArray(y, dims="gate")}
    vx, vy = (file[name].sel(place, method="nearest") for name in ("vx", "vy"))
    turn = xr.DataArray(np.radians(longitude), dims="gate")
    south = (vx * np.sin(turn) - vy * np.cos(turn)) / EPSG_3411.scale(latitude)
    by_month = south.groupby("time.month").mean().values * 1e-5
    length = 6371.0 * np.cos(np.radians(latitude)) * np.radians(0.5)
    cells = satellite_cells(np.full(longitude.shape, latitude), longitude)
    days = file.time.dt.days_in_month.groupby("time.month").first().values
    export = []
    for number in range(12):
        ice = np.nan_to_num(monthly[2016, number + 1][cells])
        # Where a month has no vector at all there is next to no ice.
        speed = np.nan_to_num(by_month[number])
        export.append(np.sum(speed * ice) * length * 86400.0 * days[number] / 1e3)
    lines = ["Area export through Fram Strait, 79.5 N, 18 W to 10 E, 2016 [1000 km2]", ""]
    lines += header(*MONTHS, "year")
    lines.append(row(*(f"{value:.0f}" for value in export), f"{np.sum(export):.0f}"))
    return lines


def drift_law(data):
    """Drift over wind, and angle to its right, from buoys and a drifting station."""
    buoys = xr.open_dataset(data / "sidex_2021" / "sidex_buoy_wind_20210301_20210430.nc")
    lines = ["Drift = w exp(-i angle) wind + c, least squares over all vectors", ""]
    lines += header("data", "w [%]", "angle [degrees]", "c east, north [cm/s]", "coherence")
    for label, span in (("hourly", "1h"), ("daily means", "1D")):
        part = buoys[["ice_u", "ice_v", "wind_u", "wind_v"]].resample(time=span).mean()
        ice, wind = part.ice_u + 1j * part.ice_v, part.wind_u + 1j * part.wind_v
        title = f"23 buoys, Beaufort Sea, March-April 2021, {label}"
        lines.append(regression(title, ice.values / 100.0, wind.values))
    station = xr.open_dataset(data / "mosaic_202001" / "asfs50_1min_20200115_20200123.nc")
    part = station[["latitude", "longitude", "wspd_u_mean", "wspd_v_mean"]]
    part = part.resample(time="3h").mean()
    latitude, longitude = part.latitude.values, np.radians(part.longitude.values)
    metre = np.pi / 180 * 6371e3
    east = np.diff(longitude) * 6371e3 * np.cos(np.radians(latitude[1:] + latitude[:-1]) / 2)
    ice = (east + 1j * metre * np.diff(latitude)) / (3 * 3600.0)
    wind = part.wspd_u_mean.values + 1j * part.wspd_v_mean.values
    title = "drifting station, 88 N, January 2020, 3-hourly"
    lines.append(regression(title, ice, 0.5 * (wind[1:] + wind[:-1])))
    return lines


def regression(title, ice, wind):
    """A line of the table of `drift_law`; complex velocities in m/s, east + i north."""
    good = np.isfinite(ice) & np.isfinite(wind)
    ice, wind = ice[good], wind[good]
    away, blown = ice - ice.mean(), wind - wind.mean()
    cross = np.mean(away * np.conj(blown))
    factor = cross / np.mean(np.abs(blown) ** 2)
    rest = 100 * (ice.mean() - factor * wind.mean())
    coherence = np.abs(cross) / np.sqrt(np.mean(np.abs(blown) ** 2) * np.mean(np.abs(away) ** 2))
    return row(
        title,
        f"{100 * np.abs(factor):.2f}",
        f"{-np.degrees(np.angle(factor)):.0f}",
        f"{rest.real:+.1f}, {rest.imag:+.1f}",
        f"{coherence:.2f}",
    )


def thickness(data, static):
    """Mean thickness over the ice of ten winters, by region, and the volume."""
    file = xr.open_dataset(data / "cs2smos_climatology" / "cs2smos_v206_daily_climatology.nc")
    days = [text.decode() if isinstance(text, bytes) else str(text) for text in file.mmdd.values]
    wanted = {"15 Nov": "1115", "15 Jan": "0115", "15 Mar": "0315", "10 Apr": "0410"}
    fields = {
        label: file.sit_mm.values[days.index(code)] / 1000.0 for label, code in wanted.items()
    }
    places = np.nan_to_num(file.lat.values, nan=90.0), np.nan_to_num(file.lon.values)
    numbers = np.where(np.isfinite(file.lat), static.region.values[satellite_cells(*places)], 99)
    lines = ["Mean thickness [m] where above 0.05 m, CS2SMOS, winters 2013/14-2022/23", ""]
    lines += header("region", *fields)
    for region, wanted_numbers in REGIONS.items():
        inside = np.isin(numbers, wanted_numbers)
        means = [field[inside & (field >= 0.05)].mean() for field in fields.values()]
        lines.append(row(region, *(f"{mean:.2f}" for mean in means)))
    cell = 25.03e3**2
    volumes = [field[field >= 0.05].sum() * cell / 1e12 for field in fields.values()]
    lines.append(row("volume of all ice [1000 km3]", *(f"{value:.1f}" for value in volumes)))
    return lines


if __name__ == "__main__":
    main()
