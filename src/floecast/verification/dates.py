"""Verify many start dates one after the other, and keep only sums.

Fields live as long as their date is looked at. Of each date stays, for every system, variable,
score, region and lead, a handful of numbers: the sums that the score is made of. Two years of
daily starts of five systems need some hundreds of megabytes, whatever the grid.

Scores of the systems are those of `score_maps` and `forecast_maps`, each system on the cells that
all of them share.
"""

import zlib
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from floecast.core.errors import InputError
from floecast.core.variables import ICE_EDGE, PACK_ICE, VARIABLES
from floecast.verification.forecast_maps import drift_maps, forecast_maps
from floecast.verification.observation_error import perturbed_members
from floecast.verification.probabilistic import ranks
from floecast.verification.regions import OWN, ice_zones
from floecast.verification.reliability import probability_sums, spread_class_sums
from floecast.verification.score_maps import ScoreMap, mean_of, score_maps
from floecast.verification.systems import check_fields, ensembles_of, valid_cells
from floecast.verification.weighting import Array

CLASSES = 10
"""Classes of spread."""

DRIFT = ("u", "v")
"""Variables that are scored together, as `drift`."""


class StartDate(NamedTuple):
    """Forecasts of one start date with what became true.

    Attributes
    ----------
    start : start of the forecasts [s since 2000-01-01].
    systems : system name -> variable -> (lead, y, x) field or (lead, member, y, x) ensemble;
        baselines are systems too. `u` and `v` stand at the cell centres [m/s].
    truth : variable -> (lead, y, x), NaN where not observed.
    """

    start: int
    systems: Mapping[str, Mapping[str, ArrayLike]]
    truth: Mapping[str, ArrayLike]


class Key(NamedTuple):
    """Names one score of one system."""

    system: str
    variable: str
    score: str
    region: str
    lead_hours: float


class DiagramKey(NamedTuple):
    """Names one diagram of one system; ensembles of different size have one each."""

    system: str
    variable: str
    kind: str
    region: str
    lead_hours: float
    members: int


class Series:
    """The sums of one score, date by date.

    Parameters
    ----------
    statistic : maps sums (part, ...) to the score (...).

    Attributes
    ----------
    dates : array of int
        Index of the dates that have the score.
    """

    def __init__(self, statistic: Callable[[Array], Array]):
        self.statistic = statistic
        self.dates = array("i")
        self._sums = array("d")

    def add(self, date: int, sums: Array) -> None:
        """Append the sums of a date."""
        self.dates.append(date)
        self._sums.extend(np.atleast_1d(sums).tolist())

    @property
    def sums(self) -> Array:
        """(date, part) array."""
        return np.array(self._sums).reshape(len(self.dates), -1)

    @property
    def size_bytes(self) -> int:
        """Memory that the numbers take."""
        return len(self.dates) * self.dates.itemsize + len(self._sums) * self._sums.itemsize


class DateSums:
    """What is kept of the dates that were verified.

    Attributes
    ----------
    starts : list of int
        Start dates [s since 2000-01-01].
    series : dict
        `Key` to `Series`.
    diagrams : dict
        `DiagramKey` to sums over all dates: of kind ``ranks`` the cases of each rank, then the
        tied and all cells; ``reliability_15`` and others those of `probability_sums`; ``spread``
        those of `spread_class_sums`.
    """

    def __init__(self):
        self.starts: list[int] = []
        self.series: dict[Key, Series] = {}
        self.diagrams: dict[DiagramKey, Array] = {}

    @property
    def size_bytes(self) -> int:
        """Memory that the numbers take."""
        kept = sum(one.size_bytes for one in self.series.values())
        return kept + sum(one.nbytes for one in self.diagrams.values())

    def add(self, key: Key, score: ScoreMap, sums: Array) -> None:
        """Add the sums of a score to the last date; an undefined score of a day adds nothing."""
        statistic = score.statistic
        if score.daily:
            value = float(statistic(sums))
            if not np.isfinite(value):
                return
            sums, statistic = np.array([value, 1.0]), mean_of
        if key not in self.series:
            self.series[key] = Series(statistic)
        self.series[key].add(len(self.starts) - 1, sums)

    def add_diagram(self, key: DiagramKey, sums: Array) -> None:
        """Add sums to a diagram."""
        self.diagrams[key] = self.diagrams.get(key, 0.0) + sums


class _Regions(NamedTuple):
    """Regions at one lead, as bool for each of the cells that count."""

    valid: NDArray[np.bool_]
    names: tuple[str, ...]
    cells: NDArray[np.bool_]
    fixed: NDArray[np.bool_]


