"""Filters of searches, as Kestra's clients write them in the query (rest-api §6.3).

    filters[FIELD][OP]=value · filters[FIELD][OP][KEY]=value · filters[or][0][FIELD][OP]=value

They become one condition over records (plain maps). What the store can look up by an index it is
asked for (`pushed`); the rest is judged here.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import regex
from werkzeug.datastructures import MultiDict

from runner import durations
from runner.errors import ArgumentInvalid, HeadraceError
from runner.javapattern import InvalidPattern, check_size
from web.refusals import FilterInvalid

Record = Mapping[str, Any]
Condition = Callable[[Record], bool]

_KEY = re.compile(r"^filters((?:\[[^\[\]]*\])+)$")
_PART = re.compile(r"\[([^\[\]]*)\]")
_GROUPS = ("and", "or")
_MAPS = ("labels", "metadata")
_DATES = ("startDate", "endDate", "created", "updated", "expirationDate")
_PATTERN_SECONDS = 0.5

OPERATORS = frozenset(
    {
        "EQUALS", "NOT_EQUALS", "GREATER_THAN", "LESS_THAN", "GREATER_THAN_OR_EQUAL_TO",
        "LESS_THAN_OR_EQUAL_TO", "IN", "NOT_IN", "STARTS_WITH", "ENDS_WITH", "CONTAINS",
        "NOT_CONTAINS", "REGEX", "PREFIX", "IS_NULL", "IS_NOT_NULL",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Leaf:
    """One comparison. *key* is the entry of a map-valued field."""

    field: str
    operator: str
    value: str
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Several conditions, all or any of which must hold."""

    is_or: bool
    members: tuple[Leaf | Group, ...]


def read(arguments: MultiDict[str, str], fields: Sequence[str], plain: Sequence[str]) -> Group:
    """Return the filters of a query; without any, those of the old *plain* parameters.

    Raises:
        FilterInvalid: an unknown field or operator. ArgumentInvalid: dates that do not fit.
    """
    found = _Reading(fields)
    for name, value in arguments.items(multi=True):
        if match := _KEY.match(name):
            found.add(_PART.findall(match[1]), value)
    group = found.group()
    if not group.members:
        group = Group(False, tuple(_plain(arguments, plain)))
    _check_dates(group)
    return group


def conjuncts(group: Group) -> Sequence[Leaf]:
    """Return the comparisons that must hold whatever else does."""
    if group.is_or:
        return ()
    leaves = [member for member in group.members if isinstance(member, Leaf)]
    inner = [member for member in group.members if isinstance(member, Group)]
    return [*leaves, *(leaf for each in inner for leaf in conjuncts(each))]


def without(group: Group, leaves: Sequence[Leaf]) -> Group:
    """Return the group without comparisons that were looked after elsewhere."""
    if group.is_or:
        return group
    kept = [
        without(member, leaves) if isinstance(member, Group) else member
        for member in group.members
        if not (isinstance(member, Leaf) and member in leaves)
    ]
    return Group(False, tuple(m for m in kept if isinstance(m, Leaf) or m.members))


def condition(group: Group, now: datetime) -> Condition:
    """Return what judges a record.

    Raises:
        FilterInvalid: a value cannot be read.
    """
    judges = [
        condition(member, now) if isinstance(member, Group) else _judge(member, now)
        for member in group.members
    ]
    if not judges:
        return lambda record: True
    combine = any if group.is_or else all
    return lambda record: combine(judge(record) for judge in judges)


def moment(text: str) -> datetime:
    """Return the instant of a text, also with blanks for ``+`` and ``T``. Raises FilterInvalid."""
    cleaned = re.sub(r" (\d\d:?\d\d)$", r"+\1", text.strip())
    cleaned = re.sub(r"(\.\d{6})\d+", r"\1", cleaned)
    try:
        found = datetime.fromisoformat(cleaned)
    except ValueError as exc:
        raise FilterInvalid(f"'{text}' is no date") from exc
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def span(text: str) -> timedelta:
    """Return the duration of a text. Raises FilterInvalid."""
    try:
        return durations.parse(text)
    except (HeadraceError, ValueError) as exc:
        raise FilterInvalid(f"'{text}' is no duration") from exc


