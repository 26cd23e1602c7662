"""Breakpoints (execution-semantics §11.7)."""

from datetime import timedelta

import pytest

from runner.engine.breakpoints import chosen
from runner.engine.events import Kill, Pause, Resume, ResumeFromBreakpoint
from runner.errors import ArgumentInvalid
from runner.model.execution import Breakpoint
from runner.model.flow import Retry, TaskKind
from runner.model.states import State
from tests.unit.engine.simulator import Simulation, a_flow, flowable, replace, script, task

GO = ResumeFromBreakpoint()
RETRY = Retry("constant", interval=timedelta(seconds=10), max_attempts=3)


def stopping(*tasks, at, held=(), **more):
    """Play tasks with breakpoints, until it stands still."""
    values = more.pop("values", {})
    played = Simulation(a_flow(*tasks, **more), values=values, held=set(held))
    stops = tuple(map(Breakpoint.of, at))
    played.execution = replace(played.execution, breakpoints=stops)
    return played.start()


def states(history):
    return [str(state) for state, _ in history]


def test_it_stops_before_the_task_and_goes_on_when_told():
    played = stopping(task("a"), task("b"), task("c"), at=["b"])

    assert played.state == "BREAKPOINT"
    assert played.summary == {"a": "SUCCESS", "b": "BREAKPOINT"}
    assert played.announced[-1] == ("BREAKPOINT", False)

    played.feed(GO)

    assert played.state == "SUCCESS"
    assert states(played.execution.history) == [
        "CREATED", "RUNNING", "BREAKPOINT", "RUNNING", "SUCCESS",
    ]  # fmt: skip
    (run,) = played.of("b")
    assert states(run.history) == ["CREATED", "BREAKPOINT", "CREATED", "RUNNING", "SUCCESS"]
    assert len(run.attempts) == 1


def test_what_is_told_twice_passes_no_later_breakpoint():
    played = stopping(task("a"), task("b"), at=["a", "b"])
    told = ResumeFromBreakpoint(waiting=(played.of("a")[0].id,))

    assert played.feed(told).feed(told).summary == {"a": "SUCCESS", "b": "BREAKPOINT"}


def test_it_stops_at_the_next_one_unless_others_are_given():
    first = stopping(task("a"), task("b"), task("c"), at=["a", "c"])
    assert first.feed(GO).summary == {"a": "SUCCESS", "b": "SUCCESS", "c": "BREAKPOINT"}

    none = stopping(task("a"), task("b"), task("c"), at=["a", "c"])
    assert none.feed(ResumeFromBreakpoint(())).state == "SUCCESS"

    other = stopping(task("a"), task("b"), task("c"), at=["a", "c"])
    assert other.feed(ResumeFromBreakpoint(("b",))).states("b") == ["BREAKPOINT"]
    assert other.feed(GO).state == "SUCCESS"


def test_it_stops_before_one_value_of_a_loop():
    loop = flowable("loop", "ForEach", {"values": ["x", "y"]}, tasks=(task("t"),))
    played = stopping(loop, at=["t.y"], values={"loop": {"values": ["x", "y"]}})

    assert played.summary == {"loop": "RUNNING", "t/x": "SUCCESS", "t/y": "BREAKPOINT"}
    assert played.feed(GO).state == "SUCCESS"


def test_it_stops_before_a_flowable_and_its_children_follow():
    played = stopping(flowable("s", "Sequential", tasks=(task("a"),)), at=["s"])

    assert played.summary == {"s": "BREAKPOINT"}
    assert played.feed(GO).summary == {"s": "SUCCESS", "a": "SUCCESS"}


def test_nothing_is_rendered_of_a_task_that_is_stopped():
    played = stopping(task("a", run_if="{{ x }}"), at=["a"], values={"a": ValueError("no x")})

    assert played.summary == {"a": "BREAKPOINT"}
    assert played.feed(GO).summary == {"a": "FAILED"}


