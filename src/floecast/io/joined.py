"""One netCDF file of many that hold a time each, without more than one in memory."""

import netCDF4
import numpy as np

from floecast.core.atomic import replacing


def join_netcdf(parts, path):
    """Join files along ``time``, in one step: whole or not at all.

    Parameters
    ----------
    parts : sequence of path-like
        Of the same variables, one time each, in their order.
    path : path-like
        What stands there is replaced.

    Notes
    -----
    Variables without a time are those of the first file. A field of one time, quantile or member
    is one chunk. The same parts give the same bytes.
    """
    with replacing(path) as partial, netCDF4.Dataset(partial, "w", format="NETCDF4") as whole:
        for number, part in enumerate(parts):
            with netCDF4.Dataset(part) as source:
                source.set_auto_maskandscale(False)
                if number == 0:
                    _define(source, whole, len(parts))
                for name, variable in source.variables.items():
                    if "time" in variable.dimensions:
                        where = tuple(
                            slice(number, number + 1) if dim == "time" else slice(None)
                            for dim in variable.dimensions
                        )
                        whole[name][where] = variable[...]
                    elif number == 0:
                        whole[name][...] = variable[...]


def _define(source, whole, times):
    """Dimensions, variables and attributes of one file in another, of as many times."""
    whole.setncatts({name: source.getncattr(name) for name in source.ncattrs()})
    for name, dimension in source.dimensions.items():
        whole.createDimension(name, times if name == "time" else len(dimension))
    for name, variable in source.variables.items():
        attributes = {key: variable.getncattr(key) for key in variable.ncattrs()}
        # None lets the library choose a value that is not told; False leaves nothing to fill.
        fill = attributes.pop("_FillValue", False)
        shape = [whole.dimensions[dim].size for dim in variable.dimensions]
        packed = {}
        if shape and np.dtype(variable.dtype).kind in "fiu":
            field = variable.dimensions[-2:] == ("y", "x")
            chunks = [1] * (len(shape) - 2) + shape[-2:] if field else shape
            packed = {"compression": "zlib", "complevel": 1, "shuffle": True, "chunksizes": chunks}
        made = whole.createVariable(
            name, variable.dtype, variable.dimensions, fill_value=fill, **packed
        )
        made.set_auto_maskandscale(False)
        made.setncatts(attributes)
