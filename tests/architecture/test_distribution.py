"""The wheel and the source archive: what is inside, and that they work where they are installed."""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "src" / "floecast"
SUFFIXES = {".py", ".npz", ".md", ".j2", ".js", ".css", ".typed"}
LARGEST = 16e6
"""Bytes of the wheel; more would be for something that should not ship."""

USE = """
import sys
from pathlib import Path
import floecast as fc
from floecast.core.land import coastline
from floecast.report.page import write_report
assert Path(fc.__file__).is_relative_to(sys.argv[1]), fc.__file__
assert fc.__version__ == sys.argv[2]
for name in ("arctic100", "arctic50"):
    grid = fc.Grid.preset(name)
    assert fc.Emulator.load(name).grid.shape == grid.shape
    assert fc.restart_state(grid, 1, 0) is not None
assert coastline()[0].size
"""


def run(*command, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Folder of the wheel and of the source archive; nothing is downloaded for it."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-d", folder, cwd=REPOSITORY)
    return folder


@pytest.fixture(scope="module")
def wheel(built):
    return next(built.glob("*.whl"))


def sources():
    """Files of the package, without caches."""
    files = (path for path in PACKAGE.rglob("*") if path.is_file())
    return {
        path.relative_to(PACKAGE.parent).as_posix()
        for path in files
        if path.suffix not in (".pyc", ".partial")
    }


def test_wheel_holds_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert inside == sources()
    assert {Path(name).suffix for name in inside} <= SUFFIXES
    assert wheel.stat().st_size < LARGEST
    assert {"floecast/py.typed", "floecast/emulator/assets/arctic50.npz"} <= inside


def test_source_archive_builds_the_same_package(built):
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = [
            Path(*Path(member.name).parts[1:]).as_posix() for member in archive if member.isfile()
        ]
    package = {name.removeprefix("src/") for name in names if name.startswith("src/")}
    assert package == sources()
    others = {name for name in names if not name.startswith("src/")}
    assert {"pyproject.toml", "README.md", "LICENSE", "CITATION.cff", "PKG-INFO"} <= others
    assert all("/" not in name for name in others)


def test_installed_wheel_works_outside_of_the_repository(wheel, tmp_path):
    """Installed alone into an empty folder; its dependencies are those of this environment."""
    target = tmp_path / "site"
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(*pip, "--no-deps", "--no-index", "--target", target, wheel)
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    environment = {"PYTHONPATH": str(target), "PATH": "/usr/bin:/bin", "JAX_PLATFORMS": "cpu"}
    run(sys.executable, "-c", USE, target, version, cwd=tmp_path, env=environment)
    printed = run(target / "bin" / "floecast", "--version", cwd=tmp_path, env=environment)
    assert printed == f"floecast {version}\n"


def test_metadata_names_the_supported_pythons(wheel):
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith("/METADATA"))
        told = Parser().parsestr(archive.read(name).decode())
        assert any(name.endswith("/licenses/LICENSE") for name in archive.namelist())
    supported = SpecifierSet(told["Requires-Python"])
    minor = [f"3.{number}" for number in range(8, 20) if supported.contains(f"3.{number}.1")]
    pattern = r"Programming Language :: Python :: (3\.\d+)"
    named = re.findall(pattern, "\n".join(told.get_all("Classifier")))
    assert minor == named == ["3.11", "3.12", "3.13"]
    assert (told["License-Expression"], told["Name"]) == ("Apache-2.0", "floecast")


def read_constraints():
    lines = (REPOSITORY / "constraints.txt").read_text().splitlines()
    pins = (line.split(";")[0].strip().split("==") for line in lines if not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pins}


def required():
    """What floecast requires with all extras that `constraints.txt` is for."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["dev"], *extras["docs"]]
    found = map(Requirement, [*wanted, *extras["cluster"], *extras["data"]])
    return [requirement for requirement in found if requirement.name != "floecast"]


def needs(requirement):
    """What an installed package requires in this environment; nothing if it is not installed."""
    try:
        found = map(Requirement, metadata.requires(requirement.name) or [])
    except metadata.PackageNotFoundError:
        return []
    extras = requirement.extras or {""}
    return [
        one
        for one in found
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras)
    ]


def test_constraints_pin_what_is_required():
    pinned = read_constraints()
    for requirement in required():
        name = canonicalize_name(requirement.name)
        assert name in pinned, f"{name} is not in constraints.txt"
        assert requirement.specifier.contains(pinned[name]), str(requirement)


def test_constraints_pin_what_the_required_packages_require():
    pinned, left, seen = read_constraints(), required(), set()
    while left:
        requirement = left.pop()
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        name = canonicalize_name(requirement.name)
        assert name in pinned, f"{name} is not in constraints.txt: make it again"
        left += needs(requirement)
    assert len(seen) > len(required())
