"""Skill, calibration, sharpness, budget and speed of an emulator on weather it has never seen.

The truth is made here: ten days of the simulator from each of some start states, in weather of
the test split. The emulator begins from the same state and gets the same weather, so that its
errors are its own (perfect forcing). Squares are averaged over dates before roots are taken.
"""

from dataclasses import dataclass

import jax
import numpy as np

from floecast.core.calendar import DAY, HOUR
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.keys import named_key
from floecast.emulator.model import Emulator
from floecast.progress import Silent

from .emulator_forecast import check_step, closure_in_double, run_ensemble, seconds_of_ensemble
from .emulator_scores import (
    FIELDS,
    Climatology,
    anomaly_products,
    band_ratio,
    box_spectra,
    damped,
    drift_products,
    free_drift,
    ice_boxes,
    mean_squares,
    of_others,
    persisted,
    rank_counts,
    rank_departure,
    shares,
    spreads,
)
from .emulator_truth import DAYS, EVERY, LEADS, Truth, start_numbers
from .simulator import YEAR, year_minutes

OPTIONS = ("preset", "weights", "work", "dates", "members", "progress")
PRESETS = ("arctic50", "arctic100")
TOLD = (12, 24, 72, 120, 240)
"""Leads of the figures [h]."""
BOX = 1600e3
"""Side of the boxes of the spectra [m]."""
REFERENCE = {
    "ice_volume_240h_rmse_over_persistence": 0.54,
    "all_12h_rmse_over_persistence": 0.325,
    "ice_volume_12h_spread_over_rmse": 0.90,
    "ice_volume_240h_spread_over_rmse": 0.68,
    "drift_12h_spread_over_rmse": 0.60,
    "drift_240h_spread_over_rmse": 0.50,
    "ice_volume_240h_spectrum_ratio_min": 0.40,
    "damage_240h_spectrum_ratio_min": 0.25,
    "drift_240h_spectrum_ratio_min": 0.70,
}
SOURCES = [
    "reference, each on a truth and a norm of its own: NaiNUQ (github nanuqhub/nainuq, 2026) at "
    "240 h; the diffusion emulator of Finn et al. (2024), JAMES, at 12 h and of the spread; their "
    "deterministic one at 15 days of the spectra",
    "perfect forcing: the emulator gets the weather of the truth",
]


@dataclass(frozen=True)
class Measured:
    """All that the figures are made of.

    Parameters
    ----------
    emulator : Emulator
    truth : Truth
    cases : list of Case
    squares : dict
        By system (``"emulator"``, ``"spread"``, ``"persistence"``, ...) and variable, ``(case,
        lead)`` arrays: mean squares, drift only of free drift.
    variance : dict
        Variance of each variable in the climate.
    ranks : dict
        By variable, ``(lead of TOLD, member + 1)`` counts over all cases.
    last : list of IceState
        Members at the last lead, by case.
    spectra : dict
        By variable, ``(truth, members)``: ``(box, ring)`` and ``(box, member, ring)`` arrays of
        the boxes of all dates at the last lead.
    side : int
        Of the boxes [cells].
    kept : dict
        Figures of bounds, budget and speed.
    """

    emulator: Emulator
    truth: Truth
    cases: list
    squares: dict
    variance: dict
    ranks: dict
    last: list
    spectra: dict
    side: int
    kept: dict

    def rmse(self, system, variable):
        """``(lead,)`` root of the mean over dates [unit of the variable]."""
        return np.sqrt(np.mean(self.squares[system][variable], axis=0))

    def over(self, system, variable, base="emulator"):
        """``(lead,)`` error of `base` over that of another system."""
        return self.rmse(base, variable) / self.rmse(system, variable)

    def together(self, system):
        """``(lead,)`` root of the mean over variables of squares over the climate's variance."""
        parts = [np.mean(self.squares[system][v], axis=0) / self.variance[v] for v in FIELDS]
        return np.sqrt(np.mean(parts, axis=0))


