"""Going on from task runs (execution-semantics §11.3–§11.6), played on with the engine itself."""

from dataclasses import replace

import pytest

from runner.engine import restart as restarting
from runner.engine.events import Restarted, TaskFailed
from runner.errors import ArgumentInvalid, Refused
from runner.model.flow import TaskKind
from runner.model.states import State
from tests.unit.engine.simulator import Simulation, a_flow, flowable, play, script, task

FAILED = State.FAILED
NEW_ID = "y" * 22


def goes_on(played, again, *, flow=None, script=None, values=None):
    """Let the engine work on what a restart gave."""
    following = Simulation(flow or played.flow, script or {}, values or played.values)
    following.execution = again.execution
    following.now = played.now
    following.runs.by_id = {run.id: run for run in again.runs}
    return following.feed(Restarted(again.restarted))


def restarted(played, **options):
    again = restarting.restart(
        played.flow, played.execution, list(played.runs.by_id.values()), None, played.now
    )
    return goes_on(played, again, **options)


def replayed(played, task_id, *, value=None, flow=None, **options):
    (run,) = [run for run in played.of(task_id) if run.value == value]
    again = restarting.replay(
        flow or played.flow,
        played.execution,
        list(played.runs.by_id.values()),
        run.id,
        new_id=NEW_ID,
        now=played.now,
    )
    return goes_on(played, again, flow=flow, **options)


def attempts(played):
    return {
        f"{run.task_id}/{run.value}" if run.value else run.task_id: len(run.attempts)
        for run in played.runs.by_id.values()
        if not played.flow.task(run.task_id).children
    }


def foreach(*tasks, values=("a", "b", "c"), limit=1):
    loop = flowable(
        "loop", "ForEach", {"values": list(values), "concurrencyLimit": limit}, tasks=tasks
    )
    return loop, {"loop": {"values": list(values)}}


# ── restart ──────────────────────────────────────────────────────────────────────────────────────


def test_what_failed_runs_again_and_the_rest_follows():
    failed = play(task("a"), task("b"), task("c"), script={"b": FAILED})

    done = restarted(failed)

    assert done.state == "SUCCESS"
    assert attempts(done) == {"a": 1, "b": 2, "c": 1}
    assert done.execution.attempt_number == 2


def test_errors_finally_and_after_execution_run_anew():
    failed = play(
        task("a"),
        script={"a": FAILED},
        errors=(task("e"),),
        finally_=(task("f"),),
        after_execution=(task("x"),),
    )
    assert failed.summary.keys() == {"a", "e", "f", "x"}

    again = restarted(failed)
    assert again.summary == {"a": "SUCCESS", "f": "SUCCESS", "x": "SUCCESS"}
    still = restarted(failed, script={"a": FAILED})
    assert still.summary == {"a": "FAILED", "e": "SUCCESS", "f": "SUCCESS", "x": "SUCCESS"}
    assert still.state == "FAILED"


def test_a_failure_deep_inside_reopens_what_is_around_it():
    inner = flowable("inner", "Sequential", tasks=(task("i1"), task("i2"), task("i3")))
    outer = flowable("outer", "Sequential", tasks=(task("o1"), inner, task("o2")))
    failed = play(task("a"), outer, task("z"), script={"i2": FAILED})

    done = restarted(failed)

    assert done.state == "SUCCESS"
    assert attempts(done) == {"a": 1, "o1": 1, "i1": 1, "i2": 2, "i3": 1, "o2": 1, "z": 1}


def test_a_branch_of_parallel_that_failed_runs_again_alone():
    failed = play(
        flowable("p", "Parallel", tasks=(task("a"), task("b"), task("c"))),
        task("z"),
        script={"b": FAILED},
    )

    done = restarted(failed)

    assert done.state == "SUCCESS"
    assert attempts(done)["b"] == 2
    assert set(done.summary) == {"p", "a", "b", "c", "z"}


def test_branches_that_never_began_begin_after_a_restart():
    failed = play(
        flowable("p", "Parallel", {"concurrent": 1}, tasks=(task("a"), task("b"), task("c"))),
        values={"p": {"concurrent": "1"}},
        script={"b": FAILED},
    )
    assert "c" not in failed.summary

    done = restarted(failed)

    assert done.state == "SUCCESS"
    assert attempts(done) == {"a": 1, "b": 2, "c": 1}


def test_a_branch_that_was_cut_short_by_its_neighbour_goes_on():
    branch = flowable("s", "Sequential", tasks=(task("s1"), task("s2")))
    cut = play(
        flowable("p", "Parallel", tasks=(branch, task("b"))), script={"b": FAILED}, held={"s1", "b"}
    )
    cut.release("b")
    assert cut.state == "FAILED"
    assert cut.states("s", "s1") == ["FAILED", "FAILED"]

    done = restarted(cut)

    assert done.state == "SUCCESS"
    assert done.states("s1", "s2", "b") == ["SUCCESS", "SUCCESS", "SUCCESS"]


