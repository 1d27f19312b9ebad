"""One open file of an ice model: its names, times, places and values in our units."""

from functools import cached_property

import numpy as np

from floecast.core.calendar import to_seconds

from .ice_layouts import ICE, layout_of

# Least and largest value in our unit; packed files hold values a little out of bounds.
_WITHIN = {
    "concentration": (-0.01, 1.01),
    "ice_volume": (-0.01, 50.0),
    "snow_volume": (-0.01, 10.0),
    "damage": (-0.01, 1.01),
    "drift": (-5.0, 5.0),
    "currents": (-5.0, 5.0),
    "warmth": (260.0, 320.0),
}
_UNITS = {
    "concentration": "1",
    "ice_volume": "m",
    "snow_volume": "m",
    "damage": "1",
    "drift": "m s-1",
    "currents": "m s-1",
    "warmth": "K",
}
_NEEDED = ("concentration", "ice_volume", "snow_volume", "drift")
_CELSIUS = {"degC", "degree_Celsius", "degree_celsius", "degrees_C", "Celsius", "celsius", "C"}
_MISSING = 1e19  # and more, where a file does not tell its missing value


class IceFile:
    """An open file of a known ice model.

    Parameters
    ----------
    source : Source

    Raises
    ------
    InputError
        If it is no output of a known ice model, or lacks something.
    """

    def __init__(self, source):
        self.source = source
        self.layout = layout = layout_of(source)
        found = {
            name: next((one for one in known if source.has(one)), None)
            for name, known in layout.fields.items()
        }
        found["drift"] = next((pair for pair in layout.drift if source.has(*pair)), None)
        self.names = {name: one for name, one in found.items() if one is not None}
        """Names in the file by ours; a pair for vectors."""
        for name in _NEEDED:
            if name not in self.names:
                known = layout.fields.get(name) or (" and ".join(pair) for pair in layout.drift)
                source.refuse(
                    f"lacks {name}, expected {' or '.join(known)}; it holds {source.listing()}"
                )
        dims = source.variable(self.names["concentration"]).dims
        if len(dims) != 3:
            source.refuse(f"{self.names['concentration']} has {dims}, expected time, y and x")
        self.time_dim, self.dims = dims[0], dims[1:]
        """Dimension of the times, and those of the cells."""
        for name, given in self.names.items():
            for one in (given,) if isinstance(given, str) else given:
                source.variable(one, dims)
                self._conversion(name, one)
        # The ocean is welcome, but only where it has the form of the ice.
        for name, candidates in (
            ("currents", layout.currents),
            ("warmth", [(one,) for one in layout.warmth]),
        ):
            for pair in candidates:
                if source.has(*pair) and all(source.variable(one).dims == dims for one in pair):
                    self.names.setdefault(name, pair)

    @property
    def shape(self):
        """Rows and columns."""
        return self.source.variable(self.names["concentration"]).shape[1:]

    @cached_property
    def time(self):
        """Times, to the second [s since 2000-01-01]."""
        source, layout = self.source, self.layout
        concentration = source.variable(self.names["concentration"])
        written = str(concentration.encoding.get("coordinates", "")).split()
        order = [*(name for name in written if name in layout.times), *layout.times]
        name = next((name for name in order if source.has(name)), None)
        if name is None:
            source.refuse(f"has no times, expected {' or '.join(layout.times)}; {source.listing()}")
        source.variable(name, (self.time_dim,))
        source.seconds(name, ascending=False)
        # Days as floating-point numbers lie a little beside the hour.
        stamps = source.read(source.variable(name)) + np.timedelta64(500, "ms")
        time = np.asarray(to_seconds(stamps))
        if np.any(np.diff(time) <= 0):
            source.refuse(f"{name} does not ascend, expected each time later than the one before")
        return time

    def places(self, **rows):
        """Latitude and longitude of the cells, NaN where a cell has none.

        Parameters
        ----------
        **rows
            Part by dimension; all if left out.

        Returns
        -------
        latitude, longitude : (y, x) array
            [degrees]
        """
        names, units = self.layout.places, ("degrees_north", "degrees_east")
        latitude, longitude = (
            self.source.numbers(name, self.dims, unit, within=within, gaps=True, **rows)
            for name, unit, within in zip(names, units, ((-90, 90), (-360, 720)), strict=True)
        )
        # Parts of a grid that NEMO leaves out come as zeros.
        nowhere = np.isnan(latitude) | np.isnan(longitude) | ((latitude == 0) & (longitude == 0))
        return np.where(nowhere, np.nan, latitude), np.where(nowhere, np.nan, longitude)

    def same_places(self, places):
        """Whether the cells lie where others do, judged by three rows."""
        if places[0].shape != self.shape:
            return False
        rows = [0, self.shape[0] // 2, self.shape[0] - 1]
        here = self.places(**{self.dims[0]: rows})
        return all(
            np.array_equal(one, other[rows], equal_nan=True)
            for one, other in zip(here, places, strict=True)
        )

    def over_ice(self, name):
        """Whether values are means over the ice: as the file tells, else as the model does it."""
        variable = self.names[name]
        methods = str(self.source.variable(variable).attrs.get("cell_methods", ""))
        if "area: mean" in methods:
            return "where sea_ice" in methods
        return self.layout.fields[name][variable] == ICE

    @property
    def averaging(self):
        """How values come from those along time, where they are means; else empty."""
        methods = self.source.variable(self.names["concentration"]).attrs.get("cell_methods", "")
        return str(methods) if "time: mean" in str(methods) else ""

    def axes(self):
        """What the components of vectors are along.

        Returns
        -------
        signs : tuple of float or None
            1 or -1 where they are along growing or falling columns and rows, None where they are
            to the east and to the north.
        note : str or None
            What was assumed.

        Notes
        -----
        neXtSIM writes a false easting of 1 for components along its axes and of 0 for those to
        east and north, and neither on a grid that it has read from a file.
        """
        source, first = self.source, self.names["drift"][0]
        standard = str(source.variable(first).attrs.get("standard_name", ""))
        plane = source.dataset.variables.get("Polar_Stereographic_Grid")
        turned = plane is not None and float(plane.attrs.get("false_easting", 1)) == 0
        if standard.startswith("eastward") or (self.layout.name == "nextsim_moorings" and turned):
            return None, None
        signs = [1.0, 1.0]
        for number, axis in enumerate(("x", "y")):
            if source.has(axis) and source.variable(axis).dims == (axis,):
                steps = np.diff(source.read(source.variable(axis)).astype(float))
                signs[number] = -1.0 if (steps < 0).all() else 1.0
        if self.layout.name == "nextsim_moorings" and plane is None:
            return signs, f"the files do not tell what {first} is along: taken as rows of the grid"
        return signs, None

    def values(self, name, index):
        """Values at some times in our unit, NaN where missing.

        Parameters
        ----------
        name : str
            Of `names`.
        index : (time,) int array

        Returns
        -------
        tuple of (time, y, x) arrays
            One for each component.

        Raises
        ------
        InputError
            If a value is out of range.
        """
        given = self.names[name]
        pair = (given,) if isinstance(given, str) else given
        return tuple(self._values(name, variable, index) for variable in pair)

    def _values(self, name, variable, index):
        source = self.source
        values = source.read(source.variable(variable), **{self.time_dim: index})
        if values.dtype.kind not in "iuf":
            source.refuse(f"{variable} holds {values.dtype} values, expected numbers")
        values = values.astype(float)
        values[np.abs(values) > _MISSING] = np.nan
        factor, offset = self._conversion(name, variable)
        low, high = ((bound - offset) / factor for bound in _WITHIN[name])
        wrong = (values < low) | (values > high)
        if wrong.any():
            source.refuse(
                f"{variable} is {values[wrong][0]:g} and out of range in {wrong.sum()} places, "
                f"expected {low:g} to {high:g} in its unit"
            )
        return factor * values + offset

    def _conversion(self, name, variable):
        """Factor and offset to our unit."""
        written, unit = (
            self.source.variable(variable).attrs.get("units"),
            self.source.unit(variable),
        )
        expected = _UNITS[name]
        if unit == expected or (written is None and expected == "1"):
            return 1.0, 0.0
        if unit == "%" and expected == "1":
            return 0.01, 0.0
        if expected == "K" and str(written).strip() in _CELSIUS:
            return 1.0, 273.15
        self.source.refuse(f"{variable} is in {written!r}, expected {expected!r}")
