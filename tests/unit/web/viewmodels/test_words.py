from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from runner.model.states import State
from tests.unit.web.viewmodels.builders import NOW, ago
from web.viewmodels import words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.041, "41\u202fms"), (8, "0:08"), (72, "1:12"), (7471, "2:04:31"), (-3, "0\u202fms")],
)
def test_a_duration_reads_like_a_clock(seconds, text):
    assert words.clock(timedelta(seconds=seconds)) == text


def test_a_duration_in_a_sentence_has_tenths():
    assert words.seconds(timedelta(seconds=31.72)) == "31.7\u202fs"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1, "now"),
        (60, "60\u202fs"),
        (480, "8\u202fmin"),
        (3 * 3600, "3\u202fh"),
        (6 * 86400, "6\u202fd"),
    ],
)
def test_a_time_is_relative(seconds, text):
    assert words.moment(ago(seconds), NOW).text == text


def test_a_future_time_says_in():
    assert words.moment(ago(-600), NOW, suffix=True).text == "in 10\u202fmin"


def test_beyond_two_weeks_a_time_is_a_date_in_the_viewers_zone():
    shown = words.moment(ago(20 * 86400), NOW, ZoneInfo("Asia/Tokyo"))

    assert shown.text == "5 Nov 23:10"
    assert shown.title == "2026-11-05 23:10:00 JST"


def test_every_state_has_a_word_a_family_and_a_symbol():
    assert {words.shown(state).family for state in State} <= {
        "idle", "run", "good", "warn", "bad", "hold", "stop",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0\u202fB"), (999, "999\u202fB"), (48_000, "48\u202fkB"), (14_100_000, "14.1\u202fMB")],
)
def test_sizes_have_units(count, text):
    assert words.size(count) == text
