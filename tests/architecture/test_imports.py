"""The floors of the house, and that the contracts that guard them can fail."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
LINT = """
import sys
sys.path.insert(0, "src")
from importlinter.cli import lint_imports
raise SystemExit(lint_imports(no_cache=True, no_logo=True))
"""


def lint(folder):
    """Check the contracts of the pyproject.toml in a folder on the floecast in its src."""
    command = [sys.executable, "-c", LINT]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_contracts_hold():
    result = lint(REPOSITORY)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("core/keys.py", "import floecast.simulator", "Imports point down"),
        ("simulator/model.py", "import floecast.assimilation", "Imports point down"),
        ("core/grid.py", "import pyproj", "The numerics import no file"),
        ("core/grid.py", "def f():\n    import xarray", "The numerics import no file"),
        ("assimilation/kalman.py", "from scipy import linalg", "does not import SciPy"),
        ("config.py", "from floecast.core import grid", "The configuration schema"),
        ("extra.py", "", "Imports point down"),
    ],
)
def test_contracts_can_break(tmp_path, module, line, contract):
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    package = tmp_path / "src" / "floecast"
    for source in (REPOSITORY / "src" / "floecast").rglob("*.py"):
        copy = package / source.relative_to(REPOSITORY / "src" / "floecast")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.touch()
    (package / module).write_text(line)
    result = lint(tmp_path)
    broken = [text for text in result.stdout.splitlines() if text.endswith("BROKEN")]
    assert len(broken) == 1 and contract in broken[0], result.stdout + result.stderr
