from io import BytesIO

import pytest

from runner.engine.restart import change_state
from runner.errors import ArgumentInvalid, InputInvalid, NotFound, Refused
from runner.model.states import State
from runner.services.executions import LATEST, Order, StillRunning
from runner.services.inputs import Upload
from runner.services.principal import LOCAL
from runner.store.base import ExecutionFilter
from tests.unit.runtimes import BROKEN, HELLO, PAUSING, drive_all


def start(services, source, flow_id, **order):
    services.flows.create(source, by=LOCAL)
    order = {"inputs": {}, **order}
    return services.executions.create(Order("company.team", flow_id, **order), by=LOCAL).execution


def ended(services, source, flow_id, **order):
    execution = start(services, source, flow_id, **order)
    drive_all(services.runtime, execution.id)
    return services.executions.get(execution.id)


def states(shown):
    return [(run.task_id, str(run.state)) for run in shown.runs]


def test_a_new_execution_is_pinned_labelled_and_woken(services, runtime):
    execution = start(services, HELLO, "hello", labels=(("env", "dev"),))

    assert execution.state is State.CREATED
    assert execution.revision == 1
    assert dict(execution.labels) == {
        "team": "data",
        "env": "dev",
        "system.correlationId": execution.id,
        "system.from": "api",
    }
    assert [wake.execution_id for wake in runtime.queue.sent] == [execution.id]


def test_inputs_are_resolved_before_anything_is_written(services):
    with pytest.raises(InputInvalid):
        start(services, HELLO, "hello", inputs={"n": "many"})

    assert services.executions.count(_everything()) == 0


def test_a_file_of_a_refused_creation_does_not_stay(services, runtime):
    upload = Upload("a.csv", BytesIO(b"x"))

    with pytest.raises(InputInvalid):
        start(services, HELLO, "hello", inputs={"doc": upload, "n": "many"})

    assert list(runtime.storage.list("/company/")) == []


def test_a_file_becomes_a_uri_below_its_execution(services, runtime):
    upload = Upload("../../a b.csv", BytesIO(b"x,y"))

    execution = start(services, HELLO, "hello", inputs={"doc": upload})

    uri = execution.inputs["doc"]
    assert uri == (f"kestra:///company/team/hello/executions/{execution.id}/inputs/doc/a_b.csv")
    with services.stored.open(execution.id, uri) as stream:
        assert stream.read() == b"x,y"


def test_the_same_key_starts_one_execution(services):
    first = start(services, HELLO, "hello", key="k")
    again = services.executions.create(Order("company.team", "hello", inputs={}, key="k"), by=LOCAL)

    assert again.execution.id == first.id
    assert not again.is_new
    assert services.executions.count(_everything()) == 1


def test_a_disabled_flow_is_not_executed(services):
    with pytest.raises(Refused, match="Cannot execute a disabled flow"):
        start(services, HELLO + "disabled: true\n", "hello")


def test_a_system_label_is_refused(services):
    with pytest.raises(ArgumentInvalid, match="System labels can only be set by"):
        start(services, HELLO, "hello", labels=(("system.x", "1"),))


def test_an_older_revision_can_be_executed(services):
    services.flows.create(HELLO, by=LOCAL)
    services.flows.update("company.team", "hello", HELLO + "description: two\n", by=LOCAL)

    order = Order("company.team", "hello", inputs={}, revision=1)

    assert services.executions.create(order, by=LOCAL).execution.revision == 1


def test_kill_ends_an_execution_that_has_not_begun(services, runtime):
    execution = start(services, HELLO, "hello")

    services.executions.kill(execution.id, by=LOCAL)
    drive_all(runtime, execution.id)

    assert services.executions.head(execution.id).state is State.KILLED


def test_a_finished_execution_is_killed_only_with_what_it_started(services):
    shown = ended(services, HELLO, "hello")

    services.executions.kill(shown.execution.id, by=LOCAL)
    with pytest.raises(Refused):
        services.executions.kill(shown.execution.id, by=LOCAL, cascade=False)


