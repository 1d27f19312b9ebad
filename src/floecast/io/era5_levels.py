"""Reader of ERA5 on model levels: the large-scale air above each cell, for a boundary layer."""

import numpy as np

from floecast.atmosphere.forcing import Aloft, Forcing
from floecast.core.calendar import iso

from .atmosphere import first_finite
from .projected_weather import layout_of
from .regrid import regrid, regrid_vector
from .weather_files import common_times, pieces_of, read_part

HEIGHTS = (
    *(10.0, 30.0, 50.0, 75.0, 100.0, 150.0, 200.0, 250.0, 300.0, 400.0),
    *(500.0, 650.0, 800.0, 1000.0, 1250.0, 1500.0, 1750.0, 2000.0, 2500.0, 3000.0),
)
"""Heights above the surface at which the air aloft is given [m]."""

LEVELS = 137
"""Number of model levels; the last one is the lowest."""

# Interfaces from the top of level 98 down to the surface: their pressure is A + B times that of the
# surface (ECMWF, L137 model level definitions, half levels 97 to 137).
_FIRST = 98
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

_NAMES = {
    "temperature": ("t", "T"),
    "humidity": ("q", "Q"),
    "east": ("u", "U"),
    "north": ("v", "V"),
    "log_pressure": ("lnsp", "LNSP"),
    "orography": ("z", "Z"),
}
_LEVEL_NAMES = ("model_level", "hybrid", "level", "lev", "levelist")
_WITHIN = {
    "temperature": (150.0, 340.0),
    "humidity": (-1e-3, 0.1),
    "east": (-150.0, 150.0),
    "north": (-150.0, 150.0),
    "log_pressure": (10.3, 11.7),
    "orography": (-3e3, 9e4),
}
_UNIT = {"temperature": "K", "humidity": "1", "east": "m s-1", "north": "m s-1"}


def has_model_levels(source):
    """Whether a file holds fields of ERA5 model levels, or what only goes with them."""
    if any(map(source.has, _NAMES["log_pressure"])):
        return True
    dims = {dim for names in _NAMES.values() for name in names for dim in _dims(source, name)}
    if dims & {"model_level", "hybrid"}:
        return True
    if source.has("level"):
        return "model" in str(source.variable("level").attrs.get("long_name", ""))
    levels = {"pressure_level", "isobaricInhPa", "plev"}
    return any(map(source.has, _NAMES["orography"])) and not levels & (dims | {*source.dataset})


def _dims(source, name):
    return source.variable(name).dims if source.has(name) else ()


def check_levels(sources, start, end):
    """Refuse files that lack a field, or whose times do not reach from `start` to `end` [s]."""
    _refuse_times(sources[0], common_times(_pieces(sources)), start, end)


def _refuse_times(source, time, start, end):
    if start < time[0] or end > time[-1]:
        source.refuse(
            f"model levels cover {iso(time[0])} to {iso(time[-1])}, expected {iso(start)} to "
            f"{iso(end)}"
        )


