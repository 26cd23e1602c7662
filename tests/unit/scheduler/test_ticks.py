from datetime import UTC, datetime, timedelta

import pytest

from runner.errors import InputInvalid, NotFound, Refused
from runner.scheduler.ticks import Ticks
from runner.services.bundle import open_services
from runner.services.principal import LOCAL
from runner.store.base import ExecutionFilter, LogQuery
from tests.unit.runtimes import drive_all

PLACE = ("company.team", "timed", "minutely")
FLOW = """\
id: timed
namespace: company.team
tasks:
  - {id: say, type: io.kestra.plugin.core.debug.Return, format: "{{ trigger.date }}"}
triggers:
  - id: minutely
    type: io.kestra.plugin.core.trigger.Schedule
    cron: "* * * * *"
"""


@pytest.fixture
def services(runtime):
    return open_services(runtime)


@pytest.fixture
def add(services):
    def add(*lines, flow=FLOW):
        services.flows.create(flow + "".join(f"    {line}\n" for line in lines), by=LOCAL)

    return add


@pytest.fixture
def look(runtime):
    """Move the clock and look; returns the executions there are, the oldest first."""
    ticks = Ticks(runtime)

    def look(**delta):
        runtime.clock.move(**delta)
        for _ in range(5):
            ticks.step()
        with runtime.store.read() as tx:
            page = tx.executions.search(ExecutionFilter(), limit=50, ascending=True)
        return list(page.items)

    return look


def a_row(runtime):
    with runtime.store.read() as tx:
        return tx.triggers.find("company.team", "timed", "minutely")


def test_a_date_starts_one_execution_with_its_variables(runtime, add, look):
    add()
    assert look() == []
    (execution,) = look(minutes=1)
    assert execution.trigger.variables == {
        "date": "2026-01-05T10:01:00Z",
        "next": "2026-01-05T10:02:00Z",
        "previous": "2026-01-05T10:00:00Z",
    }
    assert dict(execution.labels)["system.from"] == "trigger"
    assert len(runtime.queue.sent) == 1


def test_a_trigger_waits_for_the_end_of_its_execution(runtime, add, look):
    add()
    look()
    (execution,) = look(minutes=1)
    assert a_row(runtime).execution_id == execution.id
    assert len(look(minutes=1)) == 1


def test_with_allow_concurrent_it_does_not_wait(add, look):
    add("allowConcurrent: true")
    look()
    look(minutes=1)
    assert len(look(minutes=1)) == 2


def test_missed_dates_start_one_after_the_other(add, look):
    add("allowConcurrent: true")
    look()
    dates = [execution.trigger.variables["date"][11:16] for execution in look(minutes=3)]
    assert sorted(dates) == ["10:01", "10:02", "10:03"]


def test_a_date_that_was_started_is_not_started_again(runtime, add, look):
    """As after a crash between two schedulers: the key of the date is taken."""
    add("allowConcurrent: true")
    look()
    before = a_row(runtime)
    look(minutes=1)
    with runtime.store.begin() as tx:
        tx.triggers.save(before)
    assert len(look()) == 1


def test_a_flow_that_is_off_starts_nothing_and_makes_up_for_nothing(services, add, look):
    add()
    look()
    services.flows.set_disabled("company.team", "timed", True, by=LOCAL)
    assert look(minutes=5) == []
    services.flows.set_disabled("company.team", "timed", False, by=LOCAL)
    assert look() == []


def test_a_condition_that_does_not_hold_starts_nothing(add, look):
    add("conditions:", "  - {type: io.kestra.plugin.core.condition.DayWeek, dayOfWeek: SUNDAY}")
    look()
    assert look(minutes=1) == []


def test_inputs_that_cannot_be_rendered_make_a_failed_execution(runtime, add, look):
    inputs = "inputs:\n  - {id: who, type: STRING}\ntasks:"
    add("inputs: {who: '{{ missing }}'}", flow=FLOW.replace("tasks:", inputs, 1))
    look()
    (execution,) = look(minutes=1)
    assert str(execution.state) == "FAILED"
    lines = runtime.store.logs.search(LogQuery(execution_id=execution.id), limit=9).items
    assert "missing" in lines[0].message
    assert a_row(runtime).execution_id is None


