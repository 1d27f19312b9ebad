"""Nothing reaches for the network: not the package when it is loaded, not a test."""

import ast
import socket
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src" / "floecast"
# Modules through which a program reaches for other machines.
REACHING = {"requests", "urllib3", "httpx", "aiohttp", "ftplib", "socket", "smtplib", "cdsapi"}
REACHING |= {"copernicusmarine", "urllib.request", "http.client", "asyncio", "fsspec", "s3fs"}

LOAD_EVERYTHING = """
import sys

def report(event, arguments):
    if event.startswith("socket."):
        print(event, arguments)

sys.addaudithook(report)
import floecast, floecast.cli
for name in floecast.__all__:
    getattr(floecast, name)
"""


def test_loading_opens_no_socket():
    command = [sys.executable, "-c", LOAD_EVERYTHING]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, ""), result.stderr


def test_only_fetching_imports_what_opens_sockets():
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = {alias.name for alias in getattr(node, "names", ()) if hasattr(alias, "name")}
            if isinstance(node, ast.ImportFrom):
                names = {node.module or "", *(f"{node.module}.{name}" for name in names)}
            elif not isinstance(node, ast.Import):
                continue
            tops = {name.partition(".")[0] for name in names}
            if REACHING & (names | tops):
                found.add(path.relative_to(PACKAGE).parent.as_posix())
    assert found == {"io/fetching"}


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("example.invalid", 443)])
@pytest.mark.parametrize("method", ["connect", "connect_ex"])
def test_tests_cannot_reach_other_machines(address, method):
    with socket.socket() as client, pytest.raises(AssertionError, match="tried to connect"):
        getattr(client, method)(address)


def test_tests_can_reach_their_own_machine():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()
