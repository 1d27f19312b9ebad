"""Background error covariances, each known by its square root.

A covariance is ``B = U U'`` over increments, pytrees like the control variables of a state. Its
square root U takes a control vector, a pytree of its own whose prior is standard normal, to an
increment. The transpose is the exact one, made by JAX.
"""

import abc
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, PyTree

from floecast.core.ensemble import healthy
from floecast.core.errors import InputError

from .localisation import GaspariCohn
from .modulation import AbstractLocalisationRoot, EigenRoot


class AbstractCovariance(eqx.Module):
    """Covariance of increments by its square root."""

    @abc.abstractmethod
    def zero(self):
        """Control vector of zeros."""

    @abc.abstractmethod
    def root(self, control):
        """Increment ``U control``; linear.

        Parameters
        ----------
        control : pytree
            Like `zero`; a standard normal draw gives an increment of covariance B.

        Returns
        -------
        pytree
            Increment of the control variables, in their units.
        """

    @abc.abstractmethod
    def variance(self):
        """Diagonal of B, a pytree like the increment."""

    def around(self, ensemble):
        """The covariance for a background ensemble, here itself.

        Parameters
        ----------
        ensemble : pytree
            Members in control variables, ``(member, ...)``; those that are not finite are left
            out.

        Returns
        -------
        AbstractCovariance
        """
        return self

    def transpose(self, increment):
        """Control vector ``U' increment``."""
        return jax.linear_transpose(self.root, self.zero())(increment)[0]

    def apply(self, increment):
        """``B increment``."""
        return self.root(self.transpose(increment))

    def draw(self, key):
        """A random increment."""
        flat, unflatten = self.flat(self.zero())
        return self.root(unflatten(jax.random.normal(key, flat.shape, flat.dtype)))

    def flat(self, control):
        """A control vector as one array, and the way back."""
        return ravel_pytree(control)


class MatrixCovariance(AbstractCovariance):
    """Covariance of a state that is one array, by a dense square root.

    Parameters
    ----------
    matrix : (n, m) array
        U, with n the size of the state.
    shape : tuple of int, optional
        Of the state; ``(n,)`` if left out.
    """

    matrix: Float[Array, "n m"]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, matrix, shape=None):
        self.matrix = jnp.asarray(matrix)
        if self.matrix.ndim != 2:
            raise InputError(f"a square root is a matrix, not of shape {self.matrix.shape}")
        self.shape = (self.matrix.shape[0],) if shape is None else tuple(shape)
        if int(np.prod(self.shape)) != self.matrix.shape[0]:
            raise InputError(f"a root of {self.matrix.shape[0]} rows is not for shape {self.shape}")

    @classmethod
    def of(cls, covariance):
        """From a positive semi-definite matrix ``(n, n)``, by its symmetric root."""
        values, vectors = np.linalg.eigh(np.asarray(covariance, float))
        if values[0] < -1e-10 * abs(values[-1]):
            raise InputError(f"the covariance has the eigenvalue {values[0]:g}, below 0")
        return cls(vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T)

    def zero(self):
        """``(m,)``."""
        return jnp.zeros(self.matrix.shape[1], self.matrix.dtype)

    def root(self, control):
        """Matrix times vector."""
        return (self.matrix @ control).reshape(self.shape)

    def variance(self):
        """Row sums of squares."""
        return jnp.sum(self.matrix**2, axis=1).reshape(self.shape)


