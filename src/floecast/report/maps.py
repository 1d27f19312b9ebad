"""Maps on the projected plane: one base map for each scale, redrawn with field after field."""

from dataclasses import dataclass

import cmocean
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from floecast.core.land import coastline, land_polygons
from floecast.core.projection import EPSG_3413
from floecast.core.variables import ICE_EDGE
from floecast.report.drawing import png

LAND, COAST, OUTSIDE = "#d9d4c8", "#6b665c", "#e9ecee"
MARGIN = 300e3
SMALLEST_WINDOW = 3200e3


@dataclass(frozen=True)
class Scale:
    """How the values of a field become colours.

    Parameters
    ----------
    label : str
        Of the colour bar, with the unit.
    colours : Colormap
    lower, upper : float
        Ends of the colour bar.
    extend : str
        Which ends values may pass: ``"neither"``, ``"max"`` or ``"both"``.
    steps : int
        Number of colours.
    """

    label: str
    colours: Colormap
    lower: float
    upper: float
    extend: str = "neither"
    steps: int = 20


@dataclass(frozen=True)
class Line:
    """How one ice edge is drawn; lines differ in colour, in dash and in width."""

    label: str
    colour: str
    dash: str | tuple
    width: float


FORECAST_EDGE = Line("forecast edge", "#e69f00", "-", 2.4)
ANALYSIS_EDGE = Line("edge at the start", "#111111", (0, (1.2, 1.2)), 1.8)
TRUE_EDGE = Line("observed edge", "#d6267f", (0, (5, 1.8)), 2.0)
MANY_POINTS = 700
"""More marks than this are drawn small, or they would hide the field."""


def fraction_scale(label, colours=cmocean.cm.ice):
    """Scale from 0 to 1."""
    return Scale(label, colours, 0.0, 1.0)


def positive_scale(label, fields, colours):
    """Scale from 0 to a round number near the greatest values of `fields`."""
    return Scale(label, colours, 0.0, round_limit(fields), "max")


def symmetric_scale(label, field):
    """Scale with white at 0, as far on either side as the greatest changes."""
    limit = round_limit(np.abs(field))
    return Scale(label, cmocean.cm.balance, -limit, limit, "both", steps=21)


def round_limit(values):
    """A round number at or a little above the 99.5th percentile of the positive values.

    Returns
    -------
    float
        1, 1.5, 2, 3, 4, 5, 6 or 8 times a power of ten; 1 where no value is positive.
    """
    values = values[np.isfinite(values) & (values > 0)]
    if not values.size:
        return 1.0
    limit = np.percentile(values, 99.5)
    power = 10.0 ** np.floor(np.log10(limit))
    steps = np.array([1, 1.5, 2, 3, 4, 5, 6, 8, 10])
    return float(steps[np.searchsorted(steps, limit / power * (1 - 1e-6))] * power)


@dataclass(frozen=True)
class Plane:
    """The part of the projected plane that the maps show.

    Parameters
    ----------
    x, y : (nx,), (ny,) array
        Cell centres [m].
    polar : bool
        On EPSG:3413, where land and a graticule are drawn.
    window : tuple of float
        West, east, south and north side of the maps, a square [m].
    """

    x: np.ndarray
    y: np.ndarray
    polar: bool
    window: tuple[float, float, float, float]

    @classmethod
    def around(cls, x, y, ice, polar):
        """Plane whose window shows the cells `ice` and the pole, and no more than the grid."""
        half = (x[1] - x[0]) / 2
        full = (x[0] - half, x[-1] + half, y[0] - half, y[-1] + half)
        rows, columns = np.nonzero(ice)
        if not polar or not rows.size:
            return cls(x, y, polar, full)
        west, east = min(x[columns.min()], 0) - MARGIN, max(x[columns.max()], 0) + MARGIN
        south, north = min(y[rows.min()], 0) - MARGIN, max(y[rows.max()], 0) + MARGIN
        side = max(east - west, north - south, SMALLEST_WINDOW)
        side = min(side, full[1] - full[0], full[3] - full[2])
        left = np.clip((west + east - side) / 2, full[0], full[1] - side)
        bottom = np.clip((south + north - side) / 2, full[2], full[3] - side)
        left, bottom, side = float(left), float(bottom), float(side)
        return cls(x, y, polar, (left, left + side, bottom, bottom + side))

    @property
    def extent(self):
        """Outer faces of the cells: west, east, south, north [m]."""
        half = (self.x[1] - self.x[0]) / 2
        return self.x[0] - half, self.x[-1] + half, self.y[0] - half, self.y[-1] + half


