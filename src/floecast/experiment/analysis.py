"""Stage 2: observations, quality control, analysis."""

import json

import equinox as eqx
import jax
import numpy as np

from floecast.assimilation.analysis import Status
from floecast.assimilation.cycle import cycle, first, padded
from floecast.assimilation.diagnostics import innovation_statistics
from floecast.assimilation.kalman import LETKF
from floecast.assimilation_schema import ObservationsSection
from floecast.core.atomic import write_text
from floecast.core.calendar import DAY, iso, to_seconds
from floecast.core.ensemble import count, member, stack
from floecast.core.shapes import roomy
from floecast.io.readers import read_observations
from floecast.io.rejected import write_rejected
from floecast.observation.errors import BLOCK, error_at_estimate
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
    analyse(case, start, observations, withheld, noted)


def analyse(case, start, observations, withheld, noted):
    """Write the analysis of observations that have been read.

    Parameters
    ----------
    case : Case
    start : IceState
        Members at the start of the window; leaves ``(member, y, x)``.
    observations, withheld : Observations
        To use, and to write only; there may be none.
    noted : dict
        Notes and warnings for the manifest.

    Returns
    -------
    dict
        What ``diagnostics.json`` tells.
    """
    limit, simulated = case.config.analysis.gross_check, case.config.simulated

    def check(observations, equivalents):
        checked = error_at_estimate(check_range(observations), equivalents)
        return check_departure(checked, equivalents, factor=limit)

    model = case.model()
    method = method_of_run(case.config, case.grid, model)
    told = {}
    if isinstance(method, LETKF):
        # With room to spare, as in cycles, few numbers of observations are compiled anew.
        wide = padded(observations, roomy(max(observations.size, 1)))
        result = method.analyse(start, check(wide, equivalents(start, wide)))
        result = first(observations.size, result)
        background = start
    else:
        result, told = _windowed(case, model, method, start, observations, check)
        background = result.background
        noted["notes"].append(
            f"Analysis: {type(method).__name__} of a window of {case.config.analysis.window_hours} "
            "h, through which each member lives in weather "
            + ("as an analysis knows it." if simulated else "drawn from a climatology.")
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
    told = {"status": Status(int(result.status)).name} | dict(told)
    told |= {"quality_control": summary(checked), "innovations": innovation_statistics(result)}
    write_text(case.folder.file("diagnostics.json"), json.dumps(told, indent=1) + "\n")
    for row in told["quality_control"]:
        noted["notes"].append(
            f"Analysis: {row['good']} of {row['total']} observations of {row['kind']} used, "
            f"{row['failed_gross_check']} too far from the background, "
            f"{row['out_of_range']} out of range."
        )
    return told


def _windowed(case, model, method, start, observations, check):
    """Analysis at the end of the window, and what is told of its minimisation."""
    weathers = case.background_weather()[: count(start)]
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
    wide = padded(observations, roomy(max(observations.size, 1)))
    return _seen(ensemble, wide)[:, : observations.size]


@eqx.filter_jit
def _seen(ensemble, observations):
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
    if case.config.simulated:
        return _from_simulator(case)
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


def _from_simulator(case):
    twin, wanted = case.simulated, case.config.observations
    truth = twin.read(case.folder.file("simulated_truth.npz"))
    section = ObservationsSection(
        concentration=wanted.concentration,
        thickness=wanted.thickness,
        shared_error=case.config.analysis.shared_error,
    )
    seen = twin.observe(
        truth, section, case.window_start, case.analysis_time, case.key("observations")
    )
    kept_out = withheld_blocks(seen.x, seen.y) & wanted.withhold
    kept_out &= np.asarray(seen.kind) == KINDS.index("thickness")
    return seen.select(~kept_out), seen.select(kept_out)


def _from_files(case, noted):
    parts = []
    for section in case.config.observations:
        path = case.input(section.file, noted)
        start, end = to_seconds(section.start), to_seconds(section.end)
        observations = read_observations(path, case.grid, start=start, end=end)
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
        observations = prepared(observations, case.grid, section.error)
        parts.append(_split(observations, section.withhold))
    return _joined(parts)


def prepared(observations, grid, error=None):
    """Observations of a product as the analysis takes them.

    Parameters
    ----------
    observations : Observations
    grid : Grid
    error : float, optional
        Standard error in place of the product's.

    Returns
    -------
    Observations
        Concentration joined to one value for each cell of the grid.
    """
    if error is not None:
        assumed = np.zeros(observations.size, bool)
        error = np.full(observations.size, error)
        observations = observations.replace(error_std=error, assumed=assumed)
    dense = np.asarray(observations.kind) == KINDS.index("concentration")
    if not dense.any():
        return observations
    joined = superobservations(observations.select(dense), grid)
    return Observations.concatenate([joined, observations.select(~dense)])


def _joined(parts):
    used, withheld = zip(*parts, strict=True)
    return Observations.concatenate(used), Observations.concatenate(withheld)
