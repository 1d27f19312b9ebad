"""Arakawa C grids on the polar-stereographic plane, or on a flat box for idealised cases."""

import equinox as eqx
import numpy as np

from . import display
from .errors import InputError
from .land import ocean_mask
from .projection import EPSG_3413

EARTH_ROTATION = 7.292115e-5
"""Angular velocity of the Earth [rad/s]."""

PRESETS = {
    "arctic100": (64, 100e3),
    "arctic50": (128, 50e3),
    "arctic25": (256, 25e3),
    "arctic12": (512, 12.5e3),
}
"""Cells along a side and spacing [m] of each preset: one square of 6400 km around the pole."""


class Grid(eqx.Module):
    """Arakawa C grid with masks and metric; arrays are ``(y, x)``, rows and columns ascending.

    U(j, i) lies on the east face of the cell T(j, i), V(j, i) on its north face and F(j, i) on its
    north-east corner. The domain is closed: its outer faces count as coast.

    Parameters
    ----------
    name : str
        Preset or case.
    spacing : float
        Distance between centres on the projected plane [m].
    epsg : int or None
        Projection; None for a flat box.
    x, y : (nx,), (ny,) array
        Cell centres on the projected plane [m].
    latitude, longitude : (y, x) array
        T points [degrees].
    dx_t, dx_u, dx_v, dx_f : (y, x) array
        True side of a cell at each point [m]; the same along x and y, as the projection is
        conformal: `spacing` over the exact scale factor.
    area : (y, x) array
        True area of a cell [m2].
    mask_t, mask_u, mask_v, mask_f : (y, x) bool array
        True at ocean points. A face is ocean where both of its cells are, a corner where its four.
    coriolis : (y, x) array
        Coriolis parameter at T points [1/s].
    angle : (y, x) array
        Angle from true east to the grid's x axis at T points, counter-clockwise [rad].
    """

    name: str = eqx.field(static=True)
    spacing: float = eqx.field(static=True)
    epsg: int | None = eqx.field(static=True)
    x: np.ndarray
    y: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    dx_t: np.ndarray
    dx_u: np.ndarray
    dx_v: np.ndarray
    dx_f: np.ndarray
    area: np.ndarray
    mask_t: np.ndarray
    mask_u: np.ndarray
    mask_v: np.ndarray
    mask_f: np.ndarray
    coriolis: np.ndarray
    angle: np.ndarray

    @classmethod
    def preset(cls, name):
        """Arctic grid of the family ``arctic100``, ``arctic50``, ``arctic25``, ``arctic12``.

        Parameters
        ----------
        name : str

        Returns
        -------
        Grid
            On EPSG:3413, with the land mask that ships with the package.

        Raises
        ------
        InputError
            If there is no such preset.
        """
        if name not in PRESETS:
            raise InputError(f"no grid preset {name!r}; there are {', '.join(PRESETS)}")
        size, spacing = PRESETS[name]
        x = (np.arange(size) - (size - 1) / 2) * spacing
        latitude, longitude = EPSG_3413.inverse(*np.meshgrid(x, x))
        half = spacing / 2

        def side(shift_x, shift_y):
            where = EPSG_3413.inverse(*np.meshgrid(x + shift_x, x + shift_y))
            return spacing / EPSG_3413.scale(where[0])

        return cls._assemble(
            name=name,
            spacing=spacing,
            epsg=3413,
            x=x,
            y=x.copy(),
            latitude=latitude,
            longitude=longitude,
            dx_t=side(0, 0),
            dx_u=side(half, 0),
            dx_v=side(0, half),
            dx_f=side(half, half),
            mask_t=ocean_mask(name),
            angle=EPSG_3413.rotation(longitude),
        )

    @classmethod
    def box(cls, shape, spacing, latitude=90.0, ocean=None):
        """Flat closed box for idealised cases.

        Parameters
        ----------
        shape : tuple of int
            Rows and columns.
        spacing : float
            Side of a cell [m].
        latitude : float
            Of the whole box, for the Coriolis parameter [degrees].
        ocean : (y, x) bool array, optional
            Where there is sea; everywhere if left out.

        Returns
        -------
        Grid

        Raises
        ------
        InputError
            If `shape` or `spacing` is not positive, or `ocean` has another shape.
        """
        ny, nx = shape
        if min(ny, nx) < 1 or not spacing > 0:
            raise InputError(f"a box needs positive shape and spacing, not {shape} and {spacing}")
        ocean = np.ones((ny, nx), bool) if ocean is None else np.asarray(ocean, bool)
        if ocean.shape != (ny, nx):
            raise InputError(f"ocean mask has shape {ocean.shape}, the box {(ny, nx)}")
        side = np.full((ny, nx), float(spacing))
        return cls._assemble(
            name="box",
            spacing=float(spacing),
            epsg=None,
            x=(np.arange(nx) + 0.5) * spacing,
            y=(np.arange(ny) + 0.5) * spacing,
            latitude=np.full((ny, nx), float(latitude)),
            longitude=np.zeros((ny, nx)),
            dx_t=side,
            dx_u=side,
            dx_v=side,
            dx_f=side,
            mask_t=ocean,
            angle=np.zeros((ny, nx)),
        )

    @classmethod
    def _assemble(cls, *, mask_t, dx_t, latitude, **fields):
        mask_u, mask_v, mask_f = (np.zeros_like(mask_t) for _ in range(3))
        mask_u[:, :-1] = mask_t[:, :-1] & mask_t[:, 1:]
        mask_v[:-1] = mask_t[:-1] & mask_t[1:]
        mask_f[:-1, :-1] = mask_u[:-1, :-1] & mask_u[1:, :-1]
        return cls(
            mask_t=mask_t,
            mask_u=mask_u,
            mask_v=mask_v,
            mask_f=mask_f,
            dx_t=dx_t,
            area=dx_t**2,
            latitude=latitude,
            coriolis=2 * EARTH_ROTATION * np.sin(np.radians(latitude)),
            **fields,
        )

    @property
    def shape(self):
        """Rows and columns."""
        return self.mask_t.shape

    def edges(self):
        """Faces of the cells on the projected plane, ``(nx + 1,)`` and ``(ny + 1,)`` [m]."""
        half = self.spacing / 2
        x, y = self.x - half, self.y - half
        return np.append(x, x[-1] + self.spacing), np.append(y, y[-1] + self.spacing)

    def __repr__(self):
        return display.text(self)

    def _repr_html_(self):
        return display.page(self)

    def _card(self):
        plane = "flat" if self.epsg is None else f"EPSG:{self.epsg}"
        facts = [
            ("", f"{display.shape_text(self.shape)} cells of {self.spacing / 1e3:g} km"),
            ("on", f"{self.name}, {plane}"),
            ("latitude", display.span(self.latitude, "degrees")),
            ("sea", f"{int(np.sum(self.mask_t))} cells"),
        ]
        return display.Card("Grid", facts)

    def _pictures(self):
        depth = np.where(self.mask_t, self.latitude, np.nan)
        return [display.Picture("latitude of the sea", depth, "amount", self.mask_t)]
