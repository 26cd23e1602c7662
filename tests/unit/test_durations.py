from datetime import timedelta

import pytest

from runner import durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT30S", 30),
        ("P1DT2H", 93_600),
        ("pt1m30s", 90),
        ("PT-1.5S", -1.5),
        ("-PT1M", -60),
        ("-PT-1M+3S", 57),
        ("PT0.5S", 0.5),
        ("PT1,25S", 1.25),
        ("P-1D", -86_400),
        ("P2D", 172_800),
        ("PT-0.5S", -0.5),
        ("PT1.S", 1),
        ("30", 30),
        ("0.5", 0.5),
        (" 12 ", 12),
        (90, 90),
        (1.25, 1.25),
        (1e-6, 0.000001),
    ],
)
def test_iso_texts_and_plain_seconds_are_read(text, seconds):
    assert durations.parse(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    [
        *("", "P", "PT", "P1DT", "P1M", "P1Y", "P1W", "PT1H2H", "1h", "PT1.5M", "tomorrow", True),
        *("P999999999999D", float("nan"), float("inf"), "1e3"),
    ],
)
def test_what_java_does_not_read_is_refused(text):
    with pytest.raises(durations.InvalidDuration, match="no duration"):
        durations.parse(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "PT0S"),
        (90, "PT1M30S"),
        (176_400, "PT49H"),
        (0.5, "PT0.5S"),
        (-0.5, "PT-0.5S"),
        (-90, "PT-1M-30S"),
        (3_600.25, "PT1H0.25S"),
        (60, "PT1M"),
    ],
)
def test_durations_print_as_java_prints_them(seconds, text):
    assert durations.format(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize("seconds", [0, 1, 59.5, 3_661.000001, -7_322.25, 1e7])
def test_a_printed_duration_reads_back(seconds):
    duration = timedelta(seconds=seconds)
    assert durations.parse(durations.format(duration)) == duration


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("5 min", "PT5M"),
        ("1h", "PT1H"),
        ("2 days", "P2D"),
        ("30 seconds", "PT30S"),
        ("90S", "PT90S"),
    ],
)
def test_what_is_meant_is_told(text, meant):
    with pytest.raises(durations.InvalidDuration, match=f"write {meant}$"):
        durations.parse(text)
