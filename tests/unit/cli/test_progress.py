from datetime import timedelta

import pytest

from runner.cli.progress import duration


@pytest.mark.parametrize(
    ("took", "words"),
    [
        (timedelta(milliseconds=45), "45 ms"),
        (timedelta(seconds=2.04), "2.0 s"),
        (timedelta(seconds=200), "3 min 20 s"),
        (timedelta(hours=2, minutes=5), "2 h 5 min"),
        (timedelta(seconds=-1), "0 ms"),
    ],
)
def test_how_long_it_took_is_told_for_people(took, words):
    assert duration(took) == words
