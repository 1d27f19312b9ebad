"""The example scripts run, and the README shows what they do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(example, tmp_path):
    compiled = ROOT / ".pytest_cache" / "compiled"
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(compiled)}
    done = subprocess.run(
        [sys.executable, example], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_code_in_the_readme_stands_in_the_first_example():
    readme = (ROOT / "README.md").read_text()
    shown = readme.partition("```python\n")[2].partition("```")[0]
    example = (ROOT / "examples" / "first_forecast.py").read_text()
    assert shown.strip()
    for line in filter(None, shown.splitlines()):
        assert line in example
