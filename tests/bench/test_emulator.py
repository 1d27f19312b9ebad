"""Scoring of the emulator on cases whose scores are known."""

import jax
import numpy as np
import pytest

from floecast import cli
from floecast.bench import emulator as bench
from floecast.bench import emulator_scores as scores
from floecast.bench.emulator_forecast import check_step, closure, out_of_bounds
from floecast.bench.emulator_truth import LEADS, Case, Truth, start_numbers
from floecast.core.calendar import to_seconds
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.state import IceState
from floecast.core.variables import STATE
from floecast.io.checkpoint import save_checkpoint

VARIABLES = tuple(scores.FIELDS)


@pytest.fixture(scope="module")
def grid():
    ocean = np.ones((8, 10), bool)
    ocean[0] = False
    return Grid.box((8, 10), 50e3, ocean=ocean)


def filled(shape, **values):
    """State with the same value everywhere; 0 where none is given."""
    return IceState(**{name: np.full(shape, values.get(name, 0.0), np.float32) for name in STATE})


def fields_of(state):
    return {name: np.asarray(field) for name, field in state.fields().items()}


def test_errors_of_drift_are_vectors_over_ice(grid):
    truth = filled((2, *grid.shape), concentration=1.0, ice_volume=2.0)
    truth.concentration[:, :, 5:] = 0.0
    share = scores.shares(truth, grid)
    told = fields_of(filled((2, *grid.shape), concentration=1.0, ice_volume=2.5, u=0.3, v=-0.4))
    told["u"][:, :, 6:] = 100.0  # where there is no ice to move
    told["ice_volume"][:, 0] = 100.0  # on land
    squares = scores.mean_squares(told, truth, share)
    assert squares["drift"] == pytest.approx([0.25, 0.25])
    assert squares["ice_volume"] == pytest.approx([0.25, 0.25])
    assert squares["concentration"] == pytest.approx([0.5, 0.5])


def test_spread_is_that_of_the_error_it_promises(grid):
    truth = filled((1, *grid.shape), concentration=1.0)
    members = filled((4, 1, *grid.shape), concentration=1.0)
    members.u[:] = np.array([-0.3, -0.1, 0.1, 0.3])[:, None, None, None]
    told = scores.spreads(members, scores.shares(truth, grid))
    assert told["drift"] == pytest.approx([5 / 4 * 0.2 / 3])
    assert told["damage"] == pytest.approx([0.0])


def monthly(grid, years):
    times = [
        to_seconds(f"{year}-{month:02d}-01")
        for year in range(2030, 2030 + years)
        for month in range(1, 13)
    ]
    states = filled((len(times), *grid.shape))
    for number in range(len(times)):
        month, year = number % 12, number // 12
        states.ice_volume[number] = 1.0 + month
        states.u[number] = 0.1 * np.cos(2 * np.pi * month / 12)
        states.damage[number] = year
    return np.array(times), states


def test_climatology_of_a_date_leaves_its_own_year_out(grid):
    times, states = monthly(grid, 3)
    climate = scores.Climatology(times, states)
    start = to_seconds("2031-03-01")
    told = climate.at([start, to_seconds("2031-03-16T12:00"), to_seconds("2031-12-16")], start)
    assert told["ice_volume"][:2, 4, 4] == pytest.approx([3.0, 3.5], abs=0.07)
    assert told["ice_volume"][2, 4, 4] == pytest.approx(12 - 11 / 2, abs=0.3)  # December to January
    assert told["u"][:, 4, 4] == pytest.approx(
        0.1 * np.cos(2 * np.pi * np.array([2, 2.5, 11.5]) / 12), abs=3e-3
    )
    # March of 2030 and 2032 are left: years 0 and 2.
    assert told["damage"][0, 4, 4] == pytest.approx(1.0, abs=0.05)
    states.damage[12 + 2] = 50.0
    again = scores.Climatology(times, states).at([start], start)
    assert again["damage"][0, 4, 4] == pytest.approx(1.0, abs=0.05)


def test_variance_of_the_climate(grid):
    times, states = monthly(grid, 2)
    told = scores.Climatology(times, states).variance(grid)
    assert told["ice_volume"] == pytest.approx(143 / 12, rel=1e-5)
    assert told["damage"] == pytest.approx(0.25)
    assert told["concentration"] == 0.0


