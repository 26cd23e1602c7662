from dataclasses import replace
from datetime import UTC, datetime

import pytest

from runner.model.facts import Facts
from runner.model.states import State
from runner.registry import load

REGISTRY = load()
MONDAY = datetime(2024, 4, 1, 12, 0, tzinfo=UTC)  # the first Monday of its month
FAILED = Facts(
    namespace="a.b",
    flow_id="f",
    state=State.FAILED,
    labels={"team": "data"},
    listener_namespace="x.y",
    listener_flow_id="listener",
)


def _holds(facts, **raw):
    return REGISTRY.build_plugin(raw, lambda value, typed: value).holds(facts)


@pytest.mark.parametrize(
    ("raw", "holds"),
    [
        ({"type": "core.condition.DayWeek", "dayOfWeek": "MONDAY"}, True),
        ({"type": "core.condition.PublicHoliday", "country": "DE"}, True),  # Easter Monday
        ({"type": "core.condition.PublicHoliday", "country": "US"}, False),
        ({"type": "core.condition.PublicHoliday", "date": "2024-03-08", "country": "DE"}, False),
        (
            {
                "type": "core.condition.PublicHoliday",
                "date": "2024-03-08",
                "country": "de",
                "subDivision": "BE",
            },
            True,
        ),
        ({"type": "core.condition.PublicHoliday", "date": "2024-01-01"}, True),
        ({"type": "core.condition.DayWeek", "dayOfWeek": "TUESDAY"}, False),
        (
            {"type": "core.condition.DayWeekInMonth", "dayOfWeek": "MONDAY", "dayInMonth": "FIRST"},
            True,
        ),
        (
            {"type": "core.condition.DayWeekInMonth", "dayOfWeek": "MONDAY", "dayInMonth": "LAST"},
            False,
        ),
        ({"type": "core.condition.Weekend"}, False),
        ({"type": "core.condition.DateTimeBetween", "after": "2024-04-01T11:59:59Z"}, True),
        ({"type": "core.condition.DateTimeBetween", "before": "2024-04-01T12:00:00Z"}, False),
        (
            {
                "type": "core.condition.TimeBetween",
                "after": "13:00:00+02:00",
                "before": "15:00:00+02:00",
            },
            True,
        ),
        (
            {"type": "core.condition.TimeBetween", "after": "22:00:00Z", "before": "06:00:00Z"},
            False,
        ),
        ({"type": "core.condition.Not", "conditions": [{"type": "core.condition.Weekend"}]}, True),
        ({"type": "core.condition.Or", "conditions": [{"type": "core.condition.Weekend"}]}, False),
        ({"type": "core.condition.Expression", "expression": "0"}, True),
        ({"type": "core.condition.Expression", "expression": " false "}, False),
    ],
)
def test_conditions_of_dates(raw, holds):
    assert _holds(Facts(date=MONDAY), **raw) is holds


@pytest.mark.parametrize(
    ("raw", "holds"),
    [
        ({"type": "core.condition.ExecutionFlow", "namespace": "a.b", "flowId": "f"}, True),
        ({"type": "core.condition.ExecutionFlow", "namespace": "a.b", "flowId": "g"}, False),
        ({"type": "core.condition.ExecutionNamespace", "namespace": "a"}, False),
        (
            {"type": "core.condition.ExecutionNamespace", "namespace": "a", "comparison": "PREFIX"},
            True,
        ),
        (
            {
                "type": "core.condition.ExecutionNamespace",
                "namespace": ".b",
                "comparison": "SUFFIX",
            },
            True,
        ),
        ({"type": "core.condition.ExecutionStatus", "in": ["FAILED"]}, True),
        ({"type": "core.condition.ExecutionStatus", "notIn": ["FAILED"]}, False),
        ({"type": "core.condition.ExecutionLabels", "labels": {"team": "data"}}, True),
        (
            {"type": "core.condition.ExecutionLabels", "labels": [{"key": "team", "value": "x"}]},
            False,
        ),
        ({"type": "core.condition.ExecutionOutputs", "expression": True}, False),
        ({"type": "core.condition.HasRetryAttempt"}, False),
        ({"type": "core.condition.FlowCondition", "namespace": "x.y", "flowId": "listener"}, True),
        ({"type": "core.condition.FlowNamespaceCondition", "namespace": "x"}, False),
        ({"type": "core.condition.FlowNamespaceCondition", "namespace": "x", "prefix": True}, True),
    ],
)
def test_conditions_of_executions(raw, holds):
    assert _holds(FAILED, **raw) is holds


