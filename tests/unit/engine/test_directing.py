"""Tasks that change their own execution (core-plugins §3)."""

import pytest

from runner.engine.events import TaskSucceeded
from runner.model.directives import Directives
from runner.model.states import State
from tests.unit.engine.simulator import Simulation, flowable, play, script, task


def exiting(simulation: Simulation, state: State) -> Simulation:
    run = simulation.of("exit")[0]
    simulation.waiting.pop(run.id)
    return simulation.feed(TaskSucceeded(run.id, 0, directives=Directives(exit=state)))


@pytest.mark.parametrize("state", ["SUCCESS", "WARNING", "FAILED", "CANCELLED", "KILLED"])
def test_exit_ends_everything_around_it_in_its_state(state):
    running = play(
        flowable("seq", "Sequential", tasks=(task("exit"), task("never"))),
        task("never_too"),
        held=["exit"],
        errors=(task("e"),),
        finally_=(task("f"),),
        after_execution=(task("after"),),
    )

    done = exiting(running, State(state))

    assert done.summary == {"seq": state, "exit": state, "after": "SUCCESS"}
    assert done.state == state
    assert done.execution.fully_ended


def test_running_siblings_of_an_exit_go_on_without_effect():
    parallel = flowable(
        "p",
        "Parallel",
        tasks=(task("exit"), flowable("s", "Sequential", tasks=(script("x"), task("never")))),
    )
    ended = exiting(play(parallel, held=["exit", "x"]), State.WARNING)
    assert ended.states("x") == ["SUBMITTED"]

    ended.release("x")

    assert ended.summary == {"p": "WARNING", "exit": "WARNING", "s": "WARNING", "x": "SUCCESS"}
    assert ended.state == "WARNING"


def test_exit_killed_stops_what_runs_and_waits_for_it():
    parallel = flowable("p", "Parallel", tasks=(task("exit"), script("x")))

    killing = exiting(play(parallel, held=["exit", "x"]), State.KILLED)

    assert killing.state == "KILLING"
    assert killing.stopped == ["x"]
    assert killing.release("x", State.KILLED).state == "KILLED"


def test_labels_and_variables_are_set_when_the_task_ends():
    running = play(task("a"), held=["a"])
    directives = Directives(labels=(("team", "x"),), variables={"n": 1})

    done = running.feed(TaskSucceeded(running.of("a")[0].id, 0, directives=directives))

    assert done.execution.labels == (("team", "x"),)
    assert done.execution.variables == {"n": 1}


def test_runs_that_a_task_has_made_are_kept_and_steer_nothing():
    running = play(script("a"), task("b"), held=["a"])
    run = running.of("a")[0]
    made = ({"task_id": "model_x", "state": "FAILED", "value": "x", "outputs": {"rows": 1}},)

    done = running.feed(TaskSucceeded(run.id, 0, made=made))

    assert done.summary == {"a": "SUCCESS", "model_x/x": "FAILED", "b": "SUCCESS"}
    assert done.of("model_x")[0].parent_id == run.id
    assert done.of("model_x")[0].outputs == {"rows": 1}
    assert done.state == "SUCCESS"
