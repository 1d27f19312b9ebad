"""The runs of the cyclone case, and what is measured in them."""

from dataclasses import dataclass, replace
from time import perf_counter

import jax
import jax.numpy as jnp
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

import floecast as fc
from floecast.core.atomic import replacing
from floecast.simulator.advection import Upwind
from floecast.simulator.bbm import BBM
from floecast.simulator.cyclone import (
    BRITTLE,
    DURATION,
    PLASTIC,
    Cyclone,
    cyclone_grid,
    start_state,
)
from floecast.simulator.interfaces import NoThermodynamics
from floecast.simulator.mevp import MEVP
from floecast.simulator.weno import WENO
from floecast.verification.deformation import coarse_grain, grid_deformation
from floecast.verification.deformation_statistics import (
    localisation,
    moments,
    percentile,
    structure_function,
    tail_exponent,
)
from floecast.verification.failure_lines import find_failure_lines

HOURS = (12, 24, 36, 48)
FIELDS = ("concentration", "ice_volume", "damage", "u", "v")
WALL = 3
"""Cells along the walls that are left out of all statistics of deformation."""
SCALES = (8e3, 16e3, 32e3, 64e3, 128e3)
"""Sides of the quadrangles of the structure function, the same on all grids [m]."""
TAIL = 0.2
"""Rate above which the tail of the distribution is fitted [1/day]."""
COMB = 7
"""Cells of the shortest row that counts as a comb."""
AXIS = 10.0
"""A line lies along the grid if it is this near to one of its axes [degrees]."""


@dataclass(frozen=True)
class Case:
    """One run.

    Parameters
    ----------
    rheology : "bbm" or "mevp"
    kilometres : int
        Side of a cell.
    nudging : float
        Cross-nudging of BBM.
    shear_reduction : float
        Of BBM.
    upwind : bool
        Upwind transport in place of WENO, and substeps of 4 s at 8 km.
    noise : int
        Seed of a relative change of the ice volume by 1e-6 at the start; 0 for none.
    """

    rheology: str
    kilometres: int
    nudging: float = 1.0
    shear_reduction: float = 0.1
    upwind: bool = False
    noise: int = 0

    @property
    def name(self):
        """Of its file."""
        parts = [self.rheology, f"{self.kilometres}km"]
        parts += ["apart"] * (self.nudging == 0) + ["upwind"] * self.upwind
        parts += ["olason"] * (self.shear_reduction == 0)
        return "_".join(parts + [f"noise{self.noise}"] * (self.noise > 0))

    @property
    def cells(self):
        """Along a side of the square."""
        return 512 // self.kilometres

    @property
    def dtype(self):
        """float64 at 8 km, else float32."""
        return jnp.float64 if self.kilometres >= 8 else jnp.float32

    def simulator(self):
        """Grid, rheology and transport put together."""
        setup = BRITTLE if self.rheology == "bbm" else PLASTIC
        grid = cyclone_grid(self.cells, setup)
        drags = {
            "air_drag": setup.air_drag,
            "water_drag": setup.water_drag,
            "ice_density": setup.ice_density,
        }
        if self.rheology == "bbm":
            rheology = BBM(
                cross_nudging=self.nudging,
                shear_reduction=self.shear_reduction,
                substeps=120 if self.upwind else None,
                **drags,
            )
        else:
            rheology = MEVP(
                ice_strength=setup.ice_strength,
                least_deformation=setup.least_deformation,
                eccentricity=setup.ellipse_ratio,
                iterations=setup.iterations,
                **drags,
            )
        return fc.Simulator(
            grid,
            rheology=rheology,
            thermodynamics=NoThermodynamics(),
            scheme=Upwind() if self.upwind else WENO(),
            dt=setup.step(grid.spacing),
        )

    def start(self, grid):
        """Its first state."""
        state = start_state(grid, BRITTLE if self.rheology == "bbm" else PLASTIC)
        if self.noise:
            noise = np.random.default_rng(self.noise).standard_normal(grid.shape)
            state = replace(state, ice_volume=state.ice_volume * (1 + 1e-6 * noise))
        return jax.tree.map(lambda field: jnp.asarray(field, self.dtype), state)