def test_a_loop_goes_on_with_the_value_that_failed():
    loop, values = foreach(task("x"), task("y"))
    failed = play(
        loop,
        values=values,
        script={"y": lambda run, attempt: FAILED if run.value == "b" else State.SUCCESS},
    )
    assert "x/c" not in failed.summary

    done = restarted(failed)

    assert done.state == "SUCCESS"
    assert attempts(done) == {"x/a": 1, "y/a": 1, "x/b": 1, "y/b": 2, "x/c": 1, "y/c": 1}


def test_values_that_stood_still_go_on_where_they_stood():
    loop, values = foreach(task("x"), task("y"), limit=0)
    held = play(
        loop,
        values=values,
        held={"x"},
        script={"x": lambda run, attempt: FAILED if run.value == "c" else State.SUCCESS},
    )
    for run_id, command in sorted(held.waiting.items(), reverse=True):
        run = held.runs.by_id[run_id]
        held.feed(held.end_of(run, command.attempt))
    assert held.state == "FAILED"

    done = restarted(held)

    assert done.state == "SUCCESS"
    assert {key: state for key, state in done.summary.items() if key != "loop"} == {
        f"{name}/{value}": "SUCCESS" for name in "xy" for value in "abc"
    }


def test_a_flowable_that_could_not_begin_begins_again():
    loop, values = foreach(task("x"), values=("a",))
    failed = play(loop, task("z"), values={"loop": ValueError("no such variable")})
    assert failed.summary == {"loop": "FAILED"}

    done = restarted(failed, values=values)

    assert done.summary == {"loop": "SUCCESS", "x/a": "SUCCESS", "z": "SUCCESS"}


def test_nothing_that_failed_nothing_to_restart():
    with pytest.raises(ArgumentInvalid):
        restarted(play(task("a")))


def test_a_restart_may_fail_and_be_restarted_again():
    played = play(task("a"), task("b"), script={"b": FAILED})

    for tries in range(2, 5):
        played = restarted(played, script={"b": FAILED})
        assert played.state == "FAILED"
        assert attempts(played) == {"a": 1, "b": tries}


# ── replay ───────────────────────────────────────────────────────────────────────────────────────


def test_a_replay_from_the_middle_keeps_what_came_before_under_new_ids():
    old = play(task("a"), task("b"), task("c"))

    new = replayed(old, "b")

    assert new.state == "SUCCESS"
    assert new.execution.id == NEW_ID
    assert new.execution.parent_id == new.execution.original_id == old.execution.id
    assert dict(new.execution.labels) == {"system.replay": "true"}
    assert new.execution.attempt_number == 2
    assert new.execution.history[: len(old.execution.history)] == old.execution.history
    assert attempts(new) == {"a": 1, "b": 2, "c": 1}
    assert not {run.id for run in new.runs.by_id.values()} & set(old.runs.by_id)
    assert {run.execution_id for run in new.runs.by_id.values()} == {NEW_ID}
    assert new.of("a")[0].outputs == old.of("a")[0].outputs


def test_a_replay_inside_a_branch_leaves_the_other_branches_alone():
    left = flowable("left", "Sequential", tasks=(task("l1"), task("l2")))
    right = flowable("right", "Sequential", tasks=(task("r1"), task("r2")))
    old = play(task("a"), flowable("p", "Parallel", tasks=(left, right)), task("z"))

    new = replayed(old, "l2")

    assert new.state == "SUCCESS"
    assert attempts(new) == {"a": 1, "l1": 1, "l2": 2, "r1": 1, "r2": 1, "z": 1}


def test_a_replay_of_one_value_runs_the_later_ones_again_when_they_are_in_order():
    loop, values = foreach(task("x"), task("y"))
    old = play(loop, task("z"), values=values)

    new = replayed(old, "x", value="b")

    assert new.state == "SUCCESS"
    assert attempts(new) == {
        "x/a": 1, "y/a": 1, "x/b": 2, "y/b": 1, "x/c": 1, "y/c": 1, "z": 1,
    }  # fmt: skip
    kept = {run.value for run in new.of("x") if run.history[0][1] < old.now}
    assert kept == {"a", "b"}


def test_a_replay_of_one_value_keeps_the_others_when_they_run_at_once():
    loop, values = foreach(task("x"), task("y"), limit=0)
    old = play(loop, values=values)

    new = replayed(old, "y", value="b")

    assert new.state == "SUCCESS"
    assert attempts(new) == {"x/a": 1, "y/a": 1, "x/b": 1, "y/b": 2, "x/c": 1, "y/c": 1}


