"""Initial ensembles: a background with its likely errors."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from floecast.core.errors import InputError
from floecast.core.keys import named_key
from floecast.core.state import IceState

from .bounds import IceControl


class InitialErrors(eqx.Module):
    """Size and scale of the errors of a background; each a smooth Gaussian random field.

    Parameters
    ----------
    displacement : float
        Standard deviation along each axis of how far the ice is from where it should be [m].
    displacement_length : float
        Length L of a covariance ``exp(-r**2 / (2 L**2))`` [m].
    thickness_floor, thickness_share : float
        Standard deviation of thickness: floor [m] plus a share [1] of the thickness.
    thickness_lengths : tuple of float
        Lengths of the parts of equal variance that thickness errors are made of [m].
    concentration : float
        Standard deviation of concentration where half of the cell is covered [1]; it falls off
        towards 0 and 1 as the root of ``c (1 - c)``.
    concentration_length : float
        [m].
    """

    displacement: float = 75e3
    displacement_length: float = 200e3
    thickness_floor: float = 0.1
    thickness_share: float = 0.1
    thickness_lengths: tuple[float, ...] = (120e3, 350e3)
    concentration: float = 0.1
    concentration_length: float = 150e3


def smooth_fields(key, grid, members, lengths):
    """Gaussian random fields of variance 1 that take no notice of the coast.

    Parameters
    ----------
    key : key
    grid : Grid
    members : int
    lengths : sequence of float
        The covariance is the mean of ``exp(-r**2 / (2 L**2))`` over these lengths [m], with r on
        the projected plane.

    Returns
    -------
    (member, y, x) array
        The mean over the members is 0; the variance over many is 1.

    Notes
    -----
    White noise filtered in Fourier space on a domain widened by three times the largest length, so
    that opposite edges are independent.
    """
    margin = int(np.ceil(3 * max(lengths) / grid.spacing))
    shape = tuple(size + margin for size in grid.shape)
    ky, kx = (2 * np.pi * np.fft.fftfreq(size, grid.spacing) for size in shape)
    square = ky[:, None] ** 2 + kx[None] ** 2
    spectra = [np.exp(-square * length**2 / 2) for length in lengths]
    spectrum = sum(part / part.mean() for part in spectra) / len(spectra)

    fields = _coloured(jax.random.split(key, members), jnp.sqrt(jnp.asarray(spectrum)))
    fields = fields[:, : grid.shape[0], : grid.shape[1]]
    anomalies = fields - jnp.mean(fields, axis=0, keepdims=True)
    return anomalies * np.sqrt(members / (members - 1))


@jax.jit
def _coloured(keys, amplitude):
    """White noise of each key with amplitudes in Fourier space."""

    def draw(key):
        noise = jnp.fft.fft2(jax.random.normal(key, amplitude.shape))
        return jnp.fft.ifft2(noise * amplitude).real

    return jax.lax.map(draw, keys)


def initial_ensemble(key, background, grid, members, errors=None, control=None):
    """Ensemble around a background: ice displaced, thickened or thinned, opened or closed.

    Parameters
    ----------
    key : key
    background : IceState
        ``(y, x)``.
    grid : Grid
    members : int
        At least 2.
    errors : InitialErrors, optional
    control : IceControl, optional
        Variables in which thickness and concentration are perturbed.

    Returns
    -------
    IceState
        ``(member, y, x)``, inside the bounds. Drift is that of the background.

    Raises
    ------
    InputError
        If there are fewer than 2 members.

    Notes
    -----
    Displacement moves the ice edge, so that members differ in where there is ice. Their mean is
    the background without the detail smaller than the displacement, about which it knows nothing.
    Where a member has open water it keeps exactly none.
    """
    if members < 2:
        raise InputError(f"an ensemble needs at least 2 members, not {members}")
    errors = InitialErrors() if errors is None else errors
    control = IceControl() if control is None else control

    def fields(name, lengths):
        return smooth_fields(named_key(key, name), grid, members, lengths)

    moved = _displaced(
        background,
        grid,
        errors.displacement * fields("displacement x", (errors.displacement_length,)),
        errors.displacement * fields("displacement y", (errors.displacement_length,)),
    )
    free = control.to_control(moved)
    thickness = errors.thickness_floor + errors.thickness_share * free.ice_volume
    free = eqx.tree_at(
        lambda state: (state.ice_volume, state.concentration),
        free,
        (
            free.ice_volume + thickness * fields("thickness", errors.thickness_lengths),
            free.concentration
            + jnp.where(moved.concentration > 0, errors.concentration, 0.0)
            * fields("concentration", (errors.concentration_length,)),
        ),
    )
    return jax.tree.map(
        lambda new, old: new.astype(jnp.asarray(old).dtype), control.to_state(free), background
    )


def _displaced(background, grid, shift_x, shift_y):
    """Members whose ice at T points comes from elsewhere in the background."""
    ny, nx = grid.shape
    row = jnp.arange(ny)[None, :, None] - shift_y / grid.spacing
    column = jnp.arange(nx)[None, None] - shift_x / grid.spacing
    ocean = jnp.asarray(grid.mask_t)[None]

    def sample(field):
        field = jnp.asarray(_beyond_coast(np.asarray(field), grid.mask_t))
        found = jax.scipy.ndimage.map_coordinates(field, [row, column], order=1, mode="nearest")
        return jnp.where(ocean, found, 0.0)

    def still(field):
        return jnp.broadcast_to(jnp.asarray(field)[None], shift_x.shape)

    return IceState(
        concentration=sample(background.concentration),
        ice_volume=sample(background.ice_volume),
        snow_volume=sample(background.snow_volume),
        u=still(background.u),
        v=still(background.v),
        damage=sample(background.damage),
    )


def _beyond_coast(field, ocean):
    """Field with land cells taking the mean of their known neighbours, from the coast inwards."""
    known, field = ocean, np.where(ocean, field, 0.0)
    while known.any() and not known.all():
        total, count = (_over_neighbours(part) for part in (field, known.astype(field.dtype)))
        new = ~known & (count > 0)
        field = np.where(new, total / np.where(new, count, 1.0), field)
        known = known | new
    return field


def _over_neighbours(field):
    """Sum over the eight neighbours of each cell."""
    ny, nx = field.shape
    wide = np.pad(field, 1)
    return sum(wide[j : j + ny, i : i + nx] for j in range(3) for i in range(3)) - field
