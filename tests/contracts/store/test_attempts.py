from dataclasses import replace

from runner.engine.events import Kill, TaskSucceeded
from runner.model.states import State
from runner.store.base import Fold, Posted
from tests.contracts.store.builders import (
    a_task_run,
    a_worker,
    add,
    an_attempt,
    an_execution,
    at,
)


def submitted(store, *, state=State.RUNNING, **fields):
    """An execution with a submitted attempt in the store."""
    execution = an_execution(state=state)
    run = a_task_run(execution, state=State.SUBMITTED)
    add(store, execution, runs=[run])
    with store.begin() as tx:
        tx.attempts.add([an_attempt(run, **fields)])
    return execution, run


def test_a_claim_sets_attempt_and_task_run_running(store):
    _, run = submitted(store)
    with store.begin() as tx:
        claimed = tx.attempts.claim(run.id, 0, "w1")
    assert (claimed.state, claimed.fence, claimed.worker_id) == ("RUNNING", 1, "w1")
    with store.read() as tx:
        assert tx.attempts.find(run.id, 0) == claimed
        running = tx.task_runs.get(run.id)
    assert running == replace(
        run.enter(State.RUNNING, claimed.started_at), attempts=running.attempts
    )
    (entry,) = running.attempts
    assert (entry.state, entry.worker_id) == (State.RUNNING, "w1")
    assert [state for state, _ in entry.history] == [State.CREATED, State.RUNNING]


def test_only_a_submitted_attempt_of_a_living_execution_is_claimed(store):
    _, run = submitted(store)
    _, killing = submitted(store, state=State.KILLING)
    _, stopping = submitted(store, stopping=True)
    with store.begin() as tx:
        assert tx.attempts.claim(run.id, 0, "w1")
        assert tx.attempts.claim(run.id, 0, "w2") is None
        assert tx.attempts.claim(run.id, 1, "w2") is None
        assert tx.attempts.claim("nope", 0, "w2") is None
        assert tx.attempts.claim(killing.id, 0, "w2") is None
        assert tx.attempts.claim(stopping.id, 0, "w2") is None
        assert tx.task_runs.get(killing.id).state is State.SUBMITTED


def test_a_resubmitted_attempt_has_a_new_fence_and_the_old_one_is_late(store):
    _, run = submitted(store)
    with store.begin() as tx:
        old = tx.attempts.claim(run.id, 0, "w1")
        assert tx.attempts.resubmit(run.id, 0, old.fence)
        assert not tx.attempts.resubmit(run.id, 0, old.fence)
        assert not tx.attempts.end(run.id, 0, old.fence)
        assert not tx.attempts.mark(run.id, 0, old.fence, "container:x")
        new = tx.attempts.claim(run.id, 0, "w2")
        assert (new.losses, new.worker_id) == (1, "w2")
        assert new.fence > old.fence
        assert not tx.attempts.end(run.id, 0, old.fence)
        assert tx.attempts.mark(run.id, 0, new.fence, "container:y")
        assert tx.attempts.end(run.id, 0, new.fence)
        assert not tx.attempts.end(run.id, 0, new.fence)
        assert tx.attempts.find(run.id, 0) == replace(new, state="ENDED", marker="container:y")


def test_orphans_are_running_attempts_without_a_living_worker(store):
    runs = {}
    for worker in ("alive", "dead", "unknown", "ended"):
        _, runs[worker] = submitted(store)
        with store.begin() as tx:
            claimed = tx.attempts.claim(runs[worker].id, 0, worker)
    submitted(store)
    with store.begin() as tx:
        tx.attempts.end(runs["ended"].id, 0, claimed.fence)
        tx.workers.register(a_worker("alive"), lease_seconds=60)
        tx.workers.register(a_worker("dead"), lease_seconds=-1)
        orphans = tx.attempts.orphans(limit=9)
    assert [row.worker_id for row in orphans] == ["dead", "unknown"]


