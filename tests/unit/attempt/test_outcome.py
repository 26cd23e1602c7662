from datetime import UTC, datetime, timedelta

import pytest
from pydantic import JsonValue

from runner.attempt.control import Reason
from runner.attempt.outcome import Span, as_data, failed, stopped, succeeded
from runner.engine.events import TaskKilled
from runner.errors import TooLarge
from runner.model.states import State
from runner.plugin import Outputs, TaskError

START = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
END = START + timedelta(seconds=5)
SPAN = Span("RUN", 1, START, "worker")
ROOM = 1_000


class Rows(Outputs):
    row_count: int = 1
    first: JsonValue = None


class Whole(Rows):
    keeps_nulls = True


class Warned(Outputs):
    ended = State.WARNING


def test_outputs_bear_the_names_that_flows_use():
    event = succeeded(SPAN, Rows(first={"a": None}), END, ROOM)
    assert event.outputs == {"rowCount": 1, "first": {}}
    assert (event.state, event.started_at, event.ended_at) == (State.SUCCESS, START, END)


def test_outputs_that_say_so_keep_what_is_null():
    assert succeeded(SPAN, Whole(), END, ROOM).outputs == {"rowCount": 1, "first": None}


def test_outputs_say_how_the_task_ended():
    assert succeeded(SPAN, Warned(), END, ROOM).state is State.WARNING


def test_no_outputs_are_an_empty_map():
    assert succeeded(SPAN, None, END, ROOM).outputs == {}


def test_outputs_past_the_limit_are_refused_with_their_size():
    with pytest.raises(TooLarge, match="10016 bytes"):
        as_data(Rows(first="x" * 9_991), ROOM)


def test_anything_but_outputs_is_refused():
    with pytest.raises(TaskError, match="int"):
        as_data(5, ROOM)


def test_a_failure_keeps_its_outputs():
    event = failed(SPAN, TaskError("exit 3", outputs=Rows()), END, ROOM)
    assert (event.message, event.outputs) == ("exit 3", {"rowCount": 1})


def test_a_failure_of_no_kind_of_ours_names_its_kind():
    assert failed(SPAN, ZeroDivisionError("no"), END, ROOM).message == "ZeroDivisionError: no"


def test_a_kill_is_told_as_killed():
    assert isinstance(stopped(SPAN, Reason.KILL, END, None), TaskKilled)


def test_a_timeout_is_a_failure_with_its_time():
    event = stopped(SPAN, Reason.TIMEOUT, END, timedelta(seconds=5))
    assert (event.message, event.lost) == ("Timeout after 00:00:05.000", False)


def test_a_shutdown_is_a_loss():
    assert stopped(SPAN, Reason.SHUTDOWN, END, None).lost
