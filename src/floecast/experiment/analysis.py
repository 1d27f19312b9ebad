"""Stage 2: observations, quality control, analysis."""

import json

import jax
import numpy as np

from floecast.assimilation.cycle import cycle
from floecast.assimilation.diagnostics import innovation_statistics
from floecast.assimilation.kalman import LETKF
from floecast.core.atomic import write_text
from floecast.core.calendar import DAY, iso, to_seconds
from floecast.core.ensemble import count, member, stack
from floecast.io.readers import read_observations
from floecast.io.rejected import write_rejected
from floecast.observation.errors import BLOCK
from floecast.observation.observations import KINDS, Observations
from floecast.observation.operators import observe
from floecast.observation.quality_control import check_departure, check_range, summary
from floecast.observation.sampling import sample_concentration, sample_thickness
from floecast.observation.superob import superobservations

from . import files
from .methods import method_of_run, minimisation, of_this_window
from .twin import forcings


def products(config):
    """What the stage writes."""
    return [
        "observations.nc",
        "rejected.csv",
        "analysis.nc",
        "analysis_ensemble.nc",
        "diagnostics.json",
        *["background_at_analysis.nc"] * bool(config.analysis.window_hours),
    ]


def make(case, noted):
    """Write the products of this stage.

    Parameters
    ----------
    case : Case
    noted : dict
        Notes, warnings and inputs for the manifest.
    """
    start = files.read_states(case.folder.file("background_ensemble.nc"), case.grid)
    observations, withheld = _from_twin(case) if case.config.twin else _from_files(case, noted)
    limit = case.config.analysis.gross_check

    def check(observations, equivalents):
        return check_departure(check_range(observations), equivalents, factor=limit)

    model = case.model()
    method = method_of_run(case.config, case.grid, model)
    told = {}
    if isinstance(method, LETKF):
        result = method.analyse(start, check(observations, equivalents(start, observations)))
        background = start
    else:
        result, told = _windowed(case, model, method, start, observations, check)
        background = result.background
        noted["notes"].append(
            f"Analysis: {type(method).__name__} of a window of {case.config.analysis.window_hours} "
            "h, through which each member lives in weather drawn from a climatology."
        )
    checked = result.observations
    good = np.asarray(result.healthy)
    before, after = (
        jax.tree.map(lambda leaf: leaf[good], states) for states in (background, result.ensemble)
    )
    time = case.analysis_time
    files.write_observations(
        case.folder.file("observations.nc"),
        checked,
        withheld,
        case.grid,
        background=lambda seen: equivalents(before, seen),
        analysis=lambda seen: equivalents(after, seen),
    )
    write_rejected(case.folder.file("rejected.csv"), checked)
    files.write_analysis(case.folder.file("analysis.nc"), before, after, case.grid, time)
    files.write_states(
        case.folder.file("analysis_ensemble.nc"),
        after,
        case.grid,
        time,
        title="Sea-ice analysis, members",
        members=True,
    )
    if background is not start:
        files.write_states(
            case.folder.file("background_at_analysis.nc"),
            before,
            case.grid,
            time,
            title="Sea-ice background, members",
            members=True,
        )
    told |= {"quality_control": summary(checked), "innovations": innovation_statistics(result)}
    write_text(case.folder.file("diagnostics.json"), json.dumps(told, indent=1) + "\n")
    for row in told["quality_control"]:
        noted["notes"].append(
            f"Analysis: {row['good']} of {row['total']} observations of {row['kind']} used, "
            f"{row['failed_gross_check']} too far from the background, "
            f"{row['out_of_range']} out of range."
        )


def _windowed(case, model, method, start, observations, check):
    """Analysis at the end of the window, and what is told of its minimisation."""
    weathers = case.climatological_weather("background")[: count(start)]
    begin = case.window_start
    steps = (case.analysis_time - begin) // model.dt
    each, mean = forcings(stack(weathers), begin, steps, model.dt)
    found = cycle(
        method,
        model,
        start,
        of_this_window(observations, begin, case.analysis_time),
        each,
        start=begin,
        steps=steps,
        key=case.key("analysis"),
        control_forcing=mean,
        check=check,
    )
    return found.analysis, {"minimisation": minimisation(found.variational)}


def equivalents(ensemble, observations):
    """What each member shows in place of the observations, ``(member, p)``."""
    return jax.vmap(lambda state: observe(state, observations))(ensemble)


def withheld_blocks(x, y):
    """Which places lie in blocks kept for verification.

    The blocks are those within which thickness errors are shared, so that what is withheld shares
    none with what is used.

    Parameters
    ----------
    x, y : (p,) array
        On the projected plane [m].

    Returns
    -------
    (p,) bool array
        True in every second row of blocks.
    """
    return np.floor(np.asarray(y) / BLOCK).astype(int) % 2 == 1


def _split(observations, withhold):
    kept = withheld_blocks(observations.x, observations.y) & withhold
    return observations.select(~kept), observations.select(kept)


def _from_twin(case):
    truth = member(files.read_states(case.folder.file("truth.nc"), case.grid), 0)
    section, time = case.config.observations, case.analysis_time
    samples = []
    if section.concentration:
        key = case.key("observations", "concentration")
        samples.append((sample_concentration(key, truth, case.grid, time), False))
    if section.thickness:
        key = case.key("observations", "thickness")
        samples.append((sample_thickness(key, truth, case.grid, time), section.withhold))
    return _joined(_split(*sample) for sample in samples)


def _from_files(case, noted):
    parts = []
    for section in case.config.observations:
        path = case.input(section.file, noted)
        start, end = to_seconds(section.start), to_seconds(section.end)
        observations = read_observations(path, case.grid, start=start, end=end)
        if section.error is not None:
            error = np.full(observations.size, section.error)
            observations = observations.replace(error_std=error)
        noted["notes"].append(
            f"Observations: {observations.size} values of {section.file} from "
            f"{section.start:%Y-%m-%d} to {section.end:%Y-%m-%d}, "
            f"{int(np.sum(observations.flag != 0))} of them flagged in the product."
        )
        half = observations.span // 2
        away = np.abs(observations.time - case.analysis_time) - half
        if np.any(away > DAY):
            noted["warnings"].append(
                f"{section.file}: {int(np.sum(away > DAY))} observations are of times more than a "
                f"day from the analysis, the farthest {away.max() / DAY:.0f} days; they are used "
                "as if they were of its time."
            )
        last = int(np.max(observations.time + half, initial=0))
        if last > case.analysis_time:
            noted["notes"].append(
                f"Hindcast: {section.file} holds averages until {iso(last)[:10]}, which were not "
                "known at the time of the analysis."
            )
        dense = np.asarray(observations.kind) == KINDS.index("concentration")
        if dense.any():
            joined = superobservations(observations.select(dense), case.grid)
            observations = Observations.concatenate([joined, observations.select(~dense)])
        parts.append(_split(observations, section.withhold))
    return _joined(parts)


def _joined(parts):
    used, withheld = zip(*parts, strict=True)
    return Observations.concatenate(used), Observations.concatenate(withheld)
