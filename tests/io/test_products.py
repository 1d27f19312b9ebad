"""Readers of ice products on files of their exact layout."""

import numpy as np
import pytest
import xarray as xr

from floecast.core.calendar import DAY, to_seconds
from floecast.core.errors import InputError
from floecast.core.projection import EPSG_3411, EPSG_3413
from floecast.io import bremen
from floecast.io.native import PolarGrid
from floecast.io.observation_file import write_observations
from floecast.io.readers import (
    check_use,
    concentration_field,
    identify,
    read_observations,
    read_thickness_field,
)
from floecast.observation.errors import PACK_ERROR, THICKNESS_ERROR, concentration_error
from floecast.observation.footprint import containing_cell
from floecast.observation.observations import FLAGS, KINDS, Observations

from . import ice_layouts, layouts
from . import product_layouts as products

GRID = layouts.GRID
X, Y = np.meshgrid(GRID.x, GRID.y)
INNER = np.hypot(X, Y) < 600e3


@pytest.fixture
def written(tmp_path):
    """Write a dataset and give its path."""

    def write(dataset):
        dataset.to_netcdf(tmp_path / "file.nc", engine="netcdf4")
        return tmp_path / "file.nc"

    return write


def flagged(observations, name):
    return (observations.flag & FLAGS[name]) > 0


def left(yes, no=0.0):
    """Field that is one value where x < 0, another elsewhere."""
    return lambda x, y: np.where(x < 0, float(yes), float(no))


# --- OSI SAF concentration ----------------------------------------------------------------------


@pytest.mark.parametrize("error", ["uncertainty", "error"])
def test_osisaf_record_has_its_own_error(written, error):
    path = written(products.osisaf_record(value=90.0, error=error, days=2))
    assert identify(path) == "osisaf_concentration"
    made = read_observations(path, GRID)
    assert set(made.value.round(6)) == {0.9} and set(made.error_std.round(6)) == {0.05}
    days = {to_seconds("2020-03-01T12:00"), to_seconds("2020-03-02T12:00")}
    assert set(made.time) == days and set(made.span) == {DAY} and not made.flag.any()
    field = concentration_field(path, GRID, "2020-03-02")
    np.testing.assert_allclose(field[INNER & GRID.mask_t], 0.9, atol=1e-6)


def test_osisaf_values_before_the_filters_stand(written):
    made = read_observations(
        written(
            products.osisaf_record(
                ice_conc=left(0, 100),
                raw_ice_conc_values=left(-7, 112),
                status_flag=left(4),
            )
        ),
        GRID,
    )
    assert set(made.value.round(6)) == {-0.07, 1.12} and not made.flag.any()
    plain = read_observations(written(products.osisaf_record(value=50.0)), GRID)
    assert set(plain.value.round(6)) == {0.5}


@pytest.mark.parametrize("meanings", [True, False])
@pytest.mark.parametrize(
    ("bit", "flag"),
    [
        (8, "near_coast"),
        (16, "suspect"),
        (32, "interpolated"),
        (64, "interpolated"),
        (128, "masked"),
    ],
)
def test_osisaf_status(written, meanings, bit, flag):
    dataset = products.osisaf_record(status_flag=left(bit), meanings=meanings)
    made = read_observations(written(dataset), GRID)
    hit = flagged(made, flag)
    assert 0.3 < hit.mean() < 0.7
    assert (made.flag[hit] == FLAGS[flag]).all() and not made.flag[~hit].any()


def test_osisaf_land_and_lakes_give_nothing(written):
    whole = read_observations(written(products.osisaf_record()), GRID)
    made = read_observations(
        written(
            products.osisaf_record(status_flag=lambda x, y: (x < 0) * 1.0 + (y < -200e3) * 2.0)
        ),
        GRID,
    )
    assert 0 < made.size < 0.5 * whole.size and not made.flag.any()


