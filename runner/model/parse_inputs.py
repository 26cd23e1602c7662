"""Reading inputs and outputs of a flow (flow-language §7, §8)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import regex

from runner.model.evolve import replace
from runner.model.flow import Input, Output
from runner.model.input_values import compiled, read_value
from runner.model.names import INPUT_ID, nearest
from runner.model.scalars import has_expression
from runner.model.section import Section

COMMON = (
    "id", "name", "type", "description", "displayName", "required", "defaults", "prefill",
    "dependsOn",
)  # fmt: skip

INPUT_TYPES: dict[str, tuple[str, ...]] = {
    "STRING": ("validator",),
    "INT": ("min", "max"),
    "FLOAT": ("min", "max"),
    "BOOL": (),
    "BOOLEAN": (),
    "DATETIME": ("after", "before"),
    "DATE": ("after", "before"),
    "TIME": ("after", "before"),
    "DURATION": ("min", "max"),
    "FILE": ("allowedFileExtensions", "extension"),
    "JSON": (),
    "YAML": (),
    "URI": (),
    "SECRET": ("validator",),
    "EMAIL": (),
    "SELECT": ("values", "expression", "allowCustomValue", "isRadio", "autoSelectFirst"),
    "ENUM": ("values",),
    "MULTISELECT": (
        "values",
        "options",
        "expression",
        "itemType",
        "allowCustomValue",
        "autoSelectFirst",
    ),
    "ARRAY": ("itemType",),
    "FORM": ("inputs",),
}
"""Every type of input with its own properties."""

_SUPERSEDED = {
    "BOOLEAN": "BOOLEAN is deprecated: write BOOL",
    "ENUM": "ENUM is deprecated: write SELECT",
}
_DEPRECATED = {
    "FILE": {"extension": "extension is deprecated: write allowedFileExtensions"},
    "MULTISELECT": {"options": "options is deprecated: write values"},
}
_NO_ITEMS = ("ARRAY", "SECRET", "MULTISELECT", "ENUM", "SELECT")
_OUTPUT_KEYS = ("id", "type", "value", "description", "displayName", "required")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_VARIABLE = re.compile(
    r"\b(?:inputs|vars|flow|execution|outputs|trigger|labels|globals|envs|kestra|taskrun|task)\b"
)
_FILE_EXPRESSION = (
    "inputs of type 'FILE' only support `defaults` with expression that can be rendered "
    "immediately: no variable is known yet"
)
_FILE_URI = (
    "inputs of type 'FILE' only support `defaults` as local files using a file URI "
    "or as namespace files using a nsfile URI"
)


def read_inputs(owner: Section, key: str = "inputs") -> tuple[Input, ...]:
    """Read the inputs of a flow, or those of a Pause."""
    return tuple(_inputs(owner, key))


def _inputs(owner: Section, key: str) -> Iterator[Input]:
    for section in owner.sections(key, "an input"):
        if section.raw.get("type") == "FORM":
            yield from _form(section)
        elif (read := _input(section)) is not None:
            yield read


def _form(section: Section) -> Iterator[Input]:
    """Yield the inputs of a group: their ids begin with the group's."""
    form_id = section.name("id", INPUT_ID)
    section.refuse_unknown((*COMMON, *INPUT_TYPES["FORM"]), "an input of type FORM")
    _depends_on(section)
    if section.has("defaults") or section.has("prefill"):
        message = (
            "A FORM input groups other inputs and cannot declare a default value or a prefill."
        )
        section.add("defaults" if section.has("defaults") else "prefill", message, "rule")
    section.require("inputs")
    for child in section.sections("inputs", "an input"):
        if child.raw.get("type") == "FORM":
            message = (
                "A FORM input cannot contain another FORM input; grouping is limited to a single "
                "level."
            )
            child.add("type", message, "rule")
        elif (read := _input(child)) is not None and form_id is not None:
            yield replace(read, id=f"{form_id}.{read.id}")


def _input(section: Section) -> Input | None:
    id_key = "id" if section.has("id") or not section.has("name") else "name"
    input_id = section.name(id_key, INPUT_ID)
    if section.has("name"):
        section.add(
            "name", "write id instead of name", "deprecated", severity="deprecation", of_key=True
        )
    kind = _type(section, "input")
    if kind is None:
        return None
    section.refuse_unknown((*COMMON, *INPUT_TYPES[kind]), f"an input of type {kind}")
    depends_on, condition = _depends_on(section)
    if advice := _SUPERSEDED.get(kind):
        section.add(None, advice, "deprecated", severity="deprecation")
    for key, advice in _DEPRECATED.get(kind, {}).items():
        if section.has(key):
            section.add(key, advice, "deprecated", severity="deprecation", of_key=True)
    found = Input(
        id=input_id or "",
        type=kind,
        required=section.boolean("required", default=True),
        defaults=section.raw.get("defaults"),
        prefill=section.raw.get("prefill"),
        description=section.text("description"),
        display_name=section.text("displayName"),
        depends_on=depends_on,
        condition=condition,
        properties={key: value for key, value in section.raw.items() if key not in COMMON},
    )
    _check(section, found)
    return found if input_id is not None else None


