"""Stage 1: the ensemble before the observations, and in twins the truth."""

import jax
import numpy as np

from floecast.assimilation.initial import initial_ensemble
from floecast.core import calendar
from floecast.core.rollout import rollout
from floecast.core.state import IceState, check_state
from floecast.forecast.ensemble import forecast
from floecast.io.readers import read_thickness_field
from floecast.simulator.typical_state import typical_state

from .case import fill
from .files import write_ensemble, write_truth

UNKNOWN_THICKNESS = 0.5
"""Of ice that the thickness field of the background does not have [m]: it has an ice edge of its
own, and ice seen beyond it is young."""


def make(case, noted):
    """Write ``background_ensemble.nc``, in twins also ``truth.nc``.

    Parameters
    ----------
    case : Case
    noted : dict
        Notes, warnings and inputs for the manifest.
    """
    if case.config.twin:
        _make_truth(case)
    start = _twin_start(case) if case.config.twin else _file_start(case, noted)
    check_state(start, case.grid)
    section = case.config.ensemble
    ensemble = initial_ensemble(
        case.key("background", "ensemble"),
        start,
        case.grid,
        section.members,
        thickness_error=section.thickness_error,
    )
    days = (case.analysis_time - case.background_time) // calendar.DAY
    if days:
        run = forecast(
            case.model(),
            ensemble,
            case.climatological_weather("background"),
            days=days,
            key=case.key("background", "model"),
            start=case.background_time,
            progress=case.progress.advance,
        )
        ensemble = jax.tree.map(lambda leaf: leaf[:, -1], run.ensemble)
        _warn_of_failures(run.healthy, noted)
    write_ensemble(case.folder.file("background_ensemble.nc"), ensemble, case.grid, case.analysis_time)


def files(config):
    """What the stage writes."""
    return ["background_ensemble.nc", "truth.nc"] if config.twin else ["background_ensemble.nc"]


def _file_start(case, noted):
    section = case.config.background
    case.input(section.concentration, noted)
    concentration = case.initial_concentration
    field = read_thickness_field(
        case.input(section.thickness, noted), case.grid, time=case.background_time
    )
    thickness = fill(field, case.grid)
    young = (concentration > 0) & ~(thickness > 0)
    thickness = np.where(young, UNKNOWN_THICKNESS, thickness)
    noted["notes"].append(
        f"Background: {section.thickness} (thickness) with the concentration of "
        f"{calendar.iso(case.background_time)[:10]}, then weather without knowledge of the real one "
        f"until {calendar.iso(case.analysis_time)}."
    )
    return IceState.at_rest(case.grid, concentration, thickness, 0.1 * thickness)


def _twin_start(case):
    return typical_state(case.grid, case.background_time)


def _make_truth(case):
    model = case.truth_model()
    per_day = calendar.DAY // model.dt
    spin_up = case.config.background.spin_up_days
    weather, key = case.true_weather, case.key("truth", "model")
    arguments = {"key": key, "save_every": per_day}
    state = rollout(
        model, _twin_start(case), weather, spin_up * per_day, start=case.background_time, **arguments
    ).final
    days = case.config.forecast.days
    later = rollout(
        model, state, weather, days * per_day, start=case.analysis_time, **arguments
    ).state
    truth = jax.tree.map(lambda first, rest: np.concatenate([first[None], rest]), state, later)
    write_truth(case.folder.file("truth.nc"), truth, case.grid, case.leads)


def _warn_of_failures(healthy, noted):
    failed = np.flatnonzero(~healthy)
    if failed.size:
        noted["warnings"].append(
            f"members {', '.join(str(m) for m in failed)} have values that are not finite and "
            "are left out"
        )
