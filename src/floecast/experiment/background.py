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

from . import files
from .case import fill
from .forecast import failures

YOUNG_ICE = 0.3
"""Thickness of ice that the model of the background does not have [m]: its edge differs from the
observed one, and ice beyond it is young."""

SNOW_SHARE = 0.1
"""Snow depth over ice thickness where a background has no snow [1]."""


def products(config):
    """What the stage writes."""
    simulated = ["simulated_truth.npz"] * config.simulated
    return ["background_ensemble.nc", *["truth.nc"] * config.twin, *simulated]


def make(case, noted):
    """Write the products of this stage.

    Parameters
    ----------
    case : Case
    noted : dict
        Notes, warnings and inputs for the manifest.
    """
    if case.config.simulated:
        ensemble = _make_simulated(case)
    else:
        if case.config.twin:
            _make_truth(case)
            start = typical_state(case.grid, case.background_time)
        else:
            start = _from_files(case, noted)
        check_state(start, case.grid)
        ensemble = initial_ensemble(
            case.key("background", "ensemble"),
            start,
            case.grid,
            case.config.ensemble.members,
            errors=case.initial_errors(),
        )
    ensemble = carried(case, ensemble, case.background_time, noted)
    files.write_states(
        case.folder.file("background_ensemble.nc"),
        ensemble,
        case.grid,
        case.window_start,
        title="Sea-ice background, members",
        members=True,
    )


def carried(case, ensemble, time, noted):
    """Members at the start of the window; those that fail are left out.

    Parameters
    ----------
    case : Case
    ensemble : IceState
        Leaves ``(member, y, x)``.
    time : int
        Of these, whole days before the window [s since 2000-01-01].
    noted : dict
        Warnings for the manifest.
    """
    days = (case.window_start - time) // calendar.DAY
    if not days:
        return ensemble
    ensemble = jax.tree.map(lambda leaf: leaf.astype(np.float32), ensemble)  # as files keep them
    run = forecast(
        case.model(),
        ensemble,
        case.background_weather(),
        days=days,
        key=case.key("background", "model"),
        start=time,
        progress=case.progress.advance,
    )
    noted["warnings"] += failures(run.healthy, "background")
    return jax.tree.map(lambda leaf: leaf[run.healthy, -1], run.ensemble)


def _from_files(case, noted):
    section = case.config.background
    case.input(section.concentration, noted)
    concentration = case.initial_concentration
    path = case.input(section.thickness, noted)
    thickness = fill(read_thickness_field(path, case.grid, time=case.background_time), case.grid)
    thickness = np.where((concentration > 0) & ~(thickness > 0), YOUNG_ICE, thickness)
    noted["notes"].append(
        f"Background: thickness of {section.thickness}, taken as the mean over the ice, "
        "concentration of "
        f"{calendar.iso(case.background_time)[:10]} from {section.concentration}"
    )
    if case.weather is None:
        until = calendar.iso(case.analysis_time)
        noted["notes"][-1] += f", then weather drawn from a climatology until {until}."
    return IceState.at_rest(case.grid, concentration, thickness, SNOW_SHARE * thickness)


def _make_truth(case):
    model = case.truth_model()
    per_day = calendar.DAY // model.dt
    options = {"key": case.key("truth", "model"), "save_every": per_day}
    start = rollout(
        model,
        case.other_state("truth start", case.background_time),
        case.true_weather,
        case.config.background.spin_up_days * per_day,
        start=case.background_time,
        **options,
    ).final
    later = rollout(
        model,
        start,
        case.true_weather,
        case.config.forecast.days * per_day,
        start=case.analysis_time,
        **options,
    ).state
    truth = jax.tree.map(lambda first, rest: np.concatenate([first[None], rest]), start, later)
    _write_truth(case, truth)


def _make_simulated(case):
    """Write the truth of the simulator; members that do not know it."""
    twin, path = case.simulated, case.folder.file("simulated_truth.npz")
    twin.make(path, case.progress.advance)
    kept = twin.read(path)
    _write_truth(case, jax.tree.map(lambda leaf: leaf[np.isin(twin.times, case.leads)], kept))
    ensemble = twin.ensemble(case.key("background", "ensemble"), case.config.ensemble.members)
    return jax.tree.map(lambda leaf: leaf.astype(np.float32), ensemble)


def _write_truth(case, truth):
    files.write_states(
        case.folder.file("truth.nc"),
        truth,
        case.grid,
        case.leads,
        title="Truth of a twin",
        members=False,
    )
