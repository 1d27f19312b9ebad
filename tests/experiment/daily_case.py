"""A month of small files as they come in day by day, and the operation that takes them."""

from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from floecast.config import make_config
from floecast.core.calendar import DAY, iso, to_seconds
from floecast.cycle_schema import CycleConfig
from floecast.experiment import daily_inputs, daily_steps
from floecast.experiment.daily import catch_up
from floecast.io import run_folder, satellite
from tests.io import layouts, product_layouts

FIRST = "2015-04-15"
BASE = layouts.nsidc_codes()
FAR = np.hypot(*layouts.nsidc_positions())
SETTINGS = {
    "name": "daily",
    "grid": "arctic100",
    "first_analysis": f"{FIRST}T12:00:00",
    "background": {
        "thickness": "start/thickness.nc",
        "concentration": "start/concentration.nc",
        "date": "2015-04-14T12:00:00",
    },
    "ensemble": {"members": 3},
    "model": {"step_hours": 24},
    "model_error": {"concentration": 0, "thickness": 0, "snow": 0},
    "observations": [
        {"product": "nsidc0081", "files": ["sic/*.nc"]},
        {
            "product": "cs2smos",
            "files": ["sit/*.nc"],
            "every_hours": 168,
            "lag_hours": 84,
            "months": [10, 11, 12, 1, 2, 3, 4],
        },
    ],
    "forecast": {"days": 1},
    "retention": {"members_days": 12},
}


@contextmanager
def quickened():
    """Footprints found once, a report that is not drawn, files not tried in another process."""
    found, known = {}, run_folder.versions()
    footprints = satellite.footprints

    def once(grid, x, y, *rest, **options):
        key = grid.name, x.size
        if key not in found:
            found[key] = footprints(grid, x, y, *rest, **options)
        return found[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(satellite, "footprints", once)
        patch.setattr(run_folder, "versions", lambda: known)
        patch.setattr(daily_inputs, "lost_on", lambda paths: {})
        patch.setattr(
            daily_steps, "write_report", lambda path: (path / "report.html").write_text("drawn")
        )
        yield


def day(number):
    """Date of a day of the month, counted from 0."""
    return str(np.datetime64(FIRST) + number)


class Place:
    """A data folder and the folder of an operation."""

    def __init__(self, root, **changes):
        self.data, self.out = Path(root) / "data", Path(root) / "out"
        self.config = make_config(SETTINGS | changes, schema=CycleConfig)
        self.time = None

    def begin(self):
        """Make the files that the members start from."""
        for name in ("start", "sic", "sit"):
            (self.data / name).mkdir(parents=True)
        start = layouts.nextsim(2.0)
        start["time"] = layouts.times((), 1429012800.0, "seconds since 1970-01-01")
        layouts.write(start, self.data / "start/thickness.nc")
        self.concentration(-1, name="start/concentration.nc")

    def concentration(self, *numbers, name=None, **attributes):
        """Make one file with the concentration of some days; the ice edge goes to and fro."""
        days, codes = [], []
        for number in numbers:
            ice = np.clip((2500e3 + 30e3 * np.sin(number) - FAR) / 400e3, 0, 1)
            codes.append(np.where(BASE == 0, (250 * ice).astype("u1"), BASE))
            days.append((np.datetime64(FIRST) - np.datetime64("2015-01-01")).astype(int) + number)
        made = layouts.nsidc(np.stack(codes), days)
        made["icecon"].attrs |= attributes
        return layouts.write(made, self.data / (name or f"sic/{day(numbers[0])}.nc"))

    def thickness(self, number, bad=None):
        """Make the thickness of the seven days that end at noon of a day, in a few cells."""
        made = product_layouts.cs2smos_points(1.5, 0.3)
        begin = product_layouts.seconds_1978(f"{day(number - 7)}T12:00")
        made["time"] = made["time"].copy(data=[begin + 3.5 * DAY])
        made["time_bnds"] = made["time_bnds"].copy(data=[[begin, begin + 7 * DAY]])
        name = "analysis_sea_ice_thickness"
        few = np.full(made[name].shape, np.nan, "f4")
        few[:, ::4, ::4] = 1.5
        if bad is not None:
            few[:, 24:32:4, ::4] = bad
        made[name] = made[name].copy(data=few)
        return layouts.write(made, self.data / f"sit/{day(number)}.nc")

    def go(self, number, hour=18, **options):
        """Call the operation in the evening of a day."""
        self.time = to_seconds(f"{day(number)}T{hour}:00")
        return catch_up(self.config, data=self.data, out=self.out, now=self.time, **options)

    def products(self, numbers):
        """Bytes of the analyses of some days."""
        names = ("analysis.nc", "analysis_ensemble.nc", "diagnostics.json", "rejected.csv")
        return {
            (number, name): (self.analysis(number) / name).read_bytes()
            for number in numbers
            for name in names
        }

    def analysis(self, number):
        """Folder of the analysis of a day."""
        return self.out / "analyses" / f"{day(number).replace('-', '')}T1200"

    def time_of(self, number):
        """Time of an analysis as outcomes tell it."""
        return iso(to_seconds(f"{day(number)}T12:00"))
