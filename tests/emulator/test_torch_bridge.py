"""A PyTorch network as a model: same numbers, exact derivatives, refusals that help."""

from dataclasses import replace
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.atmosphere.forcing import Forcing
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.model import Model
from floecast.core.rollout import rollout
from floecast.core.state import IceState, check_state
from floecast.emulator.torch_bridge import NO_ICE, from_torch
from floecast.emulator.torch_function import TorchFunction

torch = pytest.importorskip("torch", reason="needs PyTorch: the extra `torch`")
nn = torch.nn
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
step = eqx.filter_jit(lambda model, state, forcing, key: model.step(state, forcing, key))

BOX = Grid.box((8, 12), 50e3)
INPUTS = ("ice_volume", "concentration", "u", "v", "snow_volume", "wind_u@start", "wind_v@end")
INPUTS += ("air_temperature@start", "mask", "noise")
OUTPUTS = ("ice_volume", "concentration", "u", "v", "snow_volume")
INPUT_MEAN = (1.0, 0.5, 0.0, 0.0, 0.1, 0.0, 0.0, 255.0, 0.0, 0.0)
INPUT_STD = (1.0, 0.4, 0.2, 0.2, 0.1, 5.0, 5.0, 10.0, 1.0, 1.0)
OUTPUT_STD = (0.03, 0.02, 0.05, 0.05, 0.01)


class Block(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, before, after):
        super().__init__()
        self.long = nn.Sequential(
            nn.Conv2d(before, after, 3, padding=1, bias=False),
            nn.GroupNorm(2, after),
            nn.Mish(),
            nn.Dropout2d(0.2),
            nn.Conv2d(after, after, 3, padding=1),
        )
        self.short = nn.Conv2d(before, after, 1)

    def forward(self, x):
        return self.long(x) + self.short(x)


class SmallUNet(nn.Module):
    """The shape of the published emulators, in little."""

    def __init__(self, inputs=10, outputs=5):
        super().__init__()
        self.into, self.low = Block(inputs, 4), Block(4, 8)
        self.up = nn.Upsample(scale_factor=2, mode="bilinear")
        self.out = nn.Sequential(Block(12, 4), nn.Conv2d(4, outputs, 1))

    def forward(self, x):
        fine = self.into(x.sub_(0.1))  # in place, as many modules work
        coarse = self.low(nn.functional.avg_pool2d(fine, 2))
        return self.out(torch.cat([self.up(coarse), fine], 1))


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Small fields are faster without threads, which would fight with those of JAX."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    return SmallUNet()


@pytest.fixture(scope="module")
def model(network):
    return made(network)


def made(network, **changed):
    """A model of all kinds of channels, with some of its arguments changed."""
    arguments = dict(
        grid=BOX,
        dt=43200,
        inputs=INPUTS,
        outputs=OUTPUTS,
        input_mean=INPUT_MEAN,
        input_std=INPUT_STD,
        output_std=OUTPUT_STD,
        static={"mask": BOX.mask_t},
    )
    return from_torch(network, **(arguments | changed))


def pack_ice(seed=0):
    """Ice so far from every bound that no bound acts in a few steps."""
    rng = np.random.default_rng(seed)
    low = {"concentration": 0.4, "ice_volume": 1.0, "snow_volume": 0.2, "damage": 0.3}
    fields = {name: rng.uniform(value, 1.5 * value, BOX.shape) for name, value in low.items()}
    u, v = rng.normal(0.0, 0.1, (2, *BOX.shape))
    return IceState(u=u * BOX.mask_u, v=v * BOX.mask_v, **fields)


def weather(seed=1):
    rng = np.random.default_rng(seed)
    wind_u, wind_v, noise = rng.normal(0.0, 5.0, (3, 3, *BOX.shape))
    time = np.array([0, 5 * 43200, 10 * 43200])
    return Forcing(time, wind_u=wind_u, wind_v=wind_v, air_temperature=255.0 + noise)


def dot(a, b):
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return sum(float(np.sum(np.asarray(x) * np.asarray(y))) for x, y in pairs)


def random_like(state, seed):
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), state)


def by_torch(network, state, forcing, steps, key):
    """The same steps as a user of PyTorch writes them, in float64."""
    network = network.double().eval()
    fields = {name: np.asarray(field) for name, field in state.fields().items()}
    for number in range(steps):
        begin, end = (forcing.between(*[43200 * (number + i)] * 2).fields() for i in (0, 1))
        noise = jax.random.normal(jax.random.fold_in(key, number), (1, *BOX.shape), float)
        channels = [fields[name] for name in INPUTS[:5]]
        channels += [begin["wind_u"][0], end["wind_v"][0], begin["air_temperature"][0]]
        channels = np.stack([*channels, BOX.mask_t.astype(float), noise[0]])
        mean, std = (np.array(x)[:, None, None] for x in (INPUT_MEAN, INPUT_STD))
        with torch.no_grad():
            answer = network(torch.tensor((channels - mean) / std)[None])[0].numpy()
        change = answer * np.array(OUTPUT_STD)[:, None, None]
        for name, increment in zip(OUTPUTS, change, strict=True):
            mask = {"u": BOX.mask_u, "v": BOX.mask_v}.get(name, BOX.mask_t)
            fields[name] = (fields[name] + increment) * mask
    network.float()
    return fields