def test_a_paused_execution_goes_on_with_the_inputs_of_its_pause(services, runtime):
    shown = ended(services, PAUSING, "pausing")
    assert shown.execution.state is State.PAUSED

    services.executions.resume(shown.execution.id, by=LOCAL, inputs={"reason": "go"})
    drive_all(runtime, shown.execution.id)

    after = services.executions.get(shown.execution.id)
    assert after.execution.state is State.SUCCESS
    assert after.runs[-1].outputs == {"value": "go"}


def test_a_pause_keeps_waiting_when_its_inputs_are_wrong(services):
    shown = ended(services, PAUSING, "pausing")

    with pytest.raises(InputInvalid):
        services.executions.resume(shown.execution.id, by=LOCAL)

    assert services.executions.head(shown.execution.id).state is State.PAUSED


def test_only_what_is_paused_is_resumed(services):
    shown = ended(services, HELLO, "hello")

    with pytest.raises(Refused, match="is not paused"):
        services.executions.resume(shown.execution.id, by=LOCAL)


TWO_GATES = """\
id: gates
namespace: company.team
tasks:
  - {id: first, type: io.kestra.plugin.core.flow.Pause}
  - {id: second, type: io.kestra.plugin.core.flow.Pause}
"""


def test_two_resumes_at_once_pass_one_gate(services, runtime):
    shown = ended(services, TWO_GATES, "gates")
    for _ in range(2):
        services.executions.resume(shown.execution.id, by=LOCAL)
    drive_all(runtime, shown.execution.id)

    passed = services.executions.get(shown.execution.id)
    assert states(passed) == [("first", "SUCCESS"), ("second", "PAUSED")]


def test_restart_runs_the_failed_task_again_in_place(services, runtime):
    shown = ended(services, BROKEN, "broken")
    assert states(shown) == [("first", "SUCCESS"), ("bad", "FAILED")]

    again = services.executions.restart(shown.execution.id, by=LOCAL)

    assert again.id == shown.execution.id
    assert again.execution.state is State.RESTARTED
    assert again.execution.attempt_number == 2
    drive_all(runtime, again.id)
    after = services.executions.get(again.id)
    assert after.execution.state is State.FAILED
    assert [run.id for run in after.runs] == [run.id for run in shown.runs]
    assert len(after.runs[1].attempts) == 2
    assert len(after.runs[0].attempts) == 1


def test_restart_with_another_revision_is_a_new_execution_that_keeps_what_succeeded(
    services, runtime
):
    shown = ended(services, BROKEN, "broken")
    fixed = BROKEN.replace("io.kestra.plugin.core.execution.Fail", RETURN_TYPE)
    services.flows.update("company.team", "broken", fixed, by=LOCAL)

    new = services.executions.restart(shown.execution.id, by=LOCAL, revision=2)
    drive_all(runtime, new.id)

    after = services.executions.get(new.id)
    assert after.execution.state is State.SUCCESS
    assert after.execution.parent_id == shown.execution.id
    assert states(after) == [("first", "SUCCESS"), ("bad", "SUCCESS"), ("last", "SUCCESS")]
    assert len(after.runs[0].attempts) == 1
    assert services.executions.head(shown.execution.id).state is State.FAILED


def test_nothing_failed_nothing_to_restart(services):
    shown = ended(services, HELLO, "hello")

    with pytest.raises(ArgumentInvalid, match="No task found to restart execution from"):
        services.executions.restart(shown.execution.id, by=LOCAL)


