"""All task, trigger, condition and task-runner types, by name, and how a flow's words become them.

Types come from `runner.plugins` and from the entry point group ``headrace.plugins``. `Registry` is
also the parser's catalogue (`runner.model.catalogue`).
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, TypeVar

from runner.model.catalogue import Category, Finding, ListShape, TypeInfo
from runner.model.flow import Task
from runner.model.names import nearest
from runner.plugin import Plugin, PollingTrigger, TaskError
from runner.plugin import Task as TaskType
from runner.registry import names
from runner.registry.building import Plan, Render, plan
from runner.registry.checking import check
from runner.registry.shapes import shapes_of

__all__ = ["Registry", "Render", "load"]

_MAX_PLANS = 20_000
_Built = TypeVar("_Built", bound=Plugin)


class Registry:
    """Looks types up and turns what a flow says into typed objects; safe for many threads."""

    def __init__(
        self, classes: Iterable[type[Plugin]], broken: Mapping[str, Exception] | None = None
    ) -> None:
        self.broken = broken or {}
        """Entry points that could not be loaded, with what they raised."""
        self._classes: dict[str, type[Plugin]] = {}
        self._infos: dict[str, TypeInfo | None] = {}
        self._plans: dict[int, tuple[Task, Plan]] = {}
        for cls in classes:
            for name in (names.canonical_name(cls), *cls.aliases):
                if name is not None:
                    self._classes[name] = cls

    def __iter__(self) -> Iterator[type[Plugin]]:
        """Yield every class once."""
        return iter(dict.fromkeys(self._classes.values()))

    def find(self, name: str) -> type[Plugin] | None:
        """Return the class of a type name: full, without ``io.kestra.plugin.``, or an alias."""
        found = (self._classes.get(spelling) for spelling in names.spellings(name))
        return next((cls for cls in found if cls is not None), None)

    def canonical(self, name: str) -> str | None:
        """Return the full type name of any spelling."""
        info = self.look_up(name)
        return None if info is None else info.name

    def is_known_later(self, name: str) -> bool:
        """Say whether Kestra has this type and Headrace does not have it yet."""
        info = self.look_up(name)
        return info is not None and not info.available

    def look_up(self, name: str) -> TypeInfo | None:
        """Return what is known of a type, built or not."""
        if name not in self._infos:
            if len(self._infos) > _MAX_PLANS:
                self._infos.clear()
            self._infos[name] = self._look_up(name)
        return self._infos[name]

    def _look_up(self, name: str) -> TypeInfo | None:
        cls = self.find(name)
        if cls is not None:
            return _info(cls)
        known = names.known_elsewhere()
        for spelling in names.spellings(name):
            if spelling in known:
                full, category = known[spelling]
                return TypeInfo(full, category, available=False)
        return None

    def is_foreign(self, name: str) -> bool:
        """Say whether a type may belong to a plugin of Kestra that Headrace does not know."""
        return any(names.is_foreign(spelling) for spelling in names.spellings(name))

    def nearest(self, name: str, category: Category) -> str | None:
        """Return the type of that category whose name is most like *name*, if any is."""
        full_name = names.spellings(name)[-1]
        if names.is_foreign(full_name) and not names.is_family_known(full_name):
            return None
        ours = [
            full
            for cls in self
            if (full := names.canonical_name(cls)) and names.category_of(cls) is category
        ]
        others = [full for full, kind in names.known_elsewhere().values() if kind is category]
        return nearest(full_name, [*others, *ours], cutoff=0.8)

    def properties(self, info: TypeInfo) -> Iterable[str]:
        """Return the names of the own properties of an available type."""
        cls = self._classes[info.name]
        return (*shapes_of(cls), *cls.later)

    def own_values(self, info: TypeInfo) -> Iterable[str]:
        """Return those that the type declares itself, not its family, and that are plain values."""
        cls = self._classes[info.name]
        declared = inspect.get_annotations(cls)
        return (
            key
            for key, field in shapes_of(cls).items()
            if field.name in declared and field.shape.model is None
        )

    def check(self, info: TypeInfo, properties: Mapping[str, Any]) -> Iterable[Finding]:
        """Say what is wrong with the own properties of an available type, as they are written."""
        cls = self._classes[info.name]
        return check(self, cls, properties)

    def build(self, task: Task, render: Render) -> TaskType:
        """Render a task's properties by their `Read` marks and validate them.

        Raises:
            TaskError: a value does not fit, with the field and what was expected. ExpressionError.
        """
        key = id(task)
        known = self._plans.get(key)
        if known is None or known[0] is not task:
            known = (task, plan(self, self._task_class(task.type), task.properties))
            if len(self._plans) >= _MAX_PLANS:
                self._plans.clear()
            self._plans[key] = known
        built = known[1].build(render)
        assert isinstance(built, TaskType)
        return built

    def build_plugin(self, raw: Mapping[str, Any], render: Render) -> Plugin:
        """The same for any nested object with a ``type`` (trigger, condition, task runner)."""
        cls = self.find(str(raw.get("type")))
        if cls is None:
            raise TaskError(f"Invalid type: {raw.get('type')}")
        properties = {key: value for key, value in raw.items() if key != "type"}
        return plan(self, cls, properties).build(render)

    def build_whole(self, raw: Mapping[str, Any], render: Render) -> Plugin:
        """The same for an object that no parser has seen: a property that its type does not have
        is refused. Raises TaskError.
        """
        cls = self.find(str(raw.get("type")))
        known = (*shapes_of(cls), *getattr(cls, "lists", ())) if cls else raw
        unknown = raw.keys() - {"type", *known}
        if unknown:
            raise TaskError(f'Unrecognized field "{min(unknown)}" of {raw["type"]}')
        return self.build_plugin(raw, render)

    def build_as(self, cls: type[_Built], properties: Mapping[str, Any], render: Render) -> _Built:
        """The same for properties whose class is known."""
        built = plan(self, cls, properties).build(render)
        assert isinstance(built, cls)
        return built

    def _task_class(self, name: str) -> type[TaskType]:
        cls = self.find(name)
        if cls is None or not issubclass(cls, TaskType):
            raise TaskError(f"Invalid type: {name}")
        return cls


@cache
def load() -> Registry:
    """Return the registry of everything that is installed: one for the whole process."""
    classes, broken = names.installed()
    return Registry(classes, broken)


def _info(cls: type[Plugin]) -> TypeInfo:
    name = names.canonical_name(cls)
    assert name is not None
    category = names.category_of(cls)
    available = getattr(cls, "available", True)
    if not issubclass(cls, TaskType):
        return TypeInfo(
            name,
            category,
            available=available,
            superseded=cls.superseded,
            takes_inputs=not issubclass(cls, PollingTrigger),
        )
    wrapped = getattr(cls, "wraps_tasks", False)
    return TypeInfo(
        name,
        category,
        available=available,
        kind=cls.kind,
        lists=tuple((one, _shape(one, wrapped)) for one in cls.lists),
        needs=tuple(getattr(cls, "needs", ())),
        input_lists=tuple(getattr(cls, "input_lists", ())),
        has_timeout=getattr(cls, "has_timeout", getattr(cls, "runnable", True)),
        parts=tuple(getattr(cls, "parts", ())),
        runnable=cls.run is not TaskType.run and not cls.lists and getattr(cls, "runnable", True),
        takes_runnable=getattr(cls, "takes_runnable", False),
        superseded=cls.superseded,
        deprecated=tuple(
            (name, text) for name, text in cls.deprecated.items() if name in cls.lists
        ),
    )


def _shape(name: str, wrapped: bool) -> ListShape:
    match name:
        case "cases":
            return ListShape.CASES
        case "onPause":
            return ListShape.ONE
        case "tasks" if wrapped:
            return ListShape.WRAPPED
        case _:
            return ListShape.TASKS
