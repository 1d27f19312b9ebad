from pathlib import Path
from typing import get_args

import pytest
import yaml

from floecast.config import STARTING_CONFIG, Config, Kind, StateField, load_config, make_config
from floecast.core.errors import InputError
from floecast.core.variables import STATE
from floecast.cycle_schema import CycleConfig, cycle_config
from floecast.observation.observations import KINDS

EXAMPLES = Path(__file__).parents[1] / "examples"


RUNS = sorted(set(EXAMPLES.glob("*.yaml")) - {EXAMPLES / "daily.yaml"})


@pytest.mark.parametrize("example", RUNS, ids=lambda path: path.stem)
def test_examples_are_valid_and_survive_a_round_trip(example):
    config = load_config(example)
    again = make_config(yaml.safe_load(yaml.safe_dump(config.model_dump(mode="json"))))
    assert again == config


def test_the_daily_example_is_valid_and_survives_a_round_trip():
    config = cycle_config(EXAMPLES / "daily.yaml")
    told = yaml.safe_load(yaml.safe_dump(config.model_dump(mode="json")))
    assert CycleConfig.model_validate(told) == config


def test_overrides_reach_nested_keys():
    config = load_config(
        EXAMPLES / "twin.yaml", ["analysis.thickness_half_width_km=250", "grid=arctic100"]
    )
    assert config.analysis.thickness_half_width_km == 250 and config.grid == "arctic100"


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("analysis.thickness_half_with_km=250", "analysis.thickness_half_with_km"),
        ("grid=arctic10", "grid"),
        ("forecast.days=0", "forecast.days"),
        ("forecast.days=many", "forecast.days"),
        ("name=../elsewhere", "name"),
        ("weather.knowledge=perfect", "weather.knowledge"),
        ("no-equals-sign", "a.b=value"),
        ("seed=[", "not YAML"),
        ("model.step_hours=5", "divide a day"),
        ("model.step_hours=48", "divide a day"),
        ("model.step_hours=0.0001", "at least a second"),
        ("model.step_hours=1e306", "divide a day"),
        ("background.spin_up_days=1000000000", "background.*spin_up_days"),
        ("model.step_hours=.inf", "model.step_hours: .* finite"),
        ("model.wind_factor=.inf", "model.wind_factor: .* finite"),
        ("model.turning_angle=.nan", "model.turning_angle: .* finite"),
        ("ensemble.thickness_lengths_km=[100, .inf]", "thickness_lengths_km.1: .* finite"),
        ("analysis_time=2015-02-30", "'2015-02-30' is no timestamp"),
        ("seed=!!bool maybe", "'maybe' is no bool"),
        ("analysis.updates={thicknes: [ice_volume]}", "analysis.updates.thicknes.*'thickness'"),
        ("analysis.updates={thickness: [ice]}", "analysis.updates.thickness.0.*'ice_volume'"),
        ("analysis_time=2030-01-15T12:00:00+01:00", "without a time zone"),
        ("analysis_time=2100-01-15T12:00:00", "1933 to 2067"),
        ("verification.concentration=/etc/passwd", "below the data folder"),
        ("verification.concentration=a/../../b.nc", "below the data folder"),
        ("verification.concentration=a.nc", "scored against its truth"),
        ("observations={concentration: false, thickness: false}", "none to assimilate"),
        ("name.deeper=1", "name is not a section"),
        ("model.wind_facto=1", "model.wind_facto: no such key; did you mean wind_factor"),
        ("zzz=1", "zzz: no such key$"),
    ],
)
def test_wrong_values_are_named(override, named):
    with pytest.raises(InputError, match=named) as caught:
        load_config(EXAMPLES / "twin.yaml", [override])
    assert "\n" not in str(caught.value)


def test_of_a_list_or_a_section_what_it_is_is_told():
    with pytest.raises(InputError, match="1.erro: no such key; did you mean error") as caught:
        load_config(EXAMPLES / "january_2015.yaml", ["observations.1.erro=1"])
    assert "TwinObservations: " not in str(caught.value)


def test_items_of_a_list_can_be_set():
    config = load_config(EXAMPLES / "january_2015.yaml", ["observations.1.error=0.3"])
    assert [section.error for section in config.observations] == [None, 0.3]


@pytest.mark.parametrize("place", ["2", "-1", "first"])
def test_items_that_a_list_does_not_have_are_refused(place):
    with pytest.raises(InputError, match=f"{place} is no item of a list of 2"):
        load_config(EXAMPLES / "january_2015.yaml", [f"observations.{place}.error=0.3"])


def test_sections_that_do_not_fit_each_other_are_refused():
    with pytest.raises(InputError, match="twin background"):
        make_config(
            {
                **STARTING_CONFIG,
                "observations": [{"file": "a.nc", "start": "2015-01-01", "end": "2015-01-02"}],
            }
        )


@pytest.mark.parametrize(
    "text", ["", "- a\n- b\n", "a: [", "!!python/object/apply:os.system ['true']"]
)
def test_files_that_are_not_configurations_give_one_line(tmp_path, text):
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match="config.yaml") as caught:
        load_config(file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("name: a\nseed: 1\nseed: 2\n", "seed stands twice.*line 3"),
        ("model:\n  step_hours: 6\n  step_hours: 3\n", "step_hours stands twice.*line 3"),
        ("name: a\nanalysis_time: 2015-02-30\n", "'2015-02-30' is no timestamp.*line 2"),
    ],
)
def test_faults_of_a_file_are_told_with_their_line(tmp_path, text, fault):
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=f"config.yaml.*{fault}"):
        load_config(file)


def test_updates_accept_the_kinds_and_fields_there_are():
    assert get_args(Kind) == KINDS and get_args(StateField) == STATE


def test_every_key_of_the_schema_has_a_description_or_a_plain_meaning():
    plain = {
        "name",
        "title",
        "seed",
        "grid",
        "source",
        "background",
        "ensemble",
        "model",
        "observations",
        "analysis",
        "weather",
        "forecast",
        "verification",
        "members",
        "days",
    }
    schema = Config.model_json_schema()
    sections = [schema, *schema["$defs"].values()]
    silent = {
        key
        for section in sections
        for key, entry in section.get("properties", {}).items()
        if "description" not in entry
    }
    assert silent <= plain
