"""The stable boundary layer GABLS1, with the default closure and with the calibrated one."""

import equinox as eqx
import jax

from floecast.atmosphere.gabls1 import gabls1_layer, run_gabls1
from floecast.atmosphere.turbulence import Closure

OPTIONS = ()
_BAND = {
    "ustar": [0.25, 0.28],
    "heat_flux": [-0.013, -0.010],
    "jet_speed": [9.3, 9.7],
    "jet_height": [155.0, 190.0],
    "surface_angle": [33.0, 36.0],
}
REFERENCE = _BAND | {
    "calibrated_rmse_u": [0.0, 0.15],
    "calibrated_rmse_v": [0.0, 0.15],
    "calibrated_rmse_theta": [0.0, 0.1],
}
SOURCES = [
    "reference: spread of large-eddy simulations with 64^3 to 256^3 points of Basu, JAX-ALFA; "
    "profiles against the one of 256^3 between 8 and 300 m",
    "hours 8 to 9, 64 levels up to 400 m, steps of 10 s, float64",
]


def run():
    """Figures of both closures, in float64.

    Returns
    -------
    dict of str to float
        ``ustar`` [m/s], ``heat_flux`` [K m/s], ``jet_speed`` [m/s], ``jet_height`` [m],
        ``surface_angle`` [degrees], ``rmse_u``, ``rmse_v`` [m/s], ``rmse_theta`` [K]; the same with
        the prefix ``calibrated_``.
    """
    with jax.enable_x64(True):
        compiled = eqx.filter_jit(run_gabls1)
        default = _figures(compiled(gabls1_layer(Closure())))
        calibrated = _figures(compiled(gabls1_layer(Closure.calibrated())))
    return default | {f"calibrated_{name}": value for name, value in calibrated.items()}


def _figures(result):
    speed, height = result.jet()
    rmse_u, rmse_v, rmse_theta = result.errors()
    return {
        "ustar": result.friction_velocity,
        "heat_flux": result.heat_flux,
        "jet_speed": speed,
        "jet_height": height,
        "surface_angle": result.surface_angle,
        "rmse_u": rmse_u,
        "rmse_v": rmse_v,
        "rmse_theta": rmse_theta,
    }
