"""How values of a flow become what a field's annotation asks for, before pydantic checks them.

Kestra's readers turn numbers and booleans into texts where a text is asked for, texts into
durations by Java's rules, and JSON texts into lists and maps; pydantic does none of these.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from runner import durations
from runner.model.scalars import text_of
from runner.plugin import Fixed, Plugin, Read

Convert = Callable[[Any], Any]
"""Raises ValueError for what can never fit."""

_SEQUENCES = (list, tuple, set, frozenset, Sequence)
_MAPPINGS = (dict, Mapping)


class Misfit(ValueError):
    """A value can never fit; *path* leads to it from the one that was to be converted."""

    def __init__(self, message: str, path: tuple[str | int, ...]) -> None:
        super().__init__(message)
        self.path = path


@contextmanager
def _below(step: str | int) -> Iterator[None]:
    """Say of what does not fit that it stands below *step*."""
    try:
        yield
    except Misfit as exc:
        raise Misfit(str(exc), (step, *exc.path)) from exc
    except ValueError as exc:
        raise Misfit(str(exc), (step,)) from exc


@dataclass(frozen=True)
class Shape:
    """What an annotation takes: converters by the kind of value that comes."""

    scalar: Convert | None = None
    items: Shape | None = None
    values: Shape | None = None
    model: type[BaseModel] | None = None
    takes_text: bool = False
    takes_list: bool = False
    takes_map: bool = False
    takes_all: bool = False
    is_number: bool = False  # int, float or bool stand beside text
    secret: bool = False  # not to be shown
    plugin: bool = False  # somewhere below stands an object with a type of its own

    def convert(self, value: Any) -> Any:
        """Return *value* in the form that pydantic takes. Raises ValueError."""
        if value is None or self.takes_all:
            return value
        if isinstance(value, dict):
            return self._map(value)
        if isinstance(value, list):
            return value if self.items is None else self._list(self.items, value)
        return self._scalar(value)

    def _list(self, items: Shape, value: list[Any]) -> list[Any]:
        found = []
        for index, item in enumerate(value):
            with _below(index):
                found.append(items.convert(item))
        return found

    def _map(self, value: dict[str, Any]) -> Any:
        shapes = shapes_of(self.model) if self.model is not None else {}
        found = {}
        for key, item in value.items():
            shape = shapes[key].shape if key in shapes else self.values
            with _below(key):
                found[key] = item if shape is None else shape.convert(item)
        return found

    def _scalar(self, value: Any) -> Any:
        if isinstance(value, str) and not self.takes_text:
            return self._from_text(value)
        if self.scalar is not None and not (self.is_number and isinstance(value, int | float)):
            return self.scalar(value)
        return value

    def _from_text(self, value: str) -> Any:
        if not value.strip():
            return None
        if (self.takes_list and value.lstrip()[0] == "[") or (
            self.takes_map and value.lstrip()[0] == "{"
        ):
            return self.convert(json.loads(value))
        return value if self.scalar is None else self.scalar(value)


@dataclass(frozen=True)
class FieldShape:
    """One property of a class: its name in Python, how it is read, and what it takes.

    *fixed*: the kind of the value is checked when the flow is saved, though it may be rendered.
    """

    name: str
    read: Read
    shape: Shape
    required: bool
    fixed: bool = False
    description: str | None = None


@cache
def shapes_of(model: type[BaseModel]) -> Mapping[str, FieldShape]:
    """Return the properties of a class by the names that flows use."""
    return {
        info.alias or name: FieldShape(
            name,
            _read(info, getattr(model, "read", Read.TEXT)),
            shape_of(_annotation(info)),
            info.is_required(),
            any(isinstance(mark, Fixed) for mark in info.metadata),
            info.description,
        )
        for name, info in model.model_fields.items()
        if not (name == "type" and issubclass(model, Plugin))
    }


def _annotation(info: FieldInfo) -> Any:
    return info.annotation


def _read(info: FieldInfo, otherwise: Read) -> Read:
    return next((mark for mark in info.metadata if isinstance(mark, Read)), otherwise)


def is_open(model: type[Any]) -> bool:
    """Say whether a class stands for any plugin below it: it has no type of its own."""
    return issubclass(model, Plugin) and "type" not in model.model_fields


def shape_of(annotation: Any) -> Shape:
    """Return what an annotation takes."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return shape_of(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return _union([shape_of(arm) for arm in get_args(annotation) if arm is not type(None)])
    if origin is Literal:
        return _literal(get_args(annotation))
    if origin in _SEQUENCES or annotation in _SEQUENCES:
        arguments = [arm for arm in get_args(annotation) if arm is not Ellipsis]
        items = shape_of(arguments[0]) if arguments else None
        return Shape(items=items, takes_list=True, plugin=bool(items and items.plugin))
    if origin in _MAPPINGS or annotation in _MAPPINGS:
        arguments = list(get_args(annotation))
        values = shape_of(arguments[1]) if arguments else None
        return Shape(values=values, takes_map=True, plugin=bool(values and values.plugin))
    return _class(annotation)


def _class(annotation: Any) -> Shape:
    if not isinstance(
        annotation, type
    ):  # Any, JsonValue and other aliases: everything is taken as it is
        return Shape(takes_all=True, takes_text=True)
    if issubclass(annotation, BaseModel):
        return Shape(
            takes_map=True,
            model=None if is_open(annotation) else annotation,
            plugin=is_open(annotation),
        )
    if issubclass(annotation, str | SecretStr) or (
        issubclass(annotation, Enum) and issubclass(annotation, str)
    ):
        return Shape(
            scalar=_text,
            takes_text=not issubclass(annotation, Enum),
            secret=issubclass(annotation, SecretStr),
        )
    if issubclass(annotation, timedelta):
        return Shape(scalar=durations.parse)
    if issubclass(annotation, bool | int | float):
        return Shape(is_number=True)
    return Shape(takes_all=annotation is object)


def _text(value: Any) -> Any:
    return text_of(value) if isinstance(value, bool | int | float) else value


def _literal(words: Sequence[Any]) -> Shape:
    return Shape(scalar=_text if all(isinstance(word, str) for word in words) else None)


def _union(arms: Sequence[Shape]) -> Shape:
    def first(name: str) -> Any:
        return next((found for arm in arms if (found := getattr(arm, name)) is not None), None)

    return Shape(
        scalar=first("scalar"),
        items=first("items"),
        values=first("values"),
        model=first("model"),
        takes_text=any(arm.takes_text for arm in arms),
        takes_list=any(arm.takes_list for arm in arms),
        takes_map=any(arm.takes_map for arm in arms),
        takes_all=any(arm.takes_all for arm in arms),
        is_number=any(arm.is_number for arm in arms),
        secret=any(arm.secret for arm in arms),
        plugin=any(arm.plugin for arm in arms),
    )
