"""Ranges go up, and steps are no longer than their field."""

import pytest

from runner.model.cronfields import field_fault


@pytest.mark.parametrize(
    ("cron", "advice"),
    [
        ("0 22-5 * * *", "write 22-23,0-5"),
        ("0 1 * * FRI-MON", "write 5-6,0-1"),
        ("0 1 * * SUN-SAT", "write 0-6"),
        ("0 1 * NOV-FEB *", "write 11-12,1-2"),
        ("*/90 * * * *", "longer than 59"),
        ("0 */24 * * *", "longer than 23"),
        ("*/60 0 0 1 1 *", "longer than 59"),
    ],
)
def test_what_goes_over_the_end_is_told_with_what_to_write(cron, advice):
    assert advice in (field_fault(cron) or "")


@pytest.mark.parametrize(
    "cron",
    [
        "0 0-6 * * MON-SUN",
        "0-59/59 */23 */31 */12 */7",
        "1,2-3,*/5 * * JAN,FEB 0,7",
        "5/10 * * * *",
    ],
)
def test_what_goes_up_is_fine(cron):
    assert field_fault(cron) is None