def test_labels_are_rendered(add, look):
    add("labels: {at: '{{ trigger.date }}'}")
    look()
    (execution,) = look(minutes=1)
    assert dict(execution.labels)["at"] == "2026-01-05T10:01:00Z"


def test_a_trigger_that_makes_it_raise_is_set_aside_and_stops_no_other(
    runtime, add, look, monkeypatch
):
    add()
    add(flow=FLOW.replace("id: timed", "id: broken"))
    look()
    real = Ticks._firing

    def firing(self, row, now):
        if row.flow_id == "broken":
            raise ZeroDivisionError
        return real(self, row, now)

    monkeypatch.setattr(Ticks, "_firing", firing)
    (execution,) = look(minutes=1)
    assert execution.flow_id == "timed"
    with runtime.store.read() as tx:
        (aside,) = tx.quarantine.list()
        row = tx.triggers.find("company.team", "broken", "minutely")
    assert (aside.subject, aside.tries) == ("trigger:company.team/broken/minutely", 1)
    assert "ZeroDivisionError" in aside.traceback
    assert row.next_at == runtime.clock.now() + timedelta(seconds=30)


def test_a_trigger_goes_on_when_its_execution_has_ended(runtime, add, look):
    add()
    look()
    (first,) = look(minutes=1)
    drive_all(runtime, first.id)
    assert a_row(runtime).execution_id is None
    assert len(look(minutes=1)) == 2


@pytest.mark.parametrize("concurrent", ["true", "false"])
def test_a_state_of_stop_after_switches_the_trigger_off(concurrent, runtime, add, look):
    add("stopAfter: [SUCCESS]", f"allowConcurrent: {concurrent}")
    look()
    (first,) = look(minutes=1)
    drive_all(runtime, first.id)
    assert a_row(runtime).disabled
    assert len(look(minutes=1)) == 1


ON_DATES = """\
id: timed
namespace: company.team
tasks:
  - {id: say, type: io.kestra.plugin.core.debug.Return, format: "{{ execution.id }}"}
triggers:
  - id: minutely
    type: io.kestra.plugin.core.trigger.ScheduleOnDates
    dates: ["2026-01-05T11:02:00+01:00", "2026-01-05T10:01:00Z"]
"""


def test_dates_that_are_written_out_start_executions_in_their_order(runtime, add, look):
    add("allowConcurrent: true", flow=ON_DATES)
    look()
    (first,) = look(minutes=1)
    _, second = look(minutes=1)
    assert [each.schedule_at.minute for each in (first, second)] == [1, 2]
    assert first.trigger.variables == {}
    assert a_row(runtime).next_at is None


def backfill(services, **fields):
    start = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
    given = {"start": start, "end": start + timedelta(minutes=2), "inputs": {}, "labels": ()}
    return services.backfills.create(PLACE, **{**given, **fields}, by=LOCAL)


def test_a_backfill_starts_the_dates_behind_its_start_with_its_labels(runtime, services, add, look):
    add("allowConcurrent: true", "labels: {a: own, b: own}")
    look()
    backfill(services, labels=(("b", "fill"),))
    first, second = sorted(look(), key=lambda each: each.schedule_at)
    assert [each.trigger.variables["date"] for each in (first, second)] == [
        "2026-01-05T09:01:00Z",
        "2026-01-05T09:02:00Z",
    ]
    assert {"a": "own", "b": "fill"}.items() <= dict(first.labels).items()
    assert a_row(runtime).backfill is None


def test_behind_a_backfill_the_trigger_goes_on_as_before(runtime, services, add, look):
    add("allowConcurrent: true")
    look()
    before = a_row(runtime).next_at
    backfill(services)
    look()
    assert a_row(runtime).next_at == before
    assert [each.schedule_at.hour for each in look(minutes=1)] == [9, 9, 10]