def items_of(text: str) -> list[str]:
    """Return the items of a comma list, as all versions of the clients write it."""
    inner = text.strip()
    if inner.startswith("[") and inner.endswith("]"):
        inner = inner[1:-1]
    return [item.strip().strip("'\"") for item in inner.split(",") if item.strip()]


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


class _Reading:
    """Groups of comparisons by the indexes in their keys."""

    def __init__(self, fields: Sequence[str]) -> None:
        self._fields = fields
        self._root: list[Leaf] = []
        self._groups: dict[tuple[str, ...], list[Leaf]] = {}

    def add(self, parts: list[str], value: str) -> None:
        place: list[str] = []
        while len(parts) > 2 and parts[0] in _GROUPS and parts[1].isdigit():
            place.extend(parts[:2])
            parts = parts[2:]
        leaf = self._leaf(parts, value)
        if place:
            self._groups.setdefault(tuple(place), []).append(leaf)
        else:
            self._root.append(leaf)

    def group(self) -> Group:
        """Return everything read: plain comparisons and groups, all of which must hold."""
        names = sorted({place[0] for place in self._groups})
        return Group(False, (*self._root, *(self._named(name) for name in names)))

    def _named(self, name: str) -> Group:
        members: list[Leaf | Group] = []
        for place, leaves in sorted(self._groups.items()):
            if place[0] == name:
                inner = place[2] if len(place) > 2 else "and"
                one = len(leaves) == 1
                members.append(leaves[0] if one else Group(inner == "or", tuple(leaves)))
        return Group(name == "or", _joined(members, self._groups, name))

    def _leaf(self, parts: list[str], value: str) -> Leaf:
        if len(parts) not in (2, 3):
            raise FilterInvalid(f"a filter is filters[FIELD][OPERATOR], not {'/'.join(parts)}")
        field, operator = parts[0], parts[1].upper()
        if field not in self._fields:
            raise FilterInvalid(f"there is no field '{field}' to filter by")
        if operator not in OPERATORS:
            raise FilterInvalid(f"there is no operator '{operator}'")
        key = parts[2] if len(parts) == 3 else None
        if key is None and field in _MAPS and ":" in value:
            key, _, value = value.partition(":")
        return Leaf(field, operator, value, key)


def _joined(
    members: list[Leaf | Group], groups: Mapping[tuple[str, ...], list[Leaf]], name: str
) -> tuple[Leaf | Group, ...]:
    """Leaves of one nested group (``[and][1][or][0]``, ``[and][1][or][1]``) belong together."""
    nested: dict[tuple[str, ...], list[Leaf]] = {}
    flat: list[Leaf | Group] = []
    for (place, leaves), member in zip(
        sorted(item for item in groups.items() if item[0][0] == name), members, strict=True
    ):
        if len(place) > 2:
            nested.setdefault(place[:3], []).extend(leaves)
        else:
            flat.append(member)
    return (
        *flat,
        *(Group(place[2] == "or", tuple(leaves)) for place, leaves in nested.items()),
    )


_PLAIN = {
    "namespace": "PREFIX",
    "minLevel": "GREATER_THAN_OR_EQUAL_TO",
    "startDate": "GREATER_THAN_OR_EQUAL_TO",
    "endDate": "LESS_THAN_OR_EQUAL_TO",
}


def _plain(arguments: MultiDict[str, str], names: Sequence[str]) -> list[Leaf]:
    found = []
    for name in names:
        values = [value for value in arguments.getlist(name) if value != ""]
        if name == "labels":
            for value in values:
                key, _, text = value.partition(":")
                found.append(Leaf("labels", "EQUALS", text, key))
        elif name == "state" and values:
            found.append(Leaf("state", "IN", ",".join(values)))
        elif values:
            field = "level" if name == "minLevel" else name
            found.append(Leaf(field, _PLAIN.get(name, "EQUALS"), values[-1]))
    return found


def _check_dates(group: Group) -> None:
    leaves = conjuncts(group)
    starts = [leaf for leaf in leaves if leaf.field == "startDate"]
    ends = [leaf for leaf in leaves if leaf.field == "endDate"]
    if starts and any(leaf.field == "timeRange" for leaf in leaves):
        raise ArgumentInvalid("startDate and timeRange exclude each other")
    if starts and ends and moment(starts[0].value) > moment(ends[0].value):
        raise ArgumentInvalid("startDate must not be after endDate")


# ── judging ──────────────────────────────────────────────────────────────────────────────────────


