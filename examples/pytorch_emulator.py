"""A PyTorch network as a model: forward, a derivative by JAX, and a 4D-Var analysis through it."""

import sys
from importlib.util import find_spec

if find_spec("torch") is None:
    print("PyTorch is not installed: pip install 'floecast[torch]'")
    sys.exit()

import jax
import jax.numpy as jnp
import torch

import floecast as fc

grid = fc.Grid.preset("arctic100")
start = fc.to_seconds("2031-03-01T12:00")
weather = fc.SyntheticWeather.draw(fc.named_key(1, "weather"), grid)

# Any module from input to output channels; this one knows nothing yet. Put a trained one here.
torch.manual_seed(1)
network = torch.nn.Sequential(
    torch.nn.Conv2d(5, 8, 3, padding=1), torch.nn.Tanh(), torch.nn.Conv2d(8, 2, 3, padding=1)
)
model = fc.Emulator.from_torch(
    network,
    grid=grid,
    dt=43200,
    inputs=["concentration", "ice_volume", "wind_u@start", "wind_v@start", "sea"],
    outputs=["concentration", "ice_volume"],
    input_std=[1.0, 2.0, 10.0, 10.0, 1.0],
    output_std=[0.02, 0.05],
    static={"sea": grid.mask_t},
)

state = fc.restart_state(grid, month=3)
run = fc.rollout(model, state, weather, steps=2, key=fc.named_key(1, "run"), start=start)
print(
    f"mean volume {jnp.mean(state.ice_volume):.3f} m, {jnp.mean(run.final.ice_volume):.3f} m later"
)


def volume_later(initial):
    run = fc.rollout(model, initial, weather, steps=2, key=fc.named_key(1, "run"), start=start)
    return jnp.mean(run.final.ice_volume)


slope = jax.grad(volume_later)(state).concentration
print(f"its derivative by the concentration: {jnp.min(slope):.2g} to {jnp.max(slope):.2g} m")

# What a satellite sees half a day later corrects the start, by the derivatives of the network.
seen = fc.sample_concentration(
    fc.named_key(1, "satellite"), fc.restart_state(grid, month=3, number=1), grid, start + 43200
)
errors = fc.IceState(concentration=0.1, ice_volume=0.1, snow_volume=0.0, u=0.0, v=0.0, damage=0.0)
found = fc.Var4D(
    model, fc.DiffusionCovariance(grid, errors, 200e3), window=2, misfit=fc.CensoredMisfit()
).analyse(state, seen, weather, start=start, key=fc.named_key(1, "analysis"))
cost = found.minimum.history.cost
print(f"cost {cost[0]:.0f}, after the analysis {found.minimum.history.last:.0f}")
