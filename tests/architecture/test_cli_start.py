"""The command answers at once."""

import resource
import subprocess
import sys

HEAVY = ("jax", "equinox", "xarray", "matplotlib", "scipy", "pandas", "zarr", "netCDF4")


def python(code, *arguments):
    """Run code in a fresh interpreter and return what it prints."""
    command = [sys.executable, "-c", code, *arguments]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def cpu_seconds():
    """User and system time of the child processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_help_takes_less_than_a_second():
    seconds = []
    for _ in range(3):
        before = cpu_seconds()
        text = python("from floecast.cli import main; main()", "--help")
        seconds.append(cpu_seconds() - before)
    assert "run" in text
    assert min(seconds) < 1.0, seconds


def test_command_line_loads_nothing_heavy():
    loaded = python("import sys, floecast.cli; print(*sys.modules)").split()
    assert not set(HEAVY) & set(loaded)


def test_package_loads_nothing_but_itself():
    code = "import sys, floecast; print(*(m for m in sys.modules if m.startswith('floecast')))"
    assert python(code).split() == ["floecast"]
