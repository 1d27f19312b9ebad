"""The page and the figure of this folder."""

from pathlib import Path

import cmocean
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from runs import LEAST_THICKNESS, PACK, WIND_START
from scores import BLOCK

from floecast.core.calendar import HOUR, iso
from floecast.core.land import coastline, land_polygons
from floecast.io.drift import KIMURA_ERROR
from floecast.report.drawing import png, style
from floecast.report.maps import COAST, LAND, OUTSIDE

MISFIT = {
    "rmse": "RMSE",
    "against_persistence": "RMSE / persistence",
    "against_free_drift": "RMSE / free drift, default",
    "bias_x": "bias x",
    "bias_y": "bias y",
    "speed_bias": "bias of speed",
    "correlation": "vector correlation",
    "speed_ratio": "speed / observed",
    "wind_ratio": "share of the wind / observed",
}
WIND = {"wind_factor": "share of the wind [%]", "wind_angle": "angle to the right of it [°]"}
CLOCK = (6, 12, 18, 24, 30, 36, 42)
"""Middles of the means of the wind [hours after 20 November 00 UTC]."""


def page(pairs, drags, default, case, now):
    """Text of README.md.

    Parameters
    ----------
    pairs : dict
        Timing to (file day, hours later) to `Scored`.
    drags : dict
        Rheology to the air drag coefficients tried.
    default : int
        Place of the default among them.
    case : Case
    now : datetime

    Returns
    -------
    str
    """
    lines = [
        "# November 2016: real wind, observed drift",
        "",
        f"Made on {now:%Y-%m-%d} with `python validation/november_2016_drift/make.py --data DATA "
        "--work DIR`.",
        "",
        (Path(__file__).parent / "verdict.md").read_text(encoding="utf-8").strip(),
        "",
        "## Set-up",
        "",
        f"Grid {case.grid.name}; GFS wind of 20 November 00 UTC to 22 November 00 UTC every 6 h, "
        "its first field held for the 24 h before, in which ice at rest and undamaged takes up its "
        "motion and breaks; NSIDC-0081 concentration of 20 November, thickness of the CS2SMOS "
        f"climatology for that day, at least {LEAST_THICKNESS:g} m where there is ice; no snow, no "
        "freezing; the prescribed ocean of the simulator; WENO transport; steps of half an hour, "
        "float32. Compared is the mean drift over the window of the observation, in its footprint "
        f"of 60 km, at points where the concentration is above {PACK:g} and both this day and the "
        "day before have an unflagged vector. x and y are the axes of the grid (EPSG:3413). Square "
        f"brackets: 95 % interval from resampling squares of {BLOCK / 1e3:.0f} km. It holds "
        "nothing on how another week would look.",
        "",
        "The Kimura vectors are noisy: "
        f"{100 * KIMURA_ERROR:.0f} cm/s for each component is assumed elsewhere in this project, "
        f"so that even true drift would score an RMSE near {100 * 2**0.5 * KIMURA_ERROR:.1f} cm/s. "
        "Noise makes the observed speed, but not its least-squares share of the wind, too large: "
        "judge by the latter.",
        "",
        *clock(pairs["12 h later"], case),
    ]
    for timing, pair in pairs.items():
        lines += [f"## Scores, windows {timing}", ""]
        for one, other in zip(pair.items(), list(pair.items())[::-1], strict=True):
            lines += scores_of(one, other)
    return "\n".join([*lines, *scan(pairs, drags, default), *figure_text()]) + "\n"


