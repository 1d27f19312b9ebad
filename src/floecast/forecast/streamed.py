"""Members forward from one time to the next, a few at once."""

import equinox as eqx
import jax
import numpy as np
from jax.sharding import AxisType, Mesh, PartitionSpec
from jaxtyping import Array, PyTree

from floecast.atmosphere.forcing import FilledForcing, Forcing
from floecast.core.ensemble import healthy
from floecast.core.model import check_run, started
from floecast.core.rollout import rollout


class MemberWeather(eqx.Module):
    """The weather of an ensemble.

    Parameters
    ----------
    own : pytree
        Weather of each, leaves ``(member, ...)``, such as `SyntheticWeather`.
    known : Forcing, optional
        What all share; `own` gives the fields that it lacks.
    """

    own: PyTree
    known: Forcing | None = None

    def of(self, own):
        """Forcing of a member, from its part of `own`."""
        return own if self.known is None else FilledForcing(self.known, own)

    def member(self, number):
        """Forcing of member `number`."""
        return self.of(jax.tree.map(lambda leaf: leaf[number], self.own))


def check_members(model, states, weather, start, end):
    """Let the model refuse members or weather.

    Parameters
    ----------
    model : Model
    states : pytree
        Leaves ``(member, ...)``; members that are not finite are not looked at.
    weather : MemberWeather
        Of which that of the first member is looked at.
    start, end : int
        Of the whole run [s since 2000-01-01].

    Raises
    ------
    InputError
        If a state leaves its bounds, or the weather lacks a field or a time.
    """
    good = np.asarray(healthy(states))
    kept = jax.tree.map(lambda leaf: leaf[good], states)
    check_run(model, kept, weather.member(0), start, end)


@eqx.filter_jit
def begun(model, states, weather, start, at_once=8):
    """The members as the model steps them; see `core.model.started`.

    Parameters
    ----------
    model : Model
    states : pytree
        Leaves ``(member, ...)``.
    weather : MemberWeather
    start : int array
        [s since 2000-01-01]
    at_once : int
        Members that are mapped over.

    Returns
    -------
    pytree
    """

    def one(member):
        state, own = member
        return started(model, state, weather.of(own).between(start, start + model.dt))

    return jax.lax.map(one, (states, weather.own), batch_size=at_once)


def chunk(members, at_once):
    """Members to map over together, so that the last chunk is as large as the others if possible.

    Parameters
    ----------
    members : int
    at_once : int
        As many at most.

    Returns
    -------
    int
        The largest divisor of `members` that is no more than `at_once` nor less than half of it:
        a chunk of another size is compiled a second time. `at_once` where there is none.
    """
    fitting = [n for n in range(at_once, (at_once - 1) // 2, -1) if members % n == 0]
    return fitting[0] if fitting else min(at_once, members)


def member_mesh(devices=None):
    """Mesh of devices that share the members.

    Parameters
    ----------
    devices : int, optional
        As many; all that JAX sees if left out.

    Returns
    -------
    jax.sharding.Mesh or None
        None for a single device.
    """
    devices = jax.local_device_count() if devices is None else devices
    if devices == 1:
        return None
    return jax.make_mesh(
        (devices,), ("member",), axis_types=(AxisType.Auto,), devices=jax.local_devices()[:devices]
    )


@eqx.filter_jit
def advanced(
    model, states, weather, keys: Array, begin, steps, at_once=8, mesh: Mesh | None = None
):
    """Members some steps later.

    Parameters
    ----------
    model : Model
    states : pytree
        From `begun` or this.
    weather : MemberWeather
    keys : (member,) key array
    begin : int array
        [s since 2000-01-01]
    steps : int
    at_once : int
        Members that are mapped over; the memory of a step is that of as many.
    mesh : jax.sharding.Mesh, optional
        Of `member_mesh`: each device takes an equal part of the members, and `at_once` of them at
        once. Where they cannot be shared equally, the last member fills up.

    Returns
    -------
    pytree
        Members that are not finite stay so and touch no other.

    Notes
    -----
    Each step draws from the member's key and the time of the step, as `core.rollout.rollout` does:
    a run in parts is the whole run.
    """
    members = states, weather.own, keys
    if mesh is None:
        return _mapped(model, weather.known, begin, members, steps, at_once)
    count = keys.shape[0]
    share = -(-count // mesh.size)
    if share * mesh.size > count:
        filled = np.minimum(np.arange(share * mesh.size), count - 1)
        members = jax.tree.map(lambda leaf: leaf[filled], members)
    everyone, each = PartitionSpec(), PartitionSpec("member")
    arrays, static = eqx.partition((model, weather.known), eqx.is_array)

    def on_device(arrays, begin, members):
        model, known = eqx.combine(arrays, static)
        return _mapped(model, known, begin, members, steps, chunk(share, at_once))

    after = jax.shard_map(
        on_device, mesh=mesh, in_specs=(everyone, everyone, each), out_specs=each, check_vma=False
    )(arrays, begin, members)
    return after if share * mesh.size == count else jax.tree.map(lambda leaf: leaf[:count], after)


def _mapped(model, known, begin, members, steps, at_once):
    weather = MemberWeather(None, known)

    def one(member):
        state, own, key = member
        run = rollout(model, state, weather.of(own), steps, key=key, start=begin, save_every=steps)
        return run.final

    return jax.lax.map(one, members, batch_size=at_once)
