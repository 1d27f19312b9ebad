"""The `dynamics` case of Veris 0.2.1, ten steps with converged iterations."""

import jax

from floecast.simulator.mevp_box import run_published

OPTIONS = ()
REFERENCE = {"umax": 0.156654, "vmax": 0.156607, "urms": 0.066767, "hmax": 0.306125}
SOURCES = [
    "reference: Veris 0.2.1 (doi:10.5194/gmd-19-5225-2026), 64 x 64 cells, 10 steps, 1500 "
    "iterations with alpha 500; six decimals"
]
CELLS, STEPS, ITERATIONS, ALPHA = 64, 10, 1500, 500.0


def run():
    """Figures at the end, in float64.

    Returns
    -------
    dict of str to float
        Greatest |u| and |v|, root mean square of u [m/s], greatest thickness [m].
    """
    with jax.enable_x64(True):
        found = run_published(CELLS, STEPS, ITERATIONS, ALPHA)
    return {name: found[name] for name in REFERENCE}
