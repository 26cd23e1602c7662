"""JSON forms: of the events that are stored, and of the plain data inside executions.

Moments are microseconds since 1970, states their text. Fields that have their default are left
out, so an event stored by an older version reads as long as new fields have defaults.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from datetime import datetime
from typing import Any, get_args, get_type_hints

import orjson

from runner.clock import from_micros, to_micros
from runner.engine.events import Event
from runner.model.states import State

_MARK = " "  # before a text that only the standard library reads back: integers beyond 64 bits


def to_text(value: Any) -> str:
    """Return plain data as JSON. NaN and infinities become null, keys texts."""
    try:
        return orjson.dumps(value, _plain, orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        return _MARK + json.dumps(value, default=_plain)


def from_text(text: str) -> Any:
    """Return the plain data of a JSON text."""
    return json.loads(text) if text.startswith(_MARK) else orjson.loads(text)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no plain data")


def event_to_json(event: Event) -> tuple[str, str]:
    """Return the kind of an event (its class's name) and its fields as JSON."""
    kind = type(event)
    return kind.__name__, to_text(_FORMS[kind.__name__].dump(event))


def event_from_json(kind: str, data: str) -> Event:
    """Return the event of a stored kind and text. Raises KeyError for an unknown kind."""
    event: Event = _FORMS[kind].load(from_text(data))
    return event


class _Form:
    """How one class of events is written and read."""

    def __init__(self, kind: type[Any]) -> None:
        hints = get_type_hints(kind)
        self._kind = kind
        self._fields = tuple(
            (f.name, _default(f), *_CONVERSIONS[_core(hints[f.name])]) for f in fields(kind)
        )
        self._reads = {name: read for name, _, _, read in self._fields if read}

    def dump(self, event: Any) -> dict[str, Any]:
        values = {}
        for name, default, write, _ in self._fields:
            value = getattr(event, name)
            if value != default or type(value) is not type(default):
                values[name] = write(value) if write and value is not None else value
        return values

    def load(self, values: dict[str, Any]) -> Any:
        for name, read in self._reads.items():
            if values.get(name) is not None:
                values[name] = read(values[name])
        return self._kind(**values)


def _default(field: Field[Any]) -> Any:
    return field.default_factory() if field.default_factory is not MISSING else field.default


def _core(hint: Any) -> Any:
    """Return which conversion a type hint asks for: the hint without None."""
    options = [option for option in get_args(hint) or (hint,) if option is not type(None)]
    found = [option for option in options if option in (datetime, State)]
    if any(getattr(option, "__origin__", None) is tuple for option in (hint, *options)):
        return tuple
    return found[0] if found else None


_Conversion = Callable[[Any], Any] | None
_CONVERSIONS: dict[Any, tuple[_Conversion, _Conversion]] = {
    datetime: (to_micros, from_micros),
    State: (None, State),
    tuple: (None, tuple),
    None: (None, None),
}
_FORMS = {kind.__name__: _Form(kind) for kind in get_args(Event)}
