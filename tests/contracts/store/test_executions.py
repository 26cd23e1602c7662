from dataclasses import replace
from datetime import timedelta

import pytest

from runner.engine.events import Kill, Started
from runner.errors import NotFound
from runner.model.execution import Attempt, Breakpoint, Scope, StartedBy
from runner.model.states import State
from runner.model.wake import Wake
from runner.store.base import FlowSpan, Fold, Metric, Timer
from tests.contracts.store.builders import (
    NOW,
    a_pair,
    a_task_run,
    add,
    an_attempt,
    an_execution,
    at,
    saved,
)


def a_full_execution():
    return an_execution(
        labels=(("team", "a"), ("ä", "%_'\"")),
        inputs={"text": "NUL \0 and 😀", "large": 2**80, "list": [1, None, {"a": 1.5}]},
        variables={"x": True},
        outputs={"done": [1]},
        trigger=StartedBy("hook", "io.kestra.plugin.core.trigger.Webhook", {"body": {"a": 1}}),
        parent_id="p",
        original_id="o",
        attempt_number=2,
        original_created_at=at(-5),
        schedule_at=at(5),
        kind="TEST",
        source="team",
        commit="a" * 40,
        scope=Scope(list="errors", cursor=2, open=1, failed=True, done=("a", "b")),
        deferred=("r1", "r2"),
        breakpoints=(Breakpoint("t"), Breakpoint("each", "a.b")),
        state=State.RUNNING,
    )


def test_what_is_added_comes_out_equal(store):
    execution = a_full_execution()
    add(store, execution)
    with store.read() as tx:
        assert tx.executions.get(execution.id) == execution


def test_what_is_saved_comes_out_equal(store):
    plain = an_execution()
    add(store, plain)
    full = replace(a_full_execution(), id=plain.id, trigger=None, kind="NORMAL", parent_id=None)
    full = replace(full, original_id=None, attempt_number=1, original_created_at=None)
    full = replace(full, schedule_at=None, source=None, commit=None, unfinished=True)
    with store.begin() as tx:
        assert tx.executions.save(Fold(full))
    with store.read() as tx:
        assert tx.executions.get(plain.id) == saved(full)


def test_columns_that_are_the_same_object_are_kept_and_others_written(store):
    execution = a_full_execution()
    add(store, execution)
    with store.begin() as tx:
        loaded = tx.executions.get(execution.id)
        after = replace(loaded.enter(State.SUCCESS, at(9)), outputs=None, fully_ended=True)
        assert tx.executions.save(Fold(after, before=loaded))
    with store.read() as tx:
        assert tx.executions.get(execution.id) == saved(after)


def test_an_unknown_id_is_not_found(tx):
    assert tx.executions.find("nope") is None
    for call in (tx.executions.get, tx.executions.lock, tx.executions.upstream):
        with pytest.raises(NotFound, match="nope"):
            call("nope")
    with pytest.raises(NotFound):
        tx.events.add("nope", Kill())
    with pytest.raises(NotFound):
        tx.wakes.new_drive("nope")
    with pytest.raises(NotFound):
        tx.executions.set_labels("nope", ())
    with pytest.raises(NotFound):
        tx.task_runs.get("nope")