def test_replay_from_a_task_with_the_latest_revision_keeps_what_came_before(services, runtime):
    shown = ended(services, BROKEN, "broken")
    fixed = BROKEN.replace("io.kestra.plugin.core.execution.Fail", RETURN_TYPE)
    services.flows.update("company.team", "broken", fixed, by=LOCAL)

    new = services.executions.replay(
        shown.execution.id, by=LOCAL, from_task_run=shown.runs[1].id, revision=LATEST
    )
    drive_all(runtime, new.id)

    after = services.executions.get(new.id)
    assert after.execution.state is State.SUCCESS
    assert after.execution.revision == 2
    assert after.execution.original_id == shown.execution.id
    assert dict(after.execution.labels)["system.replay"] == "true"
    assert after.runs[0].outputs == {"value": "one"}
    assert after.runs[0].history[0] == shown.runs[0].history[0]
    old = services.executions.head(shown.execution.id)
    assert dict(old.labels)["system.replayed"] == "true"


def test_replay_from_the_start_runs_everything_with_the_same_inputs(services, runtime):
    shown = ended(services, HELLO, "hello", inputs={"who": "ann"})

    new = services.executions.replay(shown.execution.id, by=LOCAL)
    drive_all(runtime, new.id)

    after = services.executions.get(new.id)
    assert after.execution.outputs == {"greeting": "ann"}
    assert after.execution.attempt_number == 2
    assert {run.id for run in after.runs}.isdisjoint({run.id for run in shown.runs})


def test_replay_with_inputs_begins_anew(services, runtime):
    shown = ended(services, HELLO, "hello")

    new = services.executions.replay(shown.execution.id, by=LOCAL, inputs={"who": "eve"})
    drive_all(runtime, new.id)

    assert services.executions.head(new.id).outputs == {"greeting": "eve"}


def test_replay_from_an_unknown_task_run_is_refused(services):
    shown = ended(services, HELLO, "hello")

    with pytest.raises(ArgumentInvalid):
        services.executions.replay(shown.execution.id, by=LOCAL, from_task_run="nope")


def test_a_task_told_to_have_succeeded_lets_the_flow_go_on(services, runtime):
    shown = ended(services, BROKEN, "broken")

    services.executions.change_task_run_state(
        shown.execution.id, shown.runs[1].id, State.SUCCESS, by=LOCAL
    )
    drive_all(runtime, shown.execution.id)

    after = services.executions.get(shown.execution.id)
    assert states(after) == [("first", "SUCCESS"), ("bad", "SUCCESS"), ("last", "SUCCESS")]
    assert after.execution.state is State.SUCCESS


def test_labels_change_only_after_the_end_and_keep_the_systems(services):
    execution = start(services, HELLO, "hello")
    with pytest.raises(StillRunning):
        services.executions.set_labels(execution.id, (("a", "b"),), by=LOCAL)

    drive_all(services.runtime, execution.id)
    services.executions.set_labels(execution.id, (("a", "b"),), by=LOCAL)

    labels = dict(services.executions.head(execution.id).labels)
    assert labels == {
        "a": "b",
        "system.correlationId": execution.id,
        "system.from": "api",
    }


def test_delete_takes_files_and_log_along(services, runtime):
    shown = ended(services, HELLO, "hello", inputs={"doc": Upload("a", BytesIO(b"x"))})

    services.executions.delete(shown.execution.id, by=LOCAL)

    with pytest.raises(NotFound):
        services.executions.head(shown.execution.id)
    assert list(runtime.storage.list("/company/")) == []
    assert runtime.store.logs.tail(shown.execution.id, {}, limit=10) == []


def test_changes_leave_a_record_of_who_made_them(services):
    shown = ended(services, HELLO, "hello")
    services.executions.replay(shown.execution.id, by=LOCAL)

    found = services.audit.list(subject=shown.execution.id).items

    assert [(row.principal, row.action) for row in found] == [(LOCAL.name, "execution.replay")]


RETURN_TYPE = "io.kestra.plugin.core.debug.Return, format: two"


def _everything():
    return ExecutionFilter()


QUEUEING = """\
id: one-at-a-time
namespace: company.team
concurrency: {limit: 1}
tasks:
  - {id: wait, type: io.kestra.plugin.core.flow.Pause}
"""