def test_the_same_as_pytorch_alone(network, model, key):
    state, forcing = pack_ice(), weather()
    expected = by_torch(network, state, forcing, 5, key)
    found = rollout(model, state, forcing, 5, key=key).final
    for name, field in found.fields().items():
        np.testing.assert_allclose(field, expected[name], atol=1e-13, err_msg=name)
    assert np.array_equal(found.damage, state.damage)
    assert not np.allclose(found.ice_volume, state.ice_volume, atol=1e-3)
    assert isinstance(model, Model) and model.needs == ("wind_u", "wind_v", "air_temperature")


def test_the_module_is_left_alone(key):
    network = SmallUNet()
    model, state, forcing = made(network), pack_ice(), weather().between(0, 43200)
    assert network.training and all(p.requires_grad for p in network.parameters())
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    before = step(model, state, forcing, key)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    after = step(model, state, forcing, key)
    assert jax.tree.all(jax.tree.map(np.array_equal, before, after))


def test_derivatives_are_those_of_pytorch(model):
    rng = np.random.default_rng(5)
    x, change = rng.normal(size=(2, len(INPUTS), *BOX.shape))
    weight = rng.normal(size=(len(OUTPUTS), *BOX.shape))
    alone = model.function._by_precision["float64"]
    x_t, change_t, weight_t = (torch.tensor(a)[None] for a in (x, change, weight))
    _, along = torch.func.jvp(alone, (x_t.clone(),), (change_t,))
    (back,) = torch.func.vjp(lambda x: alone(x.clone()), x_t)[1](weight_t)
    _, found = jax.jvp(model.function, (x,), (change,))
    np.testing.assert_allclose(found, along[0], rtol=1e-12, atol=1e-14)
    _, linear = jax.linearize(model.function, x)
    np.testing.assert_array_equal(linear(change), found)
    for pull in (jax.vjp(model.function, x)[1], jax.jit(jax.linear_transpose(linear, x))):
        np.testing.assert_allclose(pull(weight)[0], back[0], rtol=1e-12, atol=1e-14)


def test_tangent_and_adjoint_of_five_steps(model, key):
    state, forcing = jax.tree.map(jnp.asarray, pack_ice()), weather()
    change, weight = random_like(state, 7), random_like(state, 8)

    def final(state):
        return rollout(model, state, forcing, 5, key=key).final

    forward = jax.jit(lambda state: jax.jvp(final, (state,), (change,)))
    after, tangent = forward(state)
    (adjoint,) = jax.jit(lambda state: jax.vjp(final, state)[1](weight))(state)
    assert dot(tangent, weight) == pytest.approx(dot(change, adjoint), rel=1e-12)

    def remainder(size):
        moved, _ = forward(jax.tree.map(lambda x, d: x + size * d, state, change))
        errors = jax.tree.map(lambda m, a, t: m - a - size * t, moved, after, tangent)
        return np.sqrt(dot(errors, errors))

    remainders = np.array([remainder(size) for size in 2e-4 * 0.5 ** np.arange(5)])
    slopes = np.log2(remainders[:-1] / remainders[1:])
    assert np.all((slopes > 1.9) & (slopes < 2.1)), slopes


def test_gradient_by_weather_against_differences(model, key):
    state, forcing = pack_ice(), jax.tree.map(jnp.asarray, weather())

    @jax.jit
    @jax.value_and_grad
    def score(wind_u):
        run = rollout(model, state, replace(forcing, wind_u=wind_u), 5, key=key)
        return jnp.sum(run.state.ice_volume**2) + jnp.sum(run.final.u)

    _, slope = score(forcing.wind_u)
    change = random_like(forcing.wind_u, 9)
    up, down = (float(score(forcing.wind_u + size * change)[0]) for size in (1e-4, -1e-4))
    assert dot(slope, change) == pytest.approx((up - down) / 2e-4, rel=1e-6)


