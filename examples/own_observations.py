"""Observations from arrays: thickness along a flight, given to an ensemble, and what it changed."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

import floecast as fc
from floecast.core.land import coastline
from floecast.observation.footprint import containing_cell, footprints, grid_position
from floecast.observation.observations import observations

grid = fc.Grid.preset("arctic100")
time = fc.to_seconds("2031-03-01T12:00")

# The arrays: positions and thickness every 20 km of a flight from the pole to Fram Strait. They are
# drawn here from a March that the ensemble does not know; put your own in their place.
latitude = np.arange(89.0, 76.0, -0.18)
longitude = np.zeros(latitude.size)
truth = fc.restart_state(grid, month=3, number=3)
x, y = grid_position(grid, latitude, longitude)
cell, _ = containing_cell(grid, x, y)
thickness = np.asarray(truth.thickness).reshape(-1)[cell]
thickness = thickness + 0.2 * np.random.default_rng(1).standard_normal(latitude.size)

# Each value is a mean over 40 km; neighbours share half of their error variance by their group.
seen = footprints(grid, x, y, 40e3)
flight = observations(
    "thickness",
    thickness,
    error_std=0.3,
    x=x,
    y=y,
    time=time,
    cell=seen.cell,
    weight=seen.weight,
    group=1 + np.arange(latitude.size) // 5,
)

# The background: another March with its likely errors.
background = fc.initial_ensemble(
    fc.named_key(1, "members"), fc.restart_state(grid, month=3, number=1), grid, 30
)
letkf = fc.LETKF(
    localisation=fc.GaspariCohn.on_grid(grid, 300e3),
    shared_error=0.5,
    updates={"thickness": ("ice_volume", "snow_volume")},
)
analysis = letkf.analyse(background, flight)

for name, told, members in (
    ("background", analysis.background_equivalents, background),
    ("analysis", analysis.equivalents, analysis.ensemble),
):
    misfit = np.sqrt(np.mean((np.mean(told, axis=0) - thickness) ** 2))
    error = (np.mean(members.ice_volume, axis=0) - truth.ice_volume).reshape(-1)[cell]
    print(f"{name}: misfit {misfit:.2f} m, error of the volume {np.sqrt(np.mean(error**2)):.2f} m")

change = np.mean(np.asarray(analysis.ensemble.ice_volume - background.ice_volume), axis=0)
figure, axes = plt.subplots(figsize=(6, 6))
edges_x, edges_y = grid.edges()
shown = axes.pcolormesh(
    edges_x, edges_y, np.where(grid.mask_t, change, np.nan), cmap="RdBu_r", vmin=-1, vmax=1
)
axes.plot(*coastline(), color="grey", linewidth=0.5)
axes.plot(x, y, color="black", linewidth=1)
axes.set(xlim=edges_x[[0, -1]], ylim=edges_y[[0, -1]], xticks=[], yticks=[], aspect="equal")
figure.colorbar(shown, shrink=0.7, label="analysis minus background, ice volume per area [m]")
figure.savefig("own_observations.png", dpi=120)
print("map: own_observations.png")
