"""Satellite readers on files laid out as the products are, and on the products themselves."""

import numpy as np
import pytest
import xarray as xr

from floecast.core.calendar import DAY, to_seconds
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.projection import EPSG_3411, EPSG_3413
from floecast.core.state import IceState
from floecast.io.readers import concentration_field, identify, read_observations
from floecast.observation.errors import concentration_error
from floecast.observation.observations import FLAGS
from floecast.observation.operators import observe

from . import layouts

GRID = layouts.GRID
X, Y = layouts.nsidc_positions()


@pytest.fixture
def written(tmp_path):
    """Write a dataset and give its path."""
    return lambda dataset, **options: layouts.write(dataset, tmp_path / "file.nc", **options)


def near_pole(reach):
    return np.hypot(X, Y) < reach


def flagged(observations, name):
    return (observations.flag & FLAGS[name]) > 0


# --- concentration ------------------------------------------------------------------------------


def test_nsidc_values_errors_and_times(written):
    codes = layouts.nsidc_codes(sea=125)
    made = read_observations(written(layouts.nsidc(codes, days=(3, 4))), GRID)
    good = made.good()
    assert set(good.value) == {0.5} and set(good.error_std) == {0.15}
    days = to_seconds("2015-01-04"), to_seconds("2015-01-05")
    assert set(made.time) == {day + DAY // 2 for day in days} and set(made.span) == {DAY}
    assert not made.group.any() and not made.kind.any()
    np.testing.assert_allclose(made.weight.sum(axis=1), 1.0)
    first = made.select(made.time == made.time[0])
    assert first.size * 2 == made.size > 50_000
    # Each observation is at the place of one cell of the product.
    places = set(zip(X.round().ravel(), Y.round().ravel(), strict=True))
    assert set(zip(first.x.round(), first.y.round(), strict=True)) < places


def test_nsidc_footprint_is_that_of_the_sensor(written):
    made = read_observations(written(layouts.nsidc(layouts.nsidc_codes(125), days=(0,))), GRID)
    state = IceState.at_rest(GRID, 0.5 + GRID.x[None, :] * np.ones(GRID.shape) / 1e7, 1.0)
    central = made.select(np.hypot(made.x, made.y) < 600e3)
    seen = np.asarray(observe(state, central))
    np.testing.assert_allclose(seen, 0.5 + central.x / 1e7, atol=5e3 / 1e7)
    assert (central.weight > 0).sum(axis=1).min() >= 4


def test_nsidc_codes_that_are_no_concentration(written):
    codes = layouts.nsidc_codes(sea=250)
    codes[near_pole(400e3) & (codes == 250)] = 255
    made = read_observations(written(layouts.nsidc(codes, days=(0,))), GRID)
    hole = flagged(made, "pole_hole")
    assert hole.sum() == (codes == 251).sum() > 0
    assert set(made.value[hole]) == {1.0} and set(made.error_std[hole]) == {1.0}
    assert np.hypot(made.x, made.y)[~hole].min() > 390e3
    assert not flagged(made.good(), "pole_hole").any()


def test_nsidc_coast_is_flagged(written):
    codes = layouts.nsidc_codes(sea=125)
    made = read_observations(written(layouts.nsidc(codes, days=(0,))), GRID)
    land = codes >= 253
    padded = np.pad(land, 1)
    beside = np.zeros_like(land)
    for shift_y in range(3):
        for shift_x in range(3):
            beside |= padded[shift_y : shift_y + 448, shift_x : shift_x + 304]
    near = set(zip(X[beside].round(), Y[beside].round(), strict=True))
    expected = [place in near for place in zip(made.x.round(), made.y.round(), strict=True)]
    np.testing.assert_array_equal(flagged(made, "near_coast"), expected)
    assert 0 < np.mean(expected) < 0.3


def test_ice_alone_in_the_sea_is_suspect(written):
    codes = layouts.nsidc_codes()
    rows, columns = np.nonzero(near_pole(1e6) & ~near_pole(300e3))
    codes[rows[50], columns[50]] = 200
    codes[rows[3000], columns[3000] : columns[3000] + 2] = 200
    made = read_observations(written(layouts.nsidc(codes, days=(0,))), GRID)
    assert (made.value == 0.8).sum() == 3
    suspect = flagged(made, "suspect")
    assert suspect.sum() == 1 and made.value[suspect] == 0.8
    assert made.y[suspect] == pytest.approx(Y[rows[50], columns[50]])


def test_a_day_with_large_holes_is_suspect(written):
    codes = np.stack([layouts.nsidc_codes(sea=125)] * 2)
    sea = np.argwhere(codes[1] == 125)
    codes[1][tuple(sea[: len(sea) // 10].T)] = 255
    path = written(layouts.nsidc(codes))
    made = read_observations(path, GRID)
    second = made.time > made.time[0]
    assert flagged(made, "suspect")[second].all() and not flagged(made, "suspect")[~second].any()
    assert np.isnan(concentration_field(path, GRID, "2015-01-02")).all()


def test_lakes_give_no_observation(written):
    codes = layouts.nsidc_codes()
    inland = codes == 254
    codes[inland & (Y > 3e6)] = 254
    codes[inland & (Y < -2.5e6)] = 250
    made = read_observations(written(layouts.nsidc(codes, days=(0,))), GRID)
    assert not (made.value[~flagged(made, "near_coast") & ~flagged(made, "pole_hole")] > 0).any()


def test_field_of_a_constant_is_that_constant(written):
    path = written(layouts.nsidc(layouts.nsidc_codes(sea=100), days=(0, 1)))
    field = concentration_field(path, GRID, to_seconds("2015-01-02T17:00"))
    assert np.isnan(field[~GRID.mask_t]).all()
    pole = np.hypot(*np.meshgrid(GRID.x, GRID.y)) < 60e3
    assert np.isnan(field[pole]).all()
    np.testing.assert_allclose(field[np.isfinite(field)], 0.4, atol=1e-7)
    assert np.isfinite(field[GRID.mask_t]).mean() > 0.95


def test_field_is_the_mean_of_the_native_cells(written):
    codes = layouts.nsidc_codes()
    ramp = np.clip(125 + X / 25e3, 0, 250).round().astype("u1")
    codes = np.where(codes == 0, ramp, codes)
    field = concentration_field(written(layouts.nsidc(codes, days=(0,))), GRID, "2015-01-01")
    x, y = np.meshgrid(GRID.x, GRID.y)
    # Native cells nest in those of the grid: the mean of two columns.
    expected = 0.5 + x / 25e3 / 250
    inner = (np.hypot(x, y) < 700e3) & (np.hypot(x, y) > 200e3) & (np.abs(expected - 0.5) < 0.4)
    np.testing.assert_allclose(field[inner], expected[inner], atol=0.003)


def test_coastal_cells_count_only_where_others_are_few(written):
    codes = layouts.nsidc_codes()
    land = np.pad(codes >= 253, 1)
    beside = np.zeros(codes.shape, bool)
    for shift_y in range(3):
        for shift_x in range(3):
            beside |= land[shift_y : shift_y + 448, shift_x : shift_x + 304]
    codes[beside & (codes == 0)] = 250
    field = concentration_field(written(layouts.nsidc(codes, days=(0,))), GRID, "2015-01-01")
    known = field[np.isfinite(field)]
    # No mixture where the others cover more than half.
    assert not ((known > 1e-9) & (known < 0.49)).any()
    assert 0 < known.mean() < 0.2 and 0.01 < (known > 0.99).mean()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.assign_coords(x=d.x + 25e3), "x runs from"),
        (lambda d: d.isel(y=slice(None, None, -1)), "y runs from"),
        (lambda d: d.isel(x=slice(0, 300)), "expected bytes of shape"),
        (lambda d: d.assign(icecon=d.icecon.astype("f4")), "expected bytes"),
        (lambda d: d.assign(icecon=d.icecon[:, ::-1, :].assign_coords(y=d.y)), "land codes"),
        (lambda d: d.assign(icecon=xr.zeros_like(d.icecon)), "land codes"),
        (lambda d: d.assign(icecon=d.icecon.where(d.icecon != 251, np.uint8(252))), "code 252"),
        (lambda d: d.assign(icecon=d.icecon.drop_attrs()), "icecon does not name its projection"),
        (lambda d: d.assign(crs=layouts.grid_mapping(0.0)), "straight_vertical_longitude"),
        (lambda d: d.drop_vars("crs"), "crs is missing"),
        (lambda d: d.assign_coords(time=[5, 5]), "time holds no times"),
        (lambda d: d.isel(time=[1, 0]), "does not ascend"),
    ],
)
def test_other_files_are_refused(written, change, message):
    changed = change(layouts.nsidc())
    for axis in "xy":
        changed[axis].attrs["units"] = "m"
    path = written(changed)
    with pytest.raises(InputError, match=message) as caught:
        read_observations(path, GRID)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_periods(written):
    path = written(layouts.nsidc(days=(0, 1, 2)))
    one = read_observations(path, GRID, start="2015-01-02", end="2015-01-03")
    assert set(one.time) == {to_seconds("2015-01-02T12:00")}
    assert len(set(read_observations(path, GRID, start="2015-01-02").time)) == 2
    assert len(set(read_observations(path, GRID, end=to_seconds("2015-01-02")).time)) == 1
    for start, end in (("2015-01-03", "2015-01-05"), ("2014-01-01", None), ("2016-01-01", None)):
        with pytest.raises(InputError, match="covers 2015-01-01T00:00:00Z to 2015-01-04T00:00:00Z"):
            read_observations(path, GRID, start=start, end=end)
    with pytest.raises(InputError, match="no record centred in"):
        read_observations(path, GRID, start="2015-01-02T13:00", end="2015-01-03T11:00")


# --- thickness ----------------------------------------------------------------------------------


def test_cryosat_months(written):
    made = read_observations(written(layouts.cryosat()), GRID)
    np.testing.assert_allclose(made.value, [1.5, -0.2, 3.0])
    np.testing.assert_allclose(made.error_std, 0.35)
    assert set(made.span) == {31 * DAY} and set(made.time) == {to_seconds("2015-01-16T12:00")}
    x, y = EPSG_3413.forward([75.0, 76.0, 82.0], [-140.0, -135.0, -120.0])
    np.testing.assert_allclose(made.position, np.stack([x, y], 1))
    # 50 km cells over cells of 50 km: the mean over up to four, centred on the place.
    columns = GRID.x[made.cell % 128]
    assert np.abs((columns * made.weight).sum(axis=1) - made.x).max() < 1e3
    assert made.of_kind("thickness").size == 3


def test_cryosat_groups_are_blocks_of_a_month(written):
    near = layouts.cryosat(latitude=(75.0, 75.05, 75.0), longitude=(-140.0, -140.1, -120.0))
    later = layouts.cryosat(latitude=(75.0,), longitude=(-140.0,), thickness=(2.0,), month=2)
    made = read_observations(written(xr.concat([near, later], "obs")), GRID)
    assert made.group[0] == made.group[1] and len(set(made.group)) == 3 and made.group.min() > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.assign(month=d.month + np.int8(1)), "time says 2015-01 where"),
        (lambda d: d.assign(x=d.x + 10e3), "10.0 km from x, y"),
        (lambda d: d.assign(lat=d.lat + 1), "mislabelled"),
        (lambda d: d.assign(sit_m=d.sit_m * 100), "sit_m is 150 and out of range"),
        (lambda d: d.assign(sit_m=d.sit_m * np.nan), "holds no value"),
        (lambda d: d.assign(sit_m=d.sit_m.where(d.sit_m > 0)), "misses 1 of 3"),
        (lambda d: d.assign(sit_m=d.sit_m.assign_attrs(units="cm")), "in 'cm', expected 'm'"),
    ],
)
def test_mislabelled_cryosat_is_refused(written, change, message):
    dataset = layouts.cryosat()
    changed = change(dataset)
    for name in dataset.data_vars:
        changed[name].attrs.setdefault("units", dataset[name].attrs.get("units"))
    with pytest.raises(InputError, match=message):
        read_observations(written(changed), GRID)


