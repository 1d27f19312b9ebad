"""Start dates of the study: which month and year, which truth, which weather, which analysis."""

from functools import cache
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from floecast.assimilation.initial import InitialErrors, initial_ensemble
from floecast.atmosphere.boundary_layer import BoundaryLayer
from floecast.atmosphere.ice_drag import FORM_COEFFICIENT, SKIN_ROUGHNESS
from floecast.atmosphere.similarity import Grachev
from floecast.atmosphere.surface_layer import SurfaceLayer
from floecast.atmosphere.turbulence import Closure
from floecast.atmosphere.weather import SyntheticWeather
from floecast.core.calendar import to_datetime64
from floecast.core.grid import Grid
from floecast.core.keys import named_key
from floecast.core.precision import cast
from floecast.simulator.restart_states import restart_states

SEED, MEMBERS, DAY = 7, 2, 86400
SPIN_UP = 5 * DAY
"""Of the truth in its weather and under its boundary layer before the forecasts start [s]."""
HEIGHTS = (0.0, 50.0, 150.0, 300.0, 600.0, 1000.0, 1500.0, 2000.0)
MONTHS = ((2, 4, 1, 3), (8, 9), (6, 5, 7), (11, 10, 12))
"""Of start by season: winter, late summer, melt, freeze-up; case number n is of season n mod 4."""
YEARS = 5
DISTINCT = 40
"""Cases after which months and years come again, ten days later in the month."""
ANALYSIS = InitialErrors(
    displacement=25e3, thickness_floor=0.05, thickness_share=0.1, concentration=0.05
)
SPREADS = {"roughness": 0.5, "form_drag": 0.3, "heat_ratio": 0.5, "shear": 0.3}
"""Standard deviation of the logarithm of what differs between truth and forecast, and all that of
the closure; see `true_parameters`."""
CLOSURE = ("momentum", "heat", "transport", "dissipation", "stability", "shear")
PARAMETERS = ("roughness", "form_drag", "heat_ratio", *CLOSURE)


class Case(NamedTuple):
    """One start date.

    Attributes
    ----------
    number : int
    month, year : int
        Of the restart state the truth begins with; years from 0.
    start : int
        Of the forecasts [s since 2000-01-01].
    """

    number: int
    month: int
    year: int
    start: int


def case(number, grid):
    """The start date with a number."""
    months = MONTHS[number % 4]
    turn = (number // 4) % (DISTINCT // 4)
    month, year = months[turn % len(months)], turn % YEARS
    times = _starts(grid.name, month)
    later = 10 * DAY * (number // DISTINCT)
    return Case(number, month, year, int(times[year]) + later + SPIN_UP)


@cache
def _states(preset):
    """Shipped states, NumPy leaves."""
    times, states = restart_states(Grid.preset(preset))
    return times, jax.tree.map(np.asarray, states)


@cache
def _starts(preset, month):
    """Times of a month, year by year [s]."""
    return _of_month(Grid.preset(preset), month)[0]


def _of_month(grid, month):
    """Times and states of a month, year by year."""
    times, states = _states(grid.name)
    months = to_datetime64(times).astype("datetime64[M]").astype(int) % 12 + 1
    found = np.flatnonzero(months == month)
    return times[found], jax.tree.map(lambda leaf: leaf[found], states)


def first_state(one, grid):
    """State from which the truth is spun up, and its time [s]."""
    _, states = _of_month(grid, one.month)
    state = jax.tree.map(lambda leaf: jnp.asarray(leaf[one.year]), states)
    return cast(state, jnp.float32), one.start - SPIN_UP


def climatology(one, grid):
    """Ice of the other years at the start, at rest: between the means of two months."""
    means = []
    for month in (one.month, one.month % 12 + 1):
        _, states = _of_month(grid, month)
        others = np.delete(np.arange(YEARS), one.year)
        means.append(jax.tree.map(lambda leaf, rows=others: leaf[rows].mean(axis=0), states))
    begin = one.start - SPIN_UP - 10 * DAY * (one.number // DISTINCT)
    part = (one.start - begin) / (30.5 * DAY)
    ice = jax.tree.map(lambda now, then: jnp.asarray((1 - part) * now + part * then), *means)
    still = jnp.zeros_like(ice.u)
    return cast(eqx.tree_at(lambda s: (s.u, s.v), ice, (still, still)), jnp.float32)


def weather(one, grid):
    """The true weather, with the air aloft."""
    key = named_key(SEED, "weather", one.number)
    return cast(SyntheticWeather.draw(key, grid).with_aloft(HEIGHTS), jnp.float32)


def forecast_weather(one, grid, member):
    """The weather as a member has it: an analysis, then a forecast of falling skill."""
    key = named_key(SEED, "forecast", one.number)
    return cast(weather(one, grid).forecast(key, one.start, member=member), jnp.float32)


def analyses(one, grid, truth):
    """Members at the start: an analysis with its error, and the same errors about it.

    Parameters
    ----------
    one : Case
    grid : Grid
    truth : IceState
        At the start.

    Returns
    -------
    list of IceState
        `MEMBERS` of them. The analysis is off from the truth as members are off from it.
    """
    truth = jax.tree.map(jnp.asarray, truth)
    # Eight are drawn because their mean is taken off; few are used.
    drawn = initial_ensemble(named_key(SEED, "analysis", one.number), truth, grid, 8, ANALYSIS)
    analysis = jax.tree.map(lambda leaf: leaf[0], drawn)
    drawn = initial_ensemble(named_key(SEED, "members", one.number), analysis, grid, 8, ANALYSIS)
    return [cast(jax.tree.map(lambda leaf, m=m: leaf[m], drawn), jnp.float32) for m in range(8)][
        :MEMBERS
    ]


def true_parameters(one):
    """Parameters of the boundary layer of the truth, by name.

    Notes
    -----
    Constants of the closure lie between those of Redelsperger and Sommeria (1981), the forecasts',
    and those of Cheng, Canuto and Howard (2002), at a random place on a logarithmic scale; the
    others are those of the forecasts times ``exp(s x)``, x normal, s of `SPREADS`.
    """
    rng = np.random.default_rng([SEED, one.number])
    place = rng.uniform()
    factors = {name: np.exp(std * rng.standard_normal()) for name, std in SPREADS.items()}
    default, other = Closure(), Closure.cheng()
    found = {
        name: float(getattr(default, name) ** (1 - place) * getattr(other, name) ** place)
        for name in CLOSURE
    }
    found |= {"roughness": SKIN_ROUGHNESS, "form_drag": FORM_COEFFICIENT, "heat_ratio": 0.2}
    return {name: value * factors.get(name, 1.0) for name, value in found.items()}


def layer_with(parameters, *, truth=False, **options):
    """A `BoundaryLayer` with given parameters; that of a truth has Grachev's functions."""
    surface = SurfaceLayer(similarity=Grachev()) if truth else SurfaceLayer()
    surface = eqx.tree_at(
        lambda s: (s.form_drag, s.heat_ratio),
        surface,
        (jnp.asarray(parameters["form_drag"]), jnp.asarray(parameters["heat_ratio"])),
    )
    closure = Closure(**{name: parameters[name] for name in CLOSURE})
    return BoundaryLayer(surface_layer=surface, closure=closure, **options)


def default_parameters():
    """Parameters of the forecasts."""
    closure = Closure()
    found = {name: float(getattr(closure, name)) for name in CLOSURE}
    return found | {"roughness": SKIN_ROUGHNESS, "form_drag": FORM_COEFFICIENT, "heat_ratio": 0.2}
