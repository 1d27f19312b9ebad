"""Every picture of the report, from the products of a run."""

from dataclasses import dataclass

import cmocean
import numpy as np

from floecast.core.variables import ICE_EDGE
from floecast.observation.observations import KINDS
from floecast.report import summary
from floecast.report.contents import of_analysis
from floecast.report.curves import (
    binned_misfit,
    consistency_curves,
    score_curves,
    score_label,
)
from floecast.report.maps import (
    ANALYSIS_EDGE,
    FORECAST_EDGE,
    TRUE_EDGE,
    FieldMap,
    Line,
    Plane,
    fraction_scale,
    positive_scale,
    round_limit,
    symmetric_scale,
)

MAIN_CURVES = 4
MANY_FRAMES = 60
ICE_SHOWN = 0.01


@dataclass(frozen=True)
class Picture:
    """A PNG with what must be said about it.

    Parameters
    ----------
    name : str
        File name without ending.
    png : bytes
    alt : str
        For readers who do not see it.
    caption : str
    """

    name: str
    png: bytes
    alt: str
    caption: str = ""


@dataclass(frozen=True)
class Film:
    """One field of the forecast, lead by lead.

    Parameters
    ----------
    key, label : str
    frames : list of Picture
        One for each lead.
    """

    key: str
    label: str
    frames: list


def analysis_maps(contents):
    """Concentration and thickness of the analysis."""
    analysis = contents.start
    concentration = analysis["concentration"].values
    plane = _plane(contents, concentration)
    line = Line("ice edge (15 %)", *_look(FORECAST_EDGE))
    scales = {"concentration": fraction_scale("ice concentration")}
    if "thickness" in analysis:
        scales["thickness"] = positive_scale(
            "ice thickness [m]", analysis["thickness"].values, cmocean.cm.dense
        )
    pictures = []
    for name, scale in scales.items():
        png = FieldMap(plane, scale, (line,)).draw(
            _shown(analysis[name].values, name, concentration),
            f"Analysed {name}, {contents.issued}",
            edges=((line, concentration),),
        )
        pictures.append(
            Picture(
                f"analysis_{name}",
                png,
                f"Map of the analysed sea-ice {name} at {contents.issued} with the 15 % ice edge.",
            )
        )
    return pictures


def increment_maps(contents):
    """Analysis minus background, the thickness with the places where it was observed."""
    analysis = contents.analysis
    if analysis is None:
        return []
    concentration = analysis["concentration"].values
    plane = _plane(contents, concentration)
    line = Line("analysed ice edge", *_look(ANALYSIS_EDGE))
    water = concentration <= ICE_EDGE
    if "concentration_background" in analysis:
        water &= analysis["concentration_background"].values <= ICE_EDGE
    pictures = []
    for name, unit in (("concentration", ""), ("thickness", "m")):
        if f"{name}_increment" not in analysis:
            continue
        increment, points, caption = analysis[f"{name}_increment"].values, (), ""
        if name == "thickness":
            increment = np.where(water, 0 * increment, increment)
            points = _places(contents.observations)
            caption = "Shown where analysis or background has more than 15 % ice."
        scale = symmetric_scale(
            "analysis minus background" + (f" [{unit}]" if unit else ""), increment
        )
        png = FieldMap(plane, scale, (line,), points).draw(
            increment, f"Change of {name}, {contents.issued}", edges=((line, concentration),)
        )
        largest = np.nanmax(np.abs(increment), initial=0.0)
        pictures.append(
            Picture(
                f"increment_{name}",
                png,
                f"Map of analysis minus background of the {name}; the greatest change is "
                f"{summary.number(float(largest))} {unit}".rstrip()
                + ".",
                caption,
            )
        )
    return pictures


def films(contents):
    """The forecast, one film for each field of a run; for other folders of concentration alone.

    The page draws all fields itself. The pictures of a run go further, because others use them.
    """
    forecast, verification = contents.forecast, contents.verification
    concentration = forecast["concentration"].values
    truth = None if verification is None else verification["concentration"].values
    word = "true" if contents.twin else "observed"
    fields = [
        ("concentration", "Concentration", concentration, fraction_scale("ice concentration")),
    ]
    whole = not of_analysis(contents.manifest)
    if whole and "thickness" in forecast:
        thickness = forecast["thickness"].values
        fields.append(
            (
                "thickness",
                "Thickness and drift",
                thickness,
                positive_scale("ice thickness [m]", thickness, cmocean.cm.dense),
            )
        )
    if whole and "probability_of_ice" in forecast:
        fields.append(
            (
                "probability",
                "Probability of ice",
                forecast["probability_of_ice"].values,
                fraction_scale("share of members with more than 15 % ice", cmocean.cm.deep_r),
            )
        )
    if whole and "concentration_spread" in forecast:
        spread = forecast["concentration_spread"].values
        fields.append(
            (
                "spread",
                "Spread",
                spread,
                positive_scale("spread of the concentration", spread, cmocean.cm.tempo),
            )
        )
    if truth is not None and np.isfinite(truth).any():
        fields.append(
            (
                "truth",
                f"{word.capitalize()} concentration",
                truth,
                fraction_scale(f"{word} ice concentration"),
            )
        )
    everything = [concentration] if truth is None else [concentration, truth]
    covered = np.nan_to_num(np.stack(everything)).max(axis=(0, 1))
    plane = _plane(contents, covered)
    return [_film(contents, plane, truth, *field) for field in fields]


