from datetime import UTC, datetime, time, timedelta

import pytest

from runner.model.windows import WindowRule

NOW = datetime(2024, 3, 15, 10, 20, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("rule", "start", "end"),
    [
        ({}, "15T00:00:00", "15T23:59:59.999"),
        ({"advance": timedelta(hours=-4)}, "14T20:00:00", "15T19:59:59.999"),
        (
            {"window": timedelta(hours=1), "advance": timedelta(hours=-4)},
            "15T06:00:00",
            "15T06:59:59.999",
        ),
        (
            {"window": timedelta(minutes=15), "advance": timedelta(minutes=-5)},
            "15T10:10:00",
            "15T10:24:59.999",
        ),
        ({"window": timedelta(hours=6)}, "15T10:00:00", "15T15:59:59.999"),
        (
            {"type": "DAILY_TIME_WINDOW", "start_time": time(10, 20), "end_time": time(10, 25)},
            "15T10:20:00",
            "15T10:25:00",
        ),
        (
            {"type": "DAILY_TIME_DEADLINE", "deadline": time(10, 20, 31)},
            "15T00:00:00",
            "15T10:20:31",
        ),
    ],
)
def test_a_moment_has_its_window(rule, start, end):
    window = WindowRule(**rule).at(NOW)

    shown = [each.isoformat(timespec="milliseconds") for each in (window.start, window.end)]
    assert [text[8:].replace("+00:00", "").removesuffix(".000") for text in shown] == [start, end]


def test_a_sliding_window_begins_with_what_opens_it():
    window = WindowRule("SLIDING_WINDOW", timedelta(hours=1)).at(NOW)

    assert window.holds(NOW)
    assert window.holds(NOW + timedelta(minutes=59))
    assert not window.holds(NOW + timedelta(minutes=60))


def test_a_deadline_that_has_passed_lets_nothing_in():
    assert not WindowRule("DAILY_TIME_DEADLINE", deadline=time(10, 20, 29)).at(NOW).holds(NOW)
