"""A difference is known only if nothing but a row's own effect is in it."""

from dataclasses import replace

from .differences import ROWS, Run, Seen, known

_FLOW = "io.kestra.plugin.core.flow."
_EXIT = "io.kestra.plugin.core.execution.Exit"
_RETURN = "io.kestra.plugin.core.debug.Return"


def a_flow(*tasks, **lists):
    return {"id": "f", "tasks": list(tasks), **lists}


def a_task(task_id, type_=_RETURN, **properties):
    return {"id": task_id, "type": type_, **properties}


def a_run(task, state="SUCCESS", output="", attempts=1):
    return Run(task, "", state, output, attempts)


def seen(*runs, state="SUCCESS"):
    return Seen(state, {}, tuple(sorted(runs)))


def test_a_skipped_switch_may_have_outputs_there():
    flow = a_flow(a_task("s", _FLOW + "Switch", value="a"))
    ours = seen(a_run("s", "SKIPPED"))

    assert known(flow, seen(a_run("s", "SKIPPED", "a")), ours) == (
        "a skipped flowable has outputs",
    )
    assert not known(flow, seen(a_run("s", "SUCCESS", "a")), ours)


def test_a_loop_inside_a_loop_may_count_from_the_index_there():
    loop = a_task("l", _FLOW + "LoopUntil", tasks=[a_task("t")])
    flow = a_flow(a_task("e", _FLOW + "ForEach", tasks=[loop]))
    ours = seen(
        Run("l", "b", "SUCCESS", '{"iterationCount": 1}', 1, "e", "1"),
        Run("t", "", "SUCCESS", "x", 1, "l", "0"),
    )
    theirs = seen(
        Run("l", "b", "SUCCESS", "", 1, "e", "1"), Run("t", "", "SUCCESS", "x", 1, "l", "1")
    )

    assert known(flow, theirs, ours) == ("rounds inside a ForEach count from the index",)
    other = replace(theirs, runs=(*theirs.runs[:1], replace(theirs.runs[1], state="FAILED")))
    assert not known(flow, other, ours)


def test_exit_after_the_end_changes_the_state_to_its_own_alone():
    flow = a_flow(a_task("t"), afterExecution=[a_task("x", _EXIT, state="WARNING")])
    ours = seen(a_run("t"), a_run("x"))
    theirs = seen(a_run("t"), a_run("x", "WARNING"), state="WARNING")

    assert known(flow, theirs, ours) == ("Exit in afterExecution changes the state",)
    assert not known(flow, replace(theirs, state="FAILED"), ours)


def test_tasks_after_exit_are_known_and_those_before_it_not():
    flow = a_flow(
        a_task("a"), a_task("x", _EXIT, state="SUCCESS"), a_task("b"), afterExecution=[a_task("z")]
    )
    ours = seen(a_run("x"), a_run("z"))

    assert known(flow, seen(a_run("x"), a_run("b"), a_run("z")), ours) == (
        "tasks start after Exit",
    )
    lost = a_run("z", "CREATED", attempts=0)
    assert known(flow, seen(a_run("x"), a_run("b"), lost), ours) == ("tasks start after Exit",)
    assert not known(flow, seen(a_run("a"), a_run("x"), a_run("z")), ours)
    assert not known(a_flow(*flow["tasks"]), seen(a_run("x"), a_run("b")), seen(a_run("x")))


def test_retries_that_kestra_does_not_bring_to_an_end_are_known():
    retry = {"maxAttempts": 2}
    after = a_flow(a_task("t"), afterExecution=[a_task("z", retry=retry)])
    ours = seen(a_run("t"), a_run("z", "FAILED", attempts=2))
    assert known(after, seen(a_run("t"), a_run("z", "FAILED")), ours)

    inner = a_flow(a_task("s", _FLOW + "Sequential", errors=[a_task("e", retry=retry)]))
    ours = seen(a_run("s", "FAILED"), a_run("e", "FAILED", attempts=2), state="FAILED")
    assert known(inner, seen(a_run("s", "FAILED"), state="RETRYING"), ours)
    assert not known(inner, seen(a_run("s", "FAILED"), state="RUNNING"), ours)


def test_outputs_from_before_a_retry_are_known_after_exit():
    flow = a_flow(
        a_task("t", retry={"maxAttempts": 2}), errors=[a_task("x", _EXIT, state="WARNING")]
    )
    ours = seen(a_run("t", "FAILED", attempts=2), a_run("x", "WARNING"), state="WARNING")
    theirs = replace(ours, outputs={"state": "RUNNING"})

    assert known(flow, theirs, ours) == ("outputs from before a retry stay after Exit",)
    once = seen(a_run("t", "FAILED"), a_run("x", "WARNING"), state="WARNING")
    assert not known(flow, replace(once, outputs={"state": "RUNNING"}), once)


def test_what_is_left_over_makes_a_difference_new():
    flow = a_flow(a_task("s", _FLOW + "Switch", value="a"), a_task("t"))
    theirs = seen(a_run("s", "SKIPPED", "a"), a_run("t", "FAILED"))

    assert known(flow, theirs, seen(a_run("s", "SKIPPED"), a_run("t"))) == ()
    assert len(ROWS) == 7