def clock(pair, case):
    """How well the wind of which time explains the vectors of a file day."""
    lines = [
        "## When the vectors hold",
        "",
        "The windows are documented as about 12 UTC of the day of the file to 12 UTC of the next. "
        "Vector correlation of the drift with the wind at points in the pack, by the middle of a "
        "24 h mean of the wind and by the hour of a single field (hours after 20 November 00 UTC; "
        "12 is noon of the 20th):",
        "",
        f"| vectors | wind | {' | '.join(map(str, CLOCK))} | window as labelled |",
        f"|{'---|' * (len(CLOCK) + 3)}",
    ]
    for (name, _), scored in pair.items():
        middle = scored.day.begin
        for words, half in (("24 h mean", 12), ("field", 0)):
            cells = [agreement(case, scored.day, c - half, c + half) for c in CLOCK]
            lines.append(f"| file {name} | {words} | {' | '.join(cells)} | {middle} |")
    return [
        *lines,
        "",
        "The wind fits best about 12 h after the middle of the documented window (last column), "
        "although ice never moves ahead of the wind. Two days of wind cannot tell whether the "
        "vectors are means over a later or a longer window, or the wind bears wrong times. Both "
        'timings are scored below; "12 h later" was found with this wind and these vectors, so '
        "that its scores flatter all that is driven by wind. The reader keeps the documented one.",
        "",
    ]


def agreement(case, day, begin, end):
    """Correlation of the observed drift with the wind of other hours, as text."""
    last = (int(case.wind.time[-1]) - WIND_START) // HOUR
    if begin < 0 or end > last:
        return ""
    wind = day.wind(case, begin, end)
    shared = abs(np.vdot(wind, day.observed)) ** 2
    value = np.sqrt(shared / np.vdot(wind, wind).real / np.vdot(day.observed, day.observed).real)
    return f"{value:.2f}"


def scores_of(one, other):
    """Tables of one day; `other` is the day on which the tuned systems were tuned."""
    (name, _), scored = one
    day = scored.day
    begin, end = (iso(WIND_START + HOUR * hour) for hour in (day.begin, day.end))
    hours, part = day.end - day.begin, ""
    if hours < 24:
        part = f", of which the wind covers {hours} h: model and wind are means over these"
    lines = [
        f"### File {name}, taken for {begin} to {end}{part}",
        "",
        f"{day.observed.size} vectors with a root mean square of "
        f"{100 * np.sqrt(np.mean(abs(day.observed) ** 2)):.2f} cm/s, which is the RMSE of ice at "
        f"rest. Tuned: on file {other[0][0]} alone, for least RMSE (in "
        "brackets the air drag, with the default water drag, or factor and angle of the wind).",
        "",
        f"| [cm/s] | {' | '.join(MISFIT.values())} | {' | '.join(WIND.values())} |",
        f"|{'---|' * (len(MISFIT) + len(WIND) + 1)}",
        f"| observed | {' | ' * (len(MISFIT) - 1)} | "
        + " | ".join(told(scored.observed[key], 1 + (key == "wind_factor")) for key in WIND)
        + " |",
    ]
    for system, values in scored.systems.items():
        cells = [told(values[key]) for key in MISFIT]
        cells += [told(values[key], 1 + (key == "wind_factor")) for key in WIND]
        lines.append(f"| {system} | {' | '.join(cells)} |")
    factor, angle = scored.law_with_offset
    return [
        *lines,
        "",
        "Least-squares free drift of the day itself: "
        f"{100 * scored.law[0]:.2f} % at {scored.law[1]:.0f}°; with a mean drift besides "
        f"{100 * factor:.2f} % at {angle:.0f}°.",
        "",
    ]


def scan(pairs, drags, default):
    """RMSE and share of the wind for every drag coefficient."""
    days = [(timing, name[0], day) for timing, pair in pairs.items() for name, day in pair.items()]
    heads = " | ".join(f"{name[5:]} {timing}" for timing, name, _ in days)
    lines = [
        "## Drag",
        "",
        "Vector RMSE [cm/s], and in brackets the share of the wind over the observed one, for "
        "every air drag tried with the default water drag: the ratio of the two is what counts. "
        "Last line of each: the air drag with which that share would be as observed, and those "
        "with which the ends of its interval would be; linear between the drags tried.",
        "",
        f"| rheology, air drag | {heads} |",
        f"|{'---|' * (len(days) + 1)}",
    ]
    for rheology, tried in drags.items():
        for place, drag in enumerate(tried):
            cells = []
            for _, _, day in days:
                values = day.scan[rheology][drag]
                share = values["wind_ratio"].value
                cells.append(f"{values['rmse'].value:.2f} ({share:.2f})")
            words = " (default)" if place == default else ""
            lines.append(f"| {rheology} {1e3 * drag:.3g}e-3{words} | {' | '.join(cells)} |")
        cells = [fitting(day.scan[rheology]) for _, _, day in days]
        lines.append(f"| {rheology}, as observed | {' | '.join(cells)} |")
    return [*lines, ""]