def test_damping_is_fitted_to_the_other_cases(grid):
    """Anomalies that fade to 0.8 and 0.5: the damped forecast is exact."""
    random = np.random.default_rng(0)
    normal = {name: np.full((3, *grid.shape), 0.3, np.float32) for name in STATE}
    products, cases = [], []
    for _ in range(3):
        truth = filled((3, *grid.shape), concentration=0.3, u=0.3, v=0.3, ice_volume=0.3)
        anomaly = random.uniform(-0.2, 0.2, grid.shape)
        for lead, factor in enumerate((1.0, 0.8, 0.5)):
            truth.ice_volume[lead] += factor * anomaly
        cases.append(truth)
        share = scores.shares(jax.tree.map(lambda leaf: leaf[1:], truth), grid)
        products.append(scores.anomaly_products(truth, normal, share)["ice_volume"])
    factors = scores.of_others(np.array(products))
    assert factors == pytest.approx(np.tile([0.8, 0.5], (3, 1)), abs=1e-5)
    damping = dict.fromkeys(VARIABLES, np.array([0.8, 0.5]))
    told = scores.damped(cases[0], normal, damping)
    assert told["ice_volume"] == pytest.approx(cases[0].ice_volume[1:], abs=1e-6)
    # Each from the others alone.
    sums = np.array([[[1.0], [1.0]], [[0.5], [1.0]], [[0.0], [1.0]]])
    assert scores.of_others(sums)[:, 0] == pytest.approx([0.25, 0.5, 0.75])


def test_factor_of_free_drift_is_found(grid):
    wind = np.random.default_rng(1).normal(0.0, 8.0, (2, 2, 1, 1))
    wind = np.broadcast_to(wind, (2, 2, *grid.shape)).astype(np.float32)
    free = {"wind_u": wind[0], "wind_v": wind[1]}
    free |= {"concentration": np.full(wind[0].shape, 0.9, np.float32)}
    free |= {"ice_volume": np.zeros(wind[0].shape, np.float32)}
    true = filled((3, *grid.shape), concentration=0.9)
    turned = scores.free_drift(Case(0, true, free), grid, factor=0.7 * np.exp(0.2j))
    for name in ("u", "v"):
        getattr(true, name)[1:] = turned[name]
    sums = scores.drift_products(Case(0, true, free), grid)
    assert sums[0] / sums[1] == pytest.approx(0.7 * np.exp(0.2j), abs=1e-5)


def test_ranks_of_ties_and_traces_are_at_random(grid):
    truth, members = filled(grid.shape), filled((3, *grid.shape), ice_volume=1e-5)
    share = scores.shares(jax.tree.map(lambda leaf: leaf[None], truth), grid)
    share = {name: field[0] for name, field in share.items()}
    counts = scores.rank_counts(members, truth, share, np.random.default_rng(0))
    assert counts["ice_volume"].sum() == 0  # traces: all agree
    members.ice_volume[:] = 1.0
    counts = scores.rank_counts(members, truth, share, np.random.default_rng(0))
    assert list(counts["ice_volume"]) == [70, 0, 0, 0]
    assert scores.rank_departure(counts["ice_volume"]) == pytest.approx(0.75)
    assert scores.rank_departure([5, 5, 5, 5]) == 0.0


def test_bands_and_their_ratio():
    groups = scores.bands(32)
    assert list(np.concatenate(groups)) == list(range(15))  # two cells are ring 16
    assert [len(group) for group in groups[:4]] == [1, 1, 1, 1] and len(groups[-2]) == 3
    truth = np.exp(np.random.default_rng(0).normal(size=(4, 16)))
    told = truth[:, None] * np.array([2.0, 0.5, 3.0])[:, None]
    assert scores.band_ratio(told, truth, 32) == pytest.approx(3 ** (1 / 3))
    assert np.isnan(scores.band_ratio(told[:0], truth[:0], 32)).all()


def test_boxes_of_ice_that_varies():
    grid = Grid.box((8, 8), 50e3)
    truth = filled(grid.shape, concentration=0.9, ice_volume=2.0)
    noise = np.random.default_rng(0).normal(size=grid.shape)
    truth.ice_volume[:] += 0.1 * noise
    truth.damage[:] = 0.1 * noise
    truth.concentration[7, 7] = 0.1
    boxes = scores.ice_boxes(truth, grid, 4)
    assert boxes["concentration"] == boxes["drift"] == boxes["snow_volume"] == []
    assert boxes["ice_volume"] == boxes["damage"] and len(boxes["damage"]) > 3
    assert max(max(row, column) for row, column in boxes["damage"]) < 4
    told = scores.box_spectra(truth, grid, boxes, 4)
    assert told["drift"] == [] and len(told["damage"]) == len(boxes["damage"])
    assert np.array(told["damage"]) == pytest.approx(np.array(told["ice_volume"]), rel=1e-4)


def test_values_out_of_bounds_are_counted(grid):
    good = filled((2, *grid.shape))
    for name in ("concentration", "ice_volume", "damage"):
        getattr(good, name)[:, 2:6, 2:6] = 0.5
    good.u[:, 2:6, 1:6] = 0.1
    assert out_of_bounds(good, grid) == 0
    good.concentration[0, 2, 2] = 1.01
    good.ice_volume[0, 0, 3] = 0.5  # on land
    good.damage[1, 7, 8] = 0.1  # without ice
    good.snow_volume[1, 3, 3] = np.nan
    good.u[1, 2, 8] = 0.1  # between two empty cells
    assert out_of_bounds(good, grid) == 5


