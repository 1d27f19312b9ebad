"""Scores of drift vectors, each made of sums over points so that blocks of them can be resampled.

Vectors are complex numbers ``u + i v`` along the axes of the grid [m/s]; the sums are those of
`PARTS`, in that order, over the points of a day.
"""

import numpy as np

from floecast.verification.bootstrap import block_interval, draw_blocks

BLOCK = 500e3
"""Side of the squares that are resampled [m]; weather and errors of neighbours are alike."""
DRAWS = 2000
CM = 100.0
PARTS = (
    "one",
    "error",
    "error_x",
    "error_y",
    "persistence_error",
    "free_drift_error",
    "speed_error",
    "model_speed",
    "observed_speed",
    "model_square",
    "observed_square",
    "wind_square",
    "model_observed_x",
    "model_observed_y",
    "model_wind_x",
    "model_wind_y",
    "observed_wind_x",
    "observed_wind_y",
)


def contributions(model, observed, persistence, free_drift, wind):
    """What each point adds to each sum of `PARTS`, ``(part, point)``."""
    error = model - observed
    with_observed, with_wind = model * observed.conj(), model * wind.conj()
    return np.stack(
        [
            np.ones(model.size),
            abs(error) ** 2,
            error.real,
            error.imag,
            abs(persistence - observed) ** 2,
            abs(free_drift - observed) ** 2,
            abs(model) - abs(observed),
            abs(model),
            abs(observed),
            abs(model) ** 2,
            abs(observed) ** 2,
            abs(wind) ** 2,
            with_observed.real,
            with_observed.imag,
            with_wind.real,
            with_wind.imag,
            (observed * wind.conj()).real,
            (observed * wind.conj()).imag,
        ]
    )


def _score(function):
    def of_sums(sums):
        return function(dict(zip(PARTS, sums, strict=True)))

    return of_sums


SCORES = {
    "rmse": lambda s: CM * np.sqrt(s["error"] / s["one"]),
    "against_persistence": lambda s: np.sqrt(s["error"] / s["persistence_error"]),
    "against_free_drift": lambda s: np.sqrt(s["error"] / s["free_drift_error"]),
    "bias_x": lambda s: CM * s["error_x"] / s["one"],
    "bias_y": lambda s: CM * s["error_y"] / s["one"],
    "speed_bias": lambda s: CM * s["speed_error"] / s["one"],
    "speed_ratio": lambda s: s["model_speed"] / s["observed_speed"],
    "correlation": lambda s: (
        np.hypot(s["model_observed_x"], s["model_observed_y"])
        / np.sqrt(s["model_square"] * s["observed_square"])
    ),
    "turned": lambda s: -np.degrees(np.arctan2(s["model_observed_y"], s["model_observed_x"])),
    "wind_factor": lambda s: (
        100 * np.hypot(s["model_wind_x"], s["model_wind_y"]) / s["wind_square"]
    ),
    "wind_ratio": lambda s: (
        np.hypot(s["model_wind_x"], s["model_wind_y"])
        / np.hypot(s["observed_wind_x"], s["observed_wind_y"])
    ),
    "wind_angle": lambda s: -np.degrees(np.arctan2(s["model_wind_y"], s["model_wind_x"])),
}
"""Scores by name. `rmse`, biases [cm/s]; `correlation`, the magnitude of the complex one about
zero; `turned`, to the right of the observed drift, and `wind_angle`, to the right of the wind
[degrees]; `wind_factor`, the least-squares share of the wind [%], and `wind_ratio`,
that over the one of the observed drift."""


def score(model, observed, persistence, free_drift, wind, x, y):
    """Intervals of scores by name.

    Parameters
    ----------
    model, observed, persistence, free_drift, wind : (point,) complex array
        [m/s]
    x, y : (point,) array
        On the projected plane [m].

    Returns
    -------
    dict of Interval
        With 95 % from resampling squares of `BLOCK`, the same draws for whatever is scored on the
        same points.
    """
    labels = np.floor(x / BLOCK) * 1000 + np.floor(y / BLOCK)
    blocks = draw_blocks(labels, draws=DRAWS, rng=np.random.default_rng(2016))
    cells = contributions(model, observed, persistence, free_drift, wind)
    return {name: block_interval(cells, _score(made), blocks) for name, made in SCORES.items()}


def wind_law(drift, wind):
    """Least-squares share of the wind and angle to its right, without and with a mean drift.

    Returns
    -------
    plain, offset : tuple of float
        Factor [1] and angle [degrees]; `offset` of the fit that has a constant drift besides.
    """

    def law(drift, wind):
        factor = np.vdot(wind, drift) / np.vdot(wind, wind)
        return float(abs(factor)), float(-np.degrees(np.angle(factor)))

    return law(drift, wind), law(drift - drift.mean(), wind - wind.mean())
