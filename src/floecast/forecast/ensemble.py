"""Ensemble forecast: every member forward in its own weather."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, PyTree

from floecast.core import calendar, display
from floecast.core.ensemble import count, healthy, stack
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.model import check_run, started
from floecast.core.parameter import whole_number
from floecast.core.rollout import rollout, start_of, whole_seconds
from floecast.core.variables import VARIABLES


class Forecast(eqx.Module):
    """Members along lead time.

    Parameters
    ----------
    grid : Grid
    issued : int
        Valid time of the initial states [s since 2000-01-01].
    time : (lead,) int array
        Valid times, the first being `issued` [s since 2000-01-01].
    ensemble : pytree
        Leaves ``(member, lead, y, x)``.
    healthy : (member,) bool array
        False for a member with a value that is not finite; statistics leave it out.
    """

    grid: Grid
    issued: int
    time: Int[Array, " lead"]
    ensemble: PyTree
    healthy: Bool[Array, " member"]

    @property
    def lead_hours(self):
        """Lead of each time [h]."""
        return (np.asarray(self.time) - self.issued) // calendar.HOUR

    def to_xarray(self):
        """Members as a CF-1.8 dataset ``(realization, time, y, x)``; failed ones are left out.

        Returns
        -------
        xarray.Dataset
            Velocities at cell centres.
        """
        from floecast.io.cf import to_dataset  # xarray only where it is asked for

        fields = {name: field[self.healthy] for name, field in self.ensemble.fields().items()}
        return to_dataset(
            fields,
            self.grid,
            time=self.time,
            members=True,
            reference_time=self.issued,
            title="Sea-ice ensemble forecast",
        )

    def __repr__(self):
        return display.text(self)

    def _repr_html_(self):
        return display.page(self)

    def _card(self):
        healthy = np.asarray(self.healthy)
        facts = [
            ("on", f"{self.grid.name}, {display.shape_text(self.grid.shape)}"),
            ("members", f"{int(healthy.sum())} of {healthy.size} finite"),
            ("issued", calendar.iso(self.issued)),
            ("times", f"{len(self.lead_hours)}, to +{self.lead_hours[-1]} h"),
        ]
        fields = getattr(self.ensemble, "fields", dict)()
        for name, field in fields.items():
            facts.append((name, display.span(np.asarray(field)[healthy], VARIABLES[name].unit)))
        return display.Card("Forecast", facts)

    def _pictures(self):
        """Mean concentration at the start and at the end."""
        healthy = np.asarray(self.healthy)
        if not (healthy.any() and hasattr(self.ensemble, "concentration")):
            return []
        members = np.asarray(self.ensemble.concentration)[healthy]
        return [
            display.Picture(
                f"concentration, +{self.lead_hours[index]} h",
                display.layer(members[:, index]),
                "ice",
                self.grid.mask_t,
            )
            for index in (0, -1)
        ]


def forecast(model, ensemble, forcing, *, days, key, start=None, at_once=8, progress=None):
    """Run every member of an analysis forward.

    Parameters
    ----------
    model : Model
    ensemble : pytree
        Analysis members; leaves ``(member, ...)``.
    forcing : forcing, or sequence of forcings
        One for all members, or one for each.
    days : int
        Length; states are kept once a day, the initial one first.
    key : key
        Member m draws from ``fold_in(key, m)``.
    start : int, optional
        Valid time of `ensemble` [s since 2000-01-01]; ``forcing.start`` if left out. Synthetic
        weather has no start and needs it.
    at_once : int
        Members advanced together; bounds the memory.
    progress : callable, optional
        Called as ``progress(days_done, days)``.

    Returns
    -------
    Forecast

    Raises
    ------
    InputError
        If the number of forcings is not that of the members, `days` or `start` is no whole number,
        a day is not a multiple of the model's step, `start` is not known, or the forcing lacks a
        field that the model needs.
    """
    members = count(ensemble)
    if not whole_number(days, 0):
        raise InputError(f"days is {days!r}; expected a whole number, not below 0")
    if calendar.DAY % model.dt:
        raise InputError(f"a day must be a multiple of the model's step, which is {model.dt} s")
    own_forcing = isinstance(forcing, Sequence)
    if own_forcing and len(forcing) != members:
        raise InputError(f"{len(forcing)} forcings for {members} members; give one, or one each")
    if start is None:
        start = start_of(forcing[0] if own_forcing else forcing)
    start = int(whole_seconds(start))
    _check_needs(model, forcing[0] if own_forcing else forcing, start)
    end = start + days * calendar.DAY
    for each in forcing if own_forcing else [forcing]:
        check_run(model, ensemble, each, start, end)
    forcing = stack(forcing) if own_forcing else forcing
    keys = jax.vmap(lambda index: jax.random.fold_in(key, index))(jnp.arange(members))

    states = [_shared(ensemble)]
    ensemble = _started(model, ensemble, forcing, own_forcing, jnp.asarray(start))
    for day in range(days):
        begin = jnp.asarray(start + day * calendar.DAY)
        ensemble = _one_day(model, ensemble, forcing, own_forcing, keys, begin, at_once)
        states.append(_shared(ensemble))
        if progress is not None:
            progress(day + 1, days)
    trajectory = jax.tree.map(lambda *leaves: np.stack(leaves, axis=1), *states)
    time = start + calendar.DAY * np.arange(days + 1)
    return Forecast(model.grid, start, time, trajectory, np.asarray(healthy(trajectory)))


def _check_needs(model, forcing, start):
    """Refuse forcing without a field that the model says it reads."""
    needs = getattr(model, "needs", ())
    if needs:
        first = forcing.between(start, start + model.dt)
        there = first.fields() if first.aloft is None else first.fields() | {"aloft": first.aloft}
        absent = [name for name in needs if name not in there]
        if absent:
            raise InputError(
                f"the forcing lacks {', '.join(absent)}, which the model needs; FilledForcing "
                "takes what is absent from another source"
            )


def _shared(ensemble):
    """What every model shares of the members' states, out of the device's memory."""
    ice = getattr(ensemble, "ice", None)
    return jax.tree.map(np.asarray, ensemble if ice is None else ice())


@eqx.filter_jit
def _started(model, ensemble, forcing, own_forcing, start):
    def one(state, forcing):
        return started(model, state, forcing.between(start, start + model.dt))

    return jax.vmap(one, in_axes=(0, 0 if own_forcing else None))(ensemble, forcing)


@eqx.filter_jit
def _one_day(model, ensemble, forcing, own_forcing, keys, begin, at_once):
    steps = calendar.DAY // model.dt

    def one(member):
        state, key, own = member
        weather = own if own_forcing else forcing
        run = rollout(model, state, weather, steps, key=key, start=begin, save_every=steps)
        return run.final

    members = (ensemble, keys, forcing if own_forcing else keys)
    return jax.lax.map(one, members, batch_size=at_once)