def test_closure_is_what_sources_do_not_tell(grid):
    before = filled((2, *grid.shape), ice_volume=2.0, snow_volume=0.5)
    after = filled((2, *grid.shape), ice_volume=2.1, snow_volume=0.5)
    source = np.full((2, *grid.shape), 0.1)
    gaps = closure(before, after, (source, 0 * source), grid)
    assert gaps == pytest.approx([0.0, 0.0], abs=1e-6)
    source[1] = 0.0
    assert closure(before, after, (source, 0 * source), grid)[0] == pytest.approx(0.05)


def test_dates_are_spread_over_the_year():
    times = np.array(
        [to_seconds(f"{year}-{month:02d}-01") for year in (2030, 2031) for month in range(1, 13)]
    )
    twelve = start_numbers(times, 12)
    assert sorted(number % 12 for number in twelve) == list(range(12))
    assert {number // 12 for number in twelve} == {0, 1}
    assert sorted(number % 12 for number in start_numbers(times, 4)) == [0, 3, 6, 9]
    assert sorted(start_numbers(times, 24)) == list(range(24))
    for dates in (1, 25):
        with pytest.raises(InputError, match="expected 2 to 24"):
            start_numbers(times, dates)


class _Half:
    dt = 5 * 3600


def test_step_must_divide_the_leads():
    with pytest.raises(InputError, match="steps 5 h"):
        check_step(_Half())


def measured(grid):
    """Two cases of errors that are known at once."""
    leads, ones = len(LEADS), np.ones((2, len(LEADS)))
    squares = {
        system: {variable: size * ones for variable in VARIABLES}
        for system, size in (
            ("emulator", 1.0),
            ("spread", 0.81),
            ("persistence", 4.0),
            ("damped_persistence", 4.0),
            ("climatology", 16.0),
        )
    }
    # Squares are averaged over dates first: the mean of 7 and 1 is 4.
    squares["persistence"]["damage"] = np.stack([7 * ones[0], ones[0]])
    squares["free_drift"] = {"drift": 25.0 * np.ones((2, leads))}
    power = np.ones((3, 16))
    return bench.Measured(
        emulator=None,
        truth=None,
        cases=[None, None],
        squares=squares,
        variance={variable: float(n + 1) for n, variable in enumerate(VARIABLES)},
        ranks={variable: np.full((len(bench.TOLD), 5), 7) for variable in VARIABLES},
        last=[],
        spectra={v: (power, np.full((3, 4, 16), 1.2)) for v in VARIABLES},
        side=32,
        kept={"out_of_bounds": 0, "members50_10d_seconds": 30.0},
    )


def test_figures(grid):
    told = bench.figures(measured(grid))
    assert set(bench.REFERENCE) <= set(told)
    for variable in VARIABLES:
        for lead in bench.TOLD:
            start = f"{variable}_{lead}h_"
            assert told[start + "rmse"] == 1.0
            assert told[start + "rmse_over_persistence"] == pytest.approx(0.5)
            assert told[start + "rmse_over_damped_persistence"] == pytest.approx(0.5)
            assert told[start + "rmse_over_climatology"] == pytest.approx(0.25)
            assert told[start + "spread_over_rmse"] == pytest.approx(0.9)
            assert told[start + "rank_departure"] == 0.0
            assert (start + "rmse_over_free_drift" in told) == (variable == "drift")
        assert told[f"{variable}_240h_spectrum_ratio_min"] == pytest.approx(1.2)
        assert told[f"{variable}_240h_spectrum_ratio_max"] == pytest.approx(1.2)
    assert told["drift_12h_rmse_over_free_drift"] == pytest.approx(0.2)
    assert told["all_12h_rmse_over_persistence"] == pytest.approx(0.5)
    assert told["dates"] == 2 and told["damage_240h_spectrum_boxes"] == 3
    assert told["members50_10d_seconds"] == 30.0


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--preset", "arctic12"], ["arctic12", "arctic50, arctic100"]),
        (["--weights", "nowhere.npz"], ["nowhere.npz"]),
        (["--members", "1"], ["members", "at least 2"]),
    ],
)
def test_refusals(arguments, words, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["floecast", "bench", "emulator", *arguments])
    with pytest.raises(SystemExit) as left:
        cli.main()
    printed = capsys.readouterr()
    assert left.value.code == 2 and len(printed.err.strip().splitlines()) == 1
    assert all(word in printed.err for word in words)


def test_truth_of_other_runs_is_refused(tmp_path):
    with jax.enable_x64(False):
        truth = Truth("arctic100", tmp_path)
        number = start_numbers(truth.times, 12)[0]
        file = tmp_path / "arctic100_2031-01-05.npz"
        save_checkpoint(file, truth._like(), config_hash="another")
        with pytest.raises(InputError, match="another configuration"):
            truth.case(number)
        mark = truth.fingerprint(int(truth.times[number]) + 4 * 86400, LEADS.tolist())
        save_checkpoint(file, truth._like(), config_hash=mark)
        case = truth.case(number)
    assert case.start == to_seconds("2031-01-05")
    assert case.truth.u.shape == (21, *truth.grid.shape)
