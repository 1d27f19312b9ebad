"""Learning: it gets better, a cut run comes to the same weights, parts add up to the whole."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.atmosphere.forcing import Forcing
from floecast.core.calendar import HOUR
from floecast.core.errors import InputError
from floecast.core.state import IceState
from floecast.emulator.archive import Archive
from floecast.emulator.features import fit_scaling
from floecast.emulator.losses import score
from floecast.emulator.model import Emulator
from floecast.emulator.training import Stage, _advanced, gradient_along, learn, validate

from .conftest import fields

DT = 12 * HOUR
ENSEMBLE = Stage("ensemble", updates=3, learning_rate=1e-3, members=2, batch=2)
LOOK = {"steps": 2, "pieces": 8, "members": 1, "seed": 0}


@pytest.fixture(scope="module")
def archive(grid):
    """Ice that drifts with the wind and melts by a tenth in each step."""
    time = 900_000_000 + DT * np.arange(30)
    states, weather = [], []
    state, _ = fields(grid, 0, cover=(0.5, 1.0))
    for number in range(len(time)):
        _, forcing = fields(grid, number)
        now = {name: np.asarray(field[0]) for name, field in forcing.fields().items()}
        weather.append(now)
        drift = {"u": 0.02 * now["wind_u"] * grid.mask_u, "v": 0.02 * now["wind_v"] * grid.mask_v}
        volume = 0.9 * np.asarray(state.ice_volume)
        state = IceState(**state.fields() | drift | {"ice_volume": volume})
        states.append({name: np.asarray(field) for name, field in state.fields().items()})
    state, weather = (
        {name: np.stack([one[name] for one in many]).astype(np.float32) for name in many[0]}
        for many in (states, weather)
    )
    return Archive(IceState(**state), Forcing(time, **weather))


@pytest.fixture(scope="module")
def untrained(archive, grid):
    scaling = fit_scaling(archive, None, grid, DT, key=jax.random.key(0))
    return Emulator.untrained(grid, scaling, key=jax.random.key(1), widths=(4, 4))


def weights_of(learner):
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(learner.network)])


def in_double(tree):
    """The same in double precision."""
    return jax.tree.map(
        lambda leaf: leaf.astype(float) if np.asarray(leaf).dtype == np.float32 else leaf, tree
    )


def last(*given, **named):
    *_, (learner, losses) = learn(*given, **named)
    return learner, losses


def test_scaling_is_that_of_the_archive(archive, untrained):
    true = np.diff(archive.state.ice_volume, axis=0)[:, untrained.grid.mask_t]
    assert untrained.scaling.change["ice_volume"] == pytest.approx(np.sqrt(np.mean(true**2)), 1e-5)


def test_learns(archive, untrained):
    stage = Stage("one", updates=60, learning_rate=1e-2, members=1, batch=4)
    learner, _ = last(untrained, archive, stage, seed=0)
    learned = eqx.tree_at(lambda one: one.network, untrained, learner.average)
    before, after = (validate(one, archive, **LOOK) for one in (untrained, learned))
    for name in ("u", "v", "ice_volume"):
        assert after[name][0, 0] < 0.75 * before[name][0, 0], name


def test_cut_training_comes_to_the_same_weights(archive, untrained):
    archive, untrained = in_double((archive, untrained))
    whole, losses = last(untrained, archive, ENSEMBLE, seed=0)
    steps = learn(untrained, archive, ENSEMBLE, seed=0)
    half = next(steps)[0]
    again, same = last(untrained, archive, ENSEMBLE, seed=0, learner=half)
    assert np.array_equal(weights_of(whole), weights_of(again)) and losses == same
    other, _ = last(untrained, archive, ENSEMBLE, seed=1)
    assert not np.array_equal(weights_of(whole), weights_of(other))


def test_batch_in_parts_gives_the_gradient_of_the_whole(archive, untrained):
    stage = Stage("one", updates=3, learning_rate=1e-3, members=1, batch=4)
    whole, _ = last(untrained, archive, stage, seed=0)
    parts, _ = last(untrained, archive, dataclasses.replace(stage, accumulate=2), seed=0)
    moved = np.abs(weights_of(whole) - weights_of(Start(untrained))).max()
    assert np.abs(weights_of(whole) - weights_of(parts)).max() < 1e-5 * moved


@jax.jit
def pushed(emulator, moving, changes, forcing, keys, truth):
    """Members of all pieces a step later and the loss, and their derivatives along changes."""

    def piece(emulator, states, forcing, keys, truth):
        states = _advanced(emulator, states, forcing, keys)
        return states, score(states, truth, emulator.grid, emulator.scaling.change)

    def step(network, states):
        model = eqx.tree_at(lambda one: one.network, emulator, network)
        given = model, states, forcing, keys, truth
        states, losses = jax.vmap(piece, in_axes=(None, 0, 0, 0, 0))(*given)
        return states, sum(jnp.mean(one) for one in losses.values())

    return jax.jvp(step, moving, changes)


def test_gradient_along_a_chain_is_that_of_its_steps_one_by_one(archive, untrained):
    emulator, pieces = in_double((untrained, archive.pieces(np.array([3, 11]), 3, DT)))
    random, key, members = np.random.default_rng(2), jax.random.key(2), 2
    network = jax.tree.map(
        lambda leaf: leaf + 0.1 * random.normal(size=leaf.shape), emulator.network
    )
    emulator = eqx.tree_at(lambda one: one.network, emulator, network)
    losses, gradient = gradient_along(emulator, pieces, key, members)
    for _ in range(3):
        # All weights count alike, however small the part of some in the gradient.
        way = jax.tree.map(
            lambda leaf: jnp.asarray(random.normal(size=leaf.shape)) / jnp.abs(leaf).max(), gradient
        )
        states = jax.tree.map(
            lambda leaf: jnp.asarray(np.repeat(leaf[:, :1], members, 1)), pieces.state
        )
        change, value, slope = jax.tree.map(jnp.zeros_like, states), 0.0, 0.0
        for at in range(3):
            # The keys of all pieces of a batch come from one.
            keys = jax.random.split(jax.random.fold_in(key, at), 2)
            forcing, truth = (
                jax.tree.map(lambda leaf, part=part: leaf[:, part], tree)
                for tree, part in ((pieces.forcing, np.arange(at, at + 2)), (pieces.state, at + 1))
            )
            (states, loss), (change, by) = pushed(
                emulator, (network, states), (way, change), forcing, keys, truth
            )
            value, slope = value + loss / 3, slope + by / 3
        assert float(sum(losses.values())) == pytest.approx(float(value), rel=1e-12)
        terms = [
            jnp.sum(one * other)
            for one, other in zip(jax.tree.leaves(gradient), jax.tree.leaves(way), strict=True)
        ]
        assert abs(sum(terms) - slope) <= 1e-10 * max(map(abs, terms))


class Start:
    """Weights of an emulator, as a learner has them."""

    def __init__(self, emulator):
        self.network = emulator.network


def test_a_loss_that_is_not_finite_ends_the_training(archive, untrained):
    archive, untrained = in_double((archive, untrained))
    lost = eqx.tree_at(
        lambda archive: archive.state.u, archive, np.full_like(archive.state.u, np.nan)
    )
    with pytest.raises(InputError, match="update 1 of stage ensemble has a loss that is not fin"):
        next(learn(untrained, lost, ENSEMBLE, seed=0))


def test_bad_stages_are_refused():
    with pytest.raises(InputError, match="at least 1"):
        Stage("none", updates=0, learning_rate=1e-3)
    with pytest.raises(InputError, match="cannot be cut into 3"):
        Stage("odd", updates=1, learning_rate=1e-3, batch=8, accumulate=3)


def test_validation_of_persistence_is_one(archive, untrained):
    """With weights of nothing and no way to move, errors are those of persistence."""
    told = validate(untrained, archive, **LOOK)
    assert told["u"][:, 0] == pytest.approx([1.0, 1.0], abs=1e-3)
    assert np.all(told["u"][:, 1] == 0)
    assert np.isfinite(told["u"]).all()
