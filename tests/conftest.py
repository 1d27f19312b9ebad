"""What every test starts from: float64, strict broadcasting, no screen, no network."""

import ipaddress
import os
import socket
from pathlib import Path

os.environ["MPLBACKEND"] = "Agg"
# The older emitters of XLA compile in two thirds of the time, and most tests do little else.
os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "")
    + " --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
).strip()

import hypothesis
import jax
import pytest

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
# Most of the time of a first run is compilation; later runs and other workers find it here.
COMPILED = Path(__file__).parents[1] / ".pytest_cache" / "compiled"
jax.config.update("jax_compilation_cache_dir", str(COMPILED))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)

hypothesis.settings.register_profile("floecast", deadline=None)  # the first example compiles
hypothesis.settings.load_profile("floecast")

REPOSITORY = Path(__file__).parents[1]


class NetworkUsed(AssertionError):
    """A test tried to reach another machine."""


def _is_local(address):
    if not isinstance(address, tuple):  # a Unix socket
        return True
    host = address[0]
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture(scope="session", autouse=True)
def no_network():
    """Let sockets connect to this machine only."""

    def guarded(connect):
        def checked(self, address):
            if not _is_local(address):
                raise NetworkUsed(f"a test tried to connect to {address}")
            return connect(self, address)

        return checked

    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, guarded(getattr(socket.socket, name)))
        yield


@pytest.fixture(scope="module", autouse=True)
def compile_fast(request):
    """Compile without most optimisations: nearly all of it runs once or a few times.

    A module that computes for longer than it compiles says ``OPTIMISED = True``.
    """
    fast = not getattr(request.module, "OPTIMISED", False)
    jax.config.update("jax_disable_most_optimizations", fast)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def optimised():
    """The same for one test of a module."""
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", True)


@pytest.fixture(scope="module", autouse=True)
def forget_compiled():
    """Give back what a module compiled: a process may hold so many memory maps and no more."""
    yield
    jax.clear_caches()


@pytest.fixture(scope="session")
def data_folder():
    """Folder of real data, from FLOECAST_DATA or beside the repository; skips where absent."""
    folder = Path(os.environ.get("FLOECAST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} does not exist (FLOECAST_DATA names the folder)")
    return folder


@pytest.fixture
def key():
    """A fixed random key."""
    return jax.random.key(20260101)
