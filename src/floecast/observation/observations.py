"""Observations of every kind in one pytree."""

import dataclasses

import equinox as eqx
import numpy as np
from jaxtyping import Bool, Float, Int

from floecast.core import display
from floecast.core.calendar import iso
from floecast.core.errors import InputError

KINDS = (
    "concentration",
    "thickness",
    "drift_u",
    "drift_v",
    "freeboard",
    "laser_freeboard",
    "snow_depth",
)
"""Kinds by their index: concentration [1], thickness over the ice [m], drift along the grid's
axes [m/s], height of the ice surface over the water [m], the same with the snow [m], snow over the
ice [m]. Files keep these numbers."""

UNITS = ("1", "m", "m s-1", "m s-1", "m", "m", "m")
"""Unit of each of `KINDS`."""

FLAGS = {
    "pole_hole": 1,
    "near_coast": 2,
    "out_of_range": 4,
    "failed_gross_check": 8,
    "suspect": 16,
    "duplicate": 32,
    "thinned": 64,
    "masked": 128,
    "ice_type": 256,
    "outside_window": 512,
    "interpolated": 1024,
}
"""Bits of `Observations.flag`; 0 is good."""

NO_OBSERVATION = 1 << 30
"""Flag of what fills up an array and is no observation."""

# No retrieval gives a greater fraction, and no percentage is greater; less is open water in both.
_MOST_FRACTION, _MOST_PERCENT, _OPEN_WATER = 1.5, 150.0, 0.01


class Observations(eqx.Module):
    """Observations with their errors, places, times and footprints; arrays along ``p``.

    Parameters
    ----------
    value, error_std : (p,) array
        What was measured and its standard error, in the unit of the kind.
    kind : (p,) int array
        Index into `KINDS`.
    group : (p,) int array
        Observations with the same positive number share a correlated error; 0 is independent.
    x, y : (p,) array
        Centre on the grid's projected plane [m].
    time, span : (p,) int array
        Centre of the averaging span [s since 2000-01-01], and its length [s].
    cell : (p, k) int array
        Footprint: flat index ``j * nx + i`` of the grid cells seen.
    weight : (p, k) array
        Share of each cell [1]; the sum over k is 1.
    flag : (p,) int array
        Bits of `FLAGS`; 0 is good.
    assumed : (p,) bool array
        Whether the error follows from the value, as the product tells none: `error_at_estimate`.
    """

    value: Float[np.ndarray, " p"]
    error_std: Float[np.ndarray, " p"]
    kind: Int[np.ndarray, " p"]
    group: Int[np.ndarray, " p"]
    x: Float[np.ndarray, " p"]
    y: Float[np.ndarray, " p"]
    time: Int[np.ndarray, " p"]
    span: Int[np.ndarray, " p"]
    cell: Int[np.ndarray, "p k"]
    weight: Float[np.ndarray, "p k"]
    flag: Int[np.ndarray, " p"]
    assumed: Bool[np.ndarray, " p"]

    @property
    def size(self):
        """Number of observations."""
        return self.value.shape[0]

    @property
    def position(self):
        """Centres ``(p, 2)`` on the projected plane [m]."""
        return np.stack([self.x, self.y], axis=-1)

    def select(self, keep):
        """Some of them.

        Parameters
        ----------
        keep : (p,) bool array, or int array
            Which, or their numbers.

        Returns
        -------
        Observations
        """
        return Observations(**{name: field[keep] for name, field in self._arrays().items()})

    def of_kind(self, name):
        """Those of one kind.

        Parameters
        ----------
        name : str
            One of `KINDS`.

        Returns
        -------
        Observations
        """
        return self.select(np.asarray(self.kind) == KINDS.index(name))

    def good(self):
        """Those without a flag."""
        return self.select(np.asarray(self.flag) == 0)

    def replace(self, **fields):
        """The same with other values for some fields.

        Parameters
        ----------
        **fields
            New values by name of the field.

        Returns
        -------
        Observations
        """
        return dataclasses.replace(self, **fields)

    @staticmethod
    def concatenate(parts):
        """All observations of several sets; footprints are padded with cells of weight 0.

        Parameters
        ----------
        parts : iterable of Observations

        Returns
        -------
        Observations

        Raises
        ------
        InputError
            If there is no part.
        """
        parts = list(parts)
        if not parts:
            raise InputError("no observations to join")
        width = max(part.cell.shape[1] for part in parts)

        def padded(name, part):
            field = np.asarray(getattr(part, name))
            if field.ndim == 1:
                return field
            return np.pad(field, ((0, 0), (0, width - field.shape[1])))

        return Observations(
            **{
                name: np.concatenate([padded(name, part) for part in parts])
                for name in parts[0]._arrays()
            }
        )

    def _arrays(self):
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def __repr__(self):
        return display.text(self)

    def _repr_html_(self):
        return display.page(self)

    def _card(self):
        facts = [("", f"{self.size} values")]
        kind, flag, time = (np.asarray(part) for part in (self.kind, self.flag, self.time))
        for index in np.unique(kind):
            here = kind == index
            told = display.span(np.asarray(self.value)[here], UNITS[index])
            facts.append((KINDS[index], f"{int(here.sum())} of {told}"))
        facts.append(("flagged", str(int(np.sum(flag != 0)))))
        if self.size:
            facts.append(("times", f"{iso(time.min())} to {iso(time.max())}"))
        return display.Card("Observations", facts)

    def _pictures(self):
        """Means in the cells of a raster over all positions; the two kinds of most values."""
        good = np.flatnonzero(np.asarray(self.flag) == 0)
        kind = np.asarray(self.kind)[good]
        pictures = []
        for index in np.argsort(-np.bincount(kind, minlength=len(KINDS)), kind="stable")[:2]:
            chosen = good[kind == index]
            if chosen.size:
                pictures.append(_raster(self, chosen, KINDS[index], UNITS[index]))
        return pictures


