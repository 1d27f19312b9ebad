"""Square roots of a localisation, and ensembles modulated by them.

With ``L = sum_j l_j l_j'`` a localisation and ``x_k`` the anomalies of an ensemble, the products
``x_k * l_j`` are the columns of a square root of the localised covariance: their mean outer
product is the Schur product of the covariance of the ensemble with L. One root serves a
variational analysis and the update of the ensemble around it, so that both see one localisation.
"""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from floecast.core.errors import InputError

from .localisation import gaspari_cohn


class AbstractLocalisationRoot(eqx.Module):
    """Square root of a localisation with ones on the diagonal, the same for all variables.

    Attributes
    ----------
    columns : tuple of int
        Shape of the columns of the state.
    rank : int
        Number of weights.
    """

    columns: eqx.AbstractVar[tuple]
    rank: eqx.AbstractVar[int]

    @abc.abstractmethod
    def apply(self, weights):
        """Field of some weights: the root times them.

        Parameters
        ----------
        weights : (rank,) array
            [1]

        Returns
        -------
        (*columns) array
            [1]
        """

    def modes(self):
        """Columns of the root, ``(rank, *columns)``."""
        return jax.vmap(self.apply)(jnp.eye(self.rank))

    def modulate(self, anomalies):
        """Products of every anomaly with every column of the root.

        Parameters
        ----------
        anomalies : pytree
            Leaves ``(member, *columns, ...)``.

        Returns
        -------
        pytree
            Leaves ``(member * rank, *columns, ...)``, the modes of a member one after another.
        """
        modes = self.modes()

        def product(leaf):
            field = modes.reshape(1, *modes.shape, *_ones(leaf, modes.ndim)).astype(leaf.dtype)
            every = leaf[:, None] * field
            return every.reshape(-1, *leaf.shape[1:])

        return jax.tree.map(product, anomalies)

    def combine(self, anomalies, weights):
        """Sum of the modulated anomalies times weights, without making them.

        Parameters
        ----------
        anomalies : pytree
            Leaves ``(member, *columns, ...)``.
        weights : (member, rank) array

        Returns
        -------
        pytree
            Leaves ``(*columns, ...)``; linear in the weights, so that `jax.linear_transpose` and
            `jax.vjp` give the adjoint.
        """
        fields = jax.vmap(self.apply)(weights)

        def combined(leaf):
            field = fields.reshape(*fields.shape, *_ones(leaf, fields.ndim)).astype(leaf.dtype)
            return jnp.sum(leaf * field, axis=0)

        return jax.tree.map(combined, anomalies)


class EigenRoot(AbstractLocalisationRoot):
    """Leading eigenvectors of a taper, for columns that are not too many to hold their matrix.

    Parameters
    ----------
    vectors : (..., rank) array
        Scaled so that their squares sum to 1 in each column [1].
    """

    vectors: Float[Array, "*columns rank"]

    @property
    def columns(self):
        """Shape of the columns."""
        return self.vectors.shape[:-1]

    @property
    def rank(self):
        """Number of eigenvectors kept."""
        return self.vectors.shape[-1]

    def apply(self, weights):
        """Sum of the eigenvectors times weights."""
        return self.vectors @ weights

    @classmethod
    def of_taper(cls, localisation, kept=0.99):
        """Root of the taper between the columns of a localisation.

        Parameters
        ----------
        localisation : GaspariCohn
            With one half-width for all kinds; the fields of columns that are not active are 0.
        kept : float
            Share in (0, 1] of the trace that the eigenvectors explain at least.

        Returns
        -------
        EigenRoot

        Raises
        ------
        InputError
            If `kept` is outside (0, 1] or there are several half-widths.
        """
        if localisation.half_width.ndim:
            raise InputError("the root of a localisation needs one half-width for all kinds")
        active = localisation.active.ravel()
        places = localisation.positions.reshape(active.size, -1)[active]
        separation = np.stack([axis[:, None] - axis[None] for axis in places.T], -1)
        vectors = _root(separation, float(localisation.half_width), localisation.period, kept)
        every = np.zeros((active.size, vectors.shape[1]))
        every[active] = vectors
        return cls(jnp.asarray(every.reshape(*localisation.columns, -1)))


class SeparableRoot(AbstractLocalisationRoot):
    """Product of a taper along y and one along x, for grids whose columns are many.

    Parameters
    ----------
    along_y, along_x : (y, ry) array, (x, rx) array
        Roots of the tapers along each axis [1].
    active : (y, x) array
        1 where the state may change, 0 elsewhere [1].
    """

    along_y: Float[Array, "y ry"]
    along_x: Float[Array, "x rx"]
    active: Float[Array, "y x"]

    @property
    def columns(self):
        """Shape of the columns."""
        return self.active.shape

    @property
    def rank(self):
        """Product of the numbers of eigenvectors along both axes."""
        return self.along_y.shape[1] * self.along_x.shape[1]

    def apply(self, weights):
        """Field of weights ``(ry * rx,)``, x fastest."""
        square = weights.reshape(self.along_y.shape[1], self.along_x.shape[1])
        return self.active * (self.along_y @ square @ self.along_x.T)

    @classmethod
    def on_grid(cls, grid, half_width, kept=0.95):
        """For the columns of a grid, with distances on its projected plane.

        Parameters
        ----------
        grid : Grid
        half_width : float
            Half-width c along each axis [m]. Corners are nearer than in a round taper: at the
            same c along both axes the taper is the product of the two.
        kept : float
            Share in (0, 1] of the trace that the eigenvectors along each axis explain at least.

        Returns
        -------
        SeparableRoot
            Fields are 0 on land.

        Raises
        ------
        InputError
            If `kept` is outside (0, 1] or the half-width not positive.
        """
        if not half_width > 0:
            raise InputError(f"localisation half-width must be positive, not {half_width}")
        along = [
            jnp.asarray(_root((axis[:, None] - axis[None])[..., None], half_width, None, kept))
            for axis in (np.asarray(grid.y, float), np.asarray(grid.x, float))
        ]
        return cls(*along, jnp.asarray(grid.mask_t, float))


def _root(separation, half_width, period, kept):
    """Leading eigenvectors of a taper times the roots of their eigenvalues, rows of norm 1."""
    if not 0 < kept <= 1:
        raise InputError(f"the share of the taper to keep must be in (0, 1], not {kept}")
    if period is not None:
        separation = separation - period * np.round(separation / period)
    taper = np.asarray(gaspari_cohn(np.sqrt((separation**2).sum(axis=-1)) / half_width))
    values, vectors = np.linalg.eigh(taper)
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    share = np.cumsum(values) / values.sum()
    rank = min(int(np.searchsorted(share, kept * (1 - 1e-12))) + 1, values.size)
    root = vectors[:, :rank] * np.sqrt(values[:rank])
    # What is cut off would take variance away; the correlation is kept a correlation.
    return root / np.sqrt((root**2).sum(axis=1, keepdims=True))


def _ones(leaf, axes):
    """Axes of length 1 for what of a leaf belongs to its columns."""
    return (1,) * (leaf.ndim - axes)
