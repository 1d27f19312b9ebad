"""Advection of amounts per area, and of ratios to them, on any mesh of cells and faces."""

import abc
from math import ceil

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

MAX_SPEED = 1.5
"""Bound of each component of the ice velocity [m/s]; see `limit_speed`."""

LEAST_AMOUNT = 1e-15
"""Amount per area below which no ratio to it is formed [m, for a volume]."""


def limit_speed(component):
    """Velocity component held below `MAX_SPEED` by a smooth function.

    Parameters
    ----------
    component : array
        [m/s]

    Returns
    -------
    array
        ``c / (1 + (c / MAX_SPEED)^8)^(1/8)``: less than 1e-4 away from `component` up to 0.6 m/s,
        which ice seldom exceeds.
    """
    return component * (1.0 + (component / MAX_SPEED) ** 8) ** -0.125


class Mesh(eqx.Module):
    """Cells and the faces between them: what a conservative scheme needs to know of a grid.

    Face ``(j, i)`` of u is the east face of cell ``(j, i)``, that of v its north face. No flux
    crosses the outer faces of the arrays.

    Parameters
    ----------
    area : (y, x) array
        Of the cells [m2].
    length_u, length_v : (y, x) array
        Of the faces [m].
    open_u, open_v : (y, x) bool array
        True at faces between two cells of the mesh.
    mask : (y, x) bool array
        True at cells of the mesh; what stands elsewhere is not read.
    """

    area: Float[Array, "y x"]
    length_u: Float[Array, "y x"]
    length_v: Float[Array, "y x"]
    open_u: Bool[Array, "y x"]
    open_v: Bool[Array, "y x"]
    mask: Bool[Array, "y x"]

    @classmethod
    def of(cls, grid):
        """The T cells of a grid."""
        return cls(grid.area, grid.dx_u, grid.dx_v, grid.mask_u, grid.mask_v, grid.mask_t)


def count_substeps(mesh, dt):
    """Substeps in which no cell can give away more than it holds.

    Parameters
    ----------
    mesh : Mesh
        With NumPy arrays: the number is fixed before compilation.
    dt : float
        [s]

    Returns
    -------
    int
        Enough for flow out of all four sides of a cell at `MAX_SPEED`. Upwind weights then are
        not negative; smooth flow has half that Courant number at most, 0.5 summed over both
        directions, where `WENO` with its three stages is stable too (up to about 1.4).
    """
    length_u = np.where(mesh.open_u, mesh.length_u, 0.0)
    length_v = np.where(mesh.open_v, mesh.length_v, 0.0)
    sides = length_u + np.roll(length_u, 1, axis=1) + length_v + np.roll(length_v, 1, axis=0)
    return max(1, ceil(1.001 * MAX_SPEED * dt * np.max(sides / mesh.area)))


class Flow(eqx.Module):
    """What one substep of a steady flow moves through the faces of a mesh.

    Parameters
    ----------
    swept_x : (1, y, x + 1) array
        Area that passes the faces between the columns, the two outer ones included, positive to
        the east [m2]; 0 at closed faces.
    swept_y : (1, y + 1, x) array
        The same between the rows, positive to the north.
    keep : (1, y, x) array
        Fraction of each cell that stays [1].
    area : (1, y, x) array
        Of the cells [m2].
    """

    swept_x: Float[Array, "1 y x1"]
    swept_y: Float[Array, "1 y1 x"]
    keep: Float[Array, "1 y x"]
    area: Float[Array, "1 y x"]

    @classmethod
    def of(cls, u, v, mesh, time):
        """Flow with components below `MAX_SPEED` [m/s], over `time` [s]."""
        swept_x = jnp.where(mesh.open_u, u * mesh.length_u * time, 0.0)
        swept_y = jnp.where(mesh.open_v, v * mesh.length_v * time, 0.0)
        swept_x = jnp.pad(swept_x, ((0, 0), (1, 0)))[None]
        swept_y = jnp.pad(swept_y, ((1, 0), (0, 0)))[None]
        leaving, area = outgoing(_parts(swept_x), _parts(swept_y)), jnp.asarray(mesh.area)[None]
        return cls(swept_x, swept_y, 1.0 - leaving / area, area)

    def upwind(self, amounts):
        """Amounts after a first-order substep."""
        area, wide = self.area, pad(amounts, 1)
        east, west = _parts(self.swept_x)
        north, south = _parts(self.swept_y)
        return (
            self.keep * amounts
            + east[..., :-1] / area * wide[:, 1:-1, :-2]
            + west[..., 1:] / area * wide[:, 1:-1, 2:]
            + north[:, :-1] / area * wide[:, :-2, 1:-1]
            + south[:, 1:] / area * wide[:, 2:, 1:-1]
        )

    def donor_x(self, wide):
        """Value that each face between columns takes from, of an array padded by 1."""
        return jnp.where(self.swept_x > 0, wide[..., 1:-1, :-1], wide[..., 1:-1, 1:])

    def donor_y(self, wide):
        """Value that each face between rows takes from, of an array padded by 1."""
        return jnp.where(self.swept_y > 0, wide[..., :-1, 1:-1], wide[..., 1:, 1:-1])

    def gain(self, flux_x, flux_y):
        """What fluxes through the faces bring, per area of the cells."""
        loss = flux_x[..., 1:] - flux_x[..., :-1] + flux_y[..., 1:, :] - flux_y[..., :-1, :]
        return -loss / self.area


