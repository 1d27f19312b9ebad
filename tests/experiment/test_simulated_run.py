"""A run whose truth is the simulator's: its dates, its products, what does not fit refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from floecast.config import load_config
from floecast.core.calendar import DAY, iso
from floecast.core.errors import InputError
from floecast.core.state import IceState
from floecast.emulator.coupled import CoupledEmulator
from floecast.experiment import run
from floecast.experiment.case import Case
from floecast.experiment.twin import SPIN_UP, Twin
from floecast.io.checkpoint import save_checkpoint

ROOT = Path(__file__).parents[2]
SMALL = ["analysis_time=2033-01-06", "ensemble.members=4", "forecast.days=1", "name=small"]
SMALL += ["analysis.method=letkf", "analysis.window_hours=24"]
STILL = [*SMALL, "model.boundary_layer=false", "background.boundary_layer=false"]


def config(*more):
    return load_config(ROOT / "examples" / "full_chain.yaml", more)


@pytest.mark.parametrize(
    ("analysis_time", "begin"),
    [
        ("2033-01-13", "2033-01-05"),
        ("2033-01-07", "2033-01-05"),
        ("2033-01-06", "2032-12-05"),  # the window would begin before the ice has settled
        ("2030-02-20", "2030-02-05"),
        ("2034-12-31", "2034-12-05"),
    ],
)
def test_the_truth_begins_on_the_fifth_of_a_month_before_the_window(analysis_time, begin):
    case = Case(config(f"analysis_time={analysis_time}"), None, None)
    assert iso(case.simulated.start)[:10] == begin
    assert case.background_time == case.simulated.start <= case.window_start
    assert case.simulated.times[-1] == case.leads[-1]
    number = case.simulated.numbers[case.simulated.section.year]
    assert case.simulated._restart[0][number] + SPIN_UP == case.simulated.start


@pytest.mark.parametrize("analysis_time", ["2030-01-20", "2035-03-20"])
def test_a_time_of_no_simulated_state_is_refused_before_a_folder_is_made(analysis_time, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(InputError, match="analysis_time: the simulated states.* 2030-02-01 to"):
        run(config(f"analysis_time={analysis_time}"), out=out)
    assert not out.exists()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("analysis.window_hours=0", "window_hours"),
        ("analysis.window_hours=36", "whole days"),
        ("analysis_time=2033-01-13T06:00:00", "begin at 00:00"),
        ("grid=arctic25", "no simulated states ship for arctic25"),
        ("model.kind=free_drift", "model.boundary_layer: this is of `kind: emulator`"),
    ],
)
def test_what_does_not_fit_is_refused(override, message):
    more = ["analysis.method=letkf"] if "window_hours=0" in override else []
    with pytest.raises(InputError, match=message):
        config(override, *more)


def test_the_forecast_has_columns_of_air_and_weather_aloft():
    case = Case(config("ensemble.members=3"), None, None)
    assert isinstance(case.forecast_model(), CoupledEmulator)
    assert not isinstance(case.model(), CoupledEmulator)
    weathers = case.forecast_weather({})
    begin = case.analysis_time
    assert len(weathers) == 3
    assert weathers[0].between(begin, begin + DAY).aloft is not None
    known, later = ([w.skill_at(begin + days * DAY) for w in weathers] for days in (0, 5))
    assert float(later[0]) < float(known[0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run in which ice at rest is the truth, so that nothing is simulated."""

    def rest(self, path, progress=None):
        state = self.restart(self.numbers[self.section.year])
        fields = {
            name: np.repeat(np.asarray(field)[None], len(self.times), axis=0)
            for name, field in state.fields().items()
        }
        save_checkpoint(path, IceState(**fields), config_hash=self.mark)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Twin, "make", rest)
        return run(
            config(*STILL, "analysis_time=2033-01-07"),
            out=tmp_path_factory.mktemp("runs") / "small",
            until="verification",
        )


def test_the_members_come_closer_to_the_truth_that_they_do_not_know(folder):
    rows = json.loads(folder.file("scorecard.json").read_text())

    def value(system, **wanted):
        wanted |= {"system": system, "variable": "concentration", "region": "arctic"}
        return next(r["value"] for r in rows if all(r[key] == wanted[key] for key in wanted))

    at_start = {"score": "rmse", "lead_hours": 0}
    assert value("forecast", **at_start) < 0.7 * value("background", **at_start)
    later = {"score": "rmse", "lead_hours": 24}
    assert value("forecast", **later) < value("free run", **later)


def test_only_thickness_is_withheld(folder):
    import xarray as xr

    with xr.open_dataset(folder.file("observations.nc")) as points:
        kept_out = points.kind.values[(points.assimilated.values == 0) & (points.flag.values == 0)]
        assert kept_out.size
        assert (kept_out == points.kind.values[points.kind.values > 0].min()).all()
