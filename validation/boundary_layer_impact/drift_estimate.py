"""Constants of the boundary layer and the wind aloft from satellite drift before the start."""

from dataclasses import replace

import cases
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import systems

from floecast.core.precision import cast
from floecast.core.state import IceState
from floecast.core.variables import STATE

WINDOW = 2 * cases.DAY
"""Over which drift is seen before the start, as in OSI-405 [s]."""
NOISE = 0.013
"""Of a component of it: 1.9 to 2.3 km in 48 h against buoys [m/s]."""
UNKNOWN_ICE = 0.015
"""What errors of the ice at the start of the window and of its mechanics add to it [m/s]."""
LEAST_COVER = 0.4
"""Of the ice whose drift is seen [1]."""
SPREADS = cases.SPREADS | {"momentum": 0.35}
"""Standard deviations of the logarithms of the constants that are sought."""
WIND_ERROR, LARGEST_WAVE, MEMORY = 1.0, 3, 2.0 * cases.DAY
"""Standard deviation of a component of the geostrophic wind of the analysis [m/s]; the correction
has up to that many waves over the domain, and fades after the start in that time [s]."""
DIFFERENCE = 0.5
"""Step of the differences, in standard deviations."""
SYSTEMS = {
    "two-way, drift assimilated": (True, True),
    "two-way, drift assimilated, constants only": (True, False),
    "two-way, drift assimilated, wind only": (False, True),
}
"""What of the estimate is used: constants, wind."""


class CorrectedWeather(eqx.Module):
    """Weather whose wind aloft is corrected at all heights alike.

    Parameters
    ----------
    weather : SyntheticWeather
    along_x, along_y : (y, x) array
        Added to the wind and the geostrophic wind [m/s].
    until : int
        After which the correction fades [s].
    """

    weather: eqx.Module
    along_x: jax.Array
    along_y: jax.Array
    until: jax.Array

    def between(self, start, end):
        """See `SyntheticWeather.between`."""
        forcing = self.weather.between(start, end)
        late = jnp.maximum(forcing.time - self.until, 0).astype(self.along_x.dtype)
        part = jnp.exp(-late / MEMORY)[:, None, None, None]
        aloft, added = forcing.aloft, {}
        for name in ("geostrophic", "wind"):
            for axis, field in (("u", self.along_x), ("v", self.along_y)):
                key = f"{name}_{axis}"
                added[key] = getattr(aloft, key) + part * field
        return replace(forcing, aloft=replace(aloft, **added))


def waves(grid):
    """Winds of one prior standard deviation, ``(control, 2, y, x)`` [m/s].

    Free of divergence, with the variance that the spectrum of the weather's pressure gives each
    wave number, for `WIND_ERROR` over all.
    """
    x, y = np.meshgrid(np.asarray(grid.x), np.asarray(grid.y))
    lowest = 2 * np.pi / (grid.shape[1] * grid.spacing)
    number = np.arange(-12, 13)
    square = lowest**2 * (number[:, None] ** 2 + number[None] ** 2)
    share = square * (1 + square * 440e3**2) ** -3
    share = share / share.sum()
    found = []
    for j, i in zip(*np.nonzero(share), strict=True):
        if (number[j], number[i]) <= (0, 0) or np.hypot(number[j], number[i]) > LARGEST_WAVE:
            continue  # the other half is the same
        k = lowest * np.array([number[i], number[j]])
        across = np.array([-k[1], k[0]]) / np.hypot(*k)
        # Each stands for both of a pair, with cosine and sine.
        size = np.sqrt(2 * WIND_ERROR**2 * 2 * share[j, i])
        for wave in (np.cos, np.sin):
            found.append(size * across[:, None, None] * wave(k[0] * x + k[1] * y))
    return np.stack(found)


def constants(control):
    """Parameters of the boundary layer of the first part of a control."""
    found = cases.default_parameters()
    for value, (name, std) in zip(control, SPREADS.items(), strict=False):
        found[name] = found[name] * float(np.exp(std * value))
    return found


def corrected(weather, control, grid, until):
    """Weather with the second part of a control."""
    wind = np.tensordot(control[len(SPREADS) :], waves(grid), axes=1).astype(np.float32)
    return CorrectedWeather(weather, *map(jnp.asarray, wind), jnp.asarray(until))


