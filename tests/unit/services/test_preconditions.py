from datetime import datetime, timedelta

import pytest
from pydantic import ValidationError

from runner.engine.creation import Beginning
from runner.model.preconditions import Filter, TimeWindow
from runner.services import firing
from runner.services.preconditions import compares
from runner.services.principal import LOCAL
from runner.store.base import ExecutionFilter
from tests.unit.runtimes import drive_all

NS = "company.team"
UPSTREAM = """\
id: {id}
namespace: company.team
tasks:
  - {{id: say, type: io.kestra.plugin.core.debug.Return, format: {id}}}
outputs:
  - {{id: {id}, type: STRING, value: "{{{{ outputs.say.value }}}}"}}
"""
LISTENER = """\
id: listener
namespace: company.team
inputs:
  - {id: both, type: STRING, required: false}
tasks:
  - {id: say, type: io.kestra.plugin.core.log.Log, message: hi}
triggers:
  - id: both
    type: io.kestra.plugin.core.trigger.Flow
    states: [SUCCESS]
    inputs:
      both: "{{ trigger.outputs.one }} {{ trigger.outputs.two }}"
"""
BARE = LISTENER.partition("    inputs:\n")[0]
FLOWS = """\
    preconditions:
      id: flows
      flows:
        - {namespace: company.team, flowId: one, states: [SUCCESS]}
        - {namespace: company.team, flowId: two}
"""
WHERE = """\
    preconditions:
      id: where
      where:
        - id: first
          filters:
            - {field: FLOW_ID, type: EQUAL_TO, value: one}
            - {field: NAMESPACE, type: STARTS_WITH, value: company}
        - id: second
          operand: OR
          filters:
            - {field: FLOW_ID, type: EQUAL_TO, value: nothing}
            - {field: EXPRESSION, type: IS_TRUE, value: "{{ outputs.say.value == 'two' }}"}
"""
MULTIPLE = """\
    conditions:
      - type: io.kestra.plugin.core.condition.MultipleCondition
        id: multiple
        window: P1D
        conditions:
          a: {type: core.condition.ExecutionFlow, namespace: company.team, flowId: one}
          b: {type: core.condition.ExecutionFlow, namespace: company.team, flowId: two}
"""


SEVERAL = """\
    conditions:
      - type: io.kestra.plugin.core.condition.MultipleCondition
        id: first
        conditions:
          a: {type: core.condition.ExecutionFlow, namespace: company.team, flowId: one}
      - type: io.kestra.plugin.core.condition.MultipleCondition
        id: second
        conditions:
          a: {type: core.condition.ExecutionFlow, namespace: company.team, flowId: two}
"""


@pytest.fixture
def add(services):
    def add(more, listener=LISTENER):
        for flow_id in ("one", "two"):
            services.flows.create(UPSTREAM.format(id=flow_id), by=LOCAL)
        services.flows.create(listener + more, by=LOCAL)

    return add


@pytest.fixture
def run(runtime):
    def run(flow_id):
        with runtime.store.begin() as tx:
            row = tx.flows.get(NS, flow_id)
            flow = firing.active_flow(runtime, tx, row)
            made = firing.create(runtime, tx, flow, row, Beginning(), by=LOCAL)
        drive_all(runtime, made.execution.id)

    return run


def started(runtime):
    with runtime.store.read() as tx:
        wanted = ExecutionFilter(flow_ids=("listener",))
        return list(tx.executions.search(wanted, limit=9).items)


@pytest.mark.parametrize(
    "more",
    [FLOWS, WHERE, MULTIPLE, SEVERAL],
    ids=["flows", "where", "multiple", "several"],
)
def test_a_flow_starts_when_all_has_been_seen_once(more, runtime, add, run):
    add(more)
    run("one")
    run("one")
    assert started(runtime) == []

    run("two")

    (execution,) = started(runtime)
    assert execution.trigger.variables["outputs"] == {"one": "one", "two": "two"}
    assert execution.inputs["both"] == "one two"
    assert execution.trigger.variables["flowId"] == "two"


def test_without_anything_to_see_each_execution_starts_one(runtime, add, run):
    add("    preconditions: {id: nothing}\n", BARE)
    for flow_id in ("one", "two"):
        run(flow_id)

    assert len(started(runtime)) == 2


