"""States under the names of the CMEMS neXtSIM product, for programs that read that one."""

import numpy as np

from .cf import to_dataset
from .store import write_netcdf

_NAMES = {"concentration": "siconc", "thickness": "sithick", "u": "vxsi", "v": "vysi"}
_SNOW = "sisnthick"


def write_cmems(path, states, grid, time, *, title="Sea ice of floecast"):
    """Write states as ARCTIC_ANALYSISFORECAST_PHY_ICE_002_011 names and places them.

    Parameters
    ----------
    path : str or Path
        netCDF file, CF-1.8; replaced in one step.
    states : IceState
        Leaves ``(time, y, x)``, such as means of an ensemble along time.
    grid : Grid
        A preset.
    time : (time,) int array
        [s since 2000-01-01]
    title : str

    Raises
    ------
    InputError
        If a shape is wrong.

    Notes
    -----
    ``siconc`` [1], ``sithick`` and ``sisnthick`` (means over the ice [m], missing where there is
    none), ``vxsi`` and ``vysi`` (along the axes of the grid at the centres of cells [m s-1]).
    `IceOutput` reads it again; what crosses a face and is averaged to the centre does not come
    back.
    """
    cover = np.asarray(states.concentration)
    icy = cover > 1e-6
    safe = np.where(icy, cover, 1.0)
    fields = {
        "concentration": cover,
        "thickness": np.where(icy, np.asarray(states.ice_volume) / safe, np.nan),
        "u": np.asarray(states.u),
        "v": np.asarray(states.v),
    }
    dataset = to_dataset(fields, grid, title=title, time=np.asarray(time)).rename(_NAMES)
    snow = np.where(icy & grid.mask_t, np.asarray(states.snow_volume) / safe, np.nan)
    thickness = dataset["sithick"]
    dataset[_SNOW] = thickness.copy(data=snow.astype(np.float32))
    dataset[_SNOW].encoding = dict(thickness.encoding)
    dataset[_SNOW].attrs |= {
        "standard_name": "surface_snow_thickness",
        "long_name": "snow thickness, mean over the ice",
    }
    write_netcdf(dataset, path)
