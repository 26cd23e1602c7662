"""Log lines: numbers, levels, colours of terminals, hits of a search, groups by task run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo

from runner.model.execution import TaskRun
from runner.model.logs import ENGINE_NUMBERS, Level, LogLine
from web.viewmodels import parts, words

_SEQUENCE = re.compile(r"\x1b\[([0-9;]*)m|\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
_COLOURS = {
    31: "bad", 32: "good", 33: "warn", 34: "run", 35: "hold", 36: "run", 90: "idle",
    91: "bad", 92: "good", 93: "warn", 94: "run", 95: "hold", 96: "run",
}  # fmt: skip
_CLASSES = {Level.ERROR: "err", Level.WARN: "wrn", Level.DEBUG: "dbg", Level.TRACE: "dbg"}
MOST_GROUPS = 60
_MOST_OPEN = 6
_LEAST_LINES = 15
LETTERS = {
    Level.TRACE: "T",
    Level.DEBUG: "D",
    Level.INFO: "I",
    Level.WARN: "W",
    Level.ERROR: "E",
}
_FILTERS = (
    ("debug", "Debug", "", (Level.TRACE, Level.DEBUG)),
    ("info", "Info", "", (Level.INFO,)),
    ("warn", "Warn", "warn", (Level.WARN,)),
    ("error", "Error", "bad", (Level.ERROR,)),
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text with one look; *hit*: ``hit``, ``now`` or nothing."""

    text: str
    family: str = ""
    hit: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it is shown."""

    anchor: str
    number: str  # empty: not among the numbered lines of its attempt
    time: str
    iso: str
    level: str
    letter: str
    css: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class LogGroup:
    """The lines of one task run, or of the execution itself."""

    key: str  # the task run's id; empty for the execution itself
    name: str
    value: str
    state: words.Shown | None
    note: str
    open: bool
    lines: tuple[Line, ...]
    earlier: str | None  # address that shows more
    hidden: int


@dataclass(frozen=True, slots=True)
class LevelShown:
    """One level of the filter with its count."""

    key: str
    name: str
    family: str
    count: str
    on: bool


def pieces(text: str, word: str = "") -> tuple[Piece, ...]:
    """Return a line's text with colours of terminals and hits of a search."""
    found: list[Piece] = []
    family = ""
    at = 0
    for match in _SEQUENCE.finditer(text):
        found.extend(_hits(text[at : match.start()], family, word))
        if match[1] is not None:
            family = _family(match[1], family)
        at = match.end()
    found.extend(_hits(text[at:], family, word))
    return tuple(found)


def plain(text: str) -> str:
    """Return a text without sequences for terminals."""
    return _SEQUENCE.sub("", text)


def line(each: LogLine, order: int = 0, zone: tzinfo = UTC, word: str = "") -> Line:
    """Return one line. *order* is that of its task run, so that anchors are unique in a run."""
    attempt = f".{each.attempt}" if each.attempt else ""
    return Line(
        anchor=f"L{order}{attempt}-{each.number + 1}",
        number=str(each.number + 1) if 0 <= each.number < ENGINE_NUMBERS else "",
        time=words.time_of_day(each.at, zone),
        iso=words.iso(each.at),
        level=each.level.value.capitalize(),
        letter=LETTERS[each.level],
        css=_CLASSES.get(each.level, ""),
        pieces=pieces(each.message, word),
    )


def excerpt(lines: Sequence[LogLine], most: int = 8) -> tuple[tuple[str, bool], ...]:
    """Return texts round the first error, and which of them are errors."""
    flat = [
        (text, each.level is Level.ERROR)
        for each in lines
        for text in plain(each.message).rstrip().splitlines()
    ]
    first = next((index for index, (_, is_error) in enumerate(flat) if is_error), None)
    if first is None:
        return tuple(flat[-most:])
    start = max(0, min(first - 2, len(flat) - most))
    return tuple(flat[start : start + most])


def levels(counts: Mapping[Level, int], wanted: frozenset[str]) -> tuple[LevelShown, ...]:
    """Return the filter by level; nothing wanted means all but debug."""
    return tuple(
        LevelShown(
            key,
            name,
            family,
            words.number(sum(counts.get(level, 0) for level in each)),
            on=not wanted or key in wanted,
        )
        for key, name, family, each in _FILTERS
    )


