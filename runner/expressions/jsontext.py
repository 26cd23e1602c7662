"""JSON as Jackson reads it: the first complete value counts, what follows it does not."""

from __future__ import annotations

import json
from typing import Any

_SPACE = " \t\n\r"


class InvalidJson(ValueError):
    """This is no JSON."""


def read_first(text: str) -> Any:
    """The first value of the text.

    Raises:
        InvalidJson: there is none, or a number or word runs on.
    """
    stripped = text.lstrip(_SPACE)
    try:
        value, end = _DECODER.raw_decode(stripped)
    except RecursionError as error:
        raise InvalidJson("nested too deeply") from error
    except ValueError as error:
        raise InvalidJson(str(error)) from error
    following = stripped[end : end + 1]
    if following and _runs_on(value, following):
        raise InvalidJson(f"unexpected {following!r} after {stripped[:end][:40]!r}")
    return value


def is_blank(text: str) -> bool:
    """Whether there is nothing in the text."""
    return not text.strip(_SPACE)


def _runs_on(value: Any, following: str) -> bool:
    if value is None or isinstance(value, bool):
        return following.isalnum() or following in "_$"
    return isinstance(value, int | float) and following not in _SPACE


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse, strict=False)
