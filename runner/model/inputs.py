"""From what was given to the inputs of an execution (flow-language §7.3, §7.4).

Rendering is handed in: this package knows no expressions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from runner.errors import HeadraceError, InputInvalid
from runner.model.flow import Flow, Input, Output
from runner.model.input_values import options_of, read_value, violations
from runner.model.scalars import text_of

RenderInput = Callable[[Any, Mapping[str, Any], bool], Any]
"""(value, variables, typed) → rendered value; raises a HeadraceError."""

_TEXTS = ("STRING", "SECRET", "EMAIL", "SELECT")  # of others an empty text is no value
_SELECTS = ("SELECT", "MULTISELECT")


@dataclass(frozen=True)
class Examined:
    """What became of one input. *value* is None if there is none, or if there are *errors*.

    *given* is what came from outside, also of what is wrong or disabled. *warning*: it is disabled
    because its condition cannot be rendered.
    """

    declared: Input
    enabled: bool = True
    value: Any = None
    is_default: bool = False
    errors: tuple[str, ...] = ()
    warning: str | None = None
    given: Any = None


Seal = Callable[[str], Any]
"""Text of a SECRET → what is stored of it; raises a HeadraceError when there is no key."""


def resolve_inputs(
    flow: Flow, given: Mapping[str, Any], render: RenderInput, seal: Seal | None = None
) -> dict[str, Any]:
    """Return the inputs of an execution; ids with dots become nested maps.

    Raises:
        InputInvalid: values are missing or wrong; one line for each fault, in declared order.
    """
    examined = examine_inputs(flow.inputs, given, render)
    faults = [error for one in examined for error in one.errors]
    if faults:
        raise InputInvalid("\n".join(faults))
    return nested({one.declared.id: _stored(one, seal) for one in examined if one.enabled})


def _stored(one: Examined, seal: Seal | None) -> Any:
    if one.declared.type != "SECRET" or one.value is None or seal is None:
        return one.value
    try:
        return seal(str(one.value))
    except HeadraceError as exc:
        raise InputInvalid(_fault(one.declared, exc.message)) from exc


def examine_inputs(
    inputs: Sequence[Input], given: Mapping[str, Any], render: RenderInput
) -> tuple[Examined, ...]:
    """Resolve and check every input, in declared order."""
    examination = _Examination(inputs, given, render)
    return tuple(examination.of(one) for one in inputs)


def undeclared(inputs: Sequence[Input], given: Mapping[str, Any]) -> list[str]:
    """Return the names of given values that no input asks for: they are ignored (§7.3)."""
    names = {one.id for one in inputs} | {one.id.partition(".")[0] for one in inputs}
    return [name for name in given if name not in names]


def convert_output(output: Output, value: Any, seal: Seal | None = None) -> Any:
    """Return a flow output's rendered value as its type.

    Raises:
        InputInvalid: it does not fit.
    """
    if value is None:
        return None
    try:
        read = read_value(output.type, value, {}, lenient=output.type == "DURATION")
        return seal(str(read)) if output.type == "SECRET" and seal is not None else read
    except ValueError as exc:
        raise InputInvalid(str(exc)) from exc


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Turn dotted names into nested maps; of a value and a map of one name the first stays."""
    root: dict[str, Any] = {}
    for name, value in flat.items():
        *parents, last = name.split(".")
        here: Any = root
        for parent in parents:
            here = here.setdefault(parent, {}) if isinstance(here, dict) else None
        if isinstance(here, dict):
            here.setdefault(last, value)
    return root