def fitting(by_drag):
    """Air drag for the observed share of the wind, with its interval, as text."""
    drags = 1e3 * np.array(list(by_drag))

    def drag(part):
        share = [getattr(values["wind_ratio"], part) for values in by_drag.values()]
        if share[0] > 1:
            return f"< {drags[0]:.2g}"
        if share[-1] < 1:
            return f"> {drags[-1]:.2g}"
        return f"{np.interp(1.0, share, drags):.2g}"

    return f"{drag('value')} [{drag('high')}, {drag('low')}]e-3"


def told(interval, digits=2):
    """A value with its interval."""
    value, low, high = (f"{number:.{digits}f}" for number in interval)
    if value == low == high or "nan" in (low, high):
        return value
    return f"{value} [{low}, {high}]"


def figure_text():
    """The figure and its caption."""
    return [
        "![Observed and simulated drift](drift_20161121.png)",
        "",
        "Observed (black) and BBM (orange, default drag) drift of 21 November, vectors of file "
        "2016-11-20 with the window 12 h later than labelled, over the concentration of 20 "
        "November; every second vector in x and y.",
    ]


def draw(case, scored, drag):
    """Observed arrows and those of BBM over concentration.

    Returns
    -------
    bytes
        PNG.
    """
    day, grid = scored.day, case.grid
    with style():
        figure = Figure(figsize=(9.6, 10.4), dpi=100)
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0.02, 0.1, 0.96, 0.86), facecolor=OUTSIDE)
        half = grid.spacing / 2
        image = axes.imshow(
            np.where(grid.mask_t, case.state.concentration, np.nan),
            origin="lower",
            extent=(grid.x[0] - half, grid.x[-1] + half, grid.y[0] - half, grid.y[-1] + half),
            cmap=cmocean.cm.ice.resampled(20),
            vmin=0,
            vmax=1,
            interpolation="nearest",
        )
        axes.add_collection(PolyCollection(land_polygons(), facecolors=LAND), autolim=False)
        axes.plot(*coastline(), color=COAST, lw=0.5)
        # The axes of the vectors' grid are at 45 degrees to those of the map.
        place = (scored.x + 1j * scored.y) * np.exp(1j * np.pi / 4) / 60e3
        few = (np.round(place.real) % 2 == 0) & (np.round(place.imag) % 2 == 0)
        for drift, colour, width, layer in (
            (day.observed, "#111111", 0.0027, 5),
            (scored.drift["BBM"][drag], "#d95f02", 0.0017, 6),
        ):
            arrows = axes.quiver(
                scored.x[few],
                scored.y[few],
                drift.real[few],
                drift.imag[few],
                angles="xy",
                scale_units="xy",
                scale=0.1 / 190e3,
                width=width,
                color=colour,
                zorder=layer,
                path_effects=[withStroke(linewidth=1.2, foreground="white")],
            )
            words = "observed 0.1 m/s" if layer == 5 else "BBM 0.1"
            axes.quiverkey(arrows, 0.6 + 0.3 * (layer - 5), -0.04, 0.1, words, labelpos="E")
        axes.set(xlim=(-2.5e6, 1.9e6), ylim=(-2.1e6, 2.2e6), xticks=[], yticks=[])
        axes.set_title("Drift of 21 November 2016, GFS wind")
        bar = figure.colorbar(
            image, cax=figure.add_axes((0.04, 0.065, 0.45, 0.018)), orientation="horizontal"
        )
        bar.set_label("concentration [1]")
        figure.canvas.draw()
        return png(figure)
