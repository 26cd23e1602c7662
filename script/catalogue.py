"""Every type that Headrace itself brings: task types, triggers, conditions, task runners."""

from runner.plugin import Plugin
from runner.registry import load
from runner.registry.names import canonical_name

_OURS = ("runner.", "gitsync.")


def types() -> list[type[Plugin]]:
    """Return the classes that have a type name, by that name; not parts (`$`): none writes them."""
    ours = (cls for cls in load() if cls.__module__.startswith(_OURS))
    return sorted((cls for cls in ours if "$" not in type_name(cls)), key=type_name)


def type_name(cls: type[Plugin]) -> str:
    """Return the full name."""
    name = canonical_name(cls)
    assert name is not None
    return name
