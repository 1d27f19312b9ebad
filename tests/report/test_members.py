"""What members tell: quantiles, classes, totals, the edge and its band."""

import numpy as np
import pytest
import xarray as xr

from floecast.core.grid import Grid
from floecast.forecast.ice_edge import ice_edge
from floecast.report.contents import read_contents
from floecast.report.edges import forecast_edges, lines, rings
from floecast.report.layers import class_names, layers
from floecast.report.members import BAND, cell_area, with_members
from floecast.report.overview import observation_table, outlook, provenance


@pytest.fixture(scope="module")
def run(make_run, tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def contents(run):
    return read_contents(run)


@pytest.fixture(scope="module")
def grid():
    return Grid.preset("arctic100")


@pytest.fixture(scope="module")
def told(contents, grid):
    return with_members(contents.forecast, contents.members, range(3), 4, grid)


@pytest.fixture(scope="module")
def members(run):
    with xr.open_dataset(run / "forecast_members.nc") as dataset:
        return dataset.load()


def test_quantiles_and_probabilities_are_of_all_members(told, members, grid):
    concentration = members["concentration"].transpose("time", "realization", "y", "x").values
    expected = np.quantile(concentration, 0.25, axis=1, method="median_unbiased")
    made = told.forecast["concentration_quantile"].sel(quantile=0.25).values
    np.testing.assert_allclose(made[:, grid.mask_t], expected[:, grid.mask_t], atol=1e-6)
    assert np.isnan(made[:, ~grid.mask_t]).all()
    pack = np.mean(concentration > 0.8, axis=1)
    found = told.forecast["probability_of_pack_ice"].values
    np.testing.assert_allclose(found[:, grid.mask_t], pack[:, grid.mask_t])
    classes = told.forecast["probability_of_thickness_class"].values.sum(axis=0)
    ice = np.mean(concentration > 0.15, axis=1)
    np.testing.assert_allclose(classes[:, grid.mask_t], ice[:, grid.mask_t], atol=1e-12)


def test_what_the_file_tells_is_left_as_it_is(contents, told):
    assert told.forecast["probability_of_ice"].identical(contents.forecast["probability_of_ice"])


def test_members_kept_are_evenly_chosen(told, members):
    kept = told.members["concentration"]
    assert kept.shape[:2] == (3, 4)
    chosen = members["concentration"].isel(realization=[0, 2, 3, 5])
    expected = chosen.transpose("time", "realization", "y", "x").fillna(0).values
    np.testing.assert_array_equal(np.nan_to_num(kept), expected)


def test_a_lost_member_counts_nowhere(contents, members, tmp_path, grid):
    part = members.copy(deep=True)
    part["concentration"][{"realization": 5}] = np.nan
    part["ice_volume"][{"realization": 5}] = np.nan
    part.to_netcdf(tmp_path / "lost.nc")
    members.isel(realization=slice(0, 5)).to_netcdf(tmp_path / "fewer.nc")
    lost, fewer = (
        with_members(contents.forecast, tmp_path / name, [2], 9, grid)
        for name in ("lost.nc", "fewer.nc")
    )
    xr.testing.assert_identical(lost.forecast, fewer.forecast)
    np.testing.assert_array_equal(lost.totals["extent"], fewer.totals["extent"])
    assert np.isnan(lost.members["concentration"][0, 5]).all()


def test_edge_and_width_are_those_of_the_ensemble(contents, told, members, grid):
    edges = forecast_edges(contents, told, range(3))
    concentration = members["concentration"].isel(time=2).transpose("realization", "y", "x")
    expected = ice_edge(np.nan_to_num(concentration.values), grid)
    assert edges[2].width == pytest.approx(expected.width / 1000)
    np.testing.assert_allclose(np.concatenate(edges[2].median)[:, 0], expected.x)
    assert edges[0].width < edges[2].width
    assert edges[2].band and edges[2].limits


def test_band_without_members_is_that_of_the_probability(contents):
    told = with_members(contents.forecast, None, [0, 2], 4)
    first, last = forecast_edges(contents, told, [0, 2])
    assert first.band and first.median and np.isnan(last.width)
    assert told.members == {} and told.forecast.sizes["time"] == 2


def test_rings_keep_their_holes():
    x = y = np.arange(20.0)
    distance = np.hypot(x - 9.5, y[:, None] - 9.5)
    band = rings(x, y, np.where((distance > 3) & (distance < 7), 1.0, 0.0), 0.5)
    assert sorted(len(ring) for ring in band)[0] > 4 and len(band) == 2
    field = np.where(distance < 3, np.nan, 1.0)
    assert lines(x, y, field, 0.5) == [] and len(rings(x, y, field, 0.5)) == 2
    assert rings(x, y, np.full((20, 20), np.nan), 0.5) == []


def test_layers_name_their_arrays(contents, told):
    made, arrays = layers(contents, told)
    keys = [layer.key for layer in made]
    assert len(set(keys)) == len(keys)
    for layer in made:
        values = arrays[layer.entry][0]
        assert values.ndim == (3 if layer.index is None else 4), layer.key
        assert layer.index is None or layer.index < values.shape[1]
        assert len(layer.plain()["colours"]) == layer.scale.steps
    truth = contents.verification["ice_volume"] / contents.verification["concentration"]
    ice = contents.verification["concentration"].values > 0.01
    np.testing.assert_allclose(arrays["truth_thickness"][0][ice], truth.values[ice])


def test_class_names():
    assert class_names([0.0, 0.3, 2.0]) == ["0 to 0.3 m", "0.3 to 2 m", "2 m and more"]


def test_outlook_by_hand(contents, told, grid):
    edges = forecast_edges(contents, told, range(3))
    view = type("View", (), {"told": told, "edges": edges, "times": [0, 1, 2]})
    table = outlook(contents, view)
    area = np.broadcast_to(cell_area(contents.forecast), grid.shape)
    ice = np.nan_to_num(contents.forecast["concentration"].values[1]) > 0.15
    extent = area[ice].sum() / 1e9
    assert float(table.rows[1][1].value.replace(",", "")) == pytest.approx(extent, abs=0.5)
    low, high = np.quantile(told.totals["extent"][1], BAND, method="median_unbiased")
    assert table.rows[1][1].interval == f"{low:,.0f} to {high:,.0f}"
    # The true area of cells is that of the grid to a part in a thousand.
    np.testing.assert_allclose(area[grid.mask_t], np.asarray(grid.area)[grid.mask_t], rtol=2e-3)


def test_observations_are_counted_by_fate(contents):
    table = observation_table(contents)
    counts = {row[0]: [int(cell.value) for cell in row[1:4]] for row in table.rows}
    data = contents.observations
    for index, kind in enumerate(("concentration", "thickness")):
        own = data["kind"].values == index
        used, flag = data["assimilated"].values == 1, data["flag"].values
        assert sum(counts[kind]) == own.sum()
        assert counts[kind][2] == (own & (flag != 0)).sum() > 0
        assert counts[kind][1] == (own & (flag == 0) & ~used).sum() > 0


def test_provenance(contents):
    told = dict(provenance(contents))
    assert told["Members"] == "40" and told["Weather"].startswith("that of the twin")
    assert told["Verified against"] == "the truth of the twin"