# --- drift --------------------------------------------------------------------------------------


def test_osisaf_displacement_is_mean_velocity(written):
    path = written(layouts.osisaf(dx=4.0, dy=-2.0, days=(152,)), packed=("dX", "dY"))
    made = read_observations(path, GRID)
    u, v = made.of_kind("drift_u"), made.of_kind("drift_v")
    assert made.size == 2 * u.size > 1000
    # The product's axes are those of the grid, but for the ellipsoid.
    np.testing.assert_allclose(u.value, 4e3 / (2 * DAY), rtol=1e-4)
    np.testing.assert_allclose(v.value, -2e3 / (2 * DAY), rtol=1e-4)
    np.testing.assert_allclose(u.error_std, 2300 / (2 * DAY))
    np.testing.assert_allclose(v.error_std, 1900 / (2 * DAY))
    assert set(made.span) == {2 * DAY} and set(made.time) == {to_seconds("2017-06-01T12:00")}
    np.testing.assert_array_equal(u.position, v.position)
    assert not made.flag.any()


def test_kimura_vectors_are_turned(written):
    path = written(layouts.kimura(vx=5.0, vy=2.0, days=(324,)), packed=("vx", "vy"))
    made = read_observations(path, GRID)
    u, v = made.of_kind("drift_u"), made.of_kind("drift_v")
    # Move each place a little along the axes of its own map, and look at it on the map of the grid.
    latitude, longitude = EPSG_3413.inverse(u.x, u.y)
    x, y = layouts.KIMURA.forward(latitude, longitude)
    ahead = EPSG_3413.forward(*layouts.KIMURA.inverse(x + 50.0, y + 20.0))
    direction = np.stack([ahead[0] - u.x, ahead[1] - u.y])
    expected = direction / np.hypot(*direction) * np.hypot(0.05, 0.02)
    np.testing.assert_allclose(np.stack([u.value, v.value]), expected, atol=2e-5)
    assert set(made.time) == {to_seconds("2016-11-21")} and set(made.span) == {DAY}