def test_a_replay_from_a_flowable_runs_all_of_it():
    branch = flowable("s", "Sequential", tasks=(task("s1"), task("s2")))
    old = play(task("a"), branch, task("z"))

    new = replayed(old, "s")

    assert new.state == "SUCCESS"
    assert attempts(new) == {"a": 1, "s1": 1, "s2": 1, "z": 1}
    assert new.of("s1")[0].history[0][1] > old.now


def test_a_replay_takes_the_newer_revision():
    old = play(task("a"), task("b"), script={"b": FAILED})
    newer = replace(a_flow(task("a"), task("b"), task("c")), revision=2, variables={"v": 2})

    new = replayed(old, "b", flow=newer)

    assert new.state == "SUCCESS"
    assert new.execution.revision == 2
    assert new.execution.variables == {"v": 2}
    assert attempts(new) == {"a": 1, "b": 2, "c": 1}


def test_a_branch_that_is_new_in_the_revision_runs_too():
    old = play(flowable("p", "Parallel", tasks=(task("a"), task("c"))), script={"c": FAILED})
    newer = replace(
        a_flow(flowable("p", "Parallel", tasks=(task("a"), task("b"), task("c")))), revision=2
    )

    new = replayed(old, "c", flow=newer)

    assert new.state == "SUCCESS"
    assert new.states("a", "b", "c") == ["SUCCESS"] * 3


@pytest.mark.parametrize(
    "newer",
    [
        a_flow(task("a")),
        a_flow(task("a"), task("b", disabled=True)),
        a_flow(task("a"), flowable("s", "Sequential", tasks=(task("b"),))),
        a_flow(task("a"), errors=(task("b"),)),
    ],
)
def test_a_task_that_is_gone_or_moved_cannot_be_replayed_from(newer):
    with pytest.raises(Refused):
        replayed(play(task("a"), task("b")), "b", flow=replace(newer, revision=2))


def test_a_replay_from_an_unknown_run_is_refused():
    old = play(task("a"))

    with pytest.raises(ArgumentInvalid):
        restarting.replay(
            old.flow,
            old.execution,
            list(old.runs.by_id.values()),
            "nope",
            new_id=NEW_ID,
            now=old.now,
        )


def test_a_replay_from_the_start_keeps_inputs_and_chain():
    old = play(task("a"))
    once = restarting.replay_whole(old.flow, old.execution, new_id="1" * 22, now=old.now)
    twice = restarting.replay_whole(old.flow, once, new_id="2" * 22, now=old.now)

    assert twice.state is State.CREATED
    assert (twice.parent_id, twice.original_id) == (once.id, old.execution.id)
    assert twice.attempt_number == 3
    assert twice.original_created_at == old.execution.created_at


# ── a state told by hand ─────────────────────────────────────────────────────────────────────────


def told(played, task_id, state, **options):
    (run,) = played.of(task_id)
    again = restarting.change_state(
        played.flow,
        played.execution,
        list(played.runs.by_id.values()),
        run.id,
        state,
        played.now,
    )
    return goes_on(played, again, **options)


def test_told_success_goes_on_behind():
    failed = play(
        flowable("s", "Sequential", tasks=(task("a"), task("b"))), task("z"), script={"a": FAILED}
    )

    done = told(failed, "a", State.SUCCESS)

    assert done.summary == {"s": "SUCCESS", "a": "SUCCESS", "b": "SUCCESS", "z": "SUCCESS"}
    assert attempts(done)["a"] == 1


def test_told_failed_goes_to_errors():
    fine = play(task("a"), task("b"), errors=(task("e"),))

    done = told(fine, "b", FAILED)

    assert done.state == "FAILED"
    assert done.summary == {"a": "SUCCESS", "b": "FAILED", "e": "SUCCESS"}


def test_told_warning_is_remembered_in_the_end():
    failed = play(task("a"), task("b"), script={"a": FAILED})

    assert told(failed, "a", State.WARNING).state == "WARNING"


def test_worker_tasks_are_submitted_again():
    failed = play(task("a", TaskKind.WORKER), script={"a": FAILED})

    assert restarted(failed).of("a")[0].state is State.SUCCESS


def test_runs_that_a_task_has_made_go_with_it_when_it_runs_again():
    failed = play(script("a"), held=["a"])
    run_id = failed.of("a")[0].id
    failed.feed(TaskFailed(run_id, 0, made=({"task_id": "model", "state": "FAILED"},)))

    runs = list(failed.runs.by_id.values())
    again = restarting.restart(failed.flow, failed.execution, runs, None, failed.now)

    assert [run.task_id for run in again.runs] == ["a"]
    assert again.restarted == (run_id,)


def test_what_came_after_a_failure_cannot_be_replayed_from_however_deep():
    around = flowable("s", "Sequential", tasks=(task("b"),))
    played = play(task("a"), errors=(around,), script={"a": State.FAILED})

    with pytest.raises(Refused, match="from a task of errors"):
        replayed(played, "b")
