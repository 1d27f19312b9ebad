"""The emulator as a model: samples, derivatives, precision, files, refusals."""

import json

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import floecast as fc
from floecast.atmosphere.forcing import Forcing
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.model import Model
from floecast.core.state import check_state
from floecast.emulator.model import Emulator

from .conftest import fields, scaling

KEY = jax.random.key(0)


@pytest.fixture
def step(emulator):
    return eqx.filter_jit(emulator.step)


def test_is_a_model(emulator, state_and_forcing, grid, step):
    assert isinstance(emulator, Model)
    after = step(*state_and_forcing, KEY)
    check_state(after, grid)
    assert after.ice_volume.dtype == jnp.float64


def test_each_key_is_a_sample(emulator, state_and_forcing, step):
    one, same, other = (step(*state_and_forcing, jax.random.key(seed)) for seed in (0, 0, 1))
    assert np.array_equal(one.ice_volume, same.ice_volume)
    for name in ("concentration", "ice_volume", "snow_volume", "u", "v", "damage"):
        assert np.abs(getattr(one, name) - getattr(other, name)).max() > 1e-4, name
    silent = eqx.tree_at(lambda one: one.noise_scale, emulator, jnp.asarray(0.0))
    calm = emulator.advance(*state_and_forcing, None).state
    assert np.allclose(silent.step(*state_and_forcing, KEY).ice_volume, calm.ice_volume)


def test_computes_in_the_precision_of_the_state(emulator, state_and_forcing, step):
    state, forcing = state_and_forcing
    exact = step(state, forcing, KEY)
    state = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), state)
    rough = step(state, forcing, KEY)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(rough))
    assert np.abs(rough.ice_volume - exact.ice_volume).max() < 1e-4
    model = Emulator(emulator.grid, emulator.network, emulator.scaling, network_dtype="bfloat16")
    half = eqx.filter_jit(model.step)(state, forcing, KEY)
    assert half.ice_volume.dtype == jnp.float32
    assert 1e-6 < np.abs(half.ice_volume - exact.ice_volume).max() < 0.3


def flat(state):
    return jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(state)])


@eqx.filter_jit
def pushed(emulator, state, forcing, noise, change):
    """A step and its derivative along a change of the state."""

    def step(state):
        return emulator.advance(state, forcing, noise).state

    return jax.jvp(step, (state,), (change,))


@eqx.filter_jit
def pulled(emulator, state, forcing, noise, weight):
    """Derivatives of a weighted step by the state and by the noise."""

    def step(state, noise):
        return emulator.advance(state, forcing, noise).state

    return jax.vjp(step, state, noise)[1](weight)


def test_tangent_and_adjoint_agree_through_twenty_steps(emulator, state_and_forcing):
    state, forcing = state_and_forcing
    random = np.random.default_rng(0)
    one, other = (
        jax.tree.map(lambda leaf: jnp.asarray(random.normal(size=leaf.shape)), state)
        for _ in range(2)
    )
    states, tangent, adjoint = [], one, other
    for number in range(20):
        states.append((state, forcing, emulator.draw(jax.random.fold_in(KEY, number))))
        state, tangent = pushed(emulator, *states[-1], tangent)
    for given in reversed(states):
        adjoint, _ = pulled(emulator, *given, adjoint)
    left, right = flat(tangent) @ flat(other), flat(one) @ flat(adjoint)
    size = jnp.linalg.norm(flat(tangent)) * jnp.linalg.norm(flat(other))
    assert abs(left - right) < 1e-12 * size
    assert jnp.isfinite(flat(adjoint)).all()


