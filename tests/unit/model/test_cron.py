from datetime import datetime
from itertools import pairwise

import pytest

from runner.model.cron import CronDates, dates_of, spelled_out, zone_of


def at(text):
    return datetime.fromisoformat(text)


def after(cron, moment, zone="Europe/Paris"):
    found = CronDates(cron, zone_of(zone)).after(at(moment))
    return found and found.isoformat()


def before(cron, moment, zone="Europe/Paris"):
    return CronDates(cron, zone_of(zone)).before(at(moment)).isoformat()


def test_the_local_time_stays_when_the_clock_changes():
    assert (
        after("12 9 1 * *", "2022-03-02T00:00:00Z", "America/New_York")
        == "2022-04-01T09:12:00-04:00"
    )
    assert (
        before("12 9 1 * *", "2022-04-01T13:12:00Z", "America/New_York")
        == "2022-03-01T09:12:00-05:00"
    )


def test_a_time_in_the_gap_falls_directly_behind_it():
    assert after("30 2 * * *", "2024-03-30T12:00:00Z") == "2024-03-31T03:00:00+02:00"
    assert after("30 2 * * *", "2024-03-31T01:00:00Z") == "2024-04-01T02:30:00+02:00"
    assert before("30 2 * * *", "2024-03-31T05:00:00Z") == "2024-03-31T03:00:00+02:00"


def test_a_time_that_occurs_twice_counts_once_at_the_first():
    assert after("30 2 * * *", "2024-10-26T12:00:00Z") == "2024-10-27T02:30:00+02:00"
    assert after("30 2 * * *", "2024-10-27T00:30:00Z") == "2024-10-28T02:30:00+01:00"
    assert before("30 2 * * *", "2024-10-27T05:00:00Z") == "2024-10-27T02:30:00+02:00"


def test_an_hourly_pattern_has_each_real_hour():
    assert after("0 * * * *", "2024-10-27T00:00:00Z") == "2024-10-27T02:00:00+01:00"
    assert after("0 * * * *", "2024-03-31T00:30:00Z") == "2024-03-31T03:00:00+02:00"
    assert before("0 * * * *", "2024-10-27T01:00:00Z") == "2024-10-27T02:00:00+02:00"
    assert before("0 * * * *", "2024-03-31T01:00:00Z") == "2024-03-31T01:00:00+01:00"


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        (None, "2024-03-16T09:00:00+00:00"),
        ("Asia/Kolkata", "2024-03-16T09:00:00+05:30"),
        ("+02:00", "2024-03-16T09:00:00+02:00"),
        ("UTC+2", "2024-03-16T09:00:00+02:00"),
        ("GMT-03:30", "2024-03-15T09:00:00-03:30"),
    ],
)
def test_zones_by_javas_rules(zone, expected):
    assert after("0 9 * * *", "2024-03-15T10:00:00Z", zone) == expected


def test_a_date_that_never_comes_is_none():
    assert after("0 0 30 2 *", "2024-03-15T10:00:00Z") is None


def test_either_day_of_month_or_weekday_will_do():
    assert after("0 0 13 * 5", "2024-03-15T10:00:00Z", None) == "2024-03-22T00:00:00+00:00"


def test_a_moment_between_is_no_date():
    dates = dates_of("*/5 * * * * *", with_seconds=True)
    assert dates.is_date(at("2024-03-15T10:00:05Z"))
    assert not dates.is_date(at("2024-03-15T10:00:06Z"))
    assert not dates.is_date(at("2024-03-15T10:00:05.000001Z"))


@pytest.mark.parametrize(
    ("cron", "hours"),
    [
        ("0 */1 * * *", ["01:00+02", "02:00+02", "02:00+01", "03:00+01"]),
        ("0 0-23 * * *", ["01:00+02", "02:00+02", "02:00+01", "03:00+01"]),
        ("0 1-5 * * *", ["01:00+02", "02:00+02", "02:00+01", "03:00+01"]),
        ("0,30 2 * * *", ["02:00+02", "02:30+02", "02:00+01", "02:30+01"]),
        ("15 2,3 * * *", ["02:15+02", "02:15+01", "03:15+01"]),
        ("0 */2 * * *", ["02:00+02", "04:00+01"]),
        ("0 1,2 * * *", ["01:00+02", "02:00+02"]),
        ("59 2 * * *", ["02:59+02"]),
    ],
)
def test_dates_that_follow_one_another_hourly_have_each_real_hour(cron, hours):
    """As measured with Kestra 1.3.34."""
    dates = CronDates(cron, zone_of("Europe/Paris"))
    found = [dates.after(at("2024-10-27T00:30:00+02:00"))]
    while len(found) < len(hours):
        found.append(dates.after(found[-1]))
    assert [each.isoformat()[11:16] + each.isoformat()[19:22] for each in found] == hours
    for earlier, later in pairwise(found):
        assert dates.before(later) == earlier


@pytest.mark.parametrize(
    ("cron", "same"),
    [
        ("5-5 * * * *", "5 * * * *"),
        ("1,5-5/2,7 3-3 * * MON-MON", "1,5,7 3 * * MON"),
        ("/5 * * * *", "*/5 * * * *"),
        ("1,/30 * * * *", "1,*/30 * * * *"),
        ("15-5/5 1-11 * * *", "15-5/5 1-11 * * *"),
        ("*/1 */10 13 * */1", "* */10 13 * *"),
    ],
)
def test_what_croniter_reads_otherwise_is_spelled_out(cron, same):
    assert spelled_out(cron) == same


def test_a_range_of_one_is_that_one():
    assert after("5-5 * * * *", "2024-01-01T00:00:00Z", None) == "2024-01-01T00:05:00+00:00"
