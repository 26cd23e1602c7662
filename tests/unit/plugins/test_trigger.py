import pytest
from pydantic import ValidationError

from runner.plugin import TaskError
from runner.plugins import trigger
from tests.unit.plugins.rendering import a_context

PLACE = ("company.team", "flow", "poll")


def test_a_trigger_of_the_own_flow_is_switched(tmp_path):
    ctx = a_context(tmp_path)
    ctx.server.triggers[PLACE] = True

    trigger.Toggle(trigger="poll").run(ctx)
    assert not ctx.server.triggers[PLACE]

    trigger.Toggle(trigger="poll", enabled=True).run(ctx)
    assert ctx.server.triggers[PLACE]


def test_a_trigger_that_is_not_there_is_a_failure(tmp_path):
    with pytest.raises(TaskError, match=r"Unable to find trigger poll for the flow other\.flow"):
        trigger.Toggle(trigger="poll", namespace="other").run(a_context(tmp_path))


def test_a_date_needs_an_offset():
    with pytest.raises(ValidationError):
        trigger.ScheduleOnDates(dates=["2026-01-01T00:00:00"])
