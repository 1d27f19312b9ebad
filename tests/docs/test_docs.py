"""The documentation builds without a warning, and what it names exists."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import equinox as eqx
import pytest
import typer

import floecast as fc
from floecast.cli import app

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)
TEXTS = {path.relative_to(DOCS).as_posix(): path.read_text() for path in PAGES}

each_page = pytest.mark.parametrize("page", TEXTS)


def test_builds_without_warnings(tmp_path):
    for name in ("sphinx", "myst_parser", "furo"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed: needs the extra `docs`")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", DOCS, tmp_path]
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    html = [path.read_text() for path in tmp_path.rglob("*.html")]
    assert len(html) >= len(PAGES)
    for page in html:  # nothing that a browser would have to fetch
        assert not re.search(r'<(?:script|img|link)[^>]+(?:src|href)="(?:https?:)?//', page)
    assert any("<math" in page for page in html)


@each_page
def test_paths_exist(page):
    text = TEXTS[page]
    named = re.findall(r"`((?:src|tests|examples|validation|scripts|tools|docs)/[^`\s*]+)`", text)
    named += [f"src/floecast/{name}" for name in re.findall(r"`(config\.py|cli\.py)`", text)]
    absent = [name for name in named if not (REPOSITORY / name).exists()]
    assert not absent


@each_page
def test_public_names_exist(page):
    named = set(re.findall(r"\bfc\.([A-Za-z_]\w*)", TEXTS[page]))
    named |= set(re.findall(r"^\.\. auto\w+:: floecast\.(\w+)$", TEXTS[page], re.MULTILINE))
    assert not named - set(fc.__all__)


@each_page
def test_attributes_of_public_names_exist(page):
    for name, attribute in re.findall(r"\bfc\.([A-Z]\w*)\.([a-z_]\w*)", TEXTS[page]):
        assert hasattr(getattr(fc, name), attribute), f"fc.{name}.{attribute}"


@each_page
def test_commands_and_options_exist(page):
    code = re.findall(r"`(floecast [^`]+)`", TEXTS[page])
    for block in re.findall(r"^```\n(.*?)^```", TEXTS[page], re.MULTILINE | re.DOTALL):
        code += re.findall(r"^(floecast .*)$", block, re.MULTILINE)
    known = _options(typer.main.get_command(app))
    for line in code:
        words = line.partition("#")[0].split()[1:]
        verb = tuple(word for word in words[:2] if re.fullmatch("[a-z]+", word))
        verb = verb if verb in known else verb[:1]
        if verb:
            assert verb in known, line
        allowed = known[verb] if verb else known[()]
        assert not [w for w in words if w.startswith("--") and w not in allowed], line


def _options(command, path=()):
    """Options of each command, by its words."""
    found = {path: {"--help", *(name for one in command.params for name in one.opts)}}
    for name, inner in getattr(command, "commands", {}).items():
        found |= _options(inner, (*path, name))
    return found


def test_the_simulator_of_the_readme_stands_alone(monkeypatch, capsys):
    """Its run is traced, but not compiled: that takes a minute."""
    rollout = fc.rollout
    monkeypatch.setattr(
        fc,
        "rollout",
        lambda *given, **options: eqx.filter_eval_shape(lambda: rollout(*given, **options)),
    )
    part = (REPOSITORY / "README.md").read_text().partition("\n## The simulator\n")[2]
    exec(re.search(r"```python\n(.*?)```", part, re.DOTALL)[1], {})
    assert "concentration=ShapeDtypeStruct(shape=(40, 64, 64)" in capsys.readouterr().out


def test_every_public_name_is_in_the_reference():
    reference = "\n".join(text for page, text in TEXTS.items() if page.startswith("api/"))
    titles = set(re.findall(r"^## (\w+)$", reference, re.MULTILINE))
    assert titles == set(fc.__all__) - {"__version__", "testbeds"}


def test_every_example_is_told_and_every_script_shown():
    examples = [*REPOSITORY.glob("examples/*.py"), *REPOSITORY.glob("examples/*.yaml")]
    told = set(re.findall(r"`examples/([^`]+)`", TEXTS["examples.md"]))
    assert told == {path.name for path in examples}
    shown = re.findall(r"literalinclude} \.\./examples/(\w+\.py)", "\n".join(TEXTS.values()))
    assert sorted(shown) == sorted(path.name for path in examples if path.suffix == ".py")


def test_every_page_can_be_reached_from_the_first():
    lists = re.findall(r"```{toctree}\n(.*?)```", TEXTS["index.md"], re.DOTALL)
    reached = {f"{line}.md" for one in lists for line in one.splitlines() if line[:1] not in ":"}
    for folder in ("api", "measured"):
        assert f"{folder}/index.md" in reached
        inner = re.findall(r"```{toctree}\n(.*?)```", TEXTS[f"{folder}/index.md"], re.DOTALL)
        reached |= {f"{folder}/{line}.md" for one in inner for line in one.splitlines() if line}
    assert set(TEXTS) - {"index.md"} <= reached


def test_every_validation_page_is_shown():
    shown = set(re.findall(r"validation/(\w+)/README.md", "\n".join(TEXTS.values())))
    assert shown == {path.parent.name for path in REPOSITORY.glob("validation/*/README.md")}


def test_benches_are_those_there_are():
    from floecast.bench import NAMES

    table = TEXTS["measured/index.md"].partition("| `NAME` | what |")[2].partition("```")[0]
    assert set(re.findall(r"`(\w+)`", table)) == set(NAMES)


def test_messages_are_those_of_the_code():
    rows = re.findall(r"^\| (`.*?) \|", TEXTS["troubleshooting.md"], re.MULTILINE)
    quoted = {part for row in rows for part in re.findall(r"`([^`]+)`", row)}
    foreign = {"…: …", "status"}
    known = _messages()
    absent = [
        message
        for message in sorted(quoted - foreign)
        if not any(message.rstrip("…").strip() in one for one in known)
    ]
    assert not absent


@cache
def _messages():
    """Messages of errors in the source, with … where a value stands."""
    found = set()
    for path in (REPOSITORY / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                found.add(_template(node))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def _template(node):
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_template(part) for part in node.values)
    return "…"
