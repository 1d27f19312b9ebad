"""Assimilation methods against each other in a twin whose truth the simulator made.

All methods get the same observations, weather, emulator and initial members; they differ in the
analysis alone. The cycles of the first fifth are left out of the means.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from floecast.assimilation_schema import assimilation_config
from floecast.core.errors import InputError
from floecast.experiment.assimilation import assimilate, days_of
from floecast.experiment.twin import Twin
from floecast.progress import Silent
from floecast.verification.bootstrap import ratio_interval

OPTIONS = ("preset", "work", "cycles", "month", "members", "progress")
METHODS = ("free_run", "letkf", "var3d", "var4d", "envar4d", "en4dvar")
REFERENCE = {
    "en4dvar_thickness_rmse_ratio_to_free_run": [0.0, 0.5],
    "en4dvar_ice_volume_spread_over_rmse": [0.9, 1.1],
    "en4dvar_concentration_spread_over_rmse": [0.9, 1.1],
    "en4dvar_twice_cost_over_observations": [0.8, 1.2],
}
SOURCES = [
    "reference: what is aimed at; no published system has been measured on this twin",
    "ratios of root-mean-square errors of the analysis mean over all cycles but the first fifth",
]
FORECAST_DAYS = (1, 3, 5, 10)


def run(preset="arctic100", work=None, cycles=45, month=1, members=20, progress=None):
    """Cycle all methods and compare them.

    Parameters
    ----------
    preset : str
    work : path-like, optional
        Folder that keeps the runs, which go on where they were; a temporary one if left out.
    cycles, month, members : int
        As in `AssimilationConfig`.
    progress : optional

    Returns
    -------
    dict of str to float
        For each method ratios to the free run, and spread over error.
    """
    if cycles < 5:
        raise InputError(f"cycles: {cycles}; a comparison needs at least 5")
    progress = Silent() if progress is None else progress
    if work is None:
        with TemporaryDirectory() as folder:
            told = cycled(preset, Path(folder), cycles, month, members, progress)
    else:
        told = cycled(preset, Path(work), cycles, month, members, progress)
    return figures(told)


def cycled(preset, work, cycles, month, members, progress, methods=METHODS):
    """Lines of all cycles and forecasts, by method; runs that were done before are read.

    Parameters
    ----------
    preset, cycles, month, members, progress
        As in `run`.
    work : Path
    methods : sequence of str

    Returns
    -------
    dict of str to (list of dict, list of dict)
    """
    told = {}
    for method in methods:
        overrides = [f"preset={preset}", f"method={method}", f"cycles={cycles}"]
        overrides += [f"twin.month={month}", f"members={members}"]
        config = assimilation_config(None, overrides)
        truth = work / "truth.npz"
        if not truth.exists():
            work.mkdir(parents=True, exist_ok=True)
            progress.stage("truth", "begun")
            Twin(preset, config.twin, days_of(config)).make(truth, progress.advance)
        progress.stage(method, "begun")
        folder = assimilate(config, out=work / method, truth=truth, progress=progress)
        told[method] = tuple(
            [json.loads(line) for line in folder.file(f"{name}.jsonl").read_text().splitlines()]
            for name in ("cycles", "forecasts")
        )
    return told


def figures(told):
    """Figures of `cycled`.

    Returns
    -------
    dict of str to float
    """
    found = {}
    for method, (cycles, forecasts) in told.items():
        free, free_forecasts = told["free_run"]
        for name in ("thickness", "ice_volume", "concentration", "snow_volume"):
            ratio = compared(cycles, free, name)[0]
            found[f"{method}_{name}_rmse_ratio_to_free_run"] = ratio
        for name in ("iiee", "sps"):
            mine, others = (np.mean(series(rows, name)) for rows in (cycles, free))
            found[f"{method}_{name}_ratio_to_free_run"] = mine / others
        for name in ("ice_volume", "concentration", "snow_volume"):
            spread, error = (squares(cycles, name, part) for part in ("spread", "rmse"))
            found[f"{method}_{name}_spread_over_rmse"] = np.sqrt(np.mean(spread) / np.mean(error))
        for day in FORECAST_DAYS:
            mine, others = (
                [row for row in rows if row["lead_hours"] == 24 * day]
                for rows in (forecasts, free_forecasts)
            )
            if mine:
                for name in ("ice_volume", "concentration"):
                    ratio = compared(mine, others, name, part=None)[0]
                    found[f"{method}_{name}_day{day}_rmse_ratio_to_free_run"] = ratio
        found[f"{method}_seconds_per_cycle"] = np.median([row["seconds"] for row in cycles])
        costs = [row["minimisation"] for row in cycles if row["minimisation"]]
        if costs:
            found[f"{method}_twice_cost_over_observations"] = np.mean(
                [one["twice_cost_over_observations"] for one in costs]
            )
    del found["free_run_seconds_per_cycle"]
    return {name: float(value) for name, value in found.items()}


def settled(rows):
    """Rows of the cycles after the first fifth."""
    last = max(row["cycle"] for row in rows) + 1
    return [row for row in rows if row["cycle"] >= last // 5]


def series(rows, name, part="analysis"):
    """Score by cycle; `part` is None for forecasts."""
    return np.array([(row if part is None else row[part])[name] for row in settled(rows)])


def squares(rows, name, kind, part="analysis"):
    """Squares of an error or spread by cycle."""
    told = [row if part is None else row[part] for row in settled(rows)]
    return np.array([one[name][kind] ** 2 for one in told])


def compared(rows, others, name, part="analysis", level=0.95):
    """Ratio of the errors of two methods, and its interval by paired blocks of cycles.

    Returns
    -------
    (3,) array
        Ratio, lower and upper end.
    """
    mine, theirs = (squares(each, name, "rmse", part) for each in (rows, others))
    length = max(1, round(len(mine) ** 0.5))
    found = ratio_interval(
        mine, theirs, block_length=length, rng=np.random.default_rng(0), level=level
    )
    return np.sqrt([found.value, found.low, found.high])
