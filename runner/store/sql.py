"""What SQL needs around it: connections, shapes of rows, patterns, cursors of pages.

Statements are written once, with `?` for values, for both databases. `now_micros()` in one is the
database's clock. Differences that cannot be hidden are attributes of the connection.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import fields
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar, get_args, get_origin, get_type_hints

import orjson

from runner.clock import from_micros, to_micros
from runner.engine.codec import from_text, to_text
from runner.errors import HeadraceError, InputInvalid

Row = Sequence[Any]


class DatabaseVersionWrong(HeadraceError):
    """The database is not of this version."""

    code = "database_version"

    def __init__(self, message: str) -> None:
        super().__init__(f"{message}: run `headrace db upgrade`")


def whole(text: str) -> str:
    """Return a text with U+FFFD for halves of characters, which no database holds."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class Cursor(Protocol):
    """What a statement gave."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...


class Connection(Protocol):
    """A connection inside a transaction. *for_update* is what follows a SELECT to lock its rows."""

    for_update: str
    skip_locked: str
    transaction: Any  # the accessors over it, made once

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Cursor: ...
    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> Any: ...


class Database(Protocol):
    """Hands out connections, each for one transaction."""

    def writing(self) -> AbstractContextManager[Connection]: ...
    def reading(self) -> AbstractContextManager[Connection]: ...
    def close(self) -> None: ...
    def forget(self) -> None:
        """Drop all connections without closing them."""


# ── statements ───────────────────────────────────────────────────────────────────────────────────

_RESERVED = frozenset({"commit", "column"})


def quoted(column: str) -> str:
    """Return a column's name as statements write it."""
    return f'"{column}"' if column in _RESERVED else column


def insert(table: str, columns: Iterable[str]) -> str:
    """Return the statement that adds one row."""
    names = [quoted(column) for column in columns]
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks(len(names))})"


def upsert(
    table: str, columns: Iterable[str], keys: Iterable[str], keep: Iterable[str] = ()
) -> str:
    """Return the statement that adds a row or overwrites that of its keys, less what to *keep*."""
    columns, keys = list(columns), list(keys)
    changed = [quoted(c) for c in columns if c not in keys and c not in set(keep)]
    sets = ", ".join(f"{c} = excluded.{c}" for c in changed)
    conflict = ", ".join(quoted(key) for key in keys)
    return f"{insert(table, columns)} ON CONFLICT ({conflict}) DO UPDATE SET {sets}"


def marks(count: int) -> str:
    """Return *count* placeholders."""
    return ", ".join("?" * count)


def chunks(values: Iterable[Any], size: int = 500) -> Iterable[list[Any]]:
    """Yield the values in lists of at most *size*: databases bound the number of placeholders."""
    values = list(values)
    return (values[start : start + size] for start in range(0, len(values), size))


# ── patterns ─────────────────────────────────────────────────────────────────────────────────────

LIKE = "LIKE ? ESCAPE '~'"


def escaped(text: str) -> str:
    """Return *text* so that LIKE takes it literally."""
    return text.replace("~", "~~").replace("%", "~%").replace("_", "~_")


def like(pattern: str) -> str:
    """Return a pattern with ``*`` as LIKE wants it."""
    return "%".join(escaped(part) for part in pattern.split("*"))


def after_prefix(prefix: str) -> str:
    """Return the least text above all that start with *prefix*, in byte order."""
    return prefix + "\U0010ffff"


# ── pages ────────────────────────────────────────────────────────────────────────────────────────


def cursor_of(*key: Any) -> str:
    """Return the cursor that stands behind the row of that key."""
    return base64.urlsafe_b64encode(orjson.dumps(key)).decode().rstrip("=")


def key_of(cursor: str, *types: type) -> list[Any]:
    """Return the key in a cursor. Raises InputInvalid if it is not one of ours."""
    try:
        key = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError as exc:
        raise InputInvalid("the page cursor is not valid") from exc
    if not isinstance(key, list) or [type(part) for part in key] != list(types):
        raise InputInvalid("the page cursor is not valid")
    return key


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────

T = TypeVar("T")
_Convert = Callable[[Any], Any]


def micros(moment: datetime | None) -> int | None:
    """Return the stored form of a moment."""
    return None if moment is None else to_micros(moment)


def moment(stored: int | None) -> datetime | None:
    """Return the moment of its stored form."""
    return None if stored is None else from_micros(stored)


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((key, value) for key, value in from_text(text))


def _tuple(text: str) -> tuple[Any, ...]:
    return tuple(from_text(text))


class Shape(Generic[T]):
    """How a frozen value and a row of its table turn into each other, told by the value's types.

    Moments are microseconds; maps, tuples and `Any` JSON. The table has the value's field names.
    """

    def __init__(
        self, value: type[T], table: str, *, keys: Sequence[str], keep: Sequence[str] = ()
    ) -> None:
        hints = get_type_hints(value)
        self.names = tuple(field.name for field in fields(value))  # type: ignore[arg-type]
        self.columns = ", ".join(quoted(name) for name in self.names)
        self.insert = insert(table, self.names)
        self.upsert = upsert(table, self.names, keys, keep) if keys else self.insert
        self._value = value
        forms = [(index, *_conversions(hints[name])) for index, name in enumerate(self.names)]
        self._any = {index for index, name in enumerate(self.names) if hints[name] is Any}
        self._writes = tuple((index, write) for index, write, _ in forms if write)
        self._reads = tuple((index, read) for index, _, read in forms if read)

    def row(self, value: T) -> list[Any]:
        """Return the values of all columns, in order."""
        items = [getattr(value, name) for name in self.names]
        for index, write in self._writes:
            if items[index] is not None or index in self._any:
                items[index] = write(items[index])
        return items

    def value(self, row: Row) -> T:
        """Return the value of a row that has `columns`."""
        items = list(row)
        for index, read in self._reads:
            if items[index] is not None:
                items[index] = read(items[index])
        return self._value(*items)

    def values(self, rows: Iterable[Row]) -> list[T]:
        """Return the values of rows."""
        return [self.value(row) for row in rows]

    def find(self, cursor: Cursor) -> T | None:
        """Return the value of the one row, or None."""
        row = cursor.fetchone()
        return None if row is None else self.value(row)


def _conversions(hint: Any) -> tuple[_Convert | None, _Convert | None]:
    options = [option for option in get_args(hint) if option is not type(None)]
    core = options[0] if type(None) in get_args(hint) and len(options) == 1 else hint
    if core is datetime:
        return to_micros, from_micros
    if core is bool:
        return None, bool
    if get_origin(core) is tuple:
        return to_text, _pairs if get_origin(get_args(core)[0]) is tuple else _tuple
    if core is Any or get_origin(core) in (Mapping, dict):
        return to_text, from_text
    return None, None