class EnsembleCovariance(AbstractCovariance):
    """Sample covariance of an ensemble, tapered in space and between blocks of variables.

    Parameters
    ----------
    ensemble : pytree
        Members in control variables, ``(member, *columns, ...)``. Those that are not finite are
        left out.
    localisation : AbstractLocalisationRoot or mapping of int to it, optional
        Root of the taper L over the columns, for all blocks or for each; none taken as ``L = 1``.
    blocks : pytree of int, optional
        Number of the block of each field of the state. Fields of different blocks have errors
        that are not correlated. All are of one block if left out.
    inflation : float
        Factor on the covariance.

    Raises
    ------
    InputError
        If a field does not have the columns of the localisation.

    Notes
    -----
    With x_k' the anomalies and one control a_k for each member (and block)
    ``U a = sum_k x_k' / sqrt(N - 1) o (L^(1/2) a_k)``, so that ``B = P o L``.

    References
    ----------
    Buehner, M. (2005). Ensemble-derived stationary and flow-dependent background-error
    covariances: evaluation in a quasi-operational NWP setting. Q. J. R. Meteorol. Soc., 131,
    1013-1043.
    """

    anomalies: PyTree
    good: Bool[Array, " member"]
    localisation: AbstractLocalisationRoot | dict[int, AbstractLocalisationRoot] | None
    blocks: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, ensemble, localisation=None, blocks=None, inflation=1.0):
        self.good = good = healthy(ensemble)
        count = jnp.sum(good)
        scale = jnp.sqrt(inflation / jnp.maximum(count - 1, 1))
        fields = len(jax.tree.leaves(ensemble))
        self.blocks = (0,) * fields if blocks is None else tuple(jax.tree.leaves(blocks))
        if len(self.blocks) != fields:
            raise InputError(f"{len(self.blocks)} block numbers for {fields} fields of the state")
        if isinstance(localisation, dict) and set(localisation) != set(self.blocks):
            raise InputError(
                f"localisations are given for the blocks {sorted(localisation)}; the blocks are "
                f"{sorted({*self.blocks})}"
            )
        self.localisation = localisation

        def about_mean(leaf, block):
            root = self.taper(block)
            columns = () if root is None else root.columns
            if leaf.shape[1 : 1 + len(columns)] != columns:
                raise InputError(
                    f"a field of the ensemble has shape {leaf.shape}; expected the members and "
                    f"then the columns {columns} of the localisation"
                )
            flags = good.reshape(-1, *(1,) * (leaf.ndim - 1))
            members = jnp.where(flags, leaf, 0)
            mean = jnp.sum(members, axis=0, keepdims=True) / jnp.maximum(count, 1)
            return jnp.where(flags, members - mean, 0) * scale.astype(leaf.dtype)

        leaves, structure = jax.tree.flatten(ensemble)
        self.anomalies = jax.tree.unflatten(structure, list(map(about_mean, leaves, self.blocks)))

    def taper(self, block):
        """Root of the localisation of a block.

        Parameters
        ----------
        block : int
            As in `blocks`.

        Returns
        -------
        AbstractLocalisationRoot or None
        """
        given = self.localisation
        return given[block] if isinstance(given, dict) else given

    def zero(self):
        """For each block ``(member, ...)``, the latter the control of the localisation."""
        leaf = jax.tree.leaves(self.anomalies)[0]

        def zeros(block):
            root = self.taper(block)
            inner = () if root is None else (root.rank,)
            return jnp.zeros((leaf.shape[0], *inner), leaf.dtype)

        return {block: zeros(block) for block in sorted({*self.blocks})}

    def root(self, control):
        """Anomalies times one field each."""

        def tapered(block, weights):
            root = self.taper(block)
            return weights if root is None else jax.vmap(root.apply)(weights)

        control = {block: tapered(block, weights) for block, weights in control.items()}

        def increment(leaf, block):
            weight = control[block].astype(leaf.dtype)
            weight = weight.reshape(*weight.shape, *(1,) * (leaf.ndim - weight.ndim))
            return jnp.sum(leaf * weight, axis=0)

        leaves, structure = jax.tree.flatten(self.anomalies)
        made = [increment(leaf, block) for leaf, block in zip(leaves, self.blocks, strict=True)]
        return jax.tree.unflatten(structure, made)

    def variance(self):
        """That of the sample; 0 where the localisation has no column."""

        def of(leaf, block):
            square, root = jnp.sum(leaf**2, axis=0), self.taper(block)
            if root is None:
                return square
            taper = jnp.sum(root.modes() ** 2, axis=0).astype(leaf.dtype)
            return square * taper.reshape(*taper.shape, *(1,) * (square.ndim - taper.ndim))

        leaves, structure = jax.tree.flatten(self.anomalies)
        return jax.tree.unflatten(structure, list(map(of, leaves, self.blocks)))


