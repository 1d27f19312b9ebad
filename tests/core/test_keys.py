"""Random keys by name."""

import zlib

import jax
import numpy as np

from floecast.core.keys import named_key


def bits(key):
    return tuple(np.asarray(jax.random.key_data(key)).tolist())


def test_a_key_depends_on_its_names_alone():
    assert bits(named_key(7, "observations", 3)) == bits(named_key(7, "observations", 3))
    inner = named_key(named_key(7, "observations"), 3)
    assert bits(inner) == bits(named_key(7, "observations", 3))


def test_names_seed_order_and_type_matter():
    keys = [
        named_key(7),
        named_key(8),
        named_key(7, "a"),
        named_key(7, "b"),
        named_key(7, "a", "b"),
        named_key(7, "b", "a"),
        named_key(7, "ab"),
        named_key(7, 1),
        named_key(7, "1"),
        *(named_key(7, "member", number) for number in range(200)),
    ]
    assert len({bits(key) for key in keys}) == len(keys)


def test_the_law_is_the_same_everywhere():
    expected = jax.random.key(7)
    for text in ("str:cycle", "int:12"):
        expected = jax.random.fold_in(expected, zlib.crc32(text.encode()))
    assert bits(named_key(7, "cycle", 12)) == bits(expected)
