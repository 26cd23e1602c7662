"""The query language of the history: ``state:failed flow:orders_* commit:9c41f7e since:24h word``.

The text is the truth; menus only write into it. What cannot be read becomes a problem with a hint.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches

from runner.model.states import State
from runner.store.base import ExecutionFilter

_UNITS = {"m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SPAN = re.compile(r"(\d{1,5})\s*(m|min|h|d|w)")
_SHA = re.compile(r"[0-9a-fA-F]{4,40}")

LIVE = ("CREATED", "SUBMITTED", "QUEUED", "RUNNING", "RESTARTED", "RETRYING", "KILLING")
_STATE_WORDS: Mapping[str, tuple[str, ...]] = {
    "live": (*LIVE, "PAUSED", "BREAKPOINT"),
    "waiting": ("PAUSED", "BREAKPOINT"),
    "ended": ("SUCCESS", "WARNING", "FAILED", "KILLED", "CANCELLED", "SKIPPED"),
    **{state.value.lower(): (state.value,) for state in State},
}
TRIGGER_TYPES: Mapping[str, tuple[str, ...]] = {
    "push": ("io.headrace.trigger.Commit",),
    "cron": ("io.kestra.plugin.core.trigger.Schedule",),
    "webhook": ("io.kestra.plugin.core.trigger.Webhook",),
    "flow": ("io.kestra.plugin.core.trigger.Flow",),
    "subflow": ("io.kestra.plugin.core.flow.Subflow",),
}


@dataclass(frozen=True, slots=True)
class Query:
    """What a text asks for; *problems* are said at the field."""

    text: str
    filter: ExecutionFilter
    problems: tuple[str, ...] = ()
    states: frozenset[str] = frozenset()  # lower case, as written
    since: str | None = None
    flow: str | None = None  # the only flow asked for

    @property
    def is_empty(self) -> bool:
        return not self.text


class _Wrong(Exception):
    """A term cannot be read; the text says why."""


def parse(text: str, now: datetime) -> Query:
    """Read a query; terms that cannot be read narrow nothing and are told in *problems*."""
    query = Query(text=text.strip(), filter=ExecutionFilter(kinds=("NORMAL",)))
    problems = []
    words = []
    for term in _terms(text):
        name, colon, value = term.partition(":")
        if not colon:
            words.append(term)
            continue
        try:
            query = _field(name.lower())(query, value, now)
        except _Wrong as wrong:
            problems.append(str(wrong))
    if len(words) > 1:
        problems.append(f"One word is searched at a time, not {' '.join(words)!r}.")
    elif words:
        query = replace(query, filter=replace(query.filter, text=words[0]))
    return replace(query, problems=tuple(problems))


def with_term(text: str, name: str, value: str | None) -> str:
    """Return the query with one term set anew; None takes it out."""
    kept = [term for term in _terms(text) if term.partition(":")[0].lower() != name]
    if value is not None:
        kept.append(f"{name}:{value}")
    return " ".join(_quoted(term) for term in kept)


def toggled(text: str, name: str, value: str) -> str:
    """Return the query with one value of a list term switched."""
    present = _values(text, name)
    changed = [each for each in present if each != value] if value in present else [*present, value]
    return with_term(text, name, ",".join(changed) or None)


def _values(text: str, name: str) -> list[str]:
    for term in _terms(text):
        key, colon, value = term.partition(":")
        if colon and key.lower() == name:
            return [each for each in value.lower().split(",") if each]
    return []


def _terms(text: str) -> Sequence[str]:
    try:
        return shlex.split(text)
    except ValueError:  # an open quotation mark
        return text.split()


def _quoted(term: str) -> str:
    if " " not in term:
        return term
    name, colon, value = term.partition(":")
    return f'{name}:"{value}"' if colon else f'"{term}"'


# ── fields ───────────────────────────────────────────────────────────────────────────────────────

_Reader = Callable[[Query, str, datetime], Query]


def _field(name: str) -> _Reader:
    reader = _FIELDS.get(name)
    if reader is None:
        raise _Wrong(f"‘{name}’ is not a filter.{_hint(name, _FIELDS)}")
    return reader


def _state(query: Query, value: str, now: datetime) -> Query:
    wanted = [word for word in value.lower().split(",") if word]
    for word in wanted:
        if word not in _STATE_WORDS:
            raise _Wrong(f"‘{word}’ is not a state.{_hint(word, _STATE_WORDS)}")
    states = tuple(dict.fromkeys(state for word in wanted for state in _STATE_WORDS[word]))
    return replace(query, filter=replace(query.filter, states=states), states=frozenset(wanted))


def _flow(query: Query, value: str, now: datetime) -> Query:
    names = tuple(each for each in value.split(",") if each)
    only = names[0] if len(names) == 1 and "*" not in names[0] else None
    return replace(query, filter=replace(query.filter, flow_ids=names), flow=only)


def _namespace(query: Query, value: str, now: datetime) -> Query:
    names = tuple(each for each in value.split(",") if each)
    return replace(query, filter=replace(query.filter, namespaces=names))


def _commit(query: Query, value: str, now: datetime) -> Query:
    if not _SHA.fullmatch(value):
        raise _Wrong(f"‘{value}’ is not a commit: four or more of its hexadecimal digits.")
    return replace(query, filter=replace(query.filter, commit=value.lower()))


def _label(query: Query, value: str, now: datetime) -> Query:
    key, equals, text = value.partition("=")
    if not (key and equals):
        raise _Wrong(f"A label is label:key=value, not ‘{value}’.")
    labels = (*query.filter.labels, (key, text))
    return replace(query, filter=replace(query.filter, labels=labels))


def _trigger(query: Query, value: str, now: datetime) -> Query:
    if types := TRIGGER_TYPES.get(value.lower()):
        return replace(query, filter=replace(query.filter, trigger_types=types))
    return replace(query, filter=replace(query.filter, trigger_id=value))


def _since(query: Query, value: str, now: datetime) -> Query:
    at = _when("since", value, now)
    return replace(query, filter=replace(query.filter, since=at), since=value)


def _until(query: Query, value: str, now: datetime) -> Query:
    return replace(query, filter=replace(query.filter, until=_when("until", value, now)))


def _replays(query: Query, value: str, now: datetime) -> Query:
    return replace(query, filter=replace(query.filter, original_id=value))


_FIELDS: Mapping[str, _Reader] = {
    "state": _state,
    "flow": _flow,
    "ns": _namespace,
    "namespace": _namespace,
    "commit": _commit,
    "label": _label,
    "trigger": _trigger,
    "since": _since,
    "until": _until,
    "original": _replays,
}


def _when(name: str, value: str, now: datetime) -> datetime:
    if match := _SPAN.fullmatch(value.lower()):
        return now - timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise _Wrong(f"‘{value}’ is no time: {name}:24h, {name}:7d or {name}:2026-11-25.") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _hint(word: str, known: Mapping[str, object]) -> str:
    close = get_close_matches(word, known, n=1, cutoff=0.5)
    return f" Did you mean ‘{close[0]}’?" if close else f" There are {', '.join(known)}."
