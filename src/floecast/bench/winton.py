"""Winton's column through 110 years of the annual cycle of Maykut and Untersteiner (1971)."""

import jax
import numpy as np

from floecast.simulator.maykut_untersteiner import winton_run

OPTIONS = ()
REFERENCE = {
    "mean_thickness_m": [3.1184, 3.1194],
    "max_thickness_m": [3.3414, 3.3424],
    "min_thickness_m": [2.9800, 2.9810],
    "mean_snow_m": [0.2469, 0.2479],
}
SOURCES = ["reference: test/ThermoIntegration_test.py of neXtSIM-DG, year 2010, 0.5 mm either way"]


def run():
    """Figures of the year 2010 after a start in 1900, in float64.

    Returns
    -------
    dict of str to float
        Mean, greatest and least thickness, and mean depth of snow [m].
    """
    with jax.enable_x64(True):
        year = jax.jit(winton_run)()
        thickness, snow = np.asarray(year["thickness"]), np.asarray(year["snow_depth"])
    return {
        "mean_thickness_m": thickness.mean(),
        "max_thickness_m": thickness.max(),
        "min_thickness_m": thickness.min(),
        "mean_snow_m": snow.mean(),
    }
