"""What follows from events: lists, failures, retries, pauses, kills.

Source: execution-semantics §4–§11.
"""

from datetime import timedelta

import pytest

from runner.engine.events import (
    ChildEnded,
    Kill,
    Pause,
    Recovered,
    Resume,
    Started,
    TaskFailed,
    TaskSucceeded,
    TimerFired,
)
from runner.model.flow import Output, Retry
from runner.model.states import State
from tests.unit.engine.simulator import Simulation, a_flow, flowable, play, script, task

FAILED, WARNING, SUCCESS = State.FAILED, State.WARNING, State.SUCCESS


def test_tasks_run_one_after_another():
    done = play(task("a"), task("b"), task("c"))

    assert done.state == "SUCCESS"
    assert done.started_order == ["a", "b", "c"]
    assert done.announced == [("RUNNING", False), ("SUCCESS", False), ("SUCCESS", True)]


def test_a_failure_stops_the_list_and_runs_errors_and_finally():
    done = play(
        task("a"),
        task("b"),
        script={"a": FAILED},
        errors=(task("e1"), task("e2")),
        finally_=(task("f"),),
        after_execution=(task("after"),),
    )

    assert done.state == "FAILED"
    assert done.started_order == ["a", "e1", "e2", "f", "after"]


def test_a_failed_error_task_does_not_stop_its_list():
    done = play(task("a"), script={"a": FAILED, "e1": FAILED}, errors=(task("e1"), task("e2")))

    assert done.summary == {"a": "FAILED", "e1": "FAILED", "e2": "SUCCESS"}


def test_a_failed_finally_task_leaves_the_state():
    assert play(task("a"), script={"f": FAILED}, finally_=(task("f"),)).state == "SUCCESS"


def test_allow_failure_makes_a_warning_and_goes_on():
    done = play(task("a", allow_failure=True), task("b"), script={"a": FAILED})

    assert done.state == "WARNING"
    assert done.summary == {"a": "WARNING", "b": "SUCCESS"}
    assert done.of("a")[0].attempts[0].state is FAILED


def test_allow_failure_with_allow_warning_ends_well():
    done = play(task("a", allow_failure=True, allow_warning=True), script={"a": FAILED})

    assert done.state == "SUCCESS"


def test_a_disabled_task_is_as_if_it_were_not_there():
    done = play(task("a", disabled=True), task("b"))

    assert done.started_order == ["b"]


def test_a_flow_of_disabled_tasks_succeeds():
    assert play(task("a", disabled=True)).state == "SUCCESS"


@pytest.mark.parametrize(
    ("condition", "state"), [("true", "SUCCESS"), ("false", "SKIPPED"), ("0", "SKIPPED")]
)
def test_run_if_decides_whether_a_task_runs(condition, state):
    done = play(task("a", run_if=condition), task("b"))

    assert done.summary == {"a": state, "b": "SUCCESS"}
    assert done.state == "SUCCESS"


def test_a_run_if_that_cannot_be_rendered_fails_the_task():
    done = play(task("a", run_if="{{ nope }}"), values={"a": ValueError("no nope")})

    assert done.state == "FAILED"
    assert "Failed to evaluate the runIf condition for task a. Cause: no nope" in done.told


def test_worker_tasks_are_submitted_and_run():
    done = play(script("a"))

    assert [str(state) for state, _ in done.of("a")[0].history] == [
        "CREATED",
        "SUBMITTED",
        "RUNNING",
        "SUCCESS",
    ]


def test_a_late_or_repeated_end_changes_nothing():
    running = play(script("a"), held=["a"])
    run_id = running.of("a")[0].id
    once = running.feed(TaskSucceeded(run_id, 0, {"x": 1}))
    before = (once.execution, dict(once.runs.by_id))

    twice = once.feed(
        TaskFailed(run_id, 0),
        TaskSucceeded(run_id, 0, {"x": 2}),
        TaskSucceeded("gone", 0),
        Started(),
    )

    assert (twice.execution, twice.runs.by_id) == before


# ── retry ────────────────────────────────────────────────────────────────────────────────────────

CONSTANT = Retry("constant", interval=timedelta(seconds=10), max_attempts=3)