def test_members_together_are_one_batch(network, key):
    sizes = []

    class Counting(SmallUNet):
        def forward(self, x):
            sizes.append(len(x))
            return super().forward(x)

    counting = Counting()
    counting.load_state_dict(network.state_dict())
    model, forcing = made(counting), weather().between(0, 43200)
    states = [jax.tree.map(jnp.asarray, pack_ice(seed)) for seed in range(3)]
    keys = jax.random.split(key, 3)
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)

    @jax.value_and_grad
    def slope(state, key):
        return jnp.sum(model.step(state, forcing, key).ice_volume ** 2)

    sizes.clear()
    together = jax.jit(jax.vmap(slope))(stacked, keys)
    assert sizes == [3, 3]
    alone = [jax.jit(slope)(*pair) for pair in zip(states, keys, strict=True)]
    expected = jax.tree.map(lambda *leaves: jnp.stack(leaves), *alone)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-12), together, expected)
    one, other = (step(model, states[0], forcing, key).u for key in keys[:2])
    assert not np.allclose(one, other)


def test_single_precision(model, key):
    forcing = weather().between(0, 43200)
    quiet = replace(model, input_std=model.input_std.at[-1].set(1e30))  # the noise differs

    @jax.jit
    @partial(jax.value_and_grad, has_aux=True)
    def total(state):
        after = quiet.step(state, forcing, key)
        return jnp.sum(after.ice_volume**2), after

    double = jax.tree.map(jnp.asarray, pack_ice())
    single = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), double)
    (_, found), slopes = total(single)
    (_, expected), exact = total(double)
    for name, field in found.fields().items():
        assert field.dtype == getattr(slopes, name).dtype == jnp.float32
        np.testing.assert_allclose(field, getattr(expected, name), atol=1e-5, err_msg=name)
        limits = {"rtol": 1e-4, "atol": 1e-5, "err_msg": name}
        np.testing.assert_allclose(getattr(slopes, name), getattr(exact, name), **limits)


class Attention(nn.Module):
    """Between all cells, as in transformers."""

    def forward(self, x):
        heads = x.flatten(2).transpose(1, 2).unflatten(2, (2, 4)).transpose(1, 2)
        heads = nn.functional.scaled_dot_product_attention(heads, heads, heads)
        return heads.transpose(1, 2).flatten(2).transpose(1, 2).reshape(x.shape)


def test_attention():
    function = TorchFunction(Attention(), 8, 8, (3, 4))
    x, change, weight = np.random.default_rng(6).normal(size=(3, 8, 3, 4))
    along, back = function.tangent(x, change), function.adjoint(x, weight)
    assert np.sum(along * weight) == pytest.approx(np.sum(change * back), rel=1e-12)
    difference = (function.value(x + 1e-5 * change) - function.value(x - 1e-5 * change)) / 2e-5
    np.testing.assert_allclose(along, difference, atol=1e-8)