def test_a_backfill_waits_for_each_of_its_executions(runtime, services, add, look):
    add()
    look()
    backfill(services)
    (first,) = look()
    drive_all(runtime, first.id)
    assert len(look()) == 2


def test_a_paused_backfill_starts_nothing_until_it_goes_on(services, add, look):
    add("allowConcurrent: true")
    look()
    backfill(services)
    services.backfills.pause(PLACE, by=LOCAL)
    assert look() == []
    services.backfills.unpause(PLACE, by=LOCAL)
    assert len(look()) == 2


def test_a_deleted_backfill_is_over(runtime, services, add, look):
    add()
    look()
    before = a_row(runtime).next_at
    backfill(services)
    services.backfills.delete(PLACE, by=LOCAL)
    assert look() == []
    assert (a_row(runtime).next_at, a_row(runtime).backfill) == (before, None)
    with pytest.raises(Refused, match="No backfill found"):
        services.backfills.delete(PLACE, by=LOCAL)


def test_one_backfill_at_a_time(services, add):
    add()
    backfill(services)
    with pytest.raises(Refused, match="under way"):
        backfill(services)


def test_a_backfill_is_of_the_past_and_of_a_schedule(services, add):
    add()
    with pytest.raises(InputInvalid, match="in the future"):
        backfill(services, start=datetime(2027, 1, 1, tzinfo=UTC), end=None)
    with pytest.raises(NotFound):
        services.backfills.pause(("company.team", "timed", "other"), by=LOCAL)


def test_a_condition_that_is_false_at_its_date_starts_nothing_and_leaves_the_next(
    runtime, add, look
):
    add("conditions:", "  - {type: core.condition.Expression, expression: 'false'}")
    assert look(minutes=1) == []
    assert a_row(runtime).next_at > runtime.clock.now()


def test_a_condition_that_cannot_be_judged_leaves_a_failed_execution(runtime, add, look):
    add(
        "conditions:",
        "  - {type: core.condition.DayWeek, date: '{{ no.such }}', dayOfWeek: FRIDAY}",
    )
    (failed,) = look(minutes=1)
    assert failed.state == "FAILED"
    assert len(look(hours=5)) == 2
    assert a_row(runtime).next_at > runtime.clock.now()


def test_a_condition_on_executions_has_none_to_judge_on_a_schedule(runtime, add, look):
    add(
        "conditions:",
        "  - {type: core.condition.ExecutionFlow, namespace: company.team, flowId: timed}",
    )
    (failed,) = look(minutes=1)
    assert failed.state == "FAILED"


def test_a_paused_backfill_stays_paused_when_its_trigger_is_switched(services, add, look):
    add("allowConcurrent: true")
    look()
    backfill(services)
    services.backfills.pause(PLACE, by=LOCAL)
    services.triggers.set_disabled(*PLACE, True, by=LOCAL)
    services.triggers.set_disabled(*PLACE, False, by=LOCAL)
    assert look() == []
    services.backfills.unpause(PLACE, by=LOCAL)
    assert len(look()) == 2


@pytest.mark.parametrize("is_deleted", [True, False])
def test_a_trigger_that_was_off_before_its_backfill_goes_on_behind_it(
    services, add, look, is_deleted
):
    add("allowConcurrent: true")
    look()
    services.triggers.set_disabled(*PLACE, True, by=LOCAL)
    backfill(services)
    services.triggers.set_disabled(*PLACE, False, by=LOCAL)
    if is_deleted:
        services.backfills.delete(PLACE, by=LOCAL)
    filled = 0 if is_deleted else 2
    assert len(look()) == filled
    assert len(look(minutes=1)) == filled + 1


