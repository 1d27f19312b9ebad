"""How an emulator learns: in stages, from one step of one member to chains of ensembles."""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from jaxtyping import Array, Int, PyTree

from floecast.atmosphere.forcing import Forcing
from floecast.core.errors import InputError
from floecast.core.keys import named_key

from .losses import errors, score
from .network import UNet
from .sharded import placed

_CLIP = 1.0
"""Norm to which a gradient is cut."""
_DECAY = 1e-4
"""Of the weights, times the learning rate, in an update."""


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
    """Muon for the convolutions, AdamW for the rest, on gradients of bounded norm.

    Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon) replaces the momentum of a matrix
    by the nearest orthogonal one; its steps are scaled to the size of those of AdamW (Liu et al.
    2025, arXiv:2502.16982). It needs a third fewer updates here than AdamW alone.
    """
    warm = max(1, stage.updates // 20)
    rate = optax.warmup_cosine_decay_schedule(
        0.0, stage.learning_rate, warm, max(stage.updates, warm + 1), stage.learning_rate / 100
    )
    muon = optax.contrib.muon(
        rate,
        weight_decay=_DECAY,
        adam_weight_decay=_DECAY,
        consistent_rms=0.2,
        muon_weight_dimension_numbers=_as_matrices,
    )
    return optax.chain(optax.clip_by_global_norm(_CLIP), muon)


def _as_matrices(weights):
    """Convolutions, all that has four axes: from what is in a window to the outputs."""
    matrix = optax.contrib.MuonDimensionNumbers((0, 1, 2), (3,))
    return jax.tree.map(lambda leaf: matrix if leaf.ndim == 4 else None, weights)


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

    Returns
    -------
    start : IceState
        Leaves ``(member, y, x)``, all alike.
    advance : callable
        From states and the number of a step to the next states.
    steps : int
    """
    steps = piece.state.concentration.shape[0] - 1
    first = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), piece.state)
    start = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (members, *leaf.shape)), first)

    def advance(states, number):
        forcing = jax.tree.map(
            lambda leaf: jax.lax.dynamic_slice_in_dim(jnp.asarray(leaf), number, 2), piece.forcing
        )
        return _advanced(emulator, states, forcing, jax.random.fold_in(key, number))

    return start, advance, steps


def _advanced(emulator, states, forcing, key):
    """Members, leaves ``(member, y, x)``, a step later; a single one goes without noise."""
    members = states.concentration.shape[0]
    forcing = Forcing(forcing.time, **forcing.fields())
    if members == 1:
        return jax.vmap(lambda state: emulator.advance(state, forcing, None).state)(states)
    keys = jax.random.split(key, members)
    return jax.vmap(lambda state, key: emulator.step(state, forcing, key))(states, keys)


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


class _Steps:
    """The steps of some pieces: states at the end and forcing of each, on the devices."""

    def __init__(self, pieces, key, sharding):
        self.pieces, self.key, self.sharding = pieces, key, sharding
        self.count = pieces.state.concentration.shape[1] - 1

    def start(self, members):
        """Leaves ``(piece, member, y, x)``."""
        first = jax.tree.map(
            lambda leaf: np.repeat(leaf[:, :1], members, axis=1), self.pieces.state
        )
        return placed(first, self.sharding)

    def __getitem__(self, number):
        truth = jax.tree.map(lambda leaf: leaf[:, number + 1], self.pieces.state)
        forcing = jax.tree.map(lambda leaf: leaf[:, number : number + 2], self.pieces.forcing)
        keys = jax.random.split(jax.random.fold_in(self.key, number), forcing.time.shape[0])
        return placed((truth, forcing, keys), self.sharding)


@eqx.filter_jit
def _forward(emulator, states, forcing, keys):
    return jax.vmap(_advanced, in_axes=(None, 0, 0, 0))(emulator, states, forcing, keys)


@eqx.filter_jit
def _backward(emulator, states, step, pull, share):
    """Losses of a step, and the gradient of their sum and of what comes later.

    `pull` is the gradient to the states after the step of the losses of the steps that follow.
    """
    truth, forcing, keys = step

    def loss(moving, step):
        network, states = moving
        model = eqx.tree_at(lambda emulator: emulator.network, emulator, network)
        after = jax.vmap(_advanced, in_axes=(None, 0, 0, 0))(model, states, forcing, keys)
        losses = jax.vmap(
            lambda members, truth: score(members, truth, model.grid, model.scaling.change)
        )(after, truth)
        losses = {name: share * jnp.mean(value) for name, value in losses.items()}
        later = sum(
            jnp.sum(one * other)
            for one, other in zip(jax.tree.leaves(after), jax.tree.leaves(pull), strict=True)
        )
        return sum(losses.values()) + later, losses

    gradient, losses = eqx.filter_grad(loss, has_aux=True)((emulator.network, states), step)
    return losses, *gradient


def gradient_along(emulator, pieces, key, members, sharding=None):
    """Losses along pieces of an archive, and their gradient to the weights.

    Parameters
    ----------
    emulator : Emulator
    pieces : Archive
        NumPy leaves ``(piece, time, y, x)``, a step apart.
    key : key
    members : int
        A single one goes without noise.
    sharding : jax.sharding.Sharding, optional
        Of the pieces over devices.

    Returns
    -------
    losses : dict of scalars
        By field, means over the steps; see `losses.score`.
    gradient : UNet

    Notes
    -----
    The states are kept and each step is computed a second time on the way back, so that memory
    grows by states alone, and chains of any length run the same two compiled functions. XLA for
    CPUs would take ten times longer for convolutions inside a loop of its own.
    """
    steps = _Steps(pieces, key, sharding)
    states = [steps.start(members)]
    for number in range(steps.count - 1):
        _, forcing, keys = steps[number]
        states.append(_forward(emulator, states[-1], forcing, keys))
    pull = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), states[0])
    pull = placed(pull, sharding)
    # An array: a number would be part of what is compiled.
    share = np.asarray(1.0 / steps.count, pull.concentration.dtype)
    total = None
    for number in reversed(range(steps.count)):
        told = _backward(emulator, states.pop(), steps[number], pull, share)
        losses, gradient, pull = told
        total = (losses, gradient) if total is None else _sum(total, (losses, gradient))
    return total


@jax.jit
def _sum(one, other):
    return jax.tree.map(jnp.add, one, other)


@eqx.filter_jit
def _updated(learner, gradient, stage):
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
    return Learner(network, average, optimiser, learner.update + 1)


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
    sharding : jax.sharding.NamedSharding, optional
        Of the batch over devices.

    Yields
    ------
    learner : Learner
        After each update.
    losses : dict of scalars
        Of this update, by field.

    Raises
    ------
    InputError
        If a loss is not finite.
    """
    learner = Learner.of(emulator.network, stage) if learner is None else learner
    if sharding is not None:
        # Where every update leaves it: the first one compiles for all.
        learner = placed(learner, NamedSharding(sharding.mesh, PartitionSpec()))
    begins = archive.beginnings(stage.steps, emulator.dt)
    key = named_key(seed, "training", stage.name)
    for number in range(int(learner.update), stage.updates):
        chosen, noise = jax.random.split(jax.random.fold_in(key, number))
        batch = np.asarray(jax.random.choice(chosen, begins, (stage.batch,)))
        model = eqx.tree_at(lambda emulator: emulator.network, emulator, learner.network)
        parts = zip(
            np.split(batch, stage.accumulate),
            jax.random.split(noise, stage.accumulate),
            strict=True,
        )
        total = None
        for part, key_of_part in parts:
            pieces = archive.pieces(part, stage.steps, emulator.dt)
            told = gradient_along(model, pieces, key_of_part, stage.members, sharding)
            total = told if total is None else _sum(total, told)
        losses, gradient = jax.tree.map(lambda leaf: leaf / stage.accumulate, total)
        if not all(np.isfinite(loss) for loss in losses.values()):
            raise InputError(
                f"update {number + 1} of stage {stage.name} has a loss that is not finite; begin "
                "the stage again with a smaller learning_rate"
            )
        learner = _updated(learner, gradient, stage)
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
