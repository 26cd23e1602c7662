"""What each kind of control flow starts and how it ends (execution-semantics §7)."""

import pytest

from runner.engine.events import Kill, Resume
from runner.model.states import State
from tests.unit.engine.simulator import flowable, play, replace, script, task

FAILED, SUCCESS = State.FAILED, State.SUCCESS
TWO_VALUES = {"each": {"values": ["1", "2"]}}


@pytest.mark.parametrize(("value", "taken"), [("a", "first"), ("1", "second"), ("x", "other")])
def test_switch_takes_the_case_of_its_value_or_the_defaults(value, taken):
    cases = {
        "cases.a": (task("first"),),
        "cases.1": (task("second"),),
        "defaults": (task("other"),),
    }
    switch = replace(flowable("s", "Switch", {"value": value}), children=cases)

    done = play(switch)

    assert done.started_order == ["s", taken]
    assert done.of("s")[0].outputs == {"value": value, "defaults": taken == "other"}


def test_switch_without_a_fitting_list_fails():
    switch = replace(flowable("s", "Switch", {"value": "x"}), children={"cases.a": (task("a"),)})

    done = play(switch)

    assert done.state == "FAILED"
    assert done.told == ["No task found on flow for 's'"]


def test_allow_failure_is_a_warning_after_its_errors_have_run():
    done = play(
        flowable("af", "AllowFailure", tasks=(task("a"), task("b")), errors=(task("e"),)),
        task("c"),
        script={"a": FAILED},
    )

    assert done.summary == {"af": "WARNING", "a": "FAILED", "e": "SUCCESS", "c": "SUCCESS"}
    assert done.state == "WARNING"


def test_allow_failure_does_not_hide_a_kill():
    done = play(flowable("af", "AllowFailure", tasks=(task("a"),)), script={"a": State.KILLED})

    assert done.states("af") == ["KILLED"]


def test_dag_starts_a_task_when_all_it_depends_on_have_ended():
    dag = flowable(
        "dag",
        "Dag",
        tasks=(
            script("last", depends_on=("left", "right")),
            script("left", depends_on=("first",)),
            script("right", depends_on=("first",)),
            script("first"),
        ),
    )
    running = play(dag, held=["left", "right"])
    assert running.started_order == ["dag", "first", "left", "right"]

    running.release("right")
    assert running.states("last") == []

    assert running.release("left").started_order[-1] == "last"
    assert running.state == "SUCCESS"


def test_dag_counts_a_disabled_dependency_as_done():
    dag = flowable("dag", "Dag", tasks=(task("a", disabled=True), task("b", depends_on=("a",))))

    assert play(dag).summary == {"dag": "SUCCESS", "b": "SUCCESS"}


def test_dag_keeps_its_limit():
    dag = flowable("dag", "Dag", {"concurrent": 1}, tasks=(script("a"), script("b")))

    assert play(dag, held=["a"]).started_order == ["dag", "a"]


def test_each_sequential_goes_value_by_value():
    each = flowable("each", "EachSequential", {"value": "…"}, tasks=(task("a"), task("b")))

    assert play(each, values=TWO_VALUES).started_order == ["each", "a/1", "b/1", "a/2", "b/2"]


def test_each_parallel_starts_all_tasks_of_all_values():
    each = flowable("each", "EachParallel", {"value": "…"}, tasks=(script("a"), script("b")))

    started = play(each, values=TWO_VALUES, held=["a", "b"])

    assert started.started_order == ["each", "a/1", "b/1", "a/2", "b/2"]


def test_each_parallel_limits_single_tasks():
    each = flowable("each", "EachParallel", {"value": "…"}, tasks=(script("a"), script("b")))
    values = {"each": {"values": ["1", "2"], "concurrent": "3"}}

    started = play(each, values=values, held=["a", "b"])
    assert started.started_order == ["each", "a/1", "b/1", "a/2"]

    started.release("b")
    assert started.started_order[-1] == "b/2"
    for _ in range(2):
        started.release("a")
    assert started.release("b").state == "SUCCESS"


