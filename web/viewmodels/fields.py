"""Form fields out of a flow's inputs, with what was entered and what was wrong with it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from runner.model.input_values import options_of
from runner.model.inputs import Examined
from runner.model.scalars import text_of
from web.viewmodels import words

_MOST_RADIOS = 4
_MOST_OPTIONS = 12
_NATIVE = {
    "INT": "number",
    "FLOAT": "number",
    "DATE": "date",
    "TIME": "time",
    "DATETIME": "datetime-local",
    "URI": "url",
    "EMAIL": "email",
    "SECRET": "password",
    "FILE": "file",
}
_NAMED = re.compile(
    r"^(?:Invalid value for input `(?P<a>[^`]+)`\. Cause: |Missing required input:(?P<b>\S+))"
)


@dataclass(frozen=True, slots=True)
class Choice:
    """One value to choose."""

    value: str
    on: bool


@dataclass(frozen=True, slots=True)
class Field:
    """One field. *control*: input, checkbox, select, radios, checks, area, list (free, hints)."""

    id: str
    name: str
    label: str
    type: str
    control: str
    native: str = "text"
    value: str = ""
    placeholder: str = ""
    hint: str = ""
    wrong: str = ""
    required: bool = True
    choices: tuple[Choice, ...] = ()
    accept: str = ""
    step: str = ""
    low: str = ""
    high: str = ""
    autofocus: bool = False

    @property
    def described(self) -> str:
        """Ids of the texts that explain the field."""
        found = [f"{self.id}-wrong"] if self.wrong else []
        return " ".join([*found, *([f"{self.id}-hint"] if self.hint else [])])


@dataclass(frozen=True, slots=True)
class Entry:
    """What a person entered, as text, and what was said about it: by input, and about the whole."""

    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


def fields(examined: Sequence[Examined], entry: Entry, *, max_upload: int = 0) -> tuple[Field, ...]:
    """Return the fields of the inputs that are asked for, the first wrong one focused."""
    made = [_field(each, entry, max_upload) for each in examined if each.enabled]
    first = next((each.id for each in made if each.wrong), None)
    return tuple(_focused(each) if each.id == first else each for each in made)


def errors_by_input(message: str) -> tuple[dict[str, str], str]:
    """Return the faults of a refusal by input, and what speaks of none."""
    found: dict[str, str] = {}
    rest = []
    for text in message.splitlines():
        match = _NAMED.match(text)
        if match is None:
            rest.append(text)
        elif match["b"]:
            found[match["b"]] = "It needs a value."
        else:
            found[match["a"]] = _sentence(text[match.end() :])
    return found, " ".join(rest)


def _field(each: Examined, entry: Entry, max_upload: int) -> Field:
    declared = each.declared
    kind = declared.type
    entered = entry.texts.get(declared.id)
    value = entered[0] if entered else _text(declared.prefill)
    chosen = set(entered) if entered is not None else _default_choice(each)
    control, choices = _control(declared.type, declared.properties, chosen)
    return Field(
        id=f"in-{declared.id}",
        name=declared.id,
        label=declared.display_name or declared.id,
        type=kind,
        control=control,
        native=_NATIVE.get(kind, "text"),
        value=value,
        placeholder=_placeholder(each),
        hint=_hint(each, max_upload),
        wrong=entry.errors.get(declared.id, ""),
        required=declared.required and declared.defaults is None,
        choices=choices,
        accept=",".join(_endings(declared.properties)),
        step={"INT": "1", "FLOAT": "any", "DATETIME": "1", "TIME": "1"}.get(kind, ""),
        low=_bound(declared.properties, "min", "after"),
        high=_bound(declared.properties, "max", "before"),
    )


def _control(
    kind: str, properties: Mapping[str, Any], chosen: set[str]
) -> tuple[str, tuple[Choice, ...]]:
    if kind in ("BOOL", "BOOLEAN"):
        return "checkbox", (Choice("true", "true" in chosen),)
    if kind in ("JSON", "YAML", "ARRAY"):
        return "area", ()
    if kind not in ("SELECT", "ENUM", "MULTISELECT"):
        return "input", ()
    options = options_of(properties)
    choices = tuple(Choice(option, option in chosen) for option in options)
    if kind == "MULTISELECT":
        return "checks", choices
    if properties.get("allowCustomValue") or len(options) > _MOST_OPTIONS:
        return "list", choices
    if properties.get("isRadio") and len(options) <= _MOST_RADIOS:
        return "radios", choices
    return "select", choices


def _default_choice(each: Examined) -> set[str]:
    value = each.value if each.value is not None else each.declared.prefill
    if isinstance(value, list | tuple):
        return {text_of(item) for item in value}
    return set() if value is None else {_text(value)}


def _placeholder(each: Examined) -> str:
    kind = each.declared.type
    if kind in ("DURATION",):
        return "PT15M"
    return _text(each.value)[:60] if each.is_default and each.value is not None else ""


def _hint(each: Examined, max_upload: int) -> str:
    declared = each.declared
    said = [declared.description or ""]
    if each.is_default and declared.type not in (
        "BOOL",
        "BOOLEAN",
        "SELECT",
        "ENUM",
        "MULTISELECT",
    ):
        said.append(f"Empty means {_text(each.value)[:80]}.")
    if declared.type == "DATETIME":
        said.append("The time is UTC.")
    if declared.type == "ARRAY":
        said.append("A JSON list.")
    if declared.type == "FILE":
        endings = " ".join(_endings(declared.properties))
        limit = f"up to {words.size(max_upload)}" if max_upload else ""
        said.append(", ".join(part for part in (endings, limit) if part))
    return " ".join(part for part in said if part)


def _endings(properties: Mapping[str, Any]) -> list[str]:
    found = properties.get("allowedFileExtensions") or properties.get("extension") or []
    endings = [found] if isinstance(found, str) else [str(each) for each in found]
    return [each if each.startswith(".") else f".{each}" for each in endings]


def _bound(properties: Mapping[str, Any], *names: str) -> str:
    found = next((properties[name] for name in names if properties.get(name) is not None), None)
    text = "" if found is None else _text(found)
    return "" if "{{" in text else text


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _sentence(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:]


def _focused(each: Field) -> Field:
    return replace(each, autofocus=True)