def levels_of(wanted: frozenset[str]) -> frozenset[Level]:
    """Return the levels behind the filter's words."""
    chosen = [each for key, _, _, each in _FILTERS if not wanted or key in wanted]
    return frozenset(level for each in chosen for level in each)


@dataclass(frozen=True, slots=True)
class GroupQuery:
    """What a reader of the log asked for."""

    levels: frozenset[str] = frozenset()
    word: str = ""
    open: str | None = None  # the task run whose lines are wanted
    most: int = 100  # lines of a group


def groups(
    lines: Sequence[LogLine],
    runs: Sequence[TaskRun],
    query: GroupQuery,
    address: str,
    zone: tzinfo,
) -> tuple[LogGroup, ...]:
    """Return lines by task run; only what failed, runs or was asked for is open."""
    shown = levels_of(query.levels)
    by_run: dict[str, list[LogLine]] = {}
    for each in lines:
        by_run.setdefault(each.task_run_id or "", []).append(each)
    order = {run.id: run for run in runs}
    keys = sorted(by_run, key=lambda key: order[key].sequence if key in order else -1)
    opened = _opened(keys, order, query)
    query = replace(query, most=max(query.most // max(len(opened), 1), _LEAST_LINES))
    return tuple(
        _group(key, order.get(key), by_run[key], shown, query, address, zone, key in opened)
        for key in _fitting(keys, opened)
    )


def _fitting(keys: Sequence[str], opened: set[str]) -> Sequence[str]:
    """As many groups as fit on a page, those that are open among them."""
    if len(keys) <= MOST_GROUPS:
        return keys
    rest = [key for key in keys if key not in opened][: MOST_GROUPS - len(opened)]
    return [key for key in keys if key in opened or key in set(rest)]


def _opened(keys: Sequence[str], order: Mapping[str, TaskRun], query: GroupQuery) -> set[str]:
    if query.open is not None:
        return {query.open}
    if query.word:
        return set(keys[:_MOST_OPEN])
    loud = {
        key
        for key in keys
        if key in order
        and (words.family(order[key].state) == "bad" or not order[key].state.is_terminal)
    }
    return set(sorted(loud)[:_MOST_OPEN]) or set(keys if len(keys) <= _MOST_OPEN else keys[-1:])


def _group(
    key: str,
    run: TaskRun | None,
    lines: Sequence[LogLine],
    shown: frozenset[Level],
    query: GroupQuery,
    address: str,
    zone: tzinfo,
    is_open: bool,
) -> LogGroup:
    wanted = [each for each in lines if each.level in shown and _has(each, query.word)]
    most = query.most * 5 if query.open == key else query.most
    cut = wanted[-most:] if is_open else []
    order = run.sequence if run else 0
    return LogGroup(
        key=key,
        name=run.task_id if run else "execution",
        value=run.value or "" if run else "",
        state=words.shown(run.state) if run else None,
        note=_note(lines, run),
        open=is_open,
        lines=tuple(line(each, order, zone, query.word) for each in cut),
        earlier=address if len(wanted) > len(cut) else None,
        hidden=len(wanted) - len(cut),
    )


def _note(lines: Sequence[LogLine], run: TaskRun | None) -> str:
    counts = Counter(each.level for each in lines)
    text = words.many(len(lines), "line")
    if counts[Level.WARN]:
        text += f", {words.many(counts[Level.WARN], 'warning')}"
    if run and (end := parts.ended_at(run)):
        text += f", {words.seconds(end - run.history[0][1])}"
    return text


def _has(each: LogLine, word: str) -> bool:
    return not word or word.lower() in plain(each.message).lower()


def _family(codes: str, before: str) -> str:
    family = before
    for code in (int(part or 0) for part in codes.split(";")):
        if code in (0, 39):
            family = ""
        elif code in _COLOURS:
            family = _COLOURS[code]
    return family


def _hits(text: str, family: str, word: str) -> list[Piece]:
    if not text:
        return []
    if not word:
        return [Piece(text, family)]
    found = []
    at = 0
    for match in re.finditer(re.escape(word), text, re.IGNORECASE):
        if match.start() > at:
            found.append(Piece(text[at : match.start()], family))
        found.append(Piece(match[0], family, "hit"))
        at = match.end()
    if at < len(text):
        found.append(Piece(text[at:], family))
    return found
