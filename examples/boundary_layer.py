"""Calibrate the boundary layer: roughness of the ice and drag of the water from drift alone."""

import equinox as eqx
import jax
import jax.numpy as jnp

import floecast as fc

grid = fc.Grid.box((4, 4), 100e3, latitude=85.0)
start = fc.to_seconds("2030-01-15")
weather = fc.SyntheticWeather.draw(fc.named_key(1, "weather"), grid)
weather = weather.with_aloft((0, 50, 150, 300, 600, 1000, 1500, 2000))
ice = fc.IceState.at_rest(grid, jnp.full(grid.shape, 0.8), 1.5, 0.2)
model = fc.Simulator(
    grid,
    rheology=fc.MEVP(iterations=40),
    thermodynamics=fc.NoThermodynamics(),
    boundary_layer=fc.BoundaryLayer(levels=fc.Levels.stretched(20), longest_step=1800.0),
    dt=3600,
)


def with_parameters(logarithms):
    """The model with another roughness [m] and another drag coefficient of the water."""
    return eqx.tree_at(
        lambda m: (m.ice_roughness, m.rheology.water_drag), model, tuple(jnp.exp(logarithms))
    )


def drift(logarithms):
    """Drift every three hours of a day [m/s], through the columns of air and the ice."""
    run = fc.rollout(
        with_parameters(logarithms),
        ice,
        weather,
        24,
        key=fc.named_key(1, "run"),
        start=start,
        save_every=3,
        observe=lambda state: (state.u[:, :-1], state.v[:-1]),
    )
    return jnp.concatenate([component.ravel() for component in run.state])


@jax.jit
def with_slopes(logarithms):
    """Drift and its derivatives by both parameters."""
    slopes, modelled = jax.jacfwd(lambda at: (drift(at),) * 2, has_aux=True)(logarithms)
    return modelled, slopes


truth, found = jnp.log(jnp.array([2e-3, 4e-3])), jnp.log(jnp.array([5e-4, 6e-3]))
noise = 0.01
observed, _ = with_slopes(truth)
observed += noise * jax.random.normal(fc.named_key(1, "noise"), observed.shape)
for number in range(4):
    modelled, slopes = with_slopes(found)
    misfit = jnp.mean(((observed - modelled) / noise) ** 2)
    roughness, drag = jnp.exp(found)
    print(f"{number}: roughness {roughness:.2e} m, drag {drag:.2e}, misfit / noise {misfit:.2f}")
    found += jnp.linalg.lstsq(slopes, observed - modelled)[0]  # Gauss-Newton

deviation = noise * jnp.sqrt(jnp.diag(jnp.linalg.inv(slopes.T @ slopes)))
for name, was, now, spread in zip(("roughness", "drag"), truth, found, deviation, strict=True):
    print(f"{name}: found {jnp.exp(now):.2e} +- {100 * spread:.0f} %, true {jnp.exp(was):.2e}")