def states(case, work):
    """Fields of a case at `HOURS`, computed unless they are in the folder `work`.

    Returns
    -------
    dict
        Arrays ``(time, y, x)`` by the names in `FIELDS`, and `seconds` of the computation.
    """
    path = work / f"{case.name}.npz"
    if not path.exists():
        simulator = case.simulator()
        steps = DURATION // simulator.dt
        begin = perf_counter()
        trajectory = fc.rollout(
            simulator,
            case.start(simulator.grid),
            Cyclone.on(simulator.grid),
            steps,
            key=jax.random.key(0),
            save_every=steps // len(HOURS),
            observe=lambda state: {name: getattr(state, name) for name in FIELDS},
        )
        saved = {name: np.asarray(field) for name, field in trajectory.state.items()}
        if not all(np.isfinite(field).all() for field in saved.values()):
            raise SystemExit(f"{case.name}: fields that are not finite")
        with replacing(path) as partial, open(partial, "wb") as file:
            np.savez_compressed(file, seconds=perf_counter() - begin, **saved)
    with np.load(path) as file:
        return dict(file)


def deformation(u, v, grid):
    """Total deformation at T points, NaN beside the walls [1/day]."""
    total = grid_deformation(u, v, grid).total
    inside = np.zeros(grid.shape, bool)
    inside[WALL:-WALL, WALL:-WALL] = True
    return np.where(inside, total, np.nan)


def lines_of(total, grid):
    """Failure lines of a field of deformation."""
    return find_failure_lines(total, spacing=grid.spacing)


def structure(u, v, grid, rotated=False):
    """Structure function of the total deformation at `SCALES`, or sqrt(2) times them.

    The velocity of T points moves them for a time so short that their order stays; quadrangles
    start at every point.
    """
    along = 0.5 * (u + np.pad(u, ((0, 0), (1, 0)))[:, :-1])
    north = 0.5 * (v + np.pad(v, ((1, 0), (0, 0)))[:-1])
    points = np.stack(np.meshgrid(grid.x, grid.y), axis=-1)[WALL:-WALL, WALL:-WALL]
    moved = points + np.stack([along, north], axis=-1)[WALL:-WALL, WALL:-WALL]
    steps = [round(scale / grid.spacing) for scale in SCALES]
    samples = coarse_grain(
        points, moved, 1.0, spacing=grid.spacing, steps=steps, overlapping=True, rotated=rotated
    )
    powers = moments([sample.deformation.total for sample in samples])
    return structure_function([sample.scale for sample in samples], powers)


def figures(case, fields, index=-1):
    """Numbers of one time of a case, by name."""
    grid = cyclone_grid(case.cells)
    now = {name: np.asarray(fields[name][index], np.float64) for name in FIELDS}
    u, v = now["u"], now["v"]
    total = deformation(u, v, grid)
    lines = lines_of(total, grid)
    beta, turned = (structure(u, v, grid, rotated).beta for rotated in (False, True))
    density = (BRITTLE if case.rheology == "bbm" else PLASTIC).ice_density
    square = u**2 + np.roll(u, 1, 1) ** 2 + v**2 + np.roll(v, 1, 0) ** 2
    return {
        "p90": percentile(total),
        "localisation": localisation(total),
        "beta1": beta[0],
        "beta2": beta[1],
        "beta3": beta[2],
        "turned3": turned[2],
        "tail": tail_exponent(total, TAIL),
        "tail_n": np.count_nonzero(total > TAIL),
        "lines": lines.number,
        "line_density": 1e3 * lines.density,
        "aligned": aligned(lines),
        "energy": np.mean(0.25 * density * now["ice_volume"] * square),
        "least": now["concentration"].min(),
        "thinnest": now["ice_volume"].min(),
        "thickest": now["ice_volume"].max(),
        "fastest": np.abs(u).max(),
        "damage": now["damage"].mean(),
        "broken": np.mean(now["damage"] > 0.9),
        "comb": 100 * comb_share(now["damage"]),
    }


def aligned(lines):
    """Share of the length of the lines within `AXIS` of a grid axis; 0.22 if all directions are."""
    away = np.abs((lines.orientation + 45) % 90 - 45)
    return float(lines.length[away <= AXIS].sum() / max(lines.length.sum(), 1e-9))


def comb_share(damage):
    """Share of the runs of `COMB` damaged cells, along x and y, in which the damage zigzags.

    A comb of lines two cells apart zigzags from cell to cell; a line by itself, straight or curved,
    turns once.
    """
    inner = np.asarray(damage, np.float64)[WALL:-WALL, WALL:-WALL]
    logarithm = np.log(np.maximum(1 - inner, 1e-6))
    found = looked_at = 0
    for field, broken in ((logarithm, inner > 0.5), (logarithm.T, inner.T > 0.5)):
        step = np.diff(field, axis=1)
        turns = sliding_window_view(step[:, 1:] * step[:, :-1] < 0, COMB - 2, axis=1).all(axis=-1)
        whole = sliding_window_view(broken, COMB, axis=1).all(axis=-1)
        found += np.count_nonzero(turns & whole)
        looked_at += np.count_nonzero(whole)
    return found / max(looked_at, 1)
