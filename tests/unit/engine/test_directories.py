"""A WorkingDirectory: one attempt, with task runs inside that its worker reports (§7.6)."""

from datetime import timedelta

from runner.engine.events import ChildReported, Kill, TaskFailed, TaskKilled, TaskSucceeded
from runner.model.flow import TaskKind
from runner.model.states import State
from tests.unit.engine.simulator import START, Simulation, flowable, play, replace, script, task

FAILED, RUNNING, SUCCESS = State.FAILED, State.RUNNING, State.SUCCESS


def directory(**lists) -> Simulation:
    made = flowable("wd", "WorkingDirectory", tasks=(script("a"), script("b")), **lists)
    return play(replace(made, kind=TaskKind.WORKER), task("z"), held=["wd"])


def told(simulation, task_id, state, attempt_state=None, **more):
    run = simulation.of("wd")[0]
    attempt = len(run.attempts) - 1 if run.attempts else 0
    if not run.attempts:
        simulation.claim("wd")
    report = ChildReported(
        run.id,
        attempt,
        f"{run.id}-{attempt}-{task_id}",
        task_id,
        state,
        START + timedelta(seconds=1),
        attempt_state=attempt_state,
        **more,
    )
    return simulation.feed(report)


def ended(simulation, kind=TaskSucceeded, **more):
    run = simulation.of("wd")[0]
    return simulation.feed(kind(run.id, len(run.attempts) - 1, **more))


def test_its_tasks_show_while_it_runs_and_it_ends_as_they_did():
    running = told(directory(), "a", RUNNING)
    assert running.summary == {"wd": "RUNNING", "a": "RUNNING"}

    told(running, "a", SUCCESS, SUCCESS, outputs={"x": 1})
    assert running.of("a")[0].outputs == {"x": 1}
    told(told(running, "b", RUNNING), "b", State.WARNING, FAILED)
    done = ended(running, outputs={"outputFiles": {}})

    assert done.summary == {"wd": "WARNING", "a": "SUCCESS", "b": "WARNING", "z": "SUCCESS"}
    assert done.of("wd")[0].outputs == {"outputFiles": {}}
    assert done.state == "WARNING"


def test_a_failed_task_inside_makes_its_errors_and_finally_run():
    running = directory(errors=(task("e"),), finally_=(task("f"),))
    told(told(running, "a", RUNNING), "a", FAILED, FAILED)

    done = ended(running)

    assert done.summary == {"wd": "FAILED", "a": "FAILED", "e": "SUCCESS", "f": "SUCCESS"}


def test_its_finally_runs_after_success_too():
    done = ended(told(directory(finally_=(task("f"),)), "a", SUCCESS, SUCCESS))

    assert done.summary == {"wd": "SUCCESS", "a": "SUCCESS", "f": "SUCCESS", "z": "SUCCESS"}


def test_a_failure_of_the_directory_itself_closes_what_was_open():
    done = ended(told(directory(), "a", RUNNING), TaskFailed, message="no such file")

    assert done.summary == {"wd": "FAILED", "a": "FAILED"}


def test_a_lost_attempt_starts_as_a_whole():
    running = told(directory(), "a", SUCCESS, SUCCESS)
    again = ended(running, TaskFailed, lost=True)

    assert again.summary == {"wd": "RUNNING"} or again.summary == {"wd": "SUBMITTED"}


def test_a_late_report_changes_nothing():
    done = ended(told(directory(), "a", SUCCESS, SUCCESS))
    before = dict(done.runs.by_id)

    told(done, "b", RUNNING)

    assert done.runs.by_id == before


def test_a_kill_waits_for_the_directory_alone():
    killing = told(directory(), "a", RUNNING).feed(Kill())
    assert killing.stopped == ["wd"]
    assert killing.state == "KILLING"

    assert ended(killing, TaskKilled).summary == {"wd": "KILLED", "a": "KILLED"}
    assert killing.state == "KILLED"


def test_a_kill_during_its_errors_waits_for_them():
    running = directory(errors=(script("e"),))
    running.held.add("e")
    told(told(running, "a", RUNNING), "a", FAILED, FAILED)
    ended(running)

    killing = running.feed(Kill())

    assert killing.stopped == ["e"]
    assert killing.release("e", State.KILLED).state == "KILLED"