class SumCovariance(AbstractCovariance):
    """Weighted sum of covariances of the same increments.

    Parameters
    ----------
    parts : sequence of AbstractCovariance
    weights : sequence of float
        Factors on the covariances.
    """

    parts: tuple[AbstractCovariance, ...] = eqx.field(converter=tuple)
    weights: tuple[float, ...] = eqx.field(converter=tuple)

    def zero(self):
        """One control vector for each part."""
        return tuple(part.zero() for part in self.parts)

    def root(self, control):
        """Sum of the parts, each times the root of its weight."""
        return self._sum(
            (part.root(own) for part, own in zip(self.parts, control, strict=True)), jnp.sqrt
        )

    def variance(self):
        """Weighted sum."""
        return self._sum((part.variance() for part in self.parts), lambda weight: weight)

    def _sum(self, fields, factor):
        total = None
        for field, weight in zip(fields, self.weights, strict=True):
            scaled = jax.tree.map(lambda leaf, w=weight: leaf * factor(w).astype(leaf.dtype), field)
            total = scaled if total is None else jax.tree.map(jnp.add, total, scaled)
        return total


class HybridCovariance(AbstractCovariance):
    """Static covariance and localised ensemble covariance, weighted.

    Parameters
    ----------
    static : AbstractCovariance, optional
        Without it the ensemble alone counts.
    ensemble : pytree, optional
        Members in control variables, ``(member, ...)``. Left out, they are those that an analysis
        is given.
    localisation : AbstractLocalisationRoot, GaspariCohn or mapping of int to either, optional
        Of the ensemble part, for all its blocks or for each. A `GaspariCohn` is turned into an
        `EigenRoot`, which holds a matrix over all columns; for large grids there is
        `SeparableRoot`.
    weight : float
        Share of the ensemble part in the covariance, in [0, 1]; the static one has the rest. It is
        1 without a static part.
    static_weight : float, optional
        That of the static part, where the two do not sum to 1.
    blocks, inflation
        As in `EnsembleCovariance`.

    Raises
    ------
    InputError
        If the weight is outside [0, 1]; on use, if there is no ensemble.

    References
    ----------
    Hamill, T. M., and Snyder, C. (2000). A hybrid ensemble Kalman filter-3D variational analysis
    scheme. Mon. Weather Rev., 128, 2905-2919.
    """

    static: AbstractCovariance | None = None
    ensemble: PyTree = None
    localisation: AbstractLocalisationRoot | dict[int, AbstractLocalisationRoot] | None = eqx.field(
        default=None, converter=lambda given: _roots(given)
    )
    weight: float = 0.5
    static_weight: float | None = None
    blocks: Any = eqx.field(static=True, default=None)
    inflation: float = 1.0

    def __check_init__(self):
        if isinstance(self.weight, float | int) and not 0 <= self.weight <= 1:
            raise InputError(f"the weight of the ensemble must be in [0, 1], not {self.weight}")

    def around(self, ensemble):
        """The sum of both parts, with the ensemble handed in unless this has its own.

        Parameters
        ----------
        ensemble : pytree or None
            As in `AbstractCovariance.around`.

        Returns
        -------
        AbstractCovariance

        Raises
        ------
        InputError
            If there is no ensemble.
        """
        ensemble = ensemble if self.ensemble is None else self.ensemble
        if ensemble is None:
            raise InputError("a hybrid covariance needs an ensemble; pass ensemble=")
        sample = EnsembleCovariance(ensemble, self.localisation, self.blocks, self.inflation)
        if self.static is None:
            return sample
        static_weight = 1 - self.weight if self.static_weight is None else self.static_weight
        weights = (jnp.asarray(static_weight), jnp.asarray(self.weight))
        return SumCovariance((self.static, sample), weights)

    def zero(self):
        """Control vectors of both parts."""
        return self.around(None).zero()

    def root(self, control):
        """Sum of both parts."""
        return self.around(None).root(control)

    def variance(self):
        """Weighted sum of both."""
        return self.around(None).variance()


def _roots(given):
    """Roots of the tapers among some localisations."""
    if isinstance(given, Mapping):
        return {block: _roots(one) for block, one in given.items()}
    return EigenRoot.of_taper(given) if isinstance(given, GaspariCohn) else given


def need_same_shape(free, covariance):
    """Refuse a covariance of other increments than those of control variables."""
    made = jax.eval_shape(covariance.root, covariance.zero())
    shapes = [[leaf.shape for leaf in jax.tree.leaves(tree)] for tree in (free, made)]
    if shapes[0] != shapes[1]:
        raise InputError(
            f"the background has fields of shape {shapes[0]} and the covariance of {shapes[1]}; "
            "they must be those of one state"
        )
