"""Filters that write JSON, Ion and YAML."""

from __future__ import annotations

from typing import Any

from runner.expressions.frame import Frame
from runner.expressions.printing import json_text
from runner.expressions.registry import FILTERS

filter_ = FILTERS.register


@filter_("toJson", ("{{ {'a': [1, null]} | toJson }}", '{"a":[1,null]}'), takes_null=True)
def to_json(frame: Frame, value: Any) -> str:
    """Compact JSON; null entries of maps are left out."""
    return json_text(value, frame.budget)


@filter_("json", ("{{ [1] | json }}", "[1]"), takes_null=True, alias_of="toJson")
def json_(frame: Frame, value: Any) -> str:
    return to_json(frame, value)


@filter_("toIon", ("{{ {'a': 1.5} | toIon }}", "{a:1.5e0}"), takes_null=True)
def to_ion(frame: Frame, value: Any) -> str:
    """Amazon Ion text."""
    from runner.expressions.ion import write_ion

    return write_ion(value, frame.budget)


@filter_("yaml", ("{{ {'a': [1, 'yes']} | yaml }}", 'a:\n - 1\n - "yes"\n'), takes_null=True)
def yaml(frame: Frame, value: Any) -> str:
    """YAML in block style."""
    from runner.expressions.yamltext import write_yaml

    return write_yaml(value, frame.budget)
