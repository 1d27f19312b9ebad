"""Static covariance by diffusion on the grid: smooth, and never across land."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.operators import divergence, gradient

from .covariance import AbstractCovariance

REACH = 6.0
"""Distance over the correlation length from which two cells are taken as unrelated."""


class DiffusionCovariance(AbstractCovariance):
    """Errors with standard deviations of their own and correlations made by diffusion.

    Parameters
    ----------
    grid : Grid
    std : pytree
        Like the control variables: fields ``(y, x)`` or numbers, the standard deviation of each
        [unit of the control variable]. A plain 0 leaves a variable without errors and without
        controls.
    length : float
        Length L of the correlation ``exp(-r**2 / (2 L**2))`` far from coasts [m].
    balance : (active, active) array, optional
        Root of the correlation [1] between the variables that have errors, in their order, such as
        a lower triangular matrix of regressions. Rows are scaled to length 1, so that `std` stays
        the standard deviation. Without it the variables are independent.

    Raises
    ------
    InputError
        If the length is not positive, no variable has errors, a standard deviation is negative, or
        the balance has another shape or a row of zeros.

    Notes
    -----
    The root is ``U = S (balance) N D^n W^(-1/2)`` with W the area of the cells, D one explicit step
    of the heat equation without flux through coasts, n steps that add up to the time L^2 / 4, and
    N what makes the variance 1 in every cell. D is self-adjoint in the inner product with W and
    its steps are short enough to keep a positive field positive, so ``U U'`` is a correlation.
    N is found with the response to unit sources, many at once on a lattice wide enough that their
    responses do not meet.

    References
    ----------
    Weaver, A., and Courtier, P. (2001). Correlation modelling on the sphere using a generalized
    diffusion equation. Q. J. R. Meteorol. Soc., 127, 1815-1846.
    """

    grid: Grid
    std: tuple[Float[Array, "y x"], ...]
    balance: Float[Array, "active active"] | None
    normalisation: Float[Array, "y x"]
    length: float = eqx.field(static=True)
    steps: int = eqx.field(static=True)
    active: tuple[bool, ...] = eqx.field(static=True)
    structure: PyTree = eqx.field(static=True)

    def __init__(self, grid, std, length, balance=None):
        if not length > 0:
            raise InputError(f"correlation length must be positive, not {length}")
        leaves, self.structure = jax.tree.flatten(std)
        self.active = tuple(bool(np.ndim(leaf) or leaf != 0) for leaf in leaves)
        if not any(self.active):
            raise InputError("no variable has errors: all standard deviations are 0")
        fields = [leaf for leaf, on in zip(leaves, self.active, strict=True) if on]
        if any(np.min(field) < 0 for field in fields):
            raise InputError("a standard deviation is negative")
        ocean = np.asarray(grid.mask_t)
        self.std = tuple(jnp.asarray(np.where(ocean, field, 0.0)) for field in fields)
        self.balance = None if balance is None else _unit_rows(balance, len(fields))
        self.grid, self.length = grid, float(length)
        self.steps = max(1, int(np.ceil(2 * (length / np.min(grid.dx_t)) ** 2)))
        self.normalisation = jnp.ones(grid.shape)
        variance = self._response_at_source()
        scale = np.where(ocean, 1 / np.sqrt(np.where(ocean, variance, 1.0)), 0.0)
        self.normalisation = jnp.asarray(scale)

    def zero(self):
        """One field for each variable that has errors, ``(active, y, x)``."""
        return jnp.zeros((len(self.std), *self.grid.shape))

    def root(self, control):
        """Increment with zeros for variables without errors."""
        rough = control / jnp.sqrt(jnp.asarray(self.grid.area, control.dtype))[None]
        smooth = jax.vmap(lambda field: self.normalisation * self._diffused(field, self.steps))(
            rough
        )
        if self.balance is not None:
            smooth = jnp.einsum("ij,jyx->iyx", self.balance, smooth)
        return self._increment([std * field for std, field in zip(self.std, smooth, strict=True)])

    def variance(self):
        """Squares of the standard deviations."""
        return self._increment([std**2 for std in self.std])

    def _increment(self, fields):
        fields, none = iter(fields), jnp.zeros(self.grid.shape)
        return jax.tree.unflatten(
            self.structure, [next(fields) if on else none for on in self.active]
        )

    def _diffused(self, field, steps):
        """Field after some steps of the heat equation."""
        share = self.length**2 / (4 * self.steps)

        def step(field, _):
            return field + share * divergence(*gradient(field, self.grid), self.grid), None

        return jax.lax.scan(step, jnp.where(self.grid.mask_t, field, 0.0), None, length=steps)[0]

    def _response_at_source(self):
        """Diagonal of ``D^2n W^(-1)``, the variance before normalisation, ``(y, x)``."""
        ny, nx = self.grid.shape
        apart = int(np.ceil(REACH * self.length / np.min(self.grid.dx_t))) + 1
        rows, columns = min(apart, ny), min(apart, nx)
        row, column = np.arange(ny)[:, None] % rows, np.arange(nx)[None] % columns
        area = jnp.asarray(self.grid.area)

        def respond(source):
            return self._diffused(source / area, 2 * self.steps)

        @jax.jit
        def of_offset(offset):
            source = (row == offset // columns) & (column == offset % columns)
            return jnp.where(source, respond(source.astype(area.dtype)), 0.0)

        every = jax.lax.map(of_offset, jnp.arange(rows * columns), batch_size=16)
        return np.asarray(jnp.sum(every, axis=0))


def _unit_rows(balance, count):
    balance = np.asarray(balance, float)
    if balance.shape != (count, count):
        raise InputError(
            f"the balance has shape {balance.shape}; expected {count} variables with errors"
        )
    size = np.sqrt((balance**2).sum(axis=1, keepdims=True))
    if not (size > 0).all():
        raise InputError("a row of the balance is zero: that variable would have no errors")
    return jnp.asarray(balance / size)
