"""SQLite: one writer at a time, readers beside it (WAL).

Threads of a process queue for their one writer connection, first come, first served; between
processes SQLite's own lock decides. Readers see the last commit and never block a writer.
"""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, NoReturn

from runner.errors import Conflict, Unavailable
from runner.store.sql import DatabaseVersionWrong, whole

_BUSY_SECONDS = 30.0
_STATEMENTS = 512
_PRAGMAS = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = {synchronous};
PRAGMA temp_store = MEMORY;
PRAGMA case_sensitive_like = ON;
PRAGMA wal_autocheckpoint = 8000;
PRAGMA journal_size_limit = 67108864;
"""


def path_of(url: str) -> Path:
    """Return the file of a URL ``sqlite:///relative`` or ``sqlite:////absolute``."""
    return Path(url.removeprefix("sqlite:///").split("?")[0])


def now_micros() -> int:
    """Return the clock of the database: the machine's, since all of its processes live there."""
    return time.time_ns() // 1000


def connect(path: Path, synchronous: str = "NORMAL") -> sqlite3.Connection:
    """Open a file in autocommit mode; transactions are begun by statement. Raises Unavailable."""
    try:
        connection = sqlite3.connect(
            path,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_STATEMENTS,
        )
        connection.executescript(_PRAGMAS.format(synchronous=synchronous))
    except sqlite3.OperationalError as exc:
        raise Unavailable(f"cannot open the database {path}: {exc}") from exc
    connection.create_function("now_micros", 0, now_micros)
    return connection


class SqliteConnection:
    """A connection of ours; outside of a transaction it refuses to work."""

    for_update = ""
    skip_locked = ""

    execute: Callable[..., sqlite3.Cursor]
    executemany: Callable[..., sqlite3.Cursor]

    def __init__(self, raw: sqlite3.Connection) -> None:
        self.raw = raw
        self.transaction: Any = None
        self.end()

    def begin(self, statement: str) -> None:
        """Begin a transaction and work until `end`."""
        self.raw.execute(statement)
        self.execute = self._execute
        self.executemany = self._executemany

    def _execute(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        try:
            return self.raw.execute(sql, values)
        except UnicodeEncodeError:
            return self.raw.execute(sql, _whole_row(values))

    def _executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> sqlite3.Cursor:
        return self.raw.executemany(sql, map(_whole_row, rows))

    def end(self) -> None:
        """Refuse to work until the next `begin`."""
        self.execute = self.executemany = _refuse


def _whole_row(values: Sequence[Any]) -> Sequence[Any]:
    if any(_is_odd(value) for value in values):
        return [whole(value) if _is_odd(value) else value for value in values]
    return values


def _is_odd(value: Any) -> bool:
    return isinstance(value, str) and not value.isascii()


def _refuse(sql: str, values: Any = ()) -> NoReturn:
    raise RuntimeError("the transaction is over: its tx cannot be used any more")


class FairLock:
    """A lock that is given to whoever waits longest. `threading.Lock` gives it to anybody."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._taken = False
        self._waiting: deque[Lock] = deque()

    def acquire(self) -> None:
        """Take it, after all who asked before."""
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            turn = Lock()
            turn.acquire()
            self._waiting.append(turn)
        turn.acquire()

    def release(self) -> None:
        """Hand it on."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False


class SqliteDatabase:
    """One file: its writer connection, and as many readers as are in use at once."""

    def __init__(self, path: Path, synchronous: str = "NORMAL") -> None:
        self._path = path
        self._synchronous = synchronous
        self._forgotten: list[Any] = []
        self._reset()

    def _reset(self) -> None:
        self._turn = FairLock()
        self._writer: SqliteConnection | None = None
        self._readers: list[SqliteConnection] = []

    def writing(self) -> _Writing:
        """Return the block of one write transaction."""
        return _Writing(self)

    def reading(self) -> _Reading:
        """Return the block of one read-only view."""
        return _Reading(self)

    def close(self) -> None:
        """Close what is not in use."""
        for connection in (self._writer, *self._readers):
            if connection is not None:
                connection.raw.close()
        self._reset()

    def forget(self) -> None:
        """Drop all connections without closing them: they belong to the parent process."""
        self._forgotten += [self._writer, *self._readers]
        self._reset()

    def take_writer(self) -> SqliteConnection:
        """Wait for the turn and return the writer connection."""
        self._turn.acquire()
        try:
            if self._writer is None:
                self._writer = SqliteConnection(self._connect())
            return self._writer
        except BaseException:
            self._turn.release()
            raise

    def give_writer(self) -> None:
        """Let the next one write."""
        self._turn.release()

    def take_reader(self) -> SqliteConnection:
        """Return a connection that reads only."""
        try:
            return self._readers.pop()
        except IndexError:
            connection = self._connect()
            connection.execute("PRAGMA query_only = ON")
            return SqliteConnection(connection)

    def give_reader(self, connection: SqliteConnection) -> None:
        """Take a reader back."""
        self._readers.append(connection)

    def _connect(self) -> sqlite3.Connection:
        if not self._path.exists():
            raise DatabaseVersionWrong(f"there is no database {self._path} yet")
        return connect(self._path, self._synchronous)


class _Writing:
    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    def __enter__(self) -> SqliteConnection:
        connection = self._database.take_writer()
        try:
            connection.begin("BEGIN IMMEDIATE")
        except BaseException as exc:
            self._database.give_writer()
            raise translated(exc) from exc
        self._connection = connection
        return connection

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        connection = self._connection
        try:
            connection.end()
            if exc is None:
                connection.raw.execute("COMMIT")
        except sqlite3.Error as failure:
            raise translated(failure) from failure
        finally:
            if connection.raw.in_transaction:
                connection.raw.rollback()
            self._database.give_writer()
        if isinstance(exc, sqlite3.Error):
            raise translated(exc) from exc


class _Reading:
    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    def __enter__(self) -> SqliteConnection:
        self._connection = self._database.take_reader()
        self._connection.begin("BEGIN")
        return self._connection

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        connection = self._connection
        connection.end()
        if connection.raw.in_transaction:
            connection.raw.execute("ROLLBACK")
        self._database.give_reader(connection)
        if isinstance(exc, sqlite3.Error):
            raise translated(exc) from exc


def translated(exc: BaseException) -> BaseException:
    """Return our error for one of SQLite's, or the same where it tells of a mistake of ours."""
    if not isinstance(exc, sqlite3.OperationalError):
        return exc
    if "locked" in str(exc) or "busy" in str(exc):
        return Conflict(f"the database is busy: {exc}")
    if "readonly" in str(exc):
        return RuntimeError("a view cannot write")
    if "no such table" in str(exc) or "no such column" in str(exc):
        return DatabaseVersionWrong(f"the database is not of this version: {exc}")
    return Unavailable(f"the database does not work: {exc}")


def stored_version(path: Path) -> str | None:
    """Return the revision of the tables in a file, or None where there are none."""
    if not path.exists():
        return None
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS)  # may be migrated at this moment
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError as exc:
        if "no such table" in str(exc):
            return None
        raise Unavailable(f"cannot read the database {path}: {exc}") from exc
    finally:
        connection.close()
    return None if row is None else str(row[0])
