"""Train a small emulator: simulate weeks of ice, write them as a data set, train, see its skill.

The ice moves in free drift, which is simulated in seconds, and a narrow network with 120 updates
only begins to learn; `floecast train` does the whole of it.
"""

import argparse
from pathlib import Path

import numpy as np
import xarray as xr

import floecast as fc
from floecast.core.variables import STATE
from floecast.experiment.dataset import monthly_ocean
from floecast.experiment.train import train
from floecast.io.cf import to_dataset, write_netcdf
from floecast.io.run_folder import RunFolder
from floecast.io.store import write_zarr
from floecast.train_schema import train_config

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--days", type=int, default=40, help="of the training split, 2 at least")
parser.add_argument("--updates", type=int, default=120, help="of the weights")
given = parser.parse_args()

grid = fc.Grid.preset("arctic100")
start, dt = fc.to_seconds("2031-02-01"), 43200
simulator = fc.Simulator(grid, thermodynamics=fc.ZeroLayer(), ocean=fc.ArcticOcean.of(grid))
data = Path("small_training_set")

RunFolder(data, {"name": "weeks of February and March", "seed": 1})  # with its manifest

# Each split has weather of its own, or the validation would tell how well weather is remembered.
for split, days in (("training", given.days), ("validation", 12)):
    weather = fc.SyntheticWeather.draw(fc.named_key(1, "weather", split), grid)
    run = fc.rollout(
        simulator,
        fc.restart_state(grid, month=2),
        weather,
        days * 86400 // simulator.dt,
        key=fc.named_key(1, "truth", split),
        start=start,
        save_every=dt // simulator.dt,
    )
    fields = {name: getattr(run.state, name) for name in STATE}
    times = [weather.between(time, time).fields() for time in np.asarray(run.time)]
    fields |= {name: np.stack([one[name][0] for one in times]) for name in times[0]}
    archive = to_dataset(
        fields, grid, time=run.time, staggered=True, title=f"{split} split", step_hours=12
    )
    write_zarr(archive, data / f"{split}.zarr")

months = {name: (("month", "y", "x"), field) for name, field in monthly_ocean(grid).items()}
write_netcdf(xr.Dataset(months), data / "ocean.nc")

stage = f"{{name: short, updates: {given.updates}, learning_rate: 5e-3, members: 2, batch: 2}}"
options = ["preset=arctic100", f"dataset={data}", "widths=[8, 16]", f"stages=[{stage}]"]
made = train(train_config(None, options), out="small_emulator")
print(made.file("model_card.md").read_text())

# The file is a model like any other, for `fc.forecast`, `fc.cycle` and `model.weights` of a run.
print(fc.Emulator.load(made.file("emulator.npz")))
