import json
from datetime import UTC, datetime

import pytest

from runner.model.logs import Level, LogLine
from runner.plugin import TaskError
from runner.plugins import log
from tests.unit.plugins.rendering import a_context

AT = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)


def a_line(level=Level.INFO, task="a", execution="exec1"):
    return LogLine("company.team", "flow", AT, level, f"{level} of {task}", 0, execution, task)


@pytest.fixture
def ctx(tmp_path):
    ctx = a_context(tmp_path)
    ctx.server.lines = [
        a_line(),
        a_line(Level.DEBUG),
        a_line(Level.ERROR, task="b"),
        a_line(execution="other"),
    ]
    return ctx


def test_lines_of_this_execution_are_fetched_from_a_level_on(ctx):
    outputs = log.Fetch().run(ctx)

    with ctx.files.open(outputs.uri) as file:
        lines = [json.loads(line) for line in file]
    assert outputs.size == 2
    assert [line["message"] for line in lines] == ["INFO of a", "ERROR of b"]
    assert lines[0]["timestamp"] == "2026-01-05T10:00:00.000Z"


def test_lines_are_fetched_by_task(ctx):
    assert log.Fetch(tasks_id=["b"]).run(ctx).size == 1


def test_old_lines_are_purged_by_level(ctx):
    task = log.PurgeLogs(end_date="2026-01-06T00:00:00Z", log_levels=[Level.DEBUG])

    assert task.run(ctx).count == 1
    assert len(ctx.server.lines) == 3


def test_an_end_needs_a_time_zone(ctx):
    with pytest.raises(TaskError, match="'endDate' has no time zone"):
        log.PurgeLogs(end_date="2026-01-06T00:00:00").run(ctx)


def test_a_log_writes_each_text(ctx):
    log.Log(message=["a", "b"]).run(ctx)

    assert ctx.log.messages() == ["a", "b"]


def test_a_text_of_a_list_that_is_nothing_is_an_empty_line(ctx):
    log.Log(message=["x", None]).run(ctx)

    assert ctx.log.messages() == ["x", ""]