class FieldMap:
    """A map that is set up once and drawn for one field after another.

    Parameters
    ----------
    plane : Plane
    scale : Scale
    lines : sequence of Line
        Ice edges that the legend explains.
    points : sequence of tuple
        Marks in addition: label, colour, x, y.
    dpi : float
        Pixels per inch; 100 gives 640 by 800.
    """

    def __init__(self, plane, scale, lines, points=(), *, dpi=100):
        self._plane = plane
        self._moving = []
        self._figure = Figure(figsize=(6.4, 8.0), dpi=dpi)
        FigureCanvasAgg(self._figure)
        width, height = self._figure.get_size_inches()
        self._axes = self._figure.add_axes(
            (0.1 / width, 1 - 6.75 / height, 6.2 / width, 6.2 / height), facecolor=OUTSIDE
        )
        empty = np.full((len(plane.y), len(plane.x)), np.nan)
        self._image = self._axes.imshow(
            empty,
            origin="lower",
            extent=plane.extent,
            interpolation="nearest",
            cmap=scale.colours.resampled(scale.steps),
            norm=Normalize(scale.lower, scale.upper),
            zorder=1,
        )
        if plane.polar:
            _draw_land(self._axes)
            _draw_graticule(self._axes, plane.window)
        self._axes.set(xlim=plane.window[:2], ylim=plane.window[2:], xticks=[], yticks=[])
        bar = self._figure.colorbar(
            self._image,
            orientation="horizontal",
            extend=scale.extend,
            cax=self._figure.add_axes((0.6 / width, 1 - 7.05 / height, 5.2 / width, 0.18 / height)),
        )
        bar.set_label(scale.label, labelpad=2)
        bar.outline.set_linewidth(0.6)
        handles = [_handle(line) for line in lines]
        many = sum(len(x) for _, _, x, _ in points) > MANY_POINTS
        for label, colour, x, y in points:
            look = {"marker": "o", "ls": "", "mec": "#111111", "mfc": colour}
            size, edge = (1.1, 0.25) if many else (2.6, 0.6)
            self._axes.plot(x, y, zorder=6, ms=size, mew=edge, **look)
            handles.append(Line2D([], [], ms=7, label=label, **look))
        self._figure.legend(
            handles=handles,
            loc="lower center",
            ncols=3,
            frameon=False,
            fontsize=12.5,
            handlelength=2.6,
            columnspacing=1.4,
            borderaxespad=0.1,
        )

    def draw(self, field, title, *, edges=(), drift=None):
        """Picture of one field.

        Parameters
        ----------
        field : (y, x) array
            NaN where nothing is to be drawn.
        title : str
        edges : sequence of (Line, (y, x) array)
            Concentrations whose contour at 15 % is drawn.
        drift : tuple of (y, x) array, (y, x) array and float, optional
            Velocity components at T points and the speed of the arrow in the legend [m/s].

        Returns
        -------
        bytes
            PNG with a palette; equal for equal arguments.
        """
        for artist in self._moving:
            artist.remove()
        self._image.set_data(field)
        self._axes.set_title(title, pad=8)
        self._moving = [
            self._edge(line, concentration)
            for line, concentration in edges
            if _has_edge(concentration)
        ]
        if drift is not None:
            self._moving += self._arrows(*drift)
        if not np.isfinite(field).any():
            self._moving.append(
                self._axes.text(
                    0.5,
                    0.55,
                    "no data for this time",
                    transform=self._axes.transAxes,
                    ha="center",
                    zorder=9,
                    fontsize=15,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 6},
                )
            )
        self._figure.canvas.draw()
        return png(self._figure)

    def _edge(self, line, concentration):
        return self._axes.contour(
            self._plane.x,
            self._plane.y,
            np.ma.masked_invalid(concentration),
            [ICE_EDGE],
            colors=[line.colour],
            linestyles=[line.dash],
            linewidths=line.width,
            zorder=5,
            path_effects=_casing(line),
        )

    def _arrows(self, u, v, speed):
        """Arrows some 300 km apart, as long as that for `speed`, and their key."""
        step = max(1, round(300e3 / (self._plane.x[1] - self._plane.x[0])))
        part = (slice(step // 2, None, step),) * 2
        arrows = self._axes.quiver(
            self._plane.x[part[1]],
            self._plane.y[part[0]],
            np.ma.masked_invalid(u[part]),
            np.ma.masked_invalid(v[part]),
            angles="xy",
            scale_units="xy",
            scale=speed / 360e3,
            width=0.0032,
            color="#0b1d26",
            zorder=6,
            path_effects=[withStroke(linewidth=1.6, foreground="white")],
        )
        key = self._axes.quiverkey(
            arrows,
            0.75,
            -0.128,
            speed,
            f"drift {speed:g} m/s",
            labelpos="E",
            coordinates="axes",
            labelsep=0.08,
            fontproperties={"size": 12.5},
        )
        return [arrows, key]


def _casing(line):
    """Pale border that keeps a line readable on dark and on light colours."""
    return [withStroke(linewidth=line.width + 1.8, foreground="white")]


def _handle(line):
    return Line2D(
        [],
        [],
        color=line.colour,
        ls=line.dash,
        lw=line.width,
        label=line.label,
        path_effects=_casing(line),
    )


def _has_edge(concentration):
    return np.nanmin(concentration, initial=1) < ICE_EDGE < np.nanmax(concentration, initial=0)


def _draw_land(axes):
    x, y = coastline()
    gaps = np.flatnonzero(np.isnan(x))
    lines = np.split(np.column_stack([x, y]), gaps)
    axes.add_collection(PolyCollection(land_polygons(), facecolors=LAND, zorder=3), autolim=False)
    axes.add_collection(
        LineCollection(
            [line[np.isfinite(line[:, 0])] for line in lines],
            colors=COAST,
            linewidths=0.6,
            zorder=4,
        ),
        autolim=False,
    )


def _draw_graticule(axes, window):
    """The graticule, faint, with small labels."""
    halo = [withStroke(linewidth=2.2, foreground="white", alpha=0.8)]
    axes.add_collection(
        LineCollection(graticule(), colors="#7d8a93", linewidths=0.5, alpha=0.55, zorder=4.5),
        autolim=False,
    )
    for x, y, text in graticule_labels(window):
        axes.text(
            x,
            y,
            text,
            fontsize=10,
            color="#3f4a52",
            ha="center",
            va="center",
            path_effects=halo,
            zorder=7,
            clip_on=True,
        )


def graticule():
    """Parallels every 10 degrees and meridians every 30, as lines ``(point, 2)`` [m]."""
    turn = np.linspace(-180, 180, 181)
    lines = [
        np.column_stack(EPSG_3413.forward(np.full_like(turn, degree), turn))
        for degree in range(30, 90, 10)
    ]
    lines += [
        np.column_stack(EPSG_3413.forward(np.array([80.0, 25.0]), np.full(2, degree)))
        for degree in range(-180, 180, 30)
    ]
    return lines


def graticule_labels(window):
    """Where the lines of the graticule are named in a window: x [m], y [m], text."""
    west, east, south, north = window
    inset = 0.022 * (east - west)
    places = []
    for degree in (50, 60, 70, 80):
        places.append((*EPSG_3413.forward(degree, 105.0), f"{degree}°N"))
    for degree in range(-180, 180, 30):
        x, y = EPSG_3413.forward(60.0, degree)
        sides = ((x, east if x > 0 else west), (y, north if y > 0 else south))
        reach = min(
            (side - np.sign(part) * 2.2 * inset) / part for part, side in sides if abs(part) > 1
        )
        places.append((reach * x, reach * y, _meridian(degree)))
    return [
        (float(x), float(y), text)
        for x, y, text in places
        if west + inset < x < east - inset and south + inset < y < north - inset
    ]


def _meridian(degree):
    if degree % 180 == 0:
        return f"{abs(degree)}°"
    return f"{abs(degree)}°{'E' if degree > 0 else 'W'}"
