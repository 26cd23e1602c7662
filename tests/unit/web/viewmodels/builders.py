"""Executions and what belongs to them, with valid defaults."""

from datetime import UTC, datetime, timedelta

from runner.model.execution import Attempt, Execution, Scope, TaskRun
from runner.model.logs import Level, LogLine
from runner.model.states import State
from runner.services.glances import ExecutionDetail
from runner.store.base import CommitRow

NOW = datetime(2026, 11, 25, 14, 10, tzinfo=UTC)
SHA = "9c41f7e0a1b2c3d4e5f60718293a4b5c6d7e8f90"


def ago(seconds):
    return NOW - timedelta(seconds=seconds)


def an_execution(state=State.FAILED, *, began=90, ended=10, **fields):
    history = [(State.CREATED, ago(began)), (State.RUNNING, ago(began - 1))]
    history.append((state, ago(ended)))
    return Execution(
        **{
            "id": "5kz4rTqQ2vWJx8sPq0cHrA",
            "namespace": "brindle.orders",
            "flow_id": "orders_daily",
            "revision": 13,
            "state": state,
            "history": tuple(history) if state is not State.RUNNING else tuple(history[:2]),
            **fields,
        }
    )


def a_run(task_id, sequence=0, state=State.SUCCESS, *, began=80, ended=20, **fields):
    history = ((State.CREATED, ago(began)), (State.RUNNING, ago(began - 1)))
    if state is not State.RUNNING:
        history += ((state, ago(ended)),)
    return TaskRun(
        **{
            "id": f"run-{task_id}-{sequence}",
            "execution_id": "5kz4rTqQ2vWJx8sPq0cHrA",
            "sequence": sequence,
            "task_id": task_id,
            "state": state,
            "history": history,
            **fields,
        }
    )


def an_attempt(state=State.SUCCESS, *, began=79, ended=20):
    history = ((State.CREATED, ago(began + 1)), (State.RUNNING, ago(began)), (state, ago(ended)))
    return Attempt(state, history)


def a_group(task_id, sequence=0, **fields):
    return a_run(task_id, sequence, scope=Scope(), **fields)


def a_line(message, number=0, level=Level.INFO, run="run-build_mart-0", **fields):
    return LogLine(
        **{
            "namespace": "brindle.orders",
            "flow_id": "orders_daily",
            "at": ago(30),
            "level": level,
            "message": message,
            "number": number,
            "execution_id": "5kz4rTqQ2vWJx8sPq0cHrA",
            "task_id": "build_mart",
            "task_run_id": run,
            **fields,
        }
    )


def a_commit(sha=SHA):
    return CommitRow("team", sha, "Mira Okafor", "mira@example.org", "Split refunds\n\nMore", NOW)


def a_detail(execution=None, runs=(), **fields):
    return ExecutionDetail(
        **{
            "execution": execution or an_execution(),
            "runs": runs,
            "flow": None,
            "flow_row": None,
            "created_by": "mira",
            "commit": None,
            "synced": None,
            "live": None,
            "own": None,
            "last_success": None,
            "upstream": None,
            "original": None,
            "replays": (),
            "children": (),
            "attempts": (),
            "timers": (),
            "workers": 1,
            "hosts": {},
            "ahead": (),
            **fields,
        }
    )
