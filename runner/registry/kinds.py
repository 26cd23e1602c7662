"""Which wrong values are errors when a flow is saved, and which are found only when it runs.

A static field is checked whole. Of a rendered field with a fixed kind (`runner.plugin.Fixed`) it is
known whether a text, a list or a map stands there, and for the parts of a map the same holds for
each of them. Everything else may still become right when it is rendered: a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runner.model.catalogue import Finding
from runner.model.problems import Severity
from runner.model.yaml import Path, show
from runner.plugin import Read
from runner.registry.shapes import FieldShape, Shape, shapes_of

OF_CONTAINER = ("missing", "extra_forbidden", "foreign_property")
"""Findings about which properties a map has, whatever their values are."""

_NUMBER = re.compile(r"[-+]?[0-9]+(?:\.[0-9]*)?|true|false")
_OF_FIXED = ("string_too_long", "string_too_short", "too_short")


def wrong_kinds(field: FieldShape, value: Any, path: Path) -> Iterator[Finding]:
    """Yield what is wrong with the kinds of a field of fixed kind and of its parts."""
    if not field.fixed or value is None:
        return
    if not _fits(field.shape, value):
        text = f"'{show(path)}' must be {_wanted(field.shape)}, but is {_kind(value)}"
        yield Finding(text, "value", path)
    elif isinstance(value, dict) and field.shape.model is not None:
        parts = shapes_of(field.shape.model)
        for key, item in value.items():
            if key in parts:
                yield from wrong_kinds(parts[key], item, (*path, key))


def _fits(shape: Shape, value: Any) -> bool:
    if shape.takes_all:
        return True
    if isinstance(value, dict):
        return shape.takes_map
    if isinstance(value, list):
        return shape.takes_list
    if shape.takes_text or shape.scalar is not None:
        return True
    return shape.is_number and (not isinstance(value, str) or _NUMBER.fullmatch(value) is not None)


def _wanted(shape: Shape) -> str:
    words = [
        word
        for word, is_taken in (
            ("a text", shape.takes_text or shape.scalar is not None),
            ("a number", shape.is_number),
            ("a list", shape.takes_list),
            ("a map with a type" if shape.plugin else "a map", shape.takes_map),
        )
        if is_taken
    ]
    return " or ".join(words)


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "a map"
    return "a list" if isinstance(value, list) else f"the text '{value}'"


def severity_of(shapes: Mapping[str, FieldShape], one: Any) -> Severity:
    """Return how bad one of pydantic's findings is."""
    fields = list(_fields(shapes, one["loc"]))
    if not fields or any(field.read is Read.STATIC for field in fields):
        return "error"
    containers = fields if one["type"] == "extra_forbidden" else fields[:-1]
    if not all(field.fixed for field in containers):
        return "warning"
    is_known = one["type"] in OF_CONTAINER or _is_of_fixed(one, fields[-1])
    return "error" if is_known else "warning"


def _is_of_fixed(one: Any, leaf: FieldShape) -> bool:
    is_rule = one["type"] == "value_error" and isinstance(one["input"], dict)
    return leaf.fixed and (one["type"] in _OF_FIXED or is_rule)


def _fields(
    shapes: Mapping[str, FieldShape], location: Sequence[str | int]
) -> Iterator[FieldShape]:
    """Yield the fields along a location, as far as they are known."""
    here: Mapping[str, FieldShape] = shapes
    for step in location:
        field = here.get(step) if isinstance(step, str) else None
        if field is None:
            continue
        yield field
        below = field.shape if field.shape.model is not None else field.shape.items
        here = shapes_of(below.model) if below is not None and below.model is not None else {}
