"""Many start dates: only sums are kept, and they give what the scores of the fields give."""

import weakref

import numpy as np
import pytest

import floecast as fc
from floecast.core.errors import InputError
from floecast.verification import (
    deterministic,
    drift,
    edge_position,
    fractions_skill,
    ice_edge,
    probabilistic,
    reliability,
)
from floecast.verification.date_scorecard import date_scorecard, diagrams
from floecast.verification.dates import StartDate, verify_dates
from floecast.verification.systems import score_systems

HOURS = [24, 48]
DAY = 86400


class Case:
    """Start dates with an ensemble, a deterministic system and drift."""

    def __init__(self, shape=(14, 20), members=4):
        self.grid = fc.Grid.box(
            shape, 50e3, ocean=np.arange(np.prod(shape)).reshape(shape) % 11 > 0
        )
        self.shape, self.members = (2, members, *shape), members

    def date(self, day, seed=None):
        rng = np.random.default_rng(day if seed is None else seed)
        ramp = np.linspace(1.3, -0.3, self.shape[-1])
        ice = (ramp + 0.2 * rng.normal(size=self.shape)).clip(0, 1)
        truth = (ramp + 0.2 * rng.normal(size=self.shape[::2][:1] + self.shape[2:])).clip(0, 1)
        truth[:, 2, 3] = np.nan
        wind = rng.normal(0, 0.1, (2, *self.shape))
        systems = {
            "forecast": {"concentration": ice, "u": wind[0], "v": wind[1]},
            "single": {"concentration": ice[:, 0], "u": wind[0, :, 0], "v": wind[1, :, 0]},
        }
        true = {"concentration": truth, "u": wind[0, :, 1] + 0.05, "v": 0.9 * wind[1, :, 1]}
        return StartDate(day * DAY, systems, true)

    def verify(self, dates, **options):
        places = edge_position.cell_positions(self.grid)
        common = {"area": self.grid.area, "mask": self.grid.mask_t, "positions": places}
        return verify_dates(dates, **common, lead_hours=HOURS, **options)


def values(card, **chosen):
    return {row.score: row.value for row in card.select(**chosen).rows}


@pytest.fixture(scope="module")
def case():
    return Case()


def test_one_date_gives_the_scores_of_its_fields(case):
    date = case.date(3)
    card = date_scorecard(case.verify([date]))
    fields = {name: {"concentration": d["concentration"]} for name, d in date.systems.items()}
    truth = {"concentration": date.truth["concentration"]}
    one = score_systems(
        fields,
        truth,
        area=case.grid.area,
        mask=case.grid.mask_t,
        lead_hours=HOURS,
        regions={"arctic": np.ones(case.grid.shape, bool)},
        rng=np.random.default_rng(0),
        draws=2,
    )
    chosen = {"system": "forecast", "region": "arctic", "lead_hours": 48.0}
    expected, found = values(one, **chosen), values(card, variable="concentration", **chosen)
    assert {name: found[name] for name in expected} == pytest.approx(expected)

    ensemble, true = date.systems["forecast"]["concentration"][1], truth["concentration"][1]
    weights = case.grid.area * case.grid.mask_t * np.isfinite(true)
    median = ice_edge.median_edge(ensemble)
    position = edge_position.edge_position_errors(
        median, true, weights=weights, positions=edge_position.cell_positions(case.grid)
    )
    assert found["edge_distance"] == pytest.approx(position.mean / 1e3)
    assert found["edge_rms_distance"] == pytest.approx(position.rms / 1e3)
    assert found["edge_bias"] == pytest.approx(position.bias / 1e3)
    assert found["modified_hausdorff"] == pytest.approx(position.modified_hausdorff / 1e3)
    signed = ice_edge.signed_displacement(median, true, weights=weights)
    assert found["signed_displacement"] == pytest.approx(signed / 1e3)
    per_length = ice_edge.sps_per_length(ensemble, true, weights=weights, fair=True)
    assert found["sps_length"] == pytest.approx(per_length / 1e3)
    for name, event in (("ice", lambda f: f > 0.15), ("edge", None)):
        pair = [
            event(f) if event else ice_edge.edge_cells(f, weights=weights) for f in (median, true)
        ]
        fss = fractions_skill.fractions_skill_score(*pair, weights=weights, window=5)
        assert found[f"fss_{name}_5"] == pytest.approx(fss)
    assert found["useful_scale_ice"] in (50, 150, 250, 450, 850)
    options = {"weights": weights, "fair": True}
    for limit in (15, 80):
        brier = probabilistic.brier(ensemble, true, threshold=limit / 100, **options)
        assert found[f"brier_{limit}"] == pytest.approx(brier)
    marginal = probabilistic.threshold_weighted_crps(
        ensemble, true, lower=0.15, upper=0.8, **options
    )
    assert found["crps_marginal_zone"] == pytest.approx(marginal)