def _raster(observations, chosen, name, unit, size=64):
    x, y = np.asarray(observations.x), np.asarray(observations.y)
    side = max(np.ptp(x), np.ptp(y)) or 1.0
    column, row = (
        np.minimum((size * (part - part.min()) / side).astype(int), size - 1)[chosen]
        for part in (x, y)
    )
    sums, counts = np.zeros((size, size)), np.zeros((size, size))
    np.add.at(sums, (row, column), np.asarray(observations.value)[chosen])
    np.add.at(counts, (row, column), 1.0)
    mean = np.where(counts > 0, sums / np.maximum(counts, 1.0), np.nan)
    colours = {"concentration": "ice", "drift_u": "change", "drift_v": "change"}
    caption = name if unit == "1" else f"{name} [{unit}]"
    return display.Picture(caption, mean, colours.get(name, "amount"))


def observations(
    kind,
    value,
    error_std,
    x,
    y,
    time,
    cell,
    weight,
    *,
    span=0,
    group=0,
    flag=0,
    assumed=False,
):
    """Observations of one kind, checked; scalars stand for all.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    value, error_std, x, y, time, cell, weight, span, group, flag, assumed
        As in `Observations`; all but `cell` and `weight` may be scalars if `value` is an array.

    Returns
    -------
    Observations

    Raises
    ------
    InputError
        If the kind is unknown, a value is not finite, an error is not positive, concentrations are
        in percent, or the footprints are not one for each value, of the same shape and with weights
        that sum to 1.
    """
    if kind not in KINDS:
        raise InputError(f"no observations of kind {kind!r}; there are {', '.join(KINDS)}")
    value = np.atleast_1d(np.asarray(value, float))

    def along(field, dtype):
        return np.broadcast_to(np.asarray(field, dtype), value.shape).copy()

    made = Observations(
        value=value,
        error_std=along(error_std, float),
        kind=along(KINDS.index(kind), np.int32),
        group=along(group, np.int32),
        x=along(x, float),
        y=along(y, float),
        time=along(time, np.int64),
        span=along(span, np.int64),
        cell=_footprint(cell, np.int32),
        weight=_footprint(weight, float),
        flag=along(flag, np.int32),
        assumed=along(assumed, bool),
    )
    if made.cell.shape != made.weight.shape or len(made.cell) != value.size:
        raise InputError(
            f"{value.size} {kind} values have footprints of shape {made.cell.shape} with weights "
            f"of shape {made.weight.shape}; expected one row each"
        )
    if not np.isfinite(made.value).all():
        raise InputError(f"{np.sum(~np.isfinite(made.value))} {kind} values are not finite")
    if kind == "concentration":
        _refuse_percent(made.value)
    if not (made.error_std > 0).all():
        raise InputError(f"{np.sum(~(made.error_std > 0))} {kind} errors are not positive")
    if not np.allclose(made.weight.sum(axis=1), 1.0, atol=1e-6):
        raise InputError(f"the footprint weights of {kind} must sum to 1 for each observation")
    return made


def _refuse_percent(value):
    """Refuse concentrations of which most of the icy ones are what percent would be."""
    icy = (np.abs(value) > _OPEN_WATER) & (np.abs(value) < _MOST_PERCENT)
    if np.sum(value[icy] > _MOST_FRACTION) > 0.5 * np.sum(icy):
        raise InputError(
            f"concentrations up to {value[icy].max():g} are in percent: divide values and errors "
            "by 100"
        )


def _footprint(field, dtype):
    """Rows of a footprint; one cell each where there is one axis only."""
    field = np.asarray(field, dtype)
    return field[:, None] if field.ndim == 1 else field
