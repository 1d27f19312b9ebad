"""How the source files are written."""

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SOURCES = sorted((REPOSITORY / "src").rglob("*.py"))
SCRIPTS = [path for name in ("examples", "tools") for path in (REPOSITORY / name).rglob("*.py")]
MAX_LINES = 400

each_source = pytest.mark.parametrize(
    "path", SOURCES, ids=lambda path: str(path.relative_to(REPOSITORY / "src"))
)


@each_source
def test_length(path):
    text = path.read_text()
    length = len(text.splitlines())
    head = " ".join((ast.get_docstring(ast.parse(text)) or "").split())
    assert length <= MAX_LINES or "Longer than 400 lines because" in head, f"{length} lines"


@each_source
def test_name(path):
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    assert not {"utils", "util", "misc", "helpers"} & set(parts)


def public_definitions(body, prefix=""):
    """Public functions and classes, and the public methods of those classes."""
    for node in body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        yield prefix + node.name, node
        if isinstance(node, ast.ClassDef):
            yield from public_definitions(node.body, f"{node.name}.")


@each_source
def test_docstrings(path):
    tree = ast.parse(path.read_text())
    bare = [name for name, node in public_definitions(tree.body) if not ast.get_docstring(node)]
    assert not bare


@each_source
def test_nothing_unfinished(path):
    assert not re.findall(r"\b(?:TODO|FIXME|XXX)\b", path.read_text())


@each_source
def test_no_pickle(path):
    text = path.read_text()
    imported = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module.partition(".")[0])
    assert not imported & {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
    assert "allow_pickle=True" not in text.replace(" ", "")


def test_no_path_of_one_machine():
    files = [*SOURCES, *SCRIPTS, *REPOSITORY.glob("*.md"), *REPOSITORY.glob("examples/*.yaml")]
    pattern = re.compile(r"(?<![\w.~])/(?:home|root|work|Users|tmp|mnt|scratch)/")
    found = [
        f"{path.relative_to(REPOSITORY)}: {line.strip()}"
        for path in files
        for line in path.read_text().splitlines()
        if pattern.search(line)
    ]
    assert not found