def test_a_fold_writes_all_its_parts(store):
    execution = an_execution()
    first, second = a_task_run(execution, 0), a_task_run(execution, 1)
    with store.begin() as tx:
        tx.executions.add(execution, by="ada")
        tx.task_runs.save([first])
        tx.attempts.add([an_attempt(first)])
        tx.timers.set(Timer(execution.id, "old", NOW))
        wake = tx.events.add(execution.id, Started())
        tx.kv.set(a_pair("gone"))
    metric = Metric(execution.id, first.id, 0, 0, "task-0", "rows", "counter", 3.5, NOW, {"a": "b"})
    ended = replace(first.enter(State.SUCCESS, at(2)), outputs={"v": 1})
    fold = Fold(
        replace(execution.enter(State.RUNNING, at(1)), folded=1, sequence=2),
        before=execution,
        changes=[ended, second],
        set_timers=[Timer(execution.id, "new", at(7))],
        clear_timers=["old"],
        new_attempts=[an_attempt(second)],
        ended_attempts=[(first.id, 0)],
        announcements=[("RUNNING", False, 1)],
        add_wakes=[Wake("attempt_1", "attempt", execution.id, "gpu", NOW, second.id, 0)],
        remove_wakes=[wake.id],
        kv_writes=[a_pair(), ("company.team", "gone")],
        metrics=[metric],
        holds_slot=True,
    )

    with store.begin() as tx:
        assert tx.executions.save(fold)

    with store.read() as tx:
        assert tx.executions.get(execution.id) == saved(fold.execution)
        assert tx.task_runs.of_execution(execution.id) == [ended, second]
        assert tx.timers.of_execution(execution.id) == [Timer(execution.id, "new", at(7))]
        assert tx.attempts.of_execution(execution.id) == [an_attempt(second)]
        (announced,) = tx.announcements.of_execution(execution.id)
        assert (announced.state, announced.fully, announced.entry) == ("RUNNING", False, 1)
        assert tx.wakes.of_execution(execution.id) == list(fold.add_wakes)
        assert tx.kv.find("company.team", "answer") == a_pair()
        assert tx.kv.find("company.team", "gone") is None
        assert tx.metrics.of_execution(execution.id) == [metric]
        assert tx.executions.holds_slot(execution.id)


def test_a_fold_of_an_older_version_writes_nothing(store):
    execution = an_execution()
    add(store, execution)
    run = a_task_run(execution)
    with store.begin() as tx:
        assert tx.executions.save(Fold(execution.enter(State.RUNNING, at(1))))
        late = Fold(
            execution.enter(State.FAILED, at(2)),
            changes=[run],
            set_timers=[Timer(execution.id, "t", NOW)],
            announcements=[("FAILED", True, 1)],
            kv_writes=[a_pair()],
        )
        assert not tx.executions.save(late)
    with store.read() as tx:
        assert tx.executions.get(execution.id).state is State.RUNNING
        assert tx.task_runs.find(run.id) is None
        assert tx.timers.of_execution(execution.id) == []
        assert tx.announcements.of_execution(execution.id) == []
        assert tx.kv.find("company.team", "answer") is None


def test_of_several_folds_in_one_transaction_a_late_one_spoils_no_other(store):
    one, two, three = (an_execution() for _ in range(3))
    add(store, one, two, three)
    with store.begin() as tx:
        tx.executions.save(Fold(two.enter(State.KILLING, at(1))))
    runs = {e.id: a_task_run(e) for e in (one, two, three)}
    folds = [Fold(e.enter(State.RUNNING, at(2)), changes=[runs[e.id]]) for e in (one, two, three)]
    with store.begin() as tx:
        results = tx.executions.save_all(folds)
    assert results == [True, False, True]
    with store.read() as tx:
        states = [tx.executions.get(e.id).state for e in (one, two, three)]
        assert tx.task_runs.find(runs[two.id].id) is None
        assert tx.task_runs.find(runs[three.id].id) == runs[three.id]
    assert states == [State.RUNNING, State.KILLING, State.RUNNING]


def test_events_do_not_spoil_a_fold_under_way(store):
    execution = an_execution()
    add(store, execution)
    with store.read() as tx:
        loaded = tx.executions.get(execution.id)
    with store.begin() as tx:
        tx.events.add(execution.id, Kill(by="ada"))
    with store.begin() as tx:
        assert tx.executions.save(Fold(loaded.enter(State.RUNNING, at(1)), before=loaded))
    with store.read() as tx:
        (numbered,) = tx.events.after(execution.id, 0)
        assert (numbered.number, numbered.event) == (1, Kill(by="ada"))
        assert tx.events.after(execution.id, 1) == []


def test_events_and_wakes_are_numbered_by_execution(tx):
    one, two = an_execution(), an_execution()
    tx.executions.add(one, by="ada")
    tx.executions.add(two, by="ada")
    wakes = [
        tx.events.add(one.id, Started()),
        tx.events.add(one.id, Kill(), wake=False),
        tx.wakes.new_drive(one.id, "gpu"),
        tx.events.add(two.id, Started()),
    ]
    assert [wake and wake.id for wake in wakes] == [
        f"drive_{one.id}_1",
        None,
        f"drive_{one.id}_2",
        f"drive_{two.id}_1",
    ]
    assert [e.number for e in tx.events.after(one.id, 0)] == [1, 2]
    assert tx.wakes.of_execution(one.id) == [wakes[0], wakes[2]]
    tx.wakes.remove([wakes[0].id, "unknown"])
    assert tx.wakes.of_execution(one.id) == [wakes[2]]


