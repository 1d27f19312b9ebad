"""How an emulator learns: in stages, from one step of one member to chains of ensembles."""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from jaxtyping import Array, Int, PyTree

from floecast.atmosphere.forcing import Forcing
from floecast.core.errors import InputError
from floecast.core.keys import named_key
from floecast.core.variables import STATE

from .losses import errors, score
from .network import UNet

_CLIP = 1.0
"""Norm to which a gradient is cut."""


@dataclass(frozen=True)
class Stage:
    """A stage of the training.

    Parameters
    ----------
    name : str
    updates : int
        Number of updates of the weights.
    learning_rate : float
        At its highest; it rises over the first twentieth and falls as a cosine to a hundredth.
    steps : int
        Length of the chains of steps that are scored.
    members : int
        1 for the squared error without noise, at least 2 for the score of an ensemble.
    batch : int
        Pieces of the archive in an update.
    accumulate : int
        Parts into which a batch is cut to save memory.
    """

    name: str
    updates: int
    learning_rate: float
    steps: int = 1
    members: int = 2
    batch: int = 8
    accumulate: int = 1

    def __post_init__(self):
        if min(self.updates, self.steps, self.members, self.batch, self.accumulate) < 1:
            raise InputError(f"stage {self.name}: all its numbers must be at least 1")
        if self.batch % self.accumulate:
            raise InputError(
                f"stage {self.name}: a batch of {self.batch} cannot be cut into {self.accumulate}"
            )


class Learner(eqx.Module):
    """What changes while an emulator learns.

    Parameters
    ----------
    network : UNet
    average : UNet
        Moving average of the weights, which is what is used afterwards.
    optimiser : pytree
        State of the optimiser.
    update : int array
        Number of updates done in this stage.
    """

    network: UNet
    average: UNet
    optimiser: PyTree
    update: Int[Array, ""]

    @classmethod
    def of(cls, network, stage):
        """At the start of a stage."""
        return cls(network, network, optimiser_of(stage).init(network), jnp.zeros((), int))


def optimiser_of(stage):
    """AdamW with a warm-up, on gradients of bounded norm."""
    warm = max(1, stage.updates // 20)
    rate = optax.warmup_cosine_decay_schedule(
        0.0, stage.learning_rate, warm, max(stage.updates, warm + 1), stage.learning_rate / 100
    )
    return optax.chain(optax.clip_by_global_norm(_CLIP), optax.adamw(rate, weight_decay=1e-4))


def chain(emulator, piece, key, members):
    """Members along a piece of an archive.

    Parameters
    ----------
    emulator : Emulator
    piece : Archive
        Leaves ``(time, y, x)``, a step apart.
    key : key
    members : int
        A single one goes without noise.

    Yields
    ------
    The loop body of the scans below; see `losses_along` and `errors_along`.
    """
    steps = piece.state.concentration.shape[0] - 1
    first = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), piece.state)
    start = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (members, *leaf.shape)), first)

    @jax.checkpoint
    def advance(states, number):
        forcing = _forcing_of(piece.forcing, number)
        if members == 1:
            return jax.vmap(lambda state: emulator.advance(state, forcing, None).state)(states)
        keys = jax.random.split(jax.random.fold_in(key, number), members)
        return jax.vmap(lambda state, key: emulator.step(state, forcing, key))(states, keys)

    return start, advance, steps


def _forcing_of(forcing, number):
    """At the two ends of a step of a piece."""
    two = jax.tree.map(
        lambda leaf: jax.lax.dynamic_slice_in_dim(jnp.asarray(leaf), number, 2), forcing
    )
    return Forcing(two.time, **two.fields())


def losses_along(emulator, piece, key, members):
    """Losses of each field, means over the steps of a piece; see `losses.score`."""
    states, advance, steps = chain(emulator, piece, key, members)
    total = dict.fromkeys(STATE, 0.0)
    # No scan: XLA for CPUs differentiates convolutions in loops ten times slower.
    for number in range(steps):
        states = advance(states, number)
        truth = jax.tree.map(lambda leaf, next_=number + 1: leaf[next_], piece.state)
        losses = score(states, truth, emulator.grid, emulator.scaling.change)
        total = {name: total[name] + losses[name] / steps for name in STATE}
    return total


def errors_along(emulator, piece, key, members):
    """Errors and spread after each step of a piece, and those of persistence.

    Returns
    -------
    dict of (step, 4) arrays
        By field: mean square error of the ensemble mean, mean variance of the members, mean square
        error of persistence, loss as in `losses.score`.
    """
    start, advance, steps = chain(emulator, piece, key, members)
    still = jax.tree.map(lambda leaf: leaf[:1], start)

    def body(states, number):
        states = advance(states, number)
        truth = jax.tree.map(lambda leaf: jnp.asarray(leaf)[number + 1], piece.state)
        told, kept = (errors(one, truth, emulator.grid) for one in (states, still))
        loss = score(states, truth, emulator.grid, emulator.scaling.change)
        return states, {name: jnp.stack([*told[name], kept[name][0], loss[name]]) for name in told}

    return jax.lax.scan(body, start, jnp.arange(steps))[1]


