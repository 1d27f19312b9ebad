"""Products of a forecast follow CF-1.8, say what they hold, and join along time to the bit."""

import netCDF4
import numpy as np
import pytest
import xarray as xr

from floecast.core.calendar import DAY, to_datetime64, to_seconds
from floecast.core.grid import Grid
from floecast.core.operators import u_to_t
from floecast.core.state import IceState
from floecast.forecast.dates import Crossings
from floecast.forecast.products import products
from floecast.forecast.trajectories import seeded, spread_of
from floecast.io.cf import read_dataset, write_netcdf
from floecast.io.forecast_files import (
    dates_dataset,
    edge_dataset,
    products_dataset,
    trajectories_dataset,
)
from floecast.io.joined import join_netcdf

GRID = Grid.preset("arctic100")
START = to_seconds("2015-01-01")
LEVELS, CLASSES = (0.1, 0.5, 0.9), (0.3, 1.2)
MEMBERS = 5


def members(seed):
    random = np.random.default_rng(seed)
    shift = random.normal(0, 1.5, (MEMBERS, 1, 1))
    cover = np.clip((GRID.latitude - 75 + shift) / 5, 0, 1).astype(np.float32) * GRID.mask_t
    u, v = 0.1 * random.normal(size=(2, MEMBERS, *GRID.shape)).astype(np.float32)
    return IceState(cover, 1.5 * cover, 0.1 * cover, u * GRID.mask_u, v * GRID.mask_v, 0 * cover)


@pytest.fixture(scope="module")
def told():
    return [products(members(seed), GRID, levels=LEVELS, classes=CLASSES) for seed in range(3)]


@pytest.fixture(scope="module")
def parts(told, tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    described = {"levels": LEVELS, "classes": CLASSES, "probability": 0.9, "issued": START}
    paths = [folder / f"{number}.nc" for number in range(3)]
    for number, path in enumerate(paths):
        time = START + number * DAY
        made = products_dataset(told[number], GRID, time=time, **described)
        write_netcdf(made.assign_attrs(history="made", institution="here"), path)
    return paths


def edges(told):
    return edge_dataset([(START + i * DAY, one.edge) for i, one in enumerate(told)], GRID)


def crossings():
    none = Crossings.begin(members(0).concentration)
    freeze_up, break_up = none.freeze_up.copy(), none.break_up.copy()
    freeze_up[:3, 30, 20], break_up[:, 30, 30] = [DAY, 3 * DAY, 2 * DAY], DAY
    return Crossings(none.ice, none.since, freeze_up, break_up)


def dates():
    return dates_dataset(
        crossings(), GRID, issued=START, end=START + 10 * DAY, levels=LEVELS, spell_days=5
    )


def drifters():
    random = np.random.default_rng(3)
    begin = np.stack([seeded("buoy", -150.0, 75.0, GRID), seeded("ship", 120.0, 80.0, GRID)])
    steps = random.normal(0, 5e3, (3, MEMBERS, 2, 2)).cumsum(axis=0)
    positions = begin + steps
    positions[0, :, 1] = np.nan
    positions[:, 3] = np.nan
    good = np.delete(positions, 3, axis=1)
    spread = spread_of(np.moveaxis(good, 1, 0), 0.9, GRID)
    times = START + DAY * np.arange(3)
    return trajectories_dataset(
        ["buoy", "ship"],
        positions,
        spread,
        np.ones((3, 2)),
        GRID,
        time=times,
        issued=START,
        probability=0.9,
    )


def test_joined_parts_are_what_they_hold(parts, told, tmp_path):
    join_netcdf(parts, tmp_path / "forecast.nc")
    join_netcdf(parts, tmp_path / "again.nc")
    assert (tmp_path / "forecast.nc").read_bytes() == (tmp_path / "again.nc").read_bytes()
    with read_dataset(tmp_path / "forecast.nc") as whole:
        for number, path in enumerate(parts):
            with read_dataset(path) as part:
                xr.testing.assert_identical(whole.isel(time=[number]).load(), part.load())
        sea = GRID.mask_t
        assert whole["time"].values.tolist() == to_datetime64(START + DAY * np.arange(3)).tolist()
        found = whole["concentration_quantile"].sel(quantile=0.5).values
        for number, one in enumerate(told):
            expected = one.fields["concentration_quantile"][1]
            np.testing.assert_array_equal(found[number][sea], expected[sea])
        classes = whole["probability_of_thickness_class"].sum("thickness_class").values
        ice = whole["probability_of_ice"].values
        np.testing.assert_allclose(classes[:, sea], ice[:, sea], atol=1e-6)
        assert whole["members"].values.tolist() == [MEMBERS] * 3
        assert whole["ice_edge_width"].values[0] == pytest.approx(told[0].edge.width)
        ice = members(0)
        expected = np.std([u_to_t(u, GRID) for u in ice.u], axis=0, ddof=1)
        np.testing.assert_allclose(whole["u_spread"].values[0][sea], expected[sea], rtol=1e-4)
        assert "member" in whole["u"].attrs["comment"]
    with netCDF4.Dataset(tmp_path / "forecast.nc") as raw:
        assert raw["concentration_quantile"].chunking() == [1, 1, *GRID.shape]


def test_products_pass_the_checker(parts, told, tmp_path, checker):
    join_netcdf(parts, tmp_path / "forecast.nc")
    for name, dataset in {"edges": edges(told), "dates": dates(), "drifters": drifters()}.items():
        complete = dataset.assign_attrs(history="made", institution="here")
        write_netcdf(complete, tmp_path / f"{name}.nc")
    for name in ("forecast", "edges", "dates", "drifters"):
        assert not checker(tmp_path / f"{name}.nc"), name


def test_edge_points_know_their_time_and_place(told):
    dataset = edges(told)
    assert dataset.sizes["point"] == sum(len(one.edge.x) for one in told)
    times, count = np.unique(dataset["time"], return_counts=True)
    assert count.tolist() == [len(one.edge.x) for one in told]
    assert times.tolist() == to_datetime64(START + DAY * np.arange(3)).tolist()
    np.testing.assert_allclose(dataset["latitude"], 75.75, atol=4.0)
    assert edge_dataset([], GRID).sizes["point"] == 0


def test_dates_are_dates_or_missing(tmp_path):
    write_netcdf(dates(), tmp_path / "dates.nc")
    with read_dataset(tmp_path / "dates.nc") as told:
        cell = told.isel(y=30, x=20)
        day = to_datetime64(START + DAY * np.array([1, 3]))
        assert cell["freeze_up"].values[:2].tolist() == day.tolist()
        assert np.isnat(cell["freeze_up"].values[2]) and np.isnat(cell["break_up"].values).all()
        assert cell["probability_of_freeze_up"].item() == pytest.approx(0.6)
        assert told["probability_of_break_up"].isel(y=30, x=30).item() == 1.0
        assert np.isnan(told["probability_of_break_up"].values[~GRID.mask_t]).all()


def test_drifters_are_told_by_name(tmp_path):
    write_netcdf(drifters(), tmp_path / "x.nc")
    with read_dataset(tmp_path / "x.nc") as told:
        assert told["drifter_name"].values.tolist() == ["buoy", "ship"]
        buoy, ship = (told.isel(drifter=number) for number in (0, 1))
        assert abs(buoy["drifter_latitude"].isel(realization=0, time=0).item() - 75) < 0.3
        assert buoy["drifter_spread"].dims == ("time",)
        assert np.isnan(ship["drifter_x_mean"].values[0])
        assert np.isnan(buoy["drifter_x"].isel(realization=3)).all()