class _Setting(NamedTuple):
    """What is the same for all dates."""

    area: Array
    mask: NDArray[np.bool_]
    positions: Array
    fixed: dict[str, NDArray[np.bool_]]
    errors: dict[str, ArrayLike]
    threshold: float
    seed: int

    def regions_in(self, valid: NDArray, zones: Mapping[str, NDArray]) -> _Regions:
        """Fixed regions and zones of the ice, on the valid cells."""
        both = self.fixed | zones
        cells = np.stack([region[valid] for region in both.values()])
        return _Regions(valid, tuple(both), cells, np.array([name in self.fixed for name in both]))

    def rng(self, where: "_Place", purpose: str) -> np.random.Generator:
        """Generator named by what it is for."""
        name = f"{where.system}/{where.variable}/{where.hours:g}/{purpose}"
        start = where.kept.starts[-1] % 2**32
        return np.random.default_rng([self.seed, start, zlib.crc32(name.encode())])

    def seen(self, where: "_Place", name: str, members: Array) -> tuple[Array, ArrayLike]:
        """Members with the error of the observations of `name`, and its standard deviation."""
        error = self.errors.get(name)
        if error is None:
            return members, 0.0
        bounds = VARIABLES[name].lower, VARIABLES[name].upper
        rng = self.rng(where, name)
        return perturbed_members(members, error, rng=rng, lower=bounds[0], upper=bounds[1]), error


class _Place(NamedTuple):
    """Where the scores of one system, variable and lead go."""

    kept: DateSums
    system: str
    variable: str
    hours: float
    regions: _Regions

    def add_scores(self, maps: Iterable[ScoreMap]) -> None:
        """Sum over each region; regions without a cell that counts have no score."""
        there = self.regions.cells.any(axis=1)
        for score in maps:
            parts = np.stack([part[self.regions.valid] for part in score.parts])
            sums = parts @ self.regions.cells.T.astype(np.float64)
            for index in np.flatnonzero(there & (self.regions.fixed | (not score.whole))):
                name = self.regions.names[index]
                key = Key(self.system, self.variable, score.name, name, self.hours)
                self.kept.add(key, score, sums[:, index])


