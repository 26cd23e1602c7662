"""Pages by number and sorting, as Kestra's clients ask for them (rest-api §6.1, §6.2).

The store has keyset pages; a page by number is reached by walking there, so far pages are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import request

from runner.errors import ArgumentInvalid

LARGEST_SIZE = 1_000
MOST_SCANNED = 10_000
_DEFAULT_SIZE = 10

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page is wanted, and in which order: pairs of field and whether it ascends."""

    page: int
    size: int
    sort: tuple[tuple[str, bool], ...] = ()

    @property
    def start(self) -> int:
        return (self.page - 1) * self.size

    @property
    def end(self) -> int:
        return self.page * self.size


def asked(fields: Sequence[str]) -> Paging:
    """Return the page that the query asks for; *fields* may be sorted by.

    Raises:
        ArgumentInvalid: a number or a field makes no sense.
    """
    page = _number("page", 1)
    size = _number("size", _DEFAULT_SIZE)
    if size > LARGEST_SIZE:
        raise ArgumentInvalid(f"size may be {LARGEST_SIZE} at most")
    if page * size > MOST_SCANNED:
        raise ArgumentInvalid(f"only the first {MOST_SCANNED} can be reached: narrow the search")
    return Paging(page, size, tuple(_sort(text, fields) for text in request.args.getlist("sort")))


def page_of(items: Sequence[Item], paging: Paging) -> dict[str, Any]:
    """Return one page of a whole list."""
    return {"results": list(items[paging.start : paging.end]), "total": len(items)}


def ordered(
    items: Sequence[Item], paging: Paging, key: Callable[[Item, str], Any]
) -> Sequence[Item]:
    """Return the items in the order asked for; what has no value comes last."""
    result = list(items)
    for name, ascending in reversed(paging.sort):
        present = [item for item in result if key(item, name) is not None]
        absent = [item for item in result if key(item, name) is None]
        present.sort(key=lambda item, name=name: key(item, name), reverse=not ascending)  # type: ignore[misc]
        result = present + absent
    return result


def _number(name: str, default: int) -> int:
    text = request.args.get(name)
    if text is None or text == "":
        return default
    try:
        value = int(text)
    except ValueError as exc:
        raise ArgumentInvalid(f"{name} is no number: {text!r}") from exc
    if value < 1:
        raise ArgumentInvalid(f"{name} must be at least 1")
    return value


def _sort(text: str, fields: Sequence[str]) -> tuple[str, bool]:
    name, _, direction = text.partition(":")
    if name not in fields or direction.lower() not in ("", "asc", "desc"):
        raise ArgumentInvalid(f"cannot sort by '{text}'; there are {', '.join(fields)}")
    return name, direction.lower() != "desc"