@eqx.filter_jit
def _updated(emulator, learner, pieces, key, stage):

    def loss(network, pieces, key):
        model = eqx.tree_at(lambda emulator: emulator.network, emulator, network)
        count = pieces.forcing.time.shape[0]
        keys = jax.random.split(key, count)
        losses = jax.vmap(lambda piece, key: losses_along(model, piece, key, stage.members))(
            pieces, keys
        )
        losses = {name: jnp.mean(value) for name, value in losses.items()}
        return sum(losses.values()), losses

    gradient_of = eqx.filter_grad(loss, has_aux=True)
    if stage.accumulate == 1:
        gradient, losses = gradient_of(learner.network, pieces, key)
    else:
        parts = jax.tree.map(
            lambda leaf: jnp.asarray(leaf).reshape(stage.accumulate, -1, *leaf.shape[1:]), pieces
        )

        def add(total, part):
            return jax.tree.map(jnp.add, total, gradient_of(learner.network, *part)), None

        keys = jax.random.split(key, stage.accumulate)
        zero = jax.tree.map(
            jnp.zeros_like,
            eqx.filter_eval_shape(
                gradient_of, learner.network, *jax.tree.map(_first, (parts, keys))
            ),
        )
        total, _ = jax.lax.scan(add, zero, (parts, keys))
        gradient, losses = jax.tree.map(lambda leaf: leaf / stage.accumulate, total)
    change, optimiser = optimiser_of(stage).update(gradient, learner.optimiser, learner.network)
    network = optax.apply_updates(learner.network, change)
    # Over a tenth of the updates done, so that the average forgets the start of the stage.
    rate = 10.0 / (10.0 + learner.update)
    rate = jnp.maximum(rate, 10.0 / stage.updates)
    average = jax.tree.map(
        lambda old, new: old + jnp.minimum(rate, 1.0).astype(old.dtype) * (new - old),
        learner.average,
        network,
    )
    return Learner(network, average, optimiser, learner.update + 1), losses


def _first(leaf):
    return leaf[0]


def learn(emulator, archive, stage, *, seed, learner=None, sharding=None):
    """Go through a stage.

    Parameters
    ----------
    emulator : Emulator
    archive : Archive
        Of training.
    stage : Stage
    seed : int
        Of the choice of pieces and of the noise: update number n of a stage sees the same ones
        however often the training was cut.
    learner : Learner, optional
        To go on from.
    sharding : jax.sharding.Sharding, optional
        Of the batch over devices.

    Yields
    ------
    learner : Learner
        After each update.
    losses : dict of scalars
        Of this update, by field.
    """
    learner = Learner.of(emulator.network, stage) if learner is None else learner
    begins = archive.beginnings(stage.steps, emulator.dt)
    key = named_key(seed, "training", stage.name)
    for number in range(int(learner.update), stage.updates):
        chosen, noise = jax.random.split(jax.random.fold_in(key, number))
        batch = np.asarray(jax.random.choice(chosen, begins, (stage.batch,)))
        pieces = archive.pieces(batch, stage.steps, emulator.dt)
        if sharding is not None:
            pieces = jax.device_put(pieces, sharding)
        learner, losses = _updated(emulator, learner, pieces, noise, stage)
        yield learner, losses


def batch_sharding(devices):
    """Sharding of a batch over so many devices, each of which gets an equal part."""
    mesh = jax.make_mesh((devices,), ("batch",), axis_types=(AxisType.Auto,))
    return NamedSharding(mesh, PartitionSpec("batch"))


@eqx.filter_jit
def _errors(emulator, pieces, keys, members):
    return jax.lax.map(lambda given: errors_along(emulator, *given, members), (pieces, keys))


def validate(emulator, archive, *, steps, pieces, members, seed):
    """Skill on an archive.

    Parameters
    ----------
    emulator : Emulator
    archive : Archive
        Of validation or test.
    steps : int
        Length of the forecasts.
    pieces : int
        Number of forecasts, spread evenly over the archive.
    members : int
    seed : int
        Of the noise.

    Returns
    -------
    dict of (step, 4) arrays
        By field, for each lead: error of the ensemble mean over that of persistence, spread over
        error, error [unit of the field], and loss. Squares are averaged over the forecasts first.
    """
    begins = archive.beginnings(steps, emulator.dt)
    chosen = begins[np.unique(np.linspace(0, len(begins) - 1, pieces).round().astype(int))]
    given = archive.pieces(chosen, steps, emulator.dt)
    keys = jax.random.split(named_key(seed, "validation"), len(chosen))
    squares = _errors(emulator, given, keys, members)
    told = {}
    for name, square in squares.items():
        mean = np.mean(np.asarray(square, float), axis=0)
        error, spread, kept = np.sqrt(mean[:, :3]).T
        told[name] = np.stack([error / kept, spread / error, error, mean[:, 3]], axis=-1)
    return told
