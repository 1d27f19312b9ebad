"""A forecast from Python: a truth, what a satellite sees of it, analysis, forecast, scores."""

import jax

import floecast as fc

grid = fc.Grid.preset("arctic100")
start = fc.to_seconds("2030-01-15T12:00")
weather = fc.SyntheticWeather.draw(fc.named_key(1, "weather"), grid)
typical = fc.typical_state(grid, start)
warm_sea = fc.ocean_heat_flux_beyond_edge(typical.concentration, grid)
model = fc.Simulator(grid, thermodynamics=fc.SimpleFreezing(ocean_heat_flux=warm_sea))

# The truth drifts for five days from a typical January; the forecaster has the typical January.
truth = fc.rollout(
    model, typical, weather, 20, key=fc.named_key(1, "truth"), start=start - 5 * 86400
).final
observations = fc.sample_concentration(fc.named_key(1, "satellite"), truth, grid, start)
background = fc.initial_ensemble(fc.named_key(1, "members"), typical, grid, 20)

letkf = fc.LETKF(localisation=fc.GaspariCohn.on_grid(grid, 200e3))
analysis = letkf.analyse(background, observations)

# Each member has its own version of the weather, less and less like the true one.
issue = fc.named_key(1, "forecast")
members = [weather.forecast(issue, start, member=number) for number in range(20)]
forecast = fc.forecast(model, analysis.ensemble, members, days=3, start=start, key=issue)

later = fc.rollout(
    model, truth, weather, 12, key=fc.named_key(1, "truth"), start=start, save_every=4
).state
true_days = jax.tree.map(lambda now, days: jax.numpy.concatenate([now[None], days]), truth, later)
card = fc.verify(forecast, true_days, baselines=("persistence",))
print(card.select(variable="concentration", score="rmse", region="arctic").table())
print(forecast.to_xarray())
