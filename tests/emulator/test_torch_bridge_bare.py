"""What the bridge to PyTorch does without PyTorch."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.emulator.torch_bridge import from_torch, within_bounds


def test_a_bound_acts_near_it_only_and_never_loses_the_slope():
    before = jnp.full(2001, 0.4)
    after = jnp.linspace(-1.0, 2.0, 2001)
    kept = within_bounds(before, after, "concentration")
    inner = (after > 0.04) & (after < 0.94)
    np.testing.assert_array_equal(kept[inner], after[inner])
    assert np.all(kept > 0) and np.all(kept < 1) and np.all(np.diff(kept) > 0)
    (slope,) = jax.vjp(lambda x: within_bounds(before, x, "concentration"), after)[1](before / 0.4)
    assert slope.min() > 1e-4
    np.testing.assert_allclose(np.diff(kept), 0.0015 * (slope[1:] + slope[:-1]) / 2, rtol=1e-2)
    # A field at rest is kept to the bit, on the bounds too, and what leaves a bound is not slowed.
    rest = jnp.array([0.0, 1e-12, 0.3, 1.0], jnp.float32)
    np.testing.assert_array_equal(within_bounds(rest, rest, "concentration"), rest)
    assert within_bounds(jnp.array(0.0), jnp.array(0.2), "ice_volume") == 0.2
    assert within_bounds(jnp.array(0.0), jnp.array(-0.2), "ice_volume") == 0.0


def test_pytorch_is_loaded_on_use_only():
    code = "import sys, floecast.emulator.torch_bridge; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_pytorch_is_missed_with_a_hint(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    case = dict(grid=Grid.box((4, 4), 1e3), dt=3600, inputs=("u",), outputs=("u",))
    with pytest.raises(InputError, match=r"not installed: pip install 'floecast\[torch\]'"):
        from_torch(None, **case)


def test_slopes_are_finite_next_to_nothing():
    before, after = jnp.meshgrid(*2 * [jnp.array([0.0, 1e-30, 1e-20, 1e-12], jnp.float32)])
    for sign in (1.0, -1.0):
        kept, pull = jax.vjp(lambda b, a: within_bounds(b, a, "damage"), before, sign * after)
        assert np.all(kept >= 0) and np.all(np.isfinite(pull(jnp.ones_like(kept))))
