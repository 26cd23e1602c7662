"""Acting on many things at once (rest-api §6.4), and reading numbers and flags of the query."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from flask import Response, request

from runner import ids
from runner.errors import ArgumentInvalid, HeadraceError
from web.refusals import BulkInvalid
from web.respond import json_response

Item = TypeVar("Item")

_LARGEST = 2**31 - 1
_TRUE = frozenset({"true", "1", "on", "yes"})


def counted(count: int) -> Response:
    """Return the answer of a bulk call, with the keys of all versions."""
    return json_response({"count": count, "totalItems": count, "operationId": ids.new()})


def all_or_nothing(
    verb: str, items: Iterable[Item], check: Callable[[Item], Any], kind: str
) -> None:
    """Check every item before anything is done.

    Raises:
        BulkInvalid: with those that are not fit.
    """
    invalids = []
    for item in items:
        try:
            check(item)
        except HeadraceError as exc:
            invalids.append(
                {"message": exc.message, "invalidValue": str(item), "propertyPath": kind}
            )
    if invalids:
        raise BulkInvalid(verb, invalids)


def flag(name: str, *, default: bool = False) -> bool:
    """Return a boolean of the query, in any case."""
    text = request.args.get(name)
    return default if text is None else text.strip().lower() in _TRUE


def number(name: str) -> int | None:
    """Return a whole number of the query, if it is there. Raises ArgumentInvalid.

    One that the database could not hold is none.
    """
    text = request.args.get(name)
    if text is None or text == "":
        return None
    try:
        value = int(text)
    except ValueError as exc:
        raise ArgumentInvalid(f"{name} is no number: {text[:100]!r}") from exc
    if abs(value) > _LARGEST:
        raise ArgumentInvalid(f"{name} is too large: {text[:100]}")
    return value


def words(name: str) -> list[str]:
    """Return the items of a comma list of the query."""
    return [part.strip() for part in request.args.get(name, "").split(",") if part.strip()]
