"""What the station measured, what has to be assumed, and the drift that follows from stress."""

import numpy as np
import xarray as xr

RADIUS, ROTATION = 6371e3, 7.292e-5
WIND_HEIGHT, AIR_HEIGHT = 4.0, 2.0
"""Nominal heights of the sonic anemometer and of the thermometer [m]."""
ICE, SNOW = 1.3, 0.15
"""Thickness taken for the ice and its snow [m]."""
WATER_DRAG, WATER_DENSITY, ICE_DENSITY, SNOW_DENSITY = 5.5e-3, 1026.0, 900.0, 330.0
"""Drag of the default mEVP."""


def read(path, hours=3):
    """Means of the station over equal times, and its drift from its positions.

    Parameters
    ----------
    path : path
        `asfs50_1min_20200115_20200123.nc`.
    hours : int

    Returns
    -------
    dict of (time,) array
        `time` (middle) [s since the first], `day` [days of January], `wind` and `drift` (east + i
        north) [m/s], `temperature` [K], `humidity` relative [1], `pressure` [Pa], `latitude` [deg].
        Only times of which 80 % of the minutes are there.
    """
    with xr.open_dataset(path) as file:
        minutes = file.load()
    block = 60 * hours
    count = minutes.sizes["time"] // block

    def blocks(name):
        return np.asarray(minutes[name], float)[: count * block].reshape(count, block)

    wind = blocks("wspd_u_mean") + 1j * blocks("wspd_v_mean")
    good = np.isfinite(wind).mean(axis=1) >= 0.8
    latitude, longitude = blocks("latitude"), np.radians(blocks("longitude"))
    rate = _slope(np.radians(latitude)), _slope(longitude)
    middle = np.nanmean(np.where(good[:, None], latitude, 85.0), axis=1)
    drift = RADIUS * (np.cos(np.radians(middle)) * rate[1] + 1j * rate[0])
    good &= np.isfinite(drift)

    def mean(values):
        return np.nanmean(values[good], axis=1)

    seconds = (np.arange(count) + 0.5) * 3600.0 * hours
    return {
        "time": seconds[good],
        "day": 15.0 + seconds[good] / 86400.0,
        "wind": mean(wind),
        "drift": drift[good],
        "temperature": mean(blocks("temp")) + 273.15,
        "humidity": 0.01 * mean(blocks("rh")),
        "pressure": 100.0 * mean(blocks("atmos_pressure")),
        "latitude": middle[good],
    }


def _slope(values):
    """Least-squares change per second along the minutes of each block."""
    found = np.full(len(values), np.nan)
    for number, row in enumerate(values):
        there = np.isfinite(row)
        if there.mean() >= 0.8:
            found[number] = np.polyfit(60.0 * np.flatnonzero(there), row[there], 1)[0]
    return found


def free_drift(stress, latitude, turning=0.0):
    """Steady drift of ice without inner stress on water at rest.

    Parameters
    ----------
    stress : (time,) complex array
        Of the air on the ice [N/m2].
    latitude : (time,) array
        [degrees]
    turning : float
        Of the drag of the water, as in `MEVP` [degrees].

    Returns
    -------
    (time,) complex array
        [m/s]

    Notes
    -----
    ``tau = (rho_w C_w |u| exp(i turning) + i m f) u``; ``|u|`` by Newton's method.
    """
    mass = ICE_DENSITY * ICE + SNOW_DENSITY * SNOW
    inertia = 1j * mass * 2.0 * ROTATION * np.sin(np.radians(latitude))
    drag = WATER_DENSITY * WATER_DRAG * np.exp(1j * np.radians(turning))
    speed = np.sqrt(np.abs(stress) / np.abs(drag))
    for _ in range(50):
        response = drag * speed + inertia
        excess = np.abs(response) * speed - np.abs(stress)
        slope = np.abs(response) + speed * (response.conj() * drag).real / np.abs(response)
        speed = np.maximum(speed - excess / slope, 1e-9)
    return stress / (drag * speed + inertia)


def scores(found, observed, wind):
    """How a drift compares with the observed one.

    Parameters
    ----------
    found, observed, wind : (time,) complex array
        [m/s]

    Returns
    -------
    dict
        Root mean square of the vector difference, bias of the speed [cm/s], share of the wind [%]
        and angle to its right [degrees] by least squares, vector correlation.
    """
    share = np.vdot(wind, found) / np.vdot(wind, wind)
    both = np.sqrt(np.vdot(found, found).real * np.vdot(observed, observed).real)
    return {
        "rmse": 100 * np.sqrt(np.mean(np.abs(found - observed) ** 2)),
        "bias": 100 * np.mean(np.abs(found) - np.abs(observed)),
        "share": 100 * np.abs(share),
        "angle": -np.degrees(np.angle(share)),
        "correlation": np.abs(np.vdot(found, observed)) / both,
    }
