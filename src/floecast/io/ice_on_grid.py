"""Ice of another model on our grid: amounts conserved, drift along our axes at our faces."""

import numpy as np
from scipy.spatial import KDTree

from floecast.core.projection import EPSG_3413, rotate_to_grid
from floecast.core.variables import STATE

from .grids import GridDefinition
from .regrid import regrid_vector, weights

_REACH = 2.0  # from an ocean cell to the next one with a value [cells]


class IceOnGrid:
    """The way from the cells of a model to those of a preset.

    Parameters
    ----------
    cells : IceCells
    grid : Grid
        A preset.

    Notes
    -----
    Concentration and volumes are means over the shared area of ocean cells; damage is one over
    the shared area of ice. Drift is brought to east and north, averaged over a square around each
    face, or interpolated where the cells of the model are the larger ones, and turned to our axes.
    Ocean cells without any cell of the model under them take the nearest that have one within two
    cells, as coasts differ; farther ones are without ice, and `notes` tells how many.
    """

    def __init__(self, cells, grid):
        self.cells, self.grid = cells, grid
        half = grid.spacing / 2
        self._points = {
            "T": (GridDefinition.of(grid), grid.mask_t),
            "U": (GridDefinition.projected(grid.x + half, grid.y, grid.epsg), grid.mask_u),
            "V": (GridDefinition.projected(grid.x, grid.y + half, grid.epsg), grid.mask_v),
        }
        source = cells.definition
        spacing = np.sqrt(np.median(source.area.ravel()[source.usable & cells.ocean.ravel()]))
        self._method = "conservative" if spacing < grid.spacing else "bilinear"
        self._near, outside = {}, 0
        for point, (_, mask) in self._points.items():
            covered = np.isfinite(self._mean(np.zeros(cells.ocean.shape), point)) & mask
            self._near[point] = _nearest(covered, mask)
            if point == "T":
                outside = np.sum(mask & ~covered & (self._near[point] < 0))
        self.notes = []
        """What was assumed, for the manifest."""
        if outside:
            self.notes.append(
                f"{outside} of {grid.mask_t.sum()} ocean cells of {grid.name} lie outside of the "
                "ice files: no ice there"
            )

    def state(self, fields):
        """Fields of `IceState`.

        Parameters
        ----------
        fields : dict of (time, y, x) arrays
            Of `IceOutput.read`.

        Returns
        -------
        dict of (time, y, x) float32 arrays
            At their points, 0 on land.
        """
        made = {
            name: self._filled(self._mean(fields[name], "T"), "T")
            for name in ("concentration", "ice_volume", "snow_volume")
        }
        cover = np.where(self.cells.ocean, fields["concentration"], 0.0)
        ice = self._filled(self._mean(cover, "T"), "T")
        broken = self._filled(self._mean(cover * np.nan_to_num(fields["damage"]), "T"), "T")
        made["damage"] = np.where(ice > 0, broken / np.where(ice > 0, ice, 1.0), 0.0)
        made["damage"] = np.clip(made["damage"], 0.0, 1.0)
        made["concentration"] = np.clip(made["concentration"], 0.0, 1.0)
        made["u"] = self._along(fields["east"], fields["north"], "U")[0]
        made["v"] = self._along(fields["east"], fields["north"], "V")[1]
        return {name: made[name].astype(np.float32) for name in STATE}

    def ocean(self, fields):
        """What `fields` have of the ocean, at T points: `current_u`, `current_v`,
        `ocean_temperature`, ``(time, y, x)`` each."""
        made = {}
        if "current_east" in fields:
            pair = self._along(fields["current_east"], fields["current_north"], "T")
            made["current_u"], made["current_v"] = pair
        if "ocean_temperature" in fields:
            there = self._mean(fields["ocean_temperature"], "T")
            made["ocean_temperature"] = self._filled(there, "T")
        return made

    def _mean(self, field, point):
        """Mean over shared area, NaN where nothing is shared."""
        method = "conservative" if point == "T" else self._method
        operator = weights(self.cells.definition, self._points[point][0], method)
        return operator.apply(field, mask=self.cells.ocean, minimum_share=0.0)

    def _along(self, east, north, point):
        """Components along our axes."""
        definition = self._points[point][0]
        pair = regrid_vector(
            east,
            north,
            self.cells.definition,
            definition,
            method=self._method,
            mask=self.cells.ocean,
            minimum_share=0.0,
        )
        along = rotate_to_grid(*pair, EPSG_3413.rotation(definition.longitude))  # type: ignore[call-arg]
        return tuple(self._filled(one, point) for one in along)

    def _filled(self, field, point):
        """Without gaps over the ocean, 0 on land."""
        mask, near = self._points[point][1], self._near[point]
        flat = field.reshape(*field.shape[:-2], -1)
        taken = np.where(near.ravel() >= 0, flat[..., np.maximum(near.ravel(), 0)], np.nan)
        return np.where(mask, np.nan_to_num(taken.reshape(field.shape)), 0.0)


def _nearest(covered, mask):
    """Flat index of the covered cell to take for each, -1 where there is none near."""
    index = np.full(mask.size, -1)
    there = np.flatnonzero(covered)
    index[there] = there
    without = np.flatnonzero(mask & ~covered)
    if there.size and without.size:
        places = np.argwhere(np.ones(mask.shape, bool)).astype(float)
        distance, number = KDTree(places[there]).query(places[without])
        near = distance <= _REACH
        index[without[near]] = there[number[near]]
    return index.reshape(mask.shape)
