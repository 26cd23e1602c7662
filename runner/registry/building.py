"""From properties as written to a typed object: rendered by their marks, converted, validated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from runner.model.scalars import has_expression
from runner.plugin import Plugin, Read, TaskError
from runner.registry.shapes import FieldShape, Shape, shapes_of

if TYPE_CHECKING:
    from runner.registry import Registry

Render = Callable[[Any, bool], Any]
"""(value, typed) → rendered value; raises ExpressionError."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What of one object needs work each time. *ready*: nothing, it is always the same object."""

    cls: type[Plugin]
    fixed: Mapping[str, Any]
    moving: tuple[tuple[str, Any, FieldShape], ...]
    registry: Registry
    ready: Plugin | None = None

    def build(self, render: Render) -> Plugin:
        """Return the typed object. Raises TaskError and what *render* raises."""
        if self.ready is not None:
            return self.ready
        values = dict(self.fixed)
        for key, raw, field in self.moving:
            value = self._value(raw, field, render, key)
            if value is not None or field.shape.takes_all:
                values[key] = value
        return _validated(self.cls, values)

    def _value(self, raw: Any, field: FieldShape, render: Render, key: str) -> Any:
        if field.shape.plugin:
            return _nested(self.registry, raw, field.shape, render)
        return _converted(self.cls, key, render(raw, field.read is Read.TYPED), field.shape)


def plan(registry: Registry, cls: type[Plugin], properties: Mapping[str, Any]) -> Plan:
    """Sort properties into those that never change and those to render. Unknown ones are left out:
    only plugin defaults bring them past the parser.

    Raises:
        TaskError: a value that never changes does not fit.
    """
    fixed: dict[str, Any] = {}
    moving: list[tuple[str, Any, FieldShape]] = []
    shapes = shapes_of(cls)
    for key, raw in properties.items():
        field = shapes.get(key)
        if field is None or raw is None:
            continue
        if _moves(raw, field):
            moving.append((key, raw, field))
        elif field.shape.plugin:
            fixed[key] = _nested(registry, raw, field.shape, _as_written)
        else:
            fixed[key] = _converted(cls, key, raw, field.shape)
    ready = None if moving else _validated(cls, fixed)
    return Plan(cls, fixed, tuple(moving), registry, ready)


def _moves(raw: Any, field: FieldShape) -> bool:
    is_rendered = field.shape.plugin or field.read in (Read.TEXT, Read.TYPED)
    return is_rendered and has_expression(raw)


def _as_written(value: Any, typed: bool) -> Any:
    return value


def describe(error: ValidationError) -> str:
    """Say in one line which values do not fit, and what was expected."""
    return "; ".join(
        f"'{_path(one['loc'])}' {message(one)}" for one in error.errors(include_url=False)
    )


def message(error: Any) -> str:
    """Return one of pydantic's findings as the rest of a sentence that begins with the property."""
    if error["type"] == "missing":
        return "must not be null"
    if error["type"] == "string_type" and isinstance(error.get("input"), Mapping):
        return "must be a text, but YAML reads 'a: b' as a map: put it into quotes"
    text = str(error["msg"]).removeprefix("Value error, ")
    return text.replace("Input should be", "must be", 1)


def _path(location: tuple[str | int, ...]) -> str:
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _validated(cls: type[Plugin], values: dict[str, Any]) -> Plugin:
    try:
        return cls.model_validate(values)
    except ValidationError as exc:
        raise TaskError(describe(exc)) from exc


def _converted(cls: type[Plugin], key: str, value: Any, shape: Shape) -> Any:
    try:
        return shape.convert(value)
    except ValueError as exc:
        raise TaskError(f"'{_path((key, *getattr(exc, 'path', ())))}' {exc}") from exc


def _nested(registry: Registry, raw: Any, shape: Shape, render: Render) -> Any:
    """Build the objects with a type of their own inside *raw*."""
    if isinstance(raw, list):
        return [_nested(registry, item, shape, render) for item in raw]
    if isinstance(raw, dict) and isinstance(raw.get("type"), str):
        return registry.build_plugin(raw, render)
    if isinstance(raw, dict) and shape.values is not None:
        return {key: _nested(registry, item, shape.values, render) for key, item in raw.items()}
    return render(raw, False)