class Wild(nn.Module):
    """Changes far beyond the bounds, of either sign."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.field = nn.Parameter(torch.randn(6, *BOX.shape))

    def forward(self, x):
        return x + self.field.to(x.dtype)


SIX = (*OUTPUTS, "damage")


def wild(**changed):
    return from_torch(Wild(), grid=BOX, dt=43200, inputs=SIX, outputs=SIX, **changed)


def ice_of_every_kind():
    rng = np.random.default_rng(2)
    part = np.clip(rng.uniform(-0.4, 1.4, BOX.shape), 0.0, 1.0)
    volume = part * rng.uniform(0.0, 3.0, BOX.shape)
    damage = np.where(volume > 0, rng.integers(0, 2, BOX.shape), 0)
    still = np.zeros(BOX.shape)
    return IceState(*map(jnp.asarray, (part, volume, 0.1 * volume, still, still, damage * 1.0)))


def test_bounds_hold_and_gradients_are_finite(key):
    model, state = wild(), ice_of_every_kind()
    for _ in range(3):
        state = step(model, state, None, key)
        check_state(state, BOX)
        none = np.asarray(state.ice_volume) == 0
        assert 0.1 < none.mean() < 0.9
        for name in ("concentration", "snow_volume", "damage"):
            assert not np.any(np.asarray(getattr(state, name))[none]), name
        assert not np.any(np.asarray(state.u)[none & np.roll(none, -1, 1)])
        assert not np.any(np.asarray(state.v)[none & np.roll(none, -1, 0)])
        assert not np.any(np.asarray(state.u)[~BOX.mask_u])

    def total(state):
        return sum(jnp.sum(field) for field in model.step(state, None, key).fields().values())

    double = ice_of_every_kind()
    for state in (double, jax.tree.map(lambda leaf: leaf.astype(jnp.float32), double)):
        slopes = jax.jit(jax.grad(total))(state)
        assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(slopes))


def test_a_blow_up_is_seen(key):
    state = ice_of_every_kind()
    bad = replace(state, ice_volume=state.ice_volume.at[3, 4].set(jnp.nan))
    assert np.isnan(wild().step(bad, None, key).ice_volume[3, 4])


def test_full_states_and_outputs_as_they_are(key):
    state = ice_of_every_kind()
    state = replace(state, u=state.u + 0.1 * BOX.mask_u)
    model = wild(increments=False, bounds=False)
    field = model.function._by_precision["float64"].field.numpy()
    expected = np.asarray(state.ice_volume) + field[0]
    concentration = np.asarray(state.concentration) + field[1]
    ice = (expected > NO_ICE) & (concentration > NO_ICE)
    after = model.step(state, None, key)
    np.testing.assert_allclose(after.ice_volume, np.where(ice, expected, 0.0), rtol=1e-14)
    assert float(after.concentration.max()) > 1.0


def test_land_does_not_reach_the_sea(key):
    grid = replace(BOX, mask_t=BOX.mask_t & (np.arange(12) > 1))
    model = from_torch(
        nn.Conv2d(2, 1, 3, padding=1),
        grid=grid,
        dt=3600,
        inputs=("ice_volume", "wind_u@start"),
        outputs=("ice_volume",),
        input_mean=(0.0, 2.0),
    )
    forcing, state = weather().between(0, 3600), pack_ice()
    found = []
    for volume, wind in ((0.0, 2.0), (7.0, np.nan)):
        volume = np.where(grid.mask_t, state.ice_volume, volume)
        wind = np.where(grid.mask_t, forcing.wind_u, wind)
        after = model.step(replace(state, ice_volume=volume), replace(forcing, wind_u=wind), key)
        assert not np.any(np.asarray(after.ice_volume)[~grid.mask_t])
        found.append(after.ice_volume)
    np.testing.assert_array_equal(*found)


class Random(nn.Module):
    def forward(self, x):
        return x[:, :5] + torch.randn_like(x[:, :5])


class Cut(SmallUNet):
    def forward(self, x):
        with torch.no_grad():
            known = super().forward(x)
        return super().forward(x) + known


class Mixing(SmallUNet):
    def forward(self, x):
        return super().forward(x) - x.mean()


@pytest.mark.parametrize(
    ("network", "changed", "message"),
    [
        (SmallUNet(9), {}, r"does not take 10 channels, .* 8 x 12 cells in float64: .*9 channels"),
        (SmallUNet(outputs=6), {}, r"gives \(2, 6, 8, 12\).*expected \(2, 5, 8, 12\): 5 channels"),
        (nn.LSTM(12, 12), {}, "does not take 10 channels"),
        (Random(), {}, "two answers to one input"),
        (Mixing(), {}, "two answers to one input"),
        (Cut(), {}, "derivative is cut"),
        (lambda x: x, {}, "expected a torch.nn.Module, not function"),
        (SmallUNet(), {"dt": 0.5}, "dt must be"),
        (SmallUNet(), {"inputs": ("wind_u",)}, "say wind_u@start or wind_u@end"),
        (SmallUNet(), {"inputs": ("wind_u@middle",)}, "'wind_u@middle' is not known"),
        (SmallUNet(), {"inputs": ("sivolu",)}, "'sivolu' is not known: fields of the state are"),
        (SmallUNet(), {"inputs": INPUTS[:8]}, "static field 'mask' must be an input channel"),
        (SmallUNet(), {"outputs": ("u", "v", "u")}, "'u' must be a field of the state, and only"),
        (SmallUNet(), {"outputs": ()}, "at least"),
        (SmallUNet(), {"output_std": (1.0, 2.0)}, "output_std has 2 numbers for 5 channels"),
        (SmallUNet(), {"input_std": 0.0}, "input_std must be finite and positive"),
        (SmallUNet(), {"input_mean": np.nan}, "input_mean must be finite"),
        (SmallUNet(), {"static": {"mask": np.zeros((8, 8))}}, "'mask' must be finite and of shape"),
    ],
)
def test_refused(network, changed, message):
    with pytest.raises(InputError, match=message):
        made(network, **changed)


def test_refused_before_the_first_step(model, key):
    with pytest.raises(InputError, match="lacks air_temperature"):
        rollout(model, pack_ice(), replace(weather(), air_temperature=None), 2, key=key)
    with pytest.raises(InputError, match="the run needs"):
        rollout(model, pack_ice(), weather(), 20, key=key)
    with pytest.raises(InputError, match="ice_volume is -1"):
        state = pack_ice()
        rollout(model, replace(state, ice_volume=-state.ice_volume), weather(), 2, key=key)


def test_second_derivatives_are_refused(model):
    x = jnp.zeros((len(INPUTS), *BOX.shape))
    with pytest.raises(InputError, match="second derivative"):
        jax.jvp(jax.grad(lambda x: jnp.sum(model.function(x) ** 2)), (x,), (x,))
