"""Tangent and adjoint of the emulator through the steps of a forecast, in double precision."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from floecast.atmosphere.forcing import Forcing
from floecast.core.keys import named_key
from floecast.core.precision import cast
from floecast.core.state import IceState
from floecast.core.variables import STATE

STEPS = 20
SIZES = 2.0 ** -np.arange(11, 18)
"""Of the moves of the Taylor test."""


def check(measured):
    """Figures of the derivatives, from the first date's truth.

    Returns
    -------
    dict
        ``dot_product``, relative difference of both sides of the test; ``slope``, median slope of
        the remainder of the Taylor series; ``finite``, whether all derivatives are, also at states
        of concentration 0 and 1, volume 0, speed 0 and damage 1.
    """
    case, emulator = measured.cases[0], measured.emulator
    forcing = measured.truth.forcing(case.start, emulator.dt, STEPS, emulator.ocean is None)
    state = jax.tree.map(lambda leaf: leaf[0], case.truth)
    with jax.enable_x64(True):
        return _check(emulator, state, forcing)


def _check(emulator, state, forcing):
    emulator, state, forcing = (
        cast(jax.tree.map(jnp.asarray, one), jnp.float64) for one in (emulator, state, forcing)
    )
    chain = _Chain(emulator, forcing, named_key(0, "validation", "derivatives"))
    random = np.random.default_rng(0)
    direction = _inside(state, random)
    along, value = chain.tangent(state, direction)
    other = jax.tree.map(lambda leaf: jnp.asarray(random.normal(size=leaf.shape)), state)
    back = chain.adjoint(state, other)
    left, right = _dot(along, other), _dot(direction, back)
    remainders = []
    for size in SIZES:
        moved = chain.run(jax.tree.map(lambda leaf, by, s=size: leaf + s * by, state, direction))
        rest = jax.tree.map(lambda a, b, c, s=size: a - b - s * c, moved, value, along)
        remainders.append(np.sqrt(_dot(rest, rest)))
    finite = [_finite(back), _finite(along)]
    sea, still = jnp.asarray(emulator.grid.mask_t, float), jnp.zeros(emulator.grid.shape)
    for cover in (0.0, 1.0):
        bound = IceState(cover * sea, 2 * cover * sea, 0.1 * cover * sea, still, still, cover * sea)
        finite.append(_finite(chain.adjoint(bound, other)))
    return {
        "dot_product": abs(left - right) / abs(left),
        "slope": float(np.median(np.diff(np.log2(remainders)) / np.diff(np.log2(SIZES)))),
        "finite": all(finite),
    }


class _Chain:
    """The steps of a forecast with fixed noise."""

    def __init__(self, emulator, forcing, key):
        self.emulator, self.forcing = emulator, forcing
        self.keys = jax.random.split(key, STEPS)

    def _steps(self):
        for number in range(STEPS):
            fields = self.forcing.fields()
            two = {name: field[number : number + 2] for name, field in fields.items()}
            yield Forcing(self.forcing.time[number : number + 2], **two), number

    def run(self, state):
        """State at the end."""
        for forcing, number in self._steps():
            state = _step(self.emulator, state, forcing, self.keys[number])
        return state

    def tangent(self, state, along):
        """What a small move becomes, and the state at the end."""
        for forcing, number in self._steps():
            state, along = _tangent(self.emulator, state, along, forcing, self.keys[number])
        return along, state

    def adjoint(self, state, back):
        """Gradient with respect to the state at the start."""
        states = []
        for forcing, number in self._steps():
            states.append(state)
            state = _step(self.emulator, state, forcing, self.keys[number])
        for forcing, number in reversed(list(self._steps())):
            back = _adjoint(self.emulator, states[number], back, forcing, self.keys[number])
        return back


def _once(emulator, state, forcing, key):
    return emulator.step(state, forcing, key)


_step = eqx.filter_jit(_once)


@eqx.filter_jit
def _tangent(emulator, state, along, forcing, key):
    return jax.jvp(lambda one: _once(emulator, one, forcing, key), (state,), (along,))


@eqx.filter_jit
def _adjoint(emulator, state, back, forcing, key):
    return jax.vjp(lambda one: _once(emulator, one, forcing, key), state)[1](back)[0]


def _inside(state, random):
    """A direction along which the state keeps its bounds for a while."""
    room = {
        "concentration": state.concentration * (1 - state.concentration),
        "damage": state.damage * (1 - state.damage),
    }
    return IceState(
        **{
            name: jnp.asarray(random.normal(size=field.shape)) * room.get(name, field)
            for name, field in state.fields().items()
        }
    )


def _dot(one, other):
    return float(sum(jnp.vdot(getattr(one, name), getattr(other, name)) for name in STATE))


def _finite(tree):
    return all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(tree))