def _type(section: Section, what: str) -> str | None:
    if not section.has("type"):
        section.add("type", f"Invalid type: null: every {what} needs a type", "required")
        return None
    kind = section.text("type")
    if kind is None or kind in INPUT_TYPES:
        return kind
    near = nearest(kind, INPUT_TYPES)
    hint = f", did you mean {near}?" if near else f": known are {', '.join(INPUT_TYPES)}"
    section.add("type", f"Invalid type: {kind}{hint}", "type_unknown")
    return None


def _depends_on(section: Section) -> tuple[tuple[str, ...], str | None]:
    depends_on = section.section("dependsOn")
    if depends_on is None:
        return (), None
    depends_on.refuse_unknown(("inputs", "condition"), "dependsOn")
    return depends_on.texts("inputs"), depends_on.text("condition")


def _check(section: Section, found: Input) -> None:
    has_default = found.defaults is not None or _selects_first(section, found)
    if has_default and not found.required:
        message = (
            "Inputs with a default value must be required, since the default is always applied."
        )
        section.add(
            "defaults" if found.defaults is not None else "autoSelectFirst", message, "rule"
        )
    if found.defaults is not None and found.prefill is not None:
        section.add("prefill", "Inputs with a default value cannot also have a prefill.", "rule")
    _check_pattern(section)
    match found.type:
        case "INT":
            section.integer("min")
            section.integer("max")
        case "FLOAT":
            section.number("min")
            section.number("max")
        case "DURATION":
            section.duration("min")
            section.duration("max")
        case "DATETIME" | "DATE" | "TIME":
            _check_bounds(section, found, "after", "before")
        case "FILE":
            _check_file(section, found)
        case "SELECT" | "ENUM" | "MULTISELECT":
            _check_options(section, found)
        case "ARRAY":
            section.require("itemType")
    _check_item_type(section)


def _selects_first(section: Section, found: Input) -> bool:
    is_select = found.type in ("SELECT", "MULTISELECT")
    return is_select and section.boolean("autoSelectFirst")


def _check_pattern(section: Section) -> None:
    pattern = section.text("validator") if "validator" in section.raw else None
    try:
        compiled(pattern or "")
    except (regex.error, ValueError, OverflowError, RecursionError) as exc:
        section.add("validator", f"invalid pattern [{pattern}]: {exc}")


def _check_bounds(section: Section, found: Input, *keys: str) -> None:
    """Bounds are values of the input's own type, and no expressions."""
    for key in keys:
        value = section.raw.get(key)
        if value is None:
            continue
        try:
            read_value(found.type, value, {}, lenient=True)
        except (ValueError, OverflowError) as exc:
            section.add(key, str(exc))


def _check_file(section: Section, found: Input) -> None:
    section.texts("allowedFileExtensions")
    default: Any = found.defaults
    if default is None:
        return
    if has_expression(default):
        if _VARIABLE.search(_QUOTED.sub("", str(default))):
            section.add("defaults", _FILE_EXPRESSION, "rule")
    elif not str(default).startswith(("file:", "nsfile:")):
        section.add("defaults", _FILE_URI, "rule")
    else:
        _check_uri(section, default)


def _check_uri(section: Section, default: Any) -> None:
    try:
        read_value("URI", default, {})
    except ValueError as exc:
        section.add("defaults", str(exc))


def _check_options(section: Section, found: Input) -> None:
    section.texts("values")
    section.text("expression")
    section.boolean("allowCustomValue")
    section.boolean("autoSelectFirst")
    if found.type == "MULTISELECT":
        section.texts("options")
    if found.type == "SELECT":
        section.boolean("isRadio")
    if not any(section.has(key) for key in ("values", "options", "expression")):
        is_enum = found.type == "ENUM"
        section.add(
            "values",
            f"an input of type {found.type} needs 'values'",
            "required" if is_enum else "value",
            severity="error" if is_enum else "warning",
        )


def _check_item_type(section: Section) -> None:
    item = section.text("itemType") if "itemType" in section.raw else None
    if item in _NO_ITEMS:
        section.add("itemType", f"`itemType` cannot be {item}", "rule")
    elif item is not None:
        section.choice("itemType", tuple(kind for kind in INPUT_TYPES if kind not in _NO_ITEMS))
    if item == "FORM":
        section.add("itemType", "no value is a FORM", severity="warning")


def read_outputs(owner: Section) -> tuple[Output, ...]:
    """Read the outputs of a flow."""
    return tuple(_outputs(owner))


def _outputs(owner: Section) -> Iterator[Output]:
    for section in owner.sections("outputs", "an output"):
        section.refuse_unknown(_OUTPUT_KEYS, "an output")
        output_id = section.name("id", INPUT_ID)
        kind = _type(section, "output")
        section.require("value")
        if output_id is None or kind is None:
            continue
        yield Output(
            id=output_id,
            type=kind,
            value=section.raw.get("value"),
            required=section.boolean("required", default=True),
            description=section.text("description"),
            display_name=section.text("displayName"),
        )