def test_osisaf_daily_of_2017_to_2023(written):
    dataset = products.osisaf_daily(
        ice_conc=left(0, 40),
        ice_conc_unfiltered=left(6, 40),
        confidence_level=lambda x, y: np.where(y < 0, 2, 5),
    )
    made = read_observations(written(dataset), GRID)
    assert set(made.value.round(6)) == {0.06, 0.4} and set(made.error_std.round(6)) == {0.06}
    assert 0.3 < flagged(made, "suspect").mean() < 0.7
    # The footprint is that of the instrument.
    wide = read_observations(written(products.osisaf_daily(sensor="SSMIS")), GRID)
    assert (wide.weight > 0).sum() > 1.5 * (made.weight > 0).sum() * wide.size / made.size


def test_osisaf_uncertainty_in_percent_that_says_otherwise(written):
    dataset = products.osisaf_record()
    dataset["total_standard_uncertainty"].attrs["units"] = "1"
    made = read_observations(written(dataset), GRID)
    assert set(made.error_std.round(6)) == {0.05}


def test_osisaf_without_uncertainty_has_the_usual_error(written):
    dataset = products.osisaf_record(value=50.0).drop_vars("total_standard_uncertainty")
    made = read_observations(written(dataset), GRID)
    np.testing.assert_allclose(made.error_std, concentration_error(0.5))
    assert made.assumed.all()
    told = read_observations(written(products.osisaf_record(value=50.0)), GRID)
    assert not told.assumed.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.assign(ice_conc=d.ice_conc.assign_attrs(units="K")), "is in 'K'"),
        (lambda d: d.assign_coords(lat=d.lat - 1), "mislabelled"),
        (lambda d: d.assign_coords(xc=d.xc * 2), "mislabelled|km apart"),
        (lambda d: d.drop_vars("Lambert_Azimuthal_Grid"), "Lambert_Azimuthal_Grid is missing"),
        (lambda d: d.assign(ice_conc=d.ice_conc.where(d.ice_conc < 0)), "holds no value"),
        (lambda d: d.drop_vars("time"), "time is missing"),
        (
            lambda d: d.assign(status_flag=d.status_flag.assign_attrs(flag_meanings="land lake")),
            "flag_meanings that do not go with",
        ),
    ],
)
def test_other_osisaf_files_are_refused(written, change, message):
    original = products.osisaf_record()
    changed = change(original)
    for name in set(changed.variables) & set(original.variables):
        for key, value in original[name].attrs.items():
            changed[name].attrs.setdefault(key, value)
    with pytest.raises(InputError, match=message):
        read_observations(written(changed), GRID)


# --- NSIDC ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [4, 5])
def test_nsidc_record(written, version):
    path = written(products.cdr(version, value=0.5))
    assert identify(path) == "nsidc_cdr"
    made = read_observations(path, GRID)
    assert set(made.value.round(6)) == {0.5} and not made.flag.any()
    np.testing.assert_allclose(made.error_std, np.hypot(PACK_ERROR, 0.12), rtol=1e-6)
    assert {to_seconds("2020-03-01T12:00"), to_seconds("2020-03-02T12:00")} == set(made.time)
    check_use(path, "concentration_field", "2020-03-01", "2020-03-02")
    field = concentration_field(path, GRID, "2020-03-02")
    np.testing.assert_allclose(field[INNER], 0.5, atol=1e-6)


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize(
    ("bit", "flag"),
    [
        (4, "near_coast"),
        (8, "suspect"),
        (16, "masked"),
        (32, "interpolated"),
        (1, None),
        (128, None),
    ],
)
def test_nsidc_record_quality(written, version, bit, flag):
    made = read_observations(written(products.cdr(version, days=1, qa=left(bit))), GRID)
    if flag is None:
        assert not made.flag.any()
    else:
        assert 0.3 < flagged(made, flag).mean() < 0.7


def test_nsidc_record_codes(written):
    def codes(x, y):
        code = np.where(np.hypot(x, y) < 100e3, 251, 80)
        return np.where(x < -500e3, 254, code)

    made = read_observations(written(products.cdr(4, days=1, codes=codes)), GRID)
    x, y = EPSG_3411.forward(*EPSG_3413.inverse(made.x, made.y))
    assert x.min() > -500e3
    assert (flagged(made, "pole_hole") == (np.hypot(x, y) < 100e3)).all()
    assert (flagged(made, "near_coast") == (x < -475e3)).all()
    assert set(made.value[~flagged(made, "pole_hole")].round(6)) == {0.8}