def verify_dates(
    dates: Iterable[StartDate],
    *,
    area: ArrayLike,
    mask: ArrayLike,
    positions: ArrayLike,
    lead_hours: Sequence[float],
    regions: Mapping[str, ArrayLike] | None = None,
    error_std: Mapping[str, ArrayLike] | None = None,
    threshold: float = ICE_EDGE,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> DateSums:
    """Score the systems of many start dates at every lead and in every region.

    Parameters
    ----------
    dates : iterable of StartDate
        A generator is asked for a date when the one before is done with.
    area : (y, x) cell area [m2].
    mask : (y, x) bool, True in the ocean.
    positions : (y, x, 2 or 3) Cartesian positions of the cells, see `cell_positions` [m].
    lead_hours : (lead,) lead times, the same of all dates [h].
    regions : name -> (y, x) bool, such as by `box_regions`. ``arctic``, the whole ocean, is always
        there, and where the truth has a concentration ``pack`` and ``marginal zone`` by it.
    error_std : variable -> scalar or (y, x) standard deviation of the observation error, in the
        unit of the variable; for drift under `u` and `v`. None for an exact truth.
    threshold : concentration above which a cell counts as ice [1].
    seed : of the random ranks of ties and of the observation errors; those of a date depend on
        nothing but seed, date, system, variable and lead.
    progress : called with the number of dates done.

    Returns
    -------
    DateSums
        See `date_scorecard` for what becomes of it.

    Raises
    ------
    InputError
        There is no date, a start date comes twice, a region has a name of `regions.OWN`, or as in
        `score_systems`.
    """
    mask = np.asarray(mask, bool)
    for name in set(OWN).intersection(regions or {}):
        raise InputError(f"region {name!r}: that name is taken; choose another")
    fixed = {"arctic": np.ones(mask.shape, bool)}
    fixed |= {name: np.asarray(region) for name, region in (regions or {}).items()}
    setting = _Setting(
        np.asarray(area, np.float64),
        mask,
        np.asarray(positions, np.float64),
        fixed,
        dict(error_std or {}),
        threshold,
        seed,
    )
    kept = DateSums()
    for date in dates:
        if date.start in kept.starts:
            raise InputError(f"dates: start {date.start} s comes twice; leave one out")
        shape = check_fields(date.systems, date.truth, setting.area, mask, lead_hours, fixed)
        fields = {name: ensembles_of(date.systems, name, shape) for name in date.truth}
        kept.starts.append(int(date.start))
        for lead, hours in enumerate(lead_hours):
            _add_lead(kept, setting, fields, date.truth, lead, float(hours))
        del date, fields  # before the next date is read
        if progress is not None:
            progress(len(kept.starts))
    if not kept.starts:
        raise InputError("dates: none given; expected at least one start date")
    return kept


def _add_lead(
    kept: DateSums,
    setting: _Setting,
    fields: Mapping[str, Mapping[str, ArrayLike]],
    truths: Mapping[str, ArrayLike],
    lead: int,
    hours: float,
) -> None:
    """Add all scores of one lead of the last date; `fields` by variable and system."""
    truth = {name: np.asarray(field[lead], np.float64) for name, field in truths.items()}
    zones = ice_zones(truth["concentration"]) if "concentration" in truth else {}
    for variable in sorted(set(truth).difference(DRIFT)):
        systems = {
            name: np.asarray(field[lead], np.float64) for name, field in fields[variable].items()
        }
        valid = setting.mask & np.isfinite(truth[variable])
        valid = valid_cells(systems, valid, f"{variable} at {hours:g} h")
        regions = setting.regions_in(valid, zones)
        weights = np.where(valid, setting.area, 0.0)
        for system, members in systems.items():
            where = _Place(kept, system, variable, hours, regions)
            seen, error = setting.seen(where, variable, members)
            _add_field(where, setting, members, seen, truth[variable], weights, error)
            if len(members) > 1:
                rng = setting.rng(where, "ranks")
                _add_diagrams(where, members, seen, truth[variable], weights, error, rng)
    if all(name in truth for name in DRIFT):
        names = [name for name in fields["u"] if name in fields["v"]]
        drifts = {
            name: np.stack([np.asarray(fields[part][name][lead], np.float64) for part in DRIFT])
            for name in names
        }
        _add_drift(kept, setting, drifts, truth, zones, hours)


def _add_field(
    where: _Place,
    setting: _Setting,
    members: Array,
    seen: Array,
    truth: Array,
    weights: Array,
    error: ArrayLike,
) -> None:
    common = (where.variable, members, truth, weights)
    threshold = setting.threshold
    where.add_scores(score_maps(*common, threshold, seen=seen, error_std=error))
    where.add_scores(forecast_maps(*common, setting.positions, threshold, seen=seen))


def _add_drift(
    kept: DateSums,
    setting: _Setting,
    systems: Mapping[str, Array],
    truth: Mapping[str, Array],
    zones: Mapping[str, NDArray[np.bool_]],
    hours: float,
) -> None:
    """Scores of the drift, (2, member, y, x) by system, where the truth has ice."""
    true = np.stack([truth[part] for part in DRIFT])
    valid = setting.mask & np.isfinite(true).all(axis=0)
    if zones:
        valid &= zones["pack"] | zones["marginal zone"]
    # Components are checked as if they were members.
    flat = {name: vectors.reshape(-1, *valid.shape) for name, vectors in systems.items()}
    valid = valid_cells(flat, valid, f"drift at {hours:g} h")
    regions, weights = setting.regions_in(valid, zones), np.where(valid, setting.area, 0.0)
    for system, vectors in systems.items():
        where = _Place(kept, system, "drift", hours, regions)
        pairs = [setting.seen(where, name, part) for name, part in zip(DRIFT, vectors, strict=True)]
        seen = np.stack([part for part, _ in pairs])
        error = np.sqrt(sum(np.square(one) for _, one in pairs) / 2)
        where.add_scores(drift_maps(vectors, true, weights, seen=seen, error_std=error))


def _add_diagrams(
    where: _Place,
    members: Array,
    seen: Array,
    truth: Array,
    weights: Array,
    error: ArrayLike,
    rng: np.random.Generator,
) -> None:
    used = where.regions.valid
    error = np.broadcast_to(error, truth.shape)[used]
    members, seen, truth, weights = members[:, used], seen[:, used], truth[used], weights[used]
    rank, tied = ranks(seen, truth, rng)
    for name, cells in zip(where.regions.names, where.regions.cells, strict=True):
        if not cells.any():
            continue
        key = partial(DiagramKey, where.system, where.variable)
        place = (name, where.hours, len(members))
        counts = np.bincount(rank[cells & ~tied], minlength=len(members) + 1)
        of_all = (*counts, np.count_nonzero(cells & tied), np.count_nonzero(cells))
        where.kept.add_diagram(key("ranks", *place), np.array(of_all, np.float64))
        chosen = weights * cells
        spread = spread_class_sums(members, truth, chosen, CLASSES, error)
        where.kept.add_diagram(key("spread", *place), spread)
        for limit in (ICE_EDGE, PACK_ICE) if where.variable == "concentration" else ():
            sums = probability_sums(seen, truth, chosen, limit)
            where.kept.add_diagram(key(f"reliability_{round(100 * limit)}", *place), sums)
