"""Ice edges of the page as lines, and the band in which the edge may lie as areas."""

from dataclasses import dataclass

import numpy as np
from contourpy import FillType, contour_generator

from floecast.core.variables import ICE_EDGE
from floecast.forecast.ice_edge import IceEdge
from floecast.report.members import BAND


@dataclass(frozen=True)
class Edge:
    """The ice edge at one time.

    Parameters
    ----------
    median : list of (point, 2) array
        Lines on which half of the members have ice [m].
    band : list of (point, 2) array
        Rings; inside of an odd number of them the probability of ice lies between 0.1 and 0.9.
    limits : list of (point, 2) array
        Lines of the probabilities 0.1 and 0.9: the sides of the band that are no coast.
    width : float
        Mean distance between the edges of the probabilities 0.9 and 0.1, as in `IceEdge` [km]; NaN
        where it is not known.
    """

    median: list
    band: list
    limits: list
    width: float


def forecast_edges(contents, told, times):
    """The edge at each of some times, None where the forecast tells no probability.

    Parameters
    ----------
    contents : Contents
    told : Told
        At these times only.
    times : sequence of int
        Their numbers in the files.

    Returns
    -------
    list of Edge

    Notes
    -----
    With members the edge of probability p is drawn where the quantile 1 - p of concentration is
    15 %, as in `forecast.ice_edge`; without them where the probability itself is p, which is never
    narrower than 0.8 cells.
    """
    x, y = (contents.forecast[name].values for name in ("x", "y"))
    edges = []
    for place, number in enumerate(times):
        known = _stored(contents, number) if told.edges is None else told.edges[place]
        if told.low is not None:
            ocean = np.isfinite(told.forecast["concentration"].values[place])
            fields = [np.where(ocean, field[place], np.nan) for field in (told.low, told.high)]
            levels = (ICE_EDGE, ICE_EDGE)
        elif "probability_of_ice" in told.forecast:
            fields = [told.forecast["probability_of_ice"].values[place]] * 2
            levels = BAND
        else:
            mean = told.forecast["concentration"].values[place]
            edges.append(Edge(lines(x, y, mean, ICE_EDGE), [], [], np.nan))
            continue
        band, limits = (
            [
                line
                for field, level in zip(fields, levels, strict=True)
                for line in found(x, y, field, level)
            ]
            for found in (rings, lines)
        )
        if known is None:
            probability = told.forecast["probability_of_ice"].values[place]
            edges.append(Edge(lines(x, y, probability, 0.5), band, limits, np.nan))
        else:
            points = np.column_stack([known.x, known.y])
            ends = np.flatnonzero(np.diff(known.line)) + 1
            median = np.split(points, ends)
            edges.append(Edge(median, band, limits, known.width / 1000))
    return edges


def lines(x, y, field, level):
    """Lines on which a field has a value, ``(point, 2)`` each; NaN belongs to neither side."""
    field = np.ma.masked_invalid(np.asarray(field, float))
    if min(field.shape) < 2 or field.mask.all():
        return []
    return [one for one in contour_generator(x, y, field).lines(level) if len(one) > 1]


def rings(x, y, field, level):
    """Rings around the area where a field exceeds a value; holes are rings of their own."""
    field = np.ma.masked_invalid(np.asarray(field, float))
    if min(field.shape) < 2 or field.mask.all():
        return []
    drawn = contour_generator(x, y, field, fill_type=FillType.OuterOffset)
    points, offsets = drawn.filled(level, np.inf)  # type: ignore[misc]
    return [
        polygon[first:last]
        for polygon, ends in zip(points, offsets, strict=True)
        for first, last in zip(ends[:-1], ends[1:], strict=True)
    ]


def _stored(contents, number):
    """The edge in ``ice_edge.nc``; None where there is no such file."""
    if contents.edge is None:
        return None
    now = contents.edge["time"].values == contents.forecast["time"].values[number]
    return IceEdge(*(contents.edge[name].values[now] for name in IceEdge._fields))