def test_nsidc_0081_of_version_2(written):
    codes = layouts.nsidc_codes(sea=125)
    gaps = codes.copy()
    gaps[gaps == 125] = 255
    path = written(products.nsidc_v2(F16=gaps, F17=codes, F18=gaps))
    assert identify(path) == "nsidc0081"
    made = read_observations(path, GRID)
    old = read_observations(written(layouts.nsidc(codes, days=(0,))), GRID)
    np.testing.assert_array_equal(made.value, old.value)
    np.testing.assert_array_equal(made.flag, old.flag)
    assert set(made.time) == {to_seconds("2020-03-01T12:00")}


# --- AMSR2 of Bremen ------------------------------------------------------------------------------


@pytest.mark.parametrize("ellipsoid", ["EPSG:3413", "EPSG:3411"])
def test_bremen_netcdf(written, ellipsoid):
    path = written(
        products.bremen(lambda x, y: np.where(x > 500e3, np.nan, 50 + x / 50e3), ellipsoid)
    )
    assert identify(path) == "amsr2_bremen"
    made = read_observations(path, GRID)
    good = made.good()
    np.testing.assert_allclose(good.value, 0.5 + good.x / 5e6, atol=1e-4)
    np.testing.assert_allclose(good.error_std, concentration_error(good.value))
    assert set(made.time) == {to_seconds("2020-03-01T12:00")}
    near = flagged(made, "near_coast")
    assert near.any() and made.x[near].min() > 490e3
    field = concentration_field(path, GRID, "2020-03-01")
    inner = INNER & (X < 400e3)
    np.testing.assert_allclose(field[inner], 0.5 + X[inner] / 5e6, atol=1e-4)
    with pytest.raises(InputError, match="does not cover"):
        concentration_field(path, GRID, "2020-03-02")


def test_bremen_date_from_the_name(tmp_path):
    dataset = products.bremen()
    del dataset.attrs["history"]
    path = tmp_path / "asi-AMSR2-n6250-20200301-v5.4.nc"
    dataset.to_netcdf(path, engine="netcdf4")
    assert set(read_observations(path, GRID).time) == {to_seconds("2020-03-01T12:00")}
    other = tmp_path / "concentration.nc"
    dataset.to_netcdf(other, engine="netcdf4")
    assert identify(other) == "amsr2_bremen"
    with pytest.raises(InputError, match="holds no date"):
        read_observations(other, GRID)


def test_bremen_hdf_is_turned_by_its_land(tmp_path, monkeypatch):
    """On a grid of its projection and extent with larger cells."""
    coarse = PolarGrid(
        "coarse",
        EPSG_3411,
        layouts.axis(-3800e3, 50e3, 152),
        layouts.axis(5800e3, -50e3, 224),
    )
    monkeypatch.setattr(bremen, "NSIDC_6KM", coarse)
    place = coarse.on(GRID)
    _, ocean = containing_cell(GRID, *place)
    field = np.where(ocean, 50 + place[0] / 200e3, np.nan).astype("f4")
    for upwards in (False, True):
        path = tmp_path / f"asi-AMSR2-n6250-20200301-{upwards}.nc"
        products.bremen_hdf(field, upwards).to_netcdf(path, engine="netcdf4")
        assert identify(path) == "amsr2_bremen"
        made = read_observations(path, GRID)
        np.testing.assert_allclose(made.value, 0.5 + made.x / 2e7, atol=1e-6)
    damaged = field.copy()
    damaged[:, ::2] = np.nan
    products.bremen_hdf(damaged).to_netcdf(path, engine="netcdf4")
    with pytest.raises(InputError, match="agrees with the land of the Arctic in"):
        read_observations(path, GRID)


# --- thickness ------------------------------------------------------------------------------------