def test_a_worker_learns_which_of_its_attempts_are_to_stop(store):
    execution, run = submitted(store)
    other, second = submitted(store)
    with store.begin() as tx:
        tx.attempts.claim(run.id, 0, "w1")
        tx.attempts.claim(second.id, 0, "w1")
        tx.attempts.stop(execution.id)
        assert tx.attempts.stopping("w1") == [(run.id, 0)]
        assert tx.attempts.stopping("w2") == []
        assert tx.executions.save(Fold(other, stop_attempts=[(second.id, 0)]))
        assert sorted(tx.attempts.stopping("w1")) == sorted([(run.id, 0), (second.id, 0)])
        assert len(tx.attempts.of_worker("w1")) == 2
        tx.attempts.remove(run.id, 0)
        tx.attempts.remove("nope", 0)
        assert [row.task_run_id for row in tx.attempts.of_worker("w1")] == [second.id]


def test_timers_are_due_earliest_first(store):
    from runner.store.base import Timer

    timers = [Timer("e", f"t{n}", at(n)) for n in range(3)]
    with store.begin() as tx:
        assert tx.timers.next_at() is None
        for timer in (*timers[::-1], Timer("e", "t0", at(-1))):
            tx.timers.set(timer)
        assert tx.timers.next_at() == at(-1)
        assert tx.timers.due(at(1), limit=9) == [Timer("e", "t0", at(-1)), timers[1]]
        assert tx.timers.due(at(9), limit=1) == [Timer("e", "t0", at(-1))]
        assert [tx.timers.remove("e", "t0") for _ in range(2)] == [True, False]
        assert tx.timers.due(at(1), limit=9) == [timers[1]]


def test_announcements_are_taken_oldest_first_until_removed(store):
    with store.begin() as tx:
        tx.announcements.add("e1", [("RUNNING", False, 1), (State.SUCCESS, False, 2)])
        tx.announcements.add("e1", [("SUCCESS", True, 2)])
        first, *rest = tx.announcements.take(9)
        assert [(a.state, a.fully, a.entry) for a in rest] == [
            ("SUCCESS", False, 2),
            ("SUCCESS", True, 2),
        ]
        tx.announcements.remove([first.id, 10**6])
        assert tx.announcements.take(1) == rest[:1]


def test_live_attempts_are_counted_to_a_bound(store):
    execution, run = submitted(store)
    with store.begin() as tx:
        tx.attempts.add([an_attempt(run, attempt=1), an_attempt(run, attempt=2)])
        ended = tx.attempts.claim(run.id, 1, "w1")
        tx.attempts.end(run.id, 1, ended.fence)
    with store.read() as tx:
        assert tx.attempts.count_live(execution.id, at_most=5) == 2
        assert tx.attempts.count_live(execution.id, at_most=1) == 1
        assert tx.attempts.count_live("nope", at_most=1) == 0


def a_posting_fold(execution, claimed, *, number=1):
    event = TaskSucceeded(claimed.task_run_id, claimed.attempt)
    return Fold(
        replace(execution, folded=number),
        execution,
        ended_attempts=[(claimed.task_run_id, claimed.attempt)],
        posted=Posted(number, event, claimed.task_run_id, claimed.attempt, claimed.fence),
    )


def test_an_end_is_stored_by_the_fold_that_applies_it(store):
    execution, run = submitted(store)
    with store.begin() as tx:
        fold = a_posting_fold(execution, tx.attempts.claim(run.id, 0, "w1"))
        assert tx.executions.save(fold)
        tx.events.add(execution.id, Kill(), wake=False)
    with store.read() as tx:
        stored = tx.events.after(execution.id, 0)
        assert [(one.number, one.event) for one in stored] == [(1, fold.posted.event), (2, Kill())]
        assert tx.attempts.find(run.id, 0) is None
        assert tx.executions.get(execution.id).folded == 1


def test_an_end_is_not_stored_where_something_else_has_happened(store):
    execution, run = submitted(store)
    with store.begin() as tx:
        claimed = tx.attempts.claim(run.id, 0, "w1")
        tx.events.add(execution.id, Kill(), wake=False)
        assert not tx.executions.save(a_posting_fold(execution, claimed))
        late = replace(claimed, fence=claimed.fence - 1)
        assert not tx.executions.save(a_posting_fold(execution, late, number=2))
        tx.attempts.end(run.id, 0, claimed.fence)
        assert not tx.executions.save(a_posting_fold(execution, claimed, number=2))
    with store.read() as tx:
        assert [one.event for one in tx.events.after(execution.id, 0)] == [Kill()]
        assert tx.executions.get(execution.id) == execution