def test_a_retry_makes_further_attempts_of_the_same_run():
    retried = play(
        script("a", retry=CONSTANT), script={"a": lambda run, n: SUCCESS if n == 2 else FAILED}
    )
    assert retried.state == "RETRYING"
    retried.fire_timers()
    retried.fire_timers()

    assert retried.state == "SUCCESS"
    assert [str(a.state) for a in retried.of("a")[0].attempts] == ["FAILED", "FAILED", "SUCCESS"]


def test_retries_end_after_max_attempts():
    retried = play(task("a", retry=CONSTANT), script={"a": FAILED}, errors=(task("e"),))
    for _ in range(5):
        retried.fire_timers()

    assert retried.state == "FAILED"
    assert len(retried.of("a")[0].attempts) == 3
    assert retried.states("e") == ["SUCCESS"]


def test_errors_wait_while_a_retry_of_the_flow_is_due():
    retried = play(task("a"), script={"a": FAILED}, errors=(task("e"),), retry=CONSTANT)

    assert retried.of("e") == []


def test_the_nearest_ancestor_gives_the_retry():
    inner = flowable("s", "Sequential", tasks=(task("a"),), retry=CONSTANT)
    retried = play(inner, script={"a": FAILED})

    assert retried.states("a") == ["RETRYING"]


def test_a_success_after_a_retry_may_be_a_warning():
    retry = Retry("constant", interval=timedelta(seconds=1), max_attempts=2, warning_on_retry=True)
    retried = play(task("a", retry=retry), script={"a": lambda run, n: SUCCESS if n else FAILED})

    assert retried.fire_timers().state == "WARNING"


def test_exponential_waits_grow_up_to_the_longest():
    retry = Retry("exponential", interval=timedelta(seconds=1), max_interval=timedelta(seconds=3))
    retried = play(task("a", retry=retry), script={"a": FAILED})
    waits = []
    for _ in range(4):
        (at,) = retried.timers.values()
        waits.append(round((at - retried.now).total_seconds()))
        retried.fire_timers()

    assert waits == [1, 2, 3, 3]


def test_a_retry_may_ask_for_a_new_execution():
    retry = Retry(
        "constant", interval=timedelta(seconds=1), max_attempts=2, behavior="CREATE_NEW_EXECUTION"
    )
    retried = play(
        flowable("s", "Sequential", tasks=(task("a", retry=retry),)), script={"a": FAILED}
    )

    assert retried.state == "RETRIED"
    assert retried.summary == {"s": "RETRIED", "a": "RETRIED"}
    assert len(retried.replays) == 1


def test_a_lost_attempt_is_sent_again_and_is_no_failure():
    lost = play(script("a"), held=["a"])
    run_id = lost.of("a")[0].id
    lost.feed(TaskFailed(run_id, 0, lost=True))
    lost.release("a")

    assert lost.state == "SUCCESS"
    assert [str(a.state) for a in lost.of("a")[0].attempts] == ["RESUBMITTED", "SUCCESS"]


def test_an_attempt_that_is_lost_too_often_fails():
    lost = play(script("a"), held=["a"])
    run_id = lost.of("a")[0].id
    for number in range(4):
        lost.feed(TaskFailed(run_id, number, "its worker died", lost=True))

    assert lost.state == "FAILED"


# ── flowables ────────────────────────────────────────────────────────────────────────────────────


def test_sequential_nests():
    done = play(flowable("s", "Sequential", tasks=(task("a"), task("b"))), task("c"))

    assert done.started_order == ["s", "a", "b", "c"]


def test_errors_of_a_flowable_run_and_it_stays_failed():
    inner = flowable(
        "s", "Sequential", tasks=(task("a"),), errors=(task("e"),), finally_=(task("f"),)
    )
    done = play(inner, script={"a": FAILED}, errors=(task("outer"),))

    assert done.started_order == ["s", "a", "e", "f", "outer"]
    assert done.states("s") == ["FAILED"]


def test_parallel_starts_all_at_once():
    running = play(
        flowable("p", "Parallel", tasks=(script("a"), script("b"), script("c"))),
        held=["a", "b", "c"],
    )

    assert running.states("a", "b", "c") == ["SUBMITTED"] * 3
    assert running.release("b").release("a").release("c").state == "SUCCESS"


def test_parallel_keeps_its_limit():
    tasks = tuple(script(name) for name in "abcd")
    running = play(flowable("p", "Parallel", {"concurrent": 2}, tasks=tasks), held="abcd")

    assert running.started_order == ["p", "a", "b"]
    assert running.release("a").started_order == ["p", "a", "b", "c"]


