"""Arctic sea-ice forecasting in JAX.

The public names are loaded on first use, so that ``import floecast`` costs next to nothing.
"""

from importlib import import_module

_HOME = {
    "Grid": "core.grid",
    "VARIABLES": "core.variables",
    "IceState": "core.state",
    "to_seconds": "core.calendar",
    "to_datetime64": "core.calendar",
    "Model": "core.model",
    "rollout": "core.rollout",
    "stream": "core.rollout",
    "named_key": "core.keys",
    "FloecastError": "core.errors",
    "InputError": "core.errors",
    "Forcing": "atmosphere.forcing",
    "FilledForcing": "atmosphere.forcing",
    "SyntheticWeather": "atmosphere.weather",
    "Aloft": "atmosphere.forcing",
    "BoundaryLayer": "atmosphere.boundary_layer",
    "SurfaceLayer": "atmosphere.surface_layer",
    "SnowRoughness": "atmosphere.snow_roughness",
    "Surface": "atmosphere.surface",
    "Levels": "atmosphere.levels",
    "Simulator": "simulator.model",
    "SimulatorState": "simulator.state",
    "BBM": "simulator.bbm",
    "MEVP": "simulator.mevp",
    "FreeDrift": "simulator.free_drift",
    "WENO": "simulator.weno",
    "Upwind": "simulator.advection",
    "Winton": "simulator.winton",
    "ZeroLayer": "simulator.zero_layer",
    "NoThermodynamics": "simulator.interfaces",
    "ArcticOcean": "simulator.arctic_ocean",
    "Cyclone": "simulator.cyclone",
    "restart_state": "simulator.restart_states",
    "Emulator": "emulator.model",
    "CoupledEmulator": "emulator.coupled",
    "SimpleFreezing": "simulator.thermodynamics",
    "ocean_heat_flux_beyond_edge": "simulator.thermodynamics",
    "typical_state": "simulator.typical_state",
    "Observations": "observation.observations",
    "observe": "observation.operators",
    "sample_concentration": "observation.sampling",
    "sample_thickness": "observation.sampling",
    "LETKF": "assimilation.kalman",
    "EnKF": "assimilation.transform",
    "DEnKF": "assimilation.transform",
    "EnKFN": "assimilation.transform",
    "GETKF": "assimilation.getkf",
    "EigenRoot": "assimilation.modulation",
    "SeparableRoot": "assimilation.modulation",
    "IEnKS": "assimilation.smoother",
    "Var3D": "assimilation.variational",
    "Var4D": "assimilation.variational",
    "EnVar4D": "assimilation.variational",
    "En4DVar": "assimilation.variational",
    "Asynchronous": "assimilation.asynchronous",
    "Recentred": "assimilation.cycle",
    "cycle": "assimilation.cycle",
    "CensoredMisfit": "assimilation.misfit",
    "ReducedGain": "assimilation.members",
    "PerturbedObservations": "assimilation.members",
    "HybridCovariance": "assimilation.covariance",
    "EnsembleCovariance": "assimilation.covariance",
    "DiffusionCovariance": "assimilation.diffusion",
    "GaspariCohn": "assimilation.localisation",
    "Inflation": "assimilation.inflation",
    "BiasCorrection": "assimilation.bias",
    "AdaptiveInflation": "assimilation.inflation",
    "initial_ensemble": "assimilation.initial",
    "Analysis": "assimilation.analysis",
    "Forecast": "forecast.ensemble",
    "prediction_ellipse": "forecast.ellipses",
    "ice_edge": "forecast.ice_edge",
    "ensemble_forecast": "experiment.ensemble_forecast",
    "forecast_config": "forecast_schema",
    "verify": "verification.verify",
    "Scorecard": "verification.scorecard",
    "read_observations": "io.readers",
    "read_aloft": "io.readers",
    "read_forcing": "io.readers",
    "read_thickness_field": "io.readers",
    "Config": "config",
    "run": "experiment",
    "simulate": "experiment.simulate",
    "simulation_config": "simulation_schema",
    "train": "experiment.train",
    "train_config": "train_schema",
}

__all__ = ["__version__", "forecast", "testbeds", *_HOME]


def __getattr__(name):
    if name in _HOME:
        value = getattr(import_module(f"floecast.{_HOME[name]}"), name)
    elif name == "forecast":
        value = import_module("floecast.forecast")  # the package is callable, see there
    elif name == "testbeds":
        value = import_module("floecast.testbeds")
    elif name == "__version__":
        from importlib.metadata import version

        value = version("floecast")
    else:
        raise AttributeError(f"module 'floecast' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *__all__})
