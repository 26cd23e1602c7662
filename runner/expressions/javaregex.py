"""Java's regular expressions on the `regex` package, which can be timed out.

Source: the documentation of `java.util.regex.Pattern` and `Matcher.appendReplacement`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from runner.javapattern import PLAIN, InvalidPattern, translate

from .errors import ExpressionError, LimitExceeded

if TYPE_CHECKING:
    from regex import Match, Pattern

_TIMEOUT = timedelta(milliseconds=500)
_MAX_PATTERN = 10_000


def compile_pattern(pattern: str) -> Pattern[str]:
    """The compiled pattern.

    Raises:
        ExpressionError: it is no regular expression.
    """
    try:
        return _compile(pattern)
    except RecursionError as error:
        raise ExpressionError("the regular expression is nested too deeply") from error


@lru_cache(maxsize=256)
def _compile(pattern: str) -> Pattern[str]:
    import regex

    if len(pattern) > _MAX_PATTERN:
        raise LimitExceeded(f"a regular expression is longer than {_MAX_PATTERN} characters")
    try:
        return regex.compile(translate(pattern), regex.VERSION1)
    except InvalidPattern as error:
        raise ExpressionError(str(error)) from error
    except (regex.error, ValueError, OverflowError) as error:
        raise ExpressionError(f"{pattern!r} is no regular expression: {error}") from error


def split(text: str, pattern: str, limit: int, timeout: timedelta = _TIMEOUT) -> list[str]:
    """The parts between the matches, as Java's `String.split` has them."""
    if not text:
        return [text]
    parts = _split_plain(text, pattern, limit) or _split_by_pattern(text, pattern, limit, timeout)
    if limit == 0:
        while len(parts) > 1 and not parts[-1]:
            parts.pop()
        if len(parts) == 1 and not parts[0]:
            return []
    return parts


def _split_plain(text: str, pattern: str, limit: int) -> list[str] | None:
    if not pattern and limit <= 0:
        return [*text, ""]
    if len(pattern) == 2 and pattern[0] == "\\" and not pattern[1].isalnum():
        pattern = pattern[1]
    elif not PLAIN.fullmatch(pattern):
        return None
    return text.split(pattern, limit - 1 if limit > 0 else -1)


def _split_by_pattern(text: str, pattern: str, limit: int, timeout: timedelta) -> list[str]:
    parts: list[str] = []
    begin = 0
    for match in _matches(pattern, text, timeout):
        if 0 < limit <= len(parts) + 1:
            break
        if match.end() == 0:
            continue
        parts.append(text[begin : match.start()])
        begin = match.end()
    return [*parts, text[begin:]]


def replace(
    text: str,
    pattern: str,
    replacement: str,
    timeout: timedelta = _TIMEOUT,
    allow: Callable[[int], None] = lambda length: None,
) -> str:
    """The text with all matches replaced; `$1` and `${name}` stand for groups."""
    pieces: list[str] = []
    begin = length = 0
    expand: Callable[[Match[str]], str] | None = None
    for match in _matches(pattern, text, timeout):
        expand = expand or _replacement(replacement, match)
        pieces += (text[begin : match.start()], expand(match))
        length += len(pieces[-1]) + match.start() - begin
        allow(length)
        begin = match.end()
    pieces.append(text[begin:])
    allow(length + len(pieces[-1]))
    return "".join(pieces)


def find(text: str, pattern: str, timeout: timedelta = _TIMEOUT) -> Match[str] | None:
    """The first match anywhere in the text."""
    return next(_matches(pattern, text, timeout), None)


def groups(pattern: str) -> int:
    """How many groups the pattern has."""
    return compile_pattern(pattern).groups


def _matches(pattern: str, text: str, timeout: timedelta) -> Any:
    compiled = compile_pattern(pattern)
    try:
        yield from compiled.finditer(text, timeout=timeout.total_seconds())
    except TimeoutError as error:
        milliseconds = timeout // timedelta(milliseconds=1)
        raise LimitExceeded(
            f"the regular expression {pattern!r} takes longer than {milliseconds} ms"
        ) from error


def _replacement(text: str, match: Match[str]) -> Callable[[Match[str]], str]:
    parts: list[str | int] = []
    index = 0
    while index < len(text):
        character = text[index]
        index += 1
        if character == "\\":
            if index == len(text):
                raise ExpressionError("the replacement ends with a backslash")
            parts.append(text[index])
            index += 1
        elif character == "$":
            group, index = _group_reference(text, index, match)
            parts.append(group)
        else:
            parts.append(character)
    return lambda found: "".join(
        part if isinstance(part, str) else found.group(part) or "" for part in parts
    )


def _group_reference(text: str, index: int, match: Match[str]) -> tuple[int, int]:
    if named := re.compile(r"\{(\w+)\}").match(text, index):
        number = match.re.groupindex.get(named.group(1))
        if number is None:
            raise ExpressionError(f"the pattern has no group {named.group(1)!r}")
        return number, named.end()
    digit = re.compile(r"[0-9]").match(text, index)
    if digit is None:
        raise ExpressionError("$ in a replacement stands before a group's number; \\$ is a $")
    number = int(digit.group())
    if number > match.re.groups:
        raise ExpressionError(f"the pattern has no group {number}")
    index += 1
    while index < len(text) and text[index] in "0123456789":
        longer = number * 10 + int(text[index])
        if longer > match.re.groups:
            break
        number = longer
        index += 1
    return number, index
