"""Make the numbers and the figure of this folder again.

    python validation/november_2016_drift/make.py --data DATA --work DIR

Runs the simulator over three days with each rheology and several drag coefficients, keeps the
hourly drift below DIR (an interrupted call goes on; after a change of the simulator give an empty
DIR), and writes README.md, which begins with verdict.md, and drift_20161121.png here. The verdict
is written by hand: read it again when the numbers change.
"""

import argparse
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from page import draw, page
from runs import Case, Day
from scores import score, wind_law

from floecast.core.atomic import replacing, write_text

HERE = Path(__file__).parent
PRESET = "arctic50"
DRAGS = {
    "BBM": (1.12e-3, 1.36e-3, 1.6e-3, 2e-3, 2.56e-3, 3.2e-3),
    "mEVP": (0.84e-3, 1.02e-3, 1.2e-3, 1.5e-3, 1.92e-3, 2.4e-3),
}
"""Air drag coefficients tried; the third is the default."""
DEFAULT = 2
# File day and hours added to the window of the reader; the two of a pair tune each other.
PAIRS = {
    "as labelled": (("2016-11-20", 0), ("2016-11-21", 0)),
    "12 h later": (("2016-11-19", 12), ("2016-11-20", 12)),
}


class Scored:
    """Everything known of one observed day.

    Parameters
    ----------
    case : Case
    day : Day
    runs : dict
        Rheology to drag to hourly ``u, v``.
    free : tuple
        Hourly ``u, v`` of free drift, to which others are compared.
    """

    def __init__(self, case, day, runs, free):
        count = day.observed.size
        self.day, self.wind = day, day.wind(case)
        self.x, self.y = (np.asarray(a)[:count] for a in (day.vectors.x, day.vectors.y))
        self.free_drift = day.of_model(case, *free)
        self.law, self.law_with_offset = wind_law(day.observed, self.wind)
        self.drift = {
            rheology: {drag: day.of_model(case, *run) for drag, run in by_drag.items()}
            for rheology, by_drag in runs.items()
        }
        self.scan = {
            rheology: {drag: self.score(drift) for drag, drift in by_drag.items()}
            for rheology, by_drag in self.drift.items()
        }
        self.observed = self.score(day.observed)
        self.systems = {"persistence": self.score(day.persistence)}

    def score(self, drift):
        """Scores of a drift at the points of the day."""
        day = self.day
        return score(
            drift, day.observed, day.persistence, self.free_drift, self.wind, self.x, self.y
        )

    def best(self, rheology):
        """Drag coefficient of least vector RMSE on this day, among those tried."""
        scan = self.scan[rheology]
        return min(scan, key=lambda drag: scan[drag]["rmse"].value)


def main():
    """Run, score, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", required=True, help="folder of the real files")
    parser.add_argument("--work", required=True, help="folder for the runs")
    given = parser.parse_args()
    case = Case.read(given.data, PRESET)
    runs = {
        rheology: {drag: case.run(given.work, rheology, air_drag=drag) for drag in drags}
        for rheology, drags in DRAGS.items()
    }
    free = case.run(given.work, "free drift")
    stressless = case.run(given.work, "mEVP", ice_strength=0.0)
    fine = Case.read(given.data, "arctic25")
    free_on_fine = fine.run(given.work, "free drift")
    on_fine = fine.run(given.work, "BBM", air_drag=DRAGS["BBM"][DEFAULT])
    pairs = {}
    for timing, pair in PAIRS.items():
        days = [Day.read(given.data, case, np.datetime64(day), later) for day, later in pair]
        scored = [Scored(case, day, runs, free) for day in days]
        for one, other, (day, later) in zip(scored, scored[::-1], pair, strict=True):
            factor, angle = other.law
            law = case.run(given.work, "free drift", wind_factor=factor, turning_angle=angle)
            there = Day.read(given.data, fine, np.datetime64(day), later)
            one.systems["free drift, default"] = one.score(one.free_drift)
            told = f"free drift, tuned ({100 * factor:.2f} %, {angle:.0f}°)"
            one.systems[told] = one.score(one.day.of_model(case, *law))
            for rheology, drags in DRAGS.items():
                best = other.best(rheology)
                one.systems[f"{rheology}, default"] = one.scan[rheology][drags[DEFAULT]]
                one.systems[f"{rheology}, tuned ({1e3 * best:.3g}e-3)"] = one.scan[rheology][best]
            one.systems["mEVP, default, no ice stress"] = one.score(
                one.day.of_model(case, *stressless)
            )
            finer = Scored(fine, there, {"BBM": {0: on_fine}}, free_on_fine)
            told = f"BBM, default, 25 km ({there.observed.size} vectors)"
            one.systems[told] = finer.scan["BBM"][0]
        pairs[timing] = dict(zip(pair, scored, strict=True))
    text = page(pairs, DRAGS, DEFAULT, case, datetime.now(UTC))
    write_text(HERE / "README.md", text)
    shown = pairs["12 h later"][PAIRS["12 h later"][1]]
    with replacing(HERE / "drift_20161121.png") as partial:
        partial.write_bytes(draw(case, shown, DRAGS["BBM"][DEFAULT]))


if __name__ == "__main__":
    main()