def run(preset=None, weights=None, work=None, dates=12, members=20, progress=None):
    """Figures of an emulator.

    Parameters
    ----------
    preset : str
        One of `PRESETS`; that of the weights if left out, ``"arctic50"`` without weights.
    weights : path-like, optional
        File of `Emulator.save`; those that ship with floecast if left out.
    work : path-like, optional
        Folder in which the truth is kept, so that a second run does not make it again.
    dates : int
        Number of forecasts, at least 2.
    members : int
        Of each, at least 2.
    progress : optional
        See `progress`.

    Returns
    -------
    dict of str to float
        For each variable and lead ``VARIABLE_LEADh_``: ``rmse``; ``rmse_over_persistence``,
        ``rmse_over_damped_persistence``, ``rmse_over_climatology`` and, of drift,
        ``rmse_over_free_drift``; ``spread_over_rmse``; ``rank_departure``, see
        `emulator_scores.rank_departure`. ``all_12h_rmse_over_persistence``: all variables over
        their standard deviation in the climate. ``VARIABLE_240h_spectrum_ratio_min`` and
        ``_max``: over bands above two cells; ``_spectrum_boxes``: how many boxes that is from.
        Bounds, budgets of volume, speed.

    Raises
    ------
    InputError
        If there are no weights or start states of the preset, or an option is out of range.
    """
    with jax.enable_x64(False):
        return figures(measure(preset, weights, work, dates, members, progress))


def chosen(preset, weights):
    """The emulator that the options name."""
    if preset is not None and preset not in PRESETS:
        raise InputError(f"preset {preset!r}; expected one of {', '.join(PRESETS)}")
    if weights is None:
        return Emulator.load(PRESETS[0] if preset is None else preset)
    return Emulator.load(weights, None if preset is None else Grid.preset(preset))


def measure(preset=None, weights=None, work=None, dates=12, members=20, progress=None):
    """Truth, forecasts and scores; arguments as of `run`, single precision.

    Returns
    -------
    Measured
    """
    progress = Silent() if progress is None else progress
    if members < 2:
        raise InputError(f"members: {members}; expected at least 2")
    emulator = chosen(preset, weights)
    check_step(emulator)
    truth = Truth(emulator.grid.name, work)
    cases = []
    numbers = start_numbers(truth.times, dates)
    progress.stage("truth", "begun")
    for number in numbers:
        cases.append(truth.case(number))
        progress.advance(len(cases), dates)
    squares = {system: {} for system in ("emulator", "spread")} | baselines(cases, truth)
    ranks, last, spectra, kept = {}, [], {}, []
    side = int(BOX / truth.grid.spacing)
    progress.stage("emulator", "begun")
    for number, case in enumerate(cases):
        told = _forecast(emulator, truth, case, members)
        kept.append(told[1:])
        _score(told.members, case, truth.grid, squares, ranks, number)
        last.append(jax.tree.map(lambda leaf: leaf[:, -1], told.members))
        _add_spectra(spectra, case, last[-1], truth.grid, side)
        progress.advance(number + 1, dates)
    progress.stage("speed", "begun")
    return Measured(
        emulator,
        truth,
        cases,
        {system: {v: np.array(x) for v, x in by.items()} for system, by in squares.items()},
        Climatology(truth.times, truth.states).variance(truth.grid),
        ranks,
        last,
        {v: tuple(np.array(part) for part in pair) for v, pair in spectra.items()},
        side,
        _kept(emulator, truth, cases[0], np.array(kept)),
    )


def _forecast(emulator, truth, case, members):
    steps = DAYS * DAY // emulator.dt
    forcing = truth.forcing(case.start, emulator.dt, steps, emulator.ocean is None)
    first = jax.tree.map(lambda leaf: leaf[0], case.truth)
    key = named_key(0, "bench", "emulator", case.start)
    every = EVERY // emulator.dt
    return run_ensemble(emulator, first, forcing, members, key=key, save_every=every)


def baselines(cases, truth):
    """Mean squares ``(case, lead)`` of what an emulator has to beat, by system and variable.

    The damping of anomalies and the factor of free drift are fitted for each case to the others.
    """
    climate, grid = Climatology(truth.times, truth.states), truth.grid
    later = [jax.tree.map(lambda leaf: leaf[1:], case.truth) for case in cases]
    share = [shares(one, grid) for one in later]
    times = [case.start + HOUR * np.append(0, LEADS) for case in cases]
    normal = [climate.at(time, case.start) for time, case in zip(times, cases, strict=True)]
    products = [
        anomaly_products(case.truth, mean, one)
        for case, mean, one in zip(cases, normal, share, strict=True)
    ]
    damping = {v: of_others(np.array([one[v] for one in products])) for v in FIELDS}
    factors = of_others(np.array([drift_products(case, grid) for case in cases]))
    told = {}
    for number, case in enumerate(cases):
        systems = {
            "persistence": persisted(case.truth),
            "damped_persistence": damped(
                case.truth, normal[number], {v: damping[v][number] for v in FIELDS}
            ),
            "climatology": {name: field[1:] for name, field in normal[number].items()},
            "free_drift": free_drift(case, grid, factors[number]),
        }
        for system, fields in systems.items():
            _append(told, system, mean_squares(fields, later[number], share[number]))
    return told