def test_remainder_of_taylor_falls_as_the_square(emulator, grid):
    state, forcing = fields(grid, 5, cover=(0.2, 0.9))
    random = np.random.default_rng(1)
    direction = jax.tree.map(lambda leaf: 0.01 * jnp.asarray(random.normal(size=leaf.shape)), state)
    # Only where there is something: beside a bound the other side does not exist.
    direction = jax.tree.map(
        lambda leaf: leaf * (state.concentration > 0.1) * (state.concentration < 0.95), direction
    )
    noise = emulator.draw(KEY)
    value, tangent = pushed(emulator, state, forcing, noise, direction)

    def remainder(size):
        moved = jax.tree.map(lambda leaf, move: leaf + size * move, state, direction)
        moved, _ = pushed(emulator, moved, forcing, noise, direction)
        told = jax.tree.map(lambda one, by: one + size * by, value, tangent)
        return jnp.linalg.norm(flat(moved) - flat(told))

    sizes = 2.0 ** -np.arange(6, 12)
    slopes = np.diff(np.log2([remainder(size) for size in sizes])) / np.diff(np.log2(sizes))
    assert np.all(np.abs(slopes - 2.0) < 0.1)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("concentration", [0.0, 0.5, 1.0, "all powers of ten"])
def test_gradients_are_finite_at_the_bounds(emulator, grid, step, concentration, dtype):
    state, forcing = fields(grid, 6)
    if concentration == "all powers of ten":
        powers = np.random.default_rng(0).integers(-40, 1, grid.shape)
        concentration = jnp.asarray(np.where(powers < -38, 0.0, 10.0**powers))
    cover = concentration * jnp.asarray(grid.mask_t)
    still = jnp.zeros(grid.shape)
    state = fc.IceState(cover, 2.0 * cover, 0.1 * cover, still, still, 1.0 * cover)
    state = jax.tree.map(lambda leaf: leaf.astype(dtype), state)
    # Of half the sum of squares.
    gradients = pulled(emulator, state, forcing, emulator.draw(KEY), step(state, forcing, KEY))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))


def test_comes_back_from_its_file(emulator, grid, state_and_forcing, tmp_path):
    emulator.save(tmp_path / "one.npz", {"hours": 1.5})
    with pytest.raises(InputError, match="give grid="):
        Emulator.load(tmp_path / "one.npz")
    back = Emulator.load(tmp_path / "one.npz", grid)
    header = np.load(tmp_path / "one.npz")["header"].tobytes()
    assert json.loads(header)["card"] == {"hours": 1.5}
    one, other = (model.step(*state_and_forcing, KEY) for model in (emulator, back))
    assert np.abs(flat(one) - flat(other)).max() < 1e-5  # single precision on disk


def test_wrong_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="no emulator at"):
        Emulator.load(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(InputError, match="is no emulator"):
        Emulator.load(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", numbers=np.zeros(3))
    with pytest.raises(InputError, match="is no emulator"):
        Emulator.load(tmp_path / "other.npz")


def test_bad_input_is_refused_before_the_first_step(emulator, state_and_forcing):
    state, forcing = state_and_forcing
    begin = int(forcing.time[0])
    bad = eqx.tree_at(lambda one: one.ice_volume, state, state.ice_volume.at[6, 9].set(-1.0))
    with pytest.raises(InputError, match=r"ice_volume is -1 at cell \(6, 9\)"):
        fc.rollout(emulator, bad, forcing, 1, key=KEY, start=begin)
    lacking = Forcing(
        forcing.time, **{k: v for k, v in forcing.fields().items() if k != "humidity"}
    )
    with pytest.raises(InputError, match="lacks humidity"):
        fc.rollout(emulator, state, lacking, 1, key=KEY, start=begin)
    with pytest.raises(InputError, match="the run needs"):
        fc.rollout(emulator, state, forcing, 2, key=KEY, start=begin)


def test_step_must_be_whole_seconds(grid, emulator):
    with pytest.raises(InputError, match="whole number of seconds"):
        Emulator(grid, emulator.network, scaling(), dt=0.5)
    with pytest.raises(InputError, match="multiples of 2"):
        Emulator(Grid.box((7, 8), 1e3), emulator.network, scaling())
