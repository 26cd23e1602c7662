"""Functions that read JSON, Ion and YAML."""

from __future__ import annotations

from typing import Any

from runner.expressions.errors import ExpressionError
from runner.expressions.frame import Frame
from runner.expressions.jsontext import InvalidJson, read_first
from runner.expressions.registry import FUNCTIONS
from runner.expressions.values import describe

function = FUNCTIONS.register


@function("fromJson(json*?)", ("{{ fromJson('{\"a\": [1, 2]}').a[1] }}", "2"))
def from_json(frame: Frame, json: Any) -> Any:
    """The value of a JSON text; what follows a complete value is ignored."""
    if json is None:
        return None
    return parse_json(_text(json, "fromJson"), frame)


@function("json(json*?)", ("{{ json('[1, 2]')[1] }}", "2"), alias_of="fromJson")
def json_(frame: Frame, json: Any) -> Any:
    return from_json(frame, json)


def parse_json(text: str, frame: Frame) -> Any:
    """The first JSON value of the text.

    Raises:
        ExpressionError: there is none.
    """
    frame.budget.spend(len(text) // 1000)
    try:
        return read_first(text)
    except InvalidJson as error:
        raise ExpressionError(f"this is no JSON: {error}") from error


@function("fromIon(ion*?, allRows=false)", ("{{ fromIon('{a: 1, b: [x]}').b }}", '["x"]'))
def from_ion(frame: Frame, ion: Any, all_rows: Any) -> Any:
    """The first value of an Ion text, or with `allRows` the list of all."""
    from runner.expressions.ion import read_ion

    if ion is None:
        return None
    if not isinstance(ion, str):
        raise ExpressionError(f"fromIon reads text, not {describe(ion)}")
    rows = read_ion(ion, frame.budget, everything=all_rows is True)
    if all_rows is True:
        return rows
    return rows[0] if rows else None


@function("yaml(yaml*)", ("{{ yaml('a: [1, yes]').a }}", "[1,true]"))
def yaml(frame: Frame, yaml: Any) -> Any:
    """The first document of a YAML text; `yes` and `no` are booleans, dates stay text."""
    from runner.expressions.yamltext import read_yaml

    return read_yaml(_text(yaml, "yaml"), frame.budget)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ExpressionError(f"{name} reads text, not {describe(value)}")
    if not value:
        raise ExpressionError(f"{name}: the text is empty")
    return value