def test_impossible_and_doubtful_drift(written):
    made = read_observations(written(layouts.kimura(vx=60.1, vy=0.0)), GRID)
    assert flagged(made, "suspect").all()
    assert not flagged(read_observations(written(layouts.kimura(vx=59.9)), GRID), "suspect").any()
    with pytest.raises(InputError, match="vx is 300 and out of range .* -200..200 cm s-1"):
        read_observations(written(layouts.kimura(vx=300.0)), GRID)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.assign(time_bnds=d.time_bnds + 24), "48 h that end at time"),
        (lambda d: d.drop_vars("time_bnds"), "time_bnds is missing"),
        (lambda d: d.drop_vars("dY"), "dY is missing"),
        (lambda d: d.assign(lat=(d.lat + 0.5).assign_attrs(d.lat.attrs)), "mislabelled"),
        (lambda d: d.assign(lon=(-d.lon).assign_attrs(d.lon.attrs)), "mislabelled"),
        (lambda d: d.assign(dX=d.dX.assign_attrs(units="m")), "dX is in 'm', expected 'km'"),
        (lambda d: d.assign(dX=xr.full_like(d.dX, np.nan)), "dX holds no value"),
        (lambda d: d.assign(dX=d.dX.transpose("time", "xc", "yc")), "dX has dimensions"),
    ],
)
def test_mislabelled_drift_is_refused(written, change, message):
    with pytest.raises(InputError, match=message):
        read_observations(written(change(layouts.osisaf())), GRID)


