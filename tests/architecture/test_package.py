"""The public names of the package."""

import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest

import floecast

REPOSITORY = Path(__file__).parents[2]


def test_version():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert floecast.__version__ == version("floecast") == project["version"]


@pytest.mark.parametrize("name", floecast.__all__)
def test_public_name(name):
    assert getattr(floecast, name) is not None
    assert name in dir(floecast)


def test_no_name_twice():
    assert len(set(floecast.__all__)) == len(floecast.__all__)


def test_no_name_is_that_of_a_module():
    """Importing the module would put it in the place of the name; `forecast` can be called."""
    below = {path.stem for path in Path(floecast.__file__).parent.iterdir()}
    assert set(floecast.__all__) & below == {"forecast", "testbeds"}


def test_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        floecast.nonsense  # noqa: B018


def test_forecast_calls_the_function(monkeypatch):
    def forecast(*args, **kwargs):
        return args, kwargs

    monkeypatch.setattr(import_module("floecast.forecast.ensemble"), "forecast", forecast)
    assert floecast.forecast("model", days=2) == (("model",), {"days": 2})


@pytest.mark.parametrize(
    "first",
    [
        "pass",
        "import floecast.forecast",
        "import floecast.forecast.ensemble",
        "from floecast import Forecast",
        "from floecast import forecast",
    ],
)
def test_forecast_is_callable_whatever_is_imported_first(first):
    code = f"{first}\nimport floecast\nassert callable(floecast.forecast)"
    subprocess.run([sys.executable, "-c", code], check=True)


EVERY = """
import importlib, pkgutil
import floecast
from jax._src import xla_bridge
for one in pkgutil.walk_packages(floecast.__path__, "floecast."):
    if one.name not in ("floecast.emulator.torch_bridge", "floecast.emulator.torch_function"):
        importlib.import_module(one.name)  # these two need PyTorch
    assert not xla_bridge.backends_are_initialized(), one.name
"""


def test_importing_takes_no_device():
    """A device taken on import is one that several processes can no longer share out."""
    result = subprocess.run([sys.executable, "-c", EVERY], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
