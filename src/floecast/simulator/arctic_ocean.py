"""A prescribed ocean below the ice: mean surface currents, sea level and warmth of the Arctic.

Longer than 400 lines because its tables of knots belong beside the code that reads them.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from floecast.atmosphere.arctic_climate import winter
from floecast.core.calendar import year_fraction
from floecast.core.constants import FREEZING_POINT, GRAVITY
from floecast.core.errors import InputError
from floecast.core.grid import EARTH_ROTATION, Grid
from floecast.core.operators import u_to_t, v_to_t
from floecast.core.projection import EPSG_3413

CORIOLIS = 2 * EARTH_ROTATION * np.sin(np.radians(78.0))
"""Coriolis parameter of the sea level [1/s]; within 3 % of the local one north of 71 degrees."""
COASTAL_WIDTH = 80e3
"""Over which the stream function bends to its value on a coast [m]."""
FREEZING_WIDTH = 0.15
"""Over which the temperature bends to the freezing point [K]."""
WINTER_SUPPLY = 4.0
"""How much warmer than the surface in February the water is that open sea relaxes to [K]."""
SUPPLY_WIDTH = 0.35
"""Warmth that has half of `WINTER_SUPPLY` [K]."""

# Stream function [1000 m2/s]: latitude, longitude, part that does not reach through Bering Strait
# (annual mean), and fraction of the inflow through Bering Strait. High to the right of the flow.
# fmt: off
_CIRCULATION = np.array([
    # Eurasia, from the Norwegian coast to Kamchatka
    (58.5, 7, 0, 0), (62.5, 6, 0, 0), (66.5, 12.5, 0, 0), (70.5, 22, 0, 0), (69.0, 36, 0, 0),
    (67.0, 48, 0, 0), (69.5, 62, 0, 0), (72.5, 78, 0, 0), (76.0, 100, 0, 0), (73.5, 116, 0, 0),
    (71.5, 136, 0, 0), (69.5, 160, 0, 0), (68.0, 180, 0, 0), (65.0, -174, 0, 0),
    (62.0, 172, 0, 0), (58.0, 160, 0, 0),
    # America and Greenland
    (59.5, -160, 0, 1), (63.0, -162, 0, 1), (66.0, -164, 0, 1), (70.5, -158, 0, 1),
    (69.5, -143, 0, 1), (69.0, -130, 0, 1), (68.0, -105, 0, 1), (76.0, -112, 0, 1),
    (80.0, -95, 0, 1), (68.0, -70, 0, 1), (62.0, -72, 0, 1), (60.0, -86, 0, 1),
    (82.8, -65, 0, 1), (83.2, -35, 0, 1), (79.5, -19, 0, 1), (75.5, -21, 0, 1), (70.5, -24, 0, 1),
    (66.5, -36, 0, 1), (60.5, -44, 0, 1), (66.0, -53, 0, 1), (70.5, -54, 0, 1), (76.0, -66, 0, 1),
    (77.5, -79, 0, 1), (75.0, -84, 0, 1), (71.0, -74, 0, 1),
    # Bering Sea and Strait, Chukchi Sea
    (58.5, -176, 0, 0.5), (62.0, -175, 0, 0.3), (66.0, -169, 0, 0.5), (69.0, -170, -1, 0.45),
    (71.5, -176, -2, 0.3), (72.0, -164, 0, 0.75), (73.5, 175, -2, 0.3), (75.0, 165, -2, 0.2),
    # Beaufort Gyre
    (75.5, -148, 20, 1), (78.5, -150, 15, 0.95), (73.0, -158, 11, 0.9), (72.8, -138, 12, 1),
    (75.5, -132, 11, 1), (79.0, -128, 8, 1), (82.0, -110, 3, 1), (80.5, -165, 7, 0.8),
    (77.0, -172, 4, 0.6),
    # Transpolar Drift, from the East Siberian Sea over the pole to Fram Strait
    (80.0, 170, -1, 0.5), (79.0, 148, -6, 0.2), (85.0, -170, 1, 0.7), (86.0, -90, 0, 0.85),
    (90.0, 0, -5, 0.5), (86.0, 90, -11, 0.15), (86.0, 10, -11, 0.4), (85.0, -30, -3, 0.85),
    # Siberian shelf break and Eurasian Basin
    (76.5, 125, -4, 0), (81.0, 122, -11, 0), (80.5, 95, -6, 0), (83.5, 90, -12, 0),
    (83.0, 60, -12, 0), (83.5, 30, -13, 0.05), (79.0, 80, -4, 0), (76.0, 72, -3, 0),
    # Fram Strait
    (82.0, 3, -10, 0.4), (79.0, -10, -3, 0.95), (79.0, -5, -12, 0.75), (79.0, -1, -21, 0.45),
    (79.0, 4, -29, 0.2), (79.0, 8, -16, 0), (78.5, 15, -9, 0), (81.5, 15, -12, 0),
    # Greenland and Iceland Seas
    (75.0, -15, -4, 0.95), (75.0, -11, -16, 0.8), (75.0, -6, -30, 0.4), (75.0, 0, -36, 0.15),
    (72.0, -17, -10, 0.9), (71.5, -12, -24, 0.5), (70.0, -6, -32, 0.2), (68.0, -20, -16, 0.5),
    (65.0, -18, -14, 0.3),
    # Norwegian Sea and the Barents Sea opening
    (76.5, 10, -26, 0), (74.0, 14, -20, 0), (71.5, 5, -34, 0), (68.0, 0, -32, 0.05),
    (69.5, 12, -18, 0), (66.0, 7, -24, 0), (63.5, 0, -18, 0), (62.0, -7, -14, 0.05),
    (72.3, 20, -6, 0), (74.5, 19, -10, 0), (72.0, 32, -5, 0), (73.5, 42, -6, 0), (76.5, 38, -9, 0),
    (77.5, 60, -7, 0), (74.0, 57, -3, 0), (80.5, 55, -9, 0),
    # Irminger Sea, Labrador Sea, Baffin Bay
    (65.0, -30, -14, 0.6), (62.5, -34, -7, 0.7), (59.0, -34, 0, 0.65), (58.0, -15, -3, 0.1),
    (60.5, -55, -4, 1), (65.5, -57.5, -10, 1), (69.0, -61, -12, 1), (72.0, -66, -14, 1),
    (74.5, -70, -11, 1),
])
# fmt: on
_EURASIAN = ((66.0, 100.0), (56.0, 9.0))
_AMERICAN = ((66.0, -110.0), (74.0, -40.0))
"""Latitude and longitude of a place on each of the main lands."""
_ARCHIPELAGO = (-165.0, -60.0)
"""Longitudes between which every other land counts as American."""
_BERING = (18e3, 6e3)
"""Inflow through Bering Strait [m2/s]: annual mean, and how much more in July."""
_WINTER_FLOW = 0.12
"""How much stronger the rest of the circulation is in February than in the mean [1]."""


class ArcticOcean(eqx.Module):
    """Climatological ocean that does not answer to the ice.

    Parameters
    ----------
    current_u, current_v : (2, y, x) array
        Surface current along the grid's axes at T points, first the circulation proper, then what
        the inflow through Bering Strait adds, both of the annual mean [m/s].
    sea_surface_height : (2, y, x) array
        The same parts of the height of the sea surface [m].
    warmth : (2, y, x) array
        Of March and of September, T points [K]; how far the surface is above the freezing point
        where positive, how far into the ice season where negative.

    Notes
    -----
    *Currents.* A stream function psi at the corners of the cells, so that the flow over the faces
    of each cell sums to nothing. A thin-plate spline through hand-placed knots draws the mean
    circulation; near coasts it bends exponentially, over `COASTAL_WIDTH`, to a constant for each
    coast: 0 for Eurasia, the inflow of Bering Strait for America and Greenland, for an island of
    the open sea the mean of the spline. Along the edge of the domain psi runs linearly from coast
    to coast; only there water crosses the edge, which feeds Bering Strait. The knots aim at
    published speeds: Beaufort Gyre 3 to 6 cm/s and Transpolar Drift 2 to 5 cm/s (altimetry,
    Armitage et al. 2017); East Greenland Current 10 to 25 cm/s (moorings, Woodgate et al. 1999);
    West Spitsbergen Current 10 to 25 cm/s (moorings, Beszczynska-Moeller et al. 2012); Norwegian
    Atlantic Current 10 to 30 cm/s, a fifth more in winter (drifters, Andersson et al. 2011);
    Barents Sea opening 2 to 10 cm/s (moorings, Ingvaldsen et al. 2004); Bering Strait 0.8 to 1 Sv
    (Coachman and Aagaard 1988, Woodgate 2018), which over its 50 m is 2e4 m2/s or 20 to 25 cm/s,
    more in summer. Narrow currents are as wide as a few cells allow and slower for it. What wind
    and ice make of the surface is not in it: this is the flow below the layer of friction.

    *Sea level.* Geostrophic with one Coriolis parameter, ``g eta = f psi``, with zero mean; the
    dome of the Beaufort Gyre and the range of about 1 m are those seen by altimeters (Kwok and
    Morison 2011).

    *Temperature.* ``T_f + d + S W d^2 / (d^2 + e^2)`` with ``d = w softplus(m / w)``, where the
    warmth m is blended between a March and a September field with a weight for each month. Each
    field is a spline through three kinds of knots: on the mean 15 % ice edge of 2015-2017 in the
    daily concentration NSIDC-0081 (Maslanik and Stroeve 1999), where m is zero; inside the ice,
    where it is the more negative the shorter these data show the place without ice; and in open
    water, rounded values of the long-term mean surface temperature (as in the World Ocean Atlas).
    The weights were fitted to the mean extent of each month in the same data. So the water knows
    the mean ice edge of those years, though that of no single one. The last term, with W the
    `winter` of the air, S = `WINTER_SUPPLY` and e = `SUPPLY_WIDTH`, stands for the heat that
    currents bring: a layer of 50 m relaxed in 30 days gains 79 W/m2 for each kelvin, and so loses
    320 W/m2 to the winter air at most, and 100 W/m2 on average at the winter edge of the ice.
    Without it the air would freeze the sea far beyond the observed edge.

    References
    ----------
    Andersson et al. (2011), doi:10.1029/2011JC007078; Armitage et al. (2017),
    doi:10.5194/tc-11-1767-2017; Beszczynska-Moeller et al. (2012), doi:10.1093/icesjms/fss056;
    Coachman and Aagaard (1988), doi:10.1029/JC093iC12p15535; Duchon (1977),
    doi:10.1007/BFb0086566; Ingvaldsen et al. (2004), doi:10.1029/2003JC001811; Kwok and Morison
    (2011), doi:10.1029/2010GL046063; Maslanik and Stroeve (1999), doi:10.5067/U8C09DWVX9LM;
    Woodgate et al. (1999), doi:10.1029/1999JC900146; Woodgate (2018),
    doi:10.1016/j.pocean.2017.12.007.
    """

    current_u: Float[Array, "2 y x"]
    current_v: Float[Array, "2 y x"]
    sea_surface_height: Float[Array, "2 y x"]
    warmth: Float[Array, "2 y x"]

    @classmethod
    def of(cls, grid):
        """The ocean on a grid.

        Parameters
        ----------
        grid : Grid

        Returns
        -------
        ArcticOcean
            On a flat box still water at the freezing point.

        Raises
        ------
        InputError
            If it is no grid.
        """
        if not isinstance(grid, Grid):
            raise InputError(f"an ocean lies on a Grid, not {grid!r}")
        if grid.epsg is None:
            return still_ocean(grid)
        corners = stream_function(grid)
        u, v = face_currents(corners, grid)
        centres = 0.25 * (
            corners[:, 1:, 1:] + corners[:, :-1, 1:] + corners[:, 1:, :-1] + corners[:, :-1, :-1]
        )
        height = CORIOLIS / GRAVITY * centres
        ocean = np.asarray(grid.mask_t)
        height -= height[:, ocean].mean(axis=1)[:, None, None]
        return cls(
            current_u=np.asarray(u_to_t(u, grid)),
            current_v=np.asarray(v_to_t(v, grid)),
            sea_surface_height=np.where(ocean, height, 0.0),
            warmth=np.stack([_spline(table, grid.x, grid.y) for table in (_MARCH, _SEPTEMBER)]),
        )

    def fields(self, time):
        """Fields at a time of the year.

        Parameters
        ----------
        time : int
            Seconds since 2000-01-01.

        Returns
        -------
        dict of (y, x) arrays
            T points: `current_u`, `current_v` [m/s] and `sea_surface_height` [m], 0 on land;
            `ocean_temperature` [K], never below `FREEZING_POINT`.
        """
        parts = circulation_parts(time).astype(jnp.asarray(self.current_u).dtype)
        summer = summer_part(time).astype(jnp.asarray(self.warmth).dtype)
        warmth = (1.0 - summer) * self.warmth[0] + summer * self.warmth[1]
        thaw = FREEZING_WIDTH * jnp.logaddexp(warmth / FREEZING_WIDTH, 0.0)
        flow = {
            name: parts[0] * field[0] + parts[1] * field[1]
            for name, field in (
                ("current_u", self.current_u),
                ("current_v", self.current_v),
                ("sea_surface_height", self.sea_surface_height),
            )
        }
        cold = winter(time).astype(thaw.dtype)
        supply = WINTER_SUPPLY * cold * thaw**2 / (thaw**2 + SUPPLY_WIDTH**2)
        return flow | {"ocean_temperature": FREEZING_POINT + thaw + supply}

    def between(self, start, end):
        """Fields at the two ends of a step.

        Parameters
        ----------
        start, end : int
            Seconds since 2000-01-01.

        Returns
        -------
        dict of (2, y, x) arrays
            As `fields`.
        """
        first, last = self.fields(start), self.fields(end)
        return {name: jnp.stack([first[name], last[name]]) for name in first}


def still_ocean(grid):
    """Water at rest, level and at the freezing point.

    Parameters
    ----------
    grid : Grid

    Returns
    -------
    ArcticOcean
    """
    nothing = np.zeros((2, *grid.shape))
    return ArcticOcean(nothing, nothing, nothing, nothing - 100 * FREEZING_WIDTH)


def circulation_parts(time):
    """Factors on the circulation and on the Bering Strait inflow, 1 in the mean of the year.

    Parameters
    ----------
    time : int
        Seconds since 2000-01-01.

    Returns
    -------
    (2,) array
        Cosines with the maximum in mid-February and in mid-July.
    """
    year = 2 * jnp.pi * year_fraction(time)
    mean, more = _BERING
    return jnp.stack(
        [
            1.0 + _WINTER_FLOW * jnp.cos(year - 2 * jnp.pi * 1.5 / 12),
            1.0 + more / mean * jnp.cos(year - 2 * jnp.pi * 6.5 / 12),
        ]
    )


def summer_part(time):
    """How far the water is from its state of March (0) to that of September (1).

    Parameters
    ----------
    time : int
        Seconds since 2000-01-01.
    """
    return jnp.interp(year_fraction(time), (np.arange(12) + 0.5) / 12, _SUMMER, period=1.0)


def stream_function(grid):
    """Stream function of the mean surface current at the corners of the cells.

    Parameters
    ----------
    grid : Grid
        On EPSG:3413.

    Returns
    -------
    (2, y + 1, x + 1) array
        Circulation proper and Bering Strait inflow, annual means [m2/s]; element (j, i) is the
        south-west corner of the cell (j, i), so that the last row and column lie on the walls.
    """
    x, y = grid.edges()
    latitude, longitude, proper, share = _CIRCULATION.T
    parts = ((1e3 * proper, 0.0), (_BERING[0] * share, _BERING[0]))
    wide = np.pad(np.asarray(grid.mask_t), 1)
    inside = wide[1:, 1:] & wide[:-1, 1:] & wide[1:, :-1] & wide[:-1, :-1]
    lands = _lands(np.asarray(grid.mask_t))
    solved = []
    for values, american in parts:
        free = _spline(np.stack([latitude, longitude, values], axis=1), x, y)
        fixed = _coastal_values(free, lands, american, grid)
        bend = _screened_laplace(fixed - free, inside, COASTAL_WIDTH / grid.spacing)
        solved.append(free + bend)
    return np.stack(solved)


def face_currents(corners, grid):
    """Current through the faces of the cells from a stream function.

    Parameters
    ----------
    corners : (..., y + 1, x + 1) array
        As `stream_function` gives it [m2/s].
    grid : Grid

    Returns
    -------
    u, v : (..., y, x) array
        U and V points [m/s]; free of divergence, 0 on coasts.
    """
    u = -(corners[..., 1:, 1:] - corners[..., :-1, 1:]) / grid.dx_u
    v = (corners[..., 1:, 1:] - corners[..., 1:, :-1]) / grid.dx_v
    return np.where(grid.mask_u, u, 0.0), np.where(grid.mask_v, v, 0.0)


def _spline(table, x, y):
    """Thin-plate spline (Duchon 1977) through rows of latitude, longitude, value on the map."""
    latitude, longitude, value = np.asarray(table, float).T
    knots = np.stack(EPSG_3413.forward(latitude, longitude), axis=1) / 1e6
    count = len(knots)
    plane = np.hstack([np.ones((count, 1)), knots])
    apart = np.sum((knots[:, None] - knots[None]) ** 2, axis=-1)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _thin_plate(apart)
    system[:count, count:], system[count:, :count] = plane, plane.T
    weights = np.linalg.solve(system, np.append(value, np.zeros(3)))
    x, y = np.asarray(x)[None] / 1e6, np.asarray(y)[:, None] / 1e6
    result = weights[count] + weights[count + 1] * x + weights[count + 2] * y
    for weight, (east, north) in zip(weights, knots, strict=False):
        result = result + weight * _thin_plate((x - east) ** 2 + (y - north) ** 2)
    return result


def _thin_plate(squared):
    return squared * np.log(np.maximum(squared, 1e-12))


def _lands(ocean):
    """Number of the land that each cell belongs to, 0 in the sea; corners join."""
    lands = np.where(ocean, 0, 1 + np.arange(ocean.size).reshape(ocean.shape))
    while True:
        # Each cell takes the highest number around it, until nothing changes.
        wide = np.pad(lands, 1)
        grown = np.max(
            [
                wide[1 + j : 1 + j + lands.shape[0], 1 + i : 1 + i + lands.shape[1]]
                for j in (-1, 0, 1)
                for i in (-1, 0, 1)
            ],
            axis=0,
        )
        grown = np.where(ocean, 0, grown)
        # A number is the place of a cell of the same land: its number is as good, and spreads fast.
        chosen = np.append(0, grown.ravel())[grown]
        chosen = np.where(ocean, 0, np.maximum(grown, chosen))
        if np.array_equal(chosen, lands):
            return lands
        lands = chosen


def _coastal_values(free, lands, american, grid):
    """Stream function on coasts and walls; at islands of the open sea the mean of `free`."""
    fixed, land = free.copy(), lands > 0
    middle = 0.25 * (free[1:, 1:] + free[:-1, 1:] + free[1:, :-1] + free[:-1, :-1])
    total = np.bincount(lands.ravel(), weights=middle.ravel())
    value = total / np.maximum(np.bincount(lands.ravel()), 1)
    # A land's number is one more than the place of one of its cells.
    longitude = np.asarray(grid.longitude).ravel()[: len(value) - 1]
    value[1:][(longitude > _ARCHIPELAGO[0]) & (longitude < _ARCHIPELAGO[1])] = american
    for places, constant in ((_EURASIAN, 0.0), (_AMERICAN, american)):
        for place in places:
            x, y = EPSG_3413.forward(*place)
            value[lands[np.abs(grid.y - y).argmin(), np.abs(grid.x - x).argmin()]] = constant
    coast = np.zeros(fixed.shape, bool)
    for rows in (slice(1, None), slice(None, -1)):
        for columns in (slice(1, None), slice(None, -1)):
            fixed[rows, columns][land] = value[lands][land]
            coast[rows, columns] |= land
    last_row, last_column = fixed.shape[0] - 1, fixed.shape[1] - 1
    along, across = np.arange(last_column), np.arange(last_row)
    rows = np.concatenate([0 * along, across, last_row + 0 * along, last_row - across])
    columns = np.concatenate([along, last_column + 0 * across, last_column - along, 0 * across])
    on_coast = np.flatnonzero(coast[rows, columns])
    if len(on_coast):
        position = np.arange(len(rows))
        ramp = np.interp(position, on_coast, fixed[rows, columns][on_coast], period=len(rows))
        fixed[rows, columns] = ramp
    return fixed


def _screened_laplace(fixed, inside, width):
    """Field with ``c = width^2 lap(c)`` `inside` and the values `fixed` elsewhere; cells apart.

    Conjugate gradients; the operator is symmetric and positive, its condition 8 width^2.
    """

    def operator(field):
        field = np.pad(np.where(inside, field, 0.0), 1)
        middle = field[1:-1, 1:-1]
        around = field[2:, 1:-1] + field[:-2, 1:-1] + field[1:-1, 2:] + field[1:-1, :-2]
        return np.where(inside, middle + width**2 * (4 * middle - around), 0.0)

    edge = np.pad(np.where(inside, 0.0, fixed), 1)
    source = edge[2:, 1:-1] + edge[:-2, 1:-1] + edge[1:-1, 2:] + edge[1:-1, :-2]
    residual = np.where(inside, width**2 * source, 0.0)
    field, direction = np.zeros_like(fixed), residual
    square = start = np.sum(residual**2)
    while square > 1e-16 * start:
        image = operator(direction)
        step = square / np.sum(direction * image)
        field, residual = field + step * direction, residual - step * image
        square, before = np.sum(residual**2), square
        direction = residual + square / before * direction
    return np.where(inside, field, fixed)


# Latitude, longitude and warmth [K] of the water in March and in September.
# fmt: off
_MARCH = np.array([
    # the ice edge
    (58.0, 164, 0), (60.0, 168, 0), (58.0, -159, 0), (58.0, -166, 0), (58.5, -171, 0),
    (60.5, -176, 0), (61.5, 180, 0), (61.5, 176, 0), (76.0, 56, 0), (77.5, 50, 0), (76.5, 41, 0),
    (77.0, 31, 0), (75.5, 24, 0), (75.0, 20, 0), (77.5, 61, 0), (70.0, 52, 0),
    (68.0, 42, 0), (80.0, 7, 0), (79.2, 4, 0), (78.0, 0, 0),
    (76.0, -4, 0), (74.5, -9, 0), (73.0, -13, 0), (71.5, -17, 0), (69.5, -19, 0), (68.0, -24, 0),
    (67.0, -28, 0), (66.0, -32, 0), (65.0, -37, 0), (63.0, -40, 0), (61.0, -42, 0), (64.0, -53, 0),
    (63.0, -57, 0), (61.0, -60, 0), (59.0, -59, 0),
    # inside the ice
    (90.0, 0, -9), (84.0, 0, -6), (84.0, 90, -9), (80.0, 60, -2.6), (77.0, 75, -3), (71.0, 65, -4),
    (69.0, 60, -5), (77.0, 125, -6.5), (72.0, 160, -7.5), (80.0, 160, -9), (75.0, -145, -8),
    (83.0, -100, -9), (70.0, -172, -4), (66.0, -169, -3), (63.0, -167, -3), (75.0, -100, -9),
    (70.0, -105, -9), (60.0, -86, -9), (67.0, -80, -8.5), (62.0, -72, -5), (74.0, -68, -5),
    (69.0, -63, -7), (65.5, -60, -5), (79.0, -10, -5), (75.0, -17, -4), (70.5, -22, -4.5),
    (79.5, 25, -3), (79.0, 40, -1.5), (81.0, 15, -0.7), (65.5, 38, -1), (57.0, 153, -1),
    # open water
    (66.0, 0, 8.3), (70.0, 10, 6.8), (72.0, 20, 6.3), (73.0, 30, 4.8), (70.5, 35, 4.3),
    (75.0, 11, 4.8), (78.3, 9, 4.0), (79.2, 7.5, 2.5), (74.0, 0, 2.3), (69.0, -10, 2.5),
    (74.0, 44, 1.8), (71.5, 45, 2.5), (62.0, 0, 9.3), (57.0, 3, 8.0), (60.0, -20, 9.8),
    (67.5, -18, 3.0), (64.0, -28, 7.5), (60.0, -37, 6.3), (58.0, -50, 4.8), (61.5, -51, 3.3),
    (57.0, 180, 3.8), (58.5, -176, 3.0), (57.0, -152, 5.0),
])
_SEPTEMBER = np.array([
    # the ice edge
    (82.0, 94, 0), (82.0, 79, 0), (82.0, 54, 0), (82.0, 39, 0), (81.5, 26, 0), (81.0, 12, 0),
    (79.5, 3, 0), (78.0, -4, 0), (77.0, -13, 0), (74.5, -127, 0), (76.0, -134, 0), (76.5, -142, 0),
    (77.0, -151, 0), (77.5, -160, 0), (77.0, -169, 0), (76.0, -177, 0), (76.5, 174, 0),
    (78.0, 168, 0), (76.5, 161, 0), (77.0, 152, 0), (78.5, 145, 0), (78.5, 134, 0), (78.0, 125, 0),
    (78.5, 115, 0), (79.5, 105, 0), (74.0, -111, 0),
    # inside the ice
    (90.0, 0, -3), (85.0, 45, -2), (84.5, 0, -2), (85.0, 90, -2.5), (83.0, 130, -2.5),
    (81.0, 165, -2), (80.5, -170, -2), (80.0, -140, -2.5), (83.0, -90, -3), (77.5, -120, -2),
    (79.5, -100, -2.5), (82.0, -12, -2.0), (80.0, -12, -1.5), (81.0, 92, 0.5),
    # open water
    (66.0, 0, 12.8), (70.0, 10, 11.8), (72.0, 20, 10.3), (73.0, 30, 8.5), (70.5, 35, 9.5),
    (75.0, 11, 8.3), (78.3, 9, 6.5), (74.0, 0, 6.0), (69.0, -10, 7.3), (74.0, 44, 6.5),
    (71.5, 45, 8.5), (77.0, 40, 5.0), (79.5, 40, 2.5), (80.0, 70, 2.0), (62.0, 0, 13.8),
    (57.0, 3, 15.8), (60.0, -20, 13.3), (67.5, -18, 8.0), (64.0, -28, 11.3), (60.0, -37, 9.3),
    (58.0, -50, 9.3), (62.0, -60, 5.3), (65.5, -57, 5.3), (70.0, -62, 3.3), (74.0, -68, 3.8),
    (72.5, -20, 2.3), (75.0, -15, 1.0), (60.0, -86, 8.8), (67.0, -80, 3.8), (68.5, -105, 4.0),
    (74.0, -92, 1.0), (57.0, 180, 11.3), (62.0, -175, 9.8), (66.0, -169, 8.3), (69.0, -169, 7.0),
    (72.0, -166, 4.5), (72.0, -178, 3.0), (70.8, -145, 4.3), (71.5, -130, 4.0), (72.0, 160, 3.3),
    (74.5, 140, 2.8), (75.0, 125, 3.8), (77.0, 77, 4.0), (74.0, 70, 6.0), (71.0, 75, 7.0),
    (69.5, 58, 8.0), (66.0, 38, 10.0), (57.0, 153, 12.0),
])
# fmt: on
_SUMMER = np.array([0.09, 0.03, 0.0, 0.03, 0.15, 0.35, 0.61, 0.87, 1.0, 0.7, 0.52, 0.23])
"""Weight of the September field in the middle of each month, January to December."""