def test_drift_counts_where_the_truth_has_ice(case):
    date = case.date(4)
    found = values(
        date_scorecard(case.verify([date])),
        system="forecast",
        variable="drift",
        region="arctic",
        lead_hours=24.0,
    )
    ice = np.nan_to_num(date.truth["concentration"][0]) >= 0.15
    weights = case.grid.area * case.grid.mask_t * ice
    members = np.stack([date.systems["forecast"][name][0] for name in "uv"])
    truth = np.stack([date.truth[name][0] for name in "uv"])
    expected = drift.drift_scores(members.mean(axis=1), truth, weights=weights)
    for name in ("vector_rmse", "speed_bias", "coherence", "turning", "direction_error"):
        assert found[name] == pytest.approx(getattr(expected, name))
    capture, area = drift.ellipse_capture(members, truth, weights=weights, probability=0.9)
    assert found["capture_90"] == pytest.approx(capture)
    assert found["ellipse_area_90"] == pytest.approx(area * 86.4**2)
    assert {"spread_skill", "energy_score", "capture_50"} <= set(found)


def test_dates_pool_squares_and_average_areas(case):
    dates = [case.date(day) for day in (1, 2, 9)]
    whole = date_scorecard(case.verify(dates))
    chosen = {
        "system": "single",
        "variable": "concentration",
        "region": "arctic",
        "lead_hours": 24.0,
    }
    each = [values(date_scorecard(case.verify([date])), **chosen) for date in dates]
    found = values(whole, **chosen)
    assert {row.n for row in whole.select(**chosen).rows} == {3}
    root = np.sqrt(np.mean([one["rmse"] ** 2 for one in each]))
    assert found["rmse"] == pytest.approx(root) and root > np.mean([one["rmse"] for one in each])
    for name in ("iiee", "absolute_extent_error", "misplacement", "modified_hausdorff"):
        assert found[name] == pytest.approx(np.mean([one[name] for one in each]))


def test_a_date_without_an_edge_is_left_out_of_distances(case):
    first, second = case.date(1), case.date(2)
    second.truth["concentration"][0] = 0.0
    card = date_scorecard(case.verify([first, second]))
    chosen = {"system": "single", "region": "arctic", "lead_hours": 24.0}
    (row,) = card.select(score="edge_distance", **chosen).rows
    alone = date_scorecard(case.verify([first])).select(score="edge_distance", **chosen).rows[0]
    assert row.n == 1 and row.value == alone.value > 0
    # There is no pack either, so nothing is told of it for that date.
    (pack,) = card.select(
        system="single", variable="concentration", score="rmse", region="pack", lead_hours=24.0
    ).rows
    assert pack.n == 1


def test_zones_follow_the_truth_and_edges_need_the_whole(case):
    date = case.date(5)
    card = date_scorecard(case.verify([date]))
    true = date.truth["concentration"][0]
    zone = case.grid.mask_t & (true >= 0.15) & (true <= 0.8)
    expected = deterministic.rmse(
        date.systems["single"]["concentration"][0], true, weights=case.grid.area * zone
    )
    chosen = {"system": "single", "variable": "concentration", "lead_hours": 24.0}
    found = values(card, region="marginal zone", **chosen)
    assert found["rmse"] == pytest.approx(expected)
    assert not {"iiee", "sps", "edge_distance", "fss_ice_5"} & set(found)
    assert {"iiee", "edge_distance", "fss_ice_5"} <= set(values(card, region="arctic", **chosen))


def test_regions_are_named_by_the_user(case):
    east = np.arange(case.grid.shape[1]) >= 10
    regions = {"east": np.broadcast_to(east, case.grid.shape)}
    date = case.date(6)
    with pytest.raises(InputError, match="'pack': that name is taken"):
        case.verify([date], regions={"pack": regions["east"]})
    card = date_scorecard(case.verify([date], regions=regions))
    weights = case.grid.area * case.grid.mask_t * np.isfinite(date.truth["concentration"][1]) * east
    single = date.systems["single"]["concentration"][1]
    error = ice_edge.iiee(single, date.truth["concentration"][1], weights=weights)
    (row,) = card.select(system="single", score="iiee", region="east", lead_hours=48.0).rows
    assert row.value == pytest.approx(error.iiee / 1e9)


