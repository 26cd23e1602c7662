import os
import socket

import pytest

from runner.executor import Driven, WorkerIdentity, drive
from runner.services.bundle import open_services
from runner.services.executions import Order
from runner.services.principal import LOCAL
from runner.store.base import WorkerRow
from runner.taskrunners.base import TASK_RUN_LABEL
from runner.taskrunners.process import marker_of
from runner.worker import Worker, housekeeping
from runner.worker.abandoned import Abandoned
from runner.worker.housekeeping import is_owned, reap_dead, reap_folders
from runner.worker.running import Running
from tests.unit.runtimes import a_runtime

FLOW = """\
id: script
namespace: company.team
tasks:
  - {id: sh, type: io.kestra.plugin.scripts.shell.Commands, commands: [echo]}
"""


@pytest.fixture
def runtime(tmp_path):
    runtime = a_runtime(tmp_path / "home")
    yield runtime
    runtime.store.close()


@pytest.fixture
def attempt(runtime):
    """An attempt that runs."""
    services = open_services(runtime)
    services.flows.create(FLOW, by=LOCAL)
    made = services.executions.create(Order("company.team", "script", {}), by=LOCAL)
    return drive(runtime, made.execution.id, WorkerIdentity("w")).run_here


def test_an_attempt_that_nobody_works_on_is_sent_again(runtime, attempt):
    seconds, running = [0.0], Running()
    with runtime.store.begin() as tx:
        now = tx.now()
        row = WorkerRow("w", "here", 1, ("default",), 1, now, now)
        tx.workers.register(row, lease_seconds=60)
    abandoned = Abandoned(runtime, "w", running, seconds=lambda: seconds[0])
    running.add(attempt)
    for later in (0, 60):
        seconds[0] += later
        abandoned.look()
    with runtime.store.read() as tx:
        assert tx.attempts.find(attempt.task_run_id, 0).state == "RUNNING"

    running.remove(attempt)
    for later in (0, 5, 6):
        seconds[0] += later
        abandoned.look()
    drive(runtime, attempt.execution_id)

    with runtime.store.read() as tx:
        run = tx.task_runs.get(attempt.task_run_id)
        again = tx.attempts.find(attempt.task_run_id, 1)
    assert [str(each.state) for each in run.attempts] == ["RESUBMITTED"]
    assert (str(run.state), again.state, again.losses) == ("SUBMITTED", "SUBMITTED", 1)


def test_an_attempt_that_cannot_even_say_how_it_ended_has_failed(runtime, attempt, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("runner.worker.run_attempt", full)
    worker = Worker(runtime, "redis://127.0.0.1:1/0")
    worker._slots.reserve(1)
    worker._work_on(Driven(attempt.execution_id, run_here=attempt))

    with runtime.store.read() as tx:
        run = tx.task_runs.get(attempt.task_run_id)
    assert str(run.state) == "FAILED"
    assert worker._slots.busy == 0


def a_folder(runtime, name, *, seconds_old=3600):
    folder = runtime.work_folder / name
    folder.mkdir(parents=True)
    (folder / "file").write_text("x")
    past = folder.stat().st_mtime - seconds_old
    os.utime(folder, (past, past))
    return folder


def test_folders_of_attempts_that_are_gone_are_removed(runtime, attempt):
    gone = a_folder(runtime, "GONE-0-abc")
    live = a_folder(runtime, f"{attempt.task_run_id}-0-abc")
    young = a_folder(runtime, "GONE-1-abc", seconds_old=0)
    other = a_folder(runtime, "something")
    assert reap_folders(runtime) == 1
    assert [folder.exists() for folder in (gone, live, young, other)] == [False, True, True, True]


def test_processes_of_a_dead_worker_are_ended_though_their_marker_was_not_written(
    runtime, attempt, monkeypatch
):
    ended = []
    monkeypatch.setattr(housekeeping, "cleanup", lambda marker: ended.append(marker) or True)
    now = runtime.clock.now()
    dead = WorkerRow("w", socket.gethostname(), 1, ("default",), 1, now, now)
    with runtime.store.begin() as tx:
        tx.workers.register(dead, lease_seconds=-1)
    assert attempt.marker is None
    assert reap_dead(runtime) == 1
    assert ended == [marker_of(attempt.task_run_id, 0)]


def test_a_container_is_owned_while_its_attempt_lives(runtime, attempt):
    labels = {TASK_RUN_LABEL: attempt.task_run_id}
    assert is_owned(runtime, labels)
    with runtime.store.begin() as tx:
        tx.attempts.end(attempt.task_run_id, attempt.attempt, attempt.fence)
    assert not is_owned(runtime, labels)


def test_a_container_of_somebody_else_is_left_alone(runtime):
    assert is_owned(runtime, {TASK_RUN_LABEL: "ofanotherinstallation00000"})
    assert is_owned(runtime, {})
