from dataclasses import replace
from datetime import timedelta

import pytest

from runner.engine.events import TimerFired
from runner.executor import WorkerIdentity, drive
from runner.scheduler.sweep import Sweep, end_lost
from runner.scheduler.timers import fire_due
from runner.services.bundle import open_services
from runner.services.executions import Order
from runner.services.principal import LOCAL
from runner.store.base import QuarantineRow, Timer, WorkerRow
from tests.unit.runtimes import RecordingQueue

SCRIPT = """\
id: script
namespace: company.team
tasks:
  - {id: sh, type: io.kestra.plugin.scripts.shell.Commands, commands: [echo]}
"""


class ForgetfulQueue(RecordingQueue):
    """A Redis that has lost everything."""

    def missing(self, wakes):
        return wakes


@pytest.fixture
def started(runtime):
    services = open_services(runtime)
    services.flows.create(SCRIPT, by=LOCAL)
    return services.executions.create(Order("company.team", "script", {}), by=LOCAL).execution.id


@pytest.fixture
def queue(runtime):
    queue = ForgetfulQueue()
    object.__setattr__(runtime, "queue", queue)
    return queue


def make_old(runtime, execution_id):
    """Play that the wake-ups were written some time ago."""
    with runtime.store.begin() as tx:
        wakes = tx.wakes.of_execution(execution_id)
        tx.wakes.remove([wake.id for wake in wakes])
        for wake in wakes:
            tx.wakes.add(replace(wake, created_at=wake.created_at - timedelta(seconds=10)))


def test_a_wake_up_without_a_job_is_sent_again(runtime, started, queue):
    make_old(runtime, started)
    Sweep(runtime).step()
    assert [wake.execution_id for wake in queue.sent] == [started]


def test_a_young_wake_up_is_left_alone(runtime, started, queue):
    Sweep(runtime).step()
    assert queue.sent == []


def test_an_execution_in_quarantine_is_not_woken(runtime, started, queue):
    make_old(runtime, started)
    with runtime.store.begin() as tx:
        later = tx.now() + timedelta(minutes=1)
        tx.quarantine.save(QuarantineRow(f"execution:{started}", 1, "…", tx.now(), later))
    Sweep(runtime).step()
    assert queue.sent == []


def a_claimed_attempt(runtime, execution_id, *, lease_seconds):
    with runtime.store.begin() as tx:
        now = tx.now()
        worker = WorkerRow("w", "host", 1, ("default",), 1, now, now)
        tx.workers.register(worker, lease_seconds=lease_seconds)
    return drive(runtime, execution_id, WorkerIdentity("w")).run_here


def attempts(runtime, execution_id):
    with runtime.store.read() as tx:
        (run,) = tx.task_runs.of_execution(execution_id)
        states = [str(attempt.state) for attempt in run.attempts]
        return states, tx.attempts.of_execution(execution_id)


def test_a_worker_whose_lease_is_over_loses_its_attempt_and_its_row(runtime, started):
    a_claimed_attempt(runtime, started, lease_seconds=-1)
    assert end_lost(runtime) == 1
    drive(runtime, started)
    states, (waiting,) = attempts(runtime, started)
    assert states[0] == "RESUBMITTED"
    assert (waiting.state, waiting.attempt, waiting.losses) == ("SUBMITTED", 1, 1)
    with runtime.store.read() as tx:
        assert tx.workers.all() == []


def test_a_living_worker_keeps_its_attempt(runtime, started):
    a_claimed_attempt(runtime, started, lease_seconds=60)
    assert end_lost(runtime) == 0
    assert attempts(runtime, started)[0] == ["RUNNING"]


def test_a_due_timer_becomes_an_event_once(runtime, started):
    now = runtime.clock.now()
    with runtime.store.begin() as tx:
        tx.timers.set(Timer(started, "retry:x", now))
        tx.timers.set(Timer(started, "retry:y", now + timedelta(minutes=1)))
    runtime.queue.sent.clear()
    for _ in range(2):
        fire_due(runtime)
    with runtime.store.read() as tx:
        events = [numbered.event for numbered in tx.events.after(started, 0)]
    assert events == [TimerFired("retry:x")]
    assert len(runtime.queue.sent) == 1


def test_a_timer_of_an_execution_that_is_gone_is_forgotten(runtime):
    with runtime.store.begin() as tx:
        tx.timers.set(Timer("gone", "retry:x", runtime.clock.now()))
    fire_due(runtime)
    with runtime.store.read() as tx:
        assert tx.timers.next_at() is None


def test_the_next_look_at_timers_is_when_one_is_due(runtime):
    with runtime.store.begin() as tx:
        tx.timers.set(Timer("e", "k", runtime.clock.now() + timedelta(milliseconds=50)))
    assert fire_due(runtime) == pytest.approx(0.05)
