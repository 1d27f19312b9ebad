"""Climatology without the year that is forecast, and the memory of anomalies."""

import numpy as np
import pytest

from floecast.core.calendar import DAY, iso, to_seconds
from floecast.core.errors import InputError
from floecast.verification.baselines import damped_anomaly_persistence
from floecast.verification.past_years import PastYears, years_later

SHAPE = (3, 4)
FIRST, LAST = to_seconds("2010-01-01"), to_seconds("2016-12-31")
TIMES = np.arange(FIRST, LAST + 1, DAY)
MEMORY = 0.9


def season(times):
    return 0.5 + 0.3 * np.cos(2 * np.pi * np.asarray(times) / (365.2425 * DAY))


@pytest.fixture(scope="module")
def archive():
    """Seven years of daily fields: a season and anomalies that fade by a tenth a day."""
    rng = np.random.default_rng(0)
    anomaly = np.zeros((TIMES.size, *SHAPE))
    noise = rng.normal(0, 0.05, anomaly.shape)
    for day in range(1, TIMES.size):
        anomaly[day] = MEMORY * anomaly[day - 1] + np.sqrt(1 - MEMORY**2) * noise[day]
    fields = season(TIMES)[:, None, None] + anomaly
    fields[:, 0, 0] = np.nan
    return fields


@pytest.mark.parametrize(
    ("time", "years", "expected"),
    [
        ("2015-06-30T12:00", 1, "2016-06-30T12:00:00Z"),
        ("2016-02-29T06:00", -1, "2015-02-28T06:00:00Z"),
        ("2016-02-29", 4, "2020-02-29T00:00:00Z"),
        ("1999-12-31", 1, "2000-12-31T00:00:00Z"),
    ],
)
def test_the_same_day_of_another_year(time, years, expected):
    assert iso(years_later(to_seconds(time), years)) == expected


def test_normal_is_the_mean_of_the_window_in_other_years(archive):
    past = PastYears(TIMES, archive.__getitem__)
    start = to_seconds("2014-03-10")
    chosen = [
        archive[np.abs(TIMES - to_seconds(f"{year}-03-10")) <= 5 * DAY]
        for year in range(2010, 2017)
        if year != 2014
    ]
    assert sum(map(len, chosen)) == 66
    expected = np.concatenate(chosen).mean(axis=0)
    np.testing.assert_allclose(past.normal(start)[1:], expected[1:], rtol=1e-5)
    assert np.isnan(past.normal(start)[0, 0])
    members = past.members(start)
    assert members.shape == (6, *SHAPE)
    np.testing.assert_allclose(members[0, 1:], archive[TIMES == to_seconds("2010-03-10")][0, 1:])


@pytest.mark.parametrize("start", ["2013-07-01", "2013-12-30"])
def test_nothing_of_the_season_that_is_forecast_is_used(archive, start):
    start = to_seconds(start)
    leads = [DAY, 5 * DAY, 10 * DAY]
    spoilt = archive.copy()
    # The damping looks 30 days back and, beyond the last lead, as far ahead.
    spoilt[(TIMES > start - 40 * DAY) & (TIMES < start + 50 * DAY)] = 1e6
    weights = np.ones(SHAPE)
    whole, left = (PastYears(TIMES, fields.__getitem__) for fields in (archive, spoilt))
    for time in (start, *(start + np.array(leads))):
        np.testing.assert_array_equal(left.normal(time), whole.normal(time))
        np.testing.assert_array_equal(left.members(time), whole.members(time))
    np.testing.assert_array_equal(
        left.damping(start, leads, weights=weights), whole.damping(start, leads, weights=weights)
    )


def test_damping_is_the_memory_of_the_anomalies(archive):
    past = PastYears(TIMES, archive.__getitem__)
    leads = np.array([0, 1, 3, 7])
    start = to_seconds("2014-06-15")
    found = past.damping(start, leads * DAY, weights=np.ones(SHAPE))
    assert found[0] == pytest.approx(1)
    np.testing.assert_allclose(found, MEMORY**leads, atol=0.08)
    # On the whole year it beats both of its limits, persistence and climatology.
    errors = []
    for day in range(0, 350, 25):
        start = to_seconds("2014-01-05") + day * DAY
        target = archive[TIMES == start + 7 * DAY][0]
        initial = archive[TIMES == start][0]
        normals = [past.normal(time) for time in (start, start + 7 * DAY)]
        forecasts = [initial, normals[1]]
        forecasts.append(
            damped_anomaly_persistence(
                initial,
                normal_start=normals[0],
                normal_leads=normals[1][None],
                correlation=found[3:],
            )[0]
        )
        errors.append([np.nanmean((forecast - target) ** 2) for forecast in forecasts])
    persistence, climatology, damped = np.mean(errors, axis=0)
    assert damped < min(persistence, climatology)


def test_a_hole_in_the_archive_costs_only_its_samples(archive):
    start = to_seconds("2014-06-15")
    there = np.abs(TIMES - to_seconds("2012-06-20")) > 20 * DAY
    past = PastYears(TIMES[there], archive[there].__getitem__)
    found = past.damping(start, [3 * DAY], weights=np.ones(SHAPE))
    assert found[0] == pytest.approx(MEMORY**3, abs=0.1)


def test_fields_are_read_when_needed_and_missing_years_are_told():
    asked = []

    def read(index):
        asked.append(index)
        return np.zeros(SHAPE)

    times = np.arange(to_seconds("2014-01-01"), to_seconds("2015-12-31"), DAY)
    past = PastYears(times, read)
    assert not asked
    past.normal(to_seconds("2014-05-01"))
    past.normal(to_seconds("2014-05-02"))
    assert len(asked) == 12 + 12  # windows of both years, one day more for the second date
    alone = PastYears(times[:365], read)
    with pytest.raises(InputError, match="05-01 in another year than 2014"):
        alone.normal(to_seconds("2014-05-01"))
    # Anomalies of a year need a normal of yet another one.
    with pytest.raises(InputError, match="two other years than 2014"):
        past.damping(to_seconds("2014-05-01"), [DAY], weights=np.ones(SHAPE))
    with pytest.raises(InputError, match="another year"):
        alone.members(to_seconds("2014-05-01"))
    with pytest.raises(InputError, match="each after the other"):
        PastYears(times[::-1], read)