def test_cs2smos_as_observations(written):
    path = written(products.cs2smos_points(1.5, 0.2))
    assert identify(path) == "cs2smos"
    made = read_observations(path, GRID)
    assert set(made.value) == {1.5} and set(made.error_std.round(6)) == {0.2}
    assert set(made.time) == {to_seconds("2020-03-15T12:00")} and set(made.span) == {7 * DAY}
    assert made.group.min() > 0 and made.size > 10 * len(set(made.group))
    assert set(made.kind) == {KINDS.index("thickness")}
    bare = read_observations(written(products.cs2smos_points(1.5, None)), GRID)
    assert set(bare.error_std) == {THICKNESS_ERROR}


def test_cs3smos(written):
    path = written(products.gridded_thickness(quality=lambda x, y: 3 * (x < 0) + 4 * (x > 500e3)))
    assert identify(path) == "gridded_thickness"
    made = read_observations(path, GRID)
    assert set(made.value) == {1.5} and set(made.error_std.round(6)) == {0.3}
    x = (made.x + made.y) / np.sqrt(2)
    assert x.max() < 520e3
    np.testing.assert_array_equal(flagged(made, "interpolated"), x < 0)
    check_use(path, "read_thickness_field", "2020-03-13", "2020-03-13")
    field = read_thickness_field(path, GRID, time="2020-03-13")
    np.testing.assert_allclose(field[np.hypot(X, Y) < 400e3], 1.5, atol=1e-6)
    with pytest.raises(InputError, match="does not cover"):
        read_thickness_field(path, GRID, time="2020-03-25")


def test_month_of_cci(written):
    quality = "nominal_quality intermediate_quality low_quality no_data"
    dataset = products.gridded_thickness(25e3, 2.0, lambda x, y: 2 * (x < 0), quality)
    made = read_observations(written(dataset), GRID)
    assert 0.3 < flagged(made, "suspect").mean() < 0.7 and set(made.value) == {2.0}


def test_smos(written):
    thickness = np.where(np.arange(112) < 56, 0.4, 0.0)
    path = written(products.smos(thickness))
    assert identify(path) == "smos_thin_ice"
    made = read_observations(path, GRID)
    assert set(made.value.round(6)) == {0.4} and set(made.error_std.round(6)) == {0.2}
    assert not made.flag.any() and set(made.time) == {to_seconds("2020-02-16T12:00")}
    for doubtful in ({"uncertainty": 1.5}, {"saturation": 99.0}):
        made = read_observations(written(products.smos(**doubtful)), GRID)
        assert flagged(made, "suspect").all()


@pytest.mark.parametrize("names", [("lat", "lon"), ("latitude", "longitude")])
def test_l2p_track(written, names):
    thickness = np.where(np.arange(60) % 10 == 0, np.nan, -0.3 + 0.05 * np.arange(60))
    dataset = products.l2p(names=names, sea_ice_thickness=thickness)
    dataset["flag_miz"][:5] = 2
    path = written(dataset)
    assert identify(path) == "cryosat2_l2p"
    made = read_observations(path, GRID, start="2020-03-01", end="2020-03-02")
    assert made.size == 54 and made.value.min() < 0 and set(made.error_std) == {0.6}
    assert flagged(made, "masked").sum() == 4 and set(made.span) == {0}
    latitude, longitude = EPSG_3413.inverse(made.x, made.y)
    np.testing.assert_allclose(longitude, -150.0)
    assert np.diff(latitude).min() > 0 and len(set(made.group)) > 5
    with pytest.raises(InputError, match="holds no record of 2020-03-02"):
        read_observations(path, GRID, start="2020-03-02")
    with pytest.raises(InputError, match="holds no record of"):
        check_use(path, "read_observations", "2020-03-02", "2020-03-03")


def test_l2p_of_freeboard(written):
    dataset = products.l2p().drop_vars(["sea_ice_thickness", "sea_ice_thickness_uncertainty"])
    made = read_observations(written(dataset), GRID)
    assert set(made.kind) == {KINDS.index("freeboard")}
    assert set(made.value) == {0.25} and set(made.error_std) == {0.05}