def test_what_is_queued_can_run_over_the_limit_or_be_given_up(services, runtime):
    shown = ended(services, QUEUEING, "one-at-a-time")
    assert shown.execution.state is State.PAUSED
    order = Order("company.team", "one-at-a-time", inputs={})
    queued = [services.executions.create(order, by=LOCAL).execution.id for _ in range(2)]
    for each in queued:
        drive_all(runtime, each)
    assert {services.executions.head(each).state for each in queued} == {State.QUEUED}

    services.executions.unqueue(queued[0], by=LOCAL)
    services.executions.unqueue(queued[1], by=LOCAL, state=State.CANCELLED)
    for each in queued:
        drive_all(runtime, each)

    found = [services.executions.head(each).state for each in queued]
    assert found == [State.PAUSED, State.CANCELLED]
    with pytest.raises(ArgumentInvalid):
        services.executions.unqueue(queued[0], by=LOCAL)


VARIABLES = """\
id: vary
namespace: company.team
variables: {v: one}
tasks:
  - {id: bad, type: io.kestra.plugin.core.execution.Fail}
"""


def test_a_restart_with_a_revision_keeps_the_variables_and_a_replay_takes_the_new_ones(services):
    shown = ended(services, VARIABLES, "vary")
    mended = VARIABLES.replace("one", "two").replace("execution.Fail}", "debug.Return, format: x}")
    services.flows.update("company.team", "vary", mended, by=LOCAL)

    restarted = services.executions.restart(shown.execution.id, revision=2, by=LOCAL)
    replayed = services.executions.replay(
        shown.execution.id, from_task_run=shown.runs[0].id, revision=2, by=LOCAL
    )

    assert restarted.execution.variables == {"v": "one"}
    assert replayed.execution.variables == {"v": "two"}


def test_a_pause_that_is_forced_asks_for_nothing(services, runtime):
    shown = ended(services, PAUSING, "pausing")

    services.executions.force_run(shown.execution.id, by=LOCAL)
    drive_all(runtime, shown.execution.id)

    again = services.executions.get(shown.execution.id)
    assert again.runs[0].state is State.SUCCESS
    assert again.execution.attempt_number == 2


def test_the_state_of_a_task_inside_a_directory_is_not_changed(services):
    from tests.unit.engine.simulator import play, replace, script

    inner = script("inner")
    directory = replace(script("d"), children={"tasks": (inner,)})
    played = play(directory)
    run = replace(played.of("d")[0], id="i", task_id="inner", parent_id=played.of("d")[0].id)

    with pytest.raises(ArgumentInvalid, match="part of what its WorkingDirectory has run"):
        change_state(
            played.flow, played.execution, [*played.of("d"), run], "i", State.SUCCESS, played.now
        )


def test_labels_set_by_hand_have_sensible_keys_and_values(services):
    done = ended(services, HELLO, "hello", labels=(("Odd Key", "x"),)).execution.id

    for wrong in ((("a", ""),), (("Big", "1"),), (("", "x"),)):
        with pytest.raises(ArgumentInvalid):
            services.executions.set_labels(done, wrong, by=LOCAL)
    kept = (("Odd Key", "x"), ("", ""), ("a-b", "1"))
    labels = dict(services.executions.set_labels(done, kept, by=LOCAL).labels)

    assert labels == {
        "Odd Key": "x",
        "a-b": "1",
        "system.correlationId": done,
        "system.from": "api",
    }


def test_what_is_told_shows_what_it_will_be(services):
    paused = ended(services, PAUSING, "pausing").execution.id
    inputs = {"reason": "go"}

    assert services.executions.resume(paused, by=LOCAL, inputs=inputs).state is State.RESTARTED
    assert services.executions.kill(paused, by=LOCAL).state is State.KILLING
    drive_all(services.runtime, paused)
    assert services.executions.kill(paused, by=LOCAL).state.is_terminal