def test_a_failure_beside_running_siblings_ends_the_parallel_at_once():
    running = play(flowable("p", "Parallel", tasks=(script("a"), script("b"))), held=["a", "b"])
    running.release("a", FAILED)

    assert running.state == "FAILED"
    assert running.states("b") == ["FAILED"]
    assert running.release("b").states("b") == ["SUCCESS"]  # recorded, without effect
    assert running.state == "FAILED"


def test_a_sleep_that_its_parallel_did_not_wait_for_is_over_in_its_time():
    sleep = flowable("s", "Sleep", {"duration": "PT1S"})
    running = play(flowable("p", "Parallel", tasks=(sleep, script("a"))), held=["a"])
    running.release("a", FAILED)
    assert (running.state, running.states("s")) == ("FAILED", ["FAILED"])

    over = running.fire_timers()

    assert (over.state, over.states("s", "p")) == ("FAILED", ["SUCCESS", "FAILED"])
    assert [attempt.state for attempt in over.of("s")[0].attempts] == ["SUCCESS"]


def test_a_list_that_its_parallel_did_not_wait_for_leaves_no_attempt_open():
    inner = flowable("inner", "Sequential", tasks=(script("x"),))
    running = play(flowable("p", "Parallel", tasks=(inner, script("a"))), held=["a", "x"]).release(
        "a", FAILED
    )

    assert running.states("inner", "x") == ["FAILED", "FAILED"]
    assert [attempt.state for attempt in running.of("inner")[0].attempts] == ["FAILED"]


def test_for_each_goes_value_by_value():
    done = play(
        flowable("each", "ForEach", tasks=(task("a"), task("b"))),
        values={"each": {"values": ["1", "2"]}},
    )

    assert done.started_order == ["each", "a/1", "b/1", "a/2", "b/2"]
    assert [run.iteration for run in done.of("a")] == [0, 1]
    assert done.state == "SUCCESS"


@pytest.mark.parametrize(("limit", "at_once"), [(1, 1), (3, 3), (0, 250)])
def test_for_each_runs_as_many_values_at_once_as_it_may(limit, at_once):
    values = [str(n) for n in range(250)]
    running = play(
        flowable("each", "ForEach", {"concurrencyLimit": limit}, tasks=(script("a"),)),
        values={"each": {"values": values}},
        held=["a"],
    )

    assert len(running.waiting) == at_once


def test_for_each_costs_the_same_for_each_value():
    def changes(count):
        each = flowable("each", "ForEach", {"concurrencyLimit": 0}, tasks=(task("a"),))
        return play(each, values={"each": {"values": [str(n) for n in range(count)]}}).changes

    assert changes(2000) <= 10.5 * changes(200)


def test_for_each_of_nothing_succeeds():
    assert (
        play(flowable("each", "ForEach", tasks=(task("a"),)), values={"each": {"values": []}}).state
        == "SUCCESS"
    )


def test_for_each_stops_at_a_failed_value():
    done = play(
        flowable("each", "ForEach", tasks=(task("a"),)),
        values={"each": {"values": ["1", "2", "3"]}},
        script={"a": lambda run, n: FAILED if run.value == "2" else SUCCESS},
    )

    assert done.started_order == ["each", "a/1", "a/2"]
    assert done.state == "FAILED"


@pytest.mark.parametrize(("condition", "taken"), [("true", "a"), ("false", "b")])
def test_if_takes_one_branch(condition, taken):
    done = play(
        flowable("if", "If", {"condition": condition}, then=(task("a"),), else_=(task("b"),))
    )

    assert done.started_order == ["if", taken]
    assert done.of("if")[0].outputs == {"evaluationResult": condition == "true"}


def test_if_without_the_branch_succeeds():
    assert play(flowable("if", "If", {"condition": "false"}, then=(task("a"),))).state == "SUCCESS"


def test_a_condition_that_cannot_be_rendered_fails_the_if():
    done = play(
        flowable("if", "If", {"condition": "{{ x }}"}, then=(task("a"),)),
        values={"if": ValueError("no x")},
    )

    assert done.state == "FAILED"
    assert done.started_order == ["if"]


def test_sleep_waits_on_a_timer():
    sleeping = play(flowable("s", "Sleep", {"duration": "PT5S"}), task("b"))
    assert sleeping.state == "RUNNING"

    assert sleeping.fire_timers().state == "SUCCESS"


