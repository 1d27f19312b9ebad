"""Score forecast systems side by side against one truth, on the cells that all of them share.

Scores of `concentration`: `rmse`, `mae`, `bias`, `correlation` [1]; `iiee`, `overestimate`,
`underestimate`, `absolute_extent_error`, `misplacement` [1000 km2]; `displacement` [km]; `crps`
[1], `sps` [1000 km2]; of ensembles `spread_skill` [1]. Scores of any other variable: `rmse`,
`bias`, `crps` in its unit, and of ensembles `spread_skill` [1].

For each variable and lead, all systems that forecast it are scored on one common set of cells:
ocean, observed, finite in every member of every system. An ensemble is scored by its mean in
`rmse`, `mae`, `bias` and `correlation`, by its median edge (more than half of the members have
ice) in the edge scores, by its members in the others. CRPS and SPS are the fair forms, which
compare ensembles of different size; those of a single field are its absolute error and its IIEE.
The edge is found before the field is cut to a region.

The intervals come from resampling square blocks of the domain, the same for all systems. They
express sampling in space only and say nothing of the spread of a score over start dates, for
which `mean_interval` and `ratio_interval` are meant.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from floecast.core.errors import InputError
from floecast.core.variables import ICE_EDGE
from floecast.verification.bootstrap import BlockDraws, block_interval, draw_blocks
from floecast.verification.score_maps import ScoreMap, score_maps
from floecast.verification.scorecard import Row, Scorecard
from floecast.verification.weighting import Array


def _block_labels(area: Array, mask: NDArray[np.bool_], block_size: float) -> NDArray[np.intp]:
    """Number of the square block in which every cell lies."""
    cells = max(1, round(block_size / np.sqrt(area[mask].mean())))
    rows, columns = (np.arange(size) // cells for size in area.shape)
    return rows[:, None] * (columns[-1] + 1) + columns[None, :]


def ensembles_of(systems: Mapping, variable: str, shape: tuple[int, ...]) -> dict[str, NDArray]:
    """The fields of a variable by system.

    Parameters
    ----------
    systems : as in `score_systems`.
    variable : name.
    shape : (leads, rows, columns) of the truth.

    Returns
    -------
    dict
        System name to (lead, member, y, x), of one member if deterministic.

    Raises
    ------
    InputError
        A shape does not fit.
    """
    fields = {}
    for name in sorted(name for name in systems if variable in systems[name]):
        field = np.asarray(systems[name][variable])
        ensemble = field[:, None] if field.ndim == 3 else field
        if (
            ensemble.ndim != 4
            or (ensemble.shape[0], *ensemble.shape[2:]) != shape
            or ensemble.shape[1] == 0
        ):
            raise InputError(
                f"systems[{name!r}][{variable!r}]: shape {field.shape}; expected (lead, y, x) or "
                f"(lead, member, y, x) with leads and cells {shape} as in truth"
            )
        fields[name] = ensemble
    return fields


def valid_cells(
    members: Mapping[str, NDArray], observed: NDArray[np.bool_], where: str
) -> NDArray[np.bool_]:
    """Cells observed and finite in every member of every system.

    Parameters
    ----------
    members : system name to (member, y, x).
    observed : (y, x) bool
    where : variable and lead, for the message.

    Returns
    -------
    (y, x) bool

    Raises
    ------
    InputError
        A system has no finite value in the observed cells.
    """
    valid = observed
    for name, field in members.items():
        finite = np.isfinite(field).all(axis=0)
        if observed.any() and not (observed & finite).any():
            raise InputError(
                f"systems[{name!r}]: no finite value in {where}; leave out the members that failed"
            )
        valid = valid & finite
    return valid


def check_fields(
    systems: Mapping,
    truth: Mapping,
    area: Array,
    mask: NDArray,
    lead_hours: Sequence[float],
    regions: Mapping,
) -> tuple[int, ...]:
    """Refuse what does not fit together; parameters and errors as in `score_systems`.

    Returns
    -------
    tuple of int
        (leads, rows, columns).
    """
    shape = (len(lead_hours), *area.shape)
    if area.ndim != 2 or mask.shape != area.shape or not mask.any() or not np.all(area[mask] > 0):
        raise InputError(
            f"area, mask: shapes {area.shape} and {mask.shape}; expected two (y, x) fields with "
            "at least one cell in the mask, and positive area in all of them"
        )
    for variable, field in truth.items():
        if np.shape(field) != shape:
            raise InputError(
                f"truth[{variable!r}]: shape {np.shape(field)}; expected (lead, y, x) = {shape}"
            )
        if not any(variable in fields for fields in systems.values()):
            raise InputError(
                f"truth[{variable!r}]: no system forecasts it; leave it out or add a system"
            )
    for name, region in regions.items():
        region = np.asarray(region)
        if region.dtype != bool or region.shape not in (shape, shape[1:]):
            raise InputError(
                f"regions[{name!r}]: {region.dtype} {region.shape}; "
                f"expected bool {shape[1:]} or {shape}"
            )
    return shape


def _rows_at_lead(
    variable: str,
    hours: float,
    maps: Mapping[str, list[ScoreMap]],
    regions: Mapping[str, NDArray[np.bool_]],
    labels: NDArray[np.intp],
    resampling: Callable[[NDArray], BlockDraws],
    level: float,
) -> Iterator[Row]:
    """Rows of all systems; `regions` hold the common cells of every region at this lead."""
    for region, used in regions.items():
        blocks = resampling(labels[used])
        count = int(np.count_nonzero(used))
        for name, scores in maps.items():
            for score in scores:
                cells = np.stack([part[used] for part in score.parts])
                interval = block_interval(cells, score.statistic, blocks, level=level)
                yield Row(name, variable, score.name, region, float(hours), *interval, count)


def score_systems(
    systems: Mapping[str, Mapping[str, ArrayLike]],
    truth: Mapping[str, ArrayLike],
    *,
    area: ArrayLike,
    mask: ArrayLike,
    lead_hours: Sequence[float],
    regions: Mapping[str, ArrayLike],
    rng: np.random.Generator,
    threshold: float = ICE_EDGE,
    block_size: float = 500e3,
    draws: int = 1000,
    level: float = 0.95,
) -> Scorecard:
    """Score every system and baseline at every lead and in every region, for one start date.

    Parameters
    ----------
    systems : system name -> variable -> (lead, y, x) field or (lead, member, y, x) ensemble.
        Baselines are systems too. Variables absent from `truth` are not scored.
    truth : variable -> (lead, y, x), NaN where not observed.
    area : (y, x) cell area [m2].
    mask : (y, x) bool, True in the ocean.
    lead_hours : (lead,) lead times [h].
    regions : name -> bool (y, x), or (lead, y, x) for a condition on the truth such as ice cells.
    rng : generator of the bootstrap.
    threshold : concentration above which a cell counts as ice [1].
    block_size : side of the square blocks that the bootstrap keeps together [m].
    draws : number of bootstrap samples.
    level : probability of the intervals.

    Returns
    -------
    Scorecard
        The scores listed at the head of this module; `n` is the number of cells.

    Raises
    ------
    InputError
        A shape does not fit, no system has a variable of the truth, or one is nowhere finite.
    """
    area, mask = np.asarray(area, dtype=np.float64), np.asarray(mask, dtype=bool)
    shape = check_fields(systems, truth, area, mask, lead_hours, regions)
    region_masks = {name: np.broadcast_to(regions[name], shape) for name in sorted(regions)}
    labels = _block_labels(area, mask, block_size)
    resampling = partial(draw_blocks, draws=draws, rng=rng)
    rows: list[Row] = []
    for variable in sorted(truth):
        fields, field_truth = ensembles_of(systems, variable, shape), np.asarray(truth[variable])
        for lead, (hours, observed) in enumerate(zip(lead_hours, field_truth, strict=True)):
            members = {name: field[lead] for name, field in fields.items()}
            valid = valid_cells(members, mask & np.isfinite(observed), f"{variable} at {hours} h")
            weights = np.where(valid, area, 0.0)
            maps = {
                name: score_maps(variable, field, observed, weights, threshold)
                for name, field in members.items()
            }
            cuts = {name: valid & field[lead] for name, field in region_masks.items()}
            rows.extend(_rows_at_lead(variable, hours, maps, cuts, labels, resampling, level))
    return Scorecard(rows)
