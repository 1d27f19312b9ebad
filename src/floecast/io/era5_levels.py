"""Reader of ERA5 on model levels: the large-scale air above each cell, for a boundary layer."""

import numpy as np

from floecast.atmosphere.forcing import Aloft, Forcing
from floecast.core.calendar import iso

from .atmosphere import first_finite
from .hybrid_levels import FIRST, LEVELS, profiles, to_heights
from .projected_weather import layout_of
from .regrid import regrid, regrid_vector
from .weather_files import common_times, pieces_of, read_part

HEIGHTS = (
    *(10.0, 30.0, 50.0, 75.0, 100.0, 150.0, 200.0, 250.0, 300.0, 400.0),
    *(500.0, 650.0, 800.0, 1000.0, 1250.0, 1500.0, 1750.0, 2000.0, 2500.0, 3000.0),
)
"""Heights above the surface at which the air aloft is given [m]."""

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
    aloft = Aloft(np.asarray(heights, np.float32), **series)  # type: ignore[arg-type]
    return Forcing(known if times is None else times, aloft=aloft)


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
    place = {int(n): i for i, n in enumerate(number) if n >= FIRST}
    first = min(place, default=LEVELS)
    missing = [n for n in range(first, LEVELS + 1) if n not in place]
    if missing:
        source.refuse(f"{dim} lacks {missing}, expected every level down to {LEVELS}")
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
