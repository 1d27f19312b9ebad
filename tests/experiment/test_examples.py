"""The example scripts run, and the README shows what they do."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
SHORTER = {"train_emulator": ["--days", "2", "--updates", "2"]}
"""Arguments with which an example does less of the same."""


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(example, tmp_path):
    compiled = ROOT / ".pytest_cache" / "compiled"
    environment = os.environ | {
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        "JAX_COMPILATION_CACHE_DIR": str(compiled),
    }
    command = [sys.executable, example, *SHORTER.get(example.stem, [])]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_code_in_the_readme_stands_in_the_first_example():
    readme = (ROOT / "README.md").read_text()
    shown = readme.partition("```python\n")[2].partition("```")[0]
    example = (ROOT / "examples" / "first_forecast.py").read_text()
    assert shown.strip()
    for line in filter(None, shown.splitlines()):
        assert line in example
    assert f"a whole forecast of {len(example.splitlines())} lines" in readme


@pytest.mark.parametrize(("score", "column"), [("ice-edge error", 6), ("concentration RMSE", 3)])
def test_ratios_in_the_readme_are_those_of_the_validation(score, column):
    readme = (ROOT / "README.md").read_text()
    told = re.search(rf"\| {score}.*, 1, 5, 10 days \| (.*) \|", readme)[1].split(", ")
    page = (ROOT / "validation" / "january_2015" / "README.md").read_text()
    rows = re.findall(r"^\| (?:1|5|10) \|.*$", page, re.MULTILINE)
    assert told == [row.strip("| ").split(" | ")[column] for row in rows]
