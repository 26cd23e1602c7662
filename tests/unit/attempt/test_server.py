"""Maintenance tasks over a real store: counting, purging, resuming."""

import pytest

from runner.attempt.server import TaskServer
from runner.errors import NotFound
from runner.model.states import State
from runner.plugin import TaskError
from runner.plugins.execution import Count, PurgeExecutions
from runner.services.bundle import open_services
from runner.services.executions import Order
from runner.services.principal import LOCAL
from tests.unit.plugins.rendering import a_context
from tests.unit.runtimes import BROKEN, HELLO, a_runtime, drive_all

FUTURE, PAST = "2100-01-01T00:00:00Z", "2000-01-01T00:00:00Z"


@pytest.fixture
def runtime(tmp_path):
    runtime = a_runtime(tmp_path / "home")
    yield runtime
    runtime.store.close()


@pytest.fixture
def ran(runtime):
    """Two good executions and a failed one; their ids by flow."""
    services = open_services(runtime)
    for text in (HELLO, BROKEN):
        services.flows.create(text, by=LOCAL)
    ran = {"hello": [], "broken": []}
    for flow_id in ("hello", "hello", "broken"):
        order = Order("company.team", flow_id, inputs={})
        execution = services.executions.create(order, by=LOCAL).execution
        drive_all(runtime, execution.id)
        ran[flow_id].append(execution.id)
    return ran


@pytest.fixture
def ctx(runtime, tmp_path):
    ctx = a_context(tmp_path)
    ctx.server = TaskServer(runtime)
    return ctx


def is_there(runtime, execution_id):
    with runtime.store.read() as tx:
        try:
            tx.executions.get(execution_id)
        except NotFound:
            return False
    return True


def test_executions_are_counted_by_flow_and_kept_by_the_expression(ctx, ran):
    flows = [{"namespace": "company.team", "flowId": name} for name in ("hello", "broken", "no")]
    counted = Count(flows=flows, start_date=PAST, expression="{{ count > 0 }}").run(ctx)

    assert [(each["flowId"], each["count"]) for each in counted.results] == [
        ("hello", 2),
        ("broken", 1),
    ]
    assert counted.total == 3


def test_counting_heeds_states_and_dates(ctx, ran):
    common = {"namespaces": ["company.team"], "expression": "true"}

    assert Count(start_date=PAST, states=[State.FAILED], **common).run(ctx).total == 1
    assert Count(start_date=FUTURE, **common).run(ctx).total == 0
    with pytest.raises(TaskError, match="either 'flows' or 'namespaces'"):
        Count(start_date=PAST, expression="true").run(ctx)


def test_a_purge_removes_what_fits_and_what_belongs_to_it(ctx, ran, runtime):
    purged = PurgeExecutions(end_date=FUTURE, states=[State.SUCCESS]).run(ctx)

    assert purged.executions_count == 2
    assert purged.logs_count >= 2
    assert [is_there(runtime, each) for each in ran["hello"]] == [False, False]
    assert is_there(runtime, ran["broken"][0])
    assert list(ctx.server.logs(ran["hello"][0])) == []
    assert list(ctx.server.logs(ran["broken"][0])) != []


def test_a_purge_of_logs_leaves_the_executions(ctx, ran, runtime):
    task = PurgeExecutions(end_date=FUTURE, flow_id="hello", purge_execution=False)

    assert task.run(ctx).executions_count == 0
    assert is_there(runtime, ran["hello"][0])
    assert list(ctx.server.logs(ran["hello"][0])) == []


def test_a_purge_until_a_date_leaves_what_is_younger(ctx, ran, runtime):
    assert PurgeExecutions(end_date=PAST).run(ctx).executions_count == 0
    assert is_there(runtime, ran["hello"][0])
