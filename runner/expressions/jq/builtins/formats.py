"""The formats `@csv`, `@base64` and so on."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from runner.expressions.budget import Budget
from runner.expressions.errors import ExpressionError
from runner.expressions.jq import data
from runner.expressions.jq.data import JqError, describe


def formatter(name: str) -> Callable[[Any, Budget], str]:
    """The function behind `@name`.

    Raises:
        ExpressionError: there is no such format.
    """
    if name not in _FORMATS:
        raise ExpressionError(f"jq: {name[1:]} is not a valid format")
    return _FORMATS[name]


def _sh(value: Any, budget: Budget) -> str:
    items = value if isinstance(value, list) else [value]
    return " ".join(_sh_word(item, budget) for item in items)


def _sh_word(value: Any, budget: Budget) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "'\\''") + "'"
    if isinstance(value, list | dict):
        raise JqError(f"{describe(value)} can not be escaped for shell")
    return data.to_text(value, budget)


def _row(value: Any, kind: str) -> list[Any]:
    if not isinstance(value, list):
        raise JqError(f"{describe(value)} cannot be {kind}-formatted, only an array can be")
    for item in value:
        if isinstance(item, list | dict):
            raise JqError(f"{describe(item)} is not valid in a {kind} row")
    return value


def _csv(value: Any, budget: Budget) -> str:
    return ",".join(
        '"' + item.replace('"', '""') + '"'
        if isinstance(item, str)
        else ("" if item is None else data.to_text(item, budget))
        for item in _row(value, "csv")
    )


_TSV = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _tsv(value: Any, budget: Budget) -> str:
    return "\t".join(
        item.translate(_TSV)
        if isinstance(item, str)
        else ("" if item is None else data.to_text(item, budget))
        for item in _row(value, "tsv")
    )


def _html(value: Any, budget: Budget) -> str:
    return html.escape(data.to_text(value, budget)).replace("&#x27;", "&apos;")


def _uri(value: Any, budget: Budget) -> str:
    return quote(data.to_text(value, budget), safe="-_.~", errors="replace")


def _base64(value: Any, budget: Budget) -> str:
    return base64.b64encode(data.to_text(value, budget).encode(errors="replace")).decode()


def _base64d(value: Any, budget: Budget) -> str:
    text = data.to_text(value, budget).rstrip("=")
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError as error:
        raise JqError(f"{describe(value)} is not valid base64 data") from error
    return decoded.decode(errors="replace")


_FORMATS: dict[str, Callable[[Any, Budget], str]] = {
    "@text": data.to_text,
    "@json": data.write_json,
    "@csv": _csv,
    "@tsv": _tsv,
    "@html": _html,
    "@uri": _uri,
    "@sh": _sh,
    "@base64": _base64,
    "@base64d": _base64d,
}