def mean_drift(system, weather, state, begin):
    """Mean of the drift each twelve hours of the window at T points, ``(2, y, x)`` [m/s]."""
    drifts = []
    for step in range(WINDOW // systems.HALF_DAY):
        now = jnp.asarray(begin + step * systems.HALF_DAY)
        state, kept = systems.half_day(system, weather, state, now)
        drifts.append(np.stack([kept["u"], kept["v"]]))
    return np.mean(drifts, axis=0)


def observe(runs, number):
    """What is seen before the start of a case: made once.

    Returns
    -------
    truth : IceState
        Ice at the start of the window.
    memory : list of array
        Of it; see `systems.memory_of`.
    drift : (2, y, x) array
        With noise, NaN where it is not seen [m/s].
    """
    one = cases.case(number, runs.grid)
    path = runs.path(one, "window")
    if not path.exists():
        system, weather, state = runs.spun_up(one, WINDOW)
        fields = {name: np.asarray(field) for name, field in state.fields().items()}
        fields |= systems.as_fields(systems.memory_of(state))
        drift = mean_drift(system, weather, state, one.start - WINDOW)
        rng = np.random.default_rng([cases.SEED, 1, number])
        drift = drift + NOISE * rng.standard_normal(drift.shape)
        seen = runs.ocean & (fields["concentration"] > LEAST_COVER)
        runs.write(path, fields | {"drift": np.where(seen, drift, np.nan)})
    with np.load(path) as file:
        ice = IceState(**{name: file[name] for name in STATE})
        return ice, systems.from_fields(file), file["drift"]


def estimate(runs, number):
    """Controls of each member of a case, ``(member, control)``: made once.

    One Gauss-Newton step from the forecasts' constants and the member's weather, with differences
    of half a standard deviation along each control.
    """
    one = cases.case(number, runs.grid)
    path = runs.path(one, "estimate")
    if not path.exists():
        truth, memory, drift = observe(runs, number)
        seen = np.isfinite(drift)
        controls, misfits = [], []
        size = len(SPREADS) + len(waves(runs.grid))
        for member, ice in enumerate(cases.analyses(one, runs.grid, truth)):
            weather = cases.forecast_weather(one, runs.grid, member)

            def run(control, ice=ice, weather=weather):
                begin = one.start - WINDOW
                system = two_way(runs.grid, control)
                changed = corrected(weather, control, runs.grid, one.start)
                state = systems.begun(system, changed, ice, ice, jnp.asarray(begin))
                state = systems.with_memory(state, memory)
                return mean_drift(system, changed, state, begin)[seen]

            before = run(np.zeros(size))
            slopes = [(run(DIFFERENCE * unit) - before) / DIFFERENCE for unit in np.eye(size)]
            matrix = np.stack(slopes, axis=1) / np.hypot(NOISE, UNKNOWN_ICE)
            misfit = (drift[seen] - before) / np.hypot(NOISE, UNKNOWN_ICE)
            control = np.linalg.solve(matrix.T @ matrix + np.eye(size), matrix.T @ misfit)
            after = run(control)
            controls.append(control)
            misfits.append([np.sqrt(np.mean((drift[seen] - d) ** 2)) for d in (before, after)])
        runs.write(path, {"controls": np.stack(controls), "misfits": np.array(misfits)})
    with np.load(path) as file:
        return file["controls"]


def two_way(grid, control):
    """The two-way system with the constants of a control."""
    return systems.two_way(grid, constants(control))


def forecast_parts(runs, number, name, member):
    """System and weather of a member of `SYSTEMS`."""
    one = cases.case(number, runs.grid)
    control = estimate(runs, number)[member].copy()
    with_constants, with_wind = SYSTEMS[name]
    if not with_constants:
        control[: len(SPREADS)] = 0.0
    if not with_wind:
        control[len(SPREADS) :] = 0.0
    weather = cast(cases.forecast_weather(one, runs.grid, member), jnp.float32)
    return two_way(runs.grid, control), corrected(weather, control, runs.grid, one.start)


def told(runs, numbers):
    """Lines on what was found."""
    numbers = [n for n in numbers if runs.have(n, "estimate")]
    if not numbers:
        return []
    misfits, errors = [], []
    names = list(SPREADS)
    for number in numbers:
        one = cases.case(number, runs.grid)
        true, default = cases.true_parameters(one), cases.default_parameters()
        aim = np.array([np.log(true[name] / default[name]) for name in names])
        with np.load(runs.path(one, "estimate")) as file:
            misfits.append(file["misfits"])
            found = file["controls"][:, : len(names)] * np.array(list(SPREADS.values()))
        errors.append(np.stack([np.broadcast_to(aim, found.shape), found - aim]))
    before, after = 100 * np.sqrt(np.mean(np.square(misfits), axis=(0, 1)))
    first, left = np.sqrt(np.mean(np.square(errors), axis=(0, 2)))
    lines = [
        f"Estimates of {len(numbers)} cases with {cases.MEMBERS} members. Seen drift less that of "
        f"the window, rms of a component: {before:.2f} cm/s before, {after:.2f} after (noise "
        f"{100 * NOISE:.1f}). Logarithm of the constants, rms error before and after:",
        "",
        "| " + " | ".join(names) + " |",
        "|---" * len(names) + "|",
    ]
    row = " | ".join(f"{a:.2f}, {b:.2f}" for a, b in zip(first, left, strict=True))
    return [*lines, f"| {row} |", ""]