# --- the products themselves --------------------------------------------------------------------


def test_nsidc_of_2015(data_folder):
    path = data_folder / "nsidc0081_sic" / "nsidc0081_nh_2015.nc"
    assert identify(path) == "nsidc0081"
    made = read_observations(path, GRID, start="2015-01-01", end="2015-01-02")
    assert made.size == 30670 and flagged(made, "pole_hole").sum() == 44
    assert 3000 < flagged(made, "near_coast").sum() < 4000 and flagged(made, "suspect").sum() < 20
    np.testing.assert_allclose(made.good().error_std, concentration_error(made.good().value))
    # The two days that the producer's users leave out.
    holes = read_observations(path, GRID, start="2015-08-04", end="2015-08-08")
    bad = {t for t in set(holes.time) if flagged(holes, "suspect")[holes.time == t].all()}
    assert bad == {to_seconds("2015-08-05T12:00"), to_seconds("2015-08-06T12:00")}


def test_nsidc_lakes(data_folder):
    folder = data_folder / "nsidc0081_sic"
    made = read_observations(
        folder / "nsidc0081_nh_2015.nc", GRID, start="2015-01-01", end="2015-01-02"
    )
    with xr.open_dataset(folder / "psn25_grid.nc", engine="netcdf4") as static:
        lake = static.region.values == 32
    lakes = set(zip(X[lake].round(), Y[lake].round(), strict=True))
    assert lake.sum() == 665
    assert not lakes & set(zip(made.x.round(), made.y.round(), strict=True))