def test_a_backfill_whose_conditions_cannot_be_judged_fails_once_and_is_over(
    runtime, services, add, look
):
    broken = "  - {type: io.kestra.plugin.core.condition.DayWeek, dayOfWeek: '{{ vars.day }}'}"
    add("allowConcurrent: true", "conditions:", broken)
    look()
    backfill(services)
    (execution,) = look()
    assert str(execution.state) == "FAILED"
    assert execution.trigger.variables == {"date": "2026-01-05T09:01:00Z"}
    assert a_row(runtime).backfill is None


def test_conditions_on_dates_see_what_all_expressions_of_a_trigger_see(add, look):
    flow = FLOW.replace("tasks:", "variables: {day: MONDAY}\ntasks:", 1)
    conditions = [
        "conditions:",
        "  - {type: io.kestra.plugin.core.condition.DayWeek, dayOfWeek: '{{ vars.day }}'}",
        "  - type: io.kestra.plugin.core.condition.DateTimeBetween",
        "    date: '{{ now() }}'",
        "    after: '2020-01-01T00:00:00Z'",
        "  - type: io.kestra.plugin.core.condition.Or",
        "    conditions:",
        "      - {type: io.kestra.plugin.core.condition.Expression, "
        "expression: \"{{ trigger.id == 'minutely' }}\"}",
    ]
    add(*conditions, flow=flow)
    look()
    (execution,) = look(minutes=1)
    assert str(execution.state) == "CREATED"


def test_dates_that_are_written_out_may_be_expressions(runtime, add, look):
    dates = FLOW.partition("triggers:")[0] + (
        "variables: {at: '2026-01-05T10:01:00Z'}\n"
        "triggers:\n"
        "  - id: minutely\n"
        "    type: io.kestra.plugin.core.trigger.ScheduleOnDates\n"
        "    dates: ['{{ vars.at }}']\n"
    )
    add(flow=dates)
    look()
    (execution,) = look(minutes=1)
    assert execution.schedule_at == datetime(2026, 1, 5, 10, 1, tzinfo=UTC)


@pytest.mark.parametrize("line", ["allowConcurrent: true", "labels: {a: b}", "stopAfter: [FAILED]"])
def test_a_trigger_that_changes_in_any_way_starts_anew(line, runtime, services, add, look):
    add()
    look()
    assert len(look(minutes=1)) == 1
    services.flows.update("company.team", "timed", FLOW + f"    {line}\n", by=LOCAL)
    assert a_row(runtime).execution_id is None
    assert len(look(minutes=1)) == 2


def test_a_label_without_a_value_is_left_out(add, look):
    add("labels: {gone: '', kept: here}")
    look()
    (execution,) = look(minutes=1)
    assert {"gone", "kept"} & dict(execution.labels).keys() == {"kept"}


NIGHTLY = """\
id: nightly
namespace: field.cron
tasks: [{id: t, type: io.kestra.plugin.core.debug.Return, format: "{{ trigger.date }}"}]
triggers:
  - id: s
    type: io.kestra.plugin.core.trigger.Schedule
    cron: "30 2 * * *"
    timezone: Europe/Paris
"""


@pytest.mark.parametrize(
    ("begin", "due"),
    [
        ("2027-03-27T12:00", ["2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z"]),
        ("2027-10-30T12:00", ["2027-10-31T00:30:00Z", "2027-11-01T01:30:00Z"]),
    ],
)
def test_a_nightly_flow_runs_once_in_the_night_of_a_clock_change(runtime, add, look, begin, due):
    runtime.clock.moment = datetime.fromisoformat(begin).replace(tzinfo=UTC)
    add(flow=NIGHTLY)
    found = look()
    for _ in range(2 * 24 * 4):
        found = look(minutes=15)
        for execution in found:
            drive_all(runtime, execution.id)

    instants = [datetime.fromisoformat(each) for each in due]
    dates = [each.trigger.variables["date"] for each in found]
    assert [datetime.fromisoformat(each) for each in dates] == instants
    assert datetime.fromisoformat(found[0].trigger.variables["next"]) == instants[1]
    with runtime.store.read() as tx:
        runs = [tx.task_runs.of_execution(each.id) for each in found]
    assert [each.outputs["value"] for (each,) in runs] == dates