def test_each_parallel_of_many_values_goes_on_in_steps():
    each = flowable("each", "EachParallel", {"value": "…"}, tasks=(task("a"), task("b")))
    values = {"each": {"values": [str(n) for n in range(250)]}}

    done = play(each, values=values)

    assert done.state == "SUCCESS"
    assert len(done.of("a")) == len(done.of("b")) == 250


def test_a_failure_stops_each_parallel_at_once():
    each = flowable("each", "EachParallel", {"value": "…"}, tasks=(script("a"),))

    failed = play(each, values=TWO_VALUES, held=["a"]).release("a", FAILED)

    assert failed.state == "FAILED"


# ── LoopUntil ────────────────────────────────────────────────────────────────────────────────────


def loop(condition="false", **frequency):
    properties = {"condition": condition, "checkFrequency": frequency}
    return flowable("loop", "LoopUntil", properties, tasks=(task("a"), task("b")))


def test_a_loop_goes_round_until_its_condition_holds():
    looping = play(loop("{{ x }}"), task("z"), values={"loop": {"condition": "false"}})
    assert looping.state == "PAUSED"
    assert looping.states("loop") == ["PAUSED"]

    looping.fire_timers()
    assert looping.of("loop")[0].outputs == {"iterationCount": 2}
    looping.values = {"loop": {"condition": "true"}}
    looping.fire_timers()

    assert looping.state == "SUCCESS"
    assert looping.of("loop")[0].outputs == {"iterationCount": 3}
    assert [run.iteration for run in looping.of("a")] == [1]  # no third round: it holds by now
    assert looping.of("loop")[0].iteration == 1
    assert looping.states("z") == ["SUCCESS"]


def test_a_loop_ends_after_so_many_rounds():
    looping = play(loop(maxIterations=2), task("z"))

    looping.fire_timers()
    assert [run.iteration for run in looping.of("a")] == [1]
    looping.fire_timers()

    assert looping.state == "SUCCESS"
    assert looping.of("loop")[0].outputs == {"iterationCount": 3}


def test_a_loop_may_fail_when_it_is_stopped():
    task_ = loop(maxDuration="PT1S")
    failing = replace(task_, properties={**task_.properties, "failOnMaxReached": True})
    looping = play(failing, errors=(task("e"),))

    looping.fire_timers()

    assert looping.state == "FAILED"
    assert looping.states("e") == ["SUCCESS"]


def test_a_loop_ends_when_a_task_of_it_fails():
    failed = play(loop(), script={"a": FAILED})

    assert failed.summary == {"loop": "FAILED", "a": "FAILED"}


def test_only_the_loop_waits_between_its_rounds():
    both = flowable(
        "p",
        "Parallel",
        tasks=(loop(), flowable("s", "Sequential", tasks=(script("x"), script("y")))),
    )
    running = play(both, held=["x", "y"])
    assert running.state == "RUNNING"

    assert running.release("x").states("y") == ["SUBMITTED"]
    assert running.fire_timers().of("loop")[0].outputs == {"iterationCount": 2}
    assert running.release("y").state == "RUNNING"


def test_a_round_that_is_due_during_a_pause_waits_for_the_resume():
    held = flowable("s", "Sequential", tasks=(script("x"), flowable("hold", "Pause")))
    paused = play(flowable("p", "Parallel", tasks=(loop(), held)), held=["x"]).release("x")
    assert paused.state == "PAUSED"

    assert paused.fire_timers().of("loop")[0].outputs == {"iterationCount": 1}
    assert paused.feed(Resume()).of("loop")[0].outputs == {"iterationCount": 2}


def test_a_resume_ends_the_wait_of_a_loop():
    assert play(loop()).feed(Resume()).of("loop")[0].outputs == {"iterationCount": 2}


def test_a_kill_ends_a_waiting_loop():
    killed = play(loop()).feed(Kill())

    assert killed.state == "KILLED"
    assert killed.timers == {}


def test_a_loop_inside_for_each_keeps_its_place():
    each = flowable("each", "ForEach", tasks=(loop("true"), task("then")))

    done = play(each, values={"each": {"values": ["1", "2"]}})

    assert done.state == "SUCCESS"
    assert done.started_order == [
        "each",
        "loop/1",
        "a",
        "b",
        "then/1",
        "loop/2",
        "a",
        "b",
        "then/2",
    ]
