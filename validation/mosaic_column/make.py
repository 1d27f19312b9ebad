"""Make the numbers and the figure of this folder again.

    python validation/mosaic_column/make.py --data DATA

The surface layer and the column against a week of a MOSAiC station. Writes README.md, which begins
with verdict.md, and mosaic_column.png. The verdict is written by hand: read it again when the
numbers change.
"""

import argparse
from datetime import UTC, datetime
from pathlib import Path

import air
import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
import station

matplotlib.use("Agg")
from matplotlib import pyplot as plt

HERE = Path(__file__).parent
FILE = Path("mosaic_202001") / "asfs50_1min_20200115_20200123.nc"
SPLIT = 19.0
"""Day of January that parts the days on which a factor is fitted from those it is checked on."""
TURNING = 25.0
"""Of the drag of the water in the second comparison, a customary value [degrees]."""


def main():
    """Compute and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", required=True, help="folder of the real files")
    jax.config.update("jax_enable_x64", True)
    seen = station.read(Path(parser.parse_args().data) / FILE)
    stresses = {"neutral logarithm": air.by_logarithm(seen["wind"], *_of(seen, "temperature"))}
    skins, columns = {}, {}
    for name, sky in air.SKIES.items():
        given = _pairs(seen["wind"]), *_of(seen, "temperature", "humidity"), sky
        stress, skin, heat = (np.asarray(x) for x in air.by_similarity(*given))
        stresses[f"similarity, {name}"] = stress @ [1, 1j]
        skins[name] = skin, heat
        columns[name] = column_of(seen, skin)
        stresses[f"column, {name}"] = columns[name]["stress"]
    draw(seen, stresses, columns, HERE / "mosaic_column.png")
    text = page(seen, stresses, skins, columns)
    (HERE / "README.md").write_text(text, encoding="utf-8")


def column_of(seen, skin):
    """The column over a skin temperature, its geostrophic wind fitted on the first days."""
    coriolis = 2 * station.ROTATION * np.sin(np.radians(seen["latitude"].mean()))
    fields = seen["time"], _pairs(seen["wind"]), seen["temperature"], skin, coriolis
    column = air.Column(*map(jnp.asarray, fields))
    factor, turning = air.calibrate(column, jnp.asarray(seen["day"] < SPLIT))
    run = eqx.filter_jit(lambda column, *at: column.run(*at))(column, factor, turning)
    wind, stress = (np.asarray(pairs) @ [1, 1j] for pairs in run)
    return {"factor": factor, "turning": np.degrees(turning), "wind": wind, "stress": stress}


def _pairs(vector):
    return np.stack([vector.real, vector.imag], axis=-1)


def _of(seen, *names):
    return *(seen[name] for name in names), seen["pressure"]


def draw(seen, stresses, columns, path):
    """The week, the drift and what stability makes of the stress."""
    figure, axes = plt.subplots(1, 3, figsize=(14, 4), layout="constrained")
    day, observed = seen["day"], seen["drift"]
    axes[0].plot(day, np.abs(seen["wind"]), "k", label="wind at 4 m, measured")
    wind = np.abs(columns["clear sky"]["wind"])
    axes[0].plot(day, wind, "C0", lw=1, label="column, geostrophic wind fitted to 18 January")
    axes[0].axvline(SPLIT, color="0.8")
    axes[0].set(xlabel="January 2020", ylabel="[m/s]")
    warm = axes[0].twinx()
    warm.plot(day, seen["temperature"] - 273.15, "C3", lw=1)
    warm.set_ylabel("air at 2 m [°C]", color="C3")
    axes[0].legend(fontsize=7)
    axes[1].plot(day, 100 * np.abs(observed), "k", label="station, from its positions")
    for number, name in enumerate(("neutral logarithm", "similarity, clear sky")):
        found = station.free_drift(stresses[name], seen["latitude"], TURNING)
        axes[1].plot(day, 100 * np.abs(found), f"C{number + 1}", lw=1, label=name)
    axes[1].set(xlabel="January 2020", ylabel="drift [cm/s]")
    axes[1].legend(fontsize=7)
    for number, name in enumerate(air.SKIES):
        ratio = np.abs(stresses[f"similarity, {name}"]) / np.abs(stresses["neutral logarithm"])
        axes[2].plot(np.abs(seen["wind"]), ratio, f"C{number}o", ms=3, label=name)
    axes[2].axhline(1.0, color="0.6", lw=1)
    axes[2].set(xlabel="wind at 4 m [m/s]", ylabel="stress, similarity / neutral", ylim=(0, 1.8))
    axes[2].legend(fontsize=8)
    figure.savefig(path, dpi=110)


def page(seen, stresses, skins, columns):
    """The README."""
    second = seen["day"] >= SPLIT
    lines = [
        "# A week at a MOSAiC station",
        "",
        "`python validation/mosaic_column/make.py --data DATA`, "
        f"{datetime.now(UTC):%Y-%m-%d}, float64.",
        "",
        (HERE / "verdict.md").read_text(encoding="utf-8").rstrip(),
        "",
        "![Wind, drift and stress](mosaic_column.png)",
        "",
        "## What is what",
        "",
        "| | |",
        "|---|---|",
        "| measured | station asfs50, 15 to 22 January 2020, 3 h means of minutes: wind at 4 m, "
        "temperature and humidity at 2 m (nominal heights), pressure, position, hence drift |",
        "| not measured there | skin temperature, radiation, fluxes, a second height of wind or "
        "temperature, pressure gradient, anything aloft, currents. So no profile, flux or "
        "temperature difference can be checked |",
        "| assumed | longwave radiation of the sky "
        + ", ".join(f"{sky:g} ({name})" for name, sky in air.SKIES.items())
        + f" times that of a black body as warm as the air; ice of {station.ICE:g} m with "
        f"{station.SNOW:g} m of snow for conduction and mass; roughness {air.ROUGHNESS:g} m and "
        f"drag of the water {station.WATER_DRAG:g}, the defaults; no current, no stress of the ice;"
        " an inversion of 10 K from 50 to 500 m aloft |",
        "| fitted | for the column alone, the ratio and the angle of the geostrophic wind to the "
        f"measured one, by the wind at 4 m before {SPLIT:.0f} January |",
        "| comes out and is checked | drift of the station; for the column its wind at 4 m after "
        f"{SPLIT:.0f} January |",
        "",
        "## Drift",
        "",
        "Free drift by the stress, against that of the station; without turning of the water's "
        f"drag (default of mEVP) and with {TURNING:g} degrees. After {SPLIT:.0f} January is the "
        "cold, weak-wind half. Share and angle are by least squares against the wind at 4 m.",
        "",
    ]
    for turning in (0.0, TURNING):
        for told, where in (("all days", second | True), (f"after {SPLIT:.0f} January", second)):
            lines += drift_rows(seen, stresses, where, turning, told)
    lines += ["## Surface layer", "", *surface_rows(seen, stresses, skins), ""]
    lines += ["## Column", "", *column_rows(seen, columns, second), ""]
    return "\n".join(lines)


def drift_rows(seen, stresses, where, turning, told):
    """Scores of the drift of each stress."""
    wind, observed = seen["wind"][where], seen["drift"][where]
    lines = [
        f"{told[0].upper()}{told[1:]} ({where.sum()} means), water's drag turned by {turning:g}°:",
        "",
        "| stress | vector RMSE [cm/s] | bias of speed [cm/s] | share of the wind [%] | right of "
        "it [°] | vector correlation |",
        "|---|---|---|---|---|---|",
    ]
    drifts = {"station": seen["drift"]} | {
        name: station.free_drift(stress, seen["latitude"], turning)
        for name, stress in stresses.items()
    }
    for name, drift in drifts.items():
        one = station.scores(drift[where], observed, wind)
        lines.append(
            f"| {name} | {one['rmse']:.2f} | {one['bias']:+.2f} | {one['share']:.2f} | "
            f"{one['angle']:.1f} | {one['correlation']:.3f} |"
        )
    return [*lines, ""]


def surface_rows(seen, stresses, skins):
    """What stability makes of stress and heat, by wind."""
    speed, neutral = np.abs(seen["wind"]), np.abs(stresses["neutral logarithm"])
    lines = [
        "Median over the means in each class; nothing here is measured but the class.",
        "",
        "| wind at 4 m [m/s] | means | sky | stress / neutral | 2 m over skin [K] | sensible heat "
        "[W/m2] |",
        "|---|---|---|---|---|---|",
    ]
    for low, high in ((0, 3), (3, 5), (5, 9)):
        there = (speed >= low) & (speed < high)
        for name, (skin, heat) in skins.items():
            ratio = np.abs(stresses[f"similarity, {name}"]) / neutral
            over = seen["temperature"] - skin
            lines.append(
                f"| {low} to {high} | {there.sum()} | {name} | {np.median(ratio[there]):.2f} | "
                f"{np.median(over[there]):+.1f} | {np.median(heat[there]):+.0f} |"
            )
    return lines


def column_rows(seen, columns, second):
    """Wind of the column at the station's height."""
    lines = [
        "Wind at 4 m of the column against the measured one. Its geostrophic wind is a multiple of "
        "the measurement, so that this checks only whether one ratio and angle, fitted to stronger "
        "wind, hold in weak wind and stronger stability.",
        "",
        "| sky | geostrophic / measured | turned right by [°] | u*/G, median | days | vector RMSE "
        "[m/s] | bias of speed [m/s] | mean speed [m/s] |",
        "|---|---|---|---|---|---|---|---|",
    ]
    wind = seen["wind"]
    for name, one in columns.items():
        friction = np.sqrt(np.abs(one["stress"]) / (seen["pressure"] / 287.05 / 245.0))
        ratio = np.median(friction / (one["factor"] * np.abs(wind)))
        for told, where in (("fitted", ~second), ("checked", second)):
            rmse = np.sqrt(np.mean(np.abs(one["wind"] - wind)[where] ** 2))
            bias = np.mean((np.abs(one["wind"]) - np.abs(wind))[where])
            mean = np.mean(np.abs(wind[where]))
            lines.append(
                f"| {name} | {one['factor']:.2f} | {one['turning']:.0f} | {ratio:.4f} | {told} | "
                f"{rmse:.2f} | {bias:+.2f} | {mean:.2f} |"
            )
    return lines


if __name__ == "__main__":
    main()