def read_levels(sources, grid, heights=HEIGHTS, times=None):
    """The air aloft from files of ERA5 on model levels.

    Parameters
    ----------
    sources : list of Source
        All on the same latitudes and longitudes: temperature, humidity and wind on model levels
        without a gap down to 137, logarithm of the surface pressure, surface geopotential.
    grid : Grid
        A preset.
    heights : sequence of float
        Above the surface, ascending [m]. Below the lowest level, at about 10 m, its values stand.
    times : (time,) int array, optional
        At which the fields are wanted, linear between those of the files [s since 2000-01-01]; the
        times of the files if left out.

    Returns
    -------
    Forcing
        With `aloft` alone, float32.

    Raises
    ------
    InputError
        If a file is not as expected, fields, levels or times are missing, the levels end below the
        last height, or the ocean of the grid is not covered.

    Notes
    -----
    All fields are brought to the grid level by level, the wind turned. There, heights follow from
    the hydrostatic equation, and the geostrophic wind from the slope of a pressure surface, the sum
    of the gradients of geopotential on the level and of pressure times ``R T_v / p``, in the
    discrete form in which the two cancel over mountains under an isothermal atmosphere at rest. It
    is zero where the Coriolis parameter is less than 3e-5 per second.

    References
    ----------
    Simmons and Burridge (1981), doi:10.1175/1520-0493(1981)109<0758:AEAAMC>2.0.CO;2; ECMWF, IFS
    documentation CY41R2, part III, section 2.2.
    """
    pieces = _pieces(sources)
    known = common_times(pieces)
    layout = layout_of(sources[0], grid)
    for source in sources[1:]:
        if not layout.fits(layout_of(source, grid)):
            source.refuse(f"holds other cells than {sources[0].path.name}, expected the same")
    if times is not None:
        _refuse_times(sources[0], known, times[0], times[-1])
    orography = _orography(sources, layout, grid)
    parts = []
    for moment in known:
        fields, first = _at(pieces, moment, layout, grid)
        levels = profiles(**fields, orography=orography, grid=grid, first=first)
        _refuse_low(sources[0], levels["height"], heights[-1], grid)
        parts.append(_filled(sources[0], to_heights(levels, heights), moment, grid))
    series = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    if times is not None and not np.array_equal(times, known):
        series = {name: _in_time(known, field, times) for name, field in series.items()}
    aloft = Aloft(np.asarray(heights, np.float32), **series)
    return Forcing(known if times is None else times, aloft=aloft)


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
    """
    lower, upper, pressure = interfaces(log_pressure, first)
    depth, log_ratio = lower - upper, np.log(lower / upper)
    alpha = 1.0 - upper / depth * log_ratio
    gas = _GAS * temperature * (1.0 + _VAPOUR * humidity)
    through = gas * log_ratio
    below = np.cumsum(through[::-1], axis=0)[::-1] - through
    above_ground = below + alpha * gas
    b = np.asarray(_B)[first - _FIRST :, None, None]
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


def interfaces(log_pressure, first=_FIRST):
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
    a, b = (np.asarray(table)[first - _FIRST :].reshape(shape) for table in (_A, _B))
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


def _pieces(sources):
    """What the files hold by our name, the orography aside; all must be there."""
    names = {name: known for name, known in _NAMES.items() if name != "orography"}
    pieces = pieces_of([s for s in sources if any(map(s.has, sum(names.values(), ())))], names)
    absent = [_NAMES[name][0] for name in names if name not in pieces]
    if absent:
        sources[0].refuse(
            f"{', '.join(absent)} on model levels is missing; the file holds {sources[0].listing()}"
        )
    return pieces


def _at(pieces, moment, layout, grid):
    """Fields of one time on the grid, by the argument of `profiles`, and the first level."""
    fields, firsts = {}, {}
    for name, parts in pieces.items():

        def read(piece, index, name=name):
            values, firsts[name] = _field(piece, name, layout, index)
            return values

        fields[name] = read_part(parts, np.array([moment]), read)[1][0]
    first = max(firsts[name] for name in firsts if name != "log_pressure")
    for name in firsts:
        if name != "log_pressure":
            fields[name] = fields[name][first - firsts[name] :]
    definition = layout.definition
    wind = regrid_vector(fields.pop("east"), fields.pop("north"), definition, grid)
    made = {name: regrid(v, definition, grid, method="bilinear") for name, v in fields.items()}
    made["log_pressure"] = made["log_pressure"][0]
    return made | {"wind_u": wind[0], "wind_v": wind[1]}, first


def _field(piece, name, layout, index):
    """Field ``(1, level, row, column)`` of one time and the number of its first level."""
    source, variable = piece.source, piece.variable
    dims = list(source.variable(variable, unit=_UNIT.get(name)).dims)
    level = next((dim for dim in _LEVEL_NAMES if dim in dims), None)
    first, chosen = LEVELS, {}
    if name != "log_pressure":
        if level is None:
            source.refuse(f"{variable} has dimensions {tuple(dims)}, expected levels among them")
        chosen, first = _levels(source, level, source.variable(variable).sizes[level])
    values = source.numbers(
        variable, within=_WITHIN[name], gaps=True, **index, **layout.index, **chosen
    )
    return _ordered(source, variable, values, dims, piece.time_dim, level, layout), first


def _ordered(source, variable, values, dims, time_dim, level, layout):
    """Values as ``(time, level, row, column)``, with other dimensions taken away."""
    wanted = [dim for dim in (time_dim, level, *layout.dims) if dim is not None]
    if not set(wanted) <= set(dims):
        source.refuse(f"{variable} has dimensions {tuple(dims)}, expected {tuple(wanted)}")
    for dim in [dim for dim in dims if dim not in wanted]:
        axis = dims.index(dim)
        if dim != "expver" and values.shape[axis] != 1:
            source.refuse(
                f"{variable} has {values.shape[axis]} entries along {dim}, expected one: select one"
            )
        values = first_finite(values, axis)
        dims = [other for other in dims if other != dim]
    values = values.transpose([dims.index(dim) for dim in wanted])
    if level is None:
        values = values.reshape(-1, 1, *values.shape[-2:])
    elif len(dims) == 3:
        values = values[None]
    if variable in _NAMES["log_pressure"]:
        values = first_finite(values, 1)[:, None]
    return values


def _levels(source, dim, size):
    """Index of the levels that are used, from the highest down, and the number of the first."""
    if source.has(dim):
        number = source.numbers(dim, (dim,), within=(1, LEVELS))
    elif size == LEVELS:
        number = np.arange(1, LEVELS + 1)
    else:
        source.refuse(f"{dim} holds no numbers of levels, expected some down to {LEVELS}")
    place = {int(n): i for i, n in enumerate(number)}
    first = LEVELS + 1
    while first - 1 in place and first > _FIRST:
        first -= 1
    if first > LEVELS - 1:
        missing = [n for n in range(max(min(place), _FIRST), LEVELS + 1) if n not in place]
        source.refuse(f"{dim} lacks {missing}, expected every level down to {LEVELS}")
    below = [n for n in range(max(min(place), _FIRST), first) if n not in place]
    if below:
        source.refuse(f"{dim} lacks {below}, expected every level down to {LEVELS}")
    return {dim: [place[n] for n in range(first, LEVELS + 1)]}, first


def _orography(sources, layout, grid):
    """Surface geopotential on the grid, from the first time of any file that has it."""
    for source in sources:
        variable = next((name for name in _NAMES["orography"] if source.has(name)), None)
        if variable is not None:
            dims = list(source.variable(variable).dims)
            if not set(layout.dims) <= set(dims):
                source.refuse(f"{variable} has dimensions {tuple(dims)}, expected {layout.dims}")
            level = next((dim for dim in _LEVEL_NAMES if dim in dims), None)
            first = {d: slice(0, 1) for d in dims if d not in (*layout.dims, level, "expver")}
            values = source.numbers(
                variable, within=_WITHIN["orography"], gaps=True, **first, **layout.index
            )
            for dim in [dim for dim in dims if dim not in layout.dims]:
                values = first_finite(values, dims.index(dim))
                dims.remove(dim)
            values = values.transpose([dims.index(dim) for dim in layout.dims])
            return regrid(values, layout.definition, grid, method="bilinear")
    sources[0].refuse("z on model levels, the geopotential of the surface, is missing")


def _refuse_low(source, height, highest, grid):
    """Refuse levels that do not reach the highest height."""
    top = np.nanmin(np.where(grid.mask_t, height[0], np.nan))
    if top < highest:
        source.refuse(f"the levels end {top:.0f} m above the surface, expected {highest:g} m")


def _filled(source, fields, moment, grid):
    """Fields with the mean over the ocean where land is not covered; the ocean must be."""
    for name, field in fields.items():
        missing = np.isnan(field).any(axis=0)
        ocean = (missing & grid.mask_t).sum()
        if ocean:
            source.refuse(
                f"{name} aloft is missing on {ocean} of {grid.mask_t.sum()} ocean cells of "
                f"{grid.name} at {iso(moment)}"
            )
        mean = field[:, grid.mask_t].mean(axis=1)[:, None, None]
        fields[name] = np.where(missing, mean, field).astype(np.float32)
    return fields


def _in_time(known, field, times):
    """A field at other times, linear between those known."""
    if known.size == 1:
        return np.repeat(field, len(times), axis=0)
    after = np.clip(np.searchsorted(known, times), 1, known.size - 1)
    fraction = (times - known[after - 1]) / (known[after] - known[after - 1])
    fraction = fraction[:, None, None, None].astype(np.float32)
    return (1 - fraction) * field[after - 1] + fraction * field[after]
