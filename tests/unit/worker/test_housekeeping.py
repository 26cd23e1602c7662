import os
import socket

import pytest

from runner.executor import WorkerIdentity, drive
from runner.services.bundle import open_services
from runner.services.executions import Order
from runner.services.principal import LOCAL
from runner.store.base import WorkerRow
from runner.taskrunners.base import TASK_RUN_LABEL
from runner.taskrunners.process import marker_of
from runner.worker import housekeeping
from runner.worker.housekeeping import is_owned, reap_dead, reap_folders
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