def curves(contents):
    """Scores against lead.

    Returns
    -------
    main, more, spread : list of Picture
        The first few, the others, and spread over error.
    """
    pictures, spread = [], []
    for variable, score, region, rows in summary.score_groups(contents.scores):
        label = f"{score_label(score)} of the {variable.replace('_', ' ')}"
        group = spread if score == "spread_skill" else pictures
        group.append(
            Picture(
                f"score_{variable}_{score}",
                score_curves(rows, variable, score),
                f"{label} against lead time, one line for each system; numbers in the scorecard.",
                f"Region: {summary.region_text(region)}. Shaded: intervals of the scorecard.",
            )
        )
    return pictures[:MAIN_CURVES], pictures[MAIN_CURVES:], spread


def consistency(contents):
    """Actual against expected misfit of the observations, one picture for each kind."""
    observations = contents.observations
    if observations is None or not {"background", "background_spread"} <= set(observations):
        return []
    data = {name: observations[name].values for name in observations.data_vars}
    good = np.isfinite(data["background"]) & np.isfinite(data["value"]) & (data["flag"] == 0)
    units = {"concentration": "", "drift_u": "m/s", "drift_v": "m/s"}
    pictures = []
    for index, kind in enumerate(KINDS):
        series, used = {}, good & (data["kind"] == index)
        if used.any():
            series["background"] = _misfit(data, "background", used)
        withheld = used & ~_assimilated(observations)
        if withheld.any() and {"analysis", "analysis_spread"} <= set(data):
            series["analysis, withheld only"] = _misfit(data, "analysis", withheld)
        if series:
            name = kind.replace("_", " ")
            pictures.append(
                Picture(
                    f"consistency_{kind}",
                    consistency_curves(
                        f"{name.capitalize()} observations", units.get(kind, "m"), series
                    ),
                    f"Actual against expected misfit of the {name} observations.",
                    f"{int(used.sum()):,} observations in classes of expected misfit. "
                    "Above the line the ensemble is too sure, below it too unsure.",
                )
            )
    return pictures


def _film(contents, plane, truth, key, label, fields, scale):
    true_edge = Line("true edge" if contents.twin else "observed edge", *_look(TRUE_EDGE))
    lines = (FORECAST_EDGE, ANALYSIS_EDGE) + ((true_edge,) if truth is not None else ())
    leads = contents.leads
    start = contents.start["concentration"].values
    concentration = contents.forecast["concentration"].values
    drawing = FieldMap(plane, scale, lines, dpi=78 if len(leads) * 5 > MANY_FRAMES else 100)
    drift = _drift(contents.forecast) if key == "thickness" else None
    frames = []
    for index, (lead, valid) in enumerate(zip(leads, contents.valid_times, strict=True)):
        edges = [(ANALYSIS_EDGE, start), (FORECAST_EDGE, concentration[index])]
        if truth is not None:
            edges.insert(1, (true_edge, truth[index]))
        png = drawing.draw(
            _shown(fields[index], key, concentration[index]),
            f"{label}, +{lead} h, {valid}",
            edges=edges,
            drift=drift and (drift[0][index], drift[1][index], drift[2]),
        )
        frames.append(
            Picture(
                f"forecast_{key}_{lead:03d}h",
                png,
                f"Map: {label.lower()}, {lead} hours ahead, valid {valid}.",
            )
        )
    return Film(key, label, frames)


def _look(line):
    return line.colour, line.dash, line.width


def _plane(contents, concentration):
    dataset = contents.forecast
    return Plane.around(
        dataset["x"].values, dataset["y"].values, concentration > ICE_SHOWN, contents.polar
    )


def _shown(field, name, concentration):
    """The field; thickness only where there is ice, as open water has none."""
    if name != "thickness":
        return field
    return np.where((concentration > ICE_SHOWN) & np.isfinite(field), field, 0 * concentration)


def _drift(forecast):
    """Components where there is ice, and a speed for the legend; None where the run has none."""
    if not {"u", "v"} <= set(forecast):
        return None
    ice = forecast["concentration"].values > ICE_EDGE
    u, v = (np.where(ice, forecast[name].values, np.nan) for name in ("u", "v"))
    return u, v, round_limit(np.hypot(u, v))


def _places(observations):
    """Marks of the thickness observations: label, colour, x, y."""
    if observations is None:
        return ()
    thickness = observations["kind"].values == KINDS.index("thickness")
    assimilated = _assimilated(observations)
    marks = []
    for label, colour, chosen in (
        ("assimilated", "#111111", assimilated),
        ("withheld", "#ffffff", ~assimilated),
    ):
        chosen = chosen & thickness & (observations["flag"].values == 0)
        if chosen.any():
            marks.append(
                (label, colour, observations["x"].values[chosen], observations["y"].values[chosen])
            )
    return tuple(marks)


def _assimilated(observations):
    """Which observations the analysis used; all where the file does not tell."""
    if "assimilated" not in observations:
        return np.ones(observations.sizes["obs"], bool)
    return observations["assimilated"].values == 1


def _misfit(data, name, used):
    misfit = data["value"][used] - data[name][used]
    return binned_misfit(misfit, np.hypot(data[f"{name}_spread"][used], data["error_std"][used]))
