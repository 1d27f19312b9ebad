"""``dataset.floecast``: maps of any dataset of ours, for notebooks.

Loaded with `floecast.io.cf` and `floecast.report`; the drawing library only when a map is drawn.
"""

import xarray as xr

from floecast.core.errors import InputError

__all__ = ["FloecastAccessor"]


@xr.register_dataset_accessor("floecast")
class FloecastAccessor:
    """What floecast adds to a dataset.

    Parameters
    ----------
    dataset : xarray.Dataset
        With axes ``y`` and ``x`` [m], as every product of floecast has.
    """

    def __init__(self, dataset):
        self._dataset = dataset

    def map(self, name):
        """Map of a variable on the plane of its grid, with land and the ice edge.

        Parameters
        ----------
        name : str
            A variable along ``y`` and ``x`` alone: choose a time and a member before, as in
            ``dataset.isel(time=-1).floecast.map("concentration")``.

        Returns
        -------
        notebook.MapPicture
            Shown by a notebook; ``save(path)`` writes the PNG.

        Raises
        ------
        InputError
            If there is no such variable, or it has other axes, or the dataset has no ``x, y``.
        """
        dataset = self._dataset
        if name not in dataset.data_vars:
            known = ", ".join(map(str, dataset.data_vars))
            raise InputError(f"no variable {name!r} in the dataset; there are {known}")
        field = dataset[name]
        if not {"y", "x"} <= set(field.dims) or not {"y", "x"} <= set(dataset.coords):
            raise InputError(f"{name} lies along {', '.join(map(str, field.dims))}, not y and x")
        field = field.squeeze(drop=True) if field.size > 1 else field
        others = [str(dim) for dim in field.dims if dim not in ("y", "x")]
        if others:
            choice = ", ".join(f"{dim}=0" for dim in others)
            raise InputError(
                f"{name} lies along {', '.join(others)} too: choose one, as in "
                f"dataset.isel({choice}).floecast.map({name!r})"
            )
        from floecast.report.notebook import draw_map

        return draw_map(dataset, field.transpose("y", "x"))
