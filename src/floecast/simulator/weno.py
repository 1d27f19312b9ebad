"""Advection of high order: weighted essentially non-oscillatory fluxes that stay positive."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .advection import LEAST_AMOUNT, AbstractScheme, outgoing, pad, ratio_of


class WENO(AbstractScheme):
    """Weighted essentially non-oscillatory fluxes, limited to stay positive; three stages.

    Parameters
    ----------
    order : int
        5 or 7.

    Notes
    -----
    The density of the amount is reconstructed at each face along the row or column, from the side
    the flow comes from at that face, with the weights of WENO-Z. Next to a coast the last cell of
    the sea stands in for those beyond. Time goes by SSP-RK3 with the same flow in all stages.

    What a face carries beyond the upwind flux is scaled back where the cell it leaves would give
    away more than it holds: with the upwind flux taken first, all cells stay positive and ratios
    carried with the total flux and the donor's value are convex sums of old ones, in every stage.

    References
    ----------
    Jiang and Shu (1996), doi:10.1006/jcph.1996.0130; Borges et al. (2008),
    doi:10.1016/j.jcp.2007.11.038, for the weights; Balsara et al. (2016),
    doi:10.1016/j.jcp.2016.09.009, for the smoothness as a sum of squares; Zalesak (1979),
    doi:10.1016/0021-9991(79)90051-2, for the limiter.
    """

    order: int = eqx.field(static=True, default=5)

    def faces(self, flow, mesh):
        """See `AbstractScheme.faces`: which cells each face reads."""
        return _Faces.of(flow, mesh, self.order)

    def advance(self, amounts, contents, defaults, flow, faces, base):
        """See `AbstractScheme.advance`."""
        start = amounts, contents

        def stage(now, part):
            after = _forward(*now, defaults, flow, faces, base)
            # These two weights add up to 1 exactly, so that nothing is lost to round-off.
            mix = jax.tree.map(lambda old, new: (1 - part) * old + part * new, start, after)
            return mix, None

        # A loop, because XLA would fuse written-out stages and compute parts again and again.
        return jax.lax.scan(stage, start, jnp.array([1, 1 / 4, 2 / 3], amounts.dtype))[0]


class _Faces(eqx.Module):
    """Which cells each face reads; first the faces between columns, then those between rows.

    The faces are those of the mesh and one ring of cells around it. ``ahead`` is True where the
    flow goes to the higher index. Cell number 0 is the donor, negative numbers lie behind it;
    ``reach[m]`` is True where cell m is reached without crossing a coast.
    """

    swept: tuple
    ahead: tuple
    reach: tuple
    stencil: int = eqx.field(static=True)

    @classmethod
    def of(cls, flow, mesh, order):
        stencil = (order + 1) // 2
        swept = pad(flow.swept_x, 1), pad(flow.swept_y, 1)
        ahead = swept[0] > 0, swept[1] > 0
        reach = {}, {}
        for axis, is_open in enumerate((mesh.open_u, mesh.open_v)):
            wide = pad(jnp.asarray(is_open)[None], stencil + 1)
            for step in (-1, 1):
                whole = True
                for m in range(step, step * stencil, step):
                    # The face between cells m - step and m, where the flow goes up or down.
                    up = _see(wide, stencil + 1, axis, min(m, m - step))
                    down = _see(wide, stencil + 1, axis, -min(m, m - step))
                    whole = whole & jnp.where(ahead[axis], up, down)
                    reach[axis][m] = whole
        return cls(swept, ahead, reach, stencil)

    def values(self, wide, axis):
        """Values by cell number, of an array padded by `stencil` + 1."""

        width = self.stencil
        cells = {k: _see(wide, width + 1, axis, k) for k in range(1 - width, width + 1)}

        def read(m):
            return jnp.where(self.ahead[axis], cells[m], cells[1 - m])

        values = {0: read(0)}
        for step in (-1, 1):
            for m in range(step, step * self.stencil, step):
                values[m] = jnp.where(self.reach[axis][m], read(m), values[m - step])
        return values


def _forward(amounts, contents, defaults, flow, faces, base):
    """One step of Euler with limited WENO fluxes."""
    held = amounts[base][None]
    contents = jnp.where(held > LEAST_AMOUNT, contents, defaults * held)
    flux_x, flux_y = _limited_fluxes(amounts, flow, faces)
    ratios = pad(ratio_of(contents, held, defaults), 1)
    moved = flux_x[base][None] * flow.donor_x(ratios), flux_y[base][None] * flow.donor_y(ratios)
    return amounts + flow.gain(flux_x, flux_y), contents + flow.gain(*moved)


def _limited_fluxes(amounts, flow, faces):
    """Amounts through the faces, of high order as far as no cell gives more than it holds."""
    wide = pad(amounts, faces.stencil + 1)
    more = []  # at the face than in the donor cell
    for axis in (0, 1):
        values = faces.values(wide, axis)
        more.append(jnp.maximum(_weno(values, faces.stencil), -values[0]))
    excess = [
        _split(jnp.abs(swept) * jnp.maximum(rise, 0.0), ahead)
        for swept, rise, ahead in zip(faces.swept, more, faces.ahead, strict=True)
    ]
    leaving = outgoing(*excess) / jnp.maximum(pad(flow.area, 1), 1.0)
    # A little less than what is there, so that round-off cannot overdraw it.
    left = pad(flow.keep * amounts * (1.0 - 16.0 * jnp.finfo(amounts.dtype).eps), 1)
    short = leaving > left
    part = jnp.where(short, left / (jnp.where(short, leaving, 1.0) + _SMALLEST), 1.0)
    more_x, more_y = more[0][..., 1:-1, 1:-1], more[1][..., 1:-1, 1:-1]
    donors = pad(amounts, 1)
    flux_x = flow.donor_x(donors) + jnp.where(more_x > 0, flow.donor_x(part), 1.0) * more_x
    flux_y = flow.donor_y(donors) + jnp.where(more_y > 0, flow.donor_y(part), 1.0) * more_y
    return flow.swept_x * flux_x, flow.swept_y * flux_y


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _weno(values, stencil):
    """What WENO-Z puts at the face beyond the value of the donor cell."""
    return _weno_formula(values, stencil)


@_weno.defjvp
def _weno_jvp(stencil, primals, tangents):
    # The derivatives by each value are kept for the reverse pass. Otherwise XLA computes them
    # there, once for every cell that a value comes from.
    found, pull = jax.vjp(lambda values: _weno_formula(values, stencil), *primals)
    (slopes,) = pull(jnp.ones_like(found))
    return found, sum(slopes[m] * tangents[0][m] for m in slopes)


def _weno_formula(values, stencil):
    smoothness, states = [], []
    rise = {m: value - values[0] for m, value in values.items()}
    for shape in _LEGENDRE[stencil]:
        slope, curve, third = (
            sum(float(c) * rise[m] for m, c in row.items()) if row else 0.0 for row in shape
        )
        smoothness.append((slope + third / 10) ** 2 + 13 / 3 * curve**2 + 781 / 20 * third**2)
        states.append(slope / 2 + curve / 6 + third / 20)
    floor = _ROUGHNESS * sum(value**2 for value in values.values()) + _SMALLEST
    contrast = jnp.abs(smoothness[0] - smoothness[-1])
    weights = [
        linear * (1.0 + contrast / (rough + floor))
        for linear, rough in zip(_LINEAR[stencil], smoothness, strict=True)
    ]
    return sum(w * s for w, s in zip(weights, states, strict=True)) / sum(weights)


def _legendre_rows(stencil):
    """Legendre coefficients of the polynomials through cell means, from their differences.

    For each sub-stencil, furthest behind first, three rows {cell number: weight} that give the
    coefficients of x, x^2 - 1/12 and x^3 - 3x/20, with x in cells from the donor's centre.
    """
    found = []
    for last in range(stencil):
        cells = np.arange(last - stencil + 1, last + 1)
        means = np.stack([cells**0, cells, cells**2, cells**3 + cells / 10], -1)[:, :stencil]
        rows = np.linalg.inv(means)[1:]
        rows = [dict(zip(cells.tolist(), row, strict=True)) for row in rows]
        rows = [{m: c for m, c in row.items() if m != 0 and abs(c) > 1e-12} for row in rows]
        found.append((rows + [{}, {}])[:3])
    return found


_LEGENDRE = {stencil: _legendre_rows(stencil) for stencil in (3, 4)}
_LINEAR = {3: (0.1, 0.6, 0.3), 4: (1 / 35, 12 / 35, 18 / 35, 4 / 35)}
"""Weights of the sub-stencils that give the full order in smooth fields."""
_ROUGHNESS = 1e-8
"""Squared differences below this part of the squared amounts do not count as rough."""
_SMALLEST = 1e-18
"""Keeps quotients, and their derivatives in float32, finite where there is nothing."""


def _split(flux, ahead):
    return jnp.where(ahead, flux, 0.0), jnp.where(ahead, 0.0, flux)


def _see(wide, width, axis, offset):
    """View of a padded array: at each face of `_Faces`, `offset` cells on from its lower cell."""
    rows, columns = (size - 2 * width for size in wide.shape[-2:])
    bottom, left = width - 1, width - 1
    if axis == 0:
        columns, left = columns + 1, left - 1 + offset
    else:
        rows, bottom = rows + 1, bottom - 1 + offset
    return wide[..., bottom : bottom + rows + 2, left : left + columns + 2]
