"""What is told of an ensemble at one time."""

from typing import NamedTuple

import jax
import numpy as np

from floecast.core.operators import u_to_t, v_to_t
from floecast.core.variables import PACK_ICE

from .ellipses import prediction_ellipse
from .ice_edge import IceEdge, ice_edge
from .probability import STAGES, probability_above, quantiles, thickness_classes
from .statistics import summary

RANKED = ("concentration", "ice_volume", "thickness")
"""Fields of which quantiles are told."""


class Products(NamedTuple):
    """Of one time.

    Attributes
    ----------
    fields : arrays ``(y, x)`` at T points by name; those whose name ends in ``_quantile`` are
        ``(quantile, y, x)``, ``probability_of_thickness_class`` is ``(class, y, x)``.
    edge : the median ice edge with its uncertainty.
    members : number of members that this stands on.
    """

    fields: dict
    edge: IceEdge
    members: int


def products(
    ice, grid, *, levels=(0.05, 0.25, 0.5, 0.75, 0.95), classes=STAGES, probability=0.9
) -> Products:
    """Mean, spread, quantiles, probabilities, drift ellipses and ice edge.

    Parameters
    ----------
    ice : IceState
        Leaves ``(member, y, x)``; members that failed left out.
    grid : Grid
    levels : sequence of float
        Of the quantiles.
    classes : sequence of float
        Thickness between the classes [m]; see `probability.thickness_classes`.
    probability : float
        That the drift lies in its ellipse; see `ellipses.prediction_ellipse`.

    Returns
    -------
    Products

    Raises
    ------
    InputError
        With fewer than three members.

    Notes
    -----
    Velocities are brought to the centres of the cells before anything is told of them. Thickness is
    the mean over the ice, and 0 in members without.
    """
    ice = jax.tree.map(np.asarray, ice)
    u, v = centred(ice, grid)
    members = {
        "concentration": ice.concentration,
        "ice_volume": ice.ice_volume,
        "thickness": np.asarray(ice.thickness),
        "snow_volume": ice.snow_volume,
        "u": u,
        "v": v,
    }
    fields = summary(members)
    fields["probability_of_pack_ice"] = probability_above(ice.concentration, PACK_ICE)
    fields["probability_of_thickness_class"] = thickness_classes(
        ice.concentration, members["thickness"], classes
    )
    for name in RANKED:
        fields[f"{name}_quantile"] = quantiles(members[name], levels)
    ellipse = prediction_ellipse(u, v, probability)
    fields["drift_ellipse_major"] = ellipse.major
    fields["drift_ellipse_minor"] = ellipse.minor
    fields["drift_ellipse_angle"] = ellipse.angle
    return Products(fields, ice_edge(ice.concentration, grid), len(u))


def centred(ice, grid):
    """Velocities of members at the centres of the cells, two ``(member, y, x)`` arrays [m/s]."""
    u = jax.vmap(lambda one: u_to_t(one, grid))(ice.u)
    v = jax.vmap(lambda one: v_to_t(one, grid))(ice.v)
    return np.asarray(u, np.float32), np.asarray(v, np.float32)
