"""Nothing reaches for the network: not the package when it is loaded, not a test."""

import socket
import subprocess
import sys

import pytest

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


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("example.invalid", 443)])
@pytest.mark.parametrize("method", ["connect", "connect_ex"])
def test_tests_cannot_reach_other_machines(address, method):
    with socket.socket() as client, pytest.raises(AssertionError, match="tried to connect"):
        getattr(client, method)(address)


def test_tests_can_reach_their_own_machine():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()