def test_a_condition_that_lacks_its_fact_cannot_be_judged():
    with pytest.raises(ValueError, match="no date"):
        _holds(Facts(), type="core.condition.Weekend")


@pytest.mark.parametrize(
    "raw",
    [
        {"type": "core.condition.ExecutionFlow", "namespace": "a.b", "flowId": "f"},
        {"type": "core.condition.ExecutionNamespace", "namespace": "a.b"},
        {"type": "core.condition.ExecutionStatus", "notIn": ["FAILED"]},
        {"type": "core.condition.HasRetryAttempt"},
    ],
)
def test_a_condition_on_executions_needs_one(raw):
    with pytest.raises(ValueError, match="there is none"):
        _holds(Facts(date=MONDAY, listener_namespace="a.b", listener_flow_id="f"), **raw)


def test_outputs_are_looked_at_only_where_there_are_any():
    def render(text):
        raise AssertionError(text)

    either = {
        "type": "core.condition.Or",
        "conditions": [
            {"type": "core.condition.ExecutionOutputs", "expression": "{{ trigger.outputs.a }}"},
            {"type": "core.condition.ExecutionStatus", "in": ["FAILED"]},
        ],
    }
    assert _holds(replace(FAILED, outputs=None, render=render), **either) is True


@pytest.mark.parametrize(("text", "holds"), [("true", True), (" True ", True), ("1", False)])
def test_outputs_hold_if_their_expression_gives_true(text, holds):
    facts = replace(FAILED, outputs={"a": 1}, render=lambda _: text)
    raw = {"type": "core.condition.ExecutionOutputs", "expression": "{{ trigger.outputs.a }}"}
    assert _holds(facts, **raw) is holds


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("true", True),
        ("0", True),
        ("FALSE", True),
        ("false", False),
        (" false ", False),
        ("", False),
    ],
)
def test_an_expression_holds_unless_it_is_nothing_or_false(text, holds):
    assert _holds(Facts(), type="core.condition.Expression", expression=text) is holds


@pytest.mark.parametrize("date", ["2024-04-01T12:00:00+02:00[Europe/Paris]", "2024-04-01T12:00Z"])
def test_dates_are_written_as_java_does(date):
    assert _holds(Facts(), type="core.condition.DayWeek", date=date, dayOfWeek="MONDAY")
    assert _holds(
        Facts(date=MONDAY),
        type="core.condition.DateTimeBetween",
        after=date.replace("1T12", "1T11"),
    )


@pytest.mark.parametrize(
    "raw",
    [
        {"type": "core.condition.DateTimeBetween", "after": "2020-01-01"},
        {
            "type": "core.condition.DateTimeBetween",
            "date": "2024-04-01",
            "after": "2020-01-01T00:00Z",
        },
        {"type": "core.condition.TimeBetween", "date": "2024-04-01T12:00:00", "after": "09:00Z"},
        {"type": "core.condition.TimeBetween", "after": "09:00:00"},
    ],
)
def test_moments_need_an_offset(raw):
    with pytest.raises(ValueError, match="has no offset"):
        _holds(Facts(date=MONDAY), **raw)


def test_an_unknown_part_of_a_country_has_the_holidays_of_all_of_it():
    labour_day = {"type": "core.condition.PublicHoliday", "date": "2024-05-01", "country": "DE"}
    assert _holds(Facts(), **labour_day, subDivision="ZZ")
    with pytest.raises(ValueError, match="no calendar"):
        _holds(Facts(), **{**labour_day, "country": "XX"})
