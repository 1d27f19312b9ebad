"""The side-by-side scoring of systems and baselines."""

import numpy as np
import pytest

from floecast.core.errors import InputError
from floecast.verification import baselines, deterministic, ice_edge, probabilistic
from floecast.verification import score_systems as run_scores
from floecast.verification.systems import _block_labels

SHAPE = (20, 24)
HOURS = [24, 72]
SIDE = 100e3


class Case:
    """Two leads, an ensemble, two deterministic systems, land and unobserved cells."""

    def __init__(self):
        rng = np.random.default_rng(0)
        ramp = np.linspace(1.3, -0.3, SHAPE[1])
        self.truth = (ramp + 0.2 * rng.normal(size=(2, *SHAPE))).clip(0, 1)
        ensemble = (ramp + 0.2 * rng.normal(size=(2, 5, *SHAPE))).clip(0, 1)
        self.mask = rng.random(SHAPE) > 0.2
        self.area = SIDE**2 * rng.uniform(0.9, 1.1, SHAPE)
        self.observed = rng.random((2, *SHAPE)) > 0.1
        self.systems = {
            "persistence": {"concentration": baselines.persistence(self.truth[0], 2)},
            "floecast": {"concentration": ensemble, "ice_volume": 2 * ensemble},
            "single": {"concentration": ensemble[:, 0], "ice_volume": 2 * ensemble[:, 0]},
        }
        self.regions = {
            "arctic": np.ones(SHAPE, bool),
            "east": np.broadcast_to(np.arange(SHAPE[1]) >= 10, SHAPE),
            "ice": self.truth > 0.15,
        }

    @property
    def fields(self):
        observed = np.where(self.observed, self.truth, np.nan)
        return {"concentration": observed, "ice_volume": 2 * observed}

    def run(self, **changes):
        options = {
            "area": self.area,
            "mask": self.mask,
            "lead_hours": HOURS,
            "regions": self.regions,
            "rng": np.random.default_rng(1),
            "draws": 200,
        }
        systems = changes.pop("systems", self.systems)
        truth = changes.pop("truth", self.fields)
        return run_scores(systems, truth, **options | changes)


@pytest.fixture
def case():
    return Case()


def test_rows_equal_the_single_scores(case):
    card = case.run()
    ensemble = case.systems["floecast"]["concentration"][1]
    weights = case.area * case.mask * case.observed[1] * case.regions["ice"][1]
    truth, mean = case.truth[1], ensemble.mean(axis=0)
    median = ice_edge.median_edge(ensemble)
    error = ice_edge.iiee(median, truth, weights=weights)
    expected = {
        "rmse": deterministic.rmse(mean, truth, weights=weights),
        "mae": deterministic.mean_absolute_error(mean, truth, weights=weights),
        "bias": deterministic.bias(mean, truth, weights=weights),
        "correlation": deterministic.correlation(mean, truth, weights=weights),
        "iiee": error.iiee / 1e9,
        "overestimate": error.overestimate / 1e9,
        "underestimate": error.underestimate / 1e9,
        "absolute_extent_error": error.absolute_extent_error / 1e9,
        "misplacement": error.misplacement / 1e9,
        "crps": probabilistic.crps(ensemble, truth, weights=weights, fair=True),
        "sps": ice_edge.sps(ensemble, truth, weights=weights, fair=True) / 1e9,
        "spread_skill": probabilistic.spread_skill(ensemble, truth, weights=weights),
    }
    chosen = card.select(
        system="floecast", variable="concentration", region="ice", lead_hours=72
    ).rows
    values = {row.score: row.value for row in chosen}
    assert values.pop("displacement") > 0
    assert values == pytest.approx(expected)
    assert {row.n for row in chosen} == {np.count_nonzero(weights)}


def test_displacement_in_the_whole_domain(case):
    weights = case.area * case.mask * case.observed[0]
    single = case.systems["single"]["concentration"][0]
    expected = ice_edge.displacement(single, case.truth[0], weights=weights) / 1e3
    row = case.run().select(system="single", score="displacement", region="arctic", lead_hours=24)
    assert row.rows[0].value == pytest.approx(expected)


