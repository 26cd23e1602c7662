"""Dates in properties."""

from __future__ import annotations

from datetime import datetime

from runner.plugin import TaskError


def moment(name: str, text: str) -> datetime:
    """Return a date and time of a property. Raises TaskError: it is none, or has no time zone."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError as exc:
        raise TaskError(f"'{name}' is no date and time: {text!r}") from exc
    if found.tzinfo is None:
        raise TaskError(f"'{name}' has no time zone: {text!r}")
    return found
