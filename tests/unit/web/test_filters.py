import time
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import parse_qsl

import pytest
from werkzeug.datastructures import MultiDict

from runner.errors import ArgumentInvalid
from web.filters import condition, items_of, moment, read
from web.refusals import FilterInvalid
from web.searching import EXECUTION_FIELDS, EXECUTION_PLAIN

NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)
RECORD = {
    "id": "abc",
    "namespace": "company.team",
    "flowId": "hello",
    "flowRevision": 3,
    "state": "FAILED",
    "labels": {"env": "dev", "a.b": "1"},
    "startDate": datetime(2026, 1, 5, 9, 30, tzinfo=UTC),
    "parentId": None,
    "kind": "NORMAL",
    "q": "abc company.team hello",
}


def holds(query):
    arguments = MultiDict(parse_qsl(query, keep_blank_values=True))
    return condition(read(arguments, EXECUTION_FIELDS, EXECUTION_PLAIN), NOW)(RECORD)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", True),
        ("filters[namespace][PREFIX]=company", True),
        ("filters[namespace][PREFIX]=company.te", False),
        ("filters%5Bnamespace%5D%5BPREFIX%5D=company", True),
        ("filters[state][IN]=FAILED,SUCCESS", True),
        ("filters[state][IN]=['FAILED', 'SUCCESS']", True),
        ("filters[state][NOT_IN]=[FAILED]", False),
        ("filters[labels][EQUALS][env]=dev", True),
        ("filters[labels][EQUALS][a.b]=1", True),
        ("filters[labels][EQUALS]=env:dev", True),
        ("filters[labels][NOT_EQUALS][env]=dev", False),
        ("filters[flowRevision][GREATER_THAN]=2", True),
        ("filters[flowRevision][LESS_THAN_OR_EQUAL_TO]=2", False),
        ("filters[flowId][REGEX]=h.*o", True),
        ("filters[flowId][REGEX]=h.*", True),
        ("filters[flowId][REGEX]=ell", False),
        ("filters[flowId][CONTAINS]=ELL", True),
        ("filters[flowId][STARTS_WITH]=he&filters[flowId][ENDS_WITH]=x", False),
        ("filters[parentId][IS_NULL]=", True),
        ("filters[parentId][EQUALS]=", True),
        ("filters[timeRange][EQUALS]=PT1H", True),
        ("filters[timeRange][EQUALS]=PT10M", False),
        ("filters[startDate][GREATER_THAN]=2026-01-05 09:00:00 00:00", True),
        ("filters[endDate][LESS_THAN]=2026-01-05T09:00:00Z", False),
        ("filters[or][0][flowId][EQUALS]=nope&filters[or][1][state][EQUALS]=FAILED", True),
        ("filters[or][0][flowId][EQUALS]=nope&filters[or][1][state][EQUALS]=KILLED", False),
        (
            "filters[and][0][namespace][EQUALS]=company.team"
            "&filters[and][1][or][0][flowId][EQUALS]=hello"
            "&filters[and][1][or][1][flowId][EQUALS]=nope",
            True,
        ),
        (
            "filters[and][0][namespace][EQUALS]=company.team"
            "&filters[and][1][or][0][flowId][EQUALS]=no"
            "&filters[and][1][or][1][flowId][EQUALS]=nope",
            False,
        ),
        ("state=FAILED&state=KILLED&labels=env:dev&namespace=company", True),
        ("q=HELLO", True),
        ("flowId=nope", False),
        ("flowId=nope&filters[state][EQUALS]=FAILED", True),  # the old form counts alone
    ],
)
def test_a_query_means_what_kestra_means_by_it(query, expected):
    assert holds(query) is expected


@pytest.mark.parametrize(
    "query",
    [
        "filters[nope][EQUALS]=1",
        "filters[state][NOPE]=1",
        "filters[state]=1",
        "filters[flowId][REGEX]=(",
        "filters[flowRevision][GREATER_THAN]=x",
        "filters[startDate][EQUALS]=yesterday",
        "filters[startDate][CONTAINS]=2026",
    ],
)
def test_what_cannot_be_read_is_refused(query):
    with pytest.raises(FilterInvalid):
        holds(query)


@pytest.mark.parametrize(
    "query",
    [
        "startDate=2026-01-02T00:00:00Z&endDate=2026-01-01T00:00:00Z",
        "startDate=2026-01-02T00:00:00Z&timeRange=P1D",
    ],
)
def test_dates_must_fit_together(query):
    with pytest.raises(ArgumentInvalid):
        holds(query)


def test_a_regular_expression_cannot_hold_up_the_server():
    record = {**RECORD, "flowId": "a" * 40}
    arguments = MultiDict({"filters[flowId][REGEX]": "(a|aa)+b"})

    judge = condition(read(arguments, EXECUTION_FIELDS, EXECUTION_PLAIN), NOW)

    started = time.monotonic()
    with suppress(FilterInvalid):
        assert judge(record) is False
    assert time.monotonic() - started < 10


def test_instants_are_read_in_all_their_spellings():
    for text in (
        "2026-01-05T10:00:00Z",
        "2026-01-05 10:00:00+00:00",
        "2026-01-05 10:00:00 00:00",
        "2026-01-05T10:00:00.000000000Z",
        "2026-01-05T11:00:00+01:00",
    ):
        assert moment(text) == NOW


def test_lists_are_read_in_all_their_spellings():
    for text in ("a,b", "[a, b]", "['a', 'b']", '["a","b"]'):
        assert items_of(text) == ["a", "b"]
