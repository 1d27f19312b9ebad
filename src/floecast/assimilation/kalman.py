"""Ensemble Kalman filter in local ensemble space (LETKF)."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from floecast.core.errors import InputError
from floecast.observation.observations import KINDS
from floecast.observation.operators import observe

from .bounds import AbstractControl, IceControl
from .filter import AbstractFilter, departures, inflation_of, need_key, random_rotation, split
from .inflation import Inflation
from .localisation import GaspariCohn, everywhere

CHUNK = 256
"""Columns analysed at a time: bounds memory to some 100 MB at 300 local observations."""


class LETKF(AbstractFilter):
    """Local ensemble transform Kalman filter with localisation of the observation error.

    Parameters
    ----------
    operator : callable
        ``operator(state, observations) -> (p,)``: what would be observed of one member; by
        default `observe` of an `IceState`.
    localisation : GaspariCohn, optional
        Without it every observation acts on the whole state, which is then one column: this is
        the ensemble transform Kalman filter (ETKF) with the symmetric root.
    inflation : Inflation or float
        A number is the prior inflation.
    control : AbstractControl
        Variables in which the analysis is linear, by default those of an `IceState`; `Unbounded`
        for models without bounds.
    shared_error : float
        Share of the error variance that observations of one `group` have in common [1].
    updates : mapping of str to sequence of str
        Fields of the state that observations of each kind may change, a kind that is not named
        none. What is left out are covariances that the ensemble is too small to know. Without it
        every observation changes every field.
    rotation : bool
        Whether the anomalies are rotated at random after the analysis, see `random_rotation`.
        This changes all members in all columns, but no mean or covariance of control variables.

    Raises
    ------
    InputError
        If `shared_error` is outside [0, 1), or `updates` names an unknown kind; on analysing, if
        it names a field that the state does not have.

    Notes
    -----
    In each column, with Y the local anomalies of the equivalents over the error, d the innovation
    over the error, both times the root of the taper, and N members:
    ``P = ((N - 1) / inflation + Y'Y)^-1``, ``w = P Y'd``, ``W = ((N - 1) P)^(1/2)``, and the
    members are the mean plus anomalies times ``w + W``. The root is the symmetric one, so that
    the mean stays and neighbouring columns differ little.

    An error with variance s^2 in a group of observations is ``s (sqrt(1 - q) e_i + sqrt(q) e)``
    with q the shared part. The taper weakens the own part only; the common part is taken out
    exactly (Sherman-Morrison), so that many observations of one group never know their mean better
    than to ``s sqrt(q)``.

    References
    ----------
    Hunt, B. R., Kostelich, E. J., and Szunyogh, I. (2007). Efficient data assimilation for
    spatiotemporal chaos: a local ensemble transform Kalman filter. Physica D, 230, 112-126.
    """

    operator: Callable = observe
    localisation: GaspariCohn | None = None
    inflation: Inflation = eqx.field(
        default=Inflation(),
        converter=inflation_of,
    )
    control: AbstractControl = IceControl()
    shared_error: float = 0.0
    updates: tuple = eqx.field(
        static=True,
        default=(),
        converter=lambda named: tuple((kind, tuple(names)) for kind, names in dict(named).items()),
    )
    rotation: bool = False

    def __check_init__(self):
        unknown = [kind for kind, _ in self.updates if kind not in KINDS]
        if unknown:
            raise InputError(f"updates names {unknown[0]!r}; the kinds are {', '.join(KINDS)}")
        if not isinstance(self.localisation, GaspariCohn | None):
            raise InputError(
                "localisation must be a GaspariCohn, as of GaspariCohn.on_grid(grid, half_width), "
                f"not {self.localisation}"
            )
        if not 0 <= self.shared_error < 1:
            raise InputError(f"shared_error must be in [0, 1), not {self.shared_error}")

    def neighbours(self, observations):
        """Local observations of each column.

        Parameters
        ----------
        observations : Observations

        Returns
        -------
        Neighbours
            Depends on places, kinds and flags only: found once, it serves `analyse` as long as
            these stay.
        """
        if self.localisation is not None:
            return self.localisation.neighbours(observations)
        return everywhere(observations)

    def analyse(self, ensemble, observations, neighbours=None, *, key=None):
        """Ensemble given the observations.

        Parameters
        ----------
        ensemble : pytree
            Leaves ``(member, *columns, ...)``, with the columns of the localisation.
        observations : Observations
            Or anything with ``value``, ``error_std``, ``position``, ``group`` and ``flag``, and
            with ``kind`` if half-widths or `updates` are given for kinds.
        neighbours : Neighbours, optional
            From `neighbours`. With it the whole analysis can be compiled and mapped.
        key : key, optional
            For the rotation.

        Returns
        -------
        Analysis
            Columns without an observation in reach, inactive columns and members that are not
            finite come back as they were, to the bit.

        Raises
        ------
        InputError
            If the leaves do not have the columns of the localisation, or there is no key where
            one is needed.
        """
        need_key(self, key)
        columns = () if self.localisation is None else self.localisation.columns
        for leaf in jax.tree.leaves(ensemble):
            if leaf.shape[1 : 1 + len(columns)] != columns:
                raise InputError(
                    f"a field of the ensemble has shape {leaf.shape}; expected the members and "
                    f"then the columns {columns} of the localisation"
                )
        if neighbours is None:
            neighbours = self.neighbours(observations)
        # Waiting keeps two analyses from running at once, see `_over_columns`.
        return jax.block_until_ready(self._analyse(ensemble, observations, (neighbours, key)))

    def _context(self, observations, key):
        return self.neighbours(observations).roomy(), key

    def _update(self, members, equivalents, good, observations, context):
        neighbours, key = context
        control = self.control.to_control(members)
        if neighbours.column.shape[0] == 0 or not self._blocks(control):
            return members, False
        kind = jnp.asarray(observations.kind) if self.updates else None
        seen = departures(equivalents, good, observations, kind)
        control = self._columns(control, seen, neighbours, good)
        members = self._touched(self.control.to_state(control), members, neighbours)
        return (self._rotated(members, good, key) if self.rotation else members), True

    def _rotated(self, members, good, key):
        """Members after one rotation for all columns, so that they stay in step."""
        turn = random_rotation(key, good)

        def rotated(leaf):
            mean, anomalies = split(leaf.reshape(leaf.shape[0], -1), good)
            return (mean[None] + turn @ anomalies).reshape(leaf.shape).astype(leaf.dtype)

        return self.control.to_state(jax.tree.map(rotated, self.control.to_control(members)))

    def _touched(self, new, old, neighbours):
        """New states in columns in reach of an observation, the old ones elsewhere."""
        touched = jnp.zeros(self._count(), bool).at[neighbours.column].set(True)

        def chosen(new, old):
            rows = old.reshape(old.shape[0], self._count(), -1)
            rows = jnp.where(touched[None, :, None], new.reshape(rows.shape), rows)
            return rows.reshape(old.shape)

        return jax.tree.map(chosen, new, old)

    def _count(self):
        """Number of columns; the whole state is one where there is no localisation."""
        return 1 if self.localisation is None else self.localisation.active.size

    def _columns(self, control, whitened, neighbours, good):
        """Control variables after the analysis of all columns in reach of an observation."""
        leaves, structure = jax.tree.flatten(control)
        rows = [leaf.reshape(leaf.shape[0], self._count(), -1) for leaf in leaves]
        names, blocks = self._names(control), self._blocks(control)
        unknown = sorted(set(dict(self.inflation.relaxations)) - set(names))
        if unknown:
            raise InputError(f"relaxations names {unknown[0]!r}; the fields are {', '.join(names)}")
        allowed = jnp.stack([self._allowed(kinds, whitened) for kinds, _ in blocks])

        def column(where, index, taper, group):
            tapers = taper[None] * allowed[:, index]
            groups = group[:, None] == 1 + jnp.arange(neighbours.groups)[None]
            weights = self._weights(whitened, index, tapers, groups, jnp.sum(good))
            moved = {}
            for (_, numbers), *parts in zip(blocks, *weights, strict=True):
                for i in numbers:
                    moved[i] = self._moved(rows[i][:, where], *parts, good, names[i])
            return moved

        moved = _over_columns(column, neighbours)
        for i, new in moved.items():
            new = jnp.swapaxes(new, 0, 1).astype(rows[i].dtype)
            leaves[i] = rows[i].at[:, neighbours.column].set(new).reshape(leaves[i].shape)
        return jax.tree.unflatten(structure, leaves)

    def _blocks(self, control):
        """Kinds of observations (None for all), and numbers of the leaves that they change."""
        if not self.updates:
            return [(None, range(len(jax.tree.leaves(control))))]
        named, blocks, names = dict(self.updates), {}, self._names(control)
        unknown = sorted({name for fields in named.values() for name in fields} - set(names))
        if unknown:
            raise InputError(f"updates names {unknown[0]!r}; the fields are {', '.join(names)}")
        for number, name in enumerate(names):
            kinds = tuple(i for i, kind in enumerate(KINDS) if name in named.get(kind, ()))
            blocks.setdefault(kinds, []).append(number)
        return [(kinds, numbers) for kinds, numbers in blocks.items() if kinds]

    def _names(self, control):
        """Names of the fields of a state; of a state without fields, empty ones."""
        paths = [path for path, _ in jax.tree.leaves_with_path(control)]
        return [jax.tree_util.keystr(path[-1:], simple=True) for path in paths]

    def _allowed(self, kinds, whitened):
        """Observations of some kinds, ``(p,)``: 1 for them and 0 for others."""
        if kinds is None:
            return jnp.ones_like(whitened.innovation)
        chosen = jnp.any(whitened.kind[:, None] == jnp.array(kinds)[None], axis=-1)
        return chosen.astype(whitened.innovation.dtype)

    def _moved(self, members, shift, transform, strength, good, field):
        """Members of one column after the analysis."""
        mean, anomalies = split(members, good)
        new = self.inflation.restore(transform.T @ anomalies, anomalies, strength, field)
        return (mean + shift @ anomalies)[None] + new

    def _weights(self, whitened, index, tapers, groups, members):
        """Weights w of the mean and W of the anomalies in one column, and the greatest taper.

        Each with the blocks first.
        """
        matrices, pulls = jax.vmap(self._normal_equations, in_axes=(None, None, 0, None))(
            whitened, index, tapers, groups
        )
        strength = jnp.max(tapers, axis=1)
        prior = 1 + (self.inflation.prior - 1) * strength
        values, vectors = jnp.linalg.eigh(matrices)
        gain = 1 / ((members - 1) / prior[:, None] + jnp.maximum(values, 0.0))
        shift = jnp.einsum("bij,bj,bkj,bk->bi", vectors, gain, vectors, pulls)
        root = jnp.sqrt((members - 1) * gain)
        return shift, jnp.einsum("bij,bj,bkj->bik", vectors, root, vectors), strength

    def _normal_equations(self, whitened, index, taper, groups):
        """Y'Y and Y'd of the local observations, with the shared errors taken out."""
        shared = self.shared_error * jnp.any(groups, axis=1)
        own = jnp.sqrt(taper / (1 - shared))
        anomalies = own[:, None] * whitened.anomalies[index]
        innovation = own * whitened.innovation[index]
        # The inverse of I + c c' for each group, with c the common error over the own one.
        common = groups * (jnp.sqrt(shared) * own)[:, None]
        known = 1 / (1 + jnp.sum(common**2, axis=0))
        common_anomalies = common.T @ anomalies
        precision = anomalies.T @ anomalies - common_anomalies.T @ (
            known[:, None] * common_anomalies
        )
        pull = anomalies.T @ innovation - common_anomalies.T @ (known * (common.T @ innovation))
        return precision, pull


def _over_columns(function, neighbours):
    """Map a function over the columns, `CHUNK` of them at a time."""
    local = (neighbours.column, neighbours.index, jnp.asarray(neighbours.taper), neighbours.group)
    count = neighbours.column.shape[0]
    chunks = -(-count // CHUNK)
    size = -(-count // chunks)
    # All chunks are of one size, the last filled up with the first column, and go through one
    # loop. Two batches of eigenvalue problems at once, as of a remainder beside the loop, can
    # block all threads of XLA on the CPU for ever: each waits for a free one.
    filled = np.concatenate([np.arange(count), np.zeros(chunks * size - count, int)])

    def chunk(numbers):
        return jax.vmap(function)(*(jnp.asarray(part)[numbers] for part in local))

    found = jax.lax.map(chunk, jnp.asarray(filled.reshape(chunks, size)))
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:count], found)
