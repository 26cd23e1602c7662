import base64

import pytest

from runner.errors import NotFound, Refused
from runner.model.states import State
from runner.services.announcements import settle
from runner.services.bundle import open_services
from runner.services.principal import LOCAL
from runner.services.webhooks import Call, EvaluationFailed
from runner.store.base import ExecutionFilter
from tests.unit.runtimes import HOOKED, a_runtime, drive_all


def call(services, key="s3cret", **parts):
    return services.webhooks.call(Call("company.team", "hooked", key, **parts))


def test_the_right_key_starts_the_flow_with_what_was_sent(services, runtime):
    services.flows.create(HOOKED, by=LOCAL)

    answer = call(
        services,
        body=b'{"ref": "main"}',
        headers={"x-a": ["1"]},
        parameters={"q": ["1", "2"]},
    )

    execution = answer.creation.execution
    assert execution.trigger.variables == {
        "body": {"ref": "main"},
        "headers": {"x-a": ["1"]},
        "parameters": {"q": ["1", "2"]},
    }
    assert dict(execution.labels)["system.from"] == "trigger"
    drive_all(runtime, execution.id)
    assert services.executions.get(execution.id).runs[0].outputs == {"value": "main"}


@pytest.mark.parametrize("key", ["", "s3cre", "s3cret2", "S3CRET"])
def test_another_key_is_not_found(services, key):
    services.flows.create(HOOKED, by=LOCAL)

    with pytest.raises(NotFound, match="Webhook not found"):
        call(services, key)


def test_an_unknown_flow_is_not_found(services):
    with pytest.raises(NotFound, match="Flow not found"):
        call(services)


def test_a_key_may_be_a_secret(tmp_path):
    secret = base64.b64encode(b"from-the-vault").decode()
    runtime = a_runtime(tmp_path / "home", environment={"SECRET_HOOK": secret})
    services = open_services(runtime)
    services.flows.create(HOOKED.replace("key: s3cret", "key: \"{{ secret('HOOK') }}\""), by=LOCAL)

    assert call(services, "from-the-vault").creation is not None
    runtime.store.close()


def test_a_key_whose_secret_is_missing_matches_nothing(services):
    services.flows.create(HOOKED.replace("key: s3cret", "key: \"{{ secret('HOOK') }}\""), by=LOCAL)

    with pytest.raises(NotFound):
        call(services, "")


def test_a_new_revision_counts_at_once(services):
    services.flows.create(HOOKED, by=LOCAL)
    call(services)
    services.flows.update("company.team", "hooked", HOOKED.replace("s3cret", "other"), by=LOCAL)

    with pytest.raises(NotFound):
        call(services)
    assert call(services, "other").creation.execution.revision == 2


def test_a_flow_that_was_disabled_a_moment_ago_is_refused(services):
    services.flows.create(HOOKED, by=LOCAL)
    call(services)
    services.flows.set_disabled("company.team", "hooked", True, by=LOCAL)

    with pytest.raises(Refused, match="disabled"):
        call(services)


def test_a_trigger_that_was_switched_off_starts_nothing(services):
    services.flows.create(HOOKED, by=LOCAL)
    services.triggers.set_disabled("company.team", "hooked", "hook", True, by=LOCAL)

    assert call(services).creation is None


def test_conditions_decide(services):
    guarded = HOOKED + (
        "    conditions:\n"
        "      - type: io.kestra.plugin.core.condition.Expression\n"
        "        expression: \"{{ trigger.body.ref == 'main' }}\"\n"
    )
    services.flows.create(guarded, by=LOCAL)

    assert call(services, body=b'{"ref": "dev"}').creation is None
    assert call(services, body=b'{"ref": "main"}').creation is not None


def test_a_condition_that_cannot_be_judged_leaves_a_failed_execution(services):
    guarded = HOOKED + (
        "    conditions:\n"
        "      - type: io.kestra.plugin.core.condition.Expression\n"
        '        expression: "{{ trigger.body.nope.deeper }}"\n'
    )
    services.flows.create(guarded, by=LOCAL)

    with pytest.raises(EvaluationFailed):
        call(services, body=b"{}")

    (execution,) = services.executions.search(ExecutionFilter(), limit=5).items
    assert execution.state is State.FAILED
    assert services.logs.tail(execution.id, {})


def test_inputs_of_the_trigger_are_rendered_and_resolved(services):
    services.flows.create(HOOKED + '    inputs:\n      ref: "{{ trigger.body.ref }}"\n', by=LOCAL)

    execution = call(services, body=b'{"ref": "main"}').creation.execution

    assert execution.inputs == {"ref": "main"}


def test_flows_hear_of_an_execution_that_was_born_failed(services, runtime):
    listener = """\
id: listener
namespace: company.team
tasks:
  - {id: say, type: io.kestra.plugin.core.debug.Return, format: "{{ trigger.state }}"}
triggers:
  - {id: after, type: io.kestra.plugin.core.trigger.Flow, states: [FAILED]}
"""
    guarded = HOOKED + (
        "    conditions:\n"
        "      - type: io.kestra.plugin.core.condition.Expression\n"
        '        expression: "{{ trigger.body.nope.deeper }}"\n'
    )
    services.flows.create(listener, by=LOCAL)
    services.flows.create(guarded, by=LOCAL)
    with pytest.raises(EvaluationFailed):
        call(services, body=b"{}")

    settle(runtime)

    found = services.executions.search(ExecutionFilter(flow_ids=("listener",)), limit=5).items
    assert len(found) == 1


def test_the_status_of_the_answer_may_be_an_expression(services):
    waiting = HOOKED + "    wait: true\n    responseCode: '{{ trigger.body.code }}'\n"
    services.flows.create(waiting, by=LOCAL)

    assert call(services, body=b'{"code": 202}').response_code == 202
    with pytest.raises(EvaluationFailed, match="no status"):
        call(services, body=b'{"code": 42}')


def test_a_label_that_cannot_be_rendered_is_left_out(services):
    labels = "    labels: {ref: '{{ trigger.body.ref }}', gone: '{{ nope }}'}\n"
    services.flows.create(HOOKED + labels, by=LOCAL)

    execution = call(services, body=b'{"ref": "main"}').creation.execution

    assert dict(execution.labels)["ref"] == "main"
    assert "gone" not in dict(execution.labels)


def test_a_trigger_without_inputs_asks_for_none(services):
    """The flow may be started by hand with its inputs, and by calls that have only a body."""
    asking = HOOKED.replace("tasks:", "  - {id: must, type: STRING}\ntasks:", 1)
    services.flows.create(asking, by=LOCAL)

    execution = call(services, body=b'{"ref": "main"}').creation.execution

    assert execution.inputs == {}