def test_a_subflow_is_waited_for():
    waiting = play(flowable("sub", "Subflow", {"namespace": "n", "flowId": "g"}), task("b"))
    run = waiting.of("sub")[0]
    assert waiting.state == "RUNNING"
    waiting.feed(ChildEnded(run.id, run.outputs["executionId"], SUCCESS, {"x": 1}))

    assert waiting.state == "SUCCESS"
    assert waiting.of("sub")[0].outputs["outputs"] == {"x": 1}


def test_a_subflow_that_need_not_be_waited_for_ends_at_once():
    assert play(flowable("sub", "Subflow", {"wait": False})).state == "SUCCESS"


@pytest.mark.parametrize(
    ("child", "state"), [(FAILED, "FAILED"), (WARNING, "WARNING"), (State.CANCELLED, "SUCCESS")]
)
def test_a_subflow_ends_as_its_child(child, state):
    waiting = play(flowable("sub", "Subflow"))
    run = waiting.of("sub")[0]

    assert waiting.feed(ChildEnded(run.id, run.outputs["executionId"], child)).state == state


def test_the_end_of_an_unknown_child_changes_nothing():
    waiting = play(flowable("sub", "Subflow"))

    assert waiting.feed(ChildEnded(waiting.of("sub")[0].id, "other", SUCCESS)).state == "RUNNING"


# ── pause ────────────────────────────────────────────────────────────────────────────────────────


def test_a_pause_waits_for_a_resume():
    paused = play(flowable("p", "Pause"), task("b"))
    assert paused.state == "PAUSED"
    paused.feed(Resume(inputs={"ok": True}, by="ann"))

    assert paused.state == "SUCCESS"
    assert paused.of("p")[0].outputs["onResume"] == {"ok": True}
    assert paused.of("p")[0].outputs["resumed"]["by"] == "ann"


@pytest.mark.parametrize(
    ("behavior", "state", "runs_on"),
    [
        ("RESUME", "SUCCESS", True),
        ("WARN", "WARNING", True),
        ("FAIL", "FAILED", False),
        ("CANCEL", "CANCELLED", False),
    ],
)
def test_when_its_duration_is_over_a_pause_does_what_it_says(behavior, state, runs_on):
    paused = play(
        flowable("p", "Pause", {"pauseDuration": "PT1S", "behavior": behavior}), task("b")
    )
    paused.fire_timers()

    assert paused.state == state
    assert bool(paused.of("b")) is runs_on


def test_a_pause_halts_every_branch_and_forgets_nothing():
    branch = flowable("s", "Sequential", tasks=(script("a"), task("after_a")))
    paused = play(flowable("p", "Parallel", tasks=(branch, flowable("wait", "Pause"))), held=["a"])
    paused.release("a")
    assert paused.states("a") == ["SUCCESS"]
    assert paused.of("after_a") == []

    assert paused.feed(Resume()).state == "SUCCESS"
    assert paused.states("after_a") == ["SUCCESS"]


def test_a_resume_that_comes_twice_ends_no_later_pause():
    paused = play(flowable("p", "Pause"), flowable("q", "Pause"), task("b"))
    asked = Resume(waiting=(paused.of("p")[0].id,))

    paused.feed(asked).feed(asked)

    assert (paused.state, paused.states("q")) == ("PAUSED", ["PAUSED"])
    assert paused.feed(Resume(waiting=(paused.of("q")[0].id,))).state == "SUCCESS"


def test_two_resumes_end_two_pauses_beside_each_other():
    pauses = (flowable("p", "Pause"), flowable("q", "Pause"))
    paused = play(flowable("all", "Parallel", tasks=pauses))
    asked = Resume(waiting=(paused.of("p")[0].id, paused.of("q")[0].id))

    assert paused.feed(asked).state == "PAUSED"
    assert paused.feed(asked).state == "SUCCESS"


def test_a_resume_by_hand_that_comes_twice_ends_no_pause_of_the_flow():
    running = play(script("a"), flowable("p", "Pause"), held=["a"])
    running.feed(Pause()).release("a")

    running.feed(Resume(waiting=())).feed(Resume(waiting=()))

    assert (running.state, running.states("p")) == ("PAUSED", ["PAUSED"])


