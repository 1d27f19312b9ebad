"""Damaged, mislabelled and foreign files end in one line that names the file, never otherwise."""

from functools import partial

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from floecast.core.errors import InputError
from floecast.io.readers import (
    identify,
    read_forcing,
    read_observations,
    read_thickness_field,
    read_wind_series,
)

from . import layouts, product_layouts

GRID = layouts.GRID


def _observations(path):
    return read_observations(path, GRID)


def _climatology(path):
    return read_thickness_field(path, GRID, time="2015-01-15")


def _field(path):
    return read_thickness_field(path, GRID)


def _forcing(path):
    return read_forcing(path, GRID)


# For each product: layout, reader, variables it cannot do without, one with a unit, one on a grid.
PRODUCTS = {
    "nsidc0081": (
        partial(layouts.nsidc, days=(0,)),
        _observations,
        ("icecon", "crs", "time", "x", "y"),
        "x",
        "x",
    ),
    "cryosat2_monthly": (
        layouts.cryosat,
        _observations,
        ("sit_m", "year", "month", "time", "lat", "lon", "x", "y"),
        "sit_m",
        "lat",
    ),
    "osisaf_drift": (
        partial(layouts.osisaf, days=(152,)),
        _observations,
        ("dX", "dY", "crs", "time", "time_bnds", "xc", "yc"),
        "dX",
        "yc",
    ),
    "kimura": (
        partial(layouts.kimura, days=(324,)),
        _observations,
        ("vx", "vy", "crs", "time", "x", "y"),
        "vy",
        "lon",
    ),
    "nextsim": (
        layouts.nextsim,
        _field,
        ("sit", "mask", "latitude", "longitude"),
        "sit",
        "latitude",
    ),
    "cs2smos_climatology": (
        layouts.climatology,
        _climatology,
        ("sit_mm", "ocean", "lat", "lon", "mmdd"),
        "sit_mm",
        "lon",
    ),
    "cs2smos": (
        layouts.cs2smos,
        _field,
        ("analysis_sea_ice_thickness", "lat", "lon", "xc", "yc"),
        "analysis_sea_ice_thickness",
        "xc",
    ),
    "osisaf_concentration": (
        product_layouts.osisaf_record,
        _observations,
        ("ice_conc", "Lambert_Azimuthal_Grid", "time"),
        "lat",
        "xc",
    ),
    "smos_thin_ice": (
        product_layouts.smos,
        _observations,
        ("sea_ice_thickness", "time", "latitude"),
        "sea_ice_thickness",
        "latitude",
    ),
    "cryosat2_l2p": (
        lambda: product_layouts.l2p().drop_vars("sea_ice_freeboard"),
        _observations,
        ("sea_ice_thickness", "time", "lat", "lon"),
        "sea_ice_thickness",
        "lat",
    ),
    "latlon_forcing": (
        partial(layouts.weather, step=5.0),
        _forcing,
        ("u10", "v10", "valid_time", "latitude", "longitude"),
        "v10",
        "latitude",
    ),
    "wind_series": (
        layouts.area_wind,
        read_wind_series,
        ("u", "v", "time"),
        "u",
        None,
    ),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Path of a sound file of each product."""
    folder = tmp_path_factory.mktemp("whole")
    return {
        name: layouts.write(make(), folder / f"{name}.nc") for name, (make, *_) in PRODUCTS.items()
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("damaged")


def assert_refused(read, path):
    with pytest.raises(InputError) as caught:
        read(path)
    message = str(caught.value)
    assert path.name in message and "\n" not in message and len(message) < 2500


@pytest.mark.parametrize("product", PRODUCTS)
def test_the_sound_file_is_read(product, whole):
    assert identify(whole[product]) == product
    PRODUCTS[product][1](whole[product])


fuzz = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@fuzz
@given(product=st.sampled_from(list(PRODUCTS)), part=st.floats(0, 1, exclude_max=True))
def test_cut_files(product, part, whole, folder):
    data = whole[product].read_bytes()
    path = folder / "cut.nc"
    path.write_bytes(data[: int(part * len(data))])
    assert_refused(PRODUCTS[product][1], path)


@fuzz
@given(
    form=st.sampled_from(["NETCDF3_CLASSIC", "NETCDF3_64BIT"]),
    unlimited=st.booleans(),
    part=st.one_of(st.floats(0, 1, exclude_max=True), st.just(0.9999)),
)
def test_cut_classic_files(form, unlimited, part, folder):
    path, cut = folder / "classic.nc", folder / "cut_classic.nc"
    layouts.weather(step=10.0, generation="old").to_netcdf(
        path, engine="netcdf4", format=form, unlimited_dims=["time"] if unlimited else []
    )
    assert _forcing(path).wind_u.shape == (2, *GRID.shape)
    data = path.read_bytes()
    cut.write_bytes(data[: int(part * len(data))])
    assert_refused(_forcing, cut)


@fuzz
@given(
    product=st.sampled_from(["cryosat2_monthly", "wind_series", "latlon_forcing"]),
    places=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=20
    ),
)
def test_changed_bytes_are_read_or_refused(product, places, whole, folder):
    data = bytearray(whole[product].read_bytes())
    for part, value in places:
        data[int(part * len(data))] = value
    path = folder / "changed.nc"
    path.write_bytes(data)
    try:
        PRODUCTS[product][1](path)
    except InputError as error:
        assert path.name in str(error) and "\n" not in str(error)


def rename_unit(dataset, product, draw):
    name = PRODUCTS[product][3]
    unit = draw(st.sampled_from(["furlong", "degrees", "kg", "%", "m s-2", None]))
    if unit is None:
        del dataset[name].attrs["units"]
    else:
        dataset[name].attrs["units"] = unit
    return dataset


def drop_variable(dataset, product, draw):
    return dataset.drop_vars(draw(st.sampled_from(PRODUCTS[product][2])))


def empty_variable(dataset, product, draw):
    """One numeric variable without a single value."""
    numeric = [
        name
        for name in PRODUCTS[product][2]
        if dataset[name].dtype.kind in "iuf" and dataset[name].ndim
    ]
    name = draw(st.sampled_from(numeric))
    dataset[name] = xr.full_like(dataset[name], np.nan, dtype=float)
    return dataset


def shift_grid(dataset, product, draw):
    name = PRODUCTS[product][4]
    if name is None:
        return dataset.isel(time=slice(None, None, -1))
    shifted = dataset[name] * draw(st.sampled_from([-1.0, 2.0, 0.3]))
    return dataset.assign({name: shifted.assign_attrs(dataset[name].attrs)})


def scale_values(dataset, product, draw):
    """Values in a unit 1000 times smaller than the file says, or codes that are not bytes."""
    name = next(iter(PRODUCTS[product][2]))
    scaled = dataset[name].astype(float) * 1e3
    return dataset.assign({name: scaled.assign_attrs(dataset[name].attrs)})


@fuzz
@given(data=st.data(), product=st.sampled_from(list(PRODUCTS)))
@pytest.mark.parametrize(
    "fault", [rename_unit, drop_variable, empty_variable, shift_grid, scale_values]
)
def test_wrong_content(fault, data, product, folder):
    dataset = fault(PRODUCTS[product][0](), product, data.draw)
    path = layouts.write(dataset, folder / "wrong.nc")
    assert_refused(PRODUCTS[product][1], path)


@pytest.mark.parametrize("read", [_observations, _field, _forcing, read_wind_series, identify])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.nc", b""),
        ("text.nc", b"year,month\n2015,1\n"),
        ("magic.nc", b"\x89HDF\r\n\x1a\n"),
        ("classic.nc", b"CDF\x01"),
    ],
)
def test_files_that_are_no_netcdf(read, name, content, folder):
    path = folder / name
    path.write_bytes(content)
    assert_refused(read, path)


@pytest.mark.parametrize("read", [_observations, _field, _forcing, read_wind_series, identify])
def test_no_file(read, folder):
    assert_refused(read, folder / "absent.nc")
    assert_refused(read, folder)


@fuzz
@given(
    variables=st.dictionaries(
        st.sampled_from(["a", "u", "v", "temperature", "time", "ice"]),
        st.tuples(st.integers(0, 3), st.sampled_from(["f4", "i2"])),
        max_size=4,
    )
)
def test_unknown_content(variables, folder):
    dataset = xr.Dataset(
        {
            name: (tuple(f"dim{n}" for n in range(dims)), np.zeros((2,) * dims, dtype))
            for name, (dims, dtype) in variables.items()
        }
    )
    path = layouts.write(dataset, folder / "unknown.nc")
    for read in (_observations, _field, _forcing, read_wind_series):
        assert_refused(read, path)
    with pytest.raises(InputError, match="known are .* NSIDC-0081"):
        identify(path)


@pytest.mark.parametrize("product", PRODUCTS)
def test_the_wrong_door(product, whole):
    for read in {_observations, _climatology, _forcing, read_wind_series} - {PRODUCTS[product][1]}:
        if product in ("nextsim", "cs2smos") and read is _climatology:
            continue
        if product == "cs2smos" and read is _observations:
            continue
        with pytest.raises(InputError, match=f"for {PRODUCTS_DOOR[product]}; "):
            read(whole[product])


PRODUCTS_DOOR = {
    "nsidc0081": "read_observations and concentration_field",
    "cryosat2_monthly": "read_observations",
    "osisaf_drift": "read_observations",
    "osisaf_concentration": "read_observations and concentration_field",
    "smos_thin_ice": "read_observations",
    "cryosat2_l2p": "read_observations",
    "kimura": "read_observations",
    "nextsim": "read_thickness_field",
    "cs2smos_climatology": "read_thickness_field",
    "cs2smos": "read_thickness_field and read_observations",
    "latlon_forcing": "read_forcing",
    "wind_series": "read_wind_series",
}
