"""Hybrid levels of the ECMWF model: their pressures, heights and geostrophic wind."""

import numpy as np

LEVELS = 137
"""Number of model levels; the last one is the lowest."""

# Interfaces from the top of level 98 down to the surface: their pressure is A + B times that of the
# surface (ECMWF, L137 model level definitions, half levels 97 to 137).
FIRST = 98
"""The highest level used."""
_A = (  # [Pa]
    *(17471.839844, 16888.687500, 16262.046875, 15596.695313, 14898.453125, 14173.324219),
    *(13427.769531, 12668.257813, 11901.339844, 11133.304688, 10370.175781, 9617.515625),
    *(8880.453125, 8163.375000, 7470.343750, 6804.421875, 6168.531250, 5564.382813, 4993.796875),
    *(4457.375000, 3955.960938, 3489.234375, 3057.265625, 2659.140625, 2294.242188, 1961.500000),
    *(1659.476563, 1387.546875, 1143.250000, 926.507813, 734.992188, 568.062500, 424.414063),
    *(302.476563, 202.484375, 122.101563, 62.781250, 22.835938, 3.757813, 0.0, 0.0),
)
_B = (  # [1]
    *(0.358254, 0.384363, 0.411125, 0.438391, 0.466003, 0.493800),
    *(0.521619, 0.549301, 0.576692, 0.603648, 0.630036, 0.655736, 0.680643, 0.704669, 0.727739),
    *(0.749797, 0.770798, 0.790717, 0.809536, 0.827256, 0.843881, 0.859432, 0.873929, 0.887408),
    *(0.899900, 0.911448, 0.922096, 0.931881, 0.940860, 0.949064, 0.956550, 0.963352, 0.969513),
    *(0.975078, 0.980072, 0.984542, 0.988500, 0.991984, 0.995003, 0.997630, 1.0),
)

_GRAVITY = 9.80665  # of geopotential heights [m/s2]
_GAS = 287.0597  # of dry air [J/kg/K]
_VAPOUR = 461.5250 / _GAS - 1  # virtual temperature is T (1 + this times humidity)
_KAPPA = 2 / 7  # gas constant over heat capacity of dry air
_LEAST_CORIOLIS = 3e-5  # [1/s]


def profiles(temperature, humidity, wind_u, wind_v, log_pressure, orography, grid, first):
    """Heights, geostrophic wind and potential temperature on model levels.

    Parameters
    ----------
    temperature, humidity, wind_u, wind_v : (level, y, x) array
        [K], [1], [m/s], levels from `first` down to 137.
    log_pressure : (y, x) array
        Logarithm of the surface pressure in Pa.
    orography : (y, x) array
        Surface geopotential [m2/s2].
    grid : Grid
    first : int
        Number of the first level, 98 or more.

    Returns
    -------
    dict of (level, y, x) arrays
        ``height`` above the surface [m], and the fields of `Aloft`.

    Notes
    -----
    With ``p-``, ``p+`` at the interfaces of a level, ``d = p+ - p-``, ``r = ln(p+ / p-)`` and
    ``a = 1 - p- r / d``, its geopotential is the sum of ``R T_v r`` of the levels below and its own
    ``a R T_v``. The slope of the pressure surface is ``grad(Phi) + R T_v (r grad(p-) + a grad(d)) /
    d``, and the geostrophic wind ``(-dy, dx)`` of it over the Coriolis parameter.

    References
    ----------
    Simmons and Burridge (1981), doi:10.1175/1520-0493(1981)109<0758:AEAAMC>2.0.CO;2.
    """
    lower, upper, pressure = interfaces(log_pressure, first)
    depth, log_ratio = lower - upper, np.log(lower / upper)
    alpha = 1.0 - upper / depth * log_ratio
    gas = _GAS * temperature * (1.0 + _VAPOUR * humidity)
    through = gas * log_ratio
    below = np.cumsum(through[::-1], axis=0)[::-1] - through
    above_ground = below + alpha * gas
    b = np.asarray(_B)[first - FIRST :, None, None]
    surface = np.exp(log_pressure)
    # Of pressure by its own logarithm at the surface, R T_v grad(ln p) on the level.
    factor = gas / depth * (log_ratio * b[:-1] + alpha * np.diff(b, axis=0)) * surface
    slope = {
        axis: gradient(orography + above_ground, axis, grid)
        + factor * gradient(log_pressure, axis, grid)
        for axis in ("x", "y")
    }
    balanced = np.abs(grid.coriolis) >= _LEAST_CORIOLIS
    coriolis = np.where(balanced, grid.coriolis, 1.0)
    return {
        "height": above_ground / _GRAVITY,
        "geostrophic_u": np.where(balanced, -slope["y"] / coriolis, 0.0),
        "geostrophic_v": np.where(balanced, slope["x"] / coriolis, 0.0),
        "wind_u": wind_u,
        "wind_v": wind_v,
        "potential_temperature": temperature * (surface / pressure) ** _KAPPA,
        "humidity": np.maximum(humidity, 0.0),
    }


def interfaces(log_pressure, first=FIRST):
    """Pressures of model levels.

    Parameters
    ----------
    log_pressure : array
        Logarithm of the surface pressure in Pa.
    first : int
        Number of the first level, 98 or more.

    Returns
    -------
    lower, upper, middle : (level, ...) arrays
        At the lower and upper interfaces of the levels from `first` to 137, and their mean [Pa].
    """
    surface = np.exp(np.asarray(log_pressure, float))
    shape = (-1, *[1] * surface.ndim)
    a, b = (np.asarray(table)[first - FIRST :].reshape(shape) for table in (_A, _B))
    half = a + b * surface
    return half[1:], half[:-1], 0.5 * (half[1:] + half[:-1])


def gradient(field, axis, grid):
    """Derivative along an axis of the grid, ``(..., y, x)`` [1/m].

    Notes
    -----
    The mean of the differences to the two neighbours, or the one that is there.
    """
    dim = -1 if axis == "x" else -2
    step = np.diff(field, axis=dim)
    gap = np.full_like(np.take(field, [0], axis=dim), np.nan)
    both = np.stack([np.concatenate([gap, step], dim), np.concatenate([step, gap], dim)])
    known = np.isfinite(both)
    total = np.where(known, both, 0.0).sum(axis=0)
    number = known.sum(axis=0)
    mean = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    return np.where(np.isfinite(field), mean, np.nan) / grid.dx_t


def to_heights(levels, heights):
    """Fields on model levels ``(level, y, x)`` at heights, linear between the levels."""
    z = levels["height"][::-1]
    columns = {name: field[::-1] for name, field in levels.items() if name != "height"}
    made = {name: [] for name in columns}
    for height in heights:
        above = np.clip((z < height).sum(axis=0), 1, len(z) - 1)[None]
        low, high = (np.take_along_axis(z, index, 0)[0] for index in (above - 1, above))
        weight = np.clip((height - low) / (high - low), 0.0, 1.0)
        for name, column in columns.items():
            ends = (np.take_along_axis(column, index, 0)[0] for index in (above - 1, above))
            bottom, top = ends
            made[name].append(((1 - weight) * bottom + weight * top).astype(np.float32))
    return {name: np.stack(parts) for name, parts in made.items()}
