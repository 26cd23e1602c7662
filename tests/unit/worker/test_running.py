import threading
from datetime import UTC, datetime, timedelta

from runner.attempt import Reason
from runner.store.base import AttemptRow
from runner.worker.running import Running, Slots


def an_attempt(task_run_id="RUN", attempt=0):
    now = datetime(2026, 1, 5, tzinfo=UTC)
    return AttemptRow(task_run_id, attempt, "EXEC", "default", "RUNNING", 1, 0, False, now)


def test_only_free_slots_are_reserved():
    slots = Slots(3)
    assert [slots.reserve(2), slots.reserve(2), slots.reserve(1)] == [2, 1, 0]
    slots.release(2)
    assert slots.busy == 1


def test_waiting_for_a_slot_ends_when_one_is_given_back():
    slots = Slots(1)
    slots.reserve(1)
    assert not slots.wait_for_one(0)
    threading.Timer(0.01, slots.release).start()
    assert slots.wait_for_one(30)
    assert slots.wait_until_idle(0)


def test_stopping_reaches_the_named_attempts_alone():
    running = Running()
    one, other = running.add(an_attempt("A")), running.add(an_attempt("B"))
    running.stop([("A", 0), ("C", 0)], Reason.KILL)
    assert one.wait(timedelta(seconds=30))
    assert not other.stopping


def test_an_attempt_that_comes_when_the_worker_ends_is_told_at_once():
    running = Running()
    running.end(Reason.SHUTDOWN)
    assert running.add(an_attempt()).reason is Reason.SHUTDOWN


def test_an_attempt_that_has_ended_is_forgotten():
    running = Running()
    running.add(an_attempt())
    running.remove(an_attempt())
    assert len(running) == 0