def test_observation_error_reaches_every_score_of_the_distribution(case):
    dates = [case.date(day) for day in range(3)]
    exact = date_scorecard(case.verify(dates))
    chosen = {"system": "forecast", "region": "arctic", "lead_hours": 24.0}
    errors = {"concentration": 0.1, "u": 0.02, "v": 0.02}
    noisy = date_scorecard(case.verify(dates, error_std=errors))
    for variable, moved in (
        ("concentration", {"crps", "spread_skill", "brier_15", "brier_80", "sps", "sps_length"}),
        ("drift", {"spread_skill", "energy_score", "capture_50", "ellipse_area_90"}),
    ):
        before = values(exact, variable=variable, **chosen)
        after = values(noisy, variable=variable, **chosen)
        changed = {name for name in before if before[name] != after[name]}
        assert moved <= changed <= moved | {"crps_marginal_zone", "capture_90"}
        assert after["spread_skill"] > before["spread_skill"]


def test_the_order_of_dates_and_of_systems_does_not_matter(case):
    dates = [case.date(day) for day in range(4)]
    other = [d._replace(systems=dict(reversed(d.systems.items()))) for d in dates[::-1]]
    errors = {"concentration": 0.1}
    first, second = (case.verify(some, error_std=errors) for some in (dates, other))
    one, two = (date_scorecard(kept, block_days=2) for kept in (first, second))
    assert len(one) == len(two)
    for left, right in zip(one.rows, two.rows, strict=True):
        assert (left.system, left.score, left.n) == (right.system, right.score, right.n)
        np.testing.assert_allclose(
            [left.value, left.low, left.high], [right.value, right.low, right.high], rtol=1e-9
        )
    assert diagrams(first)[0] == diagrams(second)[0]


def test_memory_does_not_grow_with_dates_but_for_sums():
    fields, most = [], []

    class Field(np.ndarray):
        """An array that can be counted."""

    def dates(case, count):
        for day in range(count):
            most.append(sum(field() is not None for field in fields))
            date = case.date(day % 2, seed=day % 2)._replace(start=day * DAY)
            for system in date.systems.values():
                for name, field in system.items():
                    system[name] = field.view(Field)
                    fields.append(weakref.ref(system[name]))
            yield date
            del date, system, field

    small, large = Case((8, 10)), Case((16, 20))
    kept = {count: small.verify(dates(small, count)) for count in (2, 6)}
    assert max(most) == 0  # of the date before nothing is left when the next is read
    per_date = (kept[6].size_bytes - kept[2].size_bytes) / 4
    assert per_date == pytest.approx(kept[2].size_bytes / 2, rel=0.5)
    assert large.verify(dates(large, 6)).size_bytes == pytest.approx(kept[6].size_bytes, rel=0.01)


def test_diagrams_are_sums_over_dates(case):
    dates = [case.date(day) for day in range(3)]
    found = {
        one["kind"]: one
        for one in diagrams(case.verify(dates))
        if (one["region"], one["lead_hours"]) == ("arctic", 24.0)
    }
    assert set(found) == {"ranks", "spread", "reliability_15", "reliability_80"}
    ensemble = np.stack([d.systems["forecast"]["concentration"][0] for d in dates], axis=1)
    truth = np.stack([d.truth["concentration"][0] for d in dates])
    weights = case.grid.area * case.grid.mask_t * np.isfinite(truth)
    whole = reliability.reliability_diagram(ensemble, truth, weights=weights, threshold=0.15)
    np.testing.assert_allclose(found["reliability_15"]["calibrated"], whole.calibrated)
    assert found["reliability_15"]["miscalibration"] == pytest.approx(whole.miscalibration)
    ranks = probabilistic.rank_histogram(
        ensemble, truth, weights=weights, rng=np.random.default_rng(0)
    )
    assert sum(found["ranks"]["counts"]) == ranks.counts.sum()
    assert found["ranks"]["tied_fraction"] == pytest.approx(ranks.tied_fraction) and (
        ranks.tied_fraction > 0.05
    )
    assert sum(found["spread"]["weight"]) < weights.sum()


@pytest.mark.parametrize(
    ("dates", "words"),
    [
        (lambda case: [], "at least one"),
        (lambda case: [case.date(1), case.date(1)], "twice"),
        (
            lambda case: [case.date(1)._replace(truth={"concentration": np.zeros((3, 14, 20))})],
            "truth\\['concentration'\\]",
        ),
        (
            lambda case: [
                case.date(1)._replace(
                    systems={"bad": {"concentration": np.zeros((2, 3, 3))}},
                    truth={"concentration": np.zeros((2, 14, 20))},
                )
            ],
            "systems\\['bad'\\]",
        ),
    ],
)
def test_what_does_not_fit_is_refused(case, dates, words):
    with pytest.raises(InputError, match=words):
        case.verify(dates(case))
