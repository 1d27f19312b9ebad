"""Control variables: bounds kept whatever the increment, and exact return."""

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from floecast.assimilation.bounds import (
    RESOLVED,
    Above,
    Between,
    Free,
    IceControl,
    Unbounded,
    bound_of,
)
from floecast.core import variables
from floecast.core.errors import InputError
from floecast.core.state import IceState
from floecast.core.variables import VARIABLES

SHAPE = (3, 2, 4)
REAL = st.floats(-1e6, 1e6)


def fields(upper):
    return arrays(float, SHAPE, elements=st.sampled_from([0.0, upper]) | st.floats(0.0, upper))


@st.composite
def states(draw):
    concentration, damage = draw(fields(1.0)), draw(fields(1.0))
    damage = np.where(concentration > 0, damage, 0.0)
    depths = [draw(fields(upper)) * concentration for upper in (10.0, 1.0)]
    drift = [draw(arrays(float, SHAPE, elements=st.floats(-1, 1))) for _ in range(2)]
    return IceState(*(jnp.asarray(f) for f in (concentration, *depths, *drift, damage)))


@given(st.floats(0, 1))
def test_fraction_returns(value):
    bound = Between(0.0, 1.0)
    assert bound.to_value(bound.to_control(value)) == pytest.approx(value, abs=1e-15)


@given(st.floats(0, 50))
def test_depth_returns(value):
    bound = Above(0.0, 0.2)
    assert bound.to_value(bound.to_control(value)) == pytest.approx(value, rel=1e-12, abs=1e-15)


@given(REAL)
def test_any_control_value_is_inside(control):
    assert -2 <= Between(-2.0, 3.0).to_value(control) <= 3
    assert Above(1.0, 0.2).to_value(control) >= 1


@given(REAL, REAL)
def test_maps_do_not_turn_back(one, other):
    low, high = sorted((one, other))
    for bound in (Between(0.0, 1.0), Above(0.0, 0.2)):
        assert bound.to_value(low) <= bound.to_value(high)


def test_bounds_are_reached_and_left():
    fraction, depth = Between(0.0, 1.0), Above(0.0, 0.2)
    assert fraction.to_value(-0.1) == depth.to_value(-0.1) == 0
    assert fraction.to_value(2.0) == 1
    assert 0 < fraction.to_value(0.15) < 0.02
    assert 0 < depth.to_value(0.2) < 0.1


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("bound", [Between(0.0, 1.0), Above(0.0, 0.2)])
def test_what_rests_on_a_bound_can_be_moved_off_it(bound, dtype):
    ends = jnp.asarray([0.0, 1.0], dtype)[: 2 if isinstance(bound, Between) else 1]
    control = bound.to_control(ends)
    assert control.dtype == dtype and (bound.to_value(control) == ends).all()
    slope = jax.vmap(jax.grad(bound.to_value))(control)
    assert (slope > 0.15).all()
    back = jax.vmap(jax.grad(bound.to_control))(ends)
    assert np.isfinite(back).all()


def test_depth_is_linear_far_from_the_bound():
    slope = jax.grad(Above(0.0, 0.2).to_value)(3.0)
    assert slope == pytest.approx(1.0, abs=0.005)


def test_bounds_come_from_the_table(monkeypatch):
    assert bound_of("concentration") == Between(0.0, 1.0)
    assert bound_of("thickness", 0.3) == Above(0.0, 0.3)
    assert isinstance(bound_of("u"), Free)
    odd = variables.Variable("odd", "", None, "1", upper=2.0)
    monkeypatch.setitem(VARIABLES, "odd", odd)
    with pytest.raises(InputError, match="upper bound only"):
        bound_of("odd")


@given(states())
def test_ensemble_returns(ensemble):
    control = IceControl()
    back = control.to_state(control.to_control(ensemble))
    cover = np.asarray(ensemble.concentration)
    resolved = (cover == 0) | (cover >= RESOLVED)
    for name, field in back.fields().items():
        given, field = np.asarray(ensemble.fields()[name]), np.asarray(field)
        np.testing.assert_allclose(field[resolved], given[resolved], rtol=1e-12, atol=1e-14)
        if name != "damage":  # that of traces goes where the cover is rounded to none
            np.testing.assert_allclose(field, given, rtol=1e-12, atol=0.1)


def test_traces_of_ice_have_no_thickness_of_their_own():
    cover = jnp.array([1e-8, 0.0, 1e-7])[:, None, None]
    zero = jnp.zeros_like(cover)
    control = IceControl(new_ice_thickness=0.15)
    free = control.to_control(IceState(cover, zero + 4e-4, *(zero,) * 4))
    more = control.to_state(IceState(free.concentration + 0.3, free.ice_volume, *(zero,) * 4))
    assert np.all(more.ice_volume < 4.2 * more.concentration) and np.all(more.ice_volume > 0)


@given(states(), arrays(float, (6, *SHAPE), elements=st.floats(-20, 20)))
def test_no_increment_leaves_the_bounds(ensemble, increments):
    control = IceControl()
    free = jax.tree.map(
        jnp.add, control.to_control(ensemble), IceState(*(jnp.asarray(i) for i in increments))
    )
    fields = control.to_state(free).fields()
    for name, field in fields.items():
        variable = VARIABLES[name]
        assert (field >= variable.lower).all() and (field <= variable.upper).all()
    open_water = fields["concentration"] == 0
    for name in ("ice_volume", "snow_volume", "damage"):
        assert (fields[name][open_water] == 0).all()


def test_ice_appears_and_vanishes():
    concentration = jnp.array([0.0, 0.1])[:, None, None]
    zero = jnp.zeros_like(concentration)
    ensemble = IceState(concentration, 0.5 * concentration, zero, zero, zero, zero)
    control = IceControl()
    free = control.to_control(ensemble)
    # A member without ice borrows the thickness of the others.
    assert free.ice_volume[0, 0, 0] == pytest.approx(float(free.ice_volume[1, 0, 0]), rel=2e-3)
    more, less = (
        control.to_state(IceState(free.concentration + change, free.ice_volume, *(zero,) * 4))
        for change in (0.2, -0.5)
    )
    assert (more.concentration > 0.05).all()
    assert np.asarray(more.ice_volume) == pytest.approx(0.5 * np.asarray(more.concentration), 2e-3)
    assert (less.concentration == 0).all() and (less.ice_volume == 0).all()


def test_new_ice_where_no_member_has_any():
    zero = jnp.zeros((2, 1, 1))
    control = IceControl(new_ice_thickness=0.15)
    free = control.to_control(IceState(*(zero,) * 6))
    state = control.to_state(IceState(zero + 0.5, free.ice_volume, *(zero,) * 4))
    assert state.thickness == pytest.approx(0.15)


def test_unbounded_changes_nothing():
    ensemble = {"a": jnp.arange(3.0)}
    assert Unbounded().to_state(Unbounded().to_control(ensemble)) is ensemble