def test_old_wakes_come_by_id_and_page_by_the_last_seen(tx):
    wakes = [Wake(f"w{n}", "drive", "e", "default", at(n // 2)) for n in range(6)]
    for wake in wakes:
        tx.wakes.add(wake)
        tx.wakes.add(replace(wake, queue="ignored"))
    assert tx.wakes.older_than(at(2), limit=3) == wakes[:3]
    assert tx.wakes.older_than(at(2), limit=9, after="w2") == wakes[3:4]
    assert tx.wakes.older_than(at(9), limit=9, after="w1a") == wakes[2:]


def test_new_labels_make_a_fold_under_way_load_again(store):
    execution = an_execution(labels=(("a", "1"), ("b", "2")))
    add(store, execution)
    with store.begin() as tx:
        tx.executions.set_labels(execution.id, [("a", "9")])
    with store.begin() as tx:
        assert not tx.executions.save(Fold(execution))
        assert tx.executions.get(execution.id).labels == (("a", "9"),)


def test_upstream_children_and_author_are_kept(tx):
    parent, child, other = an_execution(), an_execution(created=at(3)), an_execution(created=at(2))
    tx.executions.add(parent, by="ada")
    tx.executions.add(child, by="flow", upstream_id=parent.id, upstream_task_run_id="r1")
    tx.executions.add(other, by="flow", upstream_id=parent.id)
    assert tx.executions.children(parent.id) == [other, child]
    assert tx.executions.upstream(child.id) == (parent.id, "r1")
    assert tx.executions.upstream(parent.id) == (None, None)
    assert tx.executions.created_by(parent.id) == "ada"


def test_the_oldest_queued_one_waits_longest_not_is_created_first(tx):
    late = an_execution(created=at(0)).enter(State.QUEUED, at(20))
    early = an_execution(created=at(5)).enter(State.QUEUED, at(10))
    elsewhere = an_execution(created=at(-9), flow_id="other").enter(State.QUEUED, at(-8))
    for execution in (late, early, elsewhere, an_execution(created=at(-10))):
        tx.executions.add(execution, by="ada")
    assert tx.executions.oldest_queued("company.team", "hello") == early.id
    assert tx.executions.save(Fold(early.enter(State.RUNNING, at(30))))
    assert tx.executions.oldest_queued("company.team", "hello") == late.id
    assert tx.executions.oldest_queued("company.team", "unknown") is None


def test_unfinished_ones_are_those_that_are_not_fully_ended(tx):
    old, new = an_execution(created=at(0)), an_execution(created=at(5))
    ended = replace(an_execution(created=at(1), state=State.SUCCESS), fully_ended=True)
    for execution in (new, old, ended):
        tx.executions.add(execution, by="ada")
    assert tx.executions.unfinished(limit=9) == [old.id, new.id]
    assert tx.executions.unfinished(limit=9, older_than=at(5)) == [old.id]
    assert tx.executions.unfinished(limit=1) == [old.id]


def test_a_slot_is_taken_and_dropped_once(tx):
    execution = an_execution()
    tx.executions.add(execution, by="ada")
    answers = [
        tx.executions.take_slot(execution.id),
        tx.executions.take_slot(execution.id),
        tx.executions.holds_slot(execution.id),
        tx.executions.drop_slot(execution.id),
        tx.executions.drop_slot(execution.id),
        tx.executions.holds_slot(execution.id),
    ]
    assert answers == [True, False, True, True, False, False]


def test_a_deleted_execution_leaves_no_row(store):
    gone, stays = an_execution(labels=(("a", "b"),)), an_execution()
    add(store, gone, stays, runs=[a_task_run(gone), a_task_run(stays)])
    with store.begin() as tx:
        tx.events.add(gone.id, Started())
        tx.attempts.add([an_attempt(a_task_run(gone))])
        tx.timers.set(Timer(gone.id, "t", NOW))
        tx.announcements.add(gone.id, [("CREATED", False, 0)])
        tx.executions.delete(gone.id)
    with store.read() as tx:
        assert tx.executions.find(gone.id) is None
        assert tx.task_runs.of_executions([gone.id, stays.id]) == {
            gone.id: [],
            stays.id: [a_task_run(stays)],
        }
        assert tx.events.after(gone.id, 0) == tx.wakes.of_execution(gone.id) == []
        assert tx.attempts.of_execution(gone.id) == tx.timers.of_execution(gone.id) == []
        assert tx.announcements.take(9) == []


def test_task_runs_come_out_equal_and_in_order_of_creation(tx):
    execution = an_execution()
    attempt = Attempt(State.FAILED, ((State.CREATED, NOW), (State.FAILED, at(1))), "w1")
    full = a_task_run(
        execution,
        7,
        task_id="loop",
        parent_id="p",
        value='{"a": 1}',
        iteration=3,
        attempts=(attempt, attempt),
        outputs={},
        evaluated={"values": ["1", "2"]},
        scope=Scope(open=2),
        state=State.RUNNING,
    )
    plain, ended = (
        a_task_run(execution, 3),
        a_task_run(execution, 5, state=State.SUCCESS, parent_id="p"),
    )
    tx.task_runs.save([full, ended, plain])
    assert tx.task_runs.of_execution(execution.id) == [plain, ended, full]
    assert tx.task_runs.of_task(execution.id, "loop") == [full]
    assert tx.task_runs.live(execution.id) == [plain, full]
    assert tx.task_runs.live(execution.id, "p") == [full]
    tx.task_runs.delete([full.id])
    assert tx.task_runs.live(execution.id, "p") == []


def test_text_that_no_database_holds_is_stored_readably(store):
    execution = an_execution(labels=(("half", "a\ud800b"), ("nul", "a\0b"), ("n", "1")))
    runs = [a_task_run(execution, number, value=f"{number}\ud83d\0") for number in range(3)]
    add(store, execution, runs=runs)
    with store.read() as tx:
        kept = tx.task_runs.of_execution(execution.id)
    assert [run.value[:2] for run in kept] == ["0\ufffd", "1\ufffd", "2\ufffd"]


def test_numbers_of_a_flow_are_found_by_name_and_by_day(store):
    old, new = an_execution(created=at(-90_000)), an_execution()
    other = an_execution(flow_id="other")
    for execution in (old, new, other):
        add(store, execution)
    day = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
    with store.begin() as tx:
        tx.metrics.add(
            Metric(e.id, "r", 0, number, task, name, kind, value, moment)
            for e, number, task, name, kind, value, moment in (
                (old, 0, "a", "rows", "counter", 1.0, day - timedelta(hours=1)),
                (new, 0, "a", "rows", "counter", 2.0, NOW),
                (new, 1, "b", "rows", "counter", 4.0, NOW),
                (new, 2, "b", "took", "timer", 0.5, NOW),
                (other, 0, "a", "odd", "gauge", 9.0, NOW),
            )
        )
    place = FlowSpan("company.team", "hello", at(-100_000), at(1))
    with store.read() as tx:
        assert tx.metrics.names(place) == ["rows", "took"]
        assert tx.metrics.names(place, task_id="a") == ["rows"]
        assert tx.metrics.tasks(place) == ["a", "b"]
        found = tx.metrics.by_day(place, "rows", "sum")
        assert [(each.day, each.kind, each.value) for each in found] == [
            (day - timedelta(days=1), "counter", 1.0),
            (day, "counter", 6.0),
        ]
        (only,) = tx.metrics.by_day(place, "rows", "avg", task_id="b")
        assert only.value == 4.0
        late = replace(place, since=at(-1))
        assert [each.value for each in tx.metrics.by_day(late, "rows", "max")] == [4.0]


def test_those_created_before_have_not_begun_and_may(tx):
    first, second, own = (an_execution(created=at(seconds)) for seconds in (1, 2, 3))
    begun = an_execution(created=at(0)).enter(State.RUNNING, at(1))
    later = replace(an_execution(created=at(0)), schedule_at=at(90))
    elsewhere = an_execution(created=at(0), flow_id="other")
    for execution in (own, second, first, begun, later, elsewhere, an_execution(created=at(9))):
        tx.executions.add(execution, by="ada")
    assert tx.executions.created_before(own, at(10), at_most=9) == [first.id, second.id]
    assert tx.executions.created_before(own, at(10), at_most=1) == [first.id]
    assert tx.executions.created_before(own, at(90), at_most=9)[0] == later.id
