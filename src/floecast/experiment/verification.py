"""Stage 4: the scores."""

import numpy as np

from floecast.core.ensemble import healthy
from floecast.io.cf import read_dataset
from floecast.io.readers import concentration_field, read_thickness_field
from floecast.observation.errors import BLOCK
from floecast.observation.footprint import containing_cell
from floecast.observation.observations import KINDS
from floecast.verification.baselines import persistence
from floecast.verification.points import score_points
from floecast.verification.scorecard import Scorecard
from floecast.verification.verify import score

from . import files


def products(config):
    """What the stage writes."""
    observed = config.twin or config.verification.concentration is not None
    return ["scorecard.json", "scorecard.csv", *["verification.nc"] * observed]


def make(case, noted):
    """Write the products of this stage.

    Parameters
    ----------
    case : Case
    noted : dict
        Notes, warnings and inputs for the manifest.
    """
    rows = _scores_at_observations(case, noted)
    if "verification.nc" in products(case.config):
        truth = _true_fields(case) if case.config.twin else _observed_fields(case, noted)
        title = "True sea ice of the twin" if case.config.twin else "Observed sea ice"
        files.write_fields(case.folder.file("verification.nc"), truth, case.grid, case.leads, title)
        rows += _scores_of_fields(case, truth)
    card = Scorecard(rows)
    card.to_json(case.folder.file("scorecard.json"))
    card.to_csv(case.folder.file("scorecard.csv"))


def _true_fields(case):
    truth = files.read_states(case.folder.file("truth.nc"), case.grid)
    return {name: np.asarray(getattr(truth, name)) for name in files.SCORED}


def _observed_fields(case, noted):
    path = case.input(case.config.verification.concentration, noted)
    days = [concentration_field(path, case.grid, int(time)) for time in case.leads]
    return {"concentration": np.stack(days)}


def _scores_of_fields(case, truth):
    """Forecast beside baselines at every lead, and the background at lead 0."""
    folder, leads = case.folder, (case.leads - case.analysis_time) // 3600
    members = files.read_members(folder.file("forecast_members.nc"))
    systems = {"forecast": {name: members[name] for name in truth}}
    if case.config.twin:
        free = files.read_members(folder.file("free_run_members.nc"))
        systems["free run"] = {name: free[name] for name in truth}
        start = {name: field[0].mean(axis=0) for name, field in members.items()}
    else:
        start = {name: field[0] for name, field in truth.items()}
    systems["persistence"] = {name: persistence(start[name], len(leads)) for name in truth}
    rows = score(systems, truth, case.grid, leads, seed=case.config.seed).rows
    ensemble = files.read_states(folder.file(case.background_file), case.grid)
    good = np.asarray(healthy(ensemble))
    before = {"background": {n: np.asarray(getattr(ensemble, n))[good][None] for n in truth}}
    now = {name: field[:1] for name, field in truth.items()}
    return [*rows, *score(before, now, case.grid, leads[:1], seed=case.config.seed).rows]


def _scores_at_observations(case, noted):
    """Thickness at the places kept out of the analysis, and at those used."""
    rows = []
    with read_dataset(case.folder.file("observations.nc")) as points:
        points = points.load()
    thickness = (points.kind.values == KINDS.index("thickness")) & (points.flag.values == 0)
    used = points.assimilated.values == 1
    fields = _thickness_fields(case, noted)
    for region, chosen in (("withheld cells", ~used), ("assimilated cells", used)):
        places = points.isel(obs=np.flatnonzero(thickness & chosen))
        if not places.sizes["obs"]:
            continue
        x, y = places.x.values, places.y.values
        estimates = {name: places[name].values for name in ("background", "analysis")}
        spreads = {name: places[f"{name}_spread"].values for name in estimates}
        cell, _ = containing_cell(case.grid, x, y)
        estimates |= {name: field.reshape(-1)[cell] for name, field in fields.items()}
        blocks = np.floor(x / BLOCK) * 1e4 + np.floor(y / BLOCK)
        rows += score_points(
            estimates,
            places.value.values,
            places.error_std.values,
            blocks,
            variable="thickness",
            region=region,
            spreads=spreads,
            rng=np.random.default_rng(case.config.seed),
        )
    return rows


def _thickness_fields(case, noted):
    """Fields beside which the analysis of thickness is set, ``(y, x)`` by name [m]."""
    files_by_name = {}
    if not case.config.twin:
        files_by_name["model field"] = (case.config.background.thickness, case.background_time)
    if case.config.verification.thickness_climatology is not None:
        climatology = case.config.verification.thickness_climatology
        files_by_name["climatology"] = (climatology, case.analysis_time)
    return {
        name: read_thickness_field(case.input(file, noted), case.grid, time=time)
        for name, (file, time) in files_by_name.items()
    }
