from datetime import timedelta
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from runner.model.flow import Task as FlowTask
from runner.model.flow import TaskKind
from runner.plugin import Plugin, Read, Task, TaskError
from runner.registry import Registry, load


class Settings(BaseModel):
    """Nested settings."""

    host: str = "localhost"


class Base(Plugin):
    """Stands for any part."""


class Part(Base):
    """A nested object with a type."""

    type: Literal["io.example.Part"] = "io.example.Part"
    size: int = 0


class Probe(Task):
    """Takes something of every kind."""

    aliases = ("io.example.Old",)

    type: Literal["io.example.Probe"] = "io.example.Probe"
    text: str | None = None
    texts: list[str] = []
    env: dict[str, str] = {}
    count: int = 0
    flag: bool = False
    wait: timedelta | None = None
    level: Literal["INFO", "WARN"] = "INFO"
    either: str | list[str] = ""
    anything: Annotated[Any, Read.TYPED] = None
    asked: Annotated[str | None, Read.ASKED] = None
    fixed: Annotated[str | None, Read.STATIC] = None
    settings: Settings = Settings()
    part: Base | None = None
    max_size: int = Field(default=0, ge=0)


REGISTRY = Registry([Probe, Part])


def _render(value, typed):
    """Replace ``{{ name }}`` by what stands for it."""
    words = {"five": 5, "list": '["a", "b"]', "nothing": "", "yes": True}
    if isinstance(value, dict):
        return {key: _render(item, typed) for key, item in value.items()}
    if isinstance(value, list):
        return [_render(item, typed) for item in value]
    if not isinstance(value, str) or not value.startswith("{{"):
        return value
    found = words[value.strip("{} ")]
    return found if typed else str(found)


def _build(**properties):
    return REGISTRY.build(FlowTask("t", "io.example.Probe", TaskKind.WORKER, properties), _render)


@pytest.mark.parametrize(
    ("key", "given", "name", "value"),
    [
        ("text", 10, "text", "10"),
        ("text", 1000.0, "text", "1000.0"),
        ("text", 1e10, "text", "1.0E10"),
        ("text", True, "text", "true"),
        ("texts", [1, "a", False], "texts", ["1", "a", "false"]),
        ("texts", "{{ list }}", "texts", ["a", "b"]),
        ("env", {"A": 1}, "env", {"A": "1"}),
        ("env", '{"A": "b"}', "env", {"A": "b"}),
        ("count", "5", "count", 5),
        ("count", "{{ five }}", "count", 5),
        ("count", "{{ nothing }}", "count", 0),
        ("flag", "true", "flag", True),
        ("wait", "PT1M", "wait", timedelta(minutes=1)),
        ("wait", 30, "wait", timedelta(seconds=30)),
        ("wait", "0.5", "wait", timedelta(seconds=0.5)),
        ("either", 5, "either", "5"),
        ("either", ["a", 5], "either", ["a", "5"]),
        ("anything", "{{ five }}", "anything", 5),
        ("asked", "{{ five }}", "asked", "{{ five }}"),
        ("fixed", "{{ five }}", "fixed", "{{ five }}"),
        ("settings", {"host": 5}, "settings", Settings(host="5")),
        ("part", {"type": "io.example.Part", "size": "{{ five }}"}, "part", Part(size=5)),
        ("maxSize", 3, "max_size", 3),
        ("text", None, "text", None),
    ],
)
def test_values_become_what_the_field_asks_for(key, given, name, value):
    assert getattr(_build(**{key: given}), name) == value


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({"count": "many"}, "'count'"),
        ({"wait": "P1M"}, "'wait'"),
        ({"level": "info"}, "must be 'INFO' or 'WARN'"),
        ({"maxSize": -1}, "'maxSize'"),
        ({"part": {"type": "io.example.None"}}, "Invalid type"),
    ],
)
def test_what_does_not_fit_is_named(properties, words):
    with pytest.raises(TaskError, match=words):
        _build(**properties)


def test_a_task_without_expressions_is_built_once():
    task = FlowTask("t", "io.example.Probe", TaskKind.WORKER, {"text": "a"})
    assert REGISTRY.build(task, _render) is REGISTRY.build(task, _render)


def test_a_task_with_expressions_is_built_each_time():
    task = FlowTask("t", "io.example.Probe", TaskKind.WORKER, {"count": "{{ five }}"})
    assert REGISTRY.build(task, _render) is not REGISTRY.build(task, _render)


def test_a_nested_object_without_expressions_is_built_once():
    properties = {"part": {"type": "io.example.Part", "size": 3}, "count": "{{ five }}"}
    task = FlowTask("t", "io.example.Probe", TaskKind.WORKER, properties)
    first, second = (REGISTRY.build(task, _render) for _ in range(2))
    assert first is not second
    assert first.part is second.part
    assert first.part.size == 3


def test_types_are_found_by_alias_and_short_name():
    assert REGISTRY.canonical("io.example.Old") == "io.example.Probe"
    assert REGISTRY.canonical("aws.s3.List") == "io.kestra.plugin.aws.s3.List"
    assert REGISTRY.is_known_later("aws.s3.List")
    assert REGISTRY.canonical("no.such.Type") is None


def test_snake_case_names_of_fields_are_no_properties():
    info = REGISTRY.look_up("io.example.Probe")
    assert info is not None
    (finding,) = REGISTRY.check(info, {"max_size": 1})
    assert (finding.code, finding.path) == ("property_unknown", ("max_size",))


def test_nested_objects_are_checked_at_their_place():
    info = REGISTRY.look_up("io.example.Probe")
    assert info is not None
    findings = list(REGISTRY.check(info, {"part": {"type": "io.example.Part", "sise": 1}}))
    assert [(one.code, one.path) for one in findings] == [("property_unknown", ("part", "sise"))]


def test_a_line_that_yaml_reads_as_a_map_is_told_once():
    registry = load()
    info = registry.look_up("io.kestra.plugin.scripts.shell.Commands")

    [finding] = registry.check(info, {"commands": ["ls", {"echo": "hi"}]})

    assert finding.path == ("commands", 1)
    assert finding.message.endswith("YAML reads 'a: b' as a map: put it into quotes")
