"""What is wrong with an object's own properties when a flow is saved: nothing is rendered yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from runner.model.advice import about_property, not_yet
from runner.model.catalogue import Finding
from runner.model.parse_tasks import COMMON, is_alias
from runner.model.problems import Severity
from runner.model.scalars import has_expression
from runner.model.yaml import Path, show
from runner.plugin import Plugin, Read, Task
from runner.registry.building import message
from runner.registry.kinds import OF_CONTAINER, severity_of, wrong_kinds
from runner.registry.names import canonical_name
from runner.registry.shapes import FieldShape, shapes_of

if TYPE_CHECKING:
    from runner.registry import Registry


_BY_NAME = "{{ secret('NAME') }}"
_PREDICATES = ("must ", "it ", "write ")
"""How the text of a fault begins that needs the property before it."""


def check(
    registry: Registry, cls: type[Plugin], properties: Mapping[str, Any]
) -> Iterator[Finding]:
    """Yield unknown, later, deprecated and missing properties, and literals that do not fit."""
    shapes = shapes_of(cls)
    for key in properties:
        if key in cls.later:
            yield Finding(
                f"the property '{key}' is not available yet",
                "not_available_yet",
                (key,),
                of_key=True,
            )
        elif key in cls.ignored:
            yield Finding(cls.ignored[key], "without_effect", (key,), "warning", of_key=True)
        elif key not in shapes:
            yield _unknown(cls, key, shapes)
        elif key in cls.deprecated:
            yield Finding(cls.deprecated[key], "deprecated", (key,), "deprecation", of_key=True)
    given = {key: value for key, value in properties.items() if key in shapes and value is not None}
    yield from _nested(registry, shapes, given)
    yield from _literals(cls, shapes, given)
    yield from _secrets(shapes, given, ())


def _secrets(
    shapes: Mapping[str, FieldShape], given: Mapping[str, Any], path: Path
) -> Iterator[Finding]:
    """Yield secrets that stand in the flow for everybody to read."""
    for key, value in given.items():
        shape = shapes[key].shape if key in shapes else None
        if shape is None or value is None:
            continue
        if shape.secret and value != "" and not has_expression(value):
            text = f"'{key}' is a secret and stands here as plain text: write {_BY_NAME}"
            yield Finding(text, "secret", (*path, key), "warning")
        elif isinstance(value, dict) and shape.model is not None:
            yield from _secrets(shapes_of(shape.model), value, (*path, key))


def _unknown(cls: type[Plugin], key: str, shapes: Mapping[str, FieldShape]) -> Finding:
    common = COMMON if issubclass(cls, Task) else ()
    hint = about_property(key, [*shapes, *cls.later, *common])
    text = (
        f'Unrecognized field "{key}" (class {canonical_name(cls)}), not marked as ignorable{hint}'
    )
    return Finding(text, "property_unknown", (key,), of_key=True)


def _nested(
    registry: Registry, shapes: Mapping[str, FieldShape], given: Mapping[str, Any]
) -> Iterator[Finding]:
    for key, value in given.items():
        if shapes[key].shape.plugin:
            yield from _objects(registry, value, (key,))


def _objects(registry: Registry, value: Any, path: Path) -> Iterator[Finding]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _objects(registry, item, (*path, index))
    elif isinstance(value, dict) and "type" in value:
        yield from _object(registry, value, path)
    elif isinstance(value, dict):
        if not value or not all(isinstance(item, dict) for item in value.values()):
            yield Finding("Invalid type: null: it needs a type", "required", path)
            return
        for key, item in value.items():
            yield from _objects(registry, item, (*path, key))


def _object(registry: Registry, value: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    name = str(value["type"])
    info = registry.look_up(name)
    if info is None:
        foreign = registry.is_foreign(name)
        text = not_yet(name) if foreign else f"Invalid type: {name}"
        yield Finding(text, "not_available_yet" if foreign else "type_unknown", (*path, "type"))
        return
    if not info.available:
        yield Finding(not_yet(info.name), "not_available_yet", (*path, "type"))
        return
    if is_alias(name, info.name):
        yield Finding(
            f"{name} is replaced by {info.name}", "alias", (*path, "type"), severity="info"
        )
    if info.superseded:
        yield Finding(info.superseded, "deprecated", path, "deprecation")
    own = {key: item for key, item in value.items() if key != "type"}
    for finding in registry.check(info, own):
        inner = (*path, *finding.path)
        yield Finding(finding.message, finding.code, inner, finding.severity, finding.of_key)


def _literals(
    cls: type[Plugin], shapes: Mapping[str, FieldShape], given: Mapping[str, Any]
) -> Iterator[Finding]:
    """Try the values as they are, and leave out what is said about those that have expressions."""
    values: dict[str, Any] = {}
    skipped: set[str] = set()
    for key, value in given.items():
        field = shapes[key]
        if faults := tuple(wrong_kinds(field, value, (key,))):
            skipped.add(key)
            yield from faults
        elif field.shape.plugin and value:
            skipped.add(key)
        else:
            try:
                values[key] = value if _is_template(field, value) else field.shape.convert(value)
            except ValueError as exc:
                skipped.add(key)
                path = (key, *getattr(exc, "path", ()))
                yield Finding(f"'{show(path)}': {exc}", "value", path, _severity(field))
    try:
        cls.model_validate(values)
    except ValidationError as exc:
        yield from _findings(exc, shapes, given, skipped)


def _findings(
    error: ValidationError,
    shapes: Mapping[str, FieldShape],
    given: Mapping[str, Any],
    skipped: set[str],
) -> Iterator[Finding]:
    seen: set[Path] = set()
    is_whole = not skipped and not has_expression(dict(given))
    errors = error.errors(include_url=False)
    deeper = {path[:-1] for each in errors if (path := _follow(given, each["loc"])[0])}
    for one in errors:
        location = one["loc"]
        if not location:
            if is_whole:
                yield Finding(message(one), "value")
            continue
        key = str(location[0])
        path, value = _follow(given, location)
        is_open = one["type"] not in OF_CONTAINER and key in shapes
        is_of_other_arm = one["type"] == "string_type" and path in deeper  # a list or a text
        if is_of_other_arm or key in skipped or path in seen:
            continue
        if is_open and _is_template(shapes[key], value):
            continue
        seen.add(path)
        finding = _finding(one, path, location, severity_of(shapes, one))
        yield _told(finding, shapes[key]) if len(location) == 1 and key in shapes else finding


def _told(finding: Finding, field: FieldShape) -> Finding:
    """Say of a property that is missing what it is."""
    if finding.code != "required" or not field.description:
        return finding
    return replace(finding, message=f"{finding.message}: {field.description}")


def _finding(one: Any, path: Path, location: Any, severity: Severity) -> Finding:
    name = ".".join(map(str, path or location[:1]))
    match one["type"]:
        case "missing":
            text = f"'{location[-1]}' must not be null"
            return Finding(text, "required", path or (location[0],), severity)
        case "extra_forbidden":
            text = f'Unrecognized field "{location[-1]}" of {show(location[:-1])}'
            return Finding(text, "property_unknown", path, severity, of_key=True)
        case "foreign_property":
            return Finding(message(one), "property_unknown", path, severity)
        case _:
            text = message(one)
            is_sentence = one["type"] == "value_error" and not text.startswith(_PREDICATES)
            return Finding(text if is_sentence else f"'{name}' {text}", "value", path, severity)


def _follow(given: Any, location: tuple[str | int, ...]) -> tuple[Path, Any]:
    """Return the way along a pydantic location that exists in the data, and the value at its end.

    Locations also name arms of unions and the like; those steps are passed over.
    """
    path: list[str | int] = []
    value = given
    for step in location:
        is_key = isinstance(value, dict) and isinstance(step, str) and step in value
        is_index = isinstance(value, list) and isinstance(step, int) and step < len(value)
        if is_key or is_index:
            path.append(step)
            value = value[step]
    return tuple(path), value


def _is_template(field: FieldShape, value: Any) -> bool:
    return field.read is not Read.STATIC and has_expression(value)


def _severity(field: FieldShape) -> Severity:
    """Kestra finds wrong values of rendered properties when the task runs: warnings here."""
    return "error" if field.read is Read.STATIC else "warning"
