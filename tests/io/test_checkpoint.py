"""Checkpoints come back to the bit, or not at all."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from floecast.core.errors import FloecastWarning, InputError
from floecast.core.grid import Grid
from floecast.core.state import IceState
from floecast.io.checkpoint import (
    forget_last,
    former_of,
    load_checkpoint,
    load_last,
    read_header,
    save_checkpoint,
    save_last,
)


def same_bits(left, right):
    """Equal structure, kinds, types and bits, NaN included."""
    left, right = jax.tree_util.tree_flatten(left), jax.tree_util.tree_flatten(right)
    assert left[1] == right[1]
    for one, other in zip(left[0], right[0], strict=True):
        if hasattr(one, "dtype") and jax.dtypes.issubdtype(one.dtype, jax.dtypes.prng_key):
            assert jax.random.key_impl(one) == jax.random.key_impl(other)
            one, other = jax.random.key_data(one), jax.random.key_data(other)
        assert isinstance(one, jax.Array) == isinstance(other, jax.Array)
        if not hasattr(one, "dtype"):
            assert type(one) is type(other)
        one, other = np.asarray(one), np.asarray(other)
        assert one.dtype == other.dtype and one.shape == other.shape
        assert one.tobytes() == other.tobytes()
    return True


@pytest.fixture
def run(key):
    """What a run goes on from."""
    grid = Grid.box((3, 4), 2e3)
    draws = iter(jax.random.split(key, 6))
    field = lambda: jax.random.uniform(next(draws), (5, 3, 4))  # noqa: E731
    return {
        "ensemble": IceState(*(field() for _ in range(6))),
        "grid": grid,
        "keys": jax.random.split(key, 5),
        "other_generator": jax.random.key(3, impl="rbg"),
        "clock": 473_385_600,
        "inflation": 1.02,
        "spun_up": True,
        "step": jnp.int32(7),
        "single": jnp.array([1.5, jnp.nan, -0.0], jnp.float32),
        "half": jnp.array([1.5, -2.0], jnp.bfloat16),
        "start": np.datetime64("2015-01-01", "ns"),
        "none": None,
        "empty": jnp.zeros((0, 3)),
    }


def test_round_trip(run, tmp_path):
    path = tmp_path / "run.ckpt"
    save_checkpoint(path, run, config_hash="abc")
    assert same_bits(load_checkpoint(path, run, config_hash="abc"), run)
    assert [file.name for file in tmp_path.iterdir()] == ["run.ckpt"]


def test_skeleton_of_shapes(run, tmp_path):
    path = tmp_path / "run.ckpt"
    save_checkpoint(path, run["ensemble"])
    skeleton = eqx.filter_eval_shape(lambda: run["ensemble"])
    assert same_bits(load_checkpoint(path, skeleton), run["ensemble"])


@given(st.data())
def test_any_array(tmp_path_factory, data):
    dtype = data.draw(st.sampled_from(["bool", "int8", "int64", "uint16", "float32", "float64"]))
    tree = [data.draw(hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0)))]
    path = tmp_path_factory.getbasetemp() / "any.ckpt"
    save_checkpoint(path, tree)
    assert same_bits(load_checkpoint(path, tree), tree)
    tree = [jnp.asarray(tree[0])]
    assert same_bits(load_checkpoint(path, tree), tree)


def test_same_tree_same_bytes(run, tmp_path):
    for name in ("one", "two"):
        save_checkpoint(tmp_path / name, run)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_leaves_go_by_name_not_by_place(tmp_path):
    path = tmp_path / "x.ckpt"
    save_checkpoint(path, {"a": jnp.zeros(2), "b": jnp.ones(2)})
    with pytest.raises(InputError, match=r"lacks the leaf \['c'\]"):
        load_checkpoint(path, {"b": jnp.zeros(2), "c": jnp.zeros(2)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tree: tree | {"more": jnp.zeros(1)}, r"lacks the leaf \['more'\]"),
        (lambda tree: {"u": tree["u"]}, r"leaf \['n'\] too many"),
        (lambda tree: tree | {"u": jnp.zeros((2, 4))}, r"\['u'\] has shape \[2, 3\], expected \[2"),
        (lambda tree: tree | {"u": tree["u"].astype("float32")}, r"\['u'\] has dtype float64, exp"),
        (lambda tree: tree | {"n": 2.5}, r"\['n'\] has dtype python int, expected python float"),
        (lambda tree: tree | {"n": jax.random.key(0)}, r"\['n'\] has dtype python int, exp.* key"),
    ],
)
def test_mismatch_names_the_leaf(tmp_path, change, message):
    tree = {"u": jnp.zeros((2, 3)), "n": 2}
    save_checkpoint(tmp_path / "x.ckpt", tree)
    with pytest.raises(InputError, match=message):
        load_checkpoint(tmp_path / "x.ckpt", change(tree))


def test_other_configuration(tmp_path):
    save_checkpoint(tmp_path / "x.ckpt", [jnp.zeros(2)], config_hash="old")
    assert read_header(tmp_path / "x.ckpt")["config_hash"] == "old"
    with pytest.raises(InputError, match="another configuration"):
        load_checkpoint(tmp_path / "x.ckpt", [jnp.zeros(2)], config_hash="new")


def test_double_precision_is_not_lost_silently(tmp_path):
    save_checkpoint(tmp_path / "x.ckpt", [jnp.full(2, 1 / 3)])
    skeleton = [jax.ShapeDtypeStruct((2,), np.float64)]
    with jax.enable_x64(False), pytest.raises(InputError, match="jax_enable_x64"):
        load_checkpoint(tmp_path / "x.ckpt", skeleton)


@pytest.mark.parametrize("keep", [0, 10, 300, -1])
def test_damaged_file(run, tmp_path, keep):
    path = tmp_path / "run.ckpt"
    save_checkpoint(path, run)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match="is damaged or no checkpoint"):
        load_checkpoint(path, run)


def test_flipped_bit(tmp_path):
    path, tree = tmp_path / "x.ckpt", [jnp.arange(100.0)]
    save_checkpoint(path, tree)
    content = bytearray(path.read_bytes())
    place = bytes(content).index(np.arange(100.0).tobytes()) + 50
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="is damaged"):
        load_checkpoint(path, tree)


def test_absent_file(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        load_checkpoint(tmp_path / "nothing.ckpt", [])


@pytest.mark.parametrize("leaf", ["text", np.array([{}]), jnp.sin])
def test_leaf_that_is_no_array(tmp_path, leaf):
    with pytest.raises(TypeError, match=r"leaf \['a'\]"):
        save_checkpoint(tmp_path / "x.ckpt", {"a": leaf})
    assert not list(tmp_path.iterdir())


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.ckpt"
    save_checkpoint(path, [jnp.zeros(2)])
    before = path.read_bytes()

    def fail(file, **arrays):
        file.write(b"half of it")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(path, [jnp.ones(2)])
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["x.ckpt"]


@pytest.fixture
def two(tmp_path):
    """Path of a checkpoint of twos with one of ones before it."""
    path = tmp_path / "state.npz"
    for value in (1.0, 2.0):
        save_last(path, [jnp.full(50, value)], config_hash="same")
    return path


def flipped(content):
    changed = bytearray(content)
    changed[len(content) // 2] ^= 4
    return bytes(changed)


LIKE = [jnp.zeros(50)]


@pytest.mark.parametrize(
    "damage", [lambda content: content[: len(content) // 2], lambda content: b"", flipped]
)
def test_the_one_before_stands_in_for_a_damaged_one(two, damage):
    assert load_last(two, LIKE)[0][0] == 2
    two.write_bytes(damage(two.read_bytes()))
    with pytest.warns(FloecastWarning, match=r"state.npz is damaged.*going on.*state.before.npz"):
        assert load_last(two, LIKE)[0][0] == 1
    former_of(two).write_bytes(damage(former_of(two).read_bytes()))
    with pytest.raises(InputError, match=r"delete \S+state.npz and \S+before.npz to begin anew"):
        load_last(two, LIKE)
    forget_last(two)
    assert load_last(two, LIKE) is None


def test_the_one_before_stands_in_for_another_shape_and_a_kill_between_two_names(two):
    save_checkpoint(two, [jnp.zeros(49)])
    with pytest.warns(FloecastWarning, match=r"shape \[49\], expected \[50\]; going on"):
        assert load_last(two, LIKE)[0][0] == 1
    two.unlink()
    with pytest.warns(FloecastWarning, match="state.npz is not there; going on"):
        assert load_last(two, LIKE)[0][0] == 1


def test_checkpoints_of_another_configuration_count_as_absent(two):
    assert load_last(two, LIKE, config_hash="other") is None
    assert load_last(two, LIKE, config_hash="same")[0][0] == 2


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_no_flipped_bit_passes_or_breaks_out(tmp_path_factory, place, bit):
    path = tmp_path_factory.getbasetemp() / "flipped.npz"
    tree = {"a": jnp.arange(20.0), "key": jax.random.key(1), "n": 3}
    save_checkpoint(path, tree)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    path.write_bytes(content)
    try:
        assert same_bits(load_checkpoint(path, tree), tree)
    except InputError as fault:
        assert str(path) in str(fault) and "\n" not in str(fault)
