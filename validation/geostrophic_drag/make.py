"""Make the numbers and the figure of this folder again.

    python validation/geostrophic_drag/make.py

How much of the geostrophic wind the ice feels, against the cooling of its surface. Writes README.md
and geostrophic_drag.png.
"""

import argparse
from datetime import UTC, datetime
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib
import numpy as np

from floecast.atmosphere.boundary_layer import BoundaryLayer
from floecast.atmosphere.column import ColumnState
from floecast.atmosphere.forcing import Aloft
from floecast.atmosphere.levels import Levels
from floecast.atmosphere.surface import Surface
from floecast.atmosphere.surface_layer import SurfaceLayer
from floecast.atmosphere.turbulence import Closure

matplotlib.use("Agg")
from matplotlib import pyplot as plt

HERE = Path(__file__).parent
COOLING = np.array([0.0, 0.05, 0.1, 0.25, 0.5, 1.0])
"""[K/h]"""
WIND, CORIOLIS = 10.0, 1.43e-4
ROUGHNESS = 6.9e-4
STEP, HOURS, AVERAGED = 60.0, 24, 3
CLOSURES = {
    "default": Closure(),
    "calibrated on GABLS1": Closure.calibrated(),
    "no shear in the length": Closure(shear=0.0),
    "Cheng et al., mixing by the least length": Closure.cheng(pairing="mixing_least"),
}
OBSERVED = {"drag": (0.023, 0.029, 0.034), "turning": (15.0, 25.0, 32.0)}


def main():
    """Run all closures and write the page."""
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    jax.config.update("jax_enable_x64", True)
    found = {
        name: [np.asarray(x) for x in run(layer_of(closure))] for name, closure in CLOSURES.items()
    }
    fine = [np.asarray(x) for x in run(layer_of(Closure(), Levels.stretched()))]
    found["default, 40 levels to 2 km, the lowest of 5 m"] = fine
    held = [np.asarray(x) for x in run(layer_of(Closure(), Levels.stretched(), 5400.0))]
    found["the same, drawn to the large scale above the layer"] = held
    draw(found, HERE / "geostrophic_drag.png")
    (HERE / "README.md").write_text(page(found), encoding="utf-8")


def layer_of(closure, levels=None, relaxation=np.inf):
    """Boundary layer over ice, by default without large scale but the pressure gradient."""
    return BoundaryLayer(
        SurfaceLayer(form_drag=0.0, heat_ratio=0.2, moist=False),
        levels=Levels.uniform(60, 900.0) if levels is None else levels,
        closure=closure,
        relaxation_above=relaxation,
        moist=False,
    )


@eqx.filter_jit
def run(layer):
    """Drag u*/G, turning [degrees] and wind at 10 m over G of the last hours, by cooling."""
    height = jnp.asarray(layer.levels.centres)[:, None]
    flat = jnp.zeros((len(layer.levels), len(COOLING)))
    warmth = 265.0 + 0.01 * jnp.maximum(height - 100.0, 0.0) + flat
    aloft = Aloft(height[:, 0], WIND + flat, flat, WIND + flat, flat, warmth, flat)
    fade = jnp.maximum(1.0 - jnp.asarray(layer.levels.interfaces) / 250.0, 0.0)
    energy = jnp.maximum(0.4 * fade**3, layer.closure.least_energy)[:, None]
    energy = energy + jnp.zeros((1, len(COOLING)))
    depth = jnp.full(len(COOLING), 250.0)
    column = ColumnState(WIND + flat, flat, warmth, flat, energy, depth)
    coriolis = jnp.full(len(COOLING), CORIOLIS)
    rest = jnp.zeros(len(COOLING))

    def step(column, time):
        skin = 265.0 - jnp.asarray(COOLING) / 3600.0 * (time + STEP)
        below = Surface(1.0 + rest, skin, skin, rest, rest, rest, rest, ROUGHNESS + rest)
        column, contact = layer.step(column, aloft, below, coriolis, STEP)
        kinematic = contact.stress_ice_u / contact.density, contact.stress_ice_v / contact.density
        return column, (*kinematic, contact.wind_u, contact.wind_v)

    times = STEP * jnp.arange(round(HOURS * 3600 / STEP))
    _, series = jax.lax.scan(step, column, times)
    last = round(AVERAGED * 3600 / STEP)
    stress_u, stress_v, u, v = (field[-last:].mean(axis=0) for field in series)
    drag = jnp.sqrt(jnp.hypot(stress_u, stress_v)) / WIND
    return drag, jnp.degrees(jnp.arctan2(stress_v, stress_u)), jnp.hypot(u, v) / WIND


def draw(found, path):
    """Curves over the quartiles observed."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    labels = {"drag": "u* / G", "turning": "turning of the stress [degrees]"}
    for number, (axis, name) in enumerate(zip(axes, OBSERVED, strict=True)):
        low, middle, high = OBSERVED[name]
        axis.axhspan(low, high, color="0.9", label="CEAREX, quartiles")
        axis.axhline(middle, color="0.6", lw=1)
        for label, curves in found.items():
            axis.plot(COOLING, curves[number], marker="o", label=label)
        axis.set(xlabel="cooling of the surface [K/h]", ylabel=labels[name])
    axes[0].legend(fontsize=7)
    figure.savefig(path, dpi=110)


def page(found):
    """The README."""
    head = " | ".join(f"{rate:g}" for rate in COOLING)
    lines = [
        "# Geostrophic drag over winter ice",
        "",
        "`python validation/geostrophic_drag/make.py`, "
        f"{datetime.now(UTC):%Y-%m-%d}, float64. A boundary layer of 24 h over ice of one "
        f"roughness ({ROUGHNESS:g} m, a fifth of it for heat) whose surface cools at a steady rate,"
        f" under a geostrophic wind of {WIND:g} m/s, f = {CORIOLIS:g} 1/s, air of 265 K up to 100 m"
        f" and an inversion of 0.01 K/m above; 60 levels to 900 m, steps of {STEP:g} s, means of "
        f"the last {AVERAGED} h. No floe edges, no moisture; relaxation to the air of the start in "
        "the last row only, in 5400 s as in a simulation.",
        "",
        "Observed over Arctic ice in winter (Overland and Davidson 1992, CEAREX): u*/G median "
        "0.029, quartiles 0.023 and 0.034; turning 25 degrees, quartiles 15 and 32.",
        "",
        "![curves](geostrophic_drag.png)",
        "",
    ]
    titles = "u* / G", "Turning of the stress [degrees]", "Wind at 10 m over G"
    for number, (title, digits) in enumerate(zip(titles, (4, 1, 2), strict=True)):
        lines += [f"## {title}", "", f"| cooling [K/h] | {head} |", "|---" * 7 + "|"]
        for label, curves in found.items():
            row = " | ".join(f"{value:.{digits}f}" for value in curves[number])
            lines.append(f"| {label} | {row} |")
        lines.append("")
    lines += [
        "A bulk formula on a prescribed 10 m wind cannot lessen the stress as the surface cools "
        "while the pressure gradient stays; the column does, from neutral air to 1 K/h.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
