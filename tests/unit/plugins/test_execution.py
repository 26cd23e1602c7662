"""Assertions, failures, exits, and outputs made from values."""

import pytest

from runner.model.states import State
from runner.plugin import TaskError
from runner.plugins import execution, output
from tests.unit.plugins.rendering import a_context


@pytest.fixture
def ctx(tmp_path):
    return a_context(tmp_path, variables={"inputs": {"amount": 100, "items": []}})


def test_assertions_that_hold_let_go_on(ctx):
    execution.Assert(conditions=["{{ inputs.amount > 99 }}", "yes"]).run(ctx)

    assert [(m.name, m.value) for m in ctx.metrics] == [("failed", 0), ("success", 2)]


@pytest.mark.parametrize("condition", ["{{ inputs.amount > 100 }}", "false", "0", "", "{{ nope }}"])
def test_an_assertion_that_does_not_hold_fails_with_its_message(ctx, condition):
    task = execution.Assert(conditions=["yes", condition], error_message="Too much")

    with pytest.raises(TaskError, match=r"1 assertion failed!\nToo much"):
        task.run(ctx)


@pytest.mark.parametrize(
    ("name", "state"), [("CANCELED", State.CANCELLED), ("KILLED", State.KILLED)]
)
def test_an_exit_names_how_the_execution_ends(ctx, name, state):
    assert execution.Exit(state=name).run(ctx).exit is state


def test_output_values_are_given_back_with_their_types(ctx):
    values = {"n": 1, "list": [True, None], "map": {"a": "b"}}

    assert output.OutputValues(values=values).run(ctx).values == values
