from datetime import UTC, datetime, timedelta

import pytest

from runner.services.backfills import SCHEDULE
from runner.services.dashboard import Dashboard
from runner.services.principal import LOCAL

PLACE = ("company.team", "timed", "hourly")
NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)  # a Monday
FLOW = """\
id: timed
namespace: company.team
tasks:
  - {id: say, type: io.kestra.plugin.core.log.Log, message: hi}
triggers:
  - id: hourly
    type: io.kestra.plugin.core.trigger.Schedule
    cron: "0 * * * *"
"""
WEEKEND = "    conditions: [{type: io.kestra.plugin.core.condition.Weekend}]\n"


def shown(services):
    upcoming = Dashboard(services.runtime).flow("company.team", "timed").upcoming
    return [each.strftime("%d %H:%M") for each in upcoming]


def test_the_dates_to_come_are_those_whose_conditions_hold(services):
    services.flows.create(FLOW + WEEKEND, by=LOCAL)
    assert shown(services) == ["10 00:00", "10 01:00", "10 02:00"]


def test_dates_of_several_triggers_come_in_their_order(services):
    more = (
        "  - id: dates\n    type: io.kestra.plugin.core.trigger.ScheduleOnDates\n"
        "    dates: ['2026-01-05T11:30:00Z', '2026-01-04T11:30:00Z']\n"
    )
    services.flows.create(FLOW + more, by=LOCAL)
    assert shown(services) == ["05 11:00", "05 11:30", "05 12:00"]


@pytest.mark.parametrize("is_in_flow", [True, False])
def test_a_trigger_that_is_off_has_no_dates_to_come(services, is_in_flow):
    services.flows.create(FLOW + ("    disabled: true\n" if is_in_flow else ""), by=LOCAL)
    if not is_in_flow:
        services.triggers.set_disabled(*PLACE, True, by=LOCAL)
    assert shown(services) == []


def test_behind_a_backfill_the_dates_go_on(services):
    services.flows.create(FLOW, by=LOCAL)
    day = timedelta(days=1)
    services.backfills.create(
        PLACE, start=NOW - 2 * day, end=NOW - day, inputs={}, labels=(), by=LOCAL
    )
    assert services.triggers.get(*PLACE).row.type == SCHEDULE
    assert shown(services) == ["05 11:00", "05 12:00", "05 13:00"]


def test_a_condition_that_cannot_be_judged_leaves_the_stored_date(services):
    broken = "    conditions: [{type: io.kestra.plugin.core.condition.DateTimeBetween}]\n"
    services.flows.create(FLOW + broken, by=LOCAL)
    assert shown(services) == ["05 10:00"]
