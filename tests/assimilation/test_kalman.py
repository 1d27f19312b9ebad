"""The filter against the Kalman formulas, and what must not change it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.assimilation.analysis import Status
from floecast.assimilation.bounds import Unbounded
from floecast.assimilation.inflation import Inflation, relax_to_prior_spread
from floecast.assimilation.kalman import LETKF
from floecast.assimilation.localisation import GaspariCohn, gaspari_cohn
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.state import IceState
from floecast.observation.observations import Observations, observations

MEMBERS, SIZE, COUNT = 7, 20, 11
RNG = np.random.default_rng(5)
ENSEMBLE = RNG.normal(size=(MEMBERS, SIZE))
MATRIX = RNG.normal(size=(COUNT, SIZE))
PLACES = np.stack([np.arange(SIZE, dtype=float), np.zeros(SIZE)], axis=-1)


def linear(state, obs):
    return jnp.asarray(MATRIX)[obs.cell[:, 0]] @ state


def points(state, obs):
    return state[obs.cell[:, 0]]


def made(count=COUNT, **fields):
    rng = np.random.default_rng(6)
    return observations(
        "thickness",
        rng.normal(size=count),
        rng.uniform(0.5, 1.0, count),
        np.arange(count) * 1.0,
        0.0,
        0,
        np.arange(count),
        np.ones(count),
        **fields,
    )


def flat(*arguments, **fields):
    """Filter of a state without bounds."""
    return LETKF(*arguments, control=Unbounded(), **fields)


def close(actual, expected, tolerance):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)


def kalman(ensemble, matrix, value, covariance, prior=1.0):
    """Mean and covariance by the textbook formula."""
    mean, spread = ensemble.mean(axis=0), prior * np.cov(ensemble.T)
    gain = spread @ matrix.T @ np.linalg.inv(matrix @ spread @ matrix.T + covariance)
    return mean + gain @ (value - matrix @ mean), spread - gain @ matrix @ spread


@pytest.mark.parametrize("prior", [1.0, 1.3])
def test_is_the_kalman_filter(prior):
    obs = made()
    analysis = flat(linear, inflation=Inflation(prior=prior)).analyse(ENSEMBLE, obs)
    mean, spread = kalman(ENSEMBLE, MATRIX, obs.value, np.diag(obs.error_std**2), prior)
    assert analysis.status == Status.GOOD
    close(analysis.ensemble.mean(axis=0), mean, 1e-10)
    close(np.cov(np.asarray(analysis.ensemble).T), spread, 1e-10)
    close(analysis.background_equivalents, ENSEMBLE @ MATRIX.T, 1e-12)
    close(analysis.equivalents, analysis.ensemble @ MATRIX.T, 1e-12)


def test_symmetric_root_of_the_transform_filter():
    obs = made()
    anomalies = ENSEMBLE - ENSEMBLE.mean(axis=0)
    whitened = anomalies @ MATRIX.T / obs.error_std
    values, vectors = np.linalg.eigh(np.eye(MEMBERS) + whitened @ whitened.T / (MEMBERS - 1))
    root = vectors / np.sqrt(values) @ vectors.T
    ensemble = np.asarray(flat(linear).analyse(ENSEMBLE, obs).ensemble)
    close(ensemble - ensemble.mean(axis=0), root @ anomalies, 1e-10)


def test_shared_error_is_a_full_covariance():
    group = np.array([1] * 5 + [2] * 3 + [0] * 3)
    obs = made(group=group)
    same = (group[:, None] == group) & (group > 0)
    covariance = np.outer(obs.error_std, obs.error_std) * np.where(np.eye(COUNT), 1, 0.3 * same)
    analysis = flat(linear, shared_error=0.3).analyse(ENSEMBLE, obs)
    mean, spread = kalman(ENSEMBLE, MATRIX, obs.value, covariance)
    close(analysis.ensemble.mean(axis=0), mean, 1e-10)
    close(np.cov(np.asarray(analysis.ensemble).T), spread, 1e-10)


def test_each_column_solves_its_own_tapered_problem():
    obs, width, prior = made(), 2.5, 1.2
    letkf = flat(points, GaspariCohn(PLACES, width), Inflation(prior=prior))
    ensemble = np.asarray(letkf.analyse(ENSEMBLE, obs).ensemble)
    for column in range(SIZE):
        taper = np.asarray(gaspari_cohn(np.abs(column - obs.x) / width))
        seen = taper > 0
        if not seen.any():
            assert (ensemble[:, column] == ENSEMBLE[:, column]).all()
            continue
        matrix = np.eye(SIZE)[obs.cell[seen, 0]]
        covariance = np.diag(obs.error_std[seen] ** 2 / taper[seen])
        local = 1 + (prior - 1) * taper.max()
        mean, spread = kalman(ENSEMBLE, matrix, obs.value[seen], covariance, local)
        close(ensemble[:, column].mean(), mean[column], 1e-10)
        close(ensemble[:, column].var(ddof=1), spread[column, column], 1e-10)


def test_one_cell_in_closed_form():
    ensemble = np.array([[1.0], [2.0], [3.0]])
    obs = observations("thickness", 4.0, 1.0, 0.0, 0.0, 0, [0], [1.0])
    analysis = flat(points, GaspariCohn(np.zeros((1, 2)), 1.0)).analyse(ensemble, obs)
    # Variances 1 and 1: half way to the observation, spread over the root of two.
    root = 1 / np.sqrt(2)
    close(analysis.ensemble[:, 0], [3 - root, 3, 3 + root], 1e-12)


def test_far_observations_do_not_matter():
    obs = made()
    letkf = flat(points, GaspariCohn(PLACES, 2.0))
    near = letkf.analyse(ENSEMBLE, obs.select(obs.x < 4)).ensemble
    every = letkf.analyse(ENSEMBLE, obs).ensemble
    close(near[:, 0], every[:, 0], 1e-12)
    assert np.abs(near[:, 3] - every[:, 3]).max() > 1e-3


def test_order_of_observations_does_not_matter():
    obs, order = made(group=np.arange(COUNT) % 3), np.random.default_rng(1).permutation(COUNT)
    for localisation in (None, GaspariCohn(PLACES, 3.0)):
        letkf = flat(points, localisation, shared_error=0.2)
        one, other = (letkf.analyse(ENSEMBLE, o).ensemble for o in (obs, obs.select(order)))
        close(one, other, 1e-12)


def test_order_of_members_does_not_matter():
    order = np.random.default_rng(1).permutation(MEMBERS)
    letkf = flat(points, GaspariCohn(PLACES, 3.0), Inflation(relaxation=0.4))
    one = letkf.analyse(ENSEMBLE, made()).ensemble
    other = letkf.analyse(ENSEMBLE[order], made()).ensemble
    close(one[order], other, 1e-12)


@pytest.mark.parametrize("obs", [made().select(slice(0)), made(flag=4)], ids=["none", "flagged"])
@pytest.mark.parametrize("localisation", [None, GaspariCohn(PLACES, 3.0)])
def test_no_observations(obs, localisation):
    letkf = flat(points, localisation, Inflation(prior=1.5, relaxation=0.5))
    analysis = letkf.analyse(ENSEMBLE, obs)
    assert analysis.status == Status.NO_OBSERVATIONS
    assert (analysis.ensemble == ENSEMBLE).all()
    assert analysis.equivalents.shape == (MEMBERS, obs.size)


def test_flagged_observations_have_equivalents_and_no_influence():
    obs = made()
    flag = np.where(np.arange(COUNT) == 4, 8, 0)
    spoilt = obs.replace(flag=flag, value=np.where(flag, np.nan, obs.value))
    letkf = flat(points, GaspariCohn(PLACES, 3.0))
    without = letkf.analyse(ENSEMBLE, obs.select(flag == 0))
    analysis = letkf.analyse(ENSEMBLE, spoilt)
    close(analysis.ensemble, without.ensemble, 1e-12)
    assert np.isfinite(analysis.equivalents).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("localisation", [None, GaspariCohn(PLACES, 3.0)])
def test_member_that_is_not_finite_is_isolated(bad, localisation):
    obs, keep = made(), np.arange(MEMBERS) != 2
    spoilt = ENSEMBLE.copy()
    spoilt[2, 5] = bad
    letkf = flat(points, localisation, Inflation(1.1, 0.3))
    analysis = letkf.analyse(spoilt, obs)
    alone = letkf.analyse(ENSEMBLE[keep], obs)
    close(analysis.ensemble[keep], alone.ensemble, 1e-12)
    np.testing.assert_array_equal(analysis.ensemble[2], spoilt[2])
    assert analysis.member_status[2] == Status.MEMBER_NOT_FINITE
    assert analysis.healthy.tolist() == keep.tolist()
    assert np.isnan(analysis.equivalents[2]).all()
    assert analysis.status == Status.GOOD


def test_one_member_is_not_enough():
    spoilt = np.where(np.arange(MEMBERS)[:, None] == 0, ENSEMBLE, np.nan)
    analysis = flat(points).analyse(spoilt, made())
    assert analysis.status == Status.TOO_FEW_MEMBERS
    np.testing.assert_array_equal(analysis.ensemble, spoilt)


def test_relaxation_to_prior_spread():
    obs = made()
    plain, relaxed = (
        np.asarray(flat(points, None, Inflation(relaxation=a)).analyse(ENSEMBLE, obs).ensemble)
        for a in (0.0, 0.3)
    )
    wanted = 0.7 * plain.std(axis=0, ddof=1) + 0.3 * ENSEMBLE.std(axis=0, ddof=1)
    close(relaxed.std(axis=0, ddof=1), wanted, 1e-12)
    close(relaxed.mean(axis=0), plain.mean(axis=0), 1e-12)


def test_relaxation_leaves_what_has_no_spread():
    prior = np.array([[0.0, -1.0], [0.0, 1.0]])
    assert (relax_to_prior_spread(0 * prior, prior, 0.9) == 0).all()


@pytest.mark.parametrize("fields", [{"prior": 0.9}, {"relaxation": 1.2}, {"relaxation": -0.1}])
def test_inflation_refused(fields):
    with pytest.raises(InputError, match="must be"):
        Inflation(**fields)


def test_leaves_of_any_shape():
    """Leading axes are columns, what follows belongs to the column; float32 stays float32."""
    obs = made(6)
    places = PLACES[:6].reshape(2, 3, 2)
    plain = np.asarray(ENSEMBLE[:, :6])
    ensemble = {
        "layers": jnp.asarray(np.stack([plain, 2 * plain], -1).reshape(MEMBERS, 2, 3, 2)),
        "plain": jnp.asarray(plain.reshape(MEMBERS, 2, 3), jnp.float32),
    }

    def operator(state, obs):
        return state["layers"][..., 0].reshape(-1)[obs.cell[:, 0]]

    analysis = flat(operator, GaspariCohn(places, 2.0)).analyse(ensemble, obs).ensemble
    expected = flat(points, GaspariCohn(PLACES[:6], 2.0)).analyse(plain, obs).ensemble
    close(analysis["layers"][..., 1].reshape(MEMBERS, 6), 2 * expected, 1e-12)
    assert analysis["plain"].dtype == jnp.float32
    close(analysis["plain"].reshape(MEMBERS, 6), expected, 1e-5)


def test_wrong_columns_are_refused():
    with pytest.raises(InputError, match="shape"):
        flat(points, GaspariCohn(PLACES, 3.0)).analyse(ENSEMBLE[:, :-1], made())


def test_many_columns_are_analysed_as_few_are():
    """More columns than go at a time, a number that does not divide into equal parts."""
    rng = np.random.default_rng(8)
    places = rng.uniform(0, COUNT, (601, 2)) * np.array([1, 0])
    ensemble = rng.normal(size=(MEMBERS, 601))
    obs = made()
    every, few = (
        flat(points, GaspariCohn(places[:n], 2.0)).analyse(ensemble[:, :n], obs).ensemble
        for n in (601, 50)
    )
    close(every[:, :50], few, 1e-12)


def test_compiled_and_mapped_over_analyses():
    obs, letkf = made(), flat(points, GaspariCohn(PLACES, 3.0))
    neighbours = letkf.neighbours(obs)
    several = np.stack([ENSEMBLE, 2 * ENSEMBLE])
    mapped = jax.jit(jax.vmap(lambda e: letkf.analyse(e, obs, neighbours).ensemble))(several)
    for one, ensemble in zip(mapped, several, strict=True):
        close(one, letkf.analyse(ensemble, obs).ensemble, 1e-12)


class TestIce:
    """The filter on an ice state with its control variables and observation operator."""

    grid = Grid.box((4, 5), 50e3, ocean=np.arange(20).reshape(4, 5) != 7)

    def ensemble(self, members=8):
        rng = np.random.default_rng(3)
        shape = (members, *self.grid.shape)
        concentration = np.clip(rng.normal(0.6, 0.5, shape), 0, 1) * self.grid.mask_t
        thickness = rng.gamma(4.0, 0.3, shape)
        state = IceState.at_rest(self.grid, concentration, thickness, 0.1 * thickness)
        return jax.tree.map(jnp.asarray, state)

    def observations(self):
        x, y = np.meshgrid(self.grid.x, self.grid.y)
        cells = np.flatnonzero(self.grid.mask_t)[::2]
        parts = [
            observations(
                kind,
                value,
                error,
                x.ravel()[cells],
                y.ravel()[cells],
                0,
                cells,
                np.ones(cells.size),
            )
            for kind, value, error in (
                ("concentration", np.linspace(0, 1, cells.size), 0.05),
                ("thickness", np.linspace(-0.3, 3, cells.size), 0.3),
            )
        ]
        return Observations.concatenate(parts)

    def letkf(self, **fields):
        return LETKF(localisation=GaspariCohn.on_grid(self.grid, 60e3), **fields)

    def test_inside_the_bounds_and_closer_to_the_observations(self):
        obs = self.observations()
        analysis = self.letkf().analyse(self.ensemble(), obs)
        state = analysis.ensemble
        assert (state.concentration >= 0).all() and (state.concentration <= 1).all()
        assert (state.ice_volume >= 0).all() and (state.snow_volume >= 0).all()
        before, after = (
            np.sqrt(np.mean((e.mean(axis=0) - obs.value) ** 2))
            for e in (analysis.background_equivalents, analysis.equivalents)
        )
        assert after < 0.7 * before

    def test_land_stays_as_it_was(self):
        ensemble = self.ensemble()
        ensemble = jax.tree.map(lambda leaf: leaf.at[:, 1, 2].set(0.25), ensemble)
        analysis = self.letkf().analyse(ensemble, self.observations())
        for leaf in jax.tree.leaves(analysis.ensemble):
            assert (leaf[:, 1, 2] == 0.25).all()

    def test_updates_say_which_fields_change(self):
        ensemble, obs = self.ensemble(), self.observations()
        updates = {"thickness": ["ice_volume"]}
        state = self.letkf(updates=updates).analyse(ensemble, obs).ensemble
        for name in ("concentration", "snow_volume", "u", "v", "damage"):
            given = np.asarray(ensemble.concentration)
            # Traces of ice have no thickness of their own.
            told = (given == 0) | (given >= 0.01)
            before, after = (np.asarray(getattr(one, name)) for one in (ensemble, state))
            close(after[told], before[told], 1e-12)
        alone = self.letkf().analyse(ensemble, obs.of_kind("thickness")).ensemble
        ice = (state.concentration > 0) & (alone.concentration > 0)
        close(jnp.where(ice, state.thickness - alone.thickness, 0), 0, 1e-10)

    @pytest.mark.parametrize("fields", [{"updates": {"snow": ["u"]}}, {"shared_error": 1.0}])
    def test_refused(self, fields):
        with pytest.raises(InputError):
            self.letkf(**fields)

    def test_updates_of_unknown_fields_are_refused(self):
        letkf = self.letkf(updates={"thickness": ["depth"]})
        with pytest.raises(InputError, match="'depth'"):
            letkf.analyse(self.ensemble(), self.observations())

    def test_fields_with_a_relaxation_of_their_own(self):
        ensemble, given = self.ensemble(), self.observations()

        def analysed(**inflation):
            method = self.letkf(inflation=Inflation(**inflation))
            return method.analyse(ensemble, given).ensemble

        both = analysed(relaxation=0.3, relaxations={"concentration": 1.0})
        close(both.u, analysed(relaxation=0.3).u, 1e-12)
        close(both.concentration, analysed(relaxation=1.0).concentration, 1e-12)
        assert np.abs(both.concentration - analysed(relaxation=0.3).concentration).max() > 1e-3
        with pytest.raises(InputError, match="relaxations names 'depth'"):
            analysed(relaxations={"depth": 0.5})
        with pytest.raises(InputError, match=r"\[0, 1\]"):
            Inflation(relaxations={"concentration": 2.0})
        with pytest.raises(InputError, match="are for a LETKF"):
            Inflation(relaxations={"concentration": 0.5}).restore(np.ones((2, 3)), np.ones((2, 3)))

    def test_updates_of_nothing(self):
        ensemble = self.ensemble()
        letkf = self.letkf(updates={"thickness": []})
        close(
            letkf.analyse(ensemble, self.observations()).ensemble.ice_volume,
            ensemble.ice_volume,
            1e-12,
        )
