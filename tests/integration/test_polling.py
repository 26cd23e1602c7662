"""Polling triggers over real processes and a real server: taken, judged, told."""

import time

import pytest

from runner.attempt import AttemptControl, Reason
from runner.plugin import TaskStopped
from runner.services import polling
from runner.services.bundle import open_services
from runner.services.principal import LOCAL
from runner.store.base import ExecutionFilter, LogQuery
from runner.worker.polling import Polling
from runner.worker.running import Slots
from tests.unit.runtimes import a_runtime

PLACE = ("company.team", "polled", "poll")
FLOW = """\
id: polled
namespace: company.team
labels: {{of: flow}}
tasks:
  - {{id: say, type: io.kestra.plugin.core.log.Log, message: hi}}
triggers:
  - id: poll
    labels: {{of_trigger: "yes"}}
    interval: PT10S
    {more}
"""
COMMANDS = """type: io.kestra.plugin.scripts.shell.CommandsTrigger
    exitCondition: {condition}
    commands: ['{command}']
    {more}"""


@pytest.fixture
def runtime(tmp_path):
    runtime = a_runtime(tmp_path / "home")
    yield runtime
    runtime.store.close()


@pytest.fixture
def add(runtime):
    def add(more):
        open_services(runtime).flows.create(FLOW.format(more=more), by=LOCAL)

    return add


def commands(command, condition="exit 0", more="edge: false"):
    return COMMANDS.format(command=command, condition=condition, more=more)


def look(runtime):
    """Take, evaluate and finish once; False: nothing was due."""
    poll = polling.take(runtime, polling.types_of(runtime))
    if poll is None:
        return False
    polling.finish(runtime, poll, polling.evaluate(runtime, poll, AttemptControl()))
    return True


def a_row(runtime):
    with runtime.store.read() as tx:
        return tx.triggers.find(*PLACE)


def executions(runtime):
    with runtime.store.read() as tx:
        return list(tx.executions.search(ExecutionFilter(), limit=9).items)


def lines(runtime):
    return [line.message for line in runtime.store.logs.search(LogQuery(), limit=9).items]


def test_a_condition_that_is_met_starts_an_execution_and_locks_the_trigger(runtime, add):
    add(commands('''echo "::{\\"outputs\\": {\\"n\\": 3}}::"'''))

    assert look(runtime)

    (execution,) = executions(runtime)
    variables = execution.trigger.variables
    assert (variables["exitCode"], variables["vars"]) == (0, {"n": 3})
    assert {"of": "flow", "of_trigger": "yes", "system.from": "trigger"}.items() <= dict(
        execution.labels
    ).items()
    assert a_row(runtime).execution_id == execution.id
    runtime.clock.move(seconds=60)
    assert not look(runtime)


def test_a_condition_that_is_not_met_starts_nothing_until_the_next_time(runtime, add):
    add(commands("echo no; exit 3"))

    assert look(runtime)

    assert executions(runtime) == []
    assert not look(runtime)
    runtime.clock.move(seconds=10)
    assert look(runtime)


def test_an_edge_is_seen_once(runtime, add):
    add(commands("exit 3", "exit 3", "allowConcurrent: true"))

    for _ in range(3):
        assert look(runtime)
        runtime.clock.move(seconds=10)

    assert len(executions(runtime)) == 1


def test_a_failure_is_a_line_in_the_triggers_log(runtime, add):
    add("type: io.kestra.plugin.core.http.Trigger\n    uri: http://127.0.0.1:1/")

    assert look(runtime)

    assert executions(runtime) == []
    (line,) = lines(runtime)
    assert line.startswith("The trigger could not be evaluated: GET http://127.0.0.1:1/ failed")


def test_a_failure_may_be_an_execution_born_failed(runtime, add):
    add(
        "type: io.kestra.plugin.core.http.Trigger\n    uri: http://127.0.0.1:1/\n"
        "    failOnTriggerError: true"
    )

    look(runtime)

    assert [str(each.state) for each in executions(runtime)] == ["FAILED"]
    assert a_row(runtime).execution_id is None


def test_an_answer_is_judged_by_the_condition(runtime, add, httpserver):
    httpserver.expect_request("/state").respond_with_data("READY", status=404)
    add(
        f"type: io.kestra.plugin.core.http.Trigger\n    uri: {httpserver.url_for('/state')}\n"
        "    responseCondition: \"{{ response.statusCode == 404 and response.body == 'READY' }}\""
    )

    look(runtime)

    (execution,) = executions(runtime)
    assert (execution.trigger.variables["code"], execution.trigger.variables["body"]) == (
        404,
        "READY",
    )


def test_conditions_are_asked_before(runtime, add):
    add(
        commands("true") + "\n    conditions: [{type: io.kestra.plugin.core.condition.Expression, "
        'expression: "{{ false }}"}]'
    )

    assert look(runtime)
    assert executions(runtime) == []


def test_a_trigger_that_is_being_evaluated_is_taken_by_nobody_else(runtime, add):
    add(commands("true"))
    types = polling.types_of(runtime)

    poll = polling.take(runtime, types)

    assert polling.take(runtime, types) is None
    runtime.clock.move(seconds=50)
    polling.renew(runtime, [poll])
    runtime.clock.move(seconds=50)
    assert polling.take(runtime, types) is None
    runtime.clock.move(seconds=50)
    assert polling.take(runtime, types) is not None


def test_a_trigger_is_evaluated_by_workers_of_its_group(runtime, add):
    add(commands("true", more="workerGroup: {key: gpu}"))
    types = polling.types_of(runtime)

    assert polling.take(runtime, types) is None
    assert polling.take(runtime, types, ["default", "gpu"]) is not None


def test_the_log_of_a_trigger_may_go_to_a_file(runtime, add):
    add(commands("echo seen", more="logToFile: true"))

    assert look(runtime)

    (started,) = executions(runtime)
    with runtime.storage.open(started.trigger.log_file.removeprefix("kestra://")) as file:
        assert b"seen" in file.read()
    assert "seen" not in lines(runtime)


def test_what_comes_of_a_trigger_that_has_changed_is_dropped(runtime, add):
    add(commands("true"))
    poll = polling.take(runtime, polling.types_of(runtime))
    open_services(runtime).triggers.set_disabled(*PLACE, True, by=LOCAL)

    polling.finish(runtime, poll, polling.Verdict({"a": 1}))

    assert executions(runtime) == []


def test_an_evaluation_that_is_told_to_end_is_given_back(runtime, add):
    add(commands("sleep 30"))
    poll = polling.take(runtime, polling.types_of(runtime))
    control = AttemptControl()
    control.stop(Reason.SHUTDOWN)

    with pytest.raises(TaskStopped):
        polling.evaluate(runtime, poll, control)
    polling.give_back(runtime, poll)

    assert polling.take(runtime, polling.types_of(runtime)) is not None


def test_a_worker_evaluates_in_its_slots_and_ends_soon(runtime, add):
    add(commands("true"))
    slots = Slots(1)
    worker = Polling(runtime, slots, ["default"])

    worker.start()
    until = time.monotonic() + 10
    while not executions(runtime) and time.monotonic() < until:
        time.sleep(0.05)
    worker.stop()

    assert len(executions(runtime)) == 1
    assert slots.wait_until_idle(5)
