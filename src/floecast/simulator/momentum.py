"""Forces on the ice other than its own stress: wind, water, Coriolis force and tilt of the sea."""

import jax.numpy as jnp

from floecast.core.constants import AIR_DENSITY
from floecast.core.operators import east, gradient, north, south, t_to_u, t_to_v, west


def drag_stress(u, v, density, coefficient):
    """Quadratic bulk stress of a flow.

    Parameters
    ----------
    u, v : array
        Of the flow relative to the ice [m/s]; the ice is taken at rest under the wind.
    density : float
        Of the fluid [kg/m3].
    coefficient : float
        Drag coefficient [1].

    Returns
    -------
    stress_x, stress_y : array
        [N/m2]; with a finite derivative at rest.
    """
    pull = density * coefficient * jnp.sqrt(u**2 + v**2 + 1e-12)
    return pull * u, pull * v


def air_stress(forcing, coefficient, grid):
    """Stress of the air on ice at both kinds of faces.

    Parameters
    ----------
    forcing : Forcing
        What a boundary layer found is taken; else the quadratic law with the 10 m wind.
    coefficient : float
        Drag coefficient of that law [1].
    grid : Grid

    Returns
    -------
    at_u, at_v : tuple of (y, x) array
        Components x and y [N/m2].
    """
    if forcing.contact is not None:
        return vector_at_faces(forcing.contact.stress_ice_u, forcing.contact.stress_ice_v, grid)
    weather = forcing.middle()
    wind_at_u, wind_at_v = vector_at_faces(weather["wind_u"], weather["wind_v"], grid)
    return (
        drag_stress(*wind_at_u, AIR_DENSITY, coefficient),
        drag_stress(*wind_at_v, AIR_DENSITY, coefficient),
    )


def vector_at_faces(x, y, grid):
    """A vector known at T points, both components at both kinds of faces.

    Parameters
    ----------
    x, y : (y, x) array
        T points.
    grid : Grid

    Returns
    -------
    at_u, at_v : tuple of (y, x) array
        Components x and y, 0 on coasts.
    """
    return (t_to_u(x, grid), t_to_u(y, grid)), (t_to_v(x, grid), t_to_v(y, grid))


def gradient_at_faces(field, grid):
    """Gradient of a field at T points, both components at both kinds of faces.

    Parameters
    ----------
    field : (y, x) array
        T points.
    grid : Grid

    Returns
    -------
    at_u, at_v : tuple of (y, x) array
        Components x and y. The component across a face is a centred difference; the one along it
        is the mean over the neighbouring faces that are open.
    """
    across_u, across_v = gradient(field, grid)

    def mean(values, mask, *shifts):
        mask = jnp.asarray(mask, values.dtype)
        total, count = values, mask
        for shift in shifts:
            total, count = total + shift(total), count + shift(count)
        return total / jnp.maximum(count, 1.0)

    along_u = jnp.where(grid.mask_u, mean(across_v, grid.mask_v, south, east), 0.0)
    along_v = jnp.where(grid.mask_v, mean(across_u, grid.mask_u, west, north), 0.0)
    return (across_u, along_u), (along_v, across_v)


def mass_per_area(state, ice_density, snow_density):
    """Mass of ice and snow per area of the cell, T points [kg/m2]."""
    return ice_density * state.ice_volume + snow_density * state.snow_volume


def face_means(field, grid):
    """Area-weighted means of a field at T points over the two cells beside each U and V face."""
    weighted = field * grid.area
    return (
        t_to_u(weighted, grid) / grid.dx_u**2,
        t_to_v(weighted, grid) / grid.dx_v**2,
    )
