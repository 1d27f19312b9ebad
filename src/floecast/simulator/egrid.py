"""The E grid of brittle rheologies: two C grids, one shifted by half a cell into the other.

The first C grid is that of the tracers, with stress at T, its shear stress at F, and velocity u at
U, v at V. The second is centred on F: its stress is at F, its shear stress at T, its velocity u at
V and v at U. So all three components of stress exist at every T and F, and both components of
velocity at every U and V (Brodeau et al. 2024, doi:10.5194/gmd-17-6051-2024).

Inside, velocity is divided by the relative side of a cell, ``e = dx / spacing``, and stress
multiplied by ``e^2``. With that the curvilinear strain rate needs a metric in its divergence only,
its exact adjoint likewise, and the area-weighted mean of a stress is a plain mean.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


class Frame(eqx.Module):
    """Fields as vectors, rows laid end to end, with land before the first row and after the last.

    Parameters
    ----------
    rows, columns : int
        Of the frame: one more than the grid, with a row and a column of land in the south and
        west, so that F points lie on every coast. The western column parts each row from the next.

    Notes
    -----
    A neighbour is then a shifted slice of a vector, which XLA turns into contiguous vector loads.
    Each stage of a kernel that looks at neighbours gives a vector shorter by one `stride` at both
    ends; `pad` has room for six such stages.
    """

    rows: int = eqx.field(static=True)
    columns: int = eqx.field(static=True)

    @property
    def stride(self):
        """Elements from a point to its north-eastern neighbour."""
        return self.columns + 1

    @property
    def pad(self):
        """Elements of land at either end."""
        return 6 * self.stride

    @property
    def size(self):
        """Elements of a whole vector."""
        return self.rows * self.columns + 2 * self.pad

    def flatten(self, field, fill=0.0):
        """Vector of a field: ``(ny, nx)`` at T, U or V points, ``(ny + 1, nx + 1)`` at F points.

        Corner (j, i) of an array at F points is the south-western one of the cell (j, i).
        """
        if field.shape != (self.rows, self.columns):
            field = jnp.pad(field, ((1, 0), (1, 0)), constant_values=fill)
        return jnp.pad(field.ravel(), self.pad, constant_values=fill)

    def widen(self, vector, fill=0.0):
        """A vector shortened by stages, whole again."""
        return jnp.pad(vector, (self.size - vector.shape[0]) // 2, constant_values=fill)

    def renew(self, vector, inner):
        """A whole vector with new values, but for its ends, which have no derivative."""
        start = (self.size - inner.shape[0]) // 2
        return jax.lax.dynamic_update_slice(jax.lax.stop_gradient(vector), inner, (start,))

    def corners(self, vector):
        """Field at F points, ``(ny + 1, nx + 1)``, of a vector."""
        return self.take(vector, self.pad).reshape(self.rows, self.columns)

    def cells(self, vector):
        """Field at T, U or V points, ``(ny, nx)``, of a vector."""
        return self.corners(vector)[1:, 1:]

    def take(self, vector, margin, shift=0):
        """The values `shift` elements further on, without `margin` elements at either end."""
        start = margin - (self.size - vector.shape[0]) // 2 + shift
        return jax.lax.slice(vector, (start,), (start + self.size - 2 * margin,))

    def around(self, margin):
        """Takers of the point itself and of its neighbours to the east, west, north and south."""

        def at(shift):
            return lambda vector: self.take(vector, margin, shift)

        return at(0), at(1), at(-1), at(self.columns), at(-self.columns)


class EGrid(eqx.Module):
    """Masks and metric of the E grid as vectors of a `Frame`; make one with `of`.

    Parameters
    ----------
    frame : Frame
    spacing : float
        [m]
    squared_u, squared_v : vector
        ``e^2`` at U and V points.
    inverse_t, inverse_f : vector
        ``1 / e^2`` at T and F points.
    mask_t, mask_u, mask_v, mask_f : bool vector
        Wet points; F is wet where any of its four cells is, as stress lives on coasts too.
    shear_factor : vector
        At F: 1 inside, 2 on coasts (no slip, the wall is half a cell away), 0 on land.
    wet_share : vector
        At F: 1 over the number of its wet cells, 0 on land.
    """

    frame: Frame
    spacing: float = eqx.field(static=True)
    squared_u: Float[Array, " n"]
    squared_v: Float[Array, " n"]
    inverse_t: Float[Array, " n"]
    inverse_f: Float[Array, " n"]
    mask_t: Bool[Array, " n"]
    mask_u: Bool[Array, " n"]
    mask_v: Bool[Array, " n"]
    mask_f: Bool[Array, " n"]
    shear_factor: Float[Array, " n"]
    wet_share: Float[Array, " n"]

    @classmethod
    def of(cls, grid, dtype):
        """E grid over a `Grid`, in the given precision."""
        frame = Frame(grid.shape[0] + 1, grid.shape[1] + 1)

        def metric(side, corners=False):
            relative = jnp.asarray(side, dtype) / grid.spacing
            if corners:  # what lies on the outer walls gets the value next to it
                relative = jnp.pad(relative, ((1, 0), (1, 0)), mode="edge")
            return frame.flatten(relative**2, 1.0)

        def mask(points):
            return frame.flatten(jnp.asarray(points), False)

        wet = jnp.pad(jnp.asarray(grid.mask_t, dtype), 1)
        count = wet[:-1, :-1] + wet[1:, :-1] + wet[:-1, 1:] + wet[1:, 1:]
        return cls(
            frame=frame,
            spacing=grid.spacing,
            squared_u=metric(grid.dx_u),
            squared_v=metric(grid.dx_v),
            inverse_t=1.0 / metric(grid.dx_t),
            inverse_f=1.0 / metric(grid.dx_f, corners=True),
            mask_t=mask(grid.mask_t),
            mask_u=mask(grid.mask_u),
            mask_v=mask(grid.mask_v),
            mask_f=frame.flatten(count > 0, False),
            shear_factor=frame.flatten(
                (jnp.where(count == 4, 1.0, 2.0) * (count > 0)).astype(dtype)
            ),
            wet_share=frame.flatten(jnp.where(count > 0, 1.0 / jnp.maximum(count, 1.0), 0.0)),
        )

    def strain_rate_t(self, u_u, v_u, u_v, v_v, margin):
        """Strain rate at T times the spacing.

        Parameters
        ----------
        u_u, v_u, u_v, v_v : vector
            Components u and v at U, then at V points, over e [m/s].
        margin : int
            Of the result.

        Returns
        -------
        divergence, tension, shear : vector
            e11 + e22, e11 - e22 and 2 e12 [m/s].

        References
        ----------
        Hunke and Dukowicz (2002), doi:10.1175/1520-0493(2002)130<1848:TEVPSI>2.0.CO;2.
        """
        here, _, west, _, south = self.frame.around(margin)
        flux_u, flux_v = self.squared_u, self.squared_v
        divergence = here(flux_u) * here(u_u) - west(flux_u) * west(u_u)
        divergence = divergence + here(flux_v) * here(v_v) - south(flux_v) * south(v_v)
        tension = here(u_u) - west(u_u) - here(v_v) + south(v_v)
        shear = here(u_v) - south(u_v) + here(v_u) - west(v_u)
        return divergence * here(self.inverse_t), tension, shear

    def strain_rate_f(self, u_u, v_u, u_v, v_v, margin):
        """Strain rate at F times the spacing; as `strain_rate_t`, no slip on coasts."""
        here, east, _, north, _ = self.frame.around(margin)
        flux_u, flux_v = self.squared_u, self.squared_v
        divergence = east(flux_v) * east(u_v) - here(flux_v) * here(u_v)
        divergence = divergence + north(flux_u) * north(v_u) - here(flux_u) * here(v_u)
        tension = east(u_v) - here(u_v) - north(v_u) + here(v_u)
        shear = north(u_u) - here(u_u) + east(v_v) - here(v_v)
        return divergence * here(self.inverse_f), tension, here(self.shear_factor) * shear

    def stress_divergence(self, stress_t, stress_f, margin):
        """Force of the stress per area, times ``2 spacing e^3``.

        Parameters
        ----------
        stress_t, stress_f : tuple of vector
            s11 + s22, s11 - s22 and s12 at T and at F, integrated over the thickness and
            multiplied by ``e^2`` [N/m].
        margin : int
            Of the result.

        Returns
        -------
        x_u, y_u, x_v, y_v : vector
            Components x and y at U, then at V points. The exact adjoint of minus the strain rate,
            with the shear on a coast counting for the half of its cell that is wet.
        """
        here, east, west, north, south = self.frame.around(margin)
        sum_t, difference_t, shear_t = stress_t
        sum_f, difference_f, shear_f = stress_f
        inverse_t, inverse_f = self.inverse_t, self.inverse_f
        x_u = east(sum_t) * east(inverse_t) - here(sum_t) * here(inverse_t)
        x_u = here(self.squared_u) * x_u + east(difference_t) - here(difference_t)
        y_u = here(sum_f) * here(inverse_f) - south(sum_f) * south(inverse_f)
        y_u = here(self.squared_u) * y_u - here(difference_f) + south(difference_f)
        x_v = here(sum_f) * here(inverse_f) - west(sum_f) * west(inverse_f)
        x_v = here(self.squared_v) * x_v + here(difference_f) - west(difference_f)
        y_v = north(sum_t) * north(inverse_t) - here(sum_t) * here(inverse_t)
        y_v = here(self.squared_v) * y_v - north(difference_t) + here(difference_t)
        return (
            x_u + 2.0 * (here(shear_f) - south(shear_f)),
            y_u + 2.0 * (east(shear_t) - here(shear_t)),
            x_v + 2.0 * (north(shear_t) - here(shear_t)),
            y_v + 2.0 * (here(shear_f) - west(shear_f)),
        )

    def to_f(self, stress, margin):
        """Mean of a stress at T over the wet cells around each F point."""
        take, stride, row = self.frame.take, self.frame.stride, self.frame.columns
        total = take(stress, margin) + take(stress, margin, 1)
        total = total + take(stress, margin, row) + take(stress, margin, stride)
        return take(self.wet_share, margin) * total

    def to_t(self, stress, margin):
        """Mean of a stress at F over the four corners of each T cell; 0 on land."""
        take, stride, row = self.frame.take, self.frame.stride, self.frame.columns
        total = take(stress, margin) + take(stress, margin, -1)
        total = total + take(stress, margin, -row) + take(stress, margin, -stride)
        return jnp.where(take(self.mask_t, margin), 0.25 * total, 0.0)