def test_a_pause_by_hand_lets_running_tasks_end():
    running = play(script("a"), task("b"), held=["a"])
    running.feed(Pause()).release("a")
    assert (running.state, running.of("b")) == ("PAUSED", [])

    assert running.feed(Resume()).state == "SUCCESS"


def test_a_resume_of_what_is_not_paused_changes_nothing():
    running = play(script("a"), held=["a"])

    assert running.feed(Resume()).state == "RUNNING"


# ── kill ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_kill_waits_for_live_attempts():
    running = play(flowable("p", "Parallel", tasks=(script("a"), script("b"))), held=["a", "b"])
    running.feed(Kill())
    assert (running.state, running.stopped) == ("KILLING", ["a", "b"])
    running.release("a", State.KILLED)
    assert running.state == "KILLING"
    running.release("b")  # ended normally in spite of the kill

    assert running.state == "KILLED"
    assert running.summary == {"p": "KILLED", "a": "KILLED", "b": "SUCCESS"}


def test_a_kill_starts_nothing_but_after_execution():
    running = play(
        script("a"),
        task("b"),
        held=["a"],
        errors=(task("e"),),
        finally_=(task("f"),),
        after_execution=(task("z"),),
    )
    running.feed(Kill()).release("a")

    assert running.started_order == ["a", "z"]


@pytest.mark.parametrize("flow", ["Pause", "Subflow"])
def test_a_kill_ends_what_only_waits_at_once(flow):
    waiting = play(flowable("w", flow))
    waiting.feed(Kill())

    assert waiting.state == "KILLED"
    assert waiting.killed_children == (
        ["child-of-" + waiting.of("w")[0].id] if flow == "Subflow" else []
    )


def test_a_kill_before_the_start_ends_the_execution():
    created = Simulation(a_flow(task("a"))).feed(Kill(), Started())

    assert (created.state, created.summary) == ("KILLED", {})


def test_a_kill_of_an_ended_execution_changes_nothing():
    assert play(task("a")).feed(Kill()).state == "SUCCESS"


def test_a_lost_attempt_of_a_killed_execution_counts_as_gone():
    running = play(script("a"), held=["a"]).feed(Kill())

    assert running.feed(TaskFailed(running.of("a")[0].id, 0, lost=True)).state == "KILLED"


# ── ends ─────────────────────────────────────────────────────────────────────────────────────────

AN_OUTPUT = (Output("o", "STRING", "{{ 1 }}"),)


def test_outputs_are_rendered_for_failed_executions_too():
    done = play(task("a"), script={"a": FAILED}, values={"outputs": {"o": "1"}}, outputs=AN_OUTPUT)

    assert (done.state, done.execution.outputs) == ("FAILED", {"o": "1"})


def test_an_output_that_cannot_be_rendered_fails_the_execution():
    done = play(task("a"), values={"outputs": ValueError("no")}, outputs=AN_OUTPUT)

    assert (done.state, done.execution.outputs) == ("FAILED", None)


@pytest.mark.parametrize("state", [State.QUEUED, State.CANCELLED, State.FAILED])
def test_an_execution_that_is_not_admitted_runs_nothing(state):
    refused = Simulation(a_flow(task("a"))).feed(Started(state))

    assert (refused.state, refused.summary) == (str(state), {})


def test_a_queued_execution_starts_when_it_is_admitted():
    queued = Simulation(a_flow(task("a"))).feed(Started(State.QUEUED))

    assert queued.feed(Started()).state == "SUCCESS"


def test_what_a_cut_fold_left_undone_is_asked_for_again():
    started = Simulation(a_flow(task("a", run_if="true"), task("b")))
    started._advance(Started())
    started.commands.clear()  # the process died

    assert started.feed(Recovered()).state == "SUCCESS"


def test_a_timer_of_something_that_is_over_changes_nothing():
    done = play(task("a"))
    before = done.execution
    run_id = done.of("a")[0].id

    assert (
        done.feed(
            TimerFired(f"retry:{run_id}"), TimerFired("sleep:gone"), TimerFired("odd")
        ).execution
        is before
    )


def test_an_attempt_that_is_handed_back_may_be_so_any_number_of_times():
    running = play(script("a"), held=["a"])
    run_id = running.of("a")[0].id
    for number in range(10):
        running.feed(TaskFailed(run_id, number, lost=True, handed_back=True))

    assert running.release("a").state == "SUCCESS"
