"""Statistics that are taken of real and of synthetic weather alike."""

import numpy as np


def quantiles(speed):
    """Mean, quartiles and 95th percentile of a wind speed: dict."""
    lower, median, upper, high = np.percentile(speed, [25, 50, 75, 95])
    return {
        "mean": np.mean(speed),
        "lower quartile": lower,
        "median": median,
        "upper quartile": upper,
        "95th percentile": high,
    }


def autocorrelation(series, step, longest):
    """Autocorrelation of a real or complex series with gaps (NaN).

    Parameters
    ----------
    series : (time, ...) array
        Its mean over time is taken out.
    step : float
        Between times [h].
    longest : float
        Lag [h].

    Returns
    -------
    lag : (lag,) array
        [h]
    correlation : (lag,) array
        Real part; for a wind the mean of those of its components.
    """
    series = series - np.nanmean(series, axis=0)
    lags = np.arange(int(longest / step) + 1)
    found = [np.nanmean((series[: len(series) - lag] * np.conj(series[lag:])).real) for lag in lags]
    return lags * step, np.array(found) / found[0]


def e_folding(distance, correlation):
    """First distance (or lag) at which a correlation falls below 1/e; NaN if it never does."""
    below = np.flatnonzero(correlation < np.exp(-1))
    if not below.size or below[0] == 0:
        return np.nan
    after = below[0]
    share = (correlation[after - 1] - np.exp(-1)) / (correlation[after - 1] - correlation[after])
    return distance[after - 1] + share * (distance[after] - distance[after - 1])


def spatial_correlation(fields, x, y, edges):
    """Correlation of fields at places a distance apart.

    Parameters
    ----------
    fields : (sample, place) array
        Real, or complex for a wind; departures from the mean that is wanted out.
    x, y : (place,) array
        [m], on a map of which the scale is near 1.
    edges : (bin + 1,) array
        Of classes of distance [m].

    Returns
    -------
    distance : (bin + 1,) array
        Mean of each class, with 0 first [m].
    correlation : (bin + 1,) array
    """
    apart = np.hypot(x[:, None] - x, y[:, None] - y)
    product = (np.conj(fields).T @ fields).real / len(fields)
    kind = np.digitize(apart, edges)
    distance, correlation = [0.0], [1.0]
    variance = np.mean(np.diag(product))
    for number in range(1, len(edges)):
        chosen = kind == number
        distance.append(apart[chosen].mean())
        correlation.append(product[chosen].mean() / variance)
    return np.array(distance), np.array(correlation)


def slope(series, step, shortest, longest):
    """Slope of the power spectrum of a series between two periods [h], by Hann windows of a month.

    Parameters
    ----------
    series : (time,) array
        Real or complex, without gaps.
    step : float
        Between times [h].

    Returns
    -------
    float
        Exponent of frequency.
    """
    length = int(30 * 24 / step)
    window = np.hanning(length)
    power = 0.0
    for start in range(0, len(series) - length + 1, length // 2):
        part = series[start : start + length]
        power = power + np.abs(np.fft.fft(window * (part - part.mean()))) ** 2
    frequency = np.fft.fftfreq(length, step)
    both = power[1 : length // 2] + power[:0:-1][: length // 2 - 1]
    frequency = frequency[1 : length // 2]
    chosen = (frequency > 1 / longest) & (frequency < 1 / shortest)
    return np.polyfit(np.log(frequency[chosen]), np.log(both[chosen]), 1)[0]


def zonal_spectrum_slope(fields, spacing, shortest, longest):
    """Slope of the power spectrum of maps along rows between two wavelengths [m].

    Parameters
    ----------
    fields : (sample, row, column) array
        Real or complex.
    """
    width = fields.shape[-1]
    window = np.hanning(width)
    power = np.abs(np.fft.fft(window * (fields - fields.mean(axis=-1, keepdims=True)))) ** 2
    power = power.mean(axis=tuple(range(power.ndim - 1)))
    half = width // 2
    both = power[1:half] + power[:0:-1][: half - 1]
    wave = np.fft.fftfreq(width, spacing)[1:half]
    chosen = (wave >= 1 / longest) & (wave <= 1 / shortest)
    return np.polyfit(np.log(wave[chosen]), np.log(both[chosen]), 1)[0]
