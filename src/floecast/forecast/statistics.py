"""What is told of an ensemble: mean, spread, probability of ice."""

import numpy as np

from floecast.core.variables import ICE_EDGE


def summary(fields):
    """Mean and spread of each field, and the probability of ice.

    Parameters
    ----------
    fields : dict
        Name to ``(member, ..., y, x)`` array; members that failed already left out.

    Returns
    -------
    dict
        ``name`` (mean), ``name_spread`` (standard deviation, N - 1) and, if there is a
        concentration, ``probability_of_ice``: the share of members above 15 % [1].
    """
    told = {}
    for name, members in fields.items():
        told[name] = np.mean(members, axis=0)
        told[f"{name}_spread"] = np.std(members, axis=0, ddof=1)
    if "concentration" in fields:
        told["probability_of_ice"] = np.mean(fields["concentration"] > ICE_EDGE, axis=0)
    return told
