"""The simulator: rheology, transport and thermodynamics put together as a `Model`."""

from dataclasses import replace
from math import ceil, inf

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from floecast.atmosphere.boundary_layer import BoundaryLayer
from floecast.atmosphere.coupling import SUPPLIED, sea_cells
from floecast.core import display
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.operators import east, north
from floecast.core.parameter import check_parameter, check_parameters, parameter
from floecast.core.precision import cast

from .advection import AbstractScheme, Mesh, Upwind, count_substeps, limit_speed
from .coupling import advance_column, start_column
from .drifters import check_drifters, drift
from .free_drift import FreeDrift
from .guard import check_input, check_ocean, check_single
from .interfaces import AbstractRheology, AbstractThermodynamics
from .state import SimulatorState, complete
from .thermodynamics import SimpleFreezing
from .transport import transport


class Simulator(eqx.Module):
    """Sea-ice model that obeys `core.model.Model`.

    Parameters
    ----------
    grid : Grid
    rheology : AbstractRheology, optional
        `FreeDrift()` if left out.
    thermodynamics : AbstractThermodynamics, optional
        `SimpleFreezing()` if left out.
    scheme : AbstractScheme, optional
        Transport; `Upwind()` if left out.
    boundary_layer : BoundaryLayer, optional
        Column of air over each cell, which feels the ice and gives it stress and heat; the forcing
        then has to hold `aloft`. The 10 m wind, 2 m temperature and humidity of the forcing act by
        bulk formulas if left out.
    ice_roughness : float
        Of level ice, as the boundary layer feels it [m].
    ocean : optional
        Anything with ``between(start, end)``, such as `ArcticOcean`: what the forcing lacks of
        currents, sea-surface height and ocean temperature. Still water if left out.
    dt : int
        Length of a step [s].

    Raises
    ------
    InputError
        If a part is not of its kind or has parameters out of their bounds, the ocean is one of
        another grid, `dt` is not a positive whole number, or the rheology was given too few
        substeps.

    Notes
    -----
    A step is divided into equal inner steps that the rheology admits. Each moves the air above
    (boundary layer) and the ice (rheology), carries the ice (transport, sub-cycled) and lets it
    grow and melt (thermodynamics). The air feels the surface as it is at the start of an inner
    step; the ice feels the mean fluxes over it, and how they change with its temperature. It
    computes in the precision of the state's concentration. Fields keep their bounds because of how
    each part is built; nothing is clipped afterwards. In reverse mode each inner step is computed
    again from its first state, and only these states are kept.
    """

    grid: Grid
    rheology: AbstractRheology
    thermodynamics: AbstractThermodynamics
    scheme: AbstractScheme
    boundary_layer: BoundaryLayer | None
    sea: Int[Array, " cell"] | None  # cells that have a column of air
    ice_roughness: Float[Array, ""]
    ocean: PyTree
    dt: int = eqx.field(static=True)
    inner_steps: int = eqx.field(static=True)
    rheology_substeps: int = eqx.field(static=True)
    transport_substeps: int = eqx.field(static=True)

    def __init__(
        self,
        grid,
        *,
        rheology=None,
        thermodynamics=None,
        scheme=None,
        boundary_layer=None,
        ice_roughness=6.9e-4,
        ocean=None,
        dt=21600,
    ):
        whole = isinstance(dt, int | float | np.integer) and dt >= 1 and dt % 1 == 0
        if not whole or isinstance(dt, bool):
            raise InputError(f"dt must be a positive whole number of seconds, not {dt!r}")
        rheology = FreeDrift() if rheology is None else rheology
        thermodynamics = SimpleFreezing() if thermodynamics is None else thermodynamics
        scheme = Upwind() if scheme is None else scheme
        for name, part, kind, example in (
            ("grid", grid, Grid, 'fc.Grid.preset("arctic50")'),
            ("rheology", rheology, AbstractRheology, "fc.BBM()"),
            ("thermodynamics", thermodynamics, AbstractThermodynamics, "fc.Winton()"),
            ("scheme", scheme, AbstractScheme, "fc.WENO()"),
            ("boundary_layer", boundary_layer, BoundaryLayer | None, "fc.BoundaryLayer()"),
        ):
            if not isinstance(part, kind):
                raise InputError(f"{name} of a Simulator is {part!r}; expected one like {example}")
            if name in ("rheology", "thermodynamics"):
                check_parameters(part, grid.shape)
        check_ocean(ocean, grid)
        self.grid = grid
        self.rheology = rheology
        self.thermodynamics = thermodynamics
        self.scheme = scheme
        self.boundary_layer = boundary_layer
        self.sea = None if boundary_layer is None else sea_cells(grid)
        self.ice_roughness = parameter(ice_roughness)
        check_parameter("ice_roughness", self.ice_roughness, (0, inf, False))
        self.ocean = ocean
        self.dt = int(dt)
        self.inner_steps = max(1, ceil(self.dt / self.rheology.longest_step(grid)))
        self.rheology_substeps = self.rheology.count_substeps(grid, self.inner_dt)
        self.transport_substeps = count_substeps(Mesh.of(grid), self.inner_dt)

    @property
    def inner_dt(self):
        """Length of an inner step [s]."""
        return self.dt / self.inner_steps

    @property
    def needs(self):
        """Names of the forcing fields that a step reads."""
        needs = dict.fromkeys(self.rheology.needs + self.thermodynamics.needs)
        if self.boundary_layer is None:
            return tuple(needs)
        return (*(name for name in needs if name not in SUPPLIED), "aloft")

    def start(self, state, forcing=None, *, drifters=None):
        """The state that `step` works on.

        Parameters
        ----------
        state : IceState or SimulatorState
            Leaves ``(y, x)``. A `SimulatorState` passes unchanged.
        forcing : Forcing, optional
            Whose first fields give temperatures that suit the weather.
        drifters : (drifter, 2) array, optional
            Positions on the projected plane of points to be followed [m].

        Returns
        -------
        SimulatorState
            Without stress, the ice of age 0. If neither part of the simulator remembers anything
            and no drifter is followed, `state` itself.

        Raises
        ------
        InputError
            If a drifter is on land or outside of the grid, or the state is not a single one.

        Notes
        -----
        An `IceState` does not hold the heat of the mixed layer, and none of it is found again: the
        water is freezing, but for open water where `forcing` itself has an `ocean_temperature`
        above that, which then counts by the fraction of open water. `ocean` of the simulator is
        not asked; the layer follows it from the first step on, within its `relaxation_time`. So a
        run in the melt season that goes on from an `IceState` melts less ice at first than one
        that goes on from its `SimulatorState`, which keeps that heat.
        """
        check_single(state)
        if isinstance(state, SimulatorState):
            return state
        fields = {}
        if forcing is not None:
            fields = {name: field[0] for name, field in forcing.fields().items()}
        rheology, thermodynamics = self._memories(state, fields)
        remembered = rheology, thermodynamics, drifters, self.boundary_layer
        if all(part is None for part in remembered):
            return state
        if drifters is not None:
            drifters = check_drifters(drifters, self.grid)
        state = complete(state, drifters)
        state = replace(state, rheology=rheology, thermodynamics=thermodynamics)
        if self.boundary_layer is None:
            return state
        return replace(state, boundary_layer=start_column(self, state, forcing))

    def _memories(self, state, fields):
        """What the rheology and the thermodynamics remember at the start of a run."""
        return (
            self.rheology.memory(state, self.grid),
            self.thermodynamics.memory(state, fields, self.grid),
        )

    def check(self, state, forcing, start, end):
        """Refuse what cannot be stepped, before the first step.

        Parameters
        ----------
        state, forcing, start, end
            As in `guard.check_input`.

        Raises
        ------
        InputError
            Naming variable, place and number of bad values, or the hours that are missing.
        """
        check_input(self, state, forcing, start, end)

    def step(self, state, forcing, key):
        """State one `dt` later.

        Parameters
        ----------
        state : SimulatorState, or IceState where `start` gives one
            Leaves ``(y, x)``.
        forcing : Forcing
            At the two ends of the step.
        key : key
            Not used: the simulator draws nothing.

        Returns
        -------
        state
            Of the same kind.

        Raises
        ------
        InputError
            If the state lacks what `start` gives it, or is not a single one.
        """
        check_single(state)
        if not isinstance(state, SimulatorState) and (
            self.boundary_layer is not None
            or any(memory is not None for memory in self._memories(state, {}))
        ):
            raise InputError(
                "the state lacks what this simulator remembers from step to step; begin with "
                "state = simulator.start(state, forcing)"
            )
        model, forcing = cast((self, forcing), state.concentration.dtype)
        begin, inner = forcing.time[0], self.inner_dt
        if self.inner_steps == 1:
            return model._inner_step(state, forcing)

        @jax.checkpoint
        def advance(state, number):
            # Whole seconds, as everywhere; the remainder of an odd division is below one.
            first = begin + jnp.floor(number * inner).astype(begin.dtype)
            last = begin + jnp.floor((number + 1) * inner).astype(begin.dtype)
            return model._inner_step(state, forcing.between(first, last)), None

        return jax.lax.scan(advance, state, jnp.arange(self.inner_steps))[0]

    def _inner_step(self, state, forcing):
        rheology, thermodynamics, scheme = self.rheology, self.thermodynamics, self.scheme
        grid, dt, mesh = self.grid, self.inner_dt, Mesh.of(self.grid)
        if self.ocean is not None:
            forcing = forcing.with_absent(self.ocean.between(*forcing.time))
        if self.boundary_layer is not None:
            state, forcing = advance_column(self, state, forcing)
        before = rheology.advance(state, forcing, grid, dt, self.rheology_substeps)
        before = replace(before, u=limit_speed(before.u), v=limit_speed(before.v))
        contents = thermodynamics.contents(before)
        after, contents = transport(before, mesh, dt, self.transport_substeps, scheme, contents)
        after = thermodynamics.with_contents(after, contents)
        after = rheology.carry(before, after, scheme, grid, dt, self.transport_substeps)
        if getattr(after, "drifters", None) is not None:
            after = replace(after, drifters=drift(after.drifters, after.u, after.v, grid, dt))
        after = thermodynamics.advance(after, forcing, grid, dt)
        return _still_without_ice(after)

    def __repr__(self):
        return display.text(self)

    def _repr_html_(self):
        return display.page(self)

    def _card(self):
        inner = f"{self.inner_steps} of {self.inner_dt:g} s" if self.inner_steps > 1 else "none"
        facts = [("on", f"{self.grid.name}, {display.shape_text(self.grid.shape)}")]
        facts += [("step", f"{self.dt / 3600:g} h"), ("inner steps", inner)]
        for name in ("rheology", "thermodynamics", "scheme", "boundary_layer", "ocean"):
            part = getattr(self, name)
            facts.append((name, "none" if part is None else type(part).__name__))
        return display.Card("Simulator", facts)


def _still_without_ice(state):
    """The state with damage and velocity zero where the ice that had them is gone."""
    ice = state.ice_volume > 0
    return replace(
        state,
        u=jnp.where(ice | east(ice), state.u, 0.0),
        v=jnp.where(ice | north(ice), state.v, 0.0),
        damage=jnp.where(ice, state.damage, 0.0),
    )
