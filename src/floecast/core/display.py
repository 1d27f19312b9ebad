"""How objects show themselves: a line in a prompt, a small table and maps in a notebook.

A noun has `_card`, its facts, and may have `_pictures`. The maps are encoded here and not by the
report, so that they need no drawing library and appear at once. JAX is loaded where there can be
arrays of it only: a folder of a run and a scorecard are shown without.
"""

import base64
import dataclasses
import html
import math
import struct
import sys
import zlib
from typing import NamedTuple, get_args

import numpy as np

MOST_PIXELS = 128
"""Along a side of a map; a greater field is thinned."""

_ANCHORS = {
    "ice": ((6, 24, 56), (24, 78, 130), (98, 158, 196), (196, 222, 234), (255, 255, 255)),
    "amount": ((247, 250, 252), (150, 200, 205), (52, 134, 160), (38, 66, 122), (40, 16, 62)),
    "change": ((24, 72, 150), (136, 182, 216), (250, 250, 250), (228, 150, 122), (150, 24, 38)),
}
_COLOURS = 61
_LAND, _MISSING = _COLOURS, _COLOURS + 1
_LAST = ((217, 212, 200), (200, 204, 208))
_STYLE = "display:inline-block;vertical-align:top;margin:2px 10px 2px 0;font-size:90%"


class Card(NamedTuple):
    """What an object tells of itself: `facts` are pairs of a name and a text."""

    title: str
    facts: list[tuple[str, str]]


class Picture(NamedTuple):
    """A field to be shown small.

    Parameters
    ----------
    caption : str
    field : (y, x) array
        Rows ascending; NaN is shown as missing.
    colours : str
        ``"ice"`` from 0 to 1, ``"amount"`` from 0 up, ``"change"`` about 0.
    ocean : (y, x) bool array or None
        What is not, is drawn as land.
    """

    caption: str
    field: np.ndarray
    colours: str
    ocean: np.ndarray | None = None


def text(shown):
    """One line for ``repr``: the card, or what equinox prints where there are no values to tell."""
    bare = _without_values(shown)
    if bare is not None:
        return bare
    title, facts = shown._card()
    return f"{title}({'; '.join(f'{name} {what}'.strip() for name, what in facts)})"


def page(shown):
    """Self-contained HTML of an object: its card as a table, and its maps."""
    bare = _without_values(shown)
    if bare is not None:
        return f"<pre>{html.escape(bare)}</pre>"
    title, facts = shown._card()
    rows = [(name or "size", what) for name, what in facts]
    return table(title, rows) + "".join(figure(one) for one in getattr(shown, "_pictures", list)())


def table(title, rows, heads=()):
    """HTML of a small table; `rows` and `heads` are texts."""
    lines = [
        f"<tr>{''.join(f'<{tag}>{html.escape(str(cell))}</{tag}>' for cell in row)}</tr>"
        for tag, part in (("th", [heads] if heads else []), ("td", rows))
        for row in part
    ]
    return f'<div style="{_STYLE}"><b>{html.escape(title)}</b><table>{"".join(lines)}</table></div>'


def figure(picture):
    """HTML of one map, with its picture inside."""
    data, scale = png(picture)
    caption = html.escape(f"{picture.caption}, {scale}")
    source = base64.b64encode(data).decode()
    return (
        f'<figure style="{_STYLE}"><img alt="Map: {caption}" width="{MOST_PIXELS}" '
        f'style="image-rendering:pixelated" src="data:image/png;base64,{source}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def png(picture):
    """A map as a palette PNG of at most `MOST_PIXELS` a side, and its scale in words."""
    field = np.asarray(picture.field, np.float64)
    known = field[np.isfinite(field)]
    largest = float(np.abs(known).max(initial=0.0)) or 1.0
    lower, upper = {"ice": (0.0, 1.0), "amount": (0.0, largest), "change": (-largest, largest)}[
        picture.colours
    ]
    step = max(1, math.ceil(max(field.shape) / MOST_PIXELS))
    field = field[::step, ::step]
    share = (np.nan_to_num(field, posinf=0.0, neginf=0.0) - lower) / (upper - lower)
    index = np.clip(np.round(share * (_COLOURS - 1)), 0, _COLOURS - 1).astype(np.uint8)
    index[~np.isfinite(field)] = _MISSING
    if picture.ocean is not None:
        index[~np.asarray(picture.ocean)[::step, ::step]] = _LAND
    return _encoded(index[::-1], _palette(picture.colours)), f"{lower:.3g} to {upper:.3g}"


def _without_values(shown):
    """What equinox prints where a leaf is no number to look at: traced, a shape, deleted, none."""
    if not dataclasses.is_dataclass(shown) or "jax" not in sys.modules:
        return None
    import equinox as eqx
    import jax
    from jaxtyping import PyTree

    def there(leaf):
        if isinstance(leaf, jax.Array):
            traced = isinstance(leaf, jax.core.Tracer)
            return not (traced or leaf.is_deleted()) and leaf.is_fully_addressable
        return isinstance(leaf, np.ndarray | np.generic | bool | int | float)

    def whole(module):
        """Whether no field is None that must not be, as in the halves of ``eqx.partition``."""
        for field in dataclasses.fields(module):
            value = getattr(module, field.name)
            free = field.type is PyTree or type(None) in get_args(field.type)
            if value is None and not free or isinstance(value, eqx.Module) and not whole(value):
                return False
        return True

    if not isinstance(shown, eqx.Module):
        return None
    if whole(shown) and all(map(there, jax.tree.leaves(shown))):
        return None
    return eqx.tree_pformat(shown)


def span(values, unit=""):
    """Range of some values as text, such as ``0 to 4.31 m``; tells how many are not finite."""
    values = np.asarray(values)
    known = values[np.isfinite(values)]
    bad = values.size - known.size
    if not known.size:
        return "no finite value" if bad else "none"
    unit = "" if unit == "1" else f" {unit}"
    told = f"{float(known.min()):.3g} to {float(known.max()):.3g}{unit}"
    return told + (f" ({bad} not finite)" if bad else "")


def shape_text(shape, names=("states",)):
    """Shape of a field as text, such as ``40 states, 128 x 128``."""
    lead, cells = shape[:-2], shape[-2:]
    told = [f"{count} {name}" for count, name in zip(lead, names, strict=False)]
    told += [str(count) for count in lead[len(names) :]]
    return ", ".join([*told, " x ".join(map(str, cells))])


def layer(field):
    """The two-dimensional mean of a field over what stands before y and x."""
    field = np.asarray(field)
    return field.mean(axis=tuple(range(field.ndim - 2)))


def _palette(name):
    anchors = np.array(_ANCHORS[name], float)
    at = np.linspace(0, len(anchors) - 1, _COLOURS)
    mixed = [np.interp(at, np.arange(len(anchors)), part) for part in anchors.T]
    return np.vstack([np.round(np.transpose(mixed)), _LAST]).astype(np.uint8)


def _encoded(index, palette):
    """PNG of colour numbers, rows from the top (ISO/IEC 15948)."""

    def chunk(kind, data):
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    height, width = index.shape
    rows = b"".join(b"\0" + row.tobytes() for row in np.ascontiguousarray(index))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0))
        + chunk(b"PLTE", palette.tobytes())
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )
