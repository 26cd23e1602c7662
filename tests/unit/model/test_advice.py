import pytest

from runner.model.parser import parse_flow
from runner.registry import load

REGISTRY = load()
FLOW = """\
id: f
namespace: n
inputs: [{{id: a, type: STRING{inputs}}}]
tasks:
  - {{id: a, type: {type}, script: x, {more}}}
"""
SCRIPT = "io.kestra.plugin.scripts.python.Script"


def messages(more="env: {}", type=SCRIPT, inputs=""):
    source = FLOW.format(more=more, type=type, inputs=inputs)
    return [problem.message for problem in parse_flow(source, REGISTRY).problems]


@pytest.mark.parametrize(
    ("more", "advice"),
    [
        ("condition: x", "write runIf"),
        ("dependsOn: [b]", "one after the other"),
        ("ignoreFailure: true", "write allowFailure: true"),
        ("workingDirectory: /x", "begin with cd"),
        ("requirements: [x]", "write dependencies"),
        ("Retry: {}", "did you mean 'retry'?"),
        ("containerImages: x", "did you mean 'containerImage'?"),
    ],
)
def test_an_invented_property_is_answered_with_what_to_write(more, advice):
    (message,) = messages(more)

    assert message.startswith(f'Unrecognized field "{more.partition(":")[0]}"')
    assert advice in message


def test_an_invented_property_of_an_input_too():
    (message,) = messages(inputs=", allowedValues: [x]")

    assert message.endswith("of an input of type STRING: write type: SELECT with values")


def test_advice_that_does_not_fit_is_not_given():
    (message,) = messages("command: x")

    assert "a list" not in message


def test_an_invented_type_is_answered_with_what_to_write():
    found = messages(type="io.kestra.plugin.core.trigger.Manual")

    assert any("no trigger is needed" in message for message in found)
