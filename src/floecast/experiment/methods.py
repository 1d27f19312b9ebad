"""Analysis methods made from a configuration."""

import dataclasses

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from floecast.assimilation.asynchronous import Asynchronous
from floecast.assimilation.covariance import HybridCovariance
from floecast.assimilation.cycle import Recentred
from floecast.assimilation.diffusion import DiffusionCovariance
from floecast.assimilation.inflation import Inflation
from floecast.assimilation.kalman import LETKF
from floecast.assimilation.localisation import GaspariCohn
from floecast.assimilation.minimise import Minimiser
from floecast.assimilation.misfit import CensoredMisfit
from floecast.assimilation.modulation import SeparableRoot
from floecast.assimilation.variational import En4DVar
from floecast.core.calendar import HOUR
from floecast.core.errors import InputError
from floecast.core.state import IceState
from floecast.core.variables import STATE
from floecast.emulator.model import Emulator

OTHERS = tuple(name for name in STATE if name != "concentration")
"""Fields that observations of thickness speak of, where those of concentration are apart."""
APART = {"concentration": ("concentration",), "thickness": OTHERS}
"""`updates` of a filter for which errors of concentration are correlated with no others."""
BLOCKS = IceState(**{name: int(name in OTHERS) for name in STATE})
"""`blocks` of a covariance for the same."""


def without_noise(model):
    """The run that a variational method linearises about: a model that draws nothing."""
    if not isinstance(model, Emulator):
        return model
    return eqx.tree_at(lambda e: e.noise_scale, model, jnp.zeros_like(model.noise_scale))


def emulator_on(grid, name):
    """The emulator of a file or preset on a grid, with the ocean of that grid.

    Raises
    ------
    InputError
        If there is none, or it was trained on other cells: weather does not tell of the ocean.
    """
    emulator = Emulator.load(name, grid)
    if emulator.ocean is None:
        raise InputError(
            f"emulator {name} holds no ocean of {grid.name}; name one that was trained there"
        )
    return emulator


def static_covariance(grid, length, concentration, thickness, snow=0.0):
    """Covariance of concentration, thickness and snow depth by diffusion, in control variables.

    Parameters
    ----------
    grid : Grid
    length : float
        Of the correlations [m].
    concentration, thickness, snow : float
        Standard deviations: at half cover [1], [m] and [m].

    Returns
    -------
    DiffusionCovariance
    """
    std = IceState(
        concentration=concentration,
        ice_volume=thickness,
        snow_volume=snow,
        u=0.0,
        v=0.0,
        damage=0.0,
    )
    return DiffusionCovariance(grid, std, length)


def hybrid_covariance(grid, static, weight, half_width, concentration_half_width=None):
    """Static covariance and that of the members, localised.

    Parameters
    ----------
    grid : Grid
    static : AbstractCovariance
    weight : float
        Of the members [1].
    half_width : float
        Of the localisation [m].
    concentration_half_width : float, optional
        The same for concentration [m], whose errors are then correlated with no others.

    Returns
    -------
    HybridCovariance
    """
    root = SeparableRoot.on_grid(grid, half_width)
    if concentration_half_width is None:
        return HybridCovariance(static=static, weight=weight, localisation=root)
    near = SeparableRoot.on_grid(grid, concentration_half_width)
    return HybridCovariance(
        static=static, weight=weight, localisation={0: near, 1: root}, blocks=BLOCKS
    )


def steps_of_window(config, model):
    """Steps of the model in the window of a run.

    Raises
    ------
    InputError
        If these are not whole.
    """
    hours = config.analysis.window_hours
    steps, rest = divmod(hours * HOUR, model.dt)
    if rest:
        raise InputError(
            f"analysis.window_hours: {hours} h is not a whole number of the model's steps of "
            f"{model.dt / HOUR:g} h"
        )
    return steps


def method_of_run(config, grid, model):
    """The analysis method of a run.

    Parameters
    ----------
    config : Config
    grid : Grid
    model : Model
        That carries the members.

    Returns
    -------
    LETKF, Asynchronous or Recentred
        The first where all observations are of one instant.

    Raises
    ------
    InputError
        If the window is not whole steps of the model.
    """
    section = config.analysis
    half_widths = {
        "concentration": section.concentration_half_width_km,
        "thickness": section.thickness_half_width_km,
        "drift_u": section.drift_half_width_km,
        "drift_v": section.drift_half_width_km,
        "freeboard": section.thickness_half_width_km,
        "laser_freeboard": section.thickness_half_width_km,
        "snow_depth": section.thickness_half_width_km,
    }
    half_widths = {kind: 1e3 * width for kind, width in half_widths.items()}
    letkf = LETKF(
        localisation=GaspariCohn.on_grid(grid, half_widths),
        inflation=Inflation(prior=section.inflation, relaxation=section.relaxation),
        shared_error=section.shared_error,
        updates=section.updates,
    )
    if not section.window_hours:
        return letkf
    steps = steps_of_window(config, model)
    members = Asynchronous(letkf, model, steps)
    if section.method == "letkf":
        return members
    static = static_covariance(
        grid,
        1e3 * section.static_length_km,
        section.static_concentration,
        section.static_thickness,
    )
    apart = tuple(section.updates.get("concentration", ())) == ("concentration",)
    covariance = hybrid_covariance(
        grid,
        static,
        section.ensemble_weight,
        half_widths["thickness"],
        half_widths["concentration"] if apart else None,
    )
    variational = En4DVar(
        without_noise(model),
        covariance,
        window=steps,
        misfit=CensoredMisfit(shared_error=section.shared_error),
        minimiser=Minimiser(outer=section.outer, inner=section.inner),
    )
    return Recentred(variational, members)


def of_this_window(observations, start, end):
    """Observations averaged over a longer time as if they were of the end of a window.

    Parameters
    ----------
    observations : Observations
    start, end : int
        Of the window [s].

    Returns
    -------
    Observations
        Those whose centre is outside of the window, though their span reaches into it, have its
        end as time and no span.
    """
    half = observations.span // 2
    centre = (observations.time > start) & (observations.time <= end)
    reaches = (observations.time - half <= end) & (observations.time + half >= start)
    moved = reaches & ~centre
    return dataclasses.replace(
        observations,
        time=jnp.where(moved, end, observations.time),
        span=jnp.where(moved, 0, observations.span),
    )


def minimisation(found):
    """What is told of a variational analysis, as plain JSON values; None where there is none."""
    if found is None:
        return None
    history = found.minimum.history
    used = int(jnp.sum(found.used))
    last = float(history.last)
    return {
        "status": int(found.status),
        "observations": used,
        "cost": [float(f"{x:.6g}") for x in np.asarray(history.cost)],
        "step": [float(x) for x in np.asarray(history.step)],
        "inner": [int(n) for n in np.asarray(history.inner)],
        "residual": [float(f"{x:.3g}") for x in np.asarray(history.residual)],
        "twice_cost_over_observations": round(2 * last / max(used, 1), 4),
        "degrees_of_freedom_at_least": round(float(found.posterior.degrees_of_freedom), 2),
    }