class _Examination:
    """Looks at each input once, after those that it depends on."""

    def __init__(
        self, inputs: Sequence[Input], given: Mapping[str, Any], render: RenderInput
    ) -> None:
        self._inputs = {one.id: one for one in inputs}
        self._given, self._render = given, render
        self._done: dict[str, Examined] = {}
        self._open: set[str] = set()

    def of(self, one: Input) -> Examined:
        if one.id not in self._done:
            self._open.add(one.id)
            found = self._examine(one)
            self._done[one.id] = replace(found, given=_lookup(self._given, one.id))
        return self._done[one.id]

    def _examine(self, one: Input) -> Examined:
        needed = [
            self.of(self._inputs[name])
            for name in one.depends_on
            if name in self._inputs and (name in self._done or name not in self._open)
        ]
        if any(not other.enabled or other.value is None for other in needed):
            return Examined(one, enabled=False)
        variables = {"inputs": self._visible(one)}
        warning = self._condition_fault(one, variables)
        if warning is not None:
            return Examined(one, enabled=False, warning=warning or None)
        return self._value(one, variables)

    def _visible(self, one: Input) -> dict[str, Any]:
        """What expressions of *one* see: what it depends on, and null for others with defaults."""
        flat = {name: None for name, other in self._inputs.items() if other.defaults is not None}
        named = {name: self._done[name].value for name in one.depends_on if name in self._done}
        return nested({**flat, **named})

    def _condition_fault(self, one: Input, variables: Mapping[str, Any]) -> str | None:
        """Return None if the condition holds, else why it could not be asked, or an empty text."""
        if one.condition is None:
            return None
        try:
            return None if self._render(one.condition, variables, True) is True else ""
        except HeadraceError as exc:
            return f"Invalid condition: {exc.message}"

    def _value(self, one: Input, variables: Mapping[str, Any]) -> Examined:
        try:
            one = self._with_options(one, variables)
            value, is_default = self._given_or_default(one, variables)
        except (HeadraceError, ValueError) as exc:
            return Examined(one, errors=(_fault(one, _words(exc)),))
        if value is None:
            errors = (f"Missing required input:{one.id}",) if one.required else ()
            return Examined(one, errors=errors)
        return _checked(one, value, is_default)

    def _with_options(self, one: Input, variables: Mapping[str, Any]) -> Input:
        """Put the list that ``expression`` gives in the place of ``values``."""
        expression = one.properties.get("expression")
        if one.type not in _SELECTS or expression is None:
            return one
        try:
            options = self._render(expression, variables, True)
        except HeadraceError as exc:
            raise ValueError(f"Cannot render 'expression'. Cause: {exc.message}") from exc
        if not isinstance(options, list | tuple):
            raise ValueError("Invalid expression result. Expected a list of strings")
        values = [text_of(option) for option in options if option is not None]
        return replace(one, properties={**one.properties, "values": values})

    def _given_or_default(self, one: Input, variables: Mapping[str, Any]) -> tuple[Any, bool]:
        value = _lookup(self._given, one.id)
        if value is not None and (value != "" or one.type in _TEXTS):
            return value, False
        if one.defaults is not None:
            return self._render(one.defaults, variables, False), True
        if one.properties.get("autoSelectFirst") in (True, "true") and options_of(one.properties):
            first = options_of(one.properties)[0]
            return [first] if one.type == "MULTISELECT" else first, True
        return None, False


def _checked(one: Input, value: Any, is_default: bool) -> Examined:
    try:
        read = read_value(one.type, value, one.properties, lenient=is_default)
        faults = violations(one.type, read, one.properties, required=one.required)
    except (ValueError, OverflowError) as exc:
        return Examined(one, is_default=is_default, errors=(_fault(one, str(exc)),))
    errors = tuple(_fault(one, fault) for fault in faults)
    return Examined(one, value=None if errors else read, is_default=is_default, errors=errors)


def _lookup(given: Mapping[str, Any], name: str) -> Any:
    """Return the value given for an id, also if dots were written as nested maps."""
    if name in given:
        return given[name]
    here: Any = given
    for part in name.split("."):
        here = here.get(part) if isinstance(here, Mapping) else None
    return here


def _fault(one: Input, cause: str) -> str:
    return f"Invalid value for input `{one.id}`. Cause: {cause}"


def _words(error: Exception) -> str:
    return error.message if isinstance(error, HeadraceError) else str(error)
