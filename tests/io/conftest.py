"""Regridding weights of these tests stay out of the user's cache."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLOECAST_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def checker():
    """Function that gives the complaints about a netCDF file."""
    suites = pytest.importorskip("compliance_checker.runner").CheckSuite
    suites.load_all_available_checkers()

    def complaints(path):
        suite = suites()
        with suite.load_dataset(str(path)) as dataset:
            results, failures = suite.run_all(dataset, ["cf:1.8"])["cf:1.8"]
        assert not failures
        assert len(results) > 20
        lost = [result for result in results if result.value[0] != result.value[1]]
        return {message for result in lost for message in result.msgs}

    return complaints
