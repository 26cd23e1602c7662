"""Our verdicts on flows of our own are those that Kestra gave when it was asked."""

import pytest

from runner.registry import load

from .verdicts import cases, differences, own_answer, recorded

_STRICTER = "refused here, as it can never run; Kestra looks only when it does"
_NO_EFFECT = "passed over, as it has no effect"
_OTHERWISE = {
    "flow: a task is null": _STRICTER,
    "flowables: LoopUntil with empty tasks": _STRICTER,
    "flowables: Pause with a list as onPause": _STRICTER,
    "flowables: Switch case with a bad child": _STRICTER,
    "flowables: Dag with a child that lacks something": _STRICTER,
    "triggers: preconditions with a flow without namespace": _STRICTER,
    "inputs: FILE with an expression that gives a path": "found when the execution is created",
    "inputs: SELECT with a pattern that is none": "values are compared, so none need be a pattern",
    "inputs: MULTISELECT with a pattern that is none": "the same",
    "names: id that is an octal number": "the text of the number is a good id",
    "names: id that is a boolean": "the text of the boolean is a good id",
    "parts: triggers: [{id: s, type: @trigger.Schedule, cron: '* * * * *', conditions: "
    "[{type: @condition.Not, conditions: [{type: @condition.DayWeek}]}]}]": _STRICTER,
    "parts: triggers: [{id: s, type: @trigger.Flow, conditions: "
    "[{type: @condition.MultipleCondition, id: m, conditions: "
    "{a: {type: @condition.ExecutionFlow}}}]}]": _STRICTER,
    "parts: tasks: [{id: t, type: @http.Request, uri: x, options: {logLevel: FOO}}]": _NO_EFFECT,
    "parts: tasks: [{id: t, type: @http.Request, uri: x, options: "
    "{maxContentLength: many}}]": _NO_EFFECT,
    "parts: tasks: [{id: t, type: @execution.Count, expression: x, startDate: y, flows: "
    "[{namespace: a, flowId: b, foo: c}]}]": _NO_EFFECT,
    "parts: inputs: [{id: a, type: DATE, after: 5}]": "a number is no date",
    "parts: inputs: [{id: a, type: DATETIME, after: 1704067200}]": "the same",
    "parts: inputs: [{id: a, type: FILE, defaults: '{{ 1 + }}'}]": "a warning of its own",
    "triggers: Schedule with a bar": "several expressions in one are not understood",
    "triggers: Schedule with scheduleConditions": "deprecated there, and no longer readable",
    "yaml: anchors": "anchors are refused instead of read as something else",
    "yaml: aliases": "the same",
    "yaml: merge keys": "the same",
}


@pytest.fixture(scope="module")
def registry():
    return load()


@pytest.fixture(scope="module")
def found(registry):
    return {case.key: own_answer(registry, case.text) for case in cases()}


def test_every_flow_has_a_recorded_answer(found):
    assert found.keys() == recorded().keys()


def test_verdicts_and_hints_are_those_of_kestra(found):
    differing = {
        key: (differences(theirs, found[key]), theirs.says, found[key].says)
        for key, theirs in recorded().items()
        if key not in _OTHERWISE and differences(theirs, found[key])
    }
    assert not differing


def test_nothing_is_listed_as_different_that_is_not(found):
    answers = recorded()
    assert not [key for key in _OTHERWISE if not differences(answers[key], found[key])]


def test_every_refusal_has_a_line(found):
    assert not [key for key, one in found.items() if not one.accepts and "None " in one.says[:5]]
