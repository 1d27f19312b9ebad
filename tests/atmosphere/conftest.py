"""Compilation without most optimisations: these tests compile for longer than they compute."""

import jax
import pytest


@pytest.fixture(scope="module", autouse=True)
def compile_fast():
    """Most of what these tests compile runs once."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
