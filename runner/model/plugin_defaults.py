"""Plugin defaults: properties that a flow gives to all objects of a type (flow-language §15)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from runner.model.catalogue import Catalogue, Category
from runner.model.parse_tasks import COMMON, is_alias
from runner.model.parse_triggers import COMMON as TRIGGER_COMMON
from runner.model.section import Report, Section
from runner.model.yaml import Path

Canonical = Callable[[str], str]
"""The full name of any spelling of a type; other texts come back as they are."""

_KEYS = ("type", "values", "forced", "ref")


@dataclass(frozen=True)
class Default:
    """Values for every object whose type is *type* or begins with it."""

    type: str
    values: Mapping[str, Any]
    forced: bool = False
    ref: str | None = None


def read_defaults(
    owner: Section, canonical: Canonical, catalogue: Catalogue
) -> tuple[Default, ...]:
    """Read ``pluginDefaults`` (or the older ``taskDefaults``)."""
    key = "pluginDefaults" if owner.has("pluginDefaults") else "taskDefaults"
    found = (
        _read(section, canonical, catalogue) for section in owner.sections(key, "a plugin default")
    )
    return tuple(default for default in found if default is not None)


def _read(section: Section, canonical: Canonical, catalogue: Catalogue) -> Default | None:
    section.refuse_unknown(_KEYS, "a plugin default")
    for needed in ("type", "values"):
        if not section.has(needed) or section.raw[needed] == "":
            section.add(needed, f"Invalid Plugin Default: No '{needed}' provided", "required")
    values = section.mapping("values")
    name = section.text("type")
    if not name:
        return None
    info = catalogue.look_up(name)
    if info is not None and is_alias(name, info.name):
        section.add("type", f"{name} is replaced by {info.name}", "alias", severity="info")
    _check_properties(section, catalogue, name, values)
    return Default(canonical(name), values, section.boolean("forced"), section.text("ref"))


def _check_properties(
    section: Section, catalogue: Catalogue, name: str, values: Mapping[str, Any]
) -> None:
    info = catalogue.look_up(name)
    if info is None or not info.available:
        return
    common = TRIGGER_COMMON if info.category is Category.TRIGGER else COMMON
    known = [*common, *(one for one, _ in info.lists), *catalogue.properties(info)]
    lower = {one.lower() for one in known}
    for key in values:
        if key.lower() not in lower:
            path = (*section.path, "values", key)
            message = f"Invalid Plugin Default: No property '{key}' exists in plugin '{name}'"
            section.report.add(path, message, "property_unknown", of_key=True)


def inject(
    report: Report, raw: dict[str, Any], defaults: Sequence[Default], canonical: Canonical
) -> dict[str, Any]:
    """Return the flow's plain data with the defaults merged in; *raw* itself stays as it is."""
    if not defaults and not _has_ref(raw):
        return raw
    skipped = ("pluginDefaults", "taskDefaults", "variables", "inputs", "outputs", "labels")
    walk = partial(_inject, report, defaults, canonical)
    return {key: value if key in skipped else walk(value, (key,)) for key, value in raw.items()}


def _has_ref(value: Any) -> bool:
    """Say whether any object asks for a default by its name."""
    if isinstance(value, dict):
        return "pluginDefaultsRef" in value or any(map(_has_ref, value.values()))
    return isinstance(value, list) and any(map(_has_ref, value))


def _inject(
    report: Report, defaults: Sequence[Default], canonical: Canonical, value: Any, path: Path
) -> Any:
    if isinstance(value, list):
        return [
            _inject(report, defaults, canonical, item, (*path, index))
            for index, item in enumerate(value)
        ]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("type"), str):
        value = _apply(report, defaults, canonical(value["type"]), value, path)
    return {
        key: _inject(report, defaults, canonical, item, (*path, key)) for key, item in value.items()
    }


def _apply(
    report: Report, defaults: Sequence[Default], name: str, value: dict[str, Any], path: Path
) -> dict[str, Any]:
    matching = [one for one in defaults if name.startswith(one.type)]
    matching.sort(key=lambda one: -len(one.type))
    ref = value.get("pluginDefaultsRef")
    by_type = [one for one in matching if one.ref is None]
    forced = [one for one in by_type if one.forced]
    if ref is not None:
        named = _referred(matching, str(ref))
        weak = [] if forced else named
        if not named:
            message = f"No plugin-defaults exists for pluginDefaultsRef: '{ref}'"
            report.add((*path, "pluginDefaultsRef"), message, "rule")
    else:
        weak = [one for one in by_type if not one.forced]
    for one in weak:
        value = merge(dict(one.values), value)
    for one in forced:
        value = merge(value, dict(one.values))
    return value


def _referred(matching: Sequence[Default], ref: str) -> list[Default]:
    named = [one for one in matching if one.ref == ref]
    forced = [one for one in named if one.forced]
    return forced[-1:] or named[:1]


def merge(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two maps: maps in depth, lists joined, else *upper* wins, but null never does."""
    merged = dict(lower)
    for key, value in upper.items():
        merged[key] = _merged(merged[key], value) if key in merged else value
    return merged


def _merged(lower: Any, upper: Any) -> Any:
    if isinstance(lower, dict) and isinstance(upper, dict):
        return merge(lower, upper)
    if isinstance(lower, list) and isinstance(upper, list):
        return [*lower, *(item for item in upper if item not in lower)]
    return lower if upper is None else upper
