"""What types there are, for editors and for people who look one up (rest-api §17)."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema

from runner.errors import ArgumentInvalid, NotFound
from runner.model.catalogue import Category
from runner.model.parse_inputs import INPUT_TYPES
from runner.plugin import Plugin, Read, Task
from runner.registry.names import canonical_name, category_of
from runner.runtime import Runtime

Json = dict[str, Any]

_FLOW = "io.kestra.core.models.flows.Flow"
_DRAFT = "http://json-schema.org/draft-07/schema#"
_COMMON_OF_TASKS = {
    "id": {"type": "string"},
    "description": {"type": "string"},
    "disabled": {"type": "boolean", "default": False},
    "runIf": {"type": "string", "$dynamic": True},
    "timeout": {"type": "string", "$dynamic": True},
    "retry": {"type": "object"},
    "allowFailure": {"type": "boolean", "default": False},
    "allowWarning": {"type": "boolean", "default": False},
    "logLevel": {"type": "string", "enum": ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"]},
    "workerGroup": {"type": "object"},
}
_COMMON_OF_TRIGGERS = {
    "id": {"type": "string"},
    "description": {"type": "string"},
    "disabled": {"type": "boolean", "default": False},
    "conditions": {"type": "array"},
    "labels": {},
    "inputs": {"type": "object"},
    "stopAfter": {"type": "array", "items": {"type": "string"}},
}


class Catalogue:
    """All types of this installation. Made once; types do not change while a process runs."""

    def __init__(self, runtime: Runtime) -> None:
        self._registry = runtime.registry

    def groups(self) -> list[Json]:
        """Return the types by their package."""
        found: dict[str, list[tuple[str, Category, type[Plugin]]]] = {}
        for name, category, cls in self._types:
            found.setdefault(name.rpartition(".")[0], []).append((name, category, cls))
        return [_group(package, types) for package, types in sorted(found.items())]

    def page(self, name: str) -> Json:
        """Return the description of a type, for reading and for checking.

        Raises:
            NotFound: there is no such type.
        """
        cls = self._registry.find(name)
        if cls is None:
            raise NotFound(f"there is no type '{name}'")
        full = canonical_name(cls) or name
        properties, definitions = _schema(cls)
        outputs: Json = {"properties": {}}
        if issubclass(cls, Task):
            outputs, more = _schema(cls.Outputs)
            definitions |= more
        return {
            "markdown": _markdown(full, cls),
            "schema": {"properties": properties, "outputs": outputs, "definitions": definitions},
        }

    def schema(self, kind: str) -> Json:
        """Return the JSON schema of a flow, a task or a trigger, for editors.

        Raises:
            ArgumentInvalid: there is no schema of that kind.
        """
        if kind == "flow":
            return {"$schema": _DRAFT, "$ref": _reference(_FLOW), "definitions": self._definitions}
        if kind in ("task", "trigger"):
            wanted = Category.TASK if kind == "task" else Category.TRIGGER
            return {
                "$schema": _DRAFT,
                "anyOf": self._references(wanted),
                "definitions": self._definitions,
            }
        raise ArgumentInvalid(f"there is no schema of '{kind}'")

    @cached_property
    def _types(self) -> list[tuple[str, Category, type[Plugin]]]:
        return sorted(self._each_type(), key=lambda each: each[0])

    def _each_type(self) -> Iterator[tuple[str, Category, type[Plugin]]]:
        for cls in self._registry:
            name = canonical_name(cls)
            if name is not None and getattr(cls, "available", True):
                yield name, category_of(cls), cls

    @cached_property
    def _definitions(self) -> Json:
        found: Json = {_FLOW: self._flow()}
        for name, category, cls in self._types:
            schema, definitions = _schema(cls)
            common = {
                Category.TASK: _COMMON_OF_TASKS,
                Category.TRIGGER: _COMMON_OF_TRIGGERS,
            }.get(category, {})
            needed = ["id"] if common else []
            found |= definitions
            found[name] = {
                **schema,
                "properties": {
                    **common,
                    **schema.get("properties", {}),
                    "type": {"enum": [name, *cls.aliases]} if cls.aliases else {"const": name},
                },
                "required": [*needed, "type", *schema.get("required", ())],
            }
        return found

    def _flow(self) -> Json:
        tasks = {"type": "array", "items": {"anyOf": self._references(Category.TASK)}}
        triggers = {"type": "array", "items": {"anyOf": self._references(Category.TRIGGER)}}
        an_input = {
            "type": "object",
            "required": ["id", "type"],
            "properties": {"id": {"type": "string"}, "type": {"enum": sorted(INPUT_TYPES)}},
        }
        return {
            "type": "object",
            "required": ["id", "namespace", "tasks"],
            "properties": {
                "id": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 100,
                    "pattern": "^[a-zA-Z0-9][a-zA-Z0-9._-]*",
                },
                "namespace": {"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]*"},
                "description": {"type": "string"},
                "labels": {},
                "inputs": {"type": "array", "items": an_input},
                "outputs": {"type": "array", "items": {"type": "object"}},
                "variables": {"type": "object"},
                "disabled": {"type": "boolean"},
                "concurrency": {"type": "object"},
                "retry": {"type": "object"},
                "pluginDefaults": {"type": "array"},
                "tasks": {**tasks, "minItems": 1},
                "errors": tasks,
                "finally": tasks,
                "afterExecution": tasks,
                "triggers": triggers,
            },
        }

    def _references(self, wanted: Category) -> list[Json]:
        return [
            {"$ref": _reference(name)} for name, category, _ in self._types if category is wanted
        ]


def _group(package: str, types: list[tuple[str, Category, type[Plugin]]]) -> Json:
    def of(category: Category) -> list[Json]:
        return [_entry(name, cls) for name, kind, cls in types if kind is category]

    title = package.rpartition(".")[2]
    empty = ("apps", "appBlocks", "charts", "dataFilters", "dataFiltersKPI", "logExporters")
    return {
        "name": title,
        "title": title.capitalize(),
        "group": package,
        "license": "Apache-2.0",
        "manifest": {},
        "guides": [],
        "aliases": [],
        "tasks": of(Category.TASK),
        "triggers": of(Category.TRIGGER),
        "conditions": of(Category.CONDITION),
        "taskRunners": of(Category.OTHER),
        "storages": [],
        "secrets": [],
        **{name: [] for name in (*empty, "additionalPlugins")},
        "categories": ["CORE"],
        "subGroup": package,
    }


def _entry(name: str, cls: type[Plugin]) -> Json:
    return {"cls": name, "deprecated": False, "title": _title(cls)}


def _title(cls: type[Any]) -> str:
    return (inspect.getdoc(cls) or "").partition("\n")[0]


def _markdown(name: str, cls: type[Plugin]) -> str:
    text = inspect.getdoc(cls) or ""
    before, mark, example = text.partition("Example:\n")
    shown = f"\n```yaml\n{textwrap.dedent(example).strip()}\n```\n" if mark else ""
    return f"# {name.rpartition('.')[2]}\n\n`{name}`\n\n{before.strip()}\n{shown}"


def _schema(model: type[BaseModel]) -> tuple[Json, Json]:
    """The schema of a model and of what it refers to. What has no schema is anything."""
    try:
        schema = model.model_json_schema(by_alias=True, ref_template="#/definitions/{model}")
    except PydanticInvalidForJsonSchema:
        names = [field.alias or name for name, field in model.model_fields.items()]
        return {"type": "object", "properties": {name: {} for name in names}}, {}
    definitions = schema.pop("$defs", {})
    schema.pop("description", None)
    schema["title"] = _title(model)
    properties = schema.get("properties", {})
    for name, field in model.model_fields.items():
        alias = field.alias or name
        if alias in properties and Read.STATIC not in field.metadata and name != "type":
            properties[alias] = _dynamic(properties[alias])
    return schema, definitions


def _dynamic(schema: Json) -> Json:
    """A property that may also be an expression."""
    if schema.get("type") == "string":
        return {**schema, "$dynamic": True}
    kept: Json = {key: schema[key] for key in ("title", "description", "default") if key in schema}
    rest = {key: value for key, value in schema.items() if key not in kept}
    return {**kept, "anyOf": [rest, {"type": "string"}], "$dynamic": True}


def _reference(name: str) -> str:
    return f"#/definitions/{name}"