def test_l2i_track_is_in_utc_and_knows_the_snow(written):
    path = written(products.l2i(freeboard=-0.05))
    assert identify(path) == "cryosat2_l2i"
    made = read_observations(path, GRID)
    # 0.3 m of snow of 400 kg/m3 slow the echo by 0.3 (1.204^1.5 - 1) m.
    np.testing.assert_allclose(made.value, -0.05 + 0.3 * 0.321102, atol=2e-5)
    assert set(made.kind) == {KINDS.index("freeboard")} and set(made.error_std) == {0.1}
    assert made.time[0] == to_seconds("2015-02-15") and not made.flag.any()
    doubtful = read_observations(written(products.l2i(code=6)), GRID)
    assert flagged(doubtful, "suspect").all()
    with pytest.raises(InputError, match="no record of the period has a value"):
        read_observations(written(products.l2i(code=8)), GRID)


# --- drift ----------------------------------------------------------------------------------------


def test_osi455_is_turned_from_its_own_map(written):
    path = written(products.osi455(8.0, -4.0))
    assert identify(path) == "osisaf_drift"
    made = read_observations(path, GRID)
    u, v = made.of_kind("drift_u"), made.of_kind("drift_v")
    # From axes along 90 E and 180 E to those turned by 45 degrees.
    expected = np.array([8.0 + 4.0, 8.0 - 4.0]) / np.sqrt(2) * 1e3 / DAY
    np.testing.assert_allclose(u.value, expected[0], rtol=1e-5)
    np.testing.assert_allclose(v.value, expected[1], rtol=1e-5)
    np.testing.assert_allclose(made.error_std, 3e3 / DAY, rtol=1e-5)
    assert set(made.span) == {DAY} and set(made.time) == {to_seconds("2020-03-03")}


def test_osi405_as_distributed(written):
    made = read_observations(written(products.osi405(8.0, -4.0, dt0=3600, dt1=7200)), GRID)
    u = made.of_kind("drift_u")
    np.testing.assert_allclose(u.value, 8e3 / (2 * DAY + 3600), rtol=1e-3)
    np.testing.assert_allclose(u.error_std, 3e3 / (2 * DAY + 3600), rtol=1e-5)
    assert set(made.time) == {to_seconds("2020-03-02T12:00")} and not made.flag.any()
    filled = read_observations(written(products.osi405(status=22)), GRID)
    assert flagged(filled, "interpolated").all()
    with pytest.raises(InputError, match="no vector lies over the ocean"):
        read_observations(written(products.osi405(status=17)), GRID)


# --- buoys ----------------------------------------------------------------------------------------


def positions(hours=range(0, 97, 6), speed=0.1):
    """A buoy that starts at a place of the plane and moves along x."""
    for hour in hours:
        latitude, longitude = EPSG_3413.inverse(100e3 + speed * 3600 * hour, 200e3)
        yield np.datetime64("2019-12-30") + np.timedelta64(hour, "h"), latitude, longitude


@pytest.mark.parametrize("form", products.IABP)
def test_iabp_tables(tmp_path, form):
    path = tmp_path / "300234066299840.dat"
    path.write_text(products.buoy_table(form, positions()))
    assert identify(path) == "iabp"
    made = read_observations(path, GRID)
    u, v = made.of_kind("drift_u"), made.of_kind("drift_v")
    assert u.size == 4 and set(u.span) == {DAY}
    scale = EPSG_3413.scale(EPSG_3413.inverse(100e3, 200e3)[0])
    np.testing.assert_allclose(u.value * scale, 0.1, rtol=1e-4)
    np.testing.assert_allclose(v.value, 0.0, atol=1e-4)
    assert u.time[0] == to_seconds("2019-12-30T12:00")
    one = read_observations(path, GRID, start="2019-12-31", end="2020-01-01")
    assert one.size == 2


