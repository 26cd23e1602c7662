"""Finding types: our own by every spelling, and the names of those that are not built yet."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import entry_points
from importlib.resources import files
from types import ModuleType
from typing import Literal, get_args, get_origin

from runner.model.catalogue import Category
from runner.plugin import Plugin, Task, TriggerType

PREFIX = "io.kestra.plugin."
OWN_PREFIX = "io."
GROUP = "headrace.plugins"

_KINDS = {
    "task": Category.TASK,
    "trigger": Category.TRIGGER,
    "condition": Category.CONDITION,
    "other": Category.OTHER,
}


def spellings(name: str) -> tuple[str, ...]:
    """Return the full names that *name* may be short for, itself first."""
    if name.startswith("headrace."):
        return name, OWN_PREFIX + name
    return (name,) if name.startswith("io.") else (name, PREFIX + name)


def is_foreign(name: str) -> bool:
    """Say whether *name* may be of a plugin of Kestra that is in no list of ours."""
    return name.startswith(PREFIX) and _family(name) not in ("core", "scripts")


def is_family_known(name: str) -> bool:
    """Say whether our list has types of the same plugin family as *name*."""
    return _family(name) in _families() and _family(name) != "ee"


def _family(name: str) -> str:
    return name.removeprefix(PREFIX).split(".")[0]


@cache
def _families() -> frozenset[str]:
    return frozenset(_family(name) for name in known_elsewhere() if name.startswith(PREFIX))


def canonical_name(cls: type[Plugin]) -> str | None:
    """Return the type that a class stands for; None: it is a base of others."""
    info = cls.model_fields.get("type")
    if info is None:
        return None
    if isinstance(info.default, str):
        return info.default
    words = get_args(info.annotation) if get_origin(info.annotation) is Literal else ()
    return str(words[0]) if len(words) == 1 else None


def category_of(cls: type[Plugin]) -> Category:
    """Return where objects of a class may stand."""
    if issubclass(cls, Task):
        return Category.TASK
    if issubclass(cls, TriggerType):
        return Category.TRIGGER
    return Category(getattr(cls, "category", Category.OTHER))


def installed() -> tuple[tuple[type[Plugin], ...], Mapping[str, Exception]]:
    """Return all classes that there are, and the entry points that fail."""
    classes = [*classes_in(importlib.import_module("runner.plugins"))]
    broken: dict[str, Exception] = {}
    for point in entry_points(group=GROUP):
        try:
            classes += classes_in(point.load())
        except Exception as exc:  # noqa: BLE001 - a third party's module may fail in any way
            broken[point.value] = exc
    return tuple(classes), broken


def classes_in(module: ModuleType) -> Iterator[type[Plugin]]:
    """Yield the types of a module; of a package, those of all its modules."""
    for one in _modules(module):
        for value in vars(one).values():
            if _is_type(value) and value.__module__ == one.__name__:
                yield value


def _modules(module: ModuleType) -> Iterator[ModuleType]:
    yield module
    for found in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{module.__name__}."):
        if not found.name.rpartition(".")[2].startswith("_"):
            yield importlib.import_module(found.name)


def _is_type(value: object) -> bool:
    return (
        isinstance(value, type) and issubclass(value, Plugin) and canonical_name(value) is not None
    )


@cache
def known_elsewhere() -> Mapping[str, tuple[str, Category]]:
    """Return Kestra's types by name and alias: full name and category."""
    text = files("runner.registry").joinpath("kestra_types.txt").read_text(encoding="utf-8")
    return dict(_entries(text.splitlines()))


def _entries(lines: Iterable[str]) -> Iterator[tuple[str, tuple[str, Category]]]:
    """Read headings ``[category] package.`` and lines of ``Name`` or ``Name = alias alias``."""
    category, package = Category.TASK, ""
    for line in lines:
        if line.startswith("["):
            kind, package = line[1:].split("] ")
            category = _KINDS[kind]
        elif line and not line.startswith("#"):
            name, _, aliases = line.partition(" = ")
            for spelling in (package + name, *aliases.split()):
                yield spelling, (package + name, category)
