"""Carrying out `Evaluate`: rendering what steers an execution."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from runner.engine.commands import Evaluate
from runner.engine.events import Evaluated
from runner.errors import HeadraceError
from runner.expressions import Context, ExpressionError, render, render_value


def evaluate(command: Evaluate, context: Context) -> Evaluated:
    """Render the fields of a command; an error becomes part of the event."""
    if command.purpose == "sla":
        return Evaluated(None, command.purpose, _renderable(command.fields, context))
    try:
        values = {
            name: loop_values(value, context)
            if name == "values" and command.purpose == "values"
            else render_value(value, context, typed=name in command.typed)
            for name, value in command.fields.items()
        }
    except HeadraceError as exc:
        return Evaluated(command.task_run_id, command.purpose, error=exc.message)
    return Evaluated(command.task_run_id, command.purpose, values)


def _renderable(fields: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Return the fields that can be rendered; the others are no violation (§10)."""
    values = {}
    for name, value in fields.items():
        with suppress(ExpressionError):
            values[name] = render_value(value, context)
    return values


def loop_values(written: Any, context: Context) -> list[str]:
    """Return the values of a loop as texts, without duplicates (execution-semantics §7.3).

    Raises:
        ExpressionError: they are no list, hold nulls, or hold something that cannot be a value.
    """
    if isinstance(written, str):
        items = _parsed(render(written, context))
    elif isinstance(written, list):
        items = [_rendered(item, context) for item in written]
    else:
        raise ExpressionError(f"Unknown value type: {type(written).__name__}")
    nulls = sum(item is None for item in items)
    if nulls:
        shown = json.dumps(items, ensure_ascii=False, default=str)
        raise ExpressionError(f"Found '{nulls}' null values on Each, with values={shown}")
    return list(dict.fromkeys(_as_text(item) for item in items))


def _parsed(text: str) -> list[Any]:
    try:
        items = json.loads(text)
    except ValueError as exc:
        raise ExpressionError(f"the values are no JSON array: {text[:200]}") from exc
    if not isinstance(items, list):
        raise ExpressionError(f"the values are no JSON array: {text[:200]}")
    return items


def _rendered(item: Any, context: Context) -> Any:
    if isinstance(item, str):
        return render(item, context)
    if isinstance(item, bool) or not isinstance(item, int | Mapping):
        raise ExpressionError(f"Unknown value element type: {type(item).__name__}")
    return render_value(dict(item), context) if isinstance(item, Mapping) else str(item)


def _as_text(item: Any) -> str:
    return (
        item
        if isinstance(item, str)
        else json.dumps(item, separators=(",", ":"), ensure_ascii=False)
    )


def labels_from(rendered: Any) -> Iterable[tuple[str, str]]:
    """Return labels given as a map, or as a list of ``{key, value}``."""
    if isinstance(rendered, Mapping):
        return [(str(key), str(value)) for key, value in rendered.items()]
    if isinstance(rendered, list):
        return [
            (str(item["key"]), str(item["value"])) for item in rendered if isinstance(item, Mapping)
        ]
    return []
