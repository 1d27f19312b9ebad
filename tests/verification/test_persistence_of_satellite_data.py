"""Persistence of observed concentration has known scores."""

from datetime import date

import numpy as np
import pytest

from floecast.verification import iiee, persistence, rmse

DAYS = [1, 2, 3, 5]
STARTS = np.arange(53) * 3


@pytest.fixture(scope="module")
def satellite(data_folder):
    """Daily concentration from 2016-10-15, sea mask and cell area of the 25 km product."""
    netcdf = pytest.importorskip("netCDF4", reason="netCDF4 is not installed")
    folder = data_folder / "nsidc0081_sic"
    if not folder.is_dir():
        pytest.skip(f"no concentration data: {folder} does not exist")
    codes = []
    for name, days in (
        ("nsidc0081_nh_2016.nc", slice((date(2016, 10, 15) - date(2016, 1, 1)).days, None)),
        ("nsidc0081_nh_20170101_20170731.nc", slice(0, 84)),
    ):
        with netcdf.Dataset(folder / name) as dataset:
            dataset.set_auto_mask(False)
            codes.append(dataset["icecon"][days])
    with netcdf.Dataset(folder / "psn25_grid.nc") as grid:
        region, area = np.asarray(grid["region"][:]), np.asarray(grid["cell_area_km2"][:])
    return np.concatenate(codes), (region >= 1) & (region <= 18), area


def test_winter_persistence(satellite):
    codes, sea, area = satellite
    root_mean_square, edge_error = np.empty((2, STARTS.size, len(DAYS)))
    for row, start in enumerate(STARTS):
        target = codes[start + np.array(DAYS)]
        forecast = persistence(codes[start] / 250, len(DAYS))
        valid = sea & (codes[start] <= 250) & (target <= 250)
        either = valid & ((codes[start] > 0) | (target > 0))
        root_mean_square[row] = rmse(forecast, target / 250, weights=either)
        edge_error[row] = iiee(forecast, target / 250, weights=area * valid).iiee / 1e3
    # The reference counts every ice cell once and averages the RMSE of the start days.
    np.testing.assert_allclose(
        root_mean_square.mean(axis=0), [0.060, 0.086, 0.105, 0.132], atol=5e-4
    )
    np.testing.assert_allclose(edge_error.mean(axis=0), [364, 514, 623, 798], atol=0.6)
