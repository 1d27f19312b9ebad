"""A share of the damaged files of ``validation/reliability``, for every reader there is."""

import numpy as np
import pytest

from floecast.core.errors import InputError
from floecast.io.products import PRODUCTS

from .fuzz_cases import CASES, damage, mutated, outcome_of


def test_every_product_has_a_case():
    names = {case.name for case in CASES}
    other_names = {"nextsim_moorings", "nemo_icemod", "cmems_nextsim", "projected_forcing"}
    other_names.add("osisaf_concentration")
    absent = {product.name for product in PRODUCTS} - names - other_names
    assert not absent


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Folder of a sound file of each case."""
    folder = tmp_path_factory.mktemp("sound")
    for case in CASES:
        path = folder / case.name / case.file
        path.parent.mkdir()
        case.write(path)
    return folder


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_damaged_files_are_read_or_refused(case, sound, tmp_path):
    path = tmp_path / case.file
    for number in range(4):
        damage(sound / case.name / case.file, path, np.random.default_rng([1, number]))
        outcome, fault = outcome_of(case, path)
        assert outcome != "unclean", fault


def test_what_is_unclean_is_found(tmp_path):
    class Bad:
        read = staticmethod(lambda path: {}["absent"])

    class Nameless:
        @staticmethod
        def read(path):
            raise InputError("something")

    assert outcome_of(Bad, tmp_path / "x")[0] == "unclean"
    assert outcome_of(Nameless, tmp_path / "x")[0] == "unclean"
    assert mutated(b"0123456789" * 9, np.random.default_rng(0)) != b"0123456789" * 9
