"""Where we answer otherwise than Kestra on purpose: each with its reason.

`docs/explanation/expressions.md` argues them. A reason holds for a template and Kestra's answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What a renderer said: a value, or the text of its error."""

    value: Any = None
    error: str | None = None


@dataclass(frozen=True)
class Deviation:
    """A reason, and whether it explains a difference."""

    reason: str
    explains: Callable[[str, Answer, Answer], bool]


def why(template: str, kestra: Answer, ours: Answer) -> str | None:
    """The reason of a difference, if it is a known one."""
    for deviation in DEVIATIONS:
        if deviation.explains(template, kestra, ours):
            return deviation.reason
    return None


def _error(pattern: str, where: str = "") -> Callable[[str, Answer, Answer], bool]:
    """Kestra fails with this error, we do not; the template looks like that."""

    def explains(template: str, kestra: Answer, ours: Answer) -> bool:
        return (
            kestra.error is not None
            and ours.error is None
            and re.search(pattern, kestra.error) is not None
            and re.search(where, template) is not None
        )

    return explains


def _template(pattern: str) -> Callable[[str, Answer, Answer], bool]:
    return lambda template, kestra, ours: re.search(pattern, template) is not None


def _is_reordered(template: str, kestra: Answer, ours: Answer) -> bool:
    """The same characters in another order: a hash map of Java."""
    if kestra.error or ours.error or not re.search(r"\{|merge|m\b|users|fromJson|render", template):
        return False
    return sorted(str(kestra.value).lower()) == sorted(str(ours.value).lower())


_LISTS = r"split|keys|values|\.\."
_NO_LIST = (
    r"Could not perform (addition|subtraction)|Arg2|can only be applied|must be a list"
    r"|LinkedKeySet|LinkedValues|\[Ljava|only be List|Unsupported"
)

DEVIATIONS = (
    Deviation(
        "any integer serves where Java wants a 64-bit one",
        _error(r"Integer cannot be cast to class java\.lang\.(Long|String)"),
    ),
    Deviation("null among the elements is no failure", _error("NullPointerException")),
    Deviation(
        "a character is a string of one letter",
        _error(r"java\.lang\.Character", r"first|last|'\.\.'"),
    ),
    Deviation("split, keys and values give lists", _error(_NO_LIST, _LISTS)),
    Deviation("split, keys and values give lists", _template("split")),
    Deviation(
        "sort, rsort and reverse give a new list",
        _error("UnsupportedOperationException", "sort|reverse"),
    ),
    Deviation(
        "strings are ordered by code unit, as in Kestra 2",
        _error(r"Could not perform (greater|less)"),
    ),
    Deviation(
        "lists are compared by value", _error(r"class java\.lang\.\w+ cannot be cast", "sort")
    ),
    Deviation("lists are compared by value", _template(r"\) - |contains|isIn|==|!=|equals")),
    Deviation("HALF_DAYS count right beyond 255", _template("HALF_DAYS")),
    Deviation("maps keep the order of insertion", _is_reordered),
)
