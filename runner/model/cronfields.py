"""What is wrong with the ranges and steps in the fields of a cron expression, by Kestra's rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_DAYS = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]  # SUN is 7 in ranges
_ITEM = re.compile(r"(\*|\w+)(?:-(\w+))?(?:/(\d+))?")


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    least: int
    most: int
    words: tuple[str, ...] = ()

    def number(self, text: str) -> int | None:
        """Return what a number or a name stands for."""
        if text.isdecimal():
            return int(text)
        word = text.upper()
        return self.words.index(word) + 1 if word in self.words else None


_FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, tuple(_MONTHS)),
    _Field("day of the week", 0, 7, tuple(_DAYS)),
)


def field_fault(text: str) -> str | None:
    """Say which range goes backwards or which step is too long; None if none is."""
    parts = text.split()
    return next(_faults(parts, _FIELDS[-len(parts) :]), None)


def _faults(parts: list[str], fields: tuple[_Field, ...]) -> Iterator[str]:
    for part, field in zip(parts, fields, strict=True):
        for item in part.split(","):
            match = _ITEM.fullmatch(item)
            if match is None:
                continue
            start, end, step = match.groups()
            if step is not None and int(step) > field.most:
                yield f"the step in '{item}' is longer than {field.most}, the last {field.name}"
            if end is not None:
                yield from _range_faults(field, item, start, end)


def _range_faults(field: _Field, item: str, start: str, end: str) -> Iterator[str]:
    first, last = field.number(start), field.number(end)
    if first is not None and last is not None and first > last:
        told = f"the range {item} goes backwards ({first} to {last})"
        yield f"{told}: write {_split(field, first, last)}"


def _split(field: _Field, first: int, last: int) -> str:
    """Return a range over the end as two that go up."""
    if field.words == tuple(_DAYS):
        return f"0-{last}" if first == 7 else f"{first}-6,0-{last}"
    return f"{first}-{field.most},{field.least}-{last}"
