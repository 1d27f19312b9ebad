"""Read a scorecard: which system has the smaller error, and whether the dates are enough to say so.

Twelve forecasts of a twin are made and verified first; leave that out and name your own files.
"""

import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

import floecast as fc
from floecast.experiment.verify_files import verify_files
from floecast.io.cf import read_dataset, to_dataset, write_netcdf

DAY, DATES, DAYS, MEMBERS = 86400, 12, 3, 6
grid = fc.Grid.preset("arctic100")
begin = fc.to_seconds("2030-01-01")
weather = fc.SyntheticWeather.draw(fc.named_key(1, "weather"), grid)
typical = fc.typical_state(grid, begin)
warm_sea = fc.ocean_heat_flux_beyond_edge(typical.concentration, grid)
model = fc.Simulator(grid, thermodynamics=fc.SimpleFreezing(ocean_heat_flux=warm_sea))

# The truth day by day; forecasts start each week from it, with errors as an analysis has them.
days = 7 * DATES
truth = fc.rollout(
    model, typical, weather, 4 * days, key=fc.named_key(1, "truth"), start=begin, save_every=4
)
scored = {name: getattr(truth.state, name) for name in ("concentration", "ice_volume")}
write_netcdf(to_dataset(scored, grid, time=truth.time, title="truth"), "truth.nc")
paths = []
for number in range(DATES):
    index = 7 * number + 3
    start = int(truth.time[index])
    now = fc.IceState(**{name: field[index] for name, field in truth.state.fields().items()})
    key = fc.named_key(1, "forecast", number)
    ensemble = fc.initial_ensemble(fc.named_key(1, "members", number), now, grid, MEMBERS)
    members = [weather.forecast(key, start, member=member) for member in range(MEMBERS)]
    forecast = fc.forecast(model, ensemble, members, days=DAYS, start=start, key=key)
    paths.append(Path(f"forecast_{number:02d}.nc"))
    write_netcdf(forecast.to_xarray(), paths[-1])
verify_files(paths, "truth.nc", out="verification")  # floecast verify forecast_*.nc truth.nc

# What there is, and the rows of one score: one line a system, one column a lead.
card = fc.Scorecard.from_json("verification/scorecard.json")
print(card)
chosen = card.select(variable="concentration", score="rmse", region="arctic")
print(chosen.table())

# Differences on the same dates: below 0 the forecast has the smaller error. Where the interval
# holds 0, these dates do not tell which is better, however large the difference looks.
effective = json.loads(Path("verification/diagrams.json").read_text())["effective_dates"]
for reference in ("persistence", "observed persistence"):
    system = f"forecast minus {reference}"
    print(f"{system}: ice-edge error [1000 km2]")
    for row in card.select(
        system=system, variable="concentration", score="iiee", region="arctic"
    ).rows[1:]:
        verdict = "better" if row.high < 0 else "worse" if row.low > 0 else "not clear of zero"
        independent = effective[f"concentration iiee, {reference}, {row.lead_hours:g} h"]
        print(
            f"  after {row.lead_hours:g} h {row.value:+.0f}, 95 % from {row.low:+.0f} to "
            f"{row.high:+.0f}: {verdict}; {row.n} dates, worth {independent:.0f} independent ones"
        )

figure, axes = plt.subplots(figsize=(6, 4))
for system in ("forecast", "persistence"):
    rows = chosen.select(system=system).rows
    leads, values = [row.lead_hours for row in rows], [row.value for row in rows]
    bars = [[row.value - row.low for row in rows], [row.high - row.value for row in rows]]
    axes.errorbar(leads, values, bars, capsize=3, label=system)
axes.set(xlabel="lead [h]", ylabel="RMSE of concentration [1]", ylim=(0, None))
axes.legend()
figure.savefig("scorecard.png", dpi=120)

# Any dataset of floecast draws maps: of the last forecast, one member on its last day.
last = read_dataset(paths[-1]).isel(time=-1, realization=0)
last.floecast.map("concentration").save("concentration.png")
print("pictures: scorecard.png, concentration.png")
