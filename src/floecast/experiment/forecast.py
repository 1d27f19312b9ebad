"""Stage 3: the ensemble forecast, in twins also the free run without observations."""

from floecast.core.ensemble import count
from floecast.forecast.ensemble import forecast

from . import files

WEATHER = {
    "climatology": "Forecast: each member lives through weather drawn from a climatology; the wind "
    "of those days is not known to it.",
    "forecast": "Forecast: driven by the truth's weather with an error that grows with lead time.",
    "file": "Forecast: driven by the weather file, which must be a forecast for the forecast to be "
    "one; with an analysis it is a hindcast.",
}
"""What the manifest tells of the weather."""


def products(config):
    """What the stage writes."""
    return ["forecast.nc", "forecast_members.nc", *["free_run_members.nc"] * config.twin]


def make(case, noted):
    """Write the products of this stage.

    Parameters
    ----------
    case : Case
    noted : dict
        Notes, warnings and inputs for the manifest.
    """
    out = _run(case, "analysis_ensemble.nc", noted)
    files.write_forecast(case.folder.file("forecast.nc"), out)
    files.write_members(case.folder.file("forecast_members.nc"), out)
    if case.config.twin:
        free = _run(case, "background_ensemble.nc", noted)
        files.write_members(case.folder.file("free_run_members.nc"), free)
    noted["notes"].append(WEATHER[case.config.weather.knowledge])


def _run(case, start, noted):
    ensemble = files.read_states(case.folder.file(start), case.grid)
    out = forecast(
        case.forecast_model(),
        ensemble,
        case.forecast_weather(noted)[: count(ensemble)],
        days=case.config.forecast.days,
        key=case.key("forecast", "model"),
        start=case.analysis_time,
        progress=case.progress.advance,
    )
    noted["warnings"] += failures(out.healthy, f"forecast from {start}")
    return out


def failures(healthy, what):
    """Warning that names the members that failed, as a list of at most one."""
    failed = [str(number) for number, good in enumerate(healthy) if not good]
    if not failed:
        return []
    return [f"{what}: members {', '.join(failed)} are not finite and left out"]
