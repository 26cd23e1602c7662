"""Every type that Headrace itself brings: task types, triggers, conditions, task runners."""

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Iterator

from runner.plugin import Plugin

PACKAGES = ("runner.plugins", "gitsync.tasks")


def types() -> list[type[Plugin]]:
    """Return the classes that have a type name, by that name."""
    found = {cls for module in _modules() for _, cls in inspect.getmembers(module, _is_type)}
    return sorted(found, key=type_name)


def type_name(cls: type[Plugin]) -> str:
    """Return the canonical name: the first value of the field `type`."""
    return str(typing.get_args(cls.model_fields["type"].annotation)[0])


def _modules() -> Iterator[object]:
    for name in PACKAGES:
        try:
            package = importlib.import_module(name)
        except ModuleNotFoundError as exc:
            if exc.name != name:
                raise
            continue
        yield package
        for entry in pkgutil.walk_packages(getattr(package, "__path__", []), f"{name}."):
            yield importlib.import_module(entry.name)


def _is_type(thing: object) -> bool:
    if not (inspect.isclass(thing) and issubclass(thing, Plugin)):
        return False
    field = thing.model_fields.get("type")
    return field is not None and typing.get_origin(field.annotation) is typing.Literal
