"""The schema of `floecast dataset`."""

import pytest

from floecast.core.errors import InputError
from floecast.dataset_schema import dataset_config

FILES = "{kind: files, ice: [a.nc], forcing: [b.nc], years: %s}"


def test_defaults_are_simulated():
    config = dataset_config(None, ["preset=arctic100"])
    assert (config.step_hours, config.name) == (12, "arctic100_dataset")
    assert config.source.years.model_dump() == {"training": 3, "validation": 1, "test": 0}
    assert config.source.spin_up_years == 1 and config.source.archives is None
    assert config.splits == ["training", "validation"]


def test_one_value_leaves_the_others():
    config = dataset_config(None, ["source.seeds.training=3", "source.years.test=1"])
    assert config.source.years.training == 3 and config.source.seeds.training == 3
    assert config.splits == ["training", "validation", "test"]


def test_archives_by_path_or_by_years():
    text = "source.archives={test: [a], training: [b, {path: c, years: [2030, 2031]}]}"
    config = dataset_config(None, [text])
    assert config.splits == ["training", "test"]
    assert [one.path for one in config.source.archives["training"]] == ["b", "c"]
    assert config.source.archives["training"][1].years == [2030, 2031]


def test_files_from_yaml(tmp_path):
    file = tmp_path / "dataset.yaml"
    file.write_text(
        "preset: arctic25\nstep_hours: 6\nsource:\n  kind: files\n  ice: [Moorings_2010*.nc]\n"
        "  forcing: [era5/*.nc]\n  years: {training: [2010, 2011], test: [2015]}\n"
    )
    config = dataset_config(file, ["source.mesh=mesh_mask.nc"])
    assert config.source.mesh == "mesh_mask.nc" and config.splits == ["training", "test"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("step_hours=24", "step_hours"),
        ("source.kind=radar", "kind"),
        ("source.years.training=0", "years.training"),
        ("source.nonsense=1", "nonsense"),
        ("source.archives={validation: [a]}", "archives.training is missing"),
        ("source.archives={training: []}", "archives.training"),
        ("source=" + FILES % "{training: [2010, 2011], test: [2011]}", "2011 is in training and"),
        ("source=" + FILES % "{training: [2010, 2010]}", "2010 is in training and in training"),
        ("source=" + FILES % "{test: [2010]}", "years.training is missing"),
        ("source=" + FILES % "{training: [10]}", "years.training"),
    ],
)
def test_wrong_values_are_refused(override, message):
    with pytest.raises(InputError, match=message):
        dataset_config(None, [override])