@pytest.mark.parametrize(("kind", "count"), [("IS_NULL", 0), ("IS_NOT_NULL", 1)])
def test_a_rendered_expression_is_never_null(kind, count, runtime, add, run):
    """As in Kestra, where null is rendered to nothing, which is a text."""
    written = f"{{field: EXPRESSION, type: {kind}, value: '{{{{ null }}}}'}}"
    add(f"    preconditions:\n      id: p\n      where: [{{id: w, filters: [{written}]}}]\n", BARE)
    run("two")

    assert len(started(runtime)) == count


@pytest.mark.parametrize(("order", "count"), [((0, 1), 1), ((1, 0), 0)])
def test_what_stands_behind_the_deciding_condition_is_not_rendered(order, count, runtime, add, run):
    parts = ["{type: core.condition.Expression, expression: 'true'}"]
    parts.append("{type: core.condition.Expression, expression: '{{ missing }}'}")
    listed = ", ".join(parts[index] for index in order)
    add(f"    conditions: [{{type: core.condition.Or, conditions: [{listed}]}}]\n", BARE)
    run("one")

    assert len(started(runtime)) == count


def test_after_a_start_it_begins_anew(runtime, add, run):
    add(FLOWS)
    for flow_id in ("one", "two", "two"):
        run(flow_id)

    assert len(started(runtime)) == 1


def test_without_a_reset_each_further_match_starts_another(runtime, add, run):
    add(FLOWS + "      resetOnSuccess: false\n")
    for flow_id in ("one", "two", "two"):
        run(flow_id)

    assert len(started(runtime)) == 2


def test_what_was_seen_is_forgotten_when_the_window_is_over(runtime, add, run):
    add(FLOWS + "      timeWindow: {type: SLIDING_WINDOW, window: PT1H}\n")
    run("one")
    runtime.clock.move(hours=2)
    run("two")

    assert started(runtime) == []


def test_an_end_outside_of_its_window_does_not_count(runtime, add, run):
    now = datetime.now().astimezone().tzinfo
    passed = (runtime.clock.now() - timedelta(minutes=1)).astimezone(now).time().isoformat()
    add(FLOWS + f'      timeWindow: {{type: DAILY_TIME_DEADLINE, deadline: "{passed}"}}\n')
    for flow_id in ("one", "two"):
        run(flow_id)

    assert started(runtime) == []


@pytest.mark.parametrize(
    ("kind", "given", "holds"),
    [
        ("EQUAL_TO", "ab", True),
        ("NOT_EQUAL_TO", "ab", False),
        ("STARTS_WITH", "a", True),
        ("ENDS_WITH", "a", False),
        ("CONTAINS", "b", True),
        ("REGEX", "a", False),
        ("REGEX", "a.", True),
        ("IS_TRUE", "", True),
        ("IS_FALSE", "", False),
        ("IS_NULL", "", False),
        ("IS_NOT_NULL", "", True),
    ],
)
def test_a_filter_compares(kind, given, holds):
    assert compares(Filter(field="FLOW_ID", type=kind, value=given), "ab") is holds


@pytest.mark.parametrize(("kind", "holds"), [("IN", True), ("NOT_IN", False)])
def test_a_filter_compares_with_several(kind, holds):
    assert compares(Filter(field="STATE", type=kind, values=["ab", "c"]), "ab") is holds


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"type": "IN", "value": "a"}, "`values` cannot be null for type IN"),
        ({"type": "IN", "values": ["a"], "value": "a"}, "`value` must be null for type IN"),
        ({"type": "REGEX"}, "`value` cannot be null for type REGEX"),
    ],
)
def test_a_filter_needs_what_fits_its_type(given, message):
    with pytest.raises(ValidationError, match=message):
        Filter(field="FLOW_ID", **given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"type": "DAILY_TIME_DEADLINE"},
            "Time window of type `DAILY_TIME_DEADLINE` must have a deadline.",
        ),
        (
            {"type": "SLIDING_WINDOW", "advance": timedelta(hours=1)},
            "Time window of type `SLIDING_WINDOW` cannot have a window advance.",
        ),
        ({"deadline": "10:00:00"}, "Time window of type `DURATION_WINDOW` cannot have a deadline."),
    ],
)
def test_a_window_needs_what_fits_its_type(given, message):
    with pytest.raises(ValidationError, match=message):
        TimeWindow(**given)