def test_persistence_of_nsidc_fields(data_folder):
    """One day changes the concentration by about 0.06 (rms where there is ice)."""
    path = data_folder / "nsidc0081_sic" / "nsidc0081_nh_2016.nc"
    fields = [concentration_field(path, GRID, f"2016-11-{day:02d}") for day in range(1, 8)]
    square = []
    for before, after in zip(fields, fields[1:], strict=False):
        ice = np.isfinite(before) & np.isfinite(after) & ((before > 0) | (after > 0))
        square.append(np.mean((after - before)[ice] ** 2))
    assert 0.045 < np.sqrt(np.mean(square)) < 0.075


def test_cryosat_of_january_2015(data_folder):
    path = data_folder / "cs2_sit_canadian_arctic" / "cs2_sit_monthly_201011_201604.nc"
    made = read_observations(path, GRID, start="2015-01-01", end="2015-02-01")
    # 504 cells; a few lie in channels that the grid does not resolve.
    assert 470 < made.size <= 504
    x, y = EPSG_3411.forward(*EPSG_3413.inverse(made.x, made.y))
    assert ((np.floor(x / 100e3) + np.floor(y / 100e3)) % 2 == 0).all()
    everything = read_observations(path, GRID)
    assert 0.93 * 36288 < everything.size < 36288 and len(set(everything.time)) == 36
    with pytest.raises(InputError, match="no record centred in .* 36 records"):
        read_observations(path, GRID, start="2015-07-01", end="2015-08-01")


def test_osisaf_against_buoys(data_folder):
    """906 pairs of the README: r 0.976 and 0.987, rms 2.3 and 1.9 km; a day off, r below 0.83."""
    with xr.open_dataset(
        data_folder / "sidex_2021" / "sidex_buoy_wind_20210301_20210430.nc", engine="netcdf4"
    ) as buoys:
        x, y = EPSG_3413.forward(buoys.latitude.values, buoys.longitude.values)
        hours = to_seconds(buoys.time.values)
    made = read_observations(
        data_folder / "osisaf405_drift" / "osi405_nh_48h_windows_2019_2023.nc",
        GRID,
        start="2021-03-02T12:00",
        end="2021-04-29T12:00",
    )
    made = made.select(np.hypot(made.x - np.nanmean(x), made.y - np.nanmean(y)) < 600e3)
    for shift, (least, most) in ((0, (0.97, 1.0)), (DAY, (0.6, 0.9)), (-DAY, (0.6, 0.9))):
        pairs = np.array(list(buoy_pairs(made, x, y, hours, shift)))
        ours, theirs = pairs[:, :2], pairs[:, 2:]
        assert len(pairs) > 700
        for axis in (0, 1):
            assert least < np.corrcoef(ours[:, axis], theirs[:, axis])[0, 1] < most
        if shift == 0:
            rms = np.sqrt(np.mean((ours - theirs) ** 2, axis=0)) / 1e3
            np.testing.assert_allclose(rms, [2.3, 1.9], atol=0.5)


def buoy_pairs(made, x, y, hours, shift):
    """Displacements over 48 h [m]: product between its four nearest vectors, buoy."""
    for time in np.unique(made.time):
        window = made.select(made.time == time)
        u, v = window.of_kind("drift_u"), window.of_kind("drift_v")
        begin, end = np.searchsorted(hours, [time - DAY + shift, time + DAY + shift])
        if begin == 0 and hours[0] > time - DAY + shift or end >= len(hours) or u.size < 4:
            continue
        middle = (x[begin] + x[end]) / 2, (y[begin] + y[end]) / 2
        for buoy in np.flatnonzero(np.isfinite(middle[0])):
            distance = np.hypot(u.x - middle[0][buoy], u.y - middle[1][buoy])
            near = np.argsort(distance)[:4]
            if distance[near[-1]] > 80e3:
                continue
            weight = 1 / distance[near] ** 2
            mean = [np.average(part.value[near], weights=weight) * 2 * DAY for part in (u, v)]
            yield *mean, x[end, buoy] - x[begin, buoy], y[end, buoy] - y[begin, buoy]


def test_readers_work_on_other_presets(data_folder):
    grid = Grid.preset("arctic100")
    made = read_observations(
        data_folder / "kimura_drift_2016" / "kimura_amsr2_drift_2016.nc",
        grid,
        start="2016-01-01T12:00",
        end="2016-01-02T12:00",
    )
    assert 5000 < made.size < 9000
    assert flagged(made, "suspect").mean() < 0.01
    assert grid.mask_t.reshape(-1)[made.cell[made.weight > 0]].all()