def _append(squares, system, found):
    for variable, values in found.items():
        squares.setdefault(system, {}).setdefault(variable, []).append(values)


def _score(members, case, grid, squares, ranks, number):
    """Add what is told of one date."""
    later = jax.tree.map(lambda leaf: leaf[1:], case.truth)
    members = jax.tree.map(lambda leaf: leaf[:, 1:], members)
    share = shares(later, grid)
    mean = {name: np.mean(field, axis=0, dtype=float) for name, field in members.fields().items()}
    _append(squares, "emulator", mean_squares(mean, later, share))
    _append(squares, "spread", spreads(members, share))
    rng = np.random.default_rng([1, number])
    for row, lead in enumerate(TOLD):
        place = int(np.flatnonzero(LEADS == lead)[0])
        counts = rank_counts(
            jax.tree.map(lambda leaf, place=place: leaf[:, place], members),
            jax.tree.map(lambda leaf, place=place: leaf[place], later),
            {name: one[place] for name, one in share.items()},
            rng,
        )
        for variable, found in counts.items():
            ranks.setdefault(variable, np.zeros((len(TOLD), len(found)), int))[row] += found


def _add_spectra(spectra, case, last, grid, side):
    """Add the boxes of one date that are covered by ice in the truth."""
    true = jax.tree.map(lambda leaf: leaf[-1], case.truth)
    boxes = ice_boxes(true, grid, side)
    for variable in FIELDS:
        spectra.setdefault(variable, ([], []))
    for part, states in enumerate((true, last)):
        for variable, power in box_spectra(states, grid, boxes, side).items():
            spectra[variable][part].extend(power)


def _kept(emulator, truth, case, kept):
    """Figures of bounds, budget and speed."""
    first = jax.tree.map(lambda leaf: leaf[0], case.truth)
    forcing = truth.forcing(
        case.start, emulator.dt, DAYS * DAY // emulator.dt, emulator.ocean is None
    )
    double = closure_in_double(emulator, first, forcing)
    seconds = seconds_of_ensemble(emulator, truth, case, 50)
    simulator = 60 * year_minutes(truth.grid.name, 8) * DAYS * DAY / YEAR
    return {
        "out_of_bounds": np.sum(kept[:, 0]),
        "ice_volume_closure_f32": np.max(kept[:, 1]),
        "snow_volume_closure_f32": np.max(kept[:, 2]),
        "ice_volume_closure_f64": double[0],
        "snow_volume_closure_f64": double[1],
        "members50_10d_seconds": seconds,
        "simulator_10d_seconds": simulator,
        "speedup_over_simulator": 50 * simulator / seconds,
    }


def figures(measured):
    """The figures of `run`."""
    told = {"dates": len(measured.cases)}
    for variable in FIELDS:
        rows = {"rmse": measured.rmse("emulator", variable)}
        for system, by in measured.squares.items():
            if system not in ("emulator", "spread") and variable in by:
                rows[f"rmse_over_{system}"] = measured.over(system, variable)
        rows["spread_over_rmse"] = measured.over("emulator", variable, base="spread")
        for lead in TOLD:
            place = int(np.flatnonzero(LEADS == lead)[0])
            told |= {f"{variable}_{lead}h_{key}": row[place] for key, row in rows.items()}
        for row, departure in enumerate(rank_departure(measured.ranks[variable])):
            told[f"{variable}_{TOLD[row]}h_rank_departure"] = departure
        ratios = spectrum_ratio(measured, variable)
        told[f"{variable}_240h_spectrum_ratio_min"] = np.min(ratios)
        told[f"{variable}_240h_spectrum_ratio_max"] = np.max(ratios)
        told[f"{variable}_240h_spectrum_boxes"] = len(measured.spectra[variable][0])
    together = measured.together("emulator") / measured.together("persistence")
    for lead in TOLD:
        told[f"all_{lead}h_rmse_over_persistence"] = together[LEADS == lead][0]
    return told | measured.kept


def spectrum_ratio(measured, variable):
    """Power of the members over that of the truth at the last lead, ``(band,)``."""
    true, told = measured.spectra[variable]
    return band_ratio(told, true, measured.side)
