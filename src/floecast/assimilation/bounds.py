"""Control variables: coordinates in which a bounded state may be changed freely.

An analysis adds increments to control variables, and the way back gives a state inside its bounds
whatever the increments were. Nothing is cut off afterwards.
"""

import abc
from math import inf

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from floecast.core.errors import InputError
from floecast.core.state import IceState
from floecast.core.variables import VARIABLES

EDGE = 0.01
"""How far the angular transform goes on beyond the bounds, as a share of their distance [1]."""
_AT_LEAST = float(np.hypot(1.0, 0.5))
RESOLVED = 0.01
"""Cover with less of which a thickness, volume over cover, says nothing [1]."""


class AbstractControl(eqx.Module):
    """Pair of maps between an ensemble of states and its control variables."""

    @abc.abstractmethod
    def to_control(self, ensemble):
        """Control variables of an ensemble; leaves with the member axis first."""

    @abc.abstractmethod
    def to_state(self, control):
        """States of control variables; the inverse of `to_control`, member by member."""


class Unbounded(AbstractControl):
    """The state is its own control variable."""

    def to_control(self, ensemble):
        """The ensemble itself."""
        return ensemble

    def to_state(self, control):
        """The control variables themselves."""
        return control


class AbstractBound(eqx.Module):
    """Monotonous map from the real line onto a closed interval.

    Both ends of the interval are reached at finite control values and kept beyond them, so that
    a variable can rest exactly on its bound, as open water does, and leave it again.
    """

    @abc.abstractmethod
    def to_control(self, value):
        """Control value of a value inside the bounds."""

    @abc.abstractmethod
    def to_value(self, control):
        """Value of any control value."""


class Free(AbstractBound):
    """No bound: the identity."""

    def to_control(self, value):
        """The value itself."""
        return value

    def to_value(self, control):
        """The control value itself."""
        return control


class Between(AbstractBound):
    """Two bounds.

    Parameters
    ----------
    lower, upper : float

    Notes
    -----
    ``x = lower + (upper - lower) ((1 + 2 e) sin(z)**2 - e)``, held at the bounds beyond them: the
    angular transform of proportions, which makes the sampling variance of a fraction nearly
    independent of its value. With e = `EDGE` the slope at the bounds is a fifth of that between
    them and not 0, so that observations can move a state which rests on a bound.
    """

    lower: float
    upper: float

    def to_control(self, value):
        """Angle of a value, between those of the bounds."""
        value = 1.0 * jnp.asarray(value)
        share = (value - self.lower) / (self.upper - self.lower)
        low, high = self._ends(share.dtype)
        inside = (share > 0) & (share < 1)
        share = jnp.where(inside, share, 0.5)
        angle = jnp.arcsin(jnp.sqrt((share + EDGE) / (1 + 2 * EDGE)))
        edge = jnp.where(value > 0.5 * (self.lower + self.upper), high, low)
        return jnp.where(inside, jnp.clip(angle, low, high), edge)

    def to_value(self, control):
        """Value of an angle."""
        control = 1.0 * jnp.asarray(control)
        low, high = self._ends(control.dtype)
        angle = jnp.where((control >= low) & (control <= high), control, 0.5 * (low + high))
        width = (1 + 2 * EDGE) * (self.upper - self.lower)
        # Differences of squares as products, exact at the bound that they are taken from.
        above = self.lower + width * jnp.sin(angle - low) * jnp.sin(angle + low)
        below = self.upper - width * jnp.sin(high - angle) * jnp.sin(high + angle)
        value = jnp.where(angle < 0.25 * np.pi, above, below)
        return jnp.where(control < low, self.lower, jnp.where(control > high, self.upper, value))

    def _ends(self, dtype):
        low = np.arcsin(np.sqrt(EDGE / (1 + 2 * EDGE)))
        return np.asarray(low, dtype), np.asarray(0.5 * np.pi - low, dtype)