def test_which_scores_are_there(case):
    card = case.run()
    names = {(row.system, row.variable): set() for row in card.rows}
    for row in card.rows:
        names[row.system, row.variable].add(row.score)
    assert names["single", "ice_volume"] == {"rmse", "bias", "crps"}
    assert names["floecast", "ice_volume"] == {"rmse", "bias", "crps", "spread_skill"}
    assert ("persistence", "ice_volume") not in names
    extra = names["floecast", "concentration"] - names["persistence", "concentration"]
    assert extra == {"spread_skill"}
    assert len(card) == 2 * 3 * (13 + 12 + 12 + 4 + 3)


def test_scores_of_a_distribution_of_a_single_field(case):
    rows = case.run().select(system="single", variable="concentration", region="arctic").rows
    for lead in {row.lead_hours for row in rows}:
        values = {row.score: row.value for row in rows if row.lead_hours == lead}
        assert values["crps"] == pytest.approx(values["mae"], rel=1e-12)
        assert values["sps"] == pytest.approx(values["iiee"], rel=1e-12)


def test_perfect_persistence(case):
    rows = case.run().select(system="persistence", region="arctic", lead_hours=24).rows
    values = {row.score: row.value for row in rows}
    assert values["rmse"] == values["iiee"] == values["displacement"] == 0
    assert values["correlation"] == pytest.approx(1)


@pytest.mark.parametrize("fill", [np.nan, 1e20])
def test_land_does_not_matter(case, fill):
    expected = case.run()
    systems = {
        name: {variable: np.where(case.mask, field, fill) for variable, field in fields.items()}
        for name, fields in case.systems.items()
    }
    truth = {name: np.where(case.mask, field, fill) for name, field in case.fields.items()}
    area = np.where(case.mask, case.area, fill)
    assert case.run(systems=systems, truth=truth, area=area) == expected


def test_all_systems_share_one_mask(case):
    holes = case.systems["single"]["concentration"].copy()
    holes[:, 3:6, 3:6] = np.nan
    case.systems["single"]["concentration"] = holes
    counts = {
        row.n
        for row in case.run().select(variable="concentration", region="arctic", lead_hours=24).rows
    }
    outside = np.ones(SHAPE, bool)
    outside[3:6, 3:6] = False
    assert counts == {np.count_nonzero(case.mask & case.observed[0] & outside)}


def test_intervals(case):
    rows = case.run().rows
    assert all(row.low <= row.high for row in rows if np.isfinite(row.low))
    inside = [row.low <= row.value <= row.high for row in rows if np.isfinite(row.low)]
    assert np.mean(inside) > 0.95
    assert case.run() == case.run()
    one_block = case.run(block_size=1e8).rows
    assert all(np.isnan(row.low) and np.isnan(row.high) for row in one_block)
    assert [row.value for row in one_block] == [row.value for row in rows]


def test_blocks_are_squares():
    labels = _block_labels(np.full(SHAPE, SIDE**2), np.ones(SHAPE, bool), 500e3)
    for label in range(20):
        rows, columns = np.nonzero(labels == label)
        assert np.ptp(rows) <= 4 and np.ptp(columns) <= 4
        assert rows.size == (25 if columns.min() < 20 else 20)


def test_one_member_is_a_deterministic_system(case):
    systems = {"single": {"concentration": case.systems["single"]["concentration"]}}
    member = {"single": {"concentration": case.systems["single"]["concentration"][:, None]}}
    truth = {"concentration": case.fields["concentration"]}
    assert case.run(systems=systems, truth=truth) == case.run(systems=member, truth=truth)


def test_lead_without_observation_is_undefined(case):
    case.observed[1] = False
    rows = case.run().select(lead_hours=72).rows
    assert rows and all(np.isnan(row.value) and row.n == 0 for row in rows)


def test_input_is_checked(case):
    def refused(message, **changes):
        with pytest.raises(InputError, match=message):
            case.run(**changes)

    refused(r"area, mask: shapes", mask=np.zeros(SHAPE, bool))
    refused(r"truth\['concentration'\]: shape", lead_hours=[24])
    refused(r"truth\['drift'\]: no system forecasts it", truth={"drift": case.truth})
    refused(r"regions\['a'\]: float64", regions={"a": np.ones(SHAPE)})
    refused(
        r"systems\['a'\]\['ice_volume'\]: shape \(20, 24\)",
        systems={"a": {"ice_volume": case.truth[0]}},
        truth={"ice_volume": case.truth},
    )
    failed = case.systems["floecast"]["ice_volume"].copy()
    failed[1, 2] = np.nan
    case.systems["floecast"]["ice_volume"] = failed
    refused(r"systems\['floecast'\]: no finite value in ice_volume at 72 h")