def _judge(leaf: Leaf, now: datetime) -> Condition:
    if leaf.field == "timeRange":
        since = now - span(leaf.value)
        return lambda record: _at(record, "startDate") >= since
    if leaf.field in _DATES:
        return _compare_dates(leaf)
    if leaf.field == "q":
        wanted = leaf.value.lower()
        return lambda record: wanted in str(record.get("q", "")).lower()
    compare = _comparison(leaf)
    if leaf.field in _MAPS:
        return lambda record: compare((record.get(leaf.field) or {}).get(leaf.key or leaf.value))
    return lambda record: compare(record.get(leaf.field))


def _compare_dates(leaf: Leaf) -> Condition:
    wanted = moment(leaf.value)
    # both bound the start of what is looked for
    field = "startDate" if leaf.field == "endDate" else leaf.field
    orders: dict[str, Callable[[datetime], bool]] = {
        "GREATER_THAN": lambda at: at > wanted,
        "GREATER_THAN_OR_EQUAL_TO": lambda at: at >= wanted,
        "LESS_THAN": lambda at: at < wanted,
        "LESS_THAN_OR_EQUAL_TO": lambda at: at <= wanted,
        "EQUALS": lambda at: at == wanted,
        "NOT_EQUALS": lambda at: at != wanted,
    }
    if leaf.operator not in orders:
        raise FilterInvalid(f"a date cannot be compared by {leaf.operator}")
    holds = orders[leaf.operator]
    return lambda record: record.get(field) is not None and holds(record[field])


def _comparison(leaf: Leaf) -> Callable[[Any], bool]:
    wanted = leaf.value
    low = wanted.lower()
    match leaf.operator:
        case "EQUALS":
            return lambda v: _text(v) == wanted if wanted else v in (None, "")
        case "NOT_EQUALS":
            return lambda v: _text(v) != wanted
        case "IN":
            choice = set(items_of(wanted))
            return lambda v: _text(v) in choice
        case "NOT_IN":
            choice = set(items_of(wanted))
            return lambda v: _text(v) not in choice
        case "STARTS_WITH":
            return lambda v: _text(v).lower().startswith(low)
        case "ENDS_WITH":
            return lambda v: _text(v).lower().endswith(low)
        case "CONTAINS":
            return lambda v: low in _text(v).lower()
        case "NOT_CONTAINS":
            return lambda v: low not in _text(v).lower()
        case "PREFIX" if leaf.field == "namespace":
            return lambda v: _text(v) == wanted or _text(v).startswith(f"{wanted}.")
        case "PREFIX":
            return lambda v: _text(v).lower().startswith(low)
        case "REGEX":
            return _pattern(wanted)
        case "IS_NULL":
            return lambda v: v in (None, "")
        case "IS_NOT_NULL":
            return lambda v: v not in (None, "")
        case _:
            return _ordering(leaf)


def _ordering(leaf: Leaf) -> Callable[[Any], bool]:
    try:
        wanted = float(leaf.value)
    except ValueError as exc:
        raise FilterInvalid(f"'{leaf.value}' is no number") from exc
    orders: dict[str, Callable[[float], bool]] = {
        "GREATER_THAN": lambda n: n > wanted,
        "GREATER_THAN_OR_EQUAL_TO": lambda n: n >= wanted,
        "LESS_THAN": lambda n: n < wanted,
        "LESS_THAN_OR_EQUAL_TO": lambda n: n <= wanted,
    }
    holds = orders[leaf.operator]
    return lambda value: isinstance(value, int | float) and holds(float(value))


def _pattern(text: str) -> Callable[[Any], bool]:
    try:
        check_size(text, nested=False)
        compiled = regex.compile(text)
    except (regex.error, InvalidPattern, OverflowError, RecursionError) as exc:
        raise FilterInvalid(f"'{text}' is no regular expression: {exc}") from exc

    left = _PATTERN_SECONDS  # for all values together

    def matches(value: Any) -> bool:
        nonlocal left
        started = time.monotonic()
        try:
            return compiled.fullmatch(_text(value), timeout=max(left, 0.001)) is not None
        except TimeoutError as exc:
            raise FilterInvalid(f"the regular expression '{text}' takes too long") from exc
        finally:
            left -= time.monotonic() - started

    return matches


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _at(record: Record, field: str) -> datetime:
    found: datetime = record[field]
    return found