class Above(AbstractBound):
    """A lower bound.

    Parameters
    ----------
    lower : float
    scale : float
        Distance from the bound within which the map is curved; linear with slope 1 far above.

    Notes
    -----
    ``x = lower + sqrt(s**2 + z**2) - sqrt(s**2 + z0**2)`` for z above ``z0 = s / 2``, where the
    slope is 0.45: as in `Between`, a state on the bound can be moved.
    """

    lower: float
    scale: float

    def to_control(self, value):
        """Control value, s / 2 on the bound."""
        height, least = value - self.lower, 0.5 * self.scale
        rise = height * (height + 2 * _AT_LEAST * self.scale)
        return least + rise / (jnp.sqrt(rise + least**2) + least)

    def to_value(self, control):
        """Value of a control value."""
        least = 0.5 * self.scale
        high = jnp.where(control >= least, control, least)
        root = jnp.sqrt(self.scale**2 + high**2) + _AT_LEAST * self.scale
        # The difference of the two roots without cancellation near the bound.
        return self.lower + (high - least) * (high + least) / root


def bound_of(name, scale=1.0):
    """Map onto the bounds of a variable.

    Parameters
    ----------
    name : str
        In `VARIABLES`.
    scale : float
        Of the curved part, if it has a lower bound only.

    Returns
    -------
    AbstractBound

    Raises
    ------
    InputError
        If the variable has an upper bound only.
    """
    lower, upper = VARIABLES[name].lower, VARIABLES[name].upper
    match lower > -inf, upper < inf:
        case True, True:
            return Between(lower, upper)
        case True, False:
            return Above(lower, scale)
        case False, False:
            return Free()
    raise InputError(f"no control variable for {name}, which has an upper bound only")


class IceControl(AbstractControl):
    """Control variables of an `IceState`: concentration, thickness, snow depth, drift, damage.

    Parameters
    ----------
    thickness_scale : float
        Thickness below which increments of thickness are damped towards 0 [m].
    snow_scale : float
        The same for snow depth [m].
    new_ice_thickness : float
        Thickness of ice that an analysis makes where no member has any [m].

    Notes
    -----
    Thickness and snow depth are means over the ice, so that a change of concentration alone takes
    its share of ice and snow along. A member without ice has no thickness: it is given the mean
    over the members that have, weighted by concentration, so that it neither adds to the spread
    nor to the correlation with concentration, and ice that appears in it is as thick as around it
    in the other members. With less cover than `RESOLVED` the thickness goes over to that mean, and
    the way back gives such traces of ice that thickness.
    """

    concentration: AbstractBound
    thickness: AbstractBound
    snow_depth: AbstractBound
    damage: AbstractBound
    new_ice_thickness: float

    def __init__(self, thickness_scale=0.2, snow_scale=0.05, new_ice_thickness=0.1):
        self.concentration = bound_of("concentration")
        self.thickness = bound_of("thickness", thickness_scale)
        self.snow_depth = bound_of("snow_volume", snow_scale)
        self.damage = bound_of("damage")
        self.new_ice_thickness = new_ice_thickness

    def to_control(self, ensemble):
        """Control variables of an ensemble ``(member, ...)``, as an `IceState` of them."""
        concentration = ensemble.concentration
        members = concentration.shape[0]
        safe = jnp.maximum(concentration, RESOLVED)
        little = members * 1e-4
        total = jnp.sum(concentration, axis=0, keepdims=True) + little

        def over_ice(volume, bound, otherwise):
            mean = (jnp.sum(volume, axis=0, keepdims=True) + little * otherwise) / total
            own = jnp.where(concentration >= RESOLVED, 1.0, concentration / RESOLVED)
            return bound.to_control(volume / safe + (1.0 - own) * mean)

        return IceState(
            concentration=self.concentration.to_control(concentration),
            ice_volume=over_ice(ensemble.ice_volume, self.thickness, self.new_ice_thickness),
            snow_volume=over_ice(ensemble.snow_volume, self.snow_depth, 0.0),
            u=ensemble.u,
            v=ensemble.v,
            damage=self.damage.to_control(ensemble.damage),
        )

    def to_state(self, control):
        """States of control variables; where an analysis takes all ice away nothing is damaged."""
        concentration = self.concentration.to_value(control.concentration)
        damage = self.damage.to_value(control.damage)
        return IceState(
            concentration=concentration,
            ice_volume=concentration * self.thickness.to_value(control.ice_volume),
            snow_volume=concentration * self.snow_depth.to_value(control.snow_volume),
            u=control.u,
            v=control.v,
            damage=jnp.where(concentration > 0, damage, 0),
        )