def test_branches_beside_it_are_recorded_and_stand_still():
    branches = flowable(
        "p",
        "Parallel",
        tasks=(
            flowable("one", "Sequential", tasks=(script("a"), task("b"))),
            flowable("two", "Sequential", tasks=(task("c"),)),
        ),
    )
    played = stopping(branches, at=["c"], held=["a"]).release("a")

    assert played.states("a", "b", "c") == ["SUCCESS", "BREAKPOINT"]
    assert played.feed(GO).states("a", "b", "c") == ["SUCCESS"] * 3
    assert played.state == "SUCCESS"


@pytest.mark.parametrize("order", [("stop", "wait"), ("wait", "stop")])
def test_with_a_pause_beside_it_both_must_end(order):
    tasks = {"stop": task("stop"), "wait": flowable("wait", "Pause")}
    branches = flowable("p", "Parallel", tasks=tuple(tasks[name] for name in order))
    played = stopping(branches, task("last"), at=["stop"])
    assert played.states("stop", "wait") == ["BREAKPOINT", "PAUSED"]

    ways = {"BREAKPOINT": GO, "PAUSED": Resume()}
    first = played.state
    played.feed(ways.pop(first))
    assert played.state in ways
    played.feed(ways[played.state])

    assert played.state == "SUCCESS"
    assert played.states("stop", "wait", "last") == ["SUCCESS"] * 3


def test_the_time_of_a_pause_beside_it_may_be_over():
    wait = flowable("wait", "Pause", {"pauseDuration": "PT1S"})
    branches = flowable("p", "Parallel", tasks=(task("stop"), wait))
    played = stopping(branches, task("last"), at=["stop"]).fire_timers()

    assert played.state == "BREAKPOINT"
    assert played.states("stop", "wait", "last") == ["BREAKPOINT", "SUCCESS"]
    assert played.feed(GO).state == "SUCCESS"


def test_a_retry_is_not_stopped_again_and_waits_for_the_others():
    branches = flowable(
        "p",
        "Parallel",
        tasks=(
            script("flaky", retry=RETRY),
            flowable("s", "Sequential", tasks=(script("a"), task("b"))),
        ),
    )
    played = stopping(branches, at=["flaky", "b"], held=["a", "flaky"])
    played.feed(GO).release("flaky", State.FAILED).release("a")
    assert played.states("flaky", "b") == ["RETRYING", "BREAKPOINT"]

    played.fire_timers()
    assert played.states("flaky") == ["RETRYING"]

    played.feed(GO).release("flaky")
    assert played.state == "SUCCESS"


def test_an_execution_that_is_stopped_can_be_killed():
    played = stopping(task("a"), task("b"), at=["a"]).feed(Kill())

    assert played.state == "KILLED"
    assert played.summary == {"a": "KILLED"}


def test_what_is_not_stopped_goes_on_from_nothing():
    played = stopping(task("a"), script("b"), at=[], held=["b"]).feed(GO)
    assert played.state == "RUNNING"

    paused = stopping(script("a"), task("b"), at=[], held=["a"]).feed(Pause(), GO)
    assert paused.state == "PAUSED"


def test_after_the_end_nothing_stops_it():
    played = stopping(task("a"), at=["z"], after_execution=(task("z"),))

    assert played.state == "SUCCESS"
    assert played.states("z") == ["SUCCESS"]


def test_breakpoints_stand_where_something_can_stop():
    directory = replace(
        script("d"), children={"tasks": (script("inner"),), "finally": (task("f"),)}
    )
    flow = a_flow(task("a"), directory, after_execution=(task("z"),))

    assert chosen(flow, ["a", "d", "f", "a.x.y", "a"]) == (
        Breakpoint("a"),
        Breakpoint("d"),
        Breakpoint("f"),
        Breakpoint("a", "x.y"),
    )
    assert directory.kind is TaskKind.WORKER
    for text, reason in (("nope", "no task nope"), ("inner.x", "part of d"), ("z", "has ended")):
        with pytest.raises(ArgumentInvalid, match=reason):
            chosen(flow, [text])
