"""SLAs and listeners (execution-semantics §10, flow-language §16.4)."""

from datetime import timedelta

import pytest

from runner.engine.events import TimerFired
from runner.model.flow import Listener, Sla
from runner.model.states import State
from tests.unit.engine.simulator import Simulation, a_flow, flowable, play, script, task

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(("behavior", "state"), [("FAIL", "FAILED"), ("CANCEL", "CANCELLED")])
def test_what_takes_too_long_is_ended(behavior, state):
    sla = Sla("max", "MAX_DURATION", behavior, SECOND, labels=(("slow", "yes"),))
    running = play(
        flowable(
            "seq", "Sequential", tasks=(flowable("s", "Sleep", {"duration": "PT9S"}), task("z"))
        ),
        errors=(task("e"),),
        after_execution=(task("after"),),
        sla=(sla,),
    )
    assert running.timers["sla:max"] - running.execution.created_at == SECOND

    over = running.feed(TimerFired("sla:max"))

    assert over.state == state
    assert over.summary == {"seq": state, "s": state, "after": "SUCCESS"}
    assert over.timers == {}
    assert over.execution.labels == (("slow", "yes"),)


def test_running_work_is_stopped_when_time_is_over():
    sla = Sla("max", "MAX_DURATION", "FAIL", SECOND)
    over = play(script("x"), held=["x"], sla=(sla,)).feed(TimerFired("sla:max"))

    assert over.state == "FAILED"
    assert over.stopped == ["x"]
    assert over.summary == {"x": "FAILED"}


def test_an_assertion_is_looked_at_at_every_change():
    sla = Sla("holds", "EXECUTION_ASSERTION", "FAIL", assertion="{{ … }}")
    simulation = Simulation(a_flow(task("a"), task("b"), task("c"), sla=(sla,)))
    simulation.values["sla"] = lambda sim: {"holds": str(not sim.of("b")).lower()}

    over = simulation.start()

    assert over.state == "FAILED"
    assert over.states("c") == []
    assert "SLA 'holds' violated: assertion is false" in over.told[0]


def test_an_sla_without_behavior_only_adds_labels():
    sla = Sla("max", "MAX_DURATION", "NONE", SECOND, labels=(("slow", "yes"),))
    running = play(script("x"), held=["x"], sla=(sla,)).feed(TimerFired("sla:max"))

    assert running.state == "RUNNING"
    assert running.release("x").execution.labels == (("slow", "yes"),)


def test_listeners_whose_conditions_hold_run_before_after_execution():
    done = play(
        task("a"),
        script={"l1": State.FAILED},
        values={"listeners": {"chosen": [0, 2]}},
        listeners=(
            Listener((), (task("l1"), task("l2"))),
            Listener((), (task("no"),)),
            Listener((), (task("l3"),)),
        ),
        after_execution=(task("after"),),
    )

    assert done.started_order == ["a", "l1", "l2", "l3", "after"]
    assert done.state == "SUCCESS"
    assert done.execution.fully_ended
