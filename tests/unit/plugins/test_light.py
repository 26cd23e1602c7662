"""Metrics, states, echoes and tasks made of text."""

from dataclasses import replace

import pytest

from runner.model.logs import Level
from runner.plugin import TaskError
from runner.plugins import debug, metric, state, templating
from runner.testing import IDENTITY
from tests.unit.plugins.rendering import a_context


@pytest.fixture
def ctx(tmp_path):
    return a_context(tmp_path, variables={"inputs": {"name": "Ada"}})


def test_metrics_are_recorded_with_their_tags(ctx):
    metrics = [
        metric.Metric(type="counter", name="n", value="3", tags={"a": "b"}),
        metric.Metric(type="timer", name="t", value="PT1.5S"),
        metric.Metric(type="io.kestra.core.models.executions.metrics.Gauge", name="g", value=2),
    ]

    metric.Publish(metrics=metrics).run(ctx)

    assert [(m.name, m.kind, m.value) for m in ctx.metrics] == [
        ("n", "counter", 3.0),
        ("t", "timer", 1.5),
        ("g", "gauge", 2.0),
    ]
    assert ctx.metrics[0].tags == {"a": "b"}


def test_a_counter_needs_a_number(ctx):
    with pytest.raises(TaskError, match="the value of n is no number"):
        metric.Publish(metrics=[metric.Metric(type="counter", name="n", value="x")]).run(ctx)


def test_an_echo_is_a_line(ctx):
    debug.Echo(format="hi", level=Level.WARN).run(ctx)

    assert ctx.log.lines == [(Level.WARN, "hi")]


def test_a_state_is_merged_and_read_and_removed(ctx):
    state.Set(data={"a": 1}).run(ctx)

    assert state.Set(data={"b": 2}).run(ctx).count == 2
    assert state.Get().run(ctx).data == {"a": 1, "b": 2}
    assert state.Delete().run(ctx).deleted
    assert state.Get().run(ctx).count == 0
    with pytest.raises(TaskError, match="there is no state 'default'"):
        state.Get(error_on_missing=True).run(ctx)


def test_states_are_apart_by_flow_and_value(tmp_path):
    one = a_context(tmp_path / "1", identity=replace(IDENTITY, value="x"))
    two = a_context(tmp_path / "2", identity=replace(IDENTITY, flow_id="the_Other"))

    keys = {state.Get(**more).key(ctx) for ctx in (one, two) for more in ({}, {"name": "n"})}

    assert len(keys) == 4
    assert state.Get(namespace=True, taskrun_value=False).key(one) == "states_tasks-states_default"
    assert state.Get().key(two) == "the-other_states_tasks-states_default"


def test_a_templated_task_is_the_one_in_its_text(ctx):
    spec = "type: io.kestra.plugin.core.debug.Return\nformat: '{{ inputs.name }}!'"

    assert templating.TemplatedTask(spec=spec).run(ctx).value == "Ada!"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("a: [", "is no YAML"),
        ("[]", "a map with a type"),
        ("type: io.kestra.plugin.core.templating.TemplatedTask\nspec: x", "cannot be of type"),
        ("type: io.kestra.plugin.core.flow.Parallel\ntasks: []", "must be a runnable task"),
        ("type: io.kestra.plugin.core.debug.Return\nfromat: x", 'Unrecognized field "fromat"'),
    ],
)
def test_other_texts_are_no_tasks(spec, message, ctx):
    with pytest.raises(TaskError, match=message):
        templating.TemplatedTask(spec=spec).run(ctx)
