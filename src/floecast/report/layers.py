"""The fields that the maps of the page can show, each with its scale."""

from dataclasses import dataclass
from typing import Any

import cmocean
import numpy as np

from floecast.core.variables import ICE_EDGE
from floecast.report.maps import Scale, fraction_scale, positive_scale, symmetric_scale

ICE_SHOWN = 0.01
"""Thickness is drawn where there is more ice than this."""
FINE = {"step": 0.01, "kind": "u2"}
"""Thickness is told to a centimetre: thin ice matters, and its range is long."""


@dataclass(frozen=True)
class Layer:
    """One choice of the viewer.

    Parameters
    ----------
    key, label, group : str
    entry : str
        Name of the array that holds it.
    index : int or None
        Of the second axis of that array.
    unit : str
        Empty for shares.
    digits : int
        After the point.
    scale : Scale
    of_ice : bool
        Whether it means something only where there is ice.
    """

    key: str
    label: str
    group: str
    entry: str
    index: int | None
    unit: str
    digits: int
    scale: Scale
    of_ice: bool = False

    def plain(self):
        """As JSON values."""
        return {
            "key": self.key,
            "label": self.label,
            "group": self.group,
            "entry": self.entry,
            "index": self.index,
            "unit": self.unit,
            "digits": self.digits,
            "legend": self.scale.label,
            "lower": self.scale.lower,
            "upper": self.scale.upper,
            "extend": self.scale.extend,
            "ofIce": self.of_ice,
            "colours": hex_colours(self.scale),
        }


def layers(contents, told):
    """What of a forecast there is to show.

    Parameters
    ----------
    contents : Contents
    told : Told

    Returns
    -------
    layers : list of Layer
    arrays : dict
        Entry to array ``(time, y, x)`` or ``(time, index, y, x)``, or of length 1 in time, and how
        it is to be packed.
    """
    made = _Layers(told.forecast)
    of_ice = {"digits": 2, "unit": "m", "of_ice": True, "packed": FINE}
    made.add("concentration", "Concentration", "Mean", fraction_scale("ice concentration"))
    thick = made.values("thickness")
    thickness = None
    if thick is not None:
        ice = made.values("concentration") > ICE_EDGE
        thickness = positive_scale(
            "ice thickness [m]", np.where(ice, thick, np.nan), cmocean.cm.dense
        )
        made.add("thickness", "Thickness", "Mean", thickness, **of_ice)
    _uncertain(made, of_ice)
    _probable(made)
    for name, scale, options in (
        ("concentration", fraction_scale("ice concentration"), {}),
        ("thickness", thickness, of_ice),
    ):
        if scale is not None:
            _quantiles(made, name, scale, options)
    _events(made, contents.dates)
    _true(made, contents, thickness, of_ice)
    return made.layers, made.arrays


class _Layers:
    """Layers and arrays as they are found."""

    def __init__(self, forecast):
        self.forecast, self.layers, self.arrays = forecast, [], {}

    def values(self, name):
        """``(time, y, x)`` or ``(time, index, y, x)``; None where the forecast has none."""
        if name not in self.forecast:
            return None
        return self.forecast[name].transpose("time", ..., "y", "x").values

    def add(self, name, label, group, scale, *, values=None, index=None, packed=None, **options):
        """Add a layer if there is such a field."""
        values = self.values(name) if values is None else values
        if values is None:
            return
        self.arrays[name] = values, packed or {}
        key = name if index is None else f"{name}_{index}"
        options = dict[str, Any](unit="", digits=2) | options
        self.layers.append(
            Layer(
                key=key, label=label, group=group, entry=name, index=index, scale=scale, **options
            )
        )


def _uncertain(made, of_ice):
    spread = made.values("concentration_spread")
    if spread is not None:
        scale = positive_scale("spread of the concentration", spread, cmocean.cm.tempo)
        made.add("concentration_spread", "Spread of concentration", "Uncertainty", scale)
    spread = made.values("thickness_spread")
    if spread is not None:
        ice = made.values("concentration") > ICE_EDGE
        shown = np.where(ice, spread, np.nan)
        scale = positive_scale("spread of the thickness [m]", shown, cmocean.cm.tempo)
        made.add("thickness_spread", "Spread of thickness", "Uncertainty", scale, **of_ice)


def _probable(made):
    group, colours = "Probability", cmocean.cm.deep_r
    for name, label, text in (
        ("probability_of_ice", "Ice above 15 %", "share of members with more than 15 % ice"),
        ("probability_of_pack_ice", "Ice above 80 %", "share of members with more than 80 % ice"),
    ):
        made.add(name, label, group, fraction_scale(text, colours))
    name = "probability_of_thickness_class"
    if name in made.forecast:
        for index, text in enumerate(class_names(made.forecast["thickness_class"].values)):
            scale = fraction_scale(f"share of members with ice of {text}", colours)
            made.add(name, f"Ice of {text}", "Probability of thickness", scale, index=index)


def _quantiles(made, name, scale, options):
    entry = f"{name}_quantile"
    if entry not in made.forecast:
        return
    for index, level in enumerate(made.forecast["quantile"].values):
        label = f"{name.capitalize()}, {100 * level:g} %"
        one = Scale(
            f"{scale.label}: {100 * level:g} % of members have less",
            scale.colours,
            scale.lower,
            scale.upper,
            scale.extend,
            scale.steps,
        )
        made.add(entry, label, "Quantiles", one, index=index, **options)


def _events(made, dates):
    if dates is None:
        return
    for name, text in (("freeze_up", "Freeze-up"), ("break_up", "Break-up")):
        entry = f"probability_of_{name}"
        if entry in dates:
            scale = fraction_scale(
                f"share of members with a {text.lower()} in these days", cmocean.cm.deep_r
            )
            values = dates[entry].values[None]
            made.add(entry, f"{text} within the forecast", "Events", scale, values=values)


def _true(made, contents, thickness, of_ice):
    if contents.verification is None:
        return
    chosen = made.forecast["time"].values
    truth = contents.verification.sel(time=chosen)
    concentration = truth["concentration"].values
    if not np.isfinite(concentration).any():
        return
    word = "True" if contents.twin else "Observed"
    scale = fraction_scale(f"{word.lower()} ice concentration")
    made.add("truth", f"{word} concentration", "Verification", scale, values=concentration)
    forecast = made.values("concentration")
    made.add(
        "error",
        "Concentration minus " + ("truth" if contents.twin else "observation"),
        "Verification",
        symmetric_scale("forecast minus " + word.lower(), forecast - concentration),
        values=forecast - concentration,
    )
    if "ice_volume" in truth and thickness is not None:
        ice = concentration > ICE_SHOWN
        volume = truth["ice_volume"].values
        values = np.where(ice, volume / np.where(ice, concentration, 1), 0 * concentration)
        made.add(
            "truth_thickness",
            f"{word} thickness",
            "Verification",
            thickness,
            values=values,
            **of_ice,
        )


def class_names(lower):
    """Classes of thickness in words, from their lower bounds [m]."""
    texts = [f"{low:g} to {high:g} m" for low, high in zip(lower[:-1], lower[1:], strict=True)]
    return [*texts, f"{lower[-1]:g} m and more"]


def hex_colours(scale):
    """The colours of a scale as text, from its lower end on."""
    colours = scale.colours.resampled(scale.steps)
    return [_hex(colours(i)) for i in range(scale.steps)]


def _hex(colour):
    return "#" + "".join(f"{round(255 * part):02x}" for part in colour[:3])