def test_old_iabp_table_takes_the_year_from_its_folder(tmp_path):
    start = np.datetime64("2019-01-01")
    rows = [
        f"1234 {(time - start) / np.timedelta64(1, 'D') + 1:.4f} {latitude:.4f} {longitude:.4f}"
        for time, latitude, longitude in positions(range(0, 25, 3))
    ]
    path = tmp_path / "2019" / "3HOURLY" / "1234.ll.pos"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(rows))
    assert read_observations(path, GRID).size == 2
    other = tmp_path / "1234.ll.pos"
    other.write_text("\n".join(rows))
    with pytest.raises(InputError, match="holds no year"):
        identify(other)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("BuoyID,Year,Hour,DOY,Lat,Lon\n", "holds no position"),
        ("BuoyID,Year,Hour,DOY,Lat,Lon\n1,2020,0,1.0,80\n", "a row of 5 columns"),
        ("BuoyID,Year,Hour,DOY,Lat,Lon\n1,2020,0,1.0,80,east\n", "east.*expected numbers"),
        ("BuoyID,Year,Hour,DOY,Lat,Lon\n1,2020,0,1.0,-90,10\n", "no position of a known time"),
        ("BuoyID,Year,Hour,DOY,Lat,Lon\n1,2020,0,1.0,80,10\n", "two positions a day apart"),
    ],
)
def test_broken_tables_are_refused(tmp_path, text, message):
    path = tmp_path / "buoys.dat"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_observations(path, GRID)


# --- models ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (ice_layouts.moorings, "nextsim_moorings"),
        (ice_layouts.cmems, "cmems_nextsim"),
        (ice_layouts.icemod, "nemo_icemod"),
    ],
)
def test_output_of_ice_models(written, make, name):
    path = written(make((0, 6)))
    assert identify(path) == name
    with pytest.raises(InputError, match="holds 2 times: say which"):
        read_thickness_field(path, GRID)
    field = read_thickness_field(path, GRID, time="2010-01-01")
    inner = (np.hypot(X, Y) < 800e3) & GRID.mask_t
    np.testing.assert_allclose(field[inner], 1.5 + X[inner] / 5e6, atol=0.03)
    check_use(path, "read_thickness_field", "2010-01-01", "2010-01-01")
    with pytest.raises(InputError, match="does not hold 2010-01-03"):
        check_use(path, "read_thickness_field", "2010-01-03", "2010-01-03")


# --- observations back ----------------------------------------------------------------------------


def test_observations_come_back_to_the_bit(tmp_path, written):
    parts = [
        read_observations(written(products.osisaf_record(raw_ice_conc_values=left(-3.7))), GRID),
        read_observations(written(products.l2p()), GRID),
        read_observations(written(products.osi455()), GRID),
    ]
    made = Observations.concatenate(parts)
    write_observations(tmp_path / "all.nc", made, GRID)
    assert identify(tmp_path / "all.nc") == "floecast_observations"
    back = read_observations(tmp_path / "all.nc", GRID)
    for name, field in made._arrays().items():
        again = getattr(back, name)
        assert again.dtype == np.asarray(field).dtype, name
        np.testing.assert_array_equal(again, field, err_msg=name)
    day = read_observations(tmp_path / "all.nc", GRID, start="2020-03-01", end="2020-03-02")
    assert 0 < day.size < made.size
    with pytest.raises(InputError, match="is for the grid arctic50, expected arctic100"):
        read_observations(tmp_path / "all.nc", type(GRID).preset("arctic100"))


def test_written_observations_follow_cf(tmp_path, written, checker):
    made = read_observations(written(products.l2p()), GRID)
    write_observations(tmp_path / "all.nc", made, GRID)
    assert all("history" in complaint for complaint in checker(tmp_path / "all.nc"))


# --- what is no product ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x0e\x03\x13\x01" + b"\0" * 60, "is HDF4"),
        (b"GRIB" + b"\0" * 60, "is GRIB"),
        (b"\x1f\x8b\x08" + b"\0" * 60, "unpack it"),
    ],
)
def test_other_formats_say_what_to_do(tmp_path, content, message):
    path = tmp_path / "file.nc"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        identify(path)


def test_unknown_file_tells_what_it_holds_and_what_is_known(written):
    path = written(xr.Dataset({"sst": (("lat", "lon"), np.zeros((3, 4)))}))
    with pytest.raises(InputError, match=r"unknown content sst\(lat, lon\); known are .*OSI SAF"):
        identify(path)


def test_a_folder_is_told_from_a_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"a folder, expected a netCDF file; xarray.open_zarr"):
        identify(tmp_path)