class AbstractScheme(eqx.Module):
    """How amounts are carried with a flow."""

    def carry(
        self, amounts, ratios, u, v, mesh, dt, substeps, *, base=0, defaults=None, constrain=None
    ):
        """Carry amounts per area, and ratios to one of them, with a steady flow.

        Parameters
        ----------
        amounts : (n, y, x) array
            Per area of the cell, not negative; first the one that others go with, as volumes go
            with the ice's area.
        ratios : (m, y, x) array
            Of something to the amount number `base`; m may be 0.
        u, v : (y, x) array
            At the faces, components below `MAX_SPEED` [m/s].
        mesh : Mesh
        dt : float
            [s]
        substeps : int
            From `count_substeps`.
        base : int
            Number of the amount that the ratios belong to.
        defaults : array that broadcasts to (m, y, x), optional
            What the ratios are where less than `LEAST_AMOUNT` of that amount is left; their
            value before the step if left out.
        constrain : callable, optional
            Applied to the amounts after each substep.

        Returns
        -------
        amounts : (n, y, x) array
            Not negative; 0 outside the mesh. Their sums times area are kept to round-off, and
            their ratios to the first one get no new extremes.
        ratios : (m, y, x) array
            Without new extremes either. The sums of ratio times amount times area are kept.
        """
        flow = Flow.of(u, v, mesh, dt / substeps)
        faces = self.faces(flow, mesh)
        amounts = jnp.where(mesh.mask[None], amounts, 0.0)
        defaults = jnp.broadcast_to(ratios if defaults is None else defaults, ratios.shape)
        ratios = jnp.where(mesh.mask[None], ratios, 0.0)
        within = jnp.where(mesh.mask[None], defaults, 0.0)

        def substep(_, carried):
            amounts, contents = self.advance(*carried, within, flow, faces, base)
            return (amounts if constrain is None else constrain(amounts)), contents

        carried = amounts, ratios * amounts[base][None]
        if substeps == 1:
            amounts, contents = substep(0, carried)
        else:
            amounts, contents = jax.lax.fori_loop(0, substeps, substep, carried)
        return amounts, ratio_of(contents, amounts[base][None], defaults)

    @abc.abstractmethod
    def faces(self, flow, mesh):
        """What all substeps need to know of the faces beside the `Flow` through them."""

    @abc.abstractmethod
    def advance(self, amounts, contents, defaults, flow, faces, base):
        """Carry over one substep.

        Parameters
        ----------
        amounts : (n, y, x) array
        contents : (m, y, x) array
            Ratio times amount number `base`.
        defaults : (m, y, x) array
            Ratios where there is none of it.
        flow : Flow
        faces : pytree
            From `faces`.
        base : int

        Returns
        -------
        amounts : (n, y, x) array
        contents : (m, y, x) array
        """


class Upwind(AbstractScheme):
    """First-order donor cell in flux form, forward in time, both directions at once.

    Each new value is a sum of old ones with weights that are not negative, so that amounts stay
    positive and the ratio of *any* two of them stays between its old extremes. Cheap and very
    diffusive.
    """

    def faces(self, flow, mesh):
        """See `AbstractScheme.faces`: nothing."""
        return None

    def advance(self, amounts, contents, defaults, flow, faces, base):
        """See `AbstractScheme.advance`."""
        del defaults, faces, base
        return flow.upwind(amounts), flow.upwind(contents)


def ratio_of(contents, amount, default):
    """Contents per amount; the default where there is less than `LEAST_AMOUNT`."""
    full = amount > LEAST_AMOUNT
    return jnp.where(full, contents / jnp.where(full, amount, 1.0), default)


def _parts(swept):
    """What goes to the higher and what to the lower index, both not negative."""
    return jnp.maximum(swept, 0.0), jnp.maximum(-swept, 0.0)


def outgoing(along_x, along_y):
    """What leaves each cell, from the parts that go up and down through its faces."""
    (east, west), (north, south) = along_x, along_y
    return east[..., 1:] + west[..., :-1] + north[..., 1:, :] + south[..., :-1, :]


def pad(field, width):
    """Rows and columns of zeros around the last two axes."""
    # Slices of a padded array compile into much faster loops than rolled arrays do.
    return jnp.pad(field, [(0, 0)] * (field.ndim - 2) + [(width, width)] * 2)
