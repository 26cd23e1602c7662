"""Valid values, of which a test names only what matters to it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from runner import ids
from runner.model.execution import Execution, TaskRun
from runner.model.logs import Level, LogLine
from runner.model.states import State
from runner.store.base import AttemptRow, FlowRow, KvRow, Revision, TriggerRow, WorkerRow

NOW = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)


def at(seconds):
    return NOW + timedelta(seconds=seconds)


def an_execution(*, created=NOW, state=State.CREATED, **fields):
    history = ((State.CREATED, created),)
    values = {
        "id": ids.new(),
        "namespace": "company.team",
        "flow_id": "hello",
        "revision": 1,
        "state": State.CREATED,
        "history": history,
    }
    execution = Execution(**{**values, **fields})
    return execution.enter(state, created + timedelta(seconds=1))


def a_task_run(execution, sequence=0, *, state=State.CREATED, **fields):
    values = {
        "id": ids.task_run_id(execution.id, sequence),
        "execution_id": execution.id,
        "sequence": sequence,
        "task_id": f"task-{sequence}",
        "state": State.CREATED,
        "history": ((State.CREATED, NOW),),
    }
    return TaskRun(**{**values, **fields}).enter(state, at(1))


def an_attempt(run, **fields):
    values = {
        "task_run_id": run.id,
        "attempt": 0,
        "execution_id": run.execution_id,
        "queue": "default",
        "state": "SUBMITTED",
        "fence": 0,
        "losses": 0,
        "stopping": False,
        "created_at": NOW,
    }
    return AttemptRow(**{**values, **fields})


def a_flow(flow_id="hello", *, namespace="company.team", **fields):
    values = {"revision": 1, "last_revision": 1, "owner": "api", "updated_at": NOW}
    return FlowRow(namespace, flow_id, **{**values, **fields})


def a_revision(revision=1, **fields):
    values = {
        "namespace": "company.team",
        "flow_id": "hello",
        "source": f"id: hello # {revision}\n",
        "digest": f"d{revision}",
        "created_at": NOW,
        "created_by": "ada",
    }
    return Revision(revision=revision, **{**values, **fields})


def a_trigger(trigger_id="tick", **fields):
    values = {
        "namespace": "company.team",
        "flow_id": "hello",
        "type": "io.kestra.plugin.core.trigger.Schedule",
        "digest": "d",
        "created_at": NOW,
        "updated_at": NOW,
    }
    return TriggerRow(trigger_id=trigger_id, **{**values, **fields})


def a_worker(worker_id="w1", **fields):
    values = {
        "host": "here",
        "pid": 7,
        "queues": ("default", "gpu"),
        "slots": 8,
        "started_at": NOW,
        "lease_until": NOW,
    }
    return WorkerRow(worker_id, **{**values, **fields})


def a_pair(key="answer", value=42, **fields):
    values = {"version": 1, "kind": "NUMBER", "created_at": NOW, "updated_at": NOW}
    return KvRow("company.team", key, value=value, **{**values, **fields})


def a_line(number=0, **fields):
    values = {
        "namespace": "company.team",
        "flow_id": "hello",
        "at": at(number),
        "level": Level.INFO,
        "message": f"line {number}",
        "execution_id": "e1",
    }
    return LogLine(number=number, **{**values, **fields})


def saved(execution):
    """The execution as it comes out after `save`."""
    return replace(execution, version=execution.version + 1)


def add(store, *executions, runs=()):
    """Put executions and task runs into the store."""
    with store.begin() as tx:
        for execution in executions:
            tx.executions.add(execution, by="ada")
        tx.task_runs.save(runs)
