"""What the nouns tell of themselves."""

import base64
import io
import re
import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import floecast as fc
from floecast.assimilation.analysis import Analysis, Status
from floecast.core import display
from floecast.io.run_folder import RunFolder
from floecast.observation.observations import observations
from floecast.verification import Row

GRID = fc.Grid.box((4, 6), 25e3)


def ice(lead=()):
    cover = jnp.linspace(0.0, 1.0, 24).reshape(4, 6)
    state = fc.IceState.at_rest(GRID, cover, 2.0 + 0.0 * cover)
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (*lead, 4, 6)), state)


def weather():
    """Wind of 5 m/s and mild air at two times."""
    given = {"wind_u": 3.0, "wind_v": 4.0, "air_temperature": 260.0}
    fields = {name: np.full((2, *GRID.shape), value) for name, value in given.items()}
    return fc.Forcing(np.array([0, 3600]), **fields)


def measured(count=5):
    value = np.linspace(0.0, 0.8, count)
    cell, weight = np.zeros((count, 1), int), np.ones((count, 1))
    place = 1e4 * np.arange(count)
    made = observations("concentration", value, 0.1, place, place, 3600, cell, weight)
    return made.replace(flag=np.arange(count) // (count - 1))


def analysis(status=Status.GOOD):
    seen = np.tile(measured().value, (3, 1))
    return Analysis(
        ensemble=ice((3,)),
        background=ice((3,)),
        observations=measured(),
        equivalents=seen,
        background_equivalents=seen + 0.2,
        member_status=np.array([0, 0, Status.MEMBER_NOT_FINITE]),
        status=np.asarray(status),
    )


def forecast(lead=3):
    times = 86400 * np.arange(lead)
    members = jax.tree.map(np.asarray, ice((2, lead)))
    return fc.Forecast(GRID, 0, times, members, np.array([True, False]))


class Still:
    """A model in which nothing happens."""

    grid, dt = GRID, 43200

    def step(self, state, forcing, key):
        return state


def run(state, **options):
    key = jax.random.key(0)
    return fc.rollout(Still(), state, weather(), 2, key=key, start=0, **options)


def scorecard():
    rows = [
        Row("floecast", "concentration", "rmse", "arctic", 24.0 * day, 0.1, 0.1, 0.2, 9)
        for day in range(100)
    ]
    return fc.Scorecard([*rows, Row("<b>", "u", "rmse", "arctic", 24.0, np.nan, 0.1, 0.2, 9)])


def run_folder(path):
    folder = RunFolder(path / "run", {"name": "case", "seed": 1})
    with folder.stage("analysis", []) as noted:
        noted["warnings"].append("one thing")
    return folder


@pytest.mark.parametrize(
    ("noun", "words", "maps"),
    [
        (lambda path: GRID, ["Grid(4 x 6 cells of 25 km", "box, flat", "sea 24 cells"], 1),
        (lambda path: ice(), ["IceState(4 x 6;", "concentration 0 to 1;", "0 to 2 m;"], 2),
        (lambda path: ice((3,)), ["IceState(3 states, 4 x 6;"], 2),
        (
            lambda path: run(ice()),
            ["Trajectory(times 2, 2000-01-01T12:00:00Z to 2000-01-02T", "2 times, 4 x 6;"],
            2,
        ),
        (
            lambda path: jax.vmap(run)(ice((3,))),
            ["Trajectory(times 2, 2000", "3 members, 2 times, 4 x 6;"],
            2,
        ),
        (lambda path: run(ice((3,))), ["2 times, 3 members, 4 x 6;"], 2),
        (
            lambda path: run(ice(), observe=lambda state: state.concentration.mean()),
            ["times 2,", "arrays (2,)"],
            0,
        ),
        (
            lambda path: fc.Simulator(GRID, rheology=fc.BBM(), thermodynamics=fc.ZeroLayer()).start(
                ice()
            ),
            ["SimulatorState(4 x 6;", "memory of rheology, thermodynamics"],
            2,
        ),
        (
            lambda path: measured(),
            ["5 values", "concentration 5 of 0 to 0.8;", "flagged 1;", "2000-01-01T01:00:00Z"],
            1,
        ),
        (
            lambda path: analysis(),
            [
                "Analysis(status good;",
                "2 of 3 took part",
                "4 of 5 without",
                "before 2 standard",
                "after 0 standard",
            ],
            2,
        ),
        (lambda path: forecast(), ["1 of 2 finite", "2000-01-01T00:00:00Z", "3, to +48 h"], 2),
        (lambda path: scorecard(), ["101 scores", "<b>", "leads 0 to 2376 h"], 0),
        (lambda path: run_folder(path), ["name case", "done analysis"], 0),
        (lambda path: fc.Simulator(GRID, rheology=fc.MEVP()), ["MEVP", "box, 4 x 6"], 0),
        (
            lambda path: weather(),
            [
                "Forcing(times 2, 2000-01-01T00:00:00Z to",
                "wind_u 3 to 3 m s-1;",
                "without humidity",
            ],
            1,
        ),
        (
            lambda path: fc.Forcing(np.array([0]), snowfall=np.zeros((1, 4, 6))),
            ["times 1,", "without wind_u, wind_v"],
            0,
        ),
    ],
)
def test_tells_the_facts_in_a_line_and_as_html(tmp_path, noun, words, maps):
    shown = noun(tmp_path)
    told = repr(shown)
    for word in words:
        assert word in told
    assert "\n" not in told and len(told) < 600
    html = shown._repr_html_()
    assert html.count("<img") == maps and len(html) < 30_000
    assert '<b>"' not in html and "://" not in html and "<script" not in html
    assert html.count("<td>") == html.count("</td>") > 2
    for data in re.findall(r"base64,([^\"]+)", html):
        image = Image.open(io.BytesIO(base64.b64decode(data)))
        image.load()
        assert max(image.size) <= display.MOST_PIXELS


def test_emulator_tells_its_grid_and_size():
    told = repr(fc.Emulator.load("arctic100"))
    assert "arctic100, 64 x 64" in told and "step 12 h" in told
    assert int(re.search(r"(\d+) weights", told)[1]) > 100_000


@pytest.mark.parametrize(
    "strange",
    [
        lambda state: eqx.partition(state, lambda leaf: False)[0],
        lambda state: jax.tree.map(lambda leaf: "text", state),
        lambda state: jax.tree.map(lambda leaf: 1.0, state),
        lambda state: jax.tree.map(lambda leaf: jnp.zeros((0, 4, 6)), state),
        lambda state: jax.tree.map(lambda leaf: jnp.full(6, jnp.nan), state),
        lambda state: eqx.filter_eval_shape(lambda: state),
        lambda state: eqx.tree_at(lambda one: one.damage, state, None),
    ],
)
def test_what_is_no_field_is_shown_too(strange):
    shown = strange(ice())
    assert repr(shown).startswith("IceState(") and shown._repr_html_()


@pytest.mark.parametrize("count", [0, 1])
def test_forcing_of_few_times_is_shown(count):
    shown = jax.tree.map(lambda leaf: leaf[:count], weather())
    assert repr(shown).startswith(f"Forcing(times {count}") and shown._repr_html_()


@pytest.mark.parametrize("noun", [lambda: GRID, analysis, forecast, measured, weather])
def test_halves_of_a_partition_are_shown(noun):
    for half in eqx.partition(noun(), eqx.is_inexact_array):
        assert repr(half) and half._repr_html_()


def test_deleted_arrays_are_shown():
    state = jax.tree.map(jnp.array, ice())
    jax.tree.map(lambda leaf: leaf.delete(), state)
    assert "IceState(" in repr(state)


@pytest.mark.parametrize("transform", [jax.jit, jax.vmap, jax.grad])
def test_traced_objects_are_shown(transform):
    seen = []

    def look(state):
        seen.append(repr(state) + state._repr_html_())
        return jnp.sum(state.concentration)

    transform(look)(ice((2,)) if transform is jax.vmap else ice())
    assert "IceState(" in seen[0] and "[4,6]" in seen[0]


def test_values_that_are_not_finite_are_counted():
    state = ice()
    state = eqx.tree_at(lambda one: one.damage, state, state.damage.at[0, :2].set(jnp.nan))
    assert "damage 0 to 0 (2 not finite)" in repr(state)


def test_png_has_the_colours_of_the_field_north_up():
    field = np.array([[0.0, 1.0], [np.nan, 0.5]])
    ocean = np.array([[True, True], [True, False]])
    data, scale = display.png(display.Picture("", field, "ice", ocean))
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).tolist()
    assert pixels == [[[200, 204, 208], [217, 212, 200]], [[6, 24, 56], [255, 255, 255]]]
    assert scale == "0 to 1"


@pytest.mark.parametrize(
    ("colours", "scale"), [("amount", "0 to 3"), ("change", "-3 to 3"), ("ice", "0 to 1")]
)
def test_scale_holds_all_values_and_the_map_is_bounded(colours, scale):
    field = np.linspace(-1.0, 3.0, 500 * 700).reshape(500, 700)
    data, told = display.png(display.Picture("", field, colours))
    assert told == scale
    assert Image.open(io.BytesIO(data)).size == (117, 84)


def test_a_run_folder_is_shown_without_jax(tmp_path):
    code = (
        "import sys; from floecast.io.run_folder import RunFolder; "
        f"run = RunFolder({str(tmp_path / 'run')!r}, {{'name': 'a', 'seed': 1}}); "
        "print(run, run._repr_html_()); assert 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
