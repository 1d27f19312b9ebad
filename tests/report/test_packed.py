"""Numbers of the page: what comes out of the pack is what went in, to the rounding told."""

import base64
import zlib

import numpy as np
import pytest

from floecast.report.packed import BREAK, MISSING, Pack, round_step


def unpacked(pack, name):
    """Codes of an array, taken out as the script of the page does."""
    entry = pack.entries[name]
    raw = zlib.decompress(base64.b64decode(pack.text()))
    count = int(np.prod(entry["shape"]))
    codes = np.frombuffer(raw, "<" + entry["kind"], count, entry["at"]).reshape(entry["shape"])
    return np.cumsum(codes, axis=0, dtype=codes.dtype) if entry.get("delta") else codes


def values(pack, name):
    entry, codes = pack.entries[name], unpacked(pack, name)
    told = entry["offset"] + entry["step"] * codes
    return np.where(codes == MISSING[entry["kind"]], np.nan, told)


@pytest.mark.parametrize(
    ("lower", "options"),
    [
        (0.0, {}),
        (-1.0, {}),
        (0.0, {"step": 0.01, "kind": "u2"}),
        (-3.0, {"step": 0.001, "kind": "u2"}),
    ],
)
def test_field_comes_back_to_half_a_step(lower, options):
    rng = np.random.default_rng(0)
    field = rng.uniform(lower, 1.0, (5, 3, 40))
    field[2, 1, :7] = np.nan
    pack = Pack()
    pack.add("other", np.arange(3), "u1")  # the next array has to be aligned
    pack.add_field("field", field, **options)
    step = pack.entries["field"]["step"]
    assert step <= 0.0101 * (1.0 - lower)
    np.testing.assert_array_equal(np.isnan(values(pack, "field")), np.isnan(field))
    np.testing.assert_allclose(values(pack, "field"), field, atol=0.5001 * step)
    assert pack.entries["field"]["at"] % int(pack.entries["field"]["kind"][1]) == 0


def test_nothing_is_negative_and_shares_are_in_half_percents():
    pack = Pack()
    pack.add_field("share", np.array([[0.0, 0.15, 0.8, 1.0]]))
    assert pack.entries["share"]["step"] == 0.005
    np.testing.assert_allclose(values(pack, "share"), [[0.0, 0.15, 0.8, 1.0]], atol=1e-12)


def test_what_is_too_great_is_told_as_the_greatest():
    pack = Pack()
    pack.add_field("field", np.array([[0.0, 900.0]]), step=1.0)
    assert list(values(pack, "field")[0]) == [0.0, 254.0]


def test_nothing_known():
    pack = Pack()
    pack.add_field("field", np.full((2, 3), np.nan))
    assert np.isnan(values(pack, "field")).all()


def test_lines():
    pack = Pack()
    lines = [
        np.array([[0.0, 10.0], [0.4, 10.4], [20.0, -30.0]]),
        np.array([[1e9, 0.0], [5.0, 5.0]]),
    ]
    pack.add_lines("lines", lines, 1.0)
    pack.add_lines("none", [], 1.0)
    x, y = unpacked(pack, "lines")
    assert list(x) == [0, 20, BREAK, -BREAK - 1, 5, BREAK]
    assert list(y) == [10, -30, BREAK, 0, 5, BREAK]
    assert pack.entries["none"]["shape"] == [2, 0]


@pytest.mark.parametrize(
    ("least", "step"), [(0.004, 0.005), (0.005, 0.005), (0.0051, 0.01), (3.0, 5.0), (0, 1.0)]
)
def test_round_step(least, step):
    assert round_step(least) == step
